# SPDX-License-Identifier: GPL-2.0-or-later
"""Who gets a channel that two want: the host against a far end under the test's hand."""

import os
from collections.abc import Iterator

import pytest

from dahdi_py.core.terms import Node
from dahdi_py.errors import ChannelBusy, Glare, StaleToken
from dahdi_py.ffi import libpri_events as ev
from tests.linehost.farend import FarEnd
from tests.linehost.rig import Controller, Rig, span


class Line:
    """A host with one span, and its far end."""

    def __init__(self, rig: Rig, node: str, timers: str = "{}", symmetric: bool = False) -> None:
        rig.configure(span("a", 1, node=node, timers=timers, symmetric=str(symmetric).lower()))
        rig.card()
        self.far = FarEnd(rig.run, 2, Node.NETWORK if node == "cpe" else Node.CPE)
        rig.host()
        self.host: Controller = rig.control()
        self.far.wait(ev.DChannelUp)
        self.host.up("a", live=lambda: self.far.run(0.05))


@pytest.fixture
def user(rig: Rig) -> Iterator[Line]:
    """The host is the user side."""
    line = Line(rig, "cpe")
    yield line
    line.far.close()


@pytest.fixture
def network(rig: Rig) -> Iterator[Line]:
    """The host is the network side."""
    line = Line(rig, "network")
    yield line
    line.far.close()


def glare(line: Line, timeslot: int, *, ours: bool, theirs: bool) -> tuple[str, int]:
    """Both ends set up a call on the timeslot before either hears of it; exclusively or not."""
    if ours:
        lease = line.host.reserve("a", timeslot=timeslot, open=False)
        line.host.place("ours", token=lease.token)
    else:
        order = "ascending" if timeslot == 1 else "descending"
        line.host.place("ours", "a", order=order)
    handle = line.far.setup(timeslot, exclusive=theirs)
    line.far.events += line.far.pump.turn()
    return "ours", handle


def test_the_networks_call_wins_glare_and_the_users_moves(user: Line) -> None:
    call, _ = glare(user, 31, ours=False, theirs=False)
    offer = user.host.wait("call.offered")
    assert offer.timeslot == 31
    user.host.claim(offer.call)
    assert user.host.wait("call.moved", call=call).data["from_timeslot"] == 31
    ring = user.far.wait(ev.Ring)
    user.far.pump.proceeding(ring.handle, 5)
    user.far.pump.answer(ring.handle, 5)
    user.far.run(0.2)
    answered = user.host.wait("call.answered", call=call)
    assert answered.timeslot == 5
    user.host.answer(offer.call)
    assert user.far.wait(ev.Answered).channel == 31


def test_a_call_that_lost_its_channel_has_none_until_the_far_end_names_one(user: Line) -> None:
    call, _ = glare(user, 31, ours=False, theirs=False)
    moved = user.host.wait("call.moved", call=call)
    assert (moved.data["timeslot"], moved.data["from_timeslot"]) == (0, 31)
    token = user.host.find("call.attempt", call=call)[0].token
    with pytest.raises(ChannelBusy, match="has yet to say which channel of span a"):
        user.host.open_fds(token)
    snapshot = user.host.snapshot()
    assert {lease.call: lease.timeslot for lease in snapshot.leases}[call] == 0
    assert [channel.timeslot for channel in snapshot.channels if channel.token] == [31]
    ring = user.far.wait(ev.Ring)
    user.far.pump.alerting(ring.handle, 5)
    user.far.run(0.2)
    user.host.wait("call.alerting", call=call)
    opened, fd = user.host.open_fds(token)
    os.close(fd)
    assert opened.timeslot == 5


def test_a_call_that_lost_its_channel_can_be_hung_up(user: Line) -> None:
    call, _ = glare(user, 31, ours=False, theirs=False)
    user.host.wait("call.moved", call=call)
    offer = user.host.wait("call.offered")
    assert offer.timeslot == 31
    user.host.claim(offer.call)
    user.host.hangup(call)
    user.far.until(lambda: user.host.find("call.ended", call=call))
    assert user.host.ended(call)["cleared_by"] == "core"
    assert [channel.timeslot for channel in user.host.snapshot().channels if channel.phase] == [31]


