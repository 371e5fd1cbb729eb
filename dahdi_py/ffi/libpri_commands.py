# SPDX-License-Identifier: GPL-2.0-or-later
"""What a call is told to do: checked, packed and queued; a turn of the pump executes the queue in one C call."""

from __future__ import annotations

import struct
from typing import Final

import msgspec

from dahdi_py.ffi._libpri import lib
from dahdi_py.ffi.libpri_events import Number, Subaddress

_HEADER = struct.Struct("<HHIQiiii")
_FIELD = struct.Struct("<BBBB")
_NONE: Final = 0xFF
# Bound once: these are on every call's way.
_SETUP: Final = lib.COMMAND_SETUP
_CALLED: Final = lib.FIELD_CALLED
_CALLING: Final = lib.FIELD_CALLING
_EXCLUSIVE: Final = lib.SETUP_EXCLUSIVE
_COMPLETE: Final = lib.SETUP_COMPLETE
_NOT_ISDN: Final = lib.SETUP_NOT_ISDN
_REVERSE_CHARGE: Final = lib.SETUP_REVERSE_CHARGE
NUMBER_MAX: Final = 63
USER_USER_MAX: Final = 131
"""Source: Q.931 4.5.30, one octet of it is the protocol discriminator."""
SUBADDRESS_MAX: Final = 20
DIGITS_MAX: Final = 32
CHANNEL_MAX: Final = 0x1FFFF


class SetupRequest(msgspec.Struct, frozen=True, gc=False):
    """What a SETUP says.

    Args:
        called: The called party's number; may be None if there are keypad digits.
        channel: B-channel number, 1-31; exclusive: no other is acceptable.
        capability: Information transfer capability, 0 speech, 8 unrestricted digital, 16 3.1 kHz audio.
        layer1: User information layer 1, 0x22 mu-law, 0x23 A-law. Source: Q.931 4.5.5.
        complete: Sends "sending complete".
        not_isdn: The caller is not ISDN: progress description 3 (libpri sends it for NI2 only).
    """

    called: Number | None
    channel: int
    exclusive: bool = False
    capability: int = 0
    layer1: int = 0x23
    complete: bool = False
    not_isdn: bool = False
    reverse_charge: bool = False
    calling: Number | None = None
    calling_name: str = ""
    redirecting: Number | None = None
    redirecting_name: str = ""
    redirecting_reason: int = 0
    redirecting_count: int = 1
    original_called: Number | None = None
    original_reason: int = 0
    called_subaddress: Subaddress | None = None
    calling_subaddress: Subaddress | None = None
    keypad: str = ""
    user_user: str = ""


def _encode(what: str, value: str, limit: int) -> bytes:
    try:
        octets = value.encode("latin-1")
    except UnicodeEncodeError as error:
        raise ValueError(f"{what}: {value!r} is not Latin-1") from error
    if b"\0" in octets:
        raise ValueError(f"{what}: {value!r} has a NUL in it")
    if len(octets) > limit:
        raise ValueError(f"{what}: {len(octets)} octets, at most {limit} fit")
    return octets


def _number(tag: int, what: str, number: Number) -> bytes:
    octets = _encode(what, number.digits, NUMBER_MAX)
    presentation = _NONE
    if number.presentation is not None:
        presentation = (number.presentation & 3) << 5 | (number.screening or 0) & 3
    return _FIELD.pack(tag, len(octets), (number.type & 7) << 4 | number.plan & 0xF, presentation) + octets


def _text(tag: int, what: str, value: str, limit: int) -> bytes:
    octets = _encode(what, value, limit)
    return _FIELD.pack(tag, len(octets), _NONE, _NONE) + octets


def _subaddress(tag: int, what: str, subaddress: Subaddress) -> bytes:
    octets = subaddress.octets
    if len(octets) > SUBADDRESS_MAX:
        raise ValueError(f"{what}: {len(octets)} octets, at most {SUBADDRESS_MAX} fit")
    return _FIELD.pack(tag, len(octets), subaddress.type & 7, subaddress.odd) + octets


def _rare_fields(request: SetupRequest) -> bytes:
    octets = b""
    if request.calling_name:
        octets += _text(lib.FIELD_CALLING_NAME, "calling_name", request.calling_name, NUMBER_MAX)
    if request.redirecting is not None:
        octets += _number(lib.FIELD_REDIRECTING, "redirecting", request.redirecting)
    if request.redirecting_name:
        octets += _text(lib.FIELD_REDIRECTING_NAME, "redirecting_name", request.redirecting_name, NUMBER_MAX)
    if request.original_called is not None:
        octets += _number(lib.FIELD_ORIGINAL_CALLED, "original_called", request.original_called)
    if request.called_subaddress is not None:
        octets += _subaddress(lib.FIELD_CALLED_SUBADDRESS, "called_subaddress", request.called_subaddress)
    if request.calling_subaddress is not None:
        octets += _subaddress(lib.FIELD_CALLING_SUBADDRESS, "calling_subaddress", request.calling_subaddress)
    if request.keypad:
        octets += _text(lib.FIELD_KEYPAD, "keypad", request.keypad, NUMBER_MAX)
    if request.user_user:
        octets += _text(lib.FIELD_USER_USER, "user_user", request.user_user, USER_USER_MAX)
    return octets


def _flags(request: SetupRequest) -> int:
    flags = _EXCLUSIVE if request.exclusive else 0
    if request.complete:
        flags |= _COMPLETE
    if request.not_isdn:
        flags |= _NOT_ISDN
    if request.reverse_charge:
        flags |= _REVERSE_CHARGE
    return flags


