# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts that die with a request under way, or sleep: the next one is asked."""

from __future__ import annotations

import pytest

from dahdi_py.errors import HostUnavailable
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import alarms, hosts
from dahdi_py.wire.messages.calls import PlaceReply
from tests.daemon.pair import Pair, attempt, full, meanwhile, record
from tests.daemon.process import eventually


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
