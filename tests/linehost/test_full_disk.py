# SPDX-License-Identifier: GPL-2.0-or-later
"""A line host that starts while its disk is full says which file has no room, and comes up when there is some."""

import asyncio
import resource
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dahdi_py.core.config_file import parse
from dahdi_py.errors import ConfigError
from dahdi_py.linehost import main
from tests.linehost.rig import Rig, pair


@contextmanager
def no_room() -> Iterator[None]:
    """No file of this process grows."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_the_file_is_named_and_the_next_try_starts(rig: Rig) -> None:
    rig.configure(pair())
    config = parse(tomllib.loads(rig.config.read_text()))
    journal = rig.run / "state" / "hosts" / "h.journal"

    async def starts() -> int:
        host = main._make("h", config, rig.run)
        await host.close()
        return host.start

    assert asyncio.run(starts()) == 1
    with no_room(), pytest.raises(ConfigError) as refused:
        asyncio.run(starts())
    assert str(journal) in str(refused.value)
    assert "make room" in str(refused.value)
    assert asyncio.run(starts()) == 2
