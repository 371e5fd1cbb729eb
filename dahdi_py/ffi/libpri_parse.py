# SPDX-License-Identifier: GPL-2.0-or-later
"""From the pump's packed octets to events, one table entry a kind."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final, Literal

from dahdi_py.ffi import libpri_events as ev
from dahdi_py.ffi._libpri import lib

_HEADER = struct.Struct("<HHIQQiiii")
_NONE: Final = 0xFF
_NOBODY: Final = 0xFFFFFFFF

# (D-channel, handle, ns, channel, a, b, c, octets, start and end of the payload) -> event
Parser = Callable[[int, int, int, int, int, int, int, bytes, int, int], ev.Event]

COMMANDS: Final = {
    getattr(lib, f"COMMAND_{name}"): name.lower()
    for name in (
        "SETUP",
        "SETUP_ACK",
        "PROCEEDING",
        "ALERTING",
        "PROGRESS",
        "ANSWER",
        "CONNECT_ACK",
        "HANGUP",
        "INFORMATION",
        "KEYPAD",
        "NOTIFY",
        "DESTROY",
        "RESTART",
        "SERVICE",
    )
}
FAILURES: Final[dict[int, Any]] = {
    getattr(lib, f"FAILED_{name}"): name.lower()
    for name in (
        "STALE_HANDLE",
        "HANDLE_IN_USE",
        "WRONG_STATE",
        "DCHANNEL_DOWN",
        "CONGESTED",
        "NO_DCHANNEL",
        "MALFORMED",
        "BY_LIBPRI",
    )
}
_CLEARED_BY: Final[tuple[Literal["protocol", "us", "peer"], ...]] = ("protocol", "us", "peer")


def _channel(encoded: int) -> int | None:
    """libpri's channel: number in bits 0-7 (0 none, 255 any; -1 is both), interface above."""
    number = encoded & 0xFF
    return number if 0 < number < 0xFF else None


def _octet(value: int) -> int | None:
    return value if 0 <= value < _NONE else None


def _number(digits: bytes, plan: int, presentation: int) -> ev.Number:
    if plan == _NONE:
        plan = 0
    if presentation == _NONE:
        return ev.Number(ev.text(digits), plan & 0xF, plan >> 4 & 7)
    return ev.Number(ev.text(digits), plan & 0xF, plan >> 4 & 7, presentation >> 5 & 3, presentation & 3)


def _text(content: bytes, a: int, b: int) -> str:
    return ev.text(content)


def _subaddress(content: bytes, kind: int, odd: int) -> ev.Subaddress:
    return ev.Subaddress(content, kind, bool(odd))


_FIELDS: Final[dict[int, tuple[str, Callable[[bytes, int, int], Any]]]] = {
    lib.FIELD_CALLED: ("called", _number),
    lib.FIELD_CALLING: ("calling", _number),
    lib.FIELD_ANI: ("ani", _number),
    lib.FIELD_REDIRECTING: ("redirecting", _number),
    lib.FIELD_ORIGINAL_CALLED: ("original_called", _number),
    lib.FIELD_CONNECTED: ("connected", _number),
    lib.FIELD_CALLING_NAME: ("calling_name", _text),
    lib.FIELD_REDIRECTING_NAME: ("redirecting_name", _text),
    lib.FIELD_ORIGINAL_CALLED_NAME: ("original_called_name", _text),
    lib.FIELD_CONNECTED_NAME: ("connected_name", _text),
    lib.FIELD_DISPLAY: ("display", _text),
    lib.FIELD_KEYPAD: ("keypad", _text),
    lib.FIELD_USER_USER: ("user_user", _text),
    lib.FIELD_DIGITS: ("digits", _text),
    lib.FIELD_TEXT: ("text", _text),
    lib.FIELD_CALLED_SUBADDRESS: ("called_subaddress", _subaddress),
    lib.FIELD_CALLING_SUBADDRESS: ("calling_subaddress", _subaddress),
}


