# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls that go from host to host: one that dies, one that sleeps, one that has no channel after all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from dahdi_py.errors import HostUnavailable, NoChannel, NotFound
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import alarms, hosts
from dahdi_py.wire.messages import host as wire
from dahdi_py.wire.messages.calls import CallRecord, PlaceReply
from dahdi_py.wire.messages.common import Bearer, Message, Party
from tests.daemon.conftest import StartDaemon, StartHost
from tests.daemon.process import Listener, eventually
from tests.daemon.scripted_host import ScriptedHost

OVERFLOW = """
[[groups]]
name = "small"
spans = ["east"]
overflow = "other"

[[groups]]
name = "other"
spans = ["west"]
max_channels = 1
calls_per_minute = 60
"""


class Pair:
    """A daemon with hosts b and a, of which the group asks b first: the user's side hunts from the end; and a core."""

    def __init__(self, start_daemon: StartDaemon, start_host: StartHost, **sections: str) -> None:
        self.start_host = start_host
        self.first, self.second = start_host("b", "west"), start_host("a", "east")
        self.daemon = start_daemon(**sections)
        self.first.asked("Ready")
        self.second.asked("Ready")
        self.core = self.daemon.client()
        self.events = Listener(self.daemon.socket, kinds=["call."])

    def close(self) -> None:
        self.core.close()
        self.events.close()

    def history(self, call: str) -> CallRecord:
        (row,) = self.core.history(call=call)
        return row

    def ended(self, call: str) -> list[str]:
        """How often the call's end was told so far: the reasons."""
        return [
            event.data["reason"] for event in self.events.events if (event.kind, event.call) == ("call.ended", call)
        ]

    def taken_in(self, host: ScriptedHost) -> None:
        """All that the host told is on disk, and so is the daemon's answer to it."""
        eventually(lambda: host.committed == host.n)


@pytest.fixture
def start_pair(start_daemon: StartDaemon, start_host: StartHost) -> Any:
    started: list[Pair] = []

    def start(**sections: str) -> Pair:
        started.append(Pair(start_daemon, start_host, **sections))
        return started[-1]

    yield start
    for pair in started:
        pair.close()


@pytest.fixture
def pair(start_pair: Callable[..., Pair]) -> Pair:
    return start_pair()


def meanwhile(ask: Callable[[], Any]) -> Callable[[], Any]:
    """The request is under way; what comes of it, when it is asked for."""
    got: list[Any] = []

    def do() -> None:
        try:
            got.append(ask())
        except Exception as error:
            got.append(error)

    thread = threading.Thread(target=do, daemon=True)
    thread.start()

    def result() -> Any:
        thread.join(60)
        assert got, "no answer came"
        if isinstance(got[0], Exception):
            raise got[0]
        return got[0]

    return result


def attempt(host: ScriptedHost, call: str, number: int = 1, timeslot: int = 1) -> str:
    """The host sends SETUP; its token."""
    token = f"{host.name}/{host.start}/{100 + number}"
    said = wire.Attempted(attempt=number, called=Party(number="2001"), calling=Party(), bearer=Bearer())
    host.say("call.attempt", said, span=host.spans[0], timeslot=timeslot, call=call, token=token)
    return token


def record(host: ScriptedHost, number: int, cause: int = 34, **changed: Any) -> wire.Ended:
    setup = Message(name="SETUP", sent=True, utc_ns=number, monotonic_ns=number, cause=0, location="")
    fields: dict[str, Any] = {
        "direction": "outgoing", "called": Party(number="2001"), "calling": Party(), "bearer": Bearer(),
        "span": host.spans[0], "timeslot": 1, "attempt": number, "cause": cause, "location": "user",
        "cleared_by": "peer", "reason": "", "started_ns": 1, "alerting_ns": 0, "answered_ns": 0, "ended_ns": 2,
        "duration_ns": 0, "messages": [setup],
    }  # fmt: skip
    return wire.Ended(**{**fields, **changed})


def unplaced(host: ScriptedHost, call: str, number: int, cause: int = 34, **changed: Any) -> None:
    host.say("call.unplaced", record(host, number, cause, **changed), span=host.spans[0], timeslot=1, call=call)


def full(parameters: object) -> Any:
    raise NoChannel("every channel is busy", cause=34)


# A host that dies.