# Who has the channel that both asked for, by side, rules, and whether each call would take another one.
GLARE = [
    (node, symmetric, ours, theirs, (ours if symmetric and ours != theirs else node == "network"))
    for node in ("cpe", "network")
    for symmetric in (False, True)
    for ours in (False, True)
    for theirs in (False, True)
]


@pytest.mark.parametrize(("node", "symmetric", "ours", "theirs", "ours_wins"), GLARE)
def test_glare_by_the_tables(rig: Rig, node: str, symmetric: bool, ours: bool, theirs: bool, ours_wins: bool) -> None:
    """Q.931 5.7: the network's call has it; Annex D.3: exclusive before preferred, then the network's."""
    line = Line(rig, node, symmetric=symmetric)
    # Preferred calls hunt from the side's own end.
    timeslot = 9 if ours else 1 if node == "network" else 31
    _, handle = glare(line, timeslot, ours=ours, theirs=theirs)
    if ours_wins and theirs:
        assert line.far.ended(handle).cause == 34
        assert not line.host.find("call.offered")
    else:
        offer = line.host.wait("call.offered")
        assert (offer.timeslot == timeslot) is not ours_wins
    if not ours_wins and ours:
        line.far.until(lambda: line.host.find("call.ended", call="ours"))
        ended = line.host.ended("ours")
        assert (ended["cause"], ended["reason"].partition(":")[0], ended["error"]) == (44, "glare", Glare.code)
    elif ours_wins:
        assert not line.host.find("call.moved", call="ours")
        ring = line.far.wait(ev.Ring)
        line.far.pump.answer(ring.handle, timeslot)
        line.far.run(0.2)
        assert line.host.wait("call.answered", call="ours").timeslot == timeslot
    else:
        assert line.host.wait("call.moved", call="ours").data["from_timeslot"] == timeslot
    line.far.close()


def test_exclusive_glare_goes_to_the_network_and_the_lease_says_so(user: Line) -> None:
    glare(user, 9, ours=True, theirs=True)
    offer = user.host.wait("call.offered")
    assert offer.timeslot == 9
    user.far.until(lambda: user.host.find("call.ended", call="ours"))
    ended = user.host.ended("ours")
    assert ended["cause"] == 44
    assert "glare" in ended["reason"]
    assert ended["error"] == "org.dahdipy.Glare"
    token = user.host.find("call.attempt", call="ours")[0].token
    with pytest.raises(StaleToken):
        user.host.release(token)


def test_as_network_our_call_keeps_its_channel(network: Line) -> None:
    glare(network, 1, ours=False, theirs=False)
    offer = network.host.wait("call.offered")
    assert offer.timeslot not in (0, 1)
    assert not network.host.find("call.moved")
    network.host.claim(offer.call)
    assert network.far.wait(ev.Proceeding).channel == offer.timeslot


def test_as_network_exclusive_glare_refuses_the_users_call(network: Line) -> None:
    _, handle = glare(network, 9, ours=True, theirs=True)
    assert network.far.ended(handle).cause == 34
    assert not network.host.find("call.offered")


def test_another_setup_goes_out_where_the_far_end_has_no_such_channel(user: Line) -> None:
    user.host.place("c1", "a")
    first = user.far.wait(ev.Ring)
    user.far.pump.hangup(first.handle, 44)
    second = user.far.wait(ev.Ring, 2)
    assert second.channel != first.channel
    user.far.pump.answer(second.handle, second.channel or 0)
    user.far.run(0.2)
    assert user.host.wait("call.answered", call="c1").timeslot == second.channel
    assert [event.data["attempt"] for event in user.host.find("call.attempt")] == [1, 2]
    user.host.hangup("c1")
    user.far.pump.hangup(user.far.wait(ev.HangupRequest).handle)
    user.far.until(lambda: user.host.find("call.ended", call="c1"))
    ended = user.host.ended("c1")
    assert ended["attempt"] == 2
    assert [m["name"] for m in ended["messages"]].count("SETUP") == 2


