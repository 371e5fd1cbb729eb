# SPDX-License-Identifier: GPL-2.0-or-later
"""The simulated card's lines and the HDLC engines, in C; no cdata leaves this module."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Sequence
from typing import Self

from dahdi_py.core.far_end_reports import Reports
from dahdi_py.core.terms import Alarms, Coding, Framing, Law, LineType, Timeslot
from dahdi_py.errors import DahdiPyError, DeviceBusy, DeviceGone, HardwareError, Unsupported
from dahdi_py.ffi._line import ffi, lib
from dahdi_py.ffi.hdlc import HdlcCounts
from dahdi_py.ffi.line_types import (
    FarEnd,
    FarEndStatus,
    Fault,
    InbandCode,
    LineCounts,
    Loop,
    Order,
    PortStatus,
    WayStatus,
)

PORTS_MAX: int = lib.CARD_PORTS_MAX
LATE_MS: int = lib.CARD_LATE_MS
"""Ticks later than this are lost as slips, ms."""
DCHANNEL_DEPTH: int = lib.DCHANNEL_DEPTH
"""Frames queued each way on a D-channel's descriptor, at least (short ones: up to twice as many)."""
CHUNK_MAX: int = lib.TIMESLOT_CHUNK_MAX
SPACE_MAX: int = lib.TIMESLOT_SPACE_MAX
"""Octets of chunk * depth."""
DEPTHS = range(2, 33)


