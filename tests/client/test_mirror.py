# SPDX-License-Identifier: GPL-2.0-or-later
"""What a mirror makes of a host that died with the daemon that could have told of it."""

from __future__ import annotations

import pytest

from dahdi_py.client.mirror import Mirror
from dahdi_py.wire.messages.calls import Call
from dahdi_py.wire.messages.common import Bearer, Cursor, Lease, Owner, Party
from dahdi_py.wire.messages.events import Event, MonitorReply, Snapshot


def lease(token: str) -> Lease:
    return Lease(
        token=token, span="east", timeslot=1, owner=Owner(), phase="reserved",
        call="", exclusive=False,
    )  # fmt: skip


def call(name: str, token: str) -> Call:
    return Call(
        call=name, direction="outgoing", phase="active", span="east", span_number=1, timeslot=1, token=token,
        called=Party(number="2001"), calling=Party(), bearer=Bearer(), started_ns=1, answered_ns=2, attempt=1,
        media=True, owner=Owner(),
    )  # fmt: skip


@pytest.fixture
def mirror() -> Mirror:
    """Leases and calls of two starts of host a, and of host aa."""
    tokens = ("a/1/1", "a/2/1", "aa/1/1")
    made = Mirror()
    snapshot = Snapshot(
        spans=[], channels=[], calls=[call(token, token) for token in tokens], leases=[lease(token) for token in tokens]
    )
    made.take(MonitorReply(cursor=Cursor(epoch=1, n=1), events=[], snapshot=snapshot))
    return made


def event(kind: str, **data: object) -> Event:
    return Event(epoch=2, n=1, utc_ns=1, kind=kind, monotonic_ns=1, host="a", data=data)


def test_a_host_in_its_next_start_has_nothing_of_the_one_before(mirror: Mirror) -> None:
    mirror.take_event(event("host.up", pid=1, version="", start=2))
    assert set(mirror.leases) == set(mirror.calls) == {"a/2/1", "aa/1/1"}


def test_a_host_that_is_gone_has_nothing(mirror: Mirror) -> None:
    mirror.take_event(event("host.down", problem="no process serves it", gone=True))
    assert set(mirror.leases) == set(mirror.calls) == {"aa/1/1"}


def test_a_host_that_cannot_be_reached_keeps_what_it_has(mirror: Mirror) -> None:
    mirror.take_event(event("host.down", problem="connection lost"))
    assert len(mirror.leases) == len(mirror.calls) == 3
