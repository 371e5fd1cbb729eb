# SPDX-License-Identifier: GPL-2.0-or-later
"""E1's alarms from the standards' own numbers: LOS, AIS, RAI, and the multiframe of timeslot 16."""

from collections.abc import Callable
from functools import partial

import pytest

from dahdi_py.core.terms import Alarms, Coding
from dahdi_py.ffi.framer import FORCE_AIS, FORCE_NO_SIGNAL, FORCE_RAI, FRAME_SPAN
from tests.line import framer_oracle as oracle
from tests.line.framer_rig import LOF, LOS, NONE, Pair, e1, flip, octets, ones, settled_e1

TIMESLOTS = range(1, 32)


@pytest.mark.parametrize(("zeros", "alarms"), [(0, Alarms.BLUE), (2, Alarms.BLUE), (3, LOF)])
def test_ais_is_two_zeros_or_fewer_in_each_of_two_double_frames(zeros: int, alarms: Alarms) -> None:
    """Source: G.775 5.2."""

    def change(rows: bytearray) -> None:
        ones(rows)
        for frame in range(0, len(rows) // FRAME_SPAN, 2):
            for zero in range(zeros):
                flip(rows, frame + zero % 2, 7 * zero + 3)

    pair = settled_e1()
    pair.run(32, change, signal=True)
    assert pair.b.alarms == alarms
    assert pair.received[-1][5][-1] == 0xFF


def test_ais_ends_with_two_double_frames_of_three_zeros_or_with_frames() -> None:
    """Source: G.775 5.2."""

    def zeros(per_pair: list[int]) -> Callable[[bytearray], None]:
        def change(rows: bytearray) -> None:
            ones(rows)
            for pair_number, count in enumerate(per_pair):
                for zero in range(count):
                    flip(rows, 2 * pair_number, 3 + zero)

        return change

    pair = settled_e1()
    pair.run(40, ones)
    assert pair.b.alarms == Alarms.BLUE
    pair.run(4, zeros([3, 2]))
    assert pair.b.alarms == Alarms.BLUE
    pair.run(4, zeros([3, 3]))
    assert pair.b.alarms == LOF
    pair.run(8, ones)
    assert pair.b.alarms == Alarms.BLUE
    pair.run(8)
    assert pair.b.alarms == NONE


@pytest.mark.parametrize(("tick", "begins"), [(1, 0), (8, 3), (32, 0), (32, 20), (64, 50)])
def test_an_ais_never_shows_as_a_loss_of_frame(tick: int, begins: int) -> None:
    pair = settled_e1()
    seen: set[Alarms] = set()

    def change(rows: bytearray) -> None:
        first = begins * FRAME_SPAN if len(seen) == 0 else 0
        rows[first:] = b"\xff" * (len(rows) - first)

    for _ in range(160 // tick + 2):
        pair.run(tick, change, tick=tick)
        seen.add(pair.b.alarms)
    assert seen | {NONE} == {NONE, Alarms.BLUE}
    assert pair.b.alarms == Alarms.BLUE


@pytest.mark.parametrize(
    ("fault", "alarms"), [(FORCE_AIS, Alarms.BLUE), (FORCE_NO_SIGNAL, LOS), (FORCE_RAI, Alarms.YELLOW), (0, NONE)]
)
def test_what_is_forced_is_seen_and_answered_with_rai(fault: int, alarms: Alarms) -> None:
    """RAI on LOS, LOF and AIS, not on RAI. Source: G.704 table 5A, G.732 table 1."""
    pair = settled_e1()
    pair.a.force(fault)
    pair.run(64, signal=fault != FORCE_NO_SIGNAL)
    assert pair.b.alarms == alarms
    assert pair.a.alarms == (Alarms.YELLOW if fault in (FORCE_AIS, FORCE_NO_SIGNAL) else NONE)
    pair.a.force(0)
    pair.settle(256)
    pair.run(32)
    assert pair.carries(TIMESLOTS)


def test_rai_is_three_a_bits_in_a_row_and_so_is_its_end() -> None:
    """Source: G.775 5.4 (two to five double frames)."""

    def a_bits(count: int) -> Callable[[bytearray], None]:
        def change(rows: bytearray) -> None:
            for i in range(count):
                flip(rows, 1 + 2 * i, 0, 3)

        return change

    pair = settled_e1(crc4=False)
    pair.run(6, a_bits(2))
    assert pair.b.alarms == NONE
    pair.run(6, a_bits(3))
    assert pair.b.alarms == Alarms.YELLOW
    pair.run(4)
    assert pair.b.alarms == Alarms.YELLOW
    pair.run(2)
    assert pair.b.alarms == NONE


def test_no_signal_is_ones_for_the_timeslots_at_once() -> None:
    pair = settled_e1()
    pair.run(8, signal=False)
    assert pair.b.alarms == LOS
    assert {bytes(slot) for slot in pair.received[-1]} == {b"\xff" * 8}


@pytest.mark.parametrize(("zeros", "alarms"), [(254, NONE), (255, LOS)])
def test_255_zeros_in_a_row_are_no_signal_without_zero_suppression(zeros: int, alarms: Alarms) -> None:
    """Source: G.775 4.2 (10 to 255 pulse intervals)."""

    def change(rows: bytearray) -> None:
        bits = [bit for frame in oracle.frames_of(bytes(rows), 256) for bit in frame]
        start = 256 + 16
        bits[start - 1 : start + zeros + 1] = [1] + [0] * zeros + [1]
        rows[:] = oracle.rows_of(bits, 256)

    pair = Pair(e1(coding=Coding.AMI, crc4=False), e1(coding=Coding.AMI, crc4=False))
    pair.settle()
    pair.run(64)
    pair.run(3, change)
    assert pair.b.alarms == alarms
    pair.run(16)
    assert pair.b.alarms == NONE


def test_spare_bits_cross() -> None:
    pair = settled_e1()
    assert pair.b.spare == 0x1F
    pair.a.spare = 0b01101
    pair.run(16)
    assert (pair.b.spare, pair.a.spare) == (0b01101, 0x1F)


def test_timeslot_16_is_the_place_of_signalling_bits() -> None:
    """0000 1111 in one frame of sixteen while nothing is heard, idle 1101 in the others. Source: G.704 table 9."""
    words = e1(cas=True).send(octets(64), 64)[16::FRAME_SPAN]
    assert words == (b"\x0f" + b"\xdd" * 15) * 4
    pair = Pair(e1(cas=True), e1(cas=True))
    pair.settle(256)
    pair.run(16)
    assert sorted(pair.received[-1][16]) == [0x0B] + [0xDD] * 15


def test_the_multiframe_of_timeslot_16_is_lost_with_two_wrong_signals_and_found_with_one() -> None:
    """Source: G.732 5.2."""
    pair = Pair(e1(cas=True), e1(cas=True))
    pair.settle(256)
    pair.run(sum(len(octets[1]) for octets in pair.sent) * 15 % 16)
    spoil = partial(flip, frame=0, octet=16, bit=2)
    pair.run(16, spoil)
    pair.run(16)
    assert pair.b.alarms == NONE
    for _ in range(4):
        pair.run(16, spoil)
    assert (pair.b.alarms, pair.a.alarms) == (Alarms.LMFA, NONE)
    pair.run(16)
    assert pair.b.alarms == NONE
