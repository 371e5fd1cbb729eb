# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import asyncio
import tomllib
from pathlib import Path

import pytest

from dahdi_py.core.access import Policy
from dahdi_py.core.alarm import Condition
from dahdi_py.core.config_file import parse
from dahdi_py.daemon import alarm_watch
from dahdi_py.daemon.control import Control
from tests.daemon.process import PATIENCE_S, TWO_HOSTS


def test_a_look_that_fails_is_not_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarm_watch, "_AGAIN_S", 0.01)

    async def looked_again() -> list[str]:
        loop = asyncio.get_running_loop()
        conf = parse(tomllib.loads(TWO_HOSTS.format(service="journal = false", access="", calls="")))
        control = Control(loop, conf, Policy(), tmp_path, lambda name: tmp_path / name)
        again: asyncio.Future[None] = loop.create_future()
        complaints: list[str] = []
        loop.set_exception_handler(lambda _, context: complaints.append(str(context.get("exception"))))
        looks = 0

        def read(now: float, now_ns: int) -> list[Condition]:
            nonlocal looks
            looks += 1
            if looks < 3:
                raise RuntimeError(f"look {looks}")
            if not again.done():
                again.set_result(None)
            return []

        monkeypatch.setattr(control.alarms._conditions, "read", read)
        with pytest.raises(RuntimeError, match="look 1"):
            control.alarms.begin()
        await asyncio.wait_for(again, PATIENCE_S)
        control.alarms.close()
        return complaints

    assert asyncio.run(looked_again()) == ["look 2"]
