# SPDX-License-Identifier: GPL-2.0-or-later
"""What libpri reports, as frozen events: copied out at once, with our handle in place of libpri's pointer."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

import msgspec

_MOMENT = struct.Struct("<QBBBB4x")
_NONE = 0xFF
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
# libpri's bit in a progress mask -> progress description. Source: Q.931 4.5.23, ECMA-143 for 16-19.
_DESCRIPTIONS = (1, 2, 3, 8, 10, 16, 17, 18, 19, 4)


def text(octets: bytes) -> str:
    """Return a peer's octets as text that is safe to print: Latin-1, control characters as ``\\xNN``."""
    decoded = octets.decode("latin-1")
    return decoded if decoded.isprintable() else decoded.translate(_CONTROL)


@lru_cache(maxsize=256)
def progress_descriptions(mask: int) -> tuple[int, ...]:
    """Return the progress descriptions in libpri's mask. Source: Q.931 4.5.23."""
    return tuple(description for bit, description in enumerate(_DESCRIPTIONS) if mask >> bit & 1)


class _Frozen(msgspec.Struct, frozen=True, gc=False):
    pass


class Number(_Frozen, frozen=True, gc=False):
    """A party's number. Source: Q.931 4.5.8, 4.5.10.

    Args:
        digits: As received, printable.
        plan: Numbering plan, 0-15.
        type: Type of number, 0-7.
        presentation: 0 allowed, 1 restricted, 2 not available; None where the element has no octet 3a.
        screening: 0-3, or None.
    """

    digits: str
    plan: int = 0
    type: int = 0
    presentation: int | None = None
    screening: int | None = None


class Subaddress(_Frozen, frozen=True, gc=False):
    """A subaddress; type 0 is NSAP, 2 user specified. Source: Q.931 4.5.9, 4.5.11."""

    octets: bytes
    type: int
    odd: bool


class Moment(_Frozen, frozen=True, gc=False):
    """One Q.931 message of a call: when (ns on the pump's clock), which, from whom, with which cause and location."""

    ns: int
    message_type: int
    direction: Literal["in", "out"]
    cause: int | None
    location: int | None


def moments(octets: bytes) -> Iterator[Moment]:
    """Yield the moments of a packed timeline, oldest first."""
    for ns, message_type, direction, cause, location in _MOMENT.iter_unpack(octets):
        yield Moment(
            ns,
            message_type,
            "out" if direction else "in",
            None if cause == _NONE else cause,
            None if location == _NONE else location,
        )


class Event(_Frozen, frozen=True, gc=False):
    """Something a D-channel showed at `ns` on the pump's clock; `dchannel` is -1 if libpri did not say which."""

    dchannel: int
    ns: int


class DChannelUp(Event, frozen=True, gc=False):
    """The data link is in multiple frame operation. Source: Q.921 5.5.1."""


class DChannelDown(Event, frozen=True, gc=False):
    """The data link is no longer in multiple frame operation; libpri tries to bring it back by itself."""


class LinkReset(Event, frozen=True, gc=False):
    """The peer re-established a link that was up: messages may be lost. Source: Q.921 5.7."""


class ConfigError(Event, frozen=True, gc=False):
    """Both ends claim the same side, or the line is looped; `echo`: it is, our own last message came back."""

    text: str
    echo: bool = False


class Gone(Event, frozen=True, gc=False):
    """The D-channel's descriptor is at its end or in error `errno` (0: end of file) and is no longer watched."""

    errno: int


class DeviceEventPending(Event, frozen=True, gc=False):
    """The device has events to be read first; nothing moves on this D-channel until ``kick``."""


class ClockStep(Event, frozen=True, gc=False):
    """The wall clock leapt by `seconds` while libpri's timers run on it (shared library only)."""

    seconds: float


class Frame(Event, frozen=True, gc=False):
    """A frame as it passed, without FCS."""

    direction: Literal["in", "out"]
    octets: bytes


class Error(Event, frozen=True, gc=False):
    """libpri complained."""

    text: str


class Restart(Event, frozen=True, gc=False):
    """The peer restarted a channel; None: all. libpri has acknowledged already and cleared nothing."""

    channel: int | None


class RestartAck(Event, frozen=True, gc=False):
    """The peer acknowledged our RESTART; None: it did not say of which channel."""

    channel: int | None


class Service(Event, frozen=True, gc=False):
    """The peer changes a channel's service status, None: the D-channel's. 0 in service, 2 out of service."""

    channel: int | None
    status: int