_FRAMINGS = {
    Framing.CCS: lib.FRAMING_E1,
    Framing.CAS: lib.FRAMING_E1,
    Framing.D4: lib.FRAMING_D4,
    Framing.ESF: lib.FRAMING_ESF,
}
_CODINGS = {Coding.AMI: lib.CODING_AMI, Coding.HDB3: lib.CODING_HDB3, Coding.B8ZS: lib.CODING_B8ZS}
_ERRORS: dict[int, tuple[type[HardwareError], str]] = {
    errno.EBUSY: (DeviceBusy, "it is in use"),
    errno.ENODEV: (DeviceGone, "it does not exist"),
    errno.ENXIO: (DeviceGone, "the timeslot is not configured for that"),
    errno.EXDEV: (Unsupported, "a cable joins two ports of one line type"),
    errno.EMEDIUMTYPE: (Unsupported, "its line type or framing cannot be that"),
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
        span, result = f"ports {a} and {b}", lib.card_cable(self._card, a, b)
        if result == -errno.EMEDIUMTYPE:
            kinds = f"{a} is {self.types[a - 1]}, {b} is {self.types[b - 1]}"
            why = f"sim: cable of {span}: a cable joins two ports of one line type, and {kinds}"
            raise Unsupported(why, operation="cable", span=span, driver="sim", errno=-result)
        _check(result, "cable", span)

    def uncable(self, port: int) -> None:
        """The port's cable is pulled, at both ends.

        Raises:
            DeviceGone: It has none.
        """
        _check(lib.card_uncable(self._card, port), "uncable", f"port {port}")

    def cabled_to(self, port: int) -> int | None:
        """The port at the other end of the cable, or None."""
        return _check(lib.card_cabled_to(self._card, port), "look at", f"port {port}") or None

    def fault(
        self, port: int, fault: Fault, value: float, *, outward: bool = False, duration_ms: int | None = None
    ) -> None:
        """The fault begins on the cable's way to the port, or, `outward`, from it.

        Args:
            value: CUT and AIS: 1 on, 0 off. BIT_ERRORS and BURST: a rate, 0-0.5. FRAMING, CRC, VIOLATIONS: how many.
                FLAP: how many times. DELAY: bits, up to a second's. LOSS: dB, 0-100.
            duration_ms: How long CUT, AIS or BURST last; None is for good. Of FLAP the period, half of it down.

        Raises:
            DeviceGone: No cable is plugged in.
            HardwareError: The value is out of range.
        """
        frames = lib.WAY_FOREVER if duration_ms is None else duration_ms * lib.FRAMES_PER_MS
        result = lib.card_fault(self._card, port, outward, int(fault), value, frames)
        _check(result, f"inject {fault.name.lower()}", f"port {port}")

    def mend(self, port: int, *, outward: bool = False) -> None:
        """The cable's way to the port (or from it) is without fault.

        Raises:
            DeviceGone: No cable is plugged in.
        """
        _check(lib.card_mend(self._card, port, outward), "mend", f"port {port}")

    def faults(self, port: int, *, outward: bool = False) -> WayStatus | None:
        """What is wrong with the cable's way to the port (or from it); None without a cable."""
        status = ffi.new("struct way_status *")
        result = lib.card_faults(self._card, port, outward, status)
        if result == -errno.ENOTCONN:
            return None
        _check(result, "look at", f"port {port}")
        return WayStatus(*(getattr(status, name) for name in WayStatus._fields))

    def seed(self, port: int, seed: int) -> None:
        """Random faults on the way to the port are the same each time from here on."""
        _check(lib.card_seed(self._card, port, seed % 2**64), "seed", f"port {port}")

    def clock(self, port: int, ppm: float) -> None:
        """The port's own oscillator is off nominal by so much, -500 to 500 ppm.

        Raises:
            HardwareError: It is more.
        """
        _check(lib.card_clock(self._card, port, ppm), "clock", f"port {port}")

    def follow(self, port: int, follows: bool) -> None:
        """The port takes its clock from the line while that is fit for it, or from its own oscillator."""
        _check(lib.card_follow(self._card, port, follows), "clock", f"port {port}")

    def build_out(self, port: int, db: float) -> None:
        """What the port sends is weaker by so much, 0-30 dB.

        Raises:
            HardwareError: It is more.
        """
        _check(lib.card_build_out(self._card, port, db), "build out", f"port {port}")

    def loop(self, port: int, loop: Loop, duration_ms: int | None = None) -> None:
        """The whole port is in that loop, and in no other, for so long; None is for good."""
        _check(lib.card_loop(self._card, port, int(loop), _frames(duration_ms)), "loop", f"port {port}")

    def far_end(self, port: int, kind: FarEnd) -> None:
        """A CSU or NIU stands at the other end of the port's line, in place of a cable; or none any more.

        Raises:
            DeviceBusy: A cable or another far end is plugged in.
            DeviceGone: There is none to take away.
            Unsupported: The port is an E1, which has no loop codes.
        """
        _check(lib.card_far_end(self._card, port, int(kind)), "plug a far end", f"port {port}")

    def far_end_status(self, port: int) -> FarEndStatus | None:
        """The far end at the port; None where there is none."""
        status = ffi.new("struct far_end_status *")
        result = lib.card_far_end_status(self._card, port, status)
        if result == -errno.ENOTCONN:
            return None
        _check(result, "look at", f"port {port}")
        s = status
        return FarEndStatus(FarEnd(s.kind), Loop(s.loop), Order(s.ordered), s.obeyed, Alarms(s.alarms))

    def send_code(self, port: int, code: InbandCode, duration_ms: int) -> None:
        """The port sends an in-band loop code in place of all its timeslots for that long.

        Raises:
            Unsupported: The port is an E1, which has no loop codes.
        """
        frames = duration_ms * lib.FRAMES_PER_MS
        _check(lib.card_send_code(self._card, port, int(code), frames), "send a code", f"port {port}")

    def send_codeword(self, port: int, codeword: int, times: int) -> None:
        """The port sends a codeword on ESF's data link so many times, 4 ms each.

        Args:
            codeword: As the standard writes it, 0xxxxxx0 11111111 in binary.

        Raises:
            Unsupported: The port is not in ESF framing, or it is no codeword.
        """
        _check(lib.card_send_codeword(self._card, port, codeword, times), "send a codeword", f"port {port}")

    def loop_timeslots(self, port: int, timeslots: Collection[int], duration_ms: int | None = None) -> None:
        """These timeslots go back as they arrive, and no others, for so long; None is for good."""
        mask = sum(1 << timeslot for timeslot in set(timeslots))
        _check(lib.card_slot_loops(self._card, port, mask, _frames(duration_ms)), "loop", f"port {port}")

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

    def frame(self, port: int, framing: Framing, coding: Coding, crc4: bool) -> None:
        """The port's line is framed and coded so; frames are looked for anew when that changes.

        Raises:
            HardwareError: Its line type cannot be that.
        """
        cas = framing is Framing.CAS
        result = lib.card_frame(self._card, port, _FRAMINGS[framing], _CODINGS[coding], crc4, cas)
        _check(result, "frame", f"port {port}")

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
        return _slots(self._held[0])

    def prove_free(self, port: int, timeslot: int) -> None:
        """No process has the timeslot open.

        Raises:
            DeviceBusy: A copy of its last descriptor is still open.
            DeviceGone: No such timeslot.
        """
        _check(lib.card_prove_free(self._card, port, timeslot), "prove free", f"port {port} timeslot {timeslot}")

    def missed(self, port: int, timeslot: int) -> tuple[int, int]:
        """Blocks the timeslot's client did not read and octets it did not write, since it was opened last.

        Raises:
            DeviceGone: No such timeslot.
        """
        found = ffi.new("uint64_t[2]")
        result = lib.card_missed(self._card, port, timeslot, found, found + 1)
        _check(result, "read counters", f"port {port} timeslot {timeslot}")
        return int(found[0]), int(found[1])

    def join(self, a: tuple[int, int], b: tuple[int, int]) -> None:
        """The two open timeslots (port, timeslot) are joined in the card: each sends what the other receives.

        Raises:
            DeviceBusy: One of them is joined already.
            DeviceGone: No such timeslot, or one is not open with octets.
            HardwareError: They are one timeslot.
        """
        ends = f"port {a[0]} timeslot {a[1]} and port {b[0]} timeslot {b[1]}"
        _check(lib.card_join(self._card, *a, *b), "join", ends)

    def part(self, port: int, timeslot: int) -> None:
        """The timeslot and the one it was joined with have their clients again; once is enough.

        Raises:
            DeviceGone: No such timeslot.
        """
        result = lib.card_part(self._card, port, timeslot)
        _check(0 if result == -errno.ENOTCONN else result, "part", f"port {port} timeslot {timeslot}")

    def status(self, port: int) -> PortStatus:
        """The port at this moment."""
        _check(lib.card_status(self._card, port, self._status), "read status", f"port {port}")
        s, h = self._status, self._status.hdlc
        return PortStatus(
            Alarms(s.alarms),
            round(s.level_db, 3) + 0.0 if s.signal else None,
            s.clocked_by_line,
            s.clock_ppm,
            s.follows,
            s.oscillator_ppm,
            Loop(s.loop),
            _slots(s.slot_loops),
            _left_ms(s.loop_left),
            _left_ms(s.slot_loops_left),
            LineCounts(*(getattr(s.line, name) for name in LineCounts._fields)),
            Reports(s.reports.total, tuple(s.reports.newest)) if s.reported else None,
            s.slips,
            s.slips_left_out,
            s.slips_repeated,
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


def _frames(duration_ms: int | None) -> int:
    """How long a loop lasts."""
    return int(lib.LOOP_STAYS) if duration_ms is None else duration_ms * int(lib.FRAMES_PER_MS)


def _left_ms(frames: int) -> int | None:
    """How long it lasts still, of the last millisecond all; None is for good."""
    return -(-frames // int(lib.FRAMES_PER_MS)) if frames != lib.LOOP_STAYS else None


def _slots(mask: int) -> list[Timeslot]:
    return [Timeslot(timeslot) for timeslot in range(1, 32) if mask >> timeslot & 1]


def _check(result: int, operation: str, span: str) -> int:
    if result < 0:
        raise refusal(operation, span, -result)
    return result
