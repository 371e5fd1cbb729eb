# SPDX-License-Identifier: GPL-2.0-or-later
from collections.abc import Iterator

import pytest

from dahdi_py.core.terms import SwitchType
from dahdi_py.ffi.libpri_commands import SetupRequest
from dahdi_py.ffi.libpri_events import (
    Alerting,
    Answered,
    CommandFailed,
    Ended,
    HangupRequest,
    InfoReceived,
    KeypadDigits,
    Notify,
    Number,
    Proceeding,
    Progress,
    Ring,
    SetupAck,
    Subaddress,
)
from tests.pair.rig import Pair, of_kind, only, request

SETUP, PROCEEDING, ALERTING, CONNECT, CONNECT_ACK = 0x05, 0x02, 0x01, 0x07, 0x0F
DISCONNECT, RELEASE, RELEASE_COMPLETE = 0x45, 0x4D, 0x5A
SWITCHES = [SwitchType.EUROISDN, SwitchType.NATIONAL]


@pytest.fixture(params=SWITCHES)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    made = Pair(request.param)
    yield made
    made.assert_nothing_left()


@pytest.fixture(params=["network places", "user places"])
def ends(request: pytest.FixtureRequest, pair: Pair) -> tuple[int, int]:
    return (pair.network, pair.cpe) if request.param == "network places" else (pair.cpe, pair.network)


def test_a_call_from_setup_to_release(pair: Pair, ends: tuple[int, int]) -> None:
    calling, called = ends
    handle, ring = pair.ring(calling, request(channel=5))
    assert (ring.dchannel, ring.channel, ring.exclusive) == (called, 5, False)
    pair.pump.proceeding(ring.handle)
    assert only(Proceeding, pair.pump.turn()).handle == handle
    pair.pump.alerting(ring.handle)
    assert only(Alerting, pair.pump.turn()).channel == 5
    pair.pump.answer(ring.handle)
    assert only(Answered, pair.pump.turn()).handle == handle

    pair.pump.hangup(handle, 16)
    clearing = only(HangupRequest, pair.pump.turn())
    assert (clearing.handle, clearing.cause, clearing.in_band) == (ring.handle, 16, False)
    pair.pump.hangup(ring.handle, 16)
    first, second = of_kind(Ended, pair.pump.turn())
    ended = {first.handle: first, second.handle: second}
    assert (ended[handle].cleared_by, ended[ring.handle].cleared_by) == ("us", "peer")
    assert {(end.cause, end.location) for end in (first, second)} == {(16, clearing.location)}
    order = [SETUP, PROCEEDING, ALERTING, CONNECT, CONNECT_ACK, DISCONNECT, RELEASE, RELEASE_COMPLETE]
    assert [moment.message_type for moment in ended[handle].timeline] == order
    assert [moment.message_type for moment in ended[ring.handle].timeline] == order
    mirrored = ["out" if moment.direction == "in" else "in" for moment in ended[handle].timeline]
    assert mirrored == [moment.direction for moment in ended[ring.handle].timeline]


def test_the_evidence_is_whole_when_the_window_is_full(pair: Pair) -> None:
    """RELEASE COMPLETE may wait behind seven unacknowledged frames: the call's end waits for it (Q.921 5.6.1)."""
    calls = [pair.answered(pair.cpe, channel) for channel in range(1, 13)]
    for calling, _ in calls:
        pair.pump.hangup(calling)
    events = pair.pump.turn()
    for clearing in of_kind(HangupRequest, events):
        pair.pump.hangup(clearing.handle)
    ended = of_kind(Ended, [*events, *pair.pump.turn()])
    assert {end.handle for end in ended} == {handle for call in calls for handle in call}
    for end in ended:
        assert [moment.message_type for moment in end.timeline][-3:] == [DISCONNECT, RELEASE, RELEASE_COMPLETE]


def test_a_link_that_goes_down_ends_the_wait_for_the_window(pair: Pair) -> None:
    calls = [pair.answered(pair.cpe, channel) for channel in range(1, 13)]
    for _, called in calls:
        pair.pump.hangup(called)
    pair.pump.part(pair.network)
    for calling, called in calls:
        pair.pump.destroy(calling)
        pair.pump.destroy(called)
    ended = of_kind(Ended, pair.pump.turn())
    assert {end.handle for end in ended} == {handle for call in calls for handle in call}