def test_the_channel_that_a_refused_call_gives_up_is_one_of_the_reserved(user: Line) -> None:
    user.host.place("c1", "a", masks=[1 << 1 | 1 << 2], spare=1, order="ascending")
    first = user.far.wait(ev.Ring)
    user.far.pump.hangup(first.handle, 44)
    second = user.far.wait(ev.Ring, 2)
    assert (first.channel, second.channel) == (1, 2)


def test_the_core_hears_of_it_when_its_lease_is_refused(user: Line) -> None:
    lease = user.host.reserve("a", timeslot=3, open=False)
    user.host.place("c1", token=lease.token)
    user.far.pump.hangup(user.far.wait(ev.Ring).handle, 44)
    user.far.until(lambda: user.host.find("call.ended", call="c1"))
    ended = user.host.ended("c1")
    assert (ended["cause"], ended["attempt"], ended["cleared_by"]) == (44, 1, "peer")


def test_a_setup_moves_a_bare_lease_but_no_exclusive_one(user: Line) -> None:
    moving = user.host.reserve("a", timeslot=4, open=False)
    staying = user.host.reserve("a", timeslot=5, open=False, exclusive=True)
    user.far.setup(4)
    user.far.run(0.1)
    assert user.host.wait("call.offered").timeslot == 4
    moved = user.host.wait("lease.moved")
    assert (moved.token, moved.data["from_timeslot"]) == (moving.token, 4)
    user.far.setup(5)
    user.far.run(0.1)
    assert user.host.wait("call.offered", count=2).timeslot not in (0, 4, 5)
    refused = user.far.setup(5, exclusive=True)
    assert user.far.ended(refused).cause == 44
    assert any(lease.token == staying.token and lease.timeslot == 5 for lease in user.host.snapshot().leases)


def test_an_exclusive_setup_waits_for_a_bare_lease_to_let_go(user: Line) -> None:
    lease, fds = user.host.reserve_fds("a", timeslot=4)
    user.far.setup(4, exclusive=True)
    user.far.run(0.1)
    assert user.host.wait("lease.moved").token == lease.token
    assert not user.host.find("call.offered")
    os.close(fds[0])
    # On a slow machine the two seconds were over before, and it is refused.
    user.far.until(lambda: user.host.find("call.offered") or user.host.find("call.ended"))
    offered, ended = user.host.find("call.offered"), user.host.find("call.ended")
    assert [call.timeslot for call in offered] == [4] or [call.data["cause"] for call in ended] == [44]


@pytest.mark.parametrize(("timeslot", "cause"), [(16, 82), (120, 82)])
def test_a_setup_for_what_is_no_b_channel_is_refused(user: Line, timeslot: int, cause: int) -> None:
    assert user.far.ended(user.far.setup(timeslot, exclusive=True)).cause == cause
    assert not user.host.find("call.offered")
    assert all(channel.phase == "" for channel in user.host.snapshot().channels)


def test_a_setup_for_a_busy_channel_gets_another_or_44(user: Line) -> None:
    user.far.setup(4)
    user.far.run(0.1)
    first = user.host.wait("call.offered")
    user.host.claim(first.call)
    user.host.answer(first.call)
    user.far.wait(ev.Answered)
    user.far.setup(4)
    user.far.run(0.1)
    assert user.host.wait("call.offered", count=2).timeslot != 4
    assert user.far.ended(user.far.setup(4, exclusive=True)).cause == 44
    assert any(c.call == first.call and c.phase == "active" for c in user.host.snapshot().calls)


def test_the_far_end_restarts_a_channel(user: Line) -> None:
    user.far.setup(4)
    user.far.run(0.1)
    offer = user.host.wait("call.offered")
    user.host.claim(offer.call)
    user.host.answer(offer.call)
    user.far.wait(ev.Answered)
    bare = user.host.reserve("a", timeslot=5, open=False)
    for channel in (4, 5):
        user.far.pump.restart(user.far.dchannel, channel)
        user.far.wait(ev.RestartAck, channel - 3)
    ended = user.host.ended(offer.call)
    assert (ended["cleared_by"], ended["reason"]) == ("peer", "the far end restarted the channel")
    assert user.host.wait("lease.ended").token == bare.token
    user.far.setup(4, exclusive=True)
    user.far.run(0.1)
    assert user.host.wait("call.offered", count=2).timeslot == 4