def test_a_host_that_dies_with_a_request_under_way_leaves_it_to_the_next(pair: Pair) -> None:
    pair.first.held = {"Place": [], "Reserve": []}
    placing = meanwhile(lambda: pair.core.place(group="both"))
    call = pair.first.asked("Place").call
    attempt(pair.first, call)
    with pair.daemon.client() as other:
        allocating = meanwhile(lambda: other.allocate(group="both"))
        pair.first.asked("Reserve")
        pair.events.wait("call.attempt", call=call)
        pair.first.close()
        placed: PlaceReply = placing()
        assert (placed.call, placed.span) == (call, "east")
        assert allocating().span == "east"
    asked = pair.second.asked("Place")
    assert (asked.call, asked.attempt) == (call, 2)
    attempt(pair.second, call, 2)
    eventually(lambda: pair.history(call).attempts == 2)
    again = pair.start_host("b", "west", start=2)
    again.end(call, "west", direction="outgoing", cause=41)
    pair.taken_in(again)
    assert [(one.call, one.span) for one in pair.core.calls()] == [(call, "east")]
    assert pair.ended(call) == []
    assert pair.history(call).state == "open"
    pair.second.say("call.ended", record(pair.second, 2, 16), span="east", timeslot=1, call=call)
    pair.events.wait("call.ended", call=call)
    assert (pair.history(call).cleared_by, pair.history(call).span) == ("peer", "east")
    pair.daemon.kill()
    pair.daemon.start()
    with pair.daemon.client() as client:
        (row,) = client.history(call=call)
        assert row.cleared_by == "peer"


def test_a_call_that_no_host_is_left_for_fails_by_the_name_of_what_it_is(pair: Pair) -> None:
    pair.first.held = {"Place": []}
    pair.second.answers["Place"] = full
    placing = meanwhile(lambda: pair.core.place(group="both"))
    call = pair.first.asked("Place").call
    pair.first.close()
    with pytest.raises(HostUnavailable, match="line host b is gone"):
        placing()
    again = pair.start_host("b", "west", start=2)
    again.end(call, "west", direction="outgoing", cause=41)
    pair.events.wait("call.ended", call=call)
    assert pair.core.calls() == []


# A host that has no channel after all.


def test_a_call_that_one_host_gives_up_is_placed_on_the_next_unseen(pair: Pair) -> None:
    placed = pair.core.place(group="both", answer_timeout_s=100)
    asked = pair.first.asked("Place")
    assert (asked.elsewhere, asked.attempt) == (True, 1)
    attempt(pair.first, placed.call)
    attempt(pair.first, placed.call, 2)
    unplaced(pair.first, placed.call, 2)
    asked = pair.second.asked("Place")
    assert (asked.call, asked.elsewhere, asked.attempt) == (placed.call, True, 3)
    assert 0 < asked.answer_timeout_s <= 100
    token = attempt(pair.second, placed.call, 3)
    pair.events.wait("call.attempt", call=placed.call, host="a")
    (up,) = pair.core.calls()
    assert (up.span, up.token, up.phase) == ("east", token, "setup")
    assert [one.span for one in pair.core.channels() if one.usage == "busy"] == ["east"]
    pair.second.say("call.answered", wire.Progressed(), span="east", timeslot=1, call=placed.call, token=token)
    pair.second.say("call.ended", record(pair.second, 3, 16), span="east", timeslot=1, call=placed.call)
    pair.events.wait("call.ended", call=placed.call)
    kinds = [event.kind for event in pair.events.events if event.call == placed.call]
    assert sorted(kinds) == sorted(["call.placed", *["call.attempt"] * 3, "call.answered", "call.ended"])
    row = pair.history(placed.call)
    assert (row.state, row.host, row.span, row.attempts) == ("closed", "a", "east", 3)
    assert [one.name for one in row.messages] == ["SETUP", "SETUP"]
    assert row.cause is not None
    assert row.cause.value == 16


def test_a_host_whose_far_end_had_no_circuit_is_asked_again_when_no_other_is_left(pair: Pair) -> None:
    placed = pair.core.place(group="both")
    assert not pair.first.asked("Place").thorough
    attempt(pair.first, placed.call)
    pair.second.answers["Place"] = full
    unplaced(pair.first, placed.call, 1, 34)
    assert pair.second.asked("Place").elsewhere
    asked = pair.first.asked("Place")
    assert (asked.attempt, asked.thorough, asked.elsewhere) == (2, True, False)
    attempt(pair.first, placed.call, 2)
    pair.events.wait("call.attempt", call=placed.call, token="b/1/102")
    assert pair.core.calls()[0].attempt == 2


def test_a_row_follows_its_call_to_another_host(pair: Pair) -> None:
    placed = pair.core.place(group="both")
    attempt(pair.first, placed.call)
    unplaced(pair.first, placed.call, 1)
    pair.second.asked("Place")
    attempt(pair.second, placed.call, 2)
    pair.events.wait("call.attempt", call=placed.call, host="a")
    pair.first.close()
    again = pair.start_host("b", "west", start=2)
    again.say("dchannel.up", span="west")
    pair.taken_in(again)
    assert pair.history(placed.call).state == "open"
    assert pair.ended(placed.call) == []
    pair.second.close()
    pair.start_host("a", "east", start=2)
    assert pair.events.wait("call.ended", call=placed.call).data["reason"] == "line host died"