@pytest.mark.parametrize("cause", [1, 17, 18, 21, 27, 34, 41, 44, 58, 82, 88, 127])
def test_a_refused_call_carries_its_cause(pair: Pair, ends: tuple[int, int], cause: int) -> None:
    handle, ring = pair.ring(ends[0])
    pair.pump.hangup(ring.handle, cause)
    by_handle = {end.handle: end for end in of_kind(Ended, pair.pump.turn())}
    assert by_handle.keys() == {handle, ring.handle}
    assert {end.cause for end in by_handle.values()} == {cause}
    assert (by_handle[handle].cleared_by, by_handle[ring.handle].cleared_by) == ("peer", "us")
    assert [moment.message_type for moment in by_handle[handle].timeline] == [SETUP, RELEASE_COMPLETE]


@pytest.mark.parametrize("cause", [1, 17, 26, 34, 44])
def test_busy_after_proceeding_is_a_disconnect(pair: Pair, ends: tuple[int, int], cause: int) -> None:
    handle, ring = pair.ring(ends[0])
    pair.pump.proceeding(ring.handle)
    pair.pump.turn()
    pair.pump.hangup(ring.handle, cause)
    events = pair.pump.turn()
    if requests := of_kind(HangupRequest, events):
        assert (requests[0].handle, requests[0].cause) == (handle, cause)
        pair.pump.hangup(handle)
        events = pair.pump.turn()
    assert {(end.handle, end.cause) for end in of_kind(Ended, events)} == {(handle, cause), (ring.handle, cause)}


def test_nobody_answers_and_the_caller_gives_up(pair: Pair, ends: tuple[int, int]) -> None:
    handle, ring = pair.ring(ends[0])
    pair.pump.alerting(ring.handle)
    pair.pump.turn()
    pair.pump.hangup(handle, 19)
    assert only(HangupRequest, pair.pump.turn()).cause == 19
    assert {end.cause for end in pair.clear(ring.handle)} == {19}


def test_a_caller_that_gives_up_before_any_answer_leaves_nothing_behind(pair: Pair, ends: tuple[int, int]) -> None:
    handle, ring = pair.ring(ends[0])
    pair.pump.hangup(handle, 16)
    ended = of_kind(Ended, pair.pump.turn())
    assert {end.handle for end in ended} == {handle, ring.handle}
    assert {end.cleared_by for end in ended} == {"us", "peer"}


def test_the_called_end_moves_the_call_to_another_channel(pair: Pair) -> None:
    handle, ring = pair.ring(pair.cpe, request(channel=1))
    pair.pump.proceeding(ring.handle, 9)
    assert only(Proceeding, pair.pump.turn()).channel == 9
    pair.pump.answer(ring.handle)
    assert only(Answered, pair.pump.turn()).channel == 9
    assert {end.channel for end in pair.clear(handle, ring.handle)} == {9}


def test_an_exclusive_channel_is_told_as_such(pair: Pair, ends: tuple[int, int]) -> None:
    asked = SetupRequest(Number("2001"), 7, exclusive=True)
    handle, ring = pair.ring(ends[0], asked)
    assert (ring.channel, ring.exclusive) == (7, True)
    assert len(pair.clear(handle)) == 2


def test_both_ends_seize_one_channel(pair: Pair) -> None:
    ours, theirs = pair.pump.new_handle(), pair.pump.new_handle()
    pair.pump.setup(pair.cpe, ours, request(channel=4))
    pair.pump.setup(pair.network, theirs, request(channel=4))
    rings = of_kind(Ring, pair.pump.turn())
    assert {(ring.dchannel, ring.channel) for ring in rings} == {(pair.cpe, 4), (pair.network, 4)}
    at_network = next(ring for ring in rings if ring.dchannel == pair.network)
    pair.pump.hangup(at_network.handle, 44)
    ended = of_kind(Ended, pair.pump.turn())
    assert {(end.handle, end.cause) for end in ended} == {(ours, 44), (at_network.handle, 44)}
    assert len(pair.clear(theirs)) == 2


def test_both_ends_hang_up_in_one_turn(pair: Pair, ends: tuple[int, int]) -> None:
    handle, called = pair.answered(ends[0])
    pair.pump.hangup(handle, 16)
    pair.pump.hangup(called, 31)
    ended = of_kind(Ended, pair.pump.turn())
    assert sorted(end.handle for end in ended) == sorted([handle, called])