class CommandQueue:
    """Commands waiting for the next turn. Nothing is sent before; a command that fails comes back as an event.

    Synchronization: none; the pump's thread only.
    """

    def __init__(self) -> None:
        self._commands: list[bytes] = []
        self._last_handle = 0

    def new_handle(self) -> int:
        """Return a handle for an outgoing call that no call of this pump has had."""
        self._last_handle += 1
        return self._last_handle

    def _take(self) -> bytes:
        octets = b"".join(self._commands)
        self._commands.clear()
        return octets

    def _call(self, kind: int, handle: int, channel: int = 0, a: int = 0, b: int = 0, fields: bytes = b"") -> None:
        if not 0 <= channel <= CHANNEL_MAX:
            raise ValueError(f"channel: {channel} is no channel number")
        self._commands.append(_HEADER.pack(kind, 32 + len(fields), 0, handle, channel, a, b, 0) + fields)

    def setup(self, dchannel: int, handle: int, request: SetupRequest) -> None:
        """Queue SETUP for a new call under `handle` (from `new_handle`).

        Raises:
            ValueError: A text does not fit its element; the message names it.
        """
        fields = b""
        if request.called is not None:
            fields = _number(_CALLED, "called", request.called)
        elif not request.keypad:
            raise ValueError("called: a SETUP needs a called number or keypad digits")
        if not 1 <= request.channel <= CHANNEL_MAX:
            raise ValueError(f"channel: {request.channel} is no channel number")
        if request.calling is not None:
            fields += _number(_CALLING, "calling", request.calling)
        fields += _rare_fields(request)
        a = request.capability & 0x1F | (request.layer1 & 0xFF) << 8 | _flags(request) << 16
        b = request.redirecting_reason & 0xF | (request.original_reason & 0xF) << 8
        b |= (request.redirecting_count & 0xFF) << 16
        header = _HEADER.pack(_SETUP, 32 + len(fields), dchannel, handle, request.channel, a, b, 0)
        self._commands.append(header + fields)

    def setup_ack(self, handle: int, channel: int = 0, *, in_band: bool = False) -> None:
        """Queue SETUP ACKNOWLEDGE, asking for more digits; `channel` 0 keeps the channel offered."""
        self._call(lib.COMMAND_SETUP_ACK, handle, channel, in_band)

    def proceeding(self, handle: int, channel: int = 0, *, in_band: bool = False) -> None:
        """Queue CALL PROCEEDING."""
        self._call(lib.COMMAND_PROCEEDING, handle, channel, in_band)

    def alerting(self, handle: int, channel: int = 0, *, in_band: bool = False) -> None:
        """Queue ALERTING (and CALL PROCEEDING before it, if it has not been sent)."""
        self._call(lib.COMMAND_ALERTING, handle, channel, in_band)

    def progress(self, handle: int, channel: int = 0, *, in_band: bool = True, cause: int = 0) -> None:
        """Queue PROGRESS, with a cause unless it is 0."""
        self._call(lib.COMMAND_PROGRESS, handle, channel, in_band, cause)

    def answer(self, handle: int, channel: int = 0, *, not_isdn: bool = False) -> None:
        """Queue CONNECT; `not_isdn` adds progress description 2."""
        self._call(lib.COMMAND_ANSWER, handle, channel, not_isdn)

    def connect_ack(self, handle: int, channel: int = 0) -> None:
        """Queue CONNECT ACKNOWLEDGE, where acknowledging by hand is on."""
        self._call(lib.COMMAND_CONNECT_ACK, handle, channel)

    def hangup(self, handle: int, cause: int = 16) -> None:
        """Queue the clearing of a call by what its state demands; a second time does nothing. Source: Q.931 5.3."""
        if not 1 <= cause <= 127:
            raise ValueError(f"cause: {cause} is not in 1-127")
        self._call(lib.COMMAND_HANGUP, handle, 0, cause)

    def information(self, handle: int, digits: str) -> None:
        """Queue one INFORMATION a digit (overlap sending)."""
        self._call(lib.COMMAND_INFORMATION, handle, fields=_encode("digits", digits, DIGITS_MAX))

    def keypad(self, handle: int, digits: str) -> None:
        """Queue INFORMATION with keypad digits."""
        self._call(lib.COMMAND_KEYPAD, handle, fields=_encode("digits", digits, DIGITS_MAX))

    def notify(self, handle: int, indicator: int) -> None:
        """Queue NOTIFY. Source: Q.931 4.5.22."""
        self._call(lib.COMMAND_NOTIFY, handle, 0, indicator & 0x7F)

    def destroy(self, handle: int) -> None:
        """Queue the end of a call without a word to the peer: after a RESTART of its channel (Q.931 5.5.2)."""
        self._call(lib.COMMAND_DESTROY, handle)

    def restart(self, dchannel: int, channel: int) -> None:
        """Queue RESTART of a channel. One at a time: libpri keeps a single record. Source: Q.931 5.5.1."""
        self._commands.append(_HEADER.pack(lib.COMMAND_RESTART, 32, dchannel, 0, channel, 0, 0, 0))

    def service(self, dchannel: int, channel: int, status: int) -> None:
        """Queue SERVICE for a channel: status 0 in service, 2 out of service. Source: AT&T TR 41459."""
        self._commands.append(_HEADER.pack(lib.COMMAND_SERVICE, 32, dchannel, 0, channel, status, 0, 0))