def test_a_call_that_no_host_places_ends_once_with_the_last_cause(pair: Pair) -> None:
    pair.second.answers["Place"] = full
    placed = pair.core.place(group="both")
    attempt(pair.first, placed.call)
    unplaced(pair.first, placed.call, 1, 44)
    ended = pair.events.wait("call.ended", call=placed.call)
    assert (ended.data["cause"], ended.data["cleared_by"], ended.span) == (44, "peer", "west")
    pair.taken_in(pair.first)
    assert len(pair.ended(placed.call)) == 1
    assert pair.core.calls() == []
    row = pair.history(placed.call)
    assert (row.state, row.cleared_by, row.attempts, len(row.messages)) == ("closed", "peer", 1, 1)
    eventually(lambda: all(one.usage == "idle" for one in pair.core.channels()))


def test_a_call_on_a_lease_goes_nowhere_else(pair: Pair) -> None:
    lease = pair.core.allocate(group="both")
    placed = pair.core.place(token=lease.token)
    assert not pair.first.asked("Place").elsewhere
    attempt(pair.first, placed.call)
    pair.first.say("call.ended", record(pair.first, 1, 44), span="west", timeslot=1, call=placed.call)
    pair.events.wait("call.ended", call=placed.call)
    assert pair.second.nothing_asked("Place")


def test_who_answers_first_keeps_the_call(pair: Pair) -> None:
    placed = pair.core.place(group="both")
    token = attempt(pair.first, placed.call)
    pair.first.say("call.proceeding", wire.Progressed(), span="west", timeslot=1, call=placed.call, token=token)
    unplaced(pair.first, placed.call, 1)
    assert pair.events.wait("call.ended", call=placed.call).data["cause"] == 34
    assert pair.second.nothing_asked("Place")


def test_a_call_hung_up_between_two_hosts_ends(pair: Pair) -> None:
    def gone(asked: wire.HangupRequest) -> Empty:
        raise NotFound(f"no such call: {asked.call}", kind="call", name=asked.call)

    placed = pair.core.place(group="both")
    attempt(pair.first, placed.call)
    pair.second.held, pair.second.answers["Hangup"] = {"Place": []}, gone
    unplaced(pair.first, placed.call, 1, 44)
    pair.second.asked("Place")
    hanging_up = meanwhile(lambda: pair.core.hangup(placed.call, cause=17))
    pair.second.asked("Hangup")
    pair.second.answers["Place"] = full
    pair.second.let_go("Place")
    hanging_up()
    ended = pair.events.wait("call.ended", call=placed.call)
    assert (ended.data["cause"], ended.data["cleared_by"]) == (17, "core")
    assert pair.core.calls() == []


def test_a_call_whose_core_dies_between_two_hosts_ends(pair: Pair) -> None:
    core = pair.daemon.client()
    placed = core.place(group="both")
    attempt(pair.first, placed.call)
    pair.second.held = {"Place": []}
    unplaced(pair.first, placed.call, 1)
    pair.second.asked("Place")
    core.close()
    assert pair.second.asked("Hangup").cleared_by == "client_death"
    pair.second.answers["Place"] = full
    pair.second.let_go("Place")
    pair.events.wait("call.ended", call=placed.call)
    assert pair.core.calls() == []


def test_what_a_host_gives_up_when_nobody_hunts_has_ended(pair: Pair) -> None:
    placed = pair.core.place(group="both", detach_s=60)
    attempt(pair.first, placed.call)
    pair.taken_in(pair.first)
    pair.daemon.kill()
    unplaced(pair.first, placed.call, 1)
    pair.daemon.start()
    with pair.daemon.client() as client:
        eventually(lambda: client.history(call=placed.call)[0].state == "closed")
        row = client.history(call=placed.call)[0]
        assert (row.cleared_by, row.cause and row.cause.value) == ("peer", 34)


def test_a_call_counts_once_over_its_hosts_and_an_overflow_group_by_its_own_limits(
    start_pair: Callable[..., Pair],
) -> None:
    pair = start_pair(more=OVERFLOW)
    a, b = pair.second, pair.first  # the group's own span is east
    placed = pair.core.place(group="small")
    attempt(a, placed.call)
    unplaced(a, placed.call, 1)
    assert b.asked("Place").group == "other"
    attempt(b, placed.call, 2)
    pair.events.wait("call.attempt", call=placed.call, host="b")
    second = pair.core.place(group="small")
    attempt(a, second.call)
    unplaced(a, second.call, 1, 44)
    assert pair.events.wait("call.ended", call=second.call).data["cause"] == 44
    assert [one.call for one in pair.core.calls()] == [placed.call]


