# SPDX-License-Identifier: GPL-2.0-or-later
"""What dies comes back: the card, the line host, the far end's host."""

import os

import pytest

from dahdi_py.errors import OutOfService, StaleToken
from dahdi_py.ffi import libpri_events as ev
from tests.linehost.farend import linked
from tests.linehost.rig import Rig, pair, span, wait_for


def test_a_card_that_dies_ends_its_calls_and_comes_back_by_itself(rig: Rig) -> None:
    rig.configure(pair())
    card = rig.card()
    rig.host()
    host = rig.control()
    host.up("a", "b")
    other = host.active("c1")
    lease, fds = host.reserve_fds("a")
    card.kill()
    for call in ("c1", other):
        ended = host.ended(call)
        assert (ended["cause"], ended["cleared_by"]) == (27, "line")
        assert [m["name"] for m in ended["messages"]][:2] == ["SETUP", "CALL PROCEEDING"]
    assert host.wait("lease.ended").token == lease.token
    assert {tuple(s.words) for s in host.snapshot().spans} == {("ABSENT",)}
    with pytest.raises(OutOfService, match="span_alarm"):
        host.reserve("a")
    os.close(fds[0])
    rig.card()
    host.up("a", "b")
    host.active("c2")


def test_a_host_that_dies_accounts_for_its_calls_and_restarts_their_channels(rig: Rig) -> None:
    rig.configure(span("a", 1, "ha", node="cpe") + span("b", 2, "hb", node="network"))
    rig.card()
    doomed = rig.host("ha")
    rig.host("hb")
    near, far = rig.control("ha"), rig.control("hb")
    near.up("a")
    far.up("b")
    placed = near.place("c1", "a", number="2001")
    other = far.wait("call.offered").call
    far.claim(other)
    far.answer(other)
    near.wait("call.answered", call="c1")
    bare = near.reserve("a", open=False)
    doomed.kill()
    rig.host("ha")
    again = rig.control("ha", epoch=2)
    assert again.start == near.start + 1
    ended = again.ended("c1")
    assert (ended["cleared_by"], ended["reason"]) == ("host", "line host died")
    assert (ended["called"]["number"], ended["span"], ended["timeslot"]) == ("2001", "a", placed.timeslot)
    # By RESTART, or by the answer to its own STATUS when that is faster: the new libpri knows no such call.
    ended = far.ended(other)
    assert (ended["cleared_by"], ended["cause"]) in (("peer", 41), ("peer", 101))
    wait_for(lambda: again.channel("a", placed.timeslot).phase == "")
    with pytest.raises(StaleToken):
        again.release(bare.token)
    again.up("a")
    again.place("c2", "a")
    far.claim(far.wait("call.offered", count=2).call)
    again.wait("call.proceeding", call="c2")


def test_exactly_the_journalled_channels_are_restarted_where_the_calls_were(rig: Rig) -> None:
    """One at a time: the next RESTART goes out when the last is acknowledged."""
    far, doomed, host = linked(rig)
    stayed, moved, over = (host.place(call, "a").timeslot for call in ("stays", "moves", "over"))
    rings = {far.wait(ev.Ring, n).channel: far.wait(ev.Ring, n).handle for n in (1, 2, 3)}
    far.pump.answer(rings[stayed], stayed)
    far.pump.proceeding(rings[moved], 5)
    far.pump.answer(rings[moved], 5)
    far.pump.hangup(rings[over], 17)
    far.until(lambda: host.find("call.ended", call="over"))
    for call in ("stays", "moves"):
        host.wait("call.answered", call=call)
    host.ended("over")
    bare = host.reserve("a", open=False)
    doomed.kill()
    rig.host()
    again = rig.control(epoch=2)
    seen = {far.wait(ev.Restart).channel, far.wait(ev.Restart, 2).channel}
    assert seen == {stayed, 5}
    assert not {moved, over, bare.timeslot} & seen
    far.run(0.3)
    assert len([event for event in far.events if isinstance(event, ev.Restart)]) == 2
    for timeslot in (stayed, 5):
        assert wait_for(lambda t=timeslot: again.channel("a", t).phase == "")  # type: ignore[misc]
    assert {again.ended(call)["timeslot"] for call in ("stays", "moves")} == {stayed, 5}
    far.close()


