# SPDX-License-Identifier: GPL-2.0-or-later
"""DAHDI's requests on an open channel, one typed function each; errors as `dahdi_errors` tells.

`channel` is a descriptor of `open_channel` on which `specify` succeeded. There is no function for DAHDI_SYNC: it may
never return.

Source: DAHDI 2.11.1 user.h and dahdi-base.c, behaviour as measured on a running kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path

from dahdi_py.ffi._dahdi import ffi, lib
from dahdi_py.ffi.dahdi import DEVICES, LAWS
from dahdi_py.ffi.dahdi_errors import checked, open_node

BUFFER_SPACE = 32768
"""Octets the kernel gives a channel for its buffers each way: count times size."""


class Flush(IntFlag):
    """What to throw away of a channel."""

    READ = lib.ABI_FLUSH_READ
    WRITE = lib.ABI_FLUSH_WRITE
    EVENT = lib.ABI_FLUSH_EVENT


EVENTS = {
    1: "on_hook", 2: "ring_off_hook", 3: "wink_flash", 4: "alarm", 5: "no_alarm", 6: "abort", 7: "overrun",
    8: "bad_fcs", 9: "dial_complete", 10: "ringer_on", 11: "ringer_off", 12: "hook_complete", 13: "bits_changed",
    14: "pulse_start", 15: "timer_expired", 16: "timer_ping", 17: "polarity", 18: "ring_begin", 19: "ec_disabled",
    20: "removed", 21: "neon_active", 22: "neon_inactive", 23: "tx_ced", 24: "rx_ced", 25: "tx_cng", 26: "rx_cng",
    27: "ec_nlp_disabled", 28: "ec_nlp_enabled", 29: "read_overrun", 30: "write_underrun",
}  # fmt: skip
"""A channel's events by number. Source: user.h DAHDI_EVENT_*."""


@dataclass(frozen=True, slots=True)
class Buffers:
    """A channel's buffers each way: how many, of how many octets; policy 0 sends at once."""

    policy: int
    count: int
    size: int


def open_channel(devices: Path = DEVICES) -> int:
    """A non-blocking descriptor that `specify` will make a channel's."""
    return open_node(devices / "channel")


def specify(channel: int, channo: int) -> None:
    """The descriptor is that channel's from now on.

    Raises:
        DeviceBusy: Some descriptor of the channel is still open somewhere.
        DeviceGone: No such channel.
    """
    checked(lib.dahdi_specify(channel, channo), "SPECIFY", f"channel {channo}")


def channo(channel: int) -> int:
    """The number of the channel that the descriptor is of."""
    return checked(lib.dahdi_channo(channel), "CHANNO", "a channel")


def getevent(channel: int) -> str:
    """The oldest event of the channel by name, taken off its queue; empty when there is none."""
    number = checked(lib.dahdi_getevent(channel), "GETEVENT", "a channel")
    return EVENTS.get(number, f"event {number}") if number else ""


def drain_writes(channel: int) -> None:
    """All that was written has been sent; waits for it on a blocking descriptor."""
    checked(lib.dahdi_iomux(channel, lib.ABI_IOMUX_WRITE_EMPTY), "IOMUX", "a channel")


def get_bufinfo(channel: int) -> Buffers:
    """The channel's buffers."""
    found = ffi.new("struct abi_buffers *")
    checked(lib.dahdi_get_bufinfo(channel, found), "GET_BUFINFO", "a channel")
    return Buffers(found.tx_policy, found.count, found.size)


def set_bufinfo(channel: int, count: int, size: int) -> None:
    """The channel has `count` (2-32) buffers of `size` (16-8192) octets each way, empty, and sends at once."""
    result = lib.dahdi_set_bufinfo(channel, lib.ABI_POLICY_IMMEDIATE, count, size)
    checked(result, "SET_BUFINFO", f"a channel ({count} buffers of {size} octets)")


def audiomode(channel: int, on: bool) -> None:
    """A clear channel carries voice (canceller and gains work) or plain octets."""
    checked(lib.dahdi_audiomode(channel, on), "AUDIOMODE", "a channel")


def echocancel(channel: int, taps: int) -> None:
    """The attached canceller works with so many taps (32-1024, 8 a ms), or not (0); none attached: nothing happens."""
    checked(lib.dahdi_echocancel(channel, taps), "ECHOCANCEL", "a channel")


def setlaw(channel: int, law: str) -> None:
    """The channel's law until it is closed."""
    checked(lib.dahdi_setlaw(channel, LAWS[law]), "SETLAW", "a channel")


def getgains(channel: int) -> tuple[bytes, bytes]:
    """What each octet becomes when received, and when sent: two tables of 256."""
    found = ffi.new("struct abi_gains *")
    checked(lib.dahdi_getgains(channel, found), "GETGAINS", "a channel")
    return bytes(found.rx), bytes(found.tx)


def setgains(channel: int, rx: bytes, tx: bytes) -> None:
    """Octets are looked up in these tables of 256 when received and when sent; needs `audiomode`."""
    if len(rx) != 256 or len(tx) != 256:
        raise ValueError("a gain table has 256 octets")
    checked(lib.dahdi_setgains(channel, rx, tx), "SETGAINS", "a channel")


def flush(channel: int, what: Flush) -> None:
    """What was queued is thrown away."""
    checked(lib.dahdi_flush(channel, int(what)), "FLUSH", "a channel")


def buffer_events(channel: int, on: bool) -> None:
    """Overruns and underruns are events, or not; the next one to open the channel inherits this."""
    checked(lib.dahdi_buffer_events(channel, on), "BUFFER_EVENTS", "a channel")


def connect(channel: int, channo: int) -> None:
    """The channel sends what the channel of that number receives, each octet one tick later; writes go nowhere.

    It stays so, whoever opens the other channel next, until `disconnect` or until this channel is closed. Gains and
    canceller of both work on it. Needs `audiomode`.
    """
    checked(lib.dahdi_setconf(channel, 0, channo, lib.ABI_CONF_DIGITAL), "SETCONF", f"a channel to channel {channo}")


def disconnect(channel: int, channo: int = 0) -> None:
    """The channel sends what is written to it.

    Args:
        channo: Another channel than the descriptor's own, 0 for that.
    """
    checked(lib.dahdi_setconf(channel, channo, 0, lib.ABI_CONF_NORMAL), "SETCONF", f"channel {channo or 'of its own'}")


def hdlcrawmode(channel: int, on: bool) -> None:
    """A clear channel carries HDLC frames, FCS as ordinary octets."""
    checked(lib.dahdi_hdlcrawmode(channel, on), "HDLCRAWMODE", "a channel")


def hdlcfcsmode(channel: int, on: bool) -> None:
    """A clear channel carries HDLC frames; the kernel makes and checks the FCS."""
    checked(lib.dahdi_hdlcfcsmode(channel, on), "HDLCFCSMODE", "a channel")


def hdlc_rate(channel: int, kbit: int) -> None:
    """HDLC uses 64 or 56 kbit/s of the channel."""
    checked(lib.dahdi_hdlc_rate(channel, kbit), "HDLC_RATE", "a channel")


def loopback(channel: int, on: bool) -> None:
    """Received octets are sent back, until the channel is closed."""
    checked(lib.dahdi_loopback(channel, on), "LOOPBACK", "a channel")
