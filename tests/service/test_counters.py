# SPDX-License-Identifier: GPL-2.0-or-later
"""What a core does not read and write is counted: asked while its call is up, and kept in the call's record."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from dahdi_py.client import Client, MediaRequest
from tests.service.service import Core, Follower, Service, closed_record, running, until

DEEP = MediaRequest(chunk=500, depth=32)
"""Two seconds of blocks wait before one is missed."""


@pytest.fixture
def service(run_dir: Path) -> Iterator[Service]:
    with running(run_dir, files("dahdi_py").joinpath("embedded.toml").read_text()) as service:
        yield service


def counted(client: Client, token: str) -> tuple[int, int]:
    """Blocks not read and octets not written, both known."""
    found = client.counters(token)
    assert found.overruns is not None
    assert found.underruns is not None
    return found.overruns, found.underruns


def test_a_core_that_neither_reads_nor_writes(service: Service) -> None:
    with Core(service, ("e1-user",)) as caller, Core(service, ("e1-network",)) as callee, Follower(service) as events:
        placed = caller.client.place("2001", span="e1-user")
        offer, theirs = callee.answer()
        events.wait("call.answered", placed.call)
        ours = caller.client.open(placed.token, media=DEEP)
        assert caller.client.counters(placed.token).overruns == 0
        until("blocks are missed", lambda: min(counted(caller.client, placed.token)) > 3)
        seen = counted(caller.client, placed.token)
        until("overruns grow", lambda: counted(caller.client, placed.token)[0] > seen[0])
        until("underruns grow", lambda: counted(caller.client, placed.token)[1] > seen[1])
        caller.client.hangup(placed.call)
        events.wait("call.ended", offer.call)
        record = closed_record(caller.client, placed.call)
        assert record.overruns is not None
        assert record.underruns is not None
        assert (record.overruns > seen[0], record.underruns > seen[1]) == (True, True)
        ended = events.wait("call.ended", placed.call).data
        assert (ended["overruns"], ended["underruns"]) == (record.overruns, record.underruns)
        ours.close()
        theirs.close()


def test_a_core_that_never_opened_its_channel_missed_nothing_known(service: Service) -> None:
    with Core(service, ("e1-user",)) as caller, Core(service, ("e1-network",)) as callee, Follower(service) as events:
        placed = caller.client.place("2001", span="e1-user")
        offer, theirs = callee.answer()
        events.wait("call.answered", placed.call)
        found = caller.client.counters(placed.token)
        assert (found.overruns, found.underruns) == (None, None)
        caller.client.hangup(placed.call)
        events.wait("call.ended", offer.call)
        record = closed_record(caller.client, placed.call)
        assert (record.overruns, record.underruns) == (None, None)
        theirs.close()


def test_each_lease_counts_anew(service: Service) -> None:
    with service.client() as client:
        with client.allocate(span="t1-user", timeslot=1) as first:
            until("blocks are missed", lambda: min(counted(client, first.token)) > 3)
            before = counted(client, first.token)
        with client.allocate(span="t1-user", timeslot=1, media=DEEP) as second:
            assert counted(client, second.token) < before


def test_a_bridged_channel_misses_nothing(service: Service) -> None:
    """Nobody is to read or write it then."""
    with (
        service.client() as client,
        client.allocate(span="e1-user", timeslot=1) as a,
        client.allocate(span="e1-user", timeslot=2) as b,
        client.allocate(span="e1-user", timeslot=3) as other,
    ):
        assert client.bridge(a.token, b.token) == "card"
        before = counted(client, a.token), counted(client, b.token)
        start = counted(client, other.token)
        until("time goes by", lambda: counted(client, other.token)[1] > start[1] + 4000)
        assert (counted(client, a.token), counted(client, b.token)) == before
