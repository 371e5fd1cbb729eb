# SPDX-License-Identifier: GPL-2.0-or-later
"""One framer of the simulated card by itself, and the line behind it, for whoever wants to see their bits.

A line is octets here: FRAME_SPAN of them a frame, as the card keeps them in memory (E1: timeslots 0-31; T1: the F bit
in the highest bit of the first octet, timeslots 1-24 behind it).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from dahdi_py.core.far_end_reports import Reports
from dahdi_py.core.terms import Alarms, Coding, Framing, LineType
from dahdi_py.ffi._line import ffi, lib

FRAME_SPAN: int = lib.FRAME_SPAN
FRAMES_MAX: int = lib.TICK_FRAMES_MAX
"""Frames that a framer takes at once."""
FORCE_AIS: int = lib.FORCE_AIS
FORCE_RAI: int = lib.FORCE_RAI
FORCE_NO_SIGNAL: int = lib.FORCE_NO_SIGNAL

_CODINGS = {Coding.AMI: lib.CODING_AMI, Coding.HDB3: lib.CODING_HDB3, Coding.B8ZS: lib.CODING_B8ZS}
_FRAMINGS = {Framing.D4: lib.FRAMING_D4, Framing.ESF: lib.FRAMING_ESF}


class FramerCounts(NamedTuple):
    """Events since a framer began.

    Attributes:
        violations: Of the line code.
        crc: Blocks with a wrong CRC: CRC-4 submultiframes, CRC-6 extended superframes.
        ebit: E1: blocks that the far end says were wrong.
        fas: E1: frame alignment words in error; T1: framing bits in error.
        severe: E1: losses of frame alignment; T1: framing periods with two errors.
        reframes: Frame alignment found.
        cofa: And found at another place than before.
    """

    violations: int
    crc: int
    ebit: int
    fas: int
    severe: int
    reframes: int
    cofa: int


def _type(kind: LineType) -> int:
    return lib.LINE_E1 if kind is LineType.E1 else lib.LINE_T1


class Framer:
    """A framer that has found nothing yet.

    Synchronization: one thread.
    """

    def __init__(
        self, kind: LineType, framing: Framing, coding: Coding, *, crc4: bool = False, cas: bool = False
    ) -> None:
        self.kind = kind
        self._framer = ffi.new("struct framer *")
        lib.framer_init(self._framer, self._config(framing, coding, crc4, cas))
        self._slots = ffi.new("uint8_t[32][72]")
        self._line = ffi.new("uint8_t[72][32]")
        self._code = ffi.new("uint16_t *")

    def _config(self, framing: Framing, coding: Coding, crc4: bool, cas: bool) -> Any:
        words = _FRAMINGS.get(framing, lib.FRAMING_E1)
        return ffi.new("struct framing_config *", [_type(self.kind), words, _CODINGS[coding], crc4, cas])

    def configure(self, framing: Framing, coding: Coding, *, crc4: bool = False, cas: bool = False) -> None:
        """That configuration, in service; frames are looked for anew."""
        lib.framer_configure(self._framer, self._config(framing, coding, crc4, cas))

    @property
    def alarms(self) -> Alarms:
        """What the bits received last say."""
        return Alarms(self._framer.alarms)

    @property
    def counts(self) -> FramerCounts:
        """All that happened so far."""
        return FramerCounts(*(getattr(self._framer.counts, name) for name in FramerCounts._fields))

    def force(self, signals: int) -> None:
        """Those of FORCE_AIS, FORCE_RAI and FORCE_NO_SIGNAL are sent, whatever is received."""
        self._framer.force = signals

    def send(self, timeslots: Sequence[bytes], frames: int) -> bytes:
        """The line's next frames; `timeslots` has 32 of octets, those of the framer and of no timeslot too."""
        for slot, octets in enumerate(timeslots):
            ffi.buffer(self._slots[slot], 72)[:frames] = octets[:frames]
        lib.framer_send(self._framer, self._slots, 0xFFFFFFFF, self._line, frames)
        return bytes(ffi.buffer(self._line, frames * FRAME_SPAN))

    def receive(self, line: bytes, *, signal: bool = True, violations: int = 0) -> list[bytes]:
        """The octets of 32 timeslots that came with those rows of the line."""
        frames = len(line) // FRAME_SPAN
        ffi.buffer(self._line, len(line))[:] = line
        given = ffi.new("struct line_input *", [signal, violations])
        lib.framer_receive(self._framer, self._line, given, self._slots, 0xFFFFFFFF, frames)
        return [bytes(ffi.buffer(self._slots[slot], frames)) for slot in range(32)]

    def send_bom(self, code: int, repeats: int) -> bool:
        """ESF: the codeword goes out that many times, 0 for until the next order; False when it is none."""
        return lib.framer_send_bom(self._framer, code, repeats)

    @property
    def bom(self) -> int:
        """ESF: the codeword that is being received, 0 for none."""
        return lib.framer_bom(self._framer)

    @property
    def boms(self) -> tuple[int, int]:
        """ESF: how many messages were received, and the last one."""
        count = lib.framer_boms(self._framer, self._code)
        return count, self._code[0]

    def number_reports(self, number: int) -> None:
        """ESF: the second that is reported next has that number; ends with other numbers are told from a loop."""
        lib.framer_number_reports(self._framer, number)

    @property
    def reports(self) -> Reports:
        """ESF: the seconds that the far end has reported."""
        told = lib.framer_reports(self._framer)
        return Reports(told.total, tuple(told.newest))

    @property
    def spare(self) -> int:
        """E1: the spare bits received, Sa4 highest of five."""
        return lib.framer_spare(self._framer)

    @spare.setter
    def spare(self, bits: int) -> None:
        lib.framer_send_spare(self._framer, bits)

    def spoil(self, *, fas: int = 0, crc: int = 0) -> None:
        """So many frame alignment words (T1: framing bits) and CRCs more go out wrong."""
        lib.framer_spoil(self._framer, fas, crc)


