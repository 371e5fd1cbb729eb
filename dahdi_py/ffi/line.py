# SPDX-License-Identifier: GPL-2.0-or-later
"""The simulated card's lines and the HDLC engines, in C; no cdata leaves this module."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Sequence
from typing import NamedTuple, Self

from dahdi_py.core.terms import Alarms, Law, LineType, Timeslot
from dahdi_py.errors import DahdiPyError, DeviceBusy, DeviceGone, HardwareError, Unsupported
from dahdi_py.ffi._line import ffi, lib

PORTS_MAX: int = lib.CARD_PORTS_MAX
LATE_MS: int = lib.CARD_LATE_MS
"""Ticks later than this are lost as slips, ms."""
DCHANNEL_LIMIT: int = lib.DCHANNEL_LIMIT
"""The longest frame a D-channel carries, octets with FCS."""
DCHANNEL_DEPTH: int = lib.DCHANNEL_DEPTH
"""Frames queued each way on a D-channel's descriptor, at least (short ones: up to twice as many)."""
CHUNK_MAX: int = lib.TIMESLOT_CHUNK_MAX
SPACE_MAX: int = lib.TIMESLOT_SPACE_MAX
"""Octets of chunk * depth."""
DEPTHS = range(2, 33)


class HdlcCounts(NamedTuple):
    """What a receiver saw: frames handed up, and why others were not."""

    frames: int
    fcs_errors: int
    aborts: int
    overlong: int
    misaligned: int
    shorts: int


class PortStatus(NamedTuple):
    """A port at this moment; the counts are totals over its timeslots.

    Attributes:
        slips: Frames lost because the card was late.
        overruns: Blocks or frames dropped because the client did not read.
        underruns: Idle octets sent because the client did not write.
        cut: Writes longer than a block or frame may be.
        hdlc_sent: Frames sent.
        hdlc: What the receivers saw.
    """

    alarms: Alarms
    slips: int
    overruns: int
    underruns: int
    cut: int
    hdlc_sent: int
    hdlc: HdlcCounts


_ERRORS: dict[int, tuple[type[HardwareError], str]] = {
    errno.EBUSY: (DeviceBusy, "it is in use"),
    errno.ENODEV: (DeviceGone, "it does not exist"),
    errno.ENXIO: (DeviceGone, "the timeslot is not configured for that"),
    errno.EMEDIUMTYPE: (Unsupported, "a cable joins two ports of one line type"),
    errno.ENOTCONN: (DeviceGone, "no cable is plugged in"),
    errno.EINVAL: (HardwareError, "a value is out of range"),
}


def refusal(operation: str, span: str, number: int) -> DahdiPyError:
    """The error for that errno: class, operation, span and reason."""
    kind, why = _ERRORS.get(number, (HardwareError, os.strerror(number)))
    return kind(f"sim: {operation} of {span}: {why}", operation=operation, span=span, driver="sim", errno=number)


