# SPDX-License-Identifier: GPL-2.0-or-later
"""Channels locked, drained and unlocked: what goes on, what the far end sees, and emergency calls that pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from dahdi_py.core.terms import Disabled
from dahdi_py.errors import ChannelBusy, NoChannel, OutOfService
from dahdi_py.ffi import libpri_events as ev
from dahdi_py.wire.messages import host as m
from dahdi_py.wire.refusals import InvalidParameter
from tests.linehost.farend import linked
from tests.linehost.rig import Controller, Rig, pair, wait_for
from tests.linehost.virtual import Service


@pytest.fixture
def host(rig: Rig) -> Controller:
    """A host with two cabled E1 spans, up: `a` the user side, `b` the network side."""
    rig.configure(pair())
    rig.card()
    rig.host()
    controller = rig.control()
    controller.up("a", "b")
    return controller


def administer(host: Controller, name: str, state: str, *timeslots: int, force: bool = False) -> m.AdministerReply:
    mask = sum(1 << timeslot for timeslot in timeslots)
    request = m.AdministerRequest(
        span=name, state=state, timeslots=mask, who="uid 0", why="cable work", since_ns=5, force=force
    )
    return host.call("Administer", request, m.AdministerReply)


def test_a_locked_channel_is_given_to_nobody_and_says_why(host: Controller) -> None:
    assert administer(host, "b", "locked", 1, 2).far_end == "alternate"
    assert host.reserve("b", open=False).timeslot == 3
    with pytest.raises(OutOfService, match="locked"):
        host.reserve("b", timeslot=1)
    state = host.channel("b", 1)
    assert (state.administrative, state.who, state.why, state.since_ns) == ("locked", "uid 0", "cable work", 5)
    administer(host, "b", "unlocked", 1)
    assert host.reserve("b", open=False).timeslot == 1
    assert host.channel("b", 1).who == ""
    with pytest.raises(InvalidParameter, match="shutting_down"):
        administer(host, "b", "asleep")
    with pytest.raises(InvalidParameter, match="B-channels"):
        administer(host, "b", "locked", 16)


def test_a_busy_channel_is_locked_only_by_force(host: Controller) -> None:
    call = host.active("c1", "a")
    taken = host.snapshot().calls[0].timeslot
    with pytest.raises(ChannelBusy, match=f"timeslots {taken} are busy"):
        administer(host, "a", "locked")
    assert administer(host, "a", "locked", force=True).busy == 1
    ended = host.ended("c1")
    assert (ended["cause"], ended["cleared_by"]) == (41, "operator")
    assert "cable work" in ended["reason"]
    host.ended(call)
    wait_for(lambda: host.channel("a", taken).phase == "")
    with pytest.raises(NoChannel):
        host.place("c2", "a")


def test_a_drained_channel_is_locked_when_it_is_empty(host: Controller) -> None:
    lease = host.reserve("a", timeslot=5, open=False)
    assert administer(host, "a", "shutting_down", 5, 6).busy == 1
    assert host.channel("a", 6).administrative == "locked"
    assert host.channel("a", 5).administrative == "shutting_down"
    host.release(lease.token)
    host.wait("channel.state", span="a", timeslot=5, token="")
    wait_for(lambda: host.channel("a", 5).administrative == "locked")


def test_an_incoming_call_for_a_locked_channel_gets_another_or_none(rig: Rig) -> None:
    far, _, host = linked(rig)
    administer(host, "a", "locked", 5)
    far.setup(5, exclusive=False)
    far.run(0.2)
    offer = host.wait("call.offered")
    assert offer.timeslot not in (0, 5)
    host.claim(offer.call)
    refused = far.setup(5, exclusive=True)
    assert far.ended(refused).cause == 44
    host.hangup(offer.call)
    far.pump.hangup(far.wait(ev.HangupRequest).handle)
    far.until(lambda: host.find("call.ended", call=offer.call))
    administer(host, "a", "locked", force=True)
    none_left = far.setup(7, exclusive=False)
    assert far.ended(none_left).cause == 34
    far.close()


def test_ni2_tells_the_far_end_by_service_and_again_after_a_bounce(rig: Rig) -> None:
    rig.configure(pair(kind="T1"), ports="T1,T1")
    rig.card()
    rig.host()
    host = rig.control()
    host.up("a", "b")
    assert administer(host, "a", "locked", 3).far_end == "service"
    wait_for(lambda: host.channel("b", 3).disabled == "remote_oos")
    assert host.channel("a", 3).disabled == ""
    assert host.reserve("b", open=False, order="ascending").timeslot == 1
    assert [host.reserve("b", open=False, order="ascending").timeslot for _ in range(2)] == [2, 4]
    administer(host, "a", "unlocked", 3)
    wait_for(lambda: host.channel("b", 3).disabled == "")
    lease = host.reserve("a", timeslot=9, open=False)
    administer(host, "a", "shutting_down", 9)
    assert host.channel("b", 9).disabled == ""
    host.release(lease.token)
    wait_for(lambda: host.channel("b", 9).disabled == "remote_oos")


def test_an_emergency_call_passes_a_drain_and_stays_when_the_channel_is_locked(host: Controller) -> None:
    administer(host, "a", "shutting_down")
    with pytest.raises(NoChannel):
        host.place("c1", "a")
    placed = host.place("e1", "a", emergency=True)
    host.wait("call.attempt", call="e1")
    host.claim(host.offered())
    administer(host, "a", "locked", force=True)
    assert [call.call for call in host.snapshot().calls if call.direction == "outgoing"] == ["e1"]
    assert host.channel("a", placed.timeslot).administrative == "shutting_down"
    assert {call.emergency for call in host.snapshot().calls if call.call == "e1"} == {True}
    host.hangup("e1")
    assert host.ended("e1")["emergency"] is True
    wait_for(lambda: host.channel("a", placed.timeslot).administrative == "locked")


def place_and_claim(host: Controller, call: str, number: int) -> None:
    """The call is the `number`th that comes in at the far end, where somebody has it: it does not end by itself."""
    host.place(call, "a")
    host.claim(host.offered(number))


def test_digits_make_a_call_an_emergency_call(host: Controller) -> None:
    timeslot = host.place("e1", "a", number="1", sending_complete=False).timeslot
    host.claim(host.offered())
    for digit, emergency in (("1", False), ("2", True)):
        host.do("SendDigits", m.DigitsRequest(call="e1", digits=digit, emergency=emergency))
        up = next(call for call in host.snapshot().calls if call.call == "e1")
        assert up.emergency is emergency
    assert up.called.number == "112"
    administer(host, "a", "locked", timeslot, force=True)
    assert "e1" in [call.call for call in host.snapshot().calls]
    host.hangup("e1")
    ended = host.ended("e1")
    assert (ended["emergency"], ended["called"]["number"]) == (True, "112")


def test_an_emergency_call_clears_the_youngest_lesser_one_when_nothing_is_free(host: Controller) -> None:
    others = host.reserve("a", open=False, masks=[1 << 1])
    assert others.timeslot == 1
    host.active("old", "a")
    for n in range(28):
        place_and_claim(host, f"c{n}", n + 2)
    with pytest.raises(NoChannel):
        host.place("e1", "a", emergency=True)
    placed = host.place("e1", "a", emergency=True, preempt=True)
    assert placed.token == ""
    preempted = host.wait("call.preempted")
    assert (preempted.call, preempted.data["by"]) == ("c27", "e1")
    ended = host.ended("c27")
    assert (ended["cause"], ended["cleared_by"]) == (8, "host")
    attempt = host.wait("call.attempt", call="e1")
    assert (attempt.timeslot, attempt.token != "") == (placed.timeslot, True)
    host.claim(host.offered(30))
    # Another one takes the next; an emergency call is no victim, and the bare lease is none either.
    host.place("e2", "a", emergency=True, preempt=True)
    host.wait("call.attempt", call="e2")
    assert host.find("call.preempted")[1].call == "c26"


def test_a_call_that_waits_for_room_can_be_given_up(host: Controller) -> None:
    for n in range(30):
        place_and_claim(host, f"c{n}", n + 1)
    host.place("e1", "a", emergency=True, preempt=True)
    host.hangup("e1")
    assert host.ended("e1")["messages"] == []
    host.ended("c29")
    wait_for(lambda: len({call.call for call in host.snapshot().calls if call.direction == "outgoing"}) == 29)


def test_an_unlock_that_the_far_end_could_not_hear_is_told_when_the_link_is_back(run_dir: Path) -> None:
    service = Service(run_dir)
    host = service.host
    near, far = host.channels.lines["c"], host.channels.lines["d"]
    host.advance(3)
    service.ask("Administer", m.AdministerRequest(span="c", state="locked", who="me", why="work"))
    host.carry()
    assert {channel.blocked for channel in far.bchannels.values()} == {Disabled.REMOTE_OOS}
    host.take_away(near)
    service.ask("Administer", m.AdministerRequest(span="c", state="unlocked"))
    host.bring_back(near)
    host.advance(30)
    assert near.link_up
    assert {channel.blocked for channel in far.bchannels.values()} == {None}
    service.close()
