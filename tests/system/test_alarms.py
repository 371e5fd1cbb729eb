# SPDX-License-Identifier: GPL-2.0-or-later
"""Cables pulled on the real simulated card: what is alarmed, what calls go where, and that nothing stays behind."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from dahdi_py.client import Client
from dahdi_py.errors import NotFound
from dahdi_py.wire.blocking import Connection
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.cable import CableRequest
from dahdi_py.wire.messages.card import CardPortRequest
from dahdi_py.wire.messages.events import Event
from tests.daemon.process import DaemonProcess
from tests.linehost.rig import span
from tests.system.service import Listener, Service, eventually, place_and_answer

PAIRS = """
[service]
name = "alarms"
linger_s = 30

[calls]
emergency = ["112"]

[alarms]
# A core is gone as soon as its call is up.
no_core_s = 0

[[cards]]
name = "sim"
kind = "sim"
ports = ["E1", "E1", "E1", "E1"]
cables = [[1, 3], [2, 4]]

[[hosts]]
name = "a"

[[groups]]
name = "both"
spans = ["one", "two"]
hunt = "ascending"

[[groups]]
name = "first"
spans = ["one:1-5"]
overflow = "second"

[[groups]]
name = "second"
spans = ["two:1-5"]
""" + "".join(
    span(name, port, "a", node=node, hold_down_s=300, circuit_id=f'"C-{port}"')
    for name, port, node in (("one", 1, "cpe"), ("two", 2, "cpe"), ("far-one", 3, "network"), ("far-two", 4, "network"))
)


class Card:
    """The cables of a service's simulated card."""

    def __init__(self, service: Service) -> None:
        self._connection = Connection(service.run / "card.sock")

    def pull(self, port: str) -> None:
        self._connection.call("org.dahdipy.Card.Uncable", CardPortRequest(port=port), Empty)

    def join(self, a: str, b: str) -> None:
        self._connection.call("org.dahdipy.Card.Cable", CableRequest(a=a, b=b), Empty)

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def service(run_dir: Path) -> Iterator[Service]:
    started = Service(run_dir)
    yield started.start()
    started.end()


@pytest.fixture
def pairs(run_dir: Path) -> Iterator[Service]:
    started = Service(run_dir)
    started.daemon = DaemonProcess(run_dir, PAIRS)
    yield started.start()
    started.end()


@pytest.fixture
def card(request: pytest.FixtureRequest) -> Iterator[Card]:
    name = "pairs" if "pairs" in request.fixturenames else "service"
    opened = Card(request.getfixturevalue(name))
    yield opened
    opened.close()


def told(events: Listener, what: str, /, **fields: Any) -> Event:
    def found() -> Event | None:
        for event in list(events.events):
            if event.kind == what and all(event.data.get(name) == value for name, value in fields.items()):
                return event
        return None

    event = eventually(found, f"no {what} {fields} among {[(e.kind, e.data.get('text')) for e in events.events]}")
    assert event is not None
    return event


