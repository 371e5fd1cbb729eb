# SPDX-License-Identifier: GPL-2.0-or-later
"""What a broken or hostile peer sends never reaches libpri, and never costs the link or a call."""

from collections.abc import Callable

import pytest

from dahdi_py.core.terms import Node, SwitchType
from dahdi_py.ffi.libpri_events import (
    Answered,
    ConfigError,
    DChannelDown,
    Ended,
    Error,
    Event,
    HangupRequest,
    Restart,
    Ring,
    Service,
)
from tests.pair.rig import BEARER, CALLED, CHANNEL_1, SECOND, RawPeer, message, of_kind, only, request, setup

ALERTING, CONNECT, DISCONNECT, RESTART, RELEASE = 0x01, 0x07, 0x45, 0x46, 0x4D
RESTART_ACK, RELEASE_COMPLETE, STATUS_ENQUIRY, STATUS = 0x4E, 0x5A, 0x75, 0x7D
CHANNEL_INDICATED, INTERFACE = bytes.fromhex("790180"), bytes.fromhex("790187")


@pytest.fixture(params=list(Node))
def peer(request: pytest.FixtureRequest) -> RawPeer:
    return RawPeer(request.param)


def assert_unharmed(peer: RawPeer, events: list[Event]) -> None:
    """Nothing was reported, nothing answered, no record kept; the link is up and the next call comes through."""
    assert events == []
    assert peer.replies() == []
    assert "Total active-calls:0 " in peer.pump.info(peer.dchannel)
    handle = only(Ring, peer.say(setup(0x7001))).handle
    peer.pump.hangup(handle)
    assert only(Ended, peer.pump.turn()).handle == handle
    assert [reply[4] for reply in peer.replies()] == [RELEASE_COMPLETE]
    assert of_kind(DChannelDown, peer.pump.advance(2 * SECOND)) == []


FRAMES: dict[str, tuple[str, Callable[[RawPeer], bytes]]] = {
    "two octets": ("drop_short", lambda peer: b"\x02\x01"),
    "nothing": ("drop_short", lambda peer: b""),
    "I frame of 3 octets": ("drop_short", lambda peer: bytes((peer._command, 1, 0))),
    "S frame of 3 octets": ("drop_length", lambda peer: b"\x02\x01\x01"),
    "S frame of 5 octets": ("drop_length", lambda peer: b"\x02\x01\x01\x00\x00"),
    "SABME with content": ("drop_length", lambda peer: b"\x02\x01\x7f\x00"),
    "UI with SETUP": ("drop_ui", lambda peer: b"\x02\x01\x03" + setup(3)),
    "address extension in octet 1": ("drop_address", lambda peer: b"\x03\x01\x01\x00"),
    "address not ended in octet 2": ("drop_address", lambda peer: b"\x02\x00\x01\x00"),
    "SAPI 63": ("drop_address", lambda peer: b"\xfe\x01\x01\x00"),
    "TEI 5": ("drop_address", lambda peer: b"\x02\x0b\x01\x00"),
}


@pytest.mark.parametrize("name", FRAMES)
def test_frames_invalid_at_layer_2_are_dropped(peer: RawPeer, name: str) -> None:
    """Source: Q.921 2.9, 3.2, 3.3."""
    counter, frame = FRAMES[name]
    peer.inject(frame(peer))
    assert_unharmed(peer, peer.pump.turn())
    assert peer.counted() == {counter: 1}


def test_an_i_frame_as_a_response_is_dropped(peer: RawPeer) -> None:
    peer.inject(bytes((peer._response, 1, peer._sent << 1, 0)) + setup(3))
    assert_unharmed(peer, peer.pump.turn())
    assert peer.counted() == {"drop_i_response": 1}


def test_our_own_message_that_comes_back_is_known_and_nothing_else(peer: RawPeer) -> None:
    """On a looped line an I frame comes as the response it cannot be. Source: Q.921 3.3.2."""
    handle = only(Ring, peer.say(setup(0x7002))).handle
    peer.pump.hangup(handle)
    peer.pump.turn()
    (said,) = peer.replies()
    as_response = bytes((peer._response, 1, peer._sent << 1, 0))
    peer.inject(as_response + said[:-1] + bytes((said[-1] ^ 1,)))
    assert of_kind(ConfigError, peer.pump.turn()) == []
    peer.inject(as_response + said)
    assert only(ConfigError, peer.pump.turn()).echo


