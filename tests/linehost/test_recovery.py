# SPDX-License-Identifier: GPL-2.0-or-later
"""What dies comes back: the card, the line host, the far end's host."""

import os

import pytest

from dahdi_py.errors import OutOfService, StaleToken
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
    assert far.ended(other)["reason"] == "the far end restarted the channel"
    wait_for(lambda: again.channel("a", placed.timeslot).phase == "")
    with pytest.raises(StaleToken):
        again.release(bare.token)
    again.up("a")
    again.place("c2", "a")
    far.claim(far.wait("call.offered", count=2).call)
    again.wait("call.proceeding", call="c2")


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
