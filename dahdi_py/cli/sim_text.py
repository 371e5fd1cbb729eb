# SPDX-License-Identifier: GPL-2.0-or-later
"""Simulated lines as text: the table of all of them, and all about one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dahdi_py.cli.output import Column, table
from dahdi_py.cli.times import NS, duration
from dahdi_py.wire.messages.cable import Faults, Line
from dahdi_py.wire.messages.sim import SimLine, SimLines

_COLUMNS = (
    Column("PORT"), Column("SPAN"), Column("TYPE"), Column("CABLED TO"), Column("ALARMS"), Column("LEVEL", right=True),
    Column("CLOCK", right=True), Column("SLIPS", right=True), Column("FAULTS"),
)  # fmt: skip
_LOOPS = {
    "local": "what it sends is what it receives",
    "line": "what arrives goes back, bits untouched",
    "payload": "the timeslots that arrive go back, framed anew",
}


def sim_table(reply: SimLines) -> str:
    """One line a port under titles."""
    if not reply.lines and not reply.absent:
        return "no simulated card is configured"
    absent = [f"card {card} does not answer: {why}" for card, why in reply.absent.items()]
    return "\n".join([*([table(_COLUMNS, [_row(one) for one in reply.lines])] if reply.lines else []), *absent])


def _row(one: SimLine) -> Sequence[str]:
    line = one.line
    other = line.far_end.kind.upper() if line.far_end else one.cabled_to
    return (
        f"{one.card}:{line.port}", one.span, line.type, other, "/".join(line.words) or "OK", _level(line),
        _clock(line), str(line.slips), "; ".join(_all_faults(one)),
    )  # fmt: skip


def _level(line: Line) -> str:
    return "none" if line.level_db is None else f"{line.level_db + 0:g} dB"


def _clock(line: Line) -> str:
    offset = f"{line.clock_ppm:+g} ppm" if line.clock_ppm else "0 ppm"
    return f"line {offset}" if line.clocked_by_line else offset


def title(one: SimLine) -> str:
    """What the port is called: its span's number and name, and where it is."""
    place = f"{one.card}:{one.line.port}"
    return f"Span {one.number} ({one.span}), {one.line.type}, port {place}" if one.span else f"Port {place}"


def sim_page(one: SimLine) -> str:
    """All about one port: how it is, and what is done to it."""
    line = one.line
    source = "the line" if line.clocked_by_line else "its own oscillator"
    return "\n".join(
        [
            title(one),
            f"  Alarms     {'/'.join(line.words) or 'OK'}",
            f"  Level      {_level(line)}",
            f"  Clock      {source}, {_ppm(line.clock_ppm)}",
            f"  Slips      {line.slips}: {line.left_out} frames left out (the line is faster), {line.repeated} given "
            f"twice (it is slower), {line.slips - line.left_out - line.repeated} lost (the card was late)",
            *_setting(one),
        ]
    )


def sim_setting(one: SimLine) -> str:
    """What is done to one port."""
    return "\n".join([title(one), *_setting(one)])


def _setting(one: SimLine) -> Iterator[str]:
    line = one.line
    wish = "; takes the line's clock while it can" if line.from_line else ""
    far = line.far_end
    if far is None:
        yield f"  Cable      {one.cabled_to or 'none'}"
    else:
        told = {"inband": ", told in-band", "fdl": ", told on the data link"}.get(far.ordered, "")
        yield f"  Far end    {far.kind.upper()}, {'/'.join(far.words) or 'OK'}, loop: {far.loop}{told}"
    if line.arriving is not None and line.leaving is not None:
        yield f"  Arriving   {'; '.join(_faults(line.arriving)) or 'no fault'}"
        yield f"  Leaving    {'; '.join(_faults(line.leaving)) or 'no fault'}"
    yield f"  Oscillator {_ppm(line.oscillator_ppm)}{wish}"
    yield f"  Loop       {'; '.join(_loops(line)) or 'none'}"


def _ppm(ppm: float) -> str:
    return f"{ppm:+g} ppm" if ppm else "nominal"


def _loops(line: Line) -> Iterator[str]:
    if line.loop in _LOOPS:
        yield f"{line.loop}: {_LOOPS[line.loop]}{_ending(line.loop_left_ms)}"
    if line.looped_timeslots:
        slots, ending = ", ".join(map(str, line.looped_timeslots)), _ending(line.looped_timeslots_left_ms)
        yield f"timeslots {slots} go back as they arrive{ending}"


def _ending(left_ms: int | None) -> str:
    return f", ends in {duration(-(-left_ms // 1000) * NS)}" if left_ms is not None else ""


def _all_faults(one: SimLine) -> Iterator[str]:
    line = one.line
    if line.loop != "none":
        yield f"{line.loop} loop"
    if line.looped_timeslots:
        yield f"{len(line.looped_timeslots)} timeslots looped"
    if line.arriving is not None:
        yield from _faults(line.arriving)


def _faults(faults: Faults) -> Iterator[str]:
    if faults.cut:
        yield "cut"
    if faults.all_ones:
        yield "all ones"
    if faults.bit_error_rate:
        yield f"bit errors {faults.bit_error_rate:g}"
    if faults.burst_rate:
        yield f"burst {faults.burst_rate:g}"
    for number, word in ((faults.framing, "framing"), (faults.crc, "CRC")):
        if number:
            yield f"{number} {word} errors to come"
    if faults.violations:
        yield f"{faults.violations} code violations to come"
    if faults.flaps:
        yield f"{faults.flaps} flaps to come"
    if faults.delay_bits:
        yield f"{faults.delay_bits} bits late"
    if faults.loss_db:
        yield f"{faults.loss_db:g} dB loss"
    if faults.errors:
        yield f"{faults.errors} bits inverted so far"