def test_a_channel_in_doubt_is_restarted_though_the_host_dies_again_before_it_is_cleared(rig: Rig) -> None:
    far, doomed, host = linked(rig)
    placed = host.place("c1", "a").timeslot
    far.pump.answer(far.wait(ev.Ring).handle, placed)
    far.run(0.2)
    host.wait("call.answered", call="c1")
    doomed.kill()
    # Its far end says nothing meanwhile: no RESTART goes out.
    again = rig.host()
    rig.control(epoch=2).ended("c1")
    again.kill()
    cleared = rig.host()
    third = rig.control(epoch=3)
    assert far.wait(ev.Restart).channel == placed
    far.run(0.3)
    wait_for(lambda: third.channel("a", placed).phase == "")
    assert third.find("call.ended", call="c1")
    # Cleared is cleared.
    cleared.kill()
    rig.host()
    fourth = rig.control(epoch=4)
    assert {channel.phase for channel in fourth.snapshot().channels} == {""}
    far.close()


def test_a_span_that_came_back_is_held_down_for_a_while_but_not_for_emergencies(rig: Rig) -> None:
    timers = "{ T203 = 2000, T200 = 500 }"
    rig.configure(
        span("a", 1, "ha", node="cpe", timers=timers, hold_down_s=600) + span("b", 2, "hb", node="network")
        + span("c", 3, "ha", node="cpe") + span("d", 4, "hc", node="network"), ports="E1,E1,E1,E1",
    )  # fmt: skip
    rig.card()
    for name in ("ha", "hb", "hc"):
        rig.host(name)
    near = rig.control("ha")
    near.up("a", "c")
    assert near.place("fresh", "a", "c", order="ascending").span == "a"  # the first time up is no return
    rig.processes[2].kill()
    near.wait("dchannel.down", span="a")
    rig.host("hb")
    near.wait("dchannel.up", count=3)
    near.up("a")
    assert near.place("c1", "a", "c", order="ascending").span == "c"
    assert near.place("e1", "a", "c", order="ascending", emergency=True).span == "a"
    assert near.place("c2", "a").span == "a"  # there is no other


def test_a_far_host_that_is_stopped_brings_the_dchannel_down_and_up(rig: Rig) -> None:
    timers = "{ T203 = 2000, T200 = 500 }"
    rig.configure(span("a", 1, "ha", node="cpe", timers=timers) + span("b", 2, "hb", node="network"))
    rig.card()
    rig.host("ha")
    far_process = rig.host("hb")
    near = rig.control("ha")
    near.up("a")
    far_process.kill()
    near.wait("dchannel.down", span="a")
    assert {channel.disabled for channel in near.snapshot().channels} == {"dchannel_down"}
    with pytest.raises(OutOfService, match="dchannel_down"):
        near.place("c1", "a")
    rig.host("hb")
    near.up("a")


def test_a_host_that_died_tells_which_calls_were_emergencies_and_which_were_answered(rig: Rig) -> None:
    far, doomed, host = linked(rig)
    talking = host.place("talking", "a", number="112", emergency=True).timeslot
    host.place("ringing", "a", number="112", emergency=True)
    host.place("plain", "a")
    ring = far.wait(ev.Ring)
    assert ring.channel == talking
    far.pump.answer(ring.handle, talking)
    far.run(0.2)
    host.wait("call.answered", call="talking")
    doomed.kill()
    rig.host()
    again = rig.control(epoch=2)
    ends = {call: again.ended(call) for call in ("talking", "ringing", "plain")}
    assert {call: end.get("emergency", False) for call, end in ends.items()} == {
        "talking": True, "ringing": True, "plain": False
    }  # fmt: skip
    assert {call for call, end in ends.items() if end["answered_ns"]} == {"talking"}
    far.close()