def command(service: Service, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dahdi_py.cli", "--socket", str(service.socket), *words],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_a_pulled_cable_is_an_alarm_at_both_ends_until_it_is_back(service: Service, card: Card) -> None:
    events = Listener(service.socket, kinds=["alarm.", "span."])
    with service.client() as client:
        before = {one.id for one in client.alarm_history(kind="span")}
        card.pull("1")
        for span in ("e1-user", "e1-network"):
            raised = told(events, "alarm.raised", kind="span", subject=span)
            assert "LOS" in raised.data["words"]
            assert raised.data["severity"] == "critical", "its group has nothing left"
        page = command(service, "alarms").stdout
        assert "CRITICAL  span e1-user" in page
        assert "group e1-user has 0 of 30 channels left" in page
        roots = [one for one in client.alarms() if not one.hidden_by]
        card.join("1", "2")
        for one in roots:
            told(events, "alarm.cleared", id=one.id)
        eventually(lambda: client.alarms() == [], f"{client.alarms()}")
        assert command(service, "alarms").stdout == "no alarms\n"
        told_of = {one.subject for one in client.alarm_history(kind="span") if one.id not in before}
        assert told_of == {"e1-user", "e1-network"}
    events.close()


def test_a_t1_alarm_ends_ten_seconds_after_its_line_is_good_and_calls_do_not_wait(service: Service, card: Card) -> None:
    events = Listener(service.socket, kinds=["alarm."], span="t1-user")
    with service.client() as client:
        card.pull("3")
        raised = told(events, "alarm.raised", kind="span")
        joined_ns = time.time_ns()
        card.join("3", "4")
        clearing = told(events, "alarm.changed", id=raised.data["id"], state="clearing")
        assert clearing.data["severity"] == "warning"
        eventually(lambda: client.span("t1-user").state == "ok")
        assert client.span("t1-user").usable == 23
        assert "clearing" in command(service, "alarms").stdout
        cleared = told(events, "alarm.cleared", id=raised.data["id"])
        # Events come a moment after the instant from which the ten seconds count, and the cable before it.
        assert cleared.data["cleared_ns"] - joined_ns > 9.99 * 10**9
    events.close()


def test_what_is_acknowledged_stays_so_over_a_restart_and_is_told_to_whoever_watches(
    service: Service, card: Card
) -> None:
    watching = subprocess.Popen(
        [sys.executable, "-m", "dahdi_py.cli", "--socket", str(service.socket), "alarms", "watch", "--json"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    events = Listener(service.socket, kinds=["alarm."])
    try:
        card.pull("1")
        raised = told(events, "alarm.raised", kind="span", subject="e1-user").data["id"]
        assert watching.stdout is not None
        lines = (json.loads(line) for line in watching.stdout)
        seen = next(line for line in lines if line["subject"] == "e1-user" and line["kind"] == "span")
        assert (seen["id"], seen["what"]) in [(raised, "raised"), (raised, "stands")]
        done = command(service, "alarms", "ack", str(raised), "--note", "ticket 4711")
        assert (done.returncode, done.stdout) == (0, "")
        assert next(line for line in lines if line["acknowledged"])["note"] == "ticket 4711"
        assert command(service, "alarms", "ack", "999999").returncode == 3
    finally:
        watching.kill()
        watching.wait()
        assert watching.stdout is not None
        watching.stdout.close()
        events.close()
    service.daemon.stop()
    service.daemon.start()
    page = command(service, "alarms").stdout
    assert f"[{raised}]" in page
    assert "ticket 4711" in page
    assert f"{raised} " in command(service, "alarms", "history", "--span", "1").stdout
    card.join("1", "2")
    with service.client() as client:
        eventually(lambda: client.alarms() == [], f"{client.alarms()}")


def places(client: Client, group: str, number: str = "2001") -> str:
    placed = client.place(number, group=group)
    with suppress(NotFound):  # No core serves the far end, which may have refused it by now.
        client.hangup(placed.call)
    return placed.span


def test_a_span_that_flaps_is_the_last_choice_and_refuses_nothing(pairs: Service, card: Card) -> None:
    events = Listener(pairs.socket, kinds=["alarm.", "call.offered"])
    with pairs.client() as client:
        assert places(client, "both") == places(client, "first") == "one"
        for _ in range(3):
            card.pull("1")
            eventually(lambda: client.span("one").usable == 0)
            card.join("1", "3")
            eventually(lambda: client.span("one").usable == 30, f"{client.span('one')}")
        # A D-channel that is established anew on the way is a return of its own.
        eventually(lambda: client.span("one").returns >= 3)
        assert told(events, "alarm.raised", kind="flapping", subject="one").data["circuit"] == "C-1"
        assert "(one) came and went" in command(pairs, "spans").stdout
        # Others first, also those of the group that it overflows to.
        assert places(client, "both") == places(client, "first") == "two"
        # An emergency call does not care.
        assert places(client, "both", "112") == places(client, "first", "112") == "one"
        # When nothing else is left it is taken all the same.
        eventually(lambda: len(client_slots(client, "two")) == 30)
        others = [client.allocate(span="two", timeslot=slot, open=False) for slot in client_slots(client, "two")]
        assert places(client, "both") == "one"
        for lease in others:
            client.release(lease.token)
        # It takes what comes in: a call from its far end arrives.
        coming = client.place("3001", span="far-one")
        assert coming.span == "far-one"
        events.wait("call.offered", span="one")
        assert "last choice" in command(pairs, "spans", "up", "one").stdout
        assert "is not held down" in command(pairs, "spans", "up", "one", "--now").stdout
        told(events, "alarm.cleared", kind="flapping", subject="one")
        assert places(client, "both") == places(client, "first") == "one"
    events.close()


def client_slots(client: Client, span: str) -> list[int]:
    return [one.timeslot for one in client.channels(span) if one.usage == "idle"]


def test_a_thousand_flaps_leave_no_alarm_and_no_channel_behind(pairs: Service, card: Card) -> None:
    with pairs.client() as client, pairs.client() as callee:
        steady, *_ = place_and_answer(client, callee, "two")
        for _ in range(1000):
            card.pull("1")
            card.join("1", "3")
        eventually(
            lambda: all(span.state == "ok" for span in client.spans()), f"{[span.state for span in client.spans()]}"
        )
        eventually(lambda: {one.kind for one in client.alarms()} <= {"flapping"}, f"{client.alarms()}")
        one = client.span("one")
        assert (one.usable, one.used) == (30, 0)
        assert one.held_until_ns <= time.time_ns() + 900 * 10**9
        assert steady in [call.call for call in client.calls()], "nothing was done to another span"
        client.hangup(steady)
        client.lift_hold_down("one")
        client.lift_hold_down("far-one")
        eventually(lambda: client.alarms() == [], f"{client.alarms()}")
        # The disk has it a moment after the list.
        eventually(lambda: {alarm.state for alarm in client.alarm_history(limit=1000)} == {"cleared"})
        assert places(client, "both") == "one"
