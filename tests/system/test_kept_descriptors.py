# SPDX-License-Identifier: GPL-2.0-or-later
"""A client that outlives its line host keeps its descriptor, and nobody gets the channel until it lets go."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from dahdi_py.client import ChannelStatus, Client
from dahdi_py.errors import AllocationError
from tests.system.service import Listener, Service, eventually

KEPT = 5


@pytest.fixture
def service(run_dir: Path) -> Iterator[Service]:
    service = Service(run_dir)
    try:
        yield service.start()
    finally:
        service.end()


def channel(client: Client) -> ChannelStatus:
    return next(one for one in client.channels("e1-user") if one.timeslot == KEPT)


def test_the_channel_of_a_client_whose_host_was_killed_is_nobodys(service: Service) -> None:
    events = Listener(service.socket)
    with service.client("keeps") as keeps, service.client("other") as other:
        kept = keeps.allocate(span="e1-user", timeslot=KEPT)
        os.kill(service.host_pid(), signal.SIGKILL)
        events.wait("host.down", host="sim")
        events.wait("host.up", host="sim")
        service.wait_for_lines()
        eventually(lambda: channel(other).disabled == "quarantine", "the channel is not quarantined")
        with pytest.raises(AllocationError):
            other.allocate(span="e1-user", timeslot=KEPT)
        far = other.allocate(span="e1-network", timeslot=KEPT, open=False)
        placed = other.place("2001", token=far.token)
        ended = events.wait("call.ended", call=placed.call)
        assert ended.data["cause"] == 44, ended.data
        kept.close()
        eventually(lambda: channel(other).usage == "idle" and not channel(other).disabled, "it never comes free")
        with other.allocate(span="e1-user", timeslot=KEPT) as got:
            assert got.timeslot == KEPT
    events.close()