def test_tones_after_disconnect_are_heard_until_the_core_hangs_up(user: Line) -> None:
    placed = user.host.place("c1", "a")
    ring = user.far.wait(ev.Ring)
    user.far.pump.proceeding(ring.handle, ring.channel or 0)
    user.far.run(0.2)
    user.host.wait("call.proceeding")
    disconnect = b"\x45" + b"\x08\x02\x82\x91" + b"\x1e\x02\x82\x88"
    user.far.send(b"\x08\x02" + user.far.reference() + disconnect)
    seen = user.host.wait("call.hangup", call="c1")
    assert (seen.data["cause"], seen.data["location"], seen.data["in_band"]) == (17, "public_local", True)
    user.host.wait("call.media", call="c1")
    _, fd = user.host.open_fds(placed.token)
    os.close(fd)
    assert [call.phase for call in user.host.snapshot().calls] == ["releasing"]
    user.far.take_over()
    user.host.hangup("c1")
    release_complete = b"\x08\x02" + user.far.reference() + b"\x5a"
    user.far.by_hand(
        lambda: bool(user.host.find("call.ended")), lambda message: release_complete if message[4] == 0x4D else b""
    )
    ended = user.host.ended("c1")
    assert [m["name"] for m in ended["messages"]][2:] == ["DISCONNECT", "RELEASE", "RELEASE COMPLETE"]
    assert (ended["cause"], ended["location"], ended["cleared_by"]) == (17, "public_local", "peer")


def test_a_release_that_is_never_answered_takes_the_channel_out_until_restart(rig: Rig) -> None:
    line = Line(rig, "cpe", "{ T308 = 500, T305 = 500 }")
    far, host = line.far, line.host
    placed = host.place("c1", "a")
    ring = far.wait(ev.Ring)
    far.pump.proceeding(ring.handle, ring.channel or 0)
    far.run(0.2)
    host.wait("call.proceeding")
    far.take_over()
    host.hangup("c1")
    acknowledged = b"\x08\x02\x80\x00\x4e\x18\x03\xa9\x83" + bytes((0x80 | placed.timeslot,)) + b"\x79\x01\x80"
    came = far.by_hand(
        lambda: len(host.find("channel.state")) == 2, lambda message: acknowledged if message[4] == 0x46 else b""
    )
    assert [message[4] for message in came] == [0x45, 0x4D, 0x4D, 0x46]
    host.ended("c1")
    assert [event.data.get("phase", "") for event in host.find("channel.state")] == ["restarting", ""]
    far.close()
    assert host.reserve("a", timeslot=placed.timeslot, open=False).timeslot == placed.timeslot


def test_a_restart_lost_with_the_link_is_sent_again(rig: Rig) -> None:
    line = Line(rig, "cpe", "{ T308 = 500, T305 = 500 }")
    far, host = line.far, line.host
    placed = host.place("c1", "a")
    ring = far.wait(ev.Ring)
    far.pump.proceeding(ring.handle, ring.channel or 0)
    far.run(0.2)
    host.wait("call.proceeding")
    far.take_over()
    host.hangup("c1")
    restarts = 0

    def answer(message: bytes) -> bytes:
        nonlocal restarts
        if message[4] != 0x46:
            return b""
        restarts += 1
        if restarts == 1:
            far.re_establish()
            return b""
        return b"\x08\x02\x80\x00\x4e\x18\x03\xa9\x83" + bytes((0x80 | placed.timeslot,)) + b"\x79\x01\x80"

    far.by_hand(lambda: len(host.find("channel.state")) == 2, answer)
    assert restarts == 2
    assert [event.data.get("phase", "") for event in host.find("channel.state")] == ["restarting", ""]
    far.close()
