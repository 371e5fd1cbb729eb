# SPDX-License-Identifier: GPL-2.0-or-later
"""Simulated lines as they are shown."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from dahdi_py.cli.sim_text import sim_page, sim_setting, sim_table
from dahdi_py.wire.messages.cable import FarEndState, Faults, Line
from dahdi_py.wire.messages.sim import SimLine, SimLines

GOOD = Faults(
    cut=False, all_ones=False, bit_error_rate=0.0, burst_rate=0.0, framing=0, crc=0, violations=0, flaps=0,
    delay_bits=0, loss_db=0.0, errors=0,
)  # fmt: skip
BAD = Faults(
    cut=True, all_ones=True, bit_error_rate=1e-6, burst_rate=0.01, framing=4, crc=3, violations=2, flaps=1,
    delay_bits=512, loss_db=12.5, errors=99,
)  # fmt: skip
LINE = Line(
    port="1", type="E1", cable="2", running=True, alarms=0, words=[], level_db=0.0, clocked_by_line=True,
    clock_ppm=0.0, oscillator_ppm=0.0, from_line=True, loop="none", looped_timeslots=[], slips=0, left_out=0,
    repeated=0, arriving=GOOD, leaving=GOOD,
)  # fmt: skip


def shown(**changes: Any) -> SimLine:
    line = msgspec.structs.replace(LINE, **changes)
    return SimLine(card="sim", span="e1-user", number=1, cabled_to="e1-network" if line.cable else "", line=line)


def lines_of(text: str) -> list[str]:
    return click.unstyle(text).splitlines()


def test_one_line_a_port_and_a_card_that_is_away() -> None:
    bare = SimLine(
        card="sim", span="", number=0, cabled_to="", line=msgspec.structs.replace(LINE, cable="", level_db=None)
    )
    assert lines_of(sim_table(SimLines(lines=[shown(), bare], absent={"other": "no answer"}))) == [
        "PORT   SPAN     TYPE  CABLED TO   ALARMS  LEVEL       CLOCK  SLIPS  FAULTS",
        "sim:1  e1-user  E1    e1-network  OK       0 dB  line 0 ppm      0  -",
        "sim:1  -        E1    -           OK       none  line 0 ppm      0  -",
        "card other does not answer: no answer",
    ]
    assert sim_table(SimLines(lines=[])) == "no simulated card is configured"


def test_every_fault_has_a_word() -> None:
    assert lines_of(sim_setting(shown(arriving=BAD)))[2] == (
        "  Arriving   cut; all ones; bit errors 1e-06; burst 0.01; 4 framing errors to come; 3 CRC errors to come; "
        "2 code violations to come; 1 flaps to come; 512 bits late; 12.5 dB loss; 99 bits inverted so far"
    )


def test_all_about_a_port() -> None:
    page = sim_page(
        shown(
            words=["LB"], level_db=-19.5, clocked_by_line=False, clock_ppm=-4.6, oscillator_ppm=-4.6, slips=6,
            left_out=1, repeated=2, loop="payload", looped_timeslots=[1, 3],
        )
    )  # fmt: skip
    assert lines_of(page) == [
        "Span 1 (e1-user), E1, port sim:1",
        "  Alarms     LB",
        "  Level      -19.5 dB",
        "  Clock      its own oscillator, -4.6 ppm",
        "  Slips      6: 1 frames left out (the line is faster), 2 given twice (it is slower), 3 lost (the card was "
        "late)",
        "  Cable      e1-network",
        "  Arriving   no fault",
        "  Leaving    no fault",
        "  Oscillator -4.6 ppm; takes the line's clock while it can",
        "  Loop       payload: the timeslots that arrive go back, framed anew; timeslots 1, 3 go back as they arrive",
    ]


def test_a_far_end_stands_in_the_place_of_the_cable() -> None:
    far = FarEndState(kind="niu", loop="line", ordered="inband", obeyed=1, words=[])
    one = shown(far_end=far, cable="")
    assert lines_of(sim_setting(one))[1] == "  Far end    NIU, OK, loop: line, told in-band"
    assert "NIU" in lines_of(sim_table(SimLines(lines=[one])))[1]
