# SPDX-License-Identifier: GPL-2.0-or-later
"""Clocks that differ: the elastic store slips a whole frame at exactly 125 us of drift, and at nothing less."""

import itertools

import pytest

from dahdi_py.core.terms import Alarms, LineType
from dahdi_py.errors import HardwareError
from dahdi_py.ffi.line import Card
from dahdi_py.ffi.line_types import Fault
from tests.line.rig import TICK_NS, joined
from tests.line.test_cables import carried, wrong_steps

FRAME_NS = 125_000


def slips(card: Card, port: int) -> tuple[int, int]:
    status = card.status(port)
    return status.left_out, status.repeated


@pytest.mark.parametrize("ppm", [50.0, 4.6, -50.0, -0.5, 125.0])
@pytest.mark.parametrize("tick_ms", [1, 4, 8])
def test_a_slip_comes_at_125_us_of_drift(ppm: float, tick_ms: int) -> None:
    """Source: G.810 (a controlled slip is one frame), T1.101 (125 us)."""
    with joined(LineType.E1, tick_ms) as card:
        card.clock(1, ppm)
        # Drift grows by |ppm| us a second, and is looked at once a tick.
        due_ticks = -(-FRAME_NS * 1000 // round(abs(ppm) * tick_ms * 1000))
        tick_ns = tick_ms * 1_000_000
        for nth in (1, 2):
            due = -(-nth * FRAME_NS * 1000 // round(abs(ppm) * tick_ms * 1000)) if nth > 1 else due_ticks
            done = 0 if nth == 1 else due_ticks
            card.advance((due - done - 1) * tick_ns)
            assert sum(slips(card, 2)) == nth - 1
            card.advance(tick_ns)
            assert slips(card, 2) == ((nth, 0) if ppm > 0 else (0, nth))
            # Seen from the other end the line is the slow one.
            assert slips(card, 1) == ((0, nth) if ppm > 0 else (nth, 0))


@pytest.mark.parametrize("ppm", [50.0, -50.0])
def test_a_line_that_nobody_sends_on_slips_nothing(ppm: float) -> None:
    """What is put on it comes at the receiver's own clock."""
    with joined(LineType.E1) as card:
        card.run_port(2, False)
        card.clock(1, ppm)
        card.fault(1, Fault.AIS, 1)
        card.advance(12_000 * TICK_NS)
        assert card.status(1).alarms & Alarms.BLUE
        assert slips(card, 1) == (0, 0)


@pytest.mark.parametrize("ppm", [100.0, -100.0])
def test_a_slip_leaves_out_or_repeats_one_octet_of_a_timeslot_and_nothing_else(ppm: float) -> None:
    with joined(LineType.T1) as card, carried(card) as flow:
        card.clock(1, ppm)
        octets = flow.run(10_000)
        steps = [(b - a) % 256 for a, b in itertools.pairwise(octets)]
        # The client at port 1 goes by port 1's clock, so its stream has no gap of its own.
        assert {step for step in steps if step != 1} == {2 if ppm > 0 else 0}
        status = card.status(2)
        assert wrong_steps(octets) in (status.left_out + status.repeated, status.left_out + status.repeated - 1)
        assert status.left_out + status.repeated == 8  # 10 s at 100 ppm: 1 ms


@pytest.mark.parametrize("ppm", [300.0, -300.0])
def test_who_takes_the_clock_from_the_line_never_slips(ppm: float) -> None:
    with joined(LineType.E1) as card, carried(card) as flow:
        card.clock(1, ppm)
        card.clock(2, -20.0)
        card.follow(2, True)
        flow.run(100)
        before = slips(card, 2)
        assert wrong_steps(flow.run(10_000)) == 0
        assert slips(card, 2) == before
        status = card.status(2)
        assert status.clocked_by_line
        assert status.clock_ppm == ppm
        assert not card.status(1).clocked_by_line


def test_without_a_line_the_port_goes_by_its_own_oscillator() -> None:
    with joined(LineType.E1) as card:
        card.clock(2, 30.0)
        card.follow(2, True)
        card.advance(10 * TICK_NS)
        assert card.status(2).clock_ppm == 0
        card.uncable(1)
        card.advance(10 * TICK_NS)
        status = card.status(2)
        assert not status.clocked_by_line
        assert status.clock_ppm == 30.0


def test_two_ends_that_follow_each_other_run_away_together() -> None:
    with joined(LineType.E1) as card:
        for port, ppm in ((1, 10.0), (2, -5.0)):
            card.clock(port, ppm)
            card.follow(port, True)
        card.advance(60_000_000_000)
        assert [card.status(port).clock_ppm for port in (1, 2)] == [10.0, 10.0]


def test_a_clock_is_at_most_500_ppm_off() -> None:
    with joined(LineType.E1) as card, pytest.raises(HardwareError, match="out of range"):
        card.clock(1, 500.1)
