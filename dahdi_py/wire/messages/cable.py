# SPDX-License-Identifier: GPL-2.0-or-later
"""What is done to a simulated line: cables, faults, clocks, levels, loops. Shared by `org.dahdipy.Card` and `.Sim`.

Where a message names a `port`, the card takes its own port's number, the daemon a span's name or number or CARD:PORT.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from dahdi_py.wire.interface import Record, Request

Milliseconds = Annotated[int, msgspec.Meta(ge=1, le=86_400_000)]


class Faults(Record):
    """What is wrong with one direction of a cable now.

    Attributes:
        cut: No signal passes.
        all_ones: All ones, unframed, in place of the signal.
        bit_error_rate: Of the errors that go on for good, 0 for none.
        burst_rate: Of those that end by themselves.
        framing: Framing errors still to be made; likewise `crc`, `violations` and, in periods, `flaps`.
        delay_bits: How long a bit takes, bit times.
        loss_db: What the cable takes off the level, dB.
        errors: Bits inverted since the card's start.
    """

    cut: bool
    all_ones: bool
    bit_error_rate: float
    burst_rate: float
    framing: int
    crc: int
    violations: int
    flaps: int
    delay_bits: int
    loss_db: float
    errors: int


class FarEndState(Record):
    """What stands at the other end of a line in place of a port.

    Attributes:
        kind: csu, niu.
        loop: none, line, payload.
        ordered: How it was told that: none, inband, fdl.
        obeyed: Orders it has obeyed since it was plugged in.
        words: Its alarms.
    """

    kind: str
    loop: str
    ordered: str
    obeyed: int
    words: list[str]


class Line(Record):
    """A port's line now.

    Attributes:
        cable: The port at the other end of its cable, empty for none.
        running: The port transmits and receives.
        words: Its alarms as operators know them (empty: OK).
        level_db: Of the received signal, dB off nominal; null without one.
        clocked_by_line: It takes its clock from the line now.
        clock_ppm: Of its clock now, off nominal.
        oscillator_ppm: Of its own oscillator, off nominal.
        from_line: It takes the line's clock while that is fit for it.
        loop: none, local, line, payload.
        looped_timeslots: Those that go back as they arrive.
        loop_left_ms: How long `loop` lasts still, null for good; likewise `looped_timeslots_left_ms`.
        slips: Frames left out, given twice, and lost because the card was late.
        left_out: Of those, because the line is faster than the port's clock.
        repeated: Of those, because it is slower.
        arriving: What is wrong with the cable's way to the port, null without a cable; likewise `leaving`.
        far_end: The CSU or NIU there in place of a port, null for none.
    """

    port: str
    type: str
    cable: str
    running: bool
    alarms: int
    words: list[str]
    level_db: float | None
    clocked_by_line: bool
    clock_ppm: float
    oscillator_ppm: float
    from_line: bool
    loop: str
    looped_timeslots: list[int]
    slips: int
    left_out: int
    repeated: int
    arriving: Faults | None
    leaving: Faults | None
    far_end: FarEndState | None = None
    loop_left_ms: int | None = None
    looped_timeslots_left_ms: int | None = None


class LineList(Record):
    """Every port's line, in order."""

    lines: list[Line]


class PortRequest(Request):
    """Names a port."""

    port: str


class CableRequest(Request):
    """Two ports of one line type, neither with a cable."""

    a: str
    b: str


class FaultRequest(Request):
    """A fault begins on the port's cable, in place of an earlier one of its kind.

    Attributes:
        fault: cut, all_ones, bit_errors, burst, framing, crc, violations, flap, delay.
        value: bit_errors, burst: a rate, 0 ends it; framing, crc, violations, flap: how many; delay: bits; cut,
            all_ones: 0 ends it.
        way: arriving (at the port), leaving (it), both.
        duration_ms: How long cut, all_ones or burst last, null for good; of flap the period, down for half of it.
        seed: From here on random errors are the same each time.
    """

    port: str
    fault: str
    value: float = 1.0
    way: str = "arriving"
    duration_ms: Milliseconds | None = None
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**62)] | None = None


class MendRequest(Request):
    """The port's cable is without fault.

    Attributes:
        way: arriving (at the port), leaving (it), both.
    """

    port: str
    way: str = "both"


class ClockRequest(Request):
    """The port's own oscillator is off nominal by so much; what is left out stays.

    Attributes:
        ppm: -500 to 500.
        from_line: The port takes its clock from the line while that is fit for it.
    """

    port: str
    ppm: float | None = None
    from_line: bool | None = None


class LevelRequest(Request):
    """Signals fade; what is left out stays.

    Attributes:
        loss_db: What the cable takes off, 0-100 dB; from 35 dB on there is no signal.
        build_out_db: What the port sends less, 0-30 dB.
        way: The cable's directions with that loss: arriving, leaving, both.
    """

    port: str
    loss_db: float | None = None
    build_out_db: float | None = None
    way: str = "both"


class LoopRequest(Request):
    """What of the port goes back where it came from; what is left out stays.

    Attributes:
        loop: none, local (what it sends is what it receives), line (bits untouched), payload (framed anew).
        timeslots: Those that go back as they arrive, and no others.
        duration_ms: What is looped by this is not looped any more after so long, null for good.
    """

    port: str
    loop: str | None = None
    timeslots: list[Annotated[int, msgspec.Meta(ge=1, le=31)]] | None = None
    duration_ms: Milliseconds | None = None


class FarEndRequest(Request):
    """A CSU or NIU stands at the other end of a T1 in place of a cable, or is taken away.

    Attributes:
        kind: csu, niu, none.
    """

    port: str
    kind: str


class CodeRequest(Request):
    """A T1's port sends a loop code.

    Attributes:
        code: csu_up, csu_down, niu_up, niu_down; by fdl also payload_up, payload_down.
        by: inband (in place of every timeslot, calls and D-channel too), fdl (ESF's data link, beside them).
        duration_ms: An in-band code is obeyed after 5000.
    """

    port: str
    code: str
    by: str = "inband"
    duration_ms: Annotated[int, msgspec.Meta(ge=100, le=600_000)] = 6000
