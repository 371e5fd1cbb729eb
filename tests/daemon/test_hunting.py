# SPDX-License-Identifier: GPL-2.0-or-later
"""A call that goes from host to host: one has no channel after all, another has."""

from __future__ import annotations

from collections.abc import Callable

from dahdi_py.errors import NotFound
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import host as wire
from tests.daemon.pair import Pair, attempt, full, meanwhile, record, unplaced
from tests.daemon.process import Listener, eventually

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


def test_a_call_that_one_host_gives_up_is_placed_on_the_next_unseen(pair: Pair) -> None:
    everything = Listener(pair.daemon.socket)
    placed = pair.core.place(group="both", answer_timeout_s=100)
    asked = pair.first.asked("Place")
    assert (asked.elsewhere, asked.attempt) == (True, 1)
    attempt(pair.first, placed.call)
    left = attempt(pair.first, placed.call, 2)
    unplaced(pair.first, placed.call, 2)
    asked = pair.second.asked("Place")
    assert (asked.call, asked.elsewhere, asked.attempt) == (placed.call, True, 3)
    assert 0 < asked.answer_timeout_s <= 100
    token = attempt(pair.second, placed.call, 3)
    pair.events.wait("call.attempt", call=placed.call, host="a")
    (up,) = pair.core.calls()
    assert (up.span, up.token, up.phase) == ("east", token, "setup")
    assert [one.span for one in pair.core.channels() if one.usage == "busy"] == ["east"]
    eventually(lambda: any(left in one.state.ended_leases for one in list(everything.events) if one.state))
    everything.close()
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