class Card:
    """A stopped, uncabled card with these ports, numbered from 1.

    Args:
        types: The line type of each port.
        tick_ms: How often the clock moves frames, 1-8 ms.

    Synchronization: one thread; the clock's own thread runs beside it.
    """

    def __init__(self, types: Sequence[LineType], tick_ms: int = 4) -> None:
        wanted = bytes(lib.LINE_E1 if kind is LineType.E1 else lib.LINE_T1 for kind in types)
        self._card = lib.card_new(wanted, len(wanted), tick_ms)
        if self._card == ffi.NULL:
            raise refusal("create", f"{len(wanted)} ports", ffi.errno)
        self.types = tuple(types)
        self._depth = ffi.new("int *")
        self._held = ffi.new("uint32_t *")
        self._status = ffi.new("struct port_status *")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """The clock is stopped, every client's descriptor reads end of file; idempotent."""
        if self._card != ffi.NULL:
            lib.card_free(self._card)
            self._card = ffi.NULL

    def cable(self, a: int, b: int) -> None:
        """A cable joins the two ports.

        Raises:
            DeviceBusy: One of them has a cable.
            Unsupported: Their line types differ.
        """
        _check(lib.card_cable(self._card, a, b), "cable", f"ports {a} and {b}")

    def uncable(self, port: int) -> None:
        """The port's cable is pulled, at both ends.

        Raises:
            DeviceGone: It has none.
        """
        _check(lib.card_uncable(self._card, port), "uncable", f"port {port}")

    def cabled_to(self, port: int) -> int | None:
        """The port at the other end of the cable, or None."""
        return _check(lib.card_cabled_to(self._card, port), "look at", f"port {port}") or None

    def configure(
        self, port: int, bchannels: Collection[int], dchannel: int | None, law: Law, *, force: bool = False
    ) -> None:
        """The port's timeslots are B-channels, D-channel or unused, and idle in that law.

        Raises:
            DeviceBusy: An open timeslot would change, and not forced.
        """
        kinds = bytearray(32)
        for timeslot in bchannels:
            kinds[timeslot] = lib.TIMESLOT_CLEAR
        if dchannel is not None:
            kinds[dchannel] = lib.TIMESLOT_DCHANNEL
        result = lib.card_configure(self._card, port, bytes(kinds), law.idle_octet, force)
        _check(result, "configure", f"port {port}")

    def run_port(self, port: int, running: bool) -> None:
        """The port transmits and receives, or neither."""
        _check(lib.card_run_port(self._card, port, running), "start up", f"port {port}")

    def open_timeslot(
        self, port: int, timeslot: int, idle_octet: int, *, hdlc: bool = False, chunk: int = 160, depth: int = 8
    ) -> tuple[int, int]:
        """A descriptor of the timeslot for the client, who owns it, and the depth it really has.

        Args:
            idle_octet: Sent while the client writes nothing.
            hdlc: Frames instead of octets.
            chunk: Octets a read carries, 1-8192.
            depth: Blocks queued each way, 2-32; the kernel may hold up to 6 small ones where fewer are asked.

        Raises:
            DeviceBusy: A copy of an earlier descriptor is still open.
            DeviceGone: No such timeslot, or not configured as a B-channel.
        """
        self._depth[0] = depth
        fd = lib.card_open_timeslot(self._card, port, timeslot, hdlc, idle_octet, chunk, self._depth)
        if fd < 0:
            raise refusal("open timeslot", f"port {port} timeslot {timeslot}", -fd)
        return fd, self._depth[0]

    def open_dchannel(self, port: int, timeslot: int) -> int:
        """A descriptor of the D-channel's frames for the client, who owns it.

        Raises:
            DeviceBusy: A copy of an earlier descriptor is still open.
            DeviceGone: No such timeslot, or not configured as the D-channel.
        """
        fd = lib.card_open_dchannel(self._card, port, timeslot)
        return _check(fd, "open D-channel", f"port {port} timeslot {timeslot}")

    def held(self, port: int) -> list[Timeslot]:
        """The timeslots with an open descriptor in any process, ascending."""
        _check(lib.card_held(self._card, port, self._held), "read status", f"port {port}")
        return [Timeslot(timeslot) for timeslot in range(1, 32) if self._held[0] >> timeslot & 1]

    def prove_free(self, port: int, timeslot: int) -> None:
        """No process has the timeslot open.

        Raises:
            DeviceBusy: A copy of its last descriptor is still open.
            DeviceGone: No such timeslot.
        """
        _check(lib.card_prove_free(self._card, port, timeslot), "prove free", f"port {port} timeslot {timeslot}")

    def status(self, port: int) -> PortStatus:
        """The port at this moment."""
        _check(lib.card_status(self._card, port, self._status), "read status", f"port {port}")
        s, h = self._status, self._status.hdlc
        return PortStatus(
            Alarms(s.alarms),
            s.slips,
            s.overruns,
            s.underruns,
            s.cut,
            s.hdlc_sent,
            HdlcCounts(h.frames, h.fcs_errors, h.aborts, h.overlong, h.misaligned, h.shorts),
        )

    def news_fd(self) -> int:
        """An eventfd of the card's, readable when a port's alarms changed."""
        return int(lib.card_news_fd(self._card))

    def start_clock(self) -> None:
        """The card ticks by the monotonic clock, in a thread of its own without the interpreter."""
        _check(lib.card_start_clock(self._card), "start", "clock")

    def stop_clock(self) -> None:
        """The card stands still; idempotent."""
        lib.card_stop_clock(self._card)

    def advance(self, ns: int) -> None:
        """That much time has passed for the card, in whole ticks; what is left over counts next time.

        Raises:
            DeviceBusy: The clock runs.
        """
        _check(lib.card_advance(self._card, ns), "advance", "clock")


def _check(result: int, operation: str, span: str) -> int:
    if result < 0:
        raise refusal(operation, span, -result)
    return result


class HdlcTransmitter:
    """Line octets of frames and flags, most significant bit first on the line. Synchronization: one thread."""

    def __init__(self, extra_flags: int = 0) -> None:
        self._tx = ffi.new("struct hdlc_tx *")
        lib.hdlc_tx_init(self._tx, extra_flags)

    def load(self, frame: bytes) -> bool:
        """The frame (without FCS) goes out next; False while an earlier one does, or when it is too long or empty."""
        return bool(lib.hdlc_tx_load(self._tx, frame, len(frame)))

    def send(self, n: int) -> bytes:
        """Up to n line octets of the loaded frame; fewer when it ends."""
        out = ffi.new("uint8_t[]", n)
        return bytes(ffi.buffer(out, lib.hdlc_tx_send(self._tx, out, n)))

    def idle(self, n: int) -> bytes:
        """N line octets of flags; only when `send` has nothing left."""
        out = ffi.new("uint8_t[]", n)
        lib.hdlc_tx_idle(self._tx, out, n)
        return bytes(ffi.buffer(out, n))

    def abort(self) -> None:
        """What is left of the loaded frame is replaced by an abort."""
        lib.hdlc_tx_abort(self._tx)


class HdlcReceiver:
    """Frames out of line octets at any bit phase.

    Args:
        limit: The longest frame taken, octets with FCS.

    Synchronization: one thread.
    """

    def __init__(self, limit: int = DCHANNEL_LIMIT) -> None:
        self._rx = ffi.new("struct hdlc_rx *")
        self._length = ffi.new("size_t *")
        lib.hdlc_rx_init(self._rx, limit)

    def feed(self, octets: bytes) -> list[bytes]:
        """The frames, with FCS, that ended in these line octets."""
        frames: list[bytes] = []
        line, at = ffi.from_buffer("uint8_t[]", octets), 0
        while at < len(octets):
            at += lib.hdlc_rx_feed(self._rx, line + at, len(octets) - at, self._length)
            if self._length[0]:
                frames.append(bytes(ffi.buffer(self._rx.frame, self._length[0])))
        return frames

    @property
    def counts(self) -> HdlcCounts:
        """What was seen so far."""
        c = self._rx.counts
        return HdlcCounts(c.frames, c.fcs_errors, c.aborts, c.overlong, c.misaligned, c.shorts)


def fcs(octets: bytes) -> int:
    """The FCS-16 of the octets as sent, low octet first. Source: Q.921 2.7."""
    return int(lib.hdlc_fcs(octets, len(octets)))
