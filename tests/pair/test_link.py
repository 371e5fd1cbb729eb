# SPDX-License-Identifier: GPL-2.0-or-later
import pytest

from dahdi_py.core.terms import Node, SwitchType
from dahdi_py.ffi.libpri import Pump
from dahdi_py.ffi.libpri_events import ConfigError, DChannelDown, DChannelUp, Frame, LinkReset, Ring
from tests.pair.rig import SECOND, Pair, RawPeer, message, of_kind, only, setup

CONNECT_ACK = 0x0F


@pytest.mark.parametrize("switch_type", list(SwitchType))
def test_both_ends_come_up(switch_type: SwitchType) -> None:
    pair = Pair(switch_type)
    assert {event.dchannel for event in of_kind(DChannelUp, pair.up)} == {pair.network, pair.cpe}
    assert pair.pump.dchannel_state(pair.network) == pair.pump.dchannel_state(pair.cpe) == "up"


def test_the_order_of_starting_does_not_matter() -> None:
    pump = Pump(virtual=True)
    cpe = pump.add_dchannel(Node.CPE, SwitchType.EUROISDN)
    assert of_kind(DChannelUp, pump.advance(30 * SECOND)) == []
    network = pump.add_dchannel(Node.NETWORK, SwitchType.EUROISDN)
    pump.join(cpe, network)
    up = of_kind(DChannelUp, pump.advance(10 * SECOND))
    assert {event.dchannel for event in up} == {cpe, network}
    assert of_kind(DChannelDown, pump.advance(3600 * SECOND)) == []


@pytest.mark.parametrize("node", list(Node))
def test_two_ends_of_one_side_are_told_apart_from_a_dead_link(node: Node) -> None:
    pump = Pump(virtual=True)
    one = pump.add_dchannel(node, SwitchType.EUROISDN)
    other = pump.add_dchannel(node, SwitchType.EUROISDN)
    pump.join(one, other)
    events = pump.advance(10 * SECOND)
    assert {event.dchannel for event in of_kind(ConfigError, events)} == {one, other}
    assert pump.dchannel_state(one) == "down"


def test_a_silent_peer_takes_the_link_down_by_itself() -> None:
    peer = RawPeer()
    down = only(DChannelDown, peer.pump.advance(15 * SECOND))
    # T203 (10 s) finds out, N200 polls of T200 (1 s) each give up. Source: Q.921 5.10, 5.8.
    assert 10 * SECOND < down.ns <= 15 * SECOND


def test_a_link_re_established_by_the_peer_is_reported_once() -> None:
    peer = RawPeer()
    peer.inject(bytes((0x02, 0x01, 0x7F)))
    events = peer.pump.turn()
    assert len(of_kind(LinkReset, events)) == 1
    assert of_kind(DChannelDown, events) == []
    assert peer.pump.dchannel_state(peer.dchannel) == "up"
    assert peer.pump.counters(peer.dchannel)["link_resets"] == 1


def test_a_disconnected_link_is_down_and_comes_back() -> None:
    peer = RawPeer()
    peer.inject(bytes((0x02, 0x01, 0x53)))
    assert only(DChannelDown, peer.pump.turn()).dchannel == peer.dchannel
    assert bytes((0x02, 0x01, 0x73)) in peer.pump.take_sent(peer.dchannel)
    peer.inject(bytes((0x02, 0x01, 0x7F)))
    assert only(DChannelUp, peer.pump.advance(2 * SECOND)).dchannel == peer.dchannel


@pytest.mark.parametrize("tenths", range(0, 60, 4))
def test_a_link_that_waits_for_no_answer_is_up_with_the_peers_sabme(tenths: int) -> None:
    # Between two rounds of its own SABMEs libpri waits for no UA: the peer's is enough.
    peer = RawPeer()
    peer.pump.advance(60 * SECOND + tenths * SECOND // 10)
    peer.pump.take_sent(peer.dchannel)
    peer.inject(bytes((0x02, 0x01, 0x7F)))
    peer.pump.turn()
    assert bytes((0x02, 0x01, 0x73)) in peer.pump.take_sent(peer.dchannel)
    up = peer.pump.dchannel_state(peer.dchannel) == "up"
    peer.pump.advance(2 * SECOND)
    insists = bytes((0x00, 0x01, 0x7F)) in peer.pump.take_sent(peer.dchannel)
    assert up is not insists


@pytest.mark.parametrize("tenths", range(0, 60, 2))
def test_a_call_that_outlived_the_link_leaves_the_next_ones_heard(tenths: int) -> None:
    # libpri asks for the call's state at once when the link is back, before it says that it is.
    peer = RawPeer()
    ring = only(Ring, peer.say(setup(7)))
    peer.pump.answer(ring.handle)
    peer.pump.turn()
    peer.replies()
    peer.say(message(CONNECT_ACK, 7))
    peer.pump.advance(30 * SECOND + tenths * SECOND // 10)
    assert peer.pump.dchannel_state(peer.dchannel) == "down"
    peer.pump.take_sent(peer.dchannel)
    peer.begin()
    if peer.pump.dchannel_state(peer.dchannel) == "down":
        peer.pump.advance(10 * SECOND)
        peer.begin(answers=True)
    assert peer.pump.dchannel_state(peer.dchannel) == "up"
    assert len(peer.replies()) <= 1
    assert only(Ring, peer.say(setup(9))).handle != ring.handle
    peer.pump.advance(SECOND)
    assert peer.counted() == {}
    assert peer.pump.dchannel_state(peer.dchannel) == "up"


def test_numbers_wrap_at_128() -> None:
    pair = Pair()
    for _ in range(100):
        caller, called = pair.answered(pair.cpe)
        assert len(pair.clear(caller, called)) == 2
    assert pair.pump.dchannel_state(pair.cpe) == "up"
    assert not any(value for name, value in pair.pump.counters(pair.cpe).items() if name.startswith("neutral"))
    pair.assert_nothing_left()


def test_frames_are_observed_as_they_are_on_the_line() -> None:
    peer = RawPeer()
    peer.pump.tap(peer.dchannel)
    frames = of_kind(Frame, peer.say(setup(7)))
    assert (frames[0].direction, frames[0].octets[4:]) == ("in", setup(7))
    peer.pump.tap(peer.dchannel, on=False)
    assert of_kind(Frame, peer.say(setup(8))) == []
