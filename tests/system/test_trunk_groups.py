# SPDX-License-Identifier: GPL-2.0-or-later
"""Trunk groups over several line hosts, hunted by the real daemon, hosts and libpri."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from dahdi_py.client import Client
from dahdi_py.errors import DahdiPyError, NoChannel
from tests.daemon.process import PATIENCE_S, DaemonProcess
from tests.linehost.rig import span
from tests.system.service import Listener, Service, eventually

CONFIG = """
[service]
name = "groups"
linger_s = 30

[calls]
emergency = ["112"]
preemption = true

[[cards]]
name = "sim"
kind = "sim"
ports = ["E1", "E1", "E1", "E1"]
cables = [[1, 3], [2, 4]]

[[hosts]]
name = "a"

[[hosts]]
name = "b"

[[hosts]]
name = "far"

[[groups]]
name = "round"
spans = ["one:1-2", "two:1-2"]
hunt = "round_robin_up"
reserve_last = 1

[[groups]]
name = "idle"
spans = ["one", "two"]
hunt = "most_idle"

[[groups]]
name = "oldest"
spans = ["one:20-21", "two:20-21"]
hunt = "least_recently_used"

[[groups]]
name = "tiny"
spans = ["one:30"]
overflow = "spill"

[[groups]]
name = "spill"
spans = ["two:30"]
""" + "".join(
    span(name, port, host, node=node, hold_down_s=0)
    for name, host, port, node in (
        ("one", "a", 1, "cpe"), ("two", "b", 2, "cpe"), ("far-one", "far", 3, "network"),
        ("far-two", "far", 4, "network"),
    )
)  # fmt: skip


@pytest.fixture
def service(run_dir: Path) -> Iterator[Service]:
    started = Service(run_dir)
    started.daemon = DaemonProcess(run_dir, CONFIG)
    yield started.start()
    started.end()


class Answering:
    """A core that answers whatever comes.

    Synchronization: a thread of its own.
    """

    def __init__(self, service: Service) -> None:
        self._client = service.client("answering")
        self._offers = self._client.serve()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(DahdiPyError):
            for reply in self._offers:
                if reply.offer is not None:
                    with suppress(DahdiPyError):
                        self._client.claim(reply.offer.call)
                        self._client.answer(reply.offer.call)

    def close(self) -> None:
        self._offers.close()
        self._thread.join(PATIENCE_S)
        self._client.close()


def place(client: Client, number: str, group: str) -> tuple[str, tuple[str, int]]:
    """The call, and the channel it was answered on."""
    placed = client.place(number, group=group)
    eventually(lambda: any(one.call == placed.call and one.phase == "active" for one in client.calls()))
    up = client.call(placed.call)
    return placed.call, (up.span, up.timeslot)


def test_emergency_calls_get_the_reserved_channel_and_then_anothers(service: Service) -> None:
    answering = Answering(service)
    events = Listener(service.socket, kinds=["call.preempted", "call.ended"])
    with service.client() as client:
        calls = [place(client, "2001", "round") for _ in range(3)]
        assert [at for _, at in calls] == [("one", 1), ("one", 2), ("two", 1)]
        with pytest.raises(NoChannel, match="the last 1 channels are reserved"):
            client.place("2001", group="round")
        assert place(client, "112", "round")[1] == ("two", 2)
        # Nothing is left: the youngest of the ordinary calls makes way.
        emergency, at = place(client, "112", "round")
        assert at == ("two", 1)
        gone = events.wait("call.preempted")
        assert (gone.call, gone.data["by"]) == (calls[2][0], emergency)
        record = eventually(lambda: [one for one in client.history(call=gone.call) if one.state == "closed"])[0]
        assert record.cause is not None
        assert record.cause.value == 8
        (line,) = eventually(lambda: client.audit(action="preempt"))
        assert (line.subject, line.reason, line.pid) == (gone.call, f"for call {emergency}", os.getpid())
        assert [up.emergency for up in client.calls() if up.direction == "outgoing"].count(True) == 2
        assert client.alarms() == []
        for up in client.calls():
            if up.direction == "outgoing":
                client.hangup(up.call)
        eventually(lambda: not client.calls())
    events.close()
    answering.close()


def test_round_robin_goes_on_over_the_hosts(service: Service) -> None:
    with service.client() as client:
        seen = []
        for _ in range(6):
            lease = client.allocate(group="round", open=False)
            seen.append((lease.span, lease.timeslot))
            client.release(lease.token)
        assert seen == [("one", 1), ("one", 2), ("two", 1), ("two", 2), ("one", 1), ("one", 2)]


def test_the_most_idle_span_and_the_longest_idle_channel_come_next(service: Service) -> None:
    with service.client() as client:
        kept = [client.allocate(group="idle", open=False) for _ in range(4)]
        assert sorted(one.span for one in kept) == ["one", "one", "two", "two"]
        for one in kept:
            client.release(one.token)
        leases = [client.allocate(group="oldest", open=False) for _ in range(4)]
        order = [leases[at] for at in (2, 0, 3, 1)]
        for one in order:
            client.release(one.token)
        again = [client.allocate(group="oldest", open=False) for _ in range(4)]
        assert [(one.span, one.timeslot) for one in again] == [(one.span, one.timeslot) for one in order]


def test_overflow_crosses_hosts_and_says_whose_channel_it_is(service: Service) -> None:
    with service.client() as client:
        assert client.allocate(group="tiny", open=False).span == "one"
        spilt = client.allocate(group="tiny", open=False)
        assert (spilt.span, spilt.timeslot) == ("two", 30)
        assert [client.group(name).leases for name in ("tiny", "spill")] == [1, 1]
        with pytest.raises(NoChannel):
            client.allocate(group="tiny", open=False)