def test_thirty_calls_at_once_both_ways(pair: Pair) -> None:
    channels = [channel for channel in range(1, 32) if channel != 16]
    handles = {}
    for channel in channels:
        handle = pair.pump.new_handle()
        handles[handle] = channel
        pair.pump.setup(pair.cpe if channel % 2 else pair.network, handle, request(channel))
    rings = of_kind(Ring, pair.pump.turn())
    assert sorted(ring.channel or 0 for ring in rings) == channels
    for ring in rings:
        pair.pump.answer(ring.handle)
    answered = of_kind(Answered, pair.pump.turn())
    assert {event.handle: event.channel for event in answered} == handles
    for handle in handles:
        pair.pump.hangup(handle)
    for clearing in of_kind(HangupRequest, pair.pump.turn()):
        pair.pump.hangup(clearing.handle)
    assert len(of_kind(Ended, pair.pump.turn())) == 60


def test_everything_a_setup_says_arrives(pair: Pair) -> None:
    asked = SetupRequest(
        called=Number("18005550100", plan=1, type=2),
        channel=3,
        capability=16,
        layer1=0x22,
        calling=Number("2125550123", plan=1, type=2, presentation=1, screening=3),
        calling_name="Zo\xeb",
        redirecting=Number("2125550199", plan=1, type=2, presentation=0, screening=0),
        redirecting_reason=15,
        calling_subaddress=Subaddress(b"1234", 2, odd=False),
        called_subaddress=Subaddress(b"\x50ab", 0, odd=False),
    )
    handle, ring = pair.ring(pair.network, asked)
    assert (ring.called, ring.calling) == (asked.called, asked.calling)
    assert (ring.capability, ring.layer1) == (16, 0x22)
    assert ring.redirecting is not None
    assert (ring.redirecting.digits, ring.redirecting_reason) == ("2125550199", 15)
    assert ring.calling_name == asked.calling_name
    assert (ring.calling_subaddress, ring.called_subaddress) == (asked.calling_subaddress, asked.called_subaddress)
    assert len(pair.clear(handle)) == 2


def test_overlap_digits_one_by_one(pair: Pair) -> None:
    handle, ring = pair.ring(pair.cpe, SetupRequest(Number("20"), 2))
    pair.pump.setup_ack(ring.handle)
    assert only(SetupAck, pair.pump.turn()).handle == handle
    pair.pump.information(handle, "01")
    digits = of_kind(InfoReceived, pair.pump.turn())
    assert [event.digits for event in digits] == ["0", "1"]
    pair.pump.proceeding(ring.handle)
    assert only(Proceeding, pair.pump.turn()).handle == handle
    pair.pump.hangup(handle)
    assert only(HangupRequest, pair.pump.turn()).handle == ring.handle
    pair.clear(ring.handle)


def test_in_band_information_is_announced(pair: Pair, ends: tuple[int, int]) -> None:
    handle, ring = pair.ring(ends[0])
    pair.pump.proceeding(ring.handle)
    pair.pump.progress(ring.handle, in_band=True)
    assert 8 in only(Progress, pair.pump.turn()).progress
    pair.pump.alerting(ring.handle, in_band=True)
    assert only(Alerting, pair.pump.turn()).progress == (8,)
    pair.clear(handle, ring.handle)


def test_keypad_and_notify_in_a_call(pair: Pair, ends: tuple[int, int]) -> None:
    handle, called = pair.answered(ends[0])
    pair.pump.keypad(handle, "*5")
    assert only(KeypadDigits, pair.pump.turn()).digits == "*5"
    pair.pump.notify(handle, 0)
    notified = of_kind(Notify, pair.pump.turn())
    assert [event.indicator for event in notified] in ([0], [])  # NI2 has no NOTIFY
    pair.clear(handle, called)


def test_what_the_state_forbids_never_reaches_the_peer(pair: Pair) -> None:
    handle, called = pair.answered(pair.cpe)
    for forbidden in (pair.pump.answer, pair.pump.alerting, pair.pump.proceeding, pair.pump.setup_ack):
        forbidden(called)
        failed = only(CommandFailed, pair.pump.turn())
        assert (failed.handle, failed.reason) == (called, "wrong_state")
    pair.pump.hangup(handle)
    pair.pump.turn()
    pair.pump.notify(handle, 0)
    assert only(CommandFailed, pair.pump.turn()).reason == "wrong_state"
    assert len(pair.clear(called)) == 2


def test_hanging_up_twice_is_hanging_up_once(pair: Pair, ends: tuple[int, int]) -> None:
    handle, called = pair.answered(ends[0])
    pair.pump.hangup(handle)
    pair.pump.hangup(handle)
    assert only(HangupRequest, pair.pump.turn()).handle == called
    assert len(pair.clear(called)) == 2
