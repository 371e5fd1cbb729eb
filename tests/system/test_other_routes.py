# SPDX-License-Identifier: GPL-2.0-or-later
"""A group over two line hosts, one of which is full at the far end, sleeps or dies: its calls go by the other."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dahdi_py.client import Client
from tests.daemon.process import PATIENCE_S, DaemonProcess
from tests.system.service import Listener, Service, eventually
from tests.system.test_trunk_groups import CONFIG, Answering

GROUPS = """
[[groups]]
name = "out"
spans = ["one", "two"]
hunt = "ascending"

[[groups]]
name = "first"
spans = ["one"]
overflow = "spare"

[[groups]]
name = "spare"
spans = ["two"]
"""


@pytest.fixture
def service(run_dir: Path) -> Iterator[Service]:
    started = Service(run_dir)
    started.daemon = DaemonProcess(run_dir, CONFIG + GROUPS)
    yield started.start()
    started.end()


@pytest.fixture
def answering(service: Service) -> Iterator[Answering]:
    core = Answering(service)
    yield core
    core.close()


def pid_of(client: Client, host: str) -> int:
    return next(one.pid for one in client.hosts() if one.name == host)


def silent(client: Client) -> list[str]:
    """Hosts that do not answer."""
    return [alarm.subject for alarm in client.alarms() if alarm.words == ["SILENT"]]


def active(client: Client, call: str) -> str:
    """The span on which the call is answered."""
    eventually(lambda: any(one.call == call and one.phase == "active" for one in client.calls()))
    return client.call(call).span


def all_idle(client: Client, *spans: str) -> None:
    eventually(lambda: all(one.usage == "idle" for one in client.channels() if one.span in spans))


@pytest.mark.parametrize("group", ["out", "first"])
def test_what_the_far_end_refuses_on_one_host_goes_by_the_other(
    service: Service, answering: Answering, group: str
) -> None:
    events = Listener(service.socket, kinds=["call."])
    with service.client() as client, service.client("works") as far:
        far.allocate_span("far-one", open=False)
        placed = client.place("112", group=group)
        assert active(client, placed.call) == "two"
        events.wait("call.answered", call=placed.call)
        told = [event for event in events.events if event.call == placed.call]
        assert {event.kind for event in told}.isdisjoint(("call.ended", "call.unplaced"))
        attempts = [event.data["attempt"] for event in told if event.kind == "call.attempt"]
        assert attempts == list(range(1, len(attempts) + 1))
        all_idle(client, "one")
        client.hangup(placed.call)
        ended = events.wait("call.ended", call=placed.call)
        assert (ended.data["cause"], ended.data["attempt"], ended.span) == (16, len(attempts), "two")
        (row,) = eventually(lambda: [one for one in client.history(call=placed.call) if one.state == "closed"])
        assert (row.host, row.span, row.attempts) == ("b", "two", len(attempts))
        assert [one.name for one in row.messages].count("SETUP") == len(attempts)
        # With the other one full too the call ends, as it was refused last.
        all_idle(client, "two", "far-two")
        far.allocate_span("far-two", open=False)
        lost = client.place("2001", group=group)
        assert events.wait("call.ended", call=lost.call).data["cleared_by"] == "peer"
        all_idle(client, "one", "two")
        assert [event.call for event in events.events if event.kind == "call.ended"].count(lost.call) == 1
    events.close()


def test_a_host_that_sleeps_delays_a_call_once_and_has_nothing_of_it_when_it_wakes(
    service: Service, answering: Answering
) -> None:
    with service.client() as client:
        pid = pid_of(client, "a")
        os.kill(pid, signal.SIGSTOP)
        try:
            placed = client.place("112", group="out")
            assert placed.span == "two"
            assert active(client, placed.call) == "two"
            assert client.allocate(group="out", open=False).span == "two"
            eventually(lambda: silent(client) == ["a"])
        finally:
            os.kill(pid, signal.SIGCONT)
        eventually(lambda: not client.alarms())
        all_idle(client, "one")
        eventually(lambda: {one.span for one in client.calls()} == {"two", "far-two"})
        assert client.call(placed.call).phase == "active"
        assert client.allocate(group="out", open=False).span == "one"


def test_a_call_under_way_on_a_host_that_dies_is_placed_by_the_other(service: Service, answering: Answering) -> None:
    events = Listener(service.socket, kinds=["call.", "host."])
    with service.client() as client, service.client() as looking:
        pid = pid_of(client, "a")
        os.kill(pid, signal.SIGSTOP)
        got: list[str] = []
        placing = threading.Thread(target=lambda: got.append(client.place("112", group="out").call))
        placing.start()
        eventually(lambda: any(one.called.number == "112" for one in looking.calls()))
        os.kill(pid, signal.SIGKILL)
        placing.join(PATIENCE_S)
        (call,) = got
        assert active(looking, call) == "two"
        events.wait("host.down", host="a")
        eventually(lambda: all(host.state == "up" for host in looking.hosts()))
        service.wait_for_lines()
        assert looking.call(call).phase == "active"
        assert not [event for event in events.events if event.kind == "call.ended" and event.call == call]
    events.close()
