# SPDX-License-Identifier: GPL-2.0-or-later
import pytest

from dahdi_py.core.terms import Node
from dahdi_py.ffi.libpri_events import Answered, DChannelDown, DChannelUp, Ended, Event, HangupRequest, Ring
from tests.pair.rig import BEARER, CALLED, SECOND, Pair, RawPeer, message, of_kind, only, request, setup

PROCEEDING, CONNECT, CONNECT_ACK, DISCONNECT, RELEASE = 0x02, 0x07, 0x0F, 0x45, 0x4D
CHANNEL_ANSWER = bytes.fromhex("1803a98381")


def outgoing(peer: RawPeer) -> int:
    handle = peer.pump.new_handle()
    peer.pump.setup(peer.dchannel, handle, request())
    peer.pump.turn()
    return handle


def test_t303_runs_out_after_one_repetition() -> None:
    """Source: Q.931 5.1.1, 9.2: T303 4 s, SETUP repeated once."""
    peer = RawPeer()
    handle = outgoing(peer)
    setups = [reply for reply in peer.replies() if reply[4] == 0x05]
    ended: list[Ended] = []
    for _ in range(9):
        ended += of_kind(Ended, peer.pump.advance(SECOND))
        setups += [reply for reply in peer.replies() if reply[4] == 0x05]
    assert len(setups) == 2
    assert [(end.handle, end.ns, end.cause, end.cleared_by) for end in ended] == [(handle, 8 * SECOND, 18, "protocol")]
    assert len(ended[0].timeline) == 2


def test_a_status_enquiry_does_not_stop_the_repetition() -> None:
    peer = RawPeer()
    handle = outgoing(peer)
    peer.replies()
    peer.say(message(0x75, 1, flag=True))
    assert peer.counted() == {"neutral_status_enquiry": 1}
    assert peer.replies() == []
    peer.pump.advance(5 * SECOND)
    assert [reply[4] for reply in peer.replies()] == [0x05]
    answered = peer.say(message(CONNECT, 1, CHANNEL_ANSWER, flag=True))
    assert only(Answered, answered).handle == handle


def test_t305_and_t308_end_a_call_the_peer_does_not_clear() -> None:
    """Source: Q.931 5.3.3: T305 30 s, then RELEASE; T308 4 s, RELEASE again, then the end."""
    peer = RawPeer()
    handle = outgoing(peer)
    peer.replies()
    peer.say(message(CONNECT, 1, CHANNEL_ANSWER, flag=True))
    peer.pump.hangup(handle)
    peer.pump.turn()
    ended: list[Ended] = []
    sent: list[int] = []
    for _ in range(40):
        sent += [reply[4] for reply in peer.replies()]
        ended += of_kind(Ended, peer.pump.advance(SECOND))
    assert sent == [CONNECT_ACK, DISCONNECT, RELEASE, RELEASE]
    assert [(end.handle, end.ns, end.cause) for end in ended] == [(handle, 38 * SECOND, 16)]
    assert "Total active-calls:0 " in peer.pump.info(peer.dchannel)


def test_t313_gives_up_an_answer_the_network_does_not_acknowledge() -> None:
    """Source: Q.931 5.2.8: T313 4 s on the user side."""
    peer = RawPeer(Node.CPE)
    handle = only(Ring, peer.say(setup(5))).handle
    peer.pump.answer(handle)
    peer.pump.turn()
    sent: list[int] = []
    for _ in range(5):
        sent += [reply[4] for reply in peer.replies()]
        peer.pump.advance(SECOND)
    assert sent == [CONNECT, DISCONNECT]


@pytest.mark.parametrize(("outage", "survives"), [(10, True), (60, True), (120, False)])
def test_an_outage_keeps_active_calls_for_t309(outage: int, survives: bool) -> None:
    """Source: Q.931 5.8.9; T309 is 90 s here."""
    pair = Pair()
    caller, called = pair.answered(pair.cpe)
    events = cut(pair, outage)
    if survives:
        assert of_kind(Ended, events) == []
        assert len(of_kind(DChannelUp, events)) == len(of_kind(DChannelDown, events))
        assert len(pair.clear(caller, called)) == 2
    else:
        ended = of_kind(Ended, events)
        assert {(end.handle, end.cause, end.cleared_by) for end in ended} == {
            (caller, 27, "protocol"),
            (called, 27, "protocol"),
        }
    pair.assert_nothing_left()


def cut(pair: Pair, seconds: int) -> list[Event]:
    """Cut the line for `seconds`, then let the links come back."""
    pair.pump.part(pair.network)
    events = pair.pump.advance(seconds * SECOND)
    pair.pump.join(pair.network, pair.cpe)
    return events + pair.pump.advance(30 * SECOND)


def test_a_call_in_setup_ends_with_its_link() -> None:
    peer = RawPeer()
    handle = only(Ring, peer.say(setup(5))).handle
    peer.pump.proceeding(handle)
    ended = only(Ended, peer.pump.advance(20 * SECOND))
    assert (ended.handle, ended.cause, ended.cleared_by) == (handle, 27, "protocol")


def test_disconnect_with_in_band_information_waits_for_us() -> None:
    peer = RawPeer()
    handle = outgoing(peer)
    peer.replies()
    peer.say(message(PROCEEDING, 1, CHANNEL_ANSWER, flag=True))
    in_band = message(DISCONNECT, 1, bytes.fromhex("08028291"), bytes.fromhex("1e028288"), flag=True)
    clearing = only(HangupRequest, peer.say(in_band))
    assert (clearing.handle, clearing.cause, clearing.location, clearing.in_band) == (handle, 17, 2, True)
    assert of_kind(Ended, peer.pump.advance(5 * SECOND)) == []
    peer.pump.hangup(handle)
    peer.pump.turn()
    assert [reply[4] for reply in peer.replies()][-1:] == [RELEASE]
    ended = only(Ended, peer.say(message(0x5A, 1, flag=True)))
    assert (ended.cause, ended.location, ended.cleared_by) == (17, 2, "peer")


def test_disconnect_in_answer_to_setup_is_released_at_once() -> None:
    peer = RawPeer()
    handle = outgoing(peer)
    peer.replies()
    clearing = only(HangupRequest, peer.say(message(DISCONNECT, 1, bytes.fromhex("08028291"), flag=True)))
    assert (clearing.handle, clearing.in_band) == (handle, False)
    assert [reply[4] for reply in peer.replies()] == [RELEASE]
    peer.pump.hangup(handle)
    assert peer.pump.turn() == []
    assert only(Ended, peer.say(message(0x5A, 1, flag=True))).cleared_by == "peer"


def test_the_next_deadline_is_never_behind_the_clock() -> None:
    pair = Pair()
    for _ in range(50):
        deadline = pair.pump.next_deadline()
        assert deadline is not None
        assert deadline > pair.pump.now()
        pair.pump.advance(SECOND)


def test_numbers_of_the_wrong_kind_are_no_call() -> None:
    peer = RawPeer()
    assert of_kind(Ring, peer.say(message(0x05, 9, BEARER, CALLED))) == []
    assert "Total active-calls:0 " in peer.pump.info(peer.dchannel)