class ServiceAck(Event, frozen=True, gc=False):
    """The peer acknowledged our SERVICE."""

    channel: int | None
    status: int


class CommandFailed(Event, frozen=True, gc=False):
    """A command was not carried out; a setup that fails has no call and no `Ended`."""

    handle: int
    command: str
    reason: Literal[
        "stale_handle",
        "handle_in_use",
        "wrong_state",
        "dchannel_down",
        "congested",
        "no_dchannel",
        "malformed",
        "by_libpri",
    ]


class CallEvent(Event, frozen=True, gc=False):
    """Something of the call `handle`; `channel` is its B-channel number now, None: none or any."""

    handle: int
    channel: int | None


class Ring(CallEvent, frozen=True, gc=False):
    """SETUP came. `handle` names the call from now on.

    Args:
        capability: Information transfer capability, 5 bits; layer1: user information layer 1, 5 bits and 0x20.
            Source: Q.931 4.5.5.
        exclusive: The channel is the only one the peer accepts.
        complete: Sending complete was there.
        redirecting_reason: 4 bits. Source: Q.931 4.6.7 (ETS 300 207-1).
    """

    capability: int | None
    layer1: int | None
    exclusive: bool
    complete: bool
    reverse_charge: bool
    progress: tuple[int, ...]
    called: Number | None = None
    calling: Number | None = None
    calling_name: str = ""
    ani: Number | None = None
    redirecting: Number | None = None
    redirecting_name: str = ""
    redirecting_reason: int | None = None
    redirecting_count: int = 0
    original_called: Number | None = None
    original_called_name: str = ""
    original_reason: int | None = None
    called_subaddress: Subaddress | None = None
    calling_subaddress: Subaddress | None = None
    keypad: str = ""
    user_user: str = ""
    display: str = ""


class ProgressEvent(CallEvent, frozen=True, gc=False):
    """A message on the way to the answer, with its progress descriptions (8: in-band information is there)."""

    progress: tuple[int, ...]
    display: str = ""


class SetupAck(ProgressEvent, frozen=True, gc=False):
    """SETUP ACKNOWLEDGE: more digits are wanted."""


class Proceeding(ProgressEvent, frozen=True, gc=False):
    """CALL PROCEEDING: the number is complete."""


class Alerting(ProgressEvent, frozen=True, gc=False):
    """ALERTING: the called user's terminal rings."""


class Progress(ProgressEvent, frozen=True, gc=False):
    """PROGRESS, with a cause if it carried one."""

    cause: int | None = None


class Answered(ProgressEvent, frozen=True, gc=False):
    """CONNECT came; CONNECT ACKNOWLEDGE has been sent."""

    connected: Number | None = None
    connected_name: str = ""
    user_user: str = ""


class ConnectAck(CallEvent, frozen=True, gc=False):
    """CONNECT ACKNOWLEDGE came (only where acknowledging by hand is on)."""


class InfoReceived(CallEvent, frozen=True, gc=False):
    """Overlap digits came."""

    digits: str
    complete: bool


class KeypadDigits(CallEvent, frozen=True, gc=False):
    """Keypad digits came."""

    digits: str


class Notify(CallEvent, frozen=True, gc=False):
    """NOTIFY with an indicator. Source: Q.931 4.5.22."""

    indicator: int


class Facility(CallEvent, frozen=True, gc=False):
    """The connected party or a display text changed."""

    connected: Number | None = None
    connected_name: str = ""
    display: str = ""


class HangupRequest(CallEvent, frozen=True, gc=False):
    """DISCONNECT came: the peer clears. The call is over once we hang up too; with `in_band` there may be something
    to hear until then. An unanswered call we have not even acknowledged is released without asking.
    """

    cause: int | None
    location: int | None
    in_band: bool
    display: str = ""
    user_user: str = ""


class Ended(CallEvent, frozen=True, gc=False):
    """The call is over and its handle retired: the last event of every call, and the only one of its kind.

    Args:
        cause: Of the first clearing message that carried one; of libpri where none did. None: nobody said.
        location: Who says so. Source: Q.850 2.2.3. None where no message carried one.
        cleared_by: Who sent the first clearing message; ``protocol``: nobody did (a timer, the link, a STATUS).
        packed: The timeline.
    """

    cause: int | None
    location: int | None
    cleared_by: Literal["protocol", "us", "peer"]
    packed: bytes

    @property
    def timeline(self) -> tuple[Moment, ...]:
        """Every message of the call in order, the first 32."""
        return tuple(moments(self.packed))
