# SPDX-License-Identifier: GPL-2.0-or-later
"""What the simulated card is asked for and what it tells, as Python values."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from dahdi_py.core.far_end_reports import Reports
from dahdi_py.core.terms import Alarms, Timeslot
from dahdi_py.ffi._line import lib
from dahdi_py.ffi.hdlc import HdlcCounts


class Loop(IntEnum):
    """What of a port goes back where it came from.

    ``LOCAL``: what it sends is what it receives, and the line gets it too. ``LINE``: what arrives goes back, bits
    untouched. ``PAYLOAD``: the timeslots that arrive go back in frames of its own. Source: T1.403 9.4.
    """

    NONE = lib.LOOP_NONE
    LOCAL = lib.LOOP_LOCAL
    LINE = lib.LOOP_LINE
    PAYLOAD = lib.LOOP_PAYLOAD


class Fault(IntEnum):
    """What can be wrong with one direction of a cable; what its value is stands with `Card.fault`."""

    CUT = lib.FAULT_CUT
    AIS = lib.FAULT_AIS
    BIT_ERRORS = lib.FAULT_BIT_ERRORS
    BURST = lib.FAULT_BURST
    FRAMING = lib.FAULT_FRAMING
    CRC = lib.FAULT_CRC
    VIOLATIONS = lib.FAULT_VIOLATIONS
    FLAP = lib.FAULT_FLAP
    DELAY = lib.FAULT_DELAY
    LOSS = lib.FAULT_LOSS


class WayStatus(NamedTuple):
    """What is wrong with one direction of a cable at this moment.

    Attributes:
        framing: Framing errors still to be made; likewise `crc`, `violations` and, in periods, `flaps`.
        errors: Bits inverted since the card's start.
    """

    cut: bool
    ais: bool
    bit_error_rate: float
    burst_rate: float
    framing: int
    crc: int
    violations: int
    flaps: int
    delay_bits: int
    loss_db: float
    errors: int


class LineCounts(NamedTuple):
    """What a framer saw since the card's start; events, none of them a second.

    Attributes:
        violations: Of the line code.
        crc: Blocks with a wrong CRC: CRC-4 submultiframes, CRC-6 extended superframes.
        ebit: E1: blocks that the far end says were wrong.
        fas: E1: frame alignment words in error; T1: framing bits in error.
        severe: E1: losses of frame alignment; T1: framing periods with two errors.
        reframes: Frame alignments found; `cofa`: at another place than before.
    """

    violations: int
    crc: int
    ebit: int
    fas: int
    severe: int
    reframes: int
    cofa: int


class PortStatus(NamedTuple):
    """A port at this moment; the counts are totals over its timeslots.

    Attributes:
        level_db: Of the received signal, off nominal; None without one.
        clocked_by_line: It takes its clock from the line now.
        clock_ppm: Of its clock now, off nominal; `oscillator_ppm`: of its own.
        follows: It takes the line's clock while that is fit for it.
        slot_loops: The timeslots that go back as they arrive.
        loop_left_ms: How long `loop` lasts still, None for good; likewise `slot_loops_left_ms`.
        reports: ESF: the seconds that the far end has reported of its receiver; None for another framing.
        slips: Frames left out or given twice by the elastic store, and lost because the card was late.
        left_out: Of those, left out because the line is faster than the port's clock.
        repeated: Of those, given twice because it is slower.
        overruns: Blocks or frames dropped because the client did not read.
        underruns: Idle octets sent because the client did not write.
        cut: Writes longer than a block or frame may be.
        hdlc_sent: Frames sent.
        hdlc: What the receivers saw.
    """

    alarms: Alarms
    level_db: float | None
    clocked_by_line: bool
    clock_ppm: float
    follows: bool
    oscillator_ppm: float
    loop: Loop
    slot_loops: list[Timeslot]
    loop_left_ms: int | None
    slot_loops_left_ms: int | None
    line: LineCounts
    reports: Reports | None
    slips: int
    left_out: int
    repeated: int
    overruns: int
    underruns: int
    cut: int
    hdlc_sent: int
    hdlc: HdlcCounts


class FarEnd(IntEnum):
    """What stands in place of a port at the other end of a line: nothing, a CSU, an NIU (smart jack)."""

    NONE = lib.FAR_END_NONE
    CSU = lib.FAR_END_CSU
    NIU = lib.FAR_END_NIU


class Order(IntEnum):
    """How a far end was told what it does."""

    NONE = lib.ORDER_NONE
    INBAND = lib.ORDER_INBAND
    FDL = lib.ORDER_FDL


class InbandCode(IntEnum):
    """A few bits over and over in place of all payload. Source: T1.403 9.3.1."""

    CSU_UP = lib.INBAND_CSU_UP
    CSU_DOWN = lib.INBAND_CSU_DOWN
    NIU_UP = lib.INBAND_NIU_UP
    NIU_DOWN = lib.INBAND_NIU_DOWN


class FarEndStatus(NamedTuple):
    """A far end at this moment.

    Attributes:
        ordered: How it was told its loop.
        obeyed: Orders it has obeyed since it was plugged in.
    """

    kind: FarEnd
    loop: Loop
    ordered: Order
    obeyed: int
    alarms: Alarms