def test_a_lesser_call_makes_way_only_after_every_host_gave_up(start_pair: Callable[..., Pair]) -> None:
    pair = start_pair(calls='emergency = ["112"]\npreemption = true')
    placed = pair.core.place("112", group="both")
    assert pair.first.asked("Place").elsewhere
    attempt(pair.first, placed.call)
    unplaced(pair.first, placed.call, 1, 44, emergency=True)
    asked = pair.second.asked("Place")
    assert (asked.preempt, asked.elsewhere) == (False, True)
    attempt(pair.second, placed.call, 2)
    unplaced(pair.second, placed.call, 2, 44, emergency=True)
    eventually(lambda: not pair.first.nothing_asked("Place") or not pair.second.nothing_asked("Place"))
    first = pair.first if not pair.first.nothing_asked("Place") else pair.second
    asked = first.asked("Place")
    assert (asked.preempt, asked.attempt, asked.emergency) == (True, 3, True)


# A host that sleeps.


def test_a_host_that_does_not_answer_is_passed_over_and_what_it_does_late_is_undone(pair: Pair) -> None:
    pair.first.held = {"Place": []}
    placed = pair.core.place(group="both")
    assert (placed.span, pair.second.asked("Place").call) == ("east", placed.call)
    assert pair.first.asked("Hangup").call == placed.call
    # Nobody waits for it a second time.
    assert pair.core.allocate(group="both").span == "east"
    assert pair.first.nothing_asked("Reserve")
    with pytest.raises(HostUnavailable, match="line host b does not answer"):
        pair.core.allocate(span="west")
    attempt(pair.second, placed.call)
    attempt(pair.first, placed.call)
    pair.first.let_go("Place")
    pair.first.say("call.ended", record(pair.first, 1, 16), span="west", timeslot=1, call=placed.call)
    pair.taken_in(pair.first)
    assert [(one.call, one.span) for one in pair.core.calls()] == [(placed.call, "east")]
    assert pair.ended(placed.call) == []
    assert {event.host for event in pair.events.events if event.kind == "call.attempt"} == {"a"}
    eventually(lambda: pair.core.allocate(group="both").span == "west")


def test_a_call_that_the_host_has_told_of_is_placed_however_late_its_answer(pair: Pair) -> None:
    """Answers keep their order: this one may wait for a card that opens a channel for somebody else."""
    pair.first.held = {"Place": []}
    placing = meanwhile(lambda: pair.core.place(group="both"))
    call = pair.first.asked("Place").call
    token = attempt(pair.first, call)
    placed: PlaceReply = placing()
    assert (placed.call, placed.token, placed.span) == (call, token, "west")
    pair.first.let_go("Place")
    assert pair.second.nothing_asked("Place")
    assert pair.first.nothing_asked("Hangup")
    assert [one.call for one in pair.core.calls()] == [call]


def test_a_lease_that_comes_too_late_is_given_back(pair: Pair) -> None:
    pair.first.held = {"Reserve": []}
    assert pair.core.allocate(group="both", open=True).span == "east"
    pair.first.let_go("Reserve")
    assert pair.first.asked("Release").token.startswith("b/1/")
    pair.first.held = {"Reserve": []}
    with pytest.raises(HostUnavailable, match="does not answer"):
        pair.core.allocate(span="west")
    pair.first.let_go("Reserve")
    pair.first.asked("Release")
    assert [one.span for one in pair.core.channels() if one.usage == "busy"] == ["east"]


def test_a_host_that_does_not_answer_for_long_is_an_alarm_while_it_lasts(pair: Pair) -> None:
    def listed() -> list[alarms.Alarm]:
        found = pair.core.call("org.dahdipy.Alarms.List", Empty(), alarms.AlarmList).alarms
        return [alarm for alarm in found if (alarm.kind, alarm.subject) == ("host", "b")]

    def problem() -> str:
        found = pair.core.call("org.dahdipy.Hosts.List", Empty(), hosts.HostList).hosts
        return next(one.problem for one in found if one.name == "b")

    assert listed() == []
    pair.first.held = {"Commit": []}
    (alarm,) = eventually(listed)
    # Half of the group is left.
    assert (alarm.words, alarm.severity, problem()) == (["SILENT"], "minor", "does not answer")
    assert "west" in alarm.text
    pair.first.let_go("Commit")
    eventually(lambda: not listed())
    assert problem() == ""
