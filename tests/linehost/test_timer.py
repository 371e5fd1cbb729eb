# SPDX-License-Identifier: GPL-2.0-or-later
"""The one timer of a host, in this process: it outlives whatever is wrong in one of the parts it serves."""

import asyncio
import tomllib
from pathlib import Path

import pytest

from dahdi_py.backends.sim import SimBackend
from dahdi_py.core.config_file import parse
from dahdi_py.linehost.host import LineHost
from dahdi_py.linehost.journal import Journal
from tests.linehost.rig import PATIENCE_S, Rig, pair


def test_what_fails_in_one_part_stops_no_other_and_not_the_timer(
    rig: Rig, run_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Due first and failing each time are the calls; what is due last, the seconds, comes and comes again."""
    rig.configure(pair())
    config = parse(tomllib.loads(rig.config.read_text()))

    async def two_seconds() -> None:
        twice = asyncio.Event()
        host = LineHost("h", config, lambda card: SimBackend(card, run_dir / "none.sock"), Journal(run_dir / "journal"))
        expire, dues = host.seconds.expire, []

        def fails(now: float) -> None:
            raise ValueError("as the test wants")

        def counted(now: float) -> None:
            due = host.seconds.due
            expire(now)
            if host.seconds.due > due:
                dues.append(due)
            if len(dues) == 2:
                twice.set()

        host.calls.expire = fails  # type: ignore[method-assign]
        host.seconds.expire = counted  # type: ignore[method-assign]
        host.begin()
        try:
            await asyncio.wait_for(twice.wait(), PATIENCE_S)
        finally:
            await host.close()

    asyncio.run(two_seconds())
    assert "not all that was due could be done" in caplog.text
