# SPDX-License-Identifier: GPL-2.0-or-later
"""Loops in the card: what comes back, and whose framing and CRC it comes back in. Source: T1.403 9.4."""

import pytest

from dahdi_py.core.terms import Alarms, LineType
from dahdi_py.errors import HardwareError
from dahdi_py.ffi.line import Card
from dahdi_py.ffi.line_types import Fault, Loop
from tests.line.rig import Client, clients, joined, settle

KINDS = pytest.mark.parametrize("kind", list(LineType))
STREAM = [bytes((at + 7 * block) % 251 for at in range(160)) for block in range(8)]


def comes_back(card: Card, sender: Client, receiver: Client) -> bool:
    """Whether what is written goes through complete and in order."""
    receiver.read()
    receiver.received.clear()
    assert sender.write(STREAM) == []
    for _ in range(6):
        card.advance(40_000_000)
        receiver.read()
    return b"".join(STREAM) in b"".join(receiver.received)


@KINDS
@pytest.mark.parametrize("loop", [Loop.LINE, Loop.PAYLOAD])
def test_what_the_far_end_sends_comes_back_to_it(kind: LineType, loop: Loop) -> None:
    with joined(kind) as card, clients(card, 1) as (near, far):
        card.loop(1, loop)
        settle(card, of=2)
        assert card.status(1).alarms == Alarms.LOOPBACK
        assert comes_back(card, far, far)
        assert not comes_back(card, near, far)
        card.loop(1, Loop.NONE)
        settle(card)
        assert comes_back(card, near, far)


@KINDS
def test_in_local_loop_the_port_hears_itself_and_so_does_the_line(kind: LineType) -> None:
    with joined(kind) as card, clients(card, 1) as (near, far):
        card.loop(1, Loop.LOCAL)
        card.fault(1, Fault.CUT, 1)
        settle(card, of=2)
        card.advance(1_000_000_000)
        assert card.status(1).alarms == Alarms.LOOPBACK
        assert comes_back(card, near, near)
        far.read()
        assert comes_back(card, near, far)


@KINDS
def test_a_line_loop_returns_errors_and_a_payload_loop_makes_the_crc_anew(kind: LineType) -> None:
    """CRC errors made on the way to the loop: bits untouched, they are still there; framed anew, they are gone."""
    for loop, expected in ((Loop.LINE, 5), (Loop.PAYLOAD, 0)):
        with joined(kind) as card:
            card.loop(1, loop)
            settle(card, of=2)
            card.advance(1_000_000_000)
            here, there = card.status(1).line.crc, card.status(2).line.crc
            card.fault(2, Fault.CRC, 5, outward=True)
            card.advance(100_000_000)
            assert card.status(1).line.crc == here + 5
            assert card.status(2).line.crc == there + expected


@KINDS
def test_a_line_loop_keeps_the_senders_clock(kind: LineType) -> None:
    with joined(kind) as card, clients(card, 1) as (_, far):
        card.clock(1, 200.0)
        card.clock(2, -200.0)
        card.loop(1, Loop.LINE)
        settle(card, of=2)
        before = card.status(2).slips
        card.advance(10_000_000_000)
        assert comes_back(card, far, far)
        assert card.status(2).slips == before


def test_a_timeslot_is_looped_alone() -> None:
    with joined(LineType.T1) as card, clients(card, 3) as (near, far), clients(card, 4) as (other, there):
        card.loop_timeslots(1, [3])
        assert comes_back(card, far, far)
        assert not comes_back(card, near, far)
        assert comes_back(card, other, there)
        assert card.status(1).slot_loops == [3]
        assert not card.status(1).alarms
        card.loop_timeslots(1, [])
        assert comes_back(card, near, far)


def test_two_line_loops_that_face_each_other_are_a_dead_line() -> None:
    with joined(LineType.E1) as card:
        card.loop(1, Loop.LINE)
        card.loop(2, Loop.LINE)
        card.advance(100_000_000)
        assert all(Alarms.LOS in card.status(port).alarms for port in (1, 2))


def test_a_timeslot_that_the_line_has_not_is_not_looped() -> None:
    with joined(LineType.T1) as card:
        card.loop_timeslots(1, [0, 25, 31])
        assert card.status(1).slot_loops == []
        with pytest.raises(HardwareError):
            card.loop(9, Loop.LINE)


def test_loops_end_after_their_time_each_of_its_own() -> None:
    with joined(LineType.T1) as card:
        card.loop(1, Loop.PAYLOAD, 1000)
        card.loop_timeslots(1, [3], 2000)
        card.advance(996_000_000)
        seen = card.status(1)
        assert (seen.loop, seen.slot_loops, seen.loop_left_ms, seen.slot_loops_left_ms) == (Loop.PAYLOAD, [3], 4, 1004)
        card.advance(4_000_000)
        seen = card.status(1)
        assert (seen.loop, seen.slot_loops, seen.loop_left_ms, seen.slot_loops_left_ms) == (Loop.NONE, [3], None, 1000)
        card.advance(1_000_000_000)
        assert (card.status(1).slot_loops, card.status(1).slot_loops_left_ms) == ([], None)
        settle(card)


def test_a_loop_without_a_time_stays_whatever_else_is_looped_for_a_while() -> None:
    with joined(LineType.T1) as card:
        card.loop(1, Loop.NONE, 100)
        assert card.status(1).loop_left_ms is None
        card.loop(1, Loop.LINE)
        card.loop_timeslots(1, [3], 100)
        card.advance(400_000_000_000)
        seen = card.status(1)
        assert (seen.loop, seen.loop_left_ms, seen.slot_loops) == (Loop.LINE, None, [])