def _fields(octets: bytes, at: int, end: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    while at < end:
        tag, length, a, b = octets[at : at + 4]
        at += 4
        name, decode = _FIELDS[tag]
        found[name] = decode(octets[at : at + length], a, b)
        at += length
    return found


def _ring(dch: int, handle: int, ns: int, ch: int, a: int, b: int, c: int, octets: bytes, at: int, end: int) -> ev.Ring:
    capability, layer1 = a & 0xFF, a >> 8
    fields = _fields(octets, at, end)
    if c & 0xFF0000:
        fields["redirecting_count"] = c >> 16
        fields["redirecting_reason"] = _octet(c & 0xFF)
        fields["original_reason"] = _octet(c >> 8 & 0xFF)
    return ev.Ring(
        dch,
        ns,
        handle,
        _channel(ch),
        capability if capability < _NONE else None,
        layer1 if layer1 < _NONE else None,
        not b & 1 << 16,
        b & 1 << 17 != 0,
        b & 1 << 18 != 0,
        ev.progress_descriptions(b & 0xFFFF) if b & 0xFFFF else (),
        **fields,
    )


def _on_progress(kind: type[ev.ProgressEvent]) -> Parser:
    def parse(
        dch: int, handle: int, ns: int, ch: int, a: int, b: int, c: int, octets: bytes, at: int, end: int
    ) -> ev.Event:
        progress = ev.progress_descriptions(a) if a else ()
        if at == end:
            return kind(dch, ns, handle, _channel(ch), progress)
        fields = _fields(octets, at, end)
        return kind(
            dch, ns, handle, _channel(ch), progress, **{k: v for k, v in fields.items() if k in kind.__struct_fields__}
        )

    return parse


def _progress(
    dch: int, handle: int, ns: int, ch: int, a: int, b: int, c: int, octets: bytes, at: int, end: int
) -> ev.Progress:
    display = _fields(octets, at, end).get("display", "")
    return ev.Progress(dch, ns, handle, _channel(ch), ev.progress_descriptions(a), display, b if b >= 0 else None)


def _hangup_request(
    dch: int, handle: int, ns: int, ch: int, a: int, b: int, c: int, octets: bytes, at: int, end: int
) -> ev.HangupRequest:
    fields = _fields(octets, at, end) if at < end else {}
    return ev.HangupRequest(
        dch,
        ns,
        handle,
        _channel(ch),
        a if a >= 0 else None,
        _octet(b),
        bool(c),
        fields.get("display", ""),
        fields.get("user_user", ""),
    )


def _ended(
    dch: int, handle: int, ns: int, ch: int, a: int, b: int, c: int, octets: bytes, at: int, end: int
) -> ev.Ended:
    return ev.Ended(dch, ns, handle, _channel(ch), _octet(a), _octet(b & 0xFF), _CLEARED_BY[b >> 8 & 3], octets[at:end])


def _facility(
    dch: int, handle: int, ns: int, ch: int, a: int, b: int, c: int, octets: bytes, at: int, end: int
) -> ev.Facility:
    return ev.Facility(dch, ns, handle, _channel(ch), **_fields(octets, at, end))


def _digits(octets: bytes, at: int, end: int) -> str:
    digits: str = _fields(octets, at, end).get("digits", "")
    return digits


def _plain(octets: bytes, at: int, end: int) -> str:
    plain: str = _fields(octets, at, end).get("text", "")
    return plain.replace("\\x0a", " ").strip()


_PARSERS: Final[dict[int, Parser]] = {
    lib.EVENT_DCHANNEL_UP: lambda d, h, ns, ch, a, b, c, o, s, e: ev.DChannelUp(d, ns),
    lib.EVENT_DCHANNEL_DOWN: lambda d, h, ns, ch, a, b, c, o, s, e: ev.DChannelDown(d, ns),
    lib.EVENT_LINK_RESET: lambda d, h, ns, ch, a, b, c, o, s, e: ev.LinkReset(d, ns),
    lib.EVENT_CONFIG_ERROR: lambda d, h, ns, ch, a, b, c, o, s, e: ev.ConfigError(d, ns, _plain(o, s, e), bool(a)),
    lib.EVENT_RING: _ring,
    lib.EVENT_SETUP_ACK: _on_progress(ev.SetupAck),
    lib.EVENT_PROCEEDING: _on_progress(ev.Proceeding),
    lib.EVENT_ALERTING: _on_progress(ev.Alerting),
    lib.EVENT_PROGRESS: _progress,
    lib.EVENT_ANSWERED: _on_progress(ev.Answered),
    lib.EVENT_CONNECT_ACK: lambda d, h, ns, ch, a, b, c, o, s, e: ev.ConnectAck(d, ns, h, _channel(ch)),
    lib.EVENT_DIGITS: lambda d, h, ns, ch, a, b, c, o, s, e: ev.InfoReceived(
        d, ns, h, _channel(ch), _digits(o, s, e), bool(a)
    ),
    lib.EVENT_KEYPAD_DIGITS: lambda d, h, ns, ch, a, b, c, o, s, e: ev.KeypadDigits(
        d, ns, h, _channel(ch), _digits(o, s, e)
    ),
    lib.EVENT_HANGUP_REQUEST: _hangup_request,
    lib.EVENT_ENDED: _ended,
    lib.EVENT_RESTART: lambda d, h, ns, ch, a, b, c, o, s, e: ev.Restart(d, ns, _channel(ch)),
    lib.EVENT_RESTART_ACK: lambda d, h, ns, ch, a, b, c, o, s, e: ev.RestartAck(d, ns, _channel(ch)),
    lib.EVENT_SERVICE: lambda d, h, ns, ch, a, b, c, o, s, e: ev.Service(d, ns, _channel(ch), a),
    lib.EVENT_SERVICE_ACK: lambda d, h, ns, ch, a, b, c, o, s, e: ev.ServiceAck(d, ns, _channel(ch), a),
    lib.EVENT_NOTIFY: lambda d, h, ns, ch, a, b, c, o, s, e: ev.Notify(d, ns, h, _channel(ch), a),
    lib.EVENT_FACILITY: _facility,
    lib.EVENT_COMMAND_FAILED: lambda d, h, ns, ch, a, b, c, o, s, e: ev.CommandFailed(
        d, ns, h, COMMANDS.get(a, f"unknown({a})"), FAILURES[b]
    ),
    lib.EVENT_GONE: lambda d, h, ns, ch, a, b, c, o, s, e: ev.Gone(d, ns, a),
    lib.EVENT_DEVICE_EVENT_PENDING: lambda d, h, ns, ch, a, b, c, o, s, e: ev.DeviceEventPending(d, ns),
    lib.EVENT_CLOCK_STEP: lambda d, h, ns, ch, a, b, c, o, s, e: ev.ClockStep(d, ns, a / 1000),
    lib.EVENT_FRAME: lambda d, h, ns, ch, a, b, c, o, s, e: ev.Frame(d, ns, "out" if a else "in", o[s:e]),
    lib.EVENT_ERROR: lambda d, h, ns, ch, a, b, c, o, s, e: ev.Error(d, ns, _plain(o, s, e)),
}


def parse(octets: bytes) -> list[ev.Event]:
    """Return the events packed in `octets`, in the order in which they happened."""
    events: list[ev.Event] = []
    at, end = 0, len(octets)
    while at < end:
        kind, size, dchannel, handle, ns, channel, a, b, c = _HEADER.unpack_from(octets, at)
        if dchannel == _NOBODY:
            dchannel = -1
        events.append(_PARSERS[kind](dchannel, handle, ns, channel, a, b, c, octets, at + _HEADER.size, at + size))
        at += size
    return events