class LineDelay:
    """A line whose bits come out that many bit times later, ones that were never sent as zeros.

    Synchronization: one thread.
    """

    def __init__(self, kind: LineType, bits: int) -> None:
        self._type = _type(kind)
        self._delay = ffi.new("struct line_delay *")
        self.set(bits)

    def set(self, bits: int) -> None:
        """The delay from now on; what was on its way is lost."""
        if not lib.line_delay_set(self._delay, self._type, bits):
            raise MemoryError

    def close(self) -> None:
        """Nothing is on its way and the memory is gone."""
        self.set(0)

    def run(self, line: bytes) -> bytes:
        """What comes out while those rows go in."""
        rows = ffi.new("uint8_t[]", line)
        frames = len(line) // FRAME_SPAN
        lib.line_delay_run(self._delay, self._type, ffi.cast("uint8_t(*)[32]", rows), frames)
        return bytes(ffi.buffer(rows, frames * FRAME_SPAN))


class LineCode:
    """A line whose ends are set to two line codes.

    Synchronization: one thread.
    """

    def __init__(self, kind: LineType, sent: Coding, read: Coding) -> None:
        self._type = _type(kind)
        self._codings = (_CODINGS[sent], _CODINGS[read])
        self._code = ffi.new("struct line_code *")

    def run(self, line: bytes) -> tuple[bytes, int]:
        """What the far end reads of those rows, sixteen bits later, and the violations it counts."""
        rows = ffi.new("uint8_t[]", line)
        frames = len(line) // FRAME_SPAN
        cast = ffi.cast("uint8_t(*)[32]", rows)
        violations = lib.line_code_pass(self._code, *self._codings, self._type, cast, frames)
        return bytes(ffi.buffer(rows, frames * FRAME_SPAN)), violations


def crc(kind: LineType, rows: bytes) -> int:
    """The CRC-4 of a submultiframe of 8 rows or the CRC-6 of an extended superframe of 24."""
    frames = ffi.cast("uint8_t(*)[32]", ffi.from_buffer("uint8_t[]", rows))
    if kind is LineType.E1:
        state = ffi.new("struct crc4 *")
        lib.crc4_add(state, 0, frames, 8)
        return lib.crc4_take(state)
    state = ffi.new("struct crc6 *")
    lib.crc6_add(state, 0, frames, 24)
    return lib.crc6_take(state)