LONG = bytes((0x7E, 250)) + bytes(250)
MESSAGES = {
    "longer than N201": ("neutral_n201", message(0x05, 3, BEARER, CHANNEL_1, CALLED, LONG)),
    "empty": ("neutral_header", b""),
    "protocol discriminator only": ("neutral_header", b"\x08"),
    "call reference of 3 octets": ("neutral_header", b"\x08\x03\0\0\x03\x05"),
    "call reference octet 1, bits 5-8": ("neutral_header", b"\x08\x12\0\x03\x05" + BEARER + CHANNEL_1 + CALLED),
    "call reference of 0 octets": ("neutral_header", b"\x08\x00\x05" + BEARER),
    "unknown protocol discriminator": ("neutral_protocol", b"\x4f\x02\0\x03\x05" + BEARER),
    "first element overruns": ("neutral_elements", message(0x05, 3, b"\x04\x7f\x80")),
    "last element overruns": ("neutral_elements", message(0x05, 3, BEARER, CHANNEL_1, b"\x70\x0f\xa1\x32")),
    "element without length": ("neutral_elements", message(0x05, 3, BEARER, CHANNEL_1, b"\x70")),
    "SETUP with flag 1": ("neutral_setup_flag", message(0x05, 3, BEARER, CHANNEL_1, CALLED, flag=True)),
    "SETUP on the global reference": ("neutral_global_reference", setup(0)),
    "DISCONNECT on the global reference": ("neutral_global_reference", message(DISCONNECT, 0)),
    "RELEASE on the global reference": ("neutral_global_reference", message(RELEASE, 0)),
    "STATUS of state 0 for no call": (
        "neutral_status_null",
        message(STATUS, 3, bytes.fromhex("080280e1"), bytes.fromhex("140100")),
    ),
    "RESTART without channel": ("neutral_restart", message(RESTART, 0, CHANNEL_INDICATED)),
    "RESTART of channel 127": ("neutral_restart", message(RESTART, 0, bytes.fromhex("1803a983ff"), CHANNEL_INDICATED)),
    "RESTART of channel 0": ("neutral_restart", message(RESTART, 0, bytes.fromhex("1803a98380"), CHANNEL_INDICATED)),
    "message type with bit 8": ("neutral_header", message(0x85, 3, BEARER, CHANNEL_1, CALLED)),
    "SERVICE without support": ("neutral_protocol", bytes.fromhex("0302000007010100") + CHANNEL_1),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_libpri_must_not_see_lose_their_content(peer: RawPeer, name: str) -> None:
    """Source: Q.931 5.8.1-5.8.3, 5.5.2."""
    counter, octets = MESSAGES[name]
    assert_unharmed(peer, peer.say(octets))
    assert peer.counted() == {counter: 1}


@pytest.mark.parametrize("repeated", [setup(3), message(0x05, 3), message(0x05, 3, BEARER)])
def test_a_repeated_setup_leaves_the_call_as_it_is(peer: RawPeer, repeated: bytes) -> None:
    """Source: Q.931 5.8.3.2 e."""
    handle = only(Ring, peer.say(setup(3))).handle
    peer.pump.answer(handle)
    peer.pump.turn()
    peer.say(message(0x0F, 3))
    peer.replies()
    assert peer.say(repeated) == []
    assert peer.replies() == []
    assert peer.counted() == {"neutral_setup_repeated": 1}
    assert only(HangupRequest, peer.say(message(DISCONNECT, 3, bytes.fromhex("08028290")))).handle == handle


def test_an_acknowledgement_of_what_was_never_sent_resets_the_link_only(peer: RawPeer) -> None:
    """Source: Q.921 5.8.2. libpri alone would take the message as well."""
    peer.inject(peer.information(setup(3), received=9))
    events = peer.pump.turn()
    assert of_kind(Ring, events) == []
    assert peer.counted() == {"neutral_receive_number": 1}
    assert any(frame[2] == 0x7F for frame in peer.pump.take_sent(peer.dchannel))


def test_new_calls_are_limited_to_200_a_second(peer: RawPeer) -> None:
    rings = [only(Ring, events) for number in range(1, 260) if (events := peer.say(setup(number)))]
    assert len(rings) == 200
    assert peer.counted() == {"neutral_rate": 59}
    peer.pump.advance(SECOND)
    assert only(Ring, peer.say(setup(300))).dchannel == peer.dchannel


def test_restart_of_one_channel_and_of_the_interface(peer: RawPeer) -> None:
    """Source: Q.931 5.5.2."""
    one = peer.say(message(RESTART, 0, bytes.fromhex("1803a98385"), CHANNEL_INDICATED))
    assert only(Restart, one).channel == 5
    assert [reply[4] for reply in peer.replies()] == [RESTART_ACK]
    everything = peer.say(message(RESTART, 0, INTERFACE))
    assert only(Restart, everything).channel is None
    assert [reply[4] for reply in peer.replies()] == [RESTART_ACK]


@pytest.mark.parametrize("switch_type", [SwitchType.NATIONAL, SwitchType.ATT4ESS])
def test_service_is_answered_once_and_never_takes_the_link_down(switch_type: SwitchType) -> None:
    peer = RawPeer(Node.CPE, switch_type)
    national = switch_type is SwitchType.NATIONAL
    header = bytes.fromhex("4302000007" if national else "030200000f")
    out_of_service = bytes.fromhex("0101c2")
    events = peer.say(header + out_of_service + bytes.fromhex("1803a98382"))
    assert (only(Service, events).channel, only(Service, events).status) == (2, 2)
    assert len(peer.replies()) == 1
    events = peer.say(header + out_of_service)
    assert only(Service, events).channel is None
    assert of_kind(DChannelDown, events) == []
    assert peer.pump.dchannel_state(peer.dchannel) == "up"
    assert len(peer.replies()) == 1
    assert peer.say(b"\x43\x02\x00\x07\x07" + out_of_service) == []
    assert peer.counted() == {"neutral_protocol": 1}
    assert "Total active-calls:0 " in peer.pump.info(peer.dchannel)


CONFORMANT = {
    "ALERTING for no call": (message(ALERTING, 3), [RELEASE_COMPLETE]),
    "RELEASE for no call": (message(RELEASE, 3), [RELEASE_COMPLETE]),
    "RELEASE COMPLETE for no call": (message(RELEASE_COMPLETE, 3), []),
    "SETUP without bearer capability": (message(0x05, 3, CHANNEL_1, CALLED), [RELEASE_COMPLETE]),
    "STATUS ENQUIRY for no call": (message(STATUS_ENQUIRY, 3), [RELEASE_COMPLETE]),
    "unknown message for no call": (message(0x3F, 3), [RELEASE_COMPLETE]),
    "DISCONNECT for no call": (message(DISCONNECT, 3), [RELEASE_COMPLETE]),
    "unknown element, comprehension required": (
        message(0x05, 3, BEARER, CHANNEL_1, bytes.fromhex("0101ff"), CALLED),
        [RELEASE_COMPLETE],
    ),
}


@pytest.mark.parametrize("name", CONFORMANT)
def test_what_libpri_answers_by_the_book_passes(peer: RawPeer, name: str) -> None:
    """Source: Q.931 5.8.3.2, 5.8.6, 5.8.7."""
    octets, answers = CONFORMANT[name]
    assert [event for event in peer.say(octets) if not isinstance(event, Error)] == []
    assert [reply[4] for reply in peer.replies()] == answers
    assert peer.counted().keys() <= {"neutral_no_call"}
    assert "Total active-calls:0 " in peer.pump.info(peer.dchannel)


@pytest.mark.parametrize("flag", [False, True])
@pytest.mark.parametrize("elements", [b"", BEARER + CHANNEL_1 + CALLED, bytes.fromhex("08028290140101")])
def test_no_message_for_a_call_we_do_not_have_leaves_a_record(peer: RawPeer, elements: bytes, flag: bool) -> None:
    """Source: Q.931 5.8.3.2 a. libpri alone keeps one for PROGRESS, NOTIFY, STATUS, HOLD and others."""
    for kind in range(0x80):
        if kind != 0x05:
            peer.say(message(kind, 0x77, elements, flag=flag))
            assert {reply[4] for reply in peer.replies()} <= {RELEASE_COMPLETE}
    assert "Total active-calls:0 global:0" in peer.pump.info(peer.dchannel)


@pytest.mark.parametrize(("octets", "cause"), [(message(ALERTING, 3), 81), (message(RELEASE, 3), 81)])
def test_a_message_for_no_call_is_answered_with_its_cause(peer: RawPeer, octets: bytes, cause: int) -> None:
    peer.say(octets)
    assert [reply[-1] & 0x7F for reply in peer.replies()] == [cause]


def test_a_status_for_no_call_is_answered_with_cause_101(peer: RawPeer) -> None:
    """Source: Q.931 5.8.11."""
    peer.say(message(STATUS, 3, bytes.fromhex("0802809e"), bytes.fromhex("14010a")))
    assert [(reply[4], reply[-1] & 0x7F) for reply in peer.replies()] == [(RELEASE_COMPLETE, 101)]


def test_a_status_of_state_0_ends_an_active_call(peer: RawPeer) -> None:
    """Source: Q.931 5.8.11."""
    handle = peer.pump.new_handle()
    peer.pump.setup(peer.dchannel, handle, request())
    peer.pump.turn()
    peer.replies()
    assert only(Answered, peer.say(message(CONNECT, 1, CHANNEL_1, flag=True))).handle == handle
    status = message(STATUS, 1, bytes.fromhex("080280e5"), bytes.fromhex("140100"), flag=True)
    ended = only(Ended, peer.say(status))
    assert (ended.handle, ended.cleared_by) == (handle, "protocol")
    assert "Total active-calls:0 " in peer.pump.info(peer.dchannel)
