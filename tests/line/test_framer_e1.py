# SPDX-License-Identifier: GPL-2.0-or-later
"""E1 from the standards' own numbers: alignment and its loss, CRC-4, interworking."""

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dahdi_py.core.terms import Alarms, Coding, Framing
from dahdi_py.ffi.framer import FRAME_SPAN, Framer
from tests.line import framer_oracle as oracle
from tests.line.framer_rig import LOF, NONE, Pair, e1, flip, octets, settled_e1

TIMESLOTS = range(1, 32)
SUBMULTIFRAMES_A_SECOND = 1000
CCS = (Framing.CCS, Coding.HDB3)


def spoil_words(count: int, first: int = 0) -> Callable[[bytearray], None]:
    """That many frame alignment words in a row, from that frame on, have a bit error."""

    def change(rows: bytearray) -> None:
        for i in range(count):
            flip(rows, first + 2 * i, 0, 8)

    return change


@pytest.mark.parametrize("crc4", [False, True])
def test_octets_cross_in_both_framings(crc4: bool) -> None:
    pair = settled_e1(crc4=crc4)
    pair.run(320, tick=7)
    assert pair.carries(TIMESLOTS)
    assert pair.b.counts._replace(ebit=0) == (0, 0, 0, 0, 0, 1, 0)


# Frame alignment.


def test_alignment_is_lost_with_the_third_wrong_word_in_a_row() -> None:
    """Source: G.706 4.1.1."""
    pair = settled_e1(crc4=False)
    pair.run(32, spoil_words(2))
    assert (pair.b.alarms, pair.b.counts.fas, pair.b.counts.severe) == (NONE, 2, 0)
    pair.run(6, spoil_words(3))
    assert (pair.b.alarms, pair.b.counts.fas, pair.b.counts.severe) == (LOF, 5, 1)


def test_wrong_words_apart_do_not_count_together() -> None:
    pair = settled_e1(crc4=False)
    for _ in range(20):
        pair.run(8, spoil_words(2))
    assert (pair.b.alarms, pair.b.counts.fas, pair.b.counts.reframes) == (NONE, 40, 1)


@pytest.mark.parametrize(("count", "alarms"), [(2, NONE), (3, LOF)])
def test_alignment_is_lost_with_the_third_wrong_bit_2_in_a_row(count: int, alarms: Alarms) -> None:
    """Source: G.706 4.1.1, note."""

    def change(rows: bytearray) -> None:
        for i in range(count):
            flip(rows, 1 + 2 * i, 0, 2)

    pair = settled_e1(crc4=False)
    pair.run(6, change)
    assert pair.b.alarms == alarms


def test_alignment_is_found_by_word_no_word_and_word() -> None:
    """Three frames, the last of which is not delivered yet. Source: G.706 4.1.2."""
    pair = Pair(e1(crc4=False), e1(crc4=False))
    pair.run(3)
    assert [slot[:3] for slot in pair.received[-1]] == [b"\xff" * 3] * 32
    pair.run(1)
    assert pair.carries(TIMESLOTS)


def spurious(rows: bytearray) -> None:
    """Timeslot 9 looks like a timeslot 0 without multiframe, frame by frame as the real one does."""
    for at in range(0, len(rows), FRAME_SPAN):
        is_word = rows[at] & 0x7F == 0x1B
        rows[at + 9] = 0x9B if is_word else 0xDF


def test_a_spurious_word_is_left_for_the_place_that_has_a_multiframe() -> None:
    """The line begins behind the real word, so that the spurious one is the first. Source: G.706 4.2, B.2."""
    pair = Pair(e1(), e1())
    held = bytearray(28)

    def from_the_middle(rows: bytearray) -> None:
        spurious(rows)
        line = held + (rows[4:] if not pair.sent else rows)
        rows[:], held[:] = line[: len(rows)], line[len(rows) :]

    pair.run(32, from_the_middle)
    assert pair.received[-1][0][-1] in (0x9B, 0xDF)
    assert pair.received[-1][23][-1] in (0x1B, 0x9B, 0x5F, 0xDF)  # the real one, nine timeslots before
    pair.run(400, from_the_middle)
    assert (pair.b.alarms, pair.b.counts.cofa) == (NONE, 1)
    pair.run(32, from_the_middle)
    assert pair.received[-1][3][1:] == pair.sent[-1][3][:-1]


# CRC-4.


def test_the_multiframe_is_found_within_8_ms() -> None:
    """And a CRC-4 is counted wrong only behind it. Source: G.706 4.2."""
    pair = Pair(e1(), e1())
    pair.run(64)
    before = pair.b.counts.crc
    pair.a.spoil(crc=1)
    pair.run(32)
    assert (before, pair.b.counts.crc, pair.b.alarms) == (0, 1, NONE)


def test_a_multiframe_signal_wrong_once_is_no_multiframe() -> None:
    """Nor is one right signal: two of them make it. Source: G.706 4.2."""

    pair = Pair(e1(), e1())
    for _ in range(5):
        pair.run(16, lambda rows: flip(rows, 11, 0, 1))
    assert pair.b.alarms == Alarms.LMFA
    pair.run(16)
    assert pair.b.alarms == Alarms.LMFA
    pair.run(16)
    assert pair.b.alarms == NONE


@pytest.mark.parametrize(("wrong", "reframes"), [(914, 1), (915, 2)])
def test_915_of_1000_wrong_blocks_are_a_false_alignment(wrong: int, reframes: int) -> None:
    """Source: G.706 4.3.2."""
    pair = Pair(e1(), e1())
    pair.run(32)  # the second alignment signal has just been received, or nearly
    pair.a.spoil(crc=wrong)
    pair.run(8 * SUBMULTIFRAMES_A_SECOND)
    assert pair.b.counts.crc == wrong
    assert pair.b.counts.reframes == reframes


def test_errors_of_one_second_are_not_those_of_the_next() -> None:
    pair = Pair(e1(), e1())
    pair.run(32)
    for _ in range(3):
        pair.a.spoil(crc=900)
        pair.run(8 * SUBMULTIFRAMES_A_SECOND)
    assert (pair.b.counts.crc, pair.b.counts.reframes) == (2700, 1)


def test_every_errored_block_comes_back_as_an_e_bit() -> None:
    """Source: G.704 2.3.3.4."""
    pair = settled_e1()
    before = pair.a.counts.ebit
    pair.a.spoil(crc=37)
    pair.run(8 * 200)
    assert pair.b.counts.crc == 37
    assert pair.a.counts.ebit - before == 37
    assert pair.a.counts.crc == 0


def test_one_bit_error_anywhere_is_one_errored_block() -> None:
    pair = settled_e1()
    for place in (0, 1, 17, 31):
        before = pair.b.counts
        pair.run(32, partial(flip, frame=3, octet=place, bit=8))
        pair.run(32)
        assert pair.b.counts.crc == before.crc + 1


def test_a_wrong_crc_bit_is_one_errored_block() -> None:
    pair = settled_e1()
    pair.run(32, lambda rows: flip(rows, 2, 0, 1))
    pair.run(32)
    assert pair.b.counts.crc == 1


# CRC-4 against none: annex B.


def e_bits(line: bytes) -> set[int]:
    """Those of whole multiframes."""
    frames = oracle.frames_of(line, 256)
    return {frame[0] for n, frame in enumerate(frames) if n % 16 in (13, 15)}


def test_a_far_end_without_crc4_is_worked_with() -> None:
    """Octets cross from the first moment, LMFA tells of it after 8 ms, E bits stay zero. Source: G.706 B.2."""
    pair = Pair(e1(crc4=False), e1(crc4=True))
    pair.run(64 - 8)
    assert (pair.b.alarms, pair.a.alarms) == (NONE, NONE)
    pair.run(32)
    assert (pair.b.alarms, pair.a.alarms) == (Alarms.LMFA, NONE)
    line: list[bytes] = []
    for _ in range(40):
        pair.run(160, back=lambda rows: line.append(bytes(rows)), tick=8)
        assert pair.carries(TIMESLOTS)
    start = (64 - 8 + 32) % 16 * FRAME_SPAN
    assert e_bits(b"".join(line)[(16 * FRAME_SPAN - start) % (16 * FRAME_SPAN) :]) == {0}
    assert pair.b.counts == (0, 0, 0, 0, 0, 1, 0)


@pytest.mark.parametrize(("frames", "cofa"), [(3000, 1), (3400, 0)])
def test_another_place_is_looked_at_for_400_ms(frames: int, cofa: int) -> None:
    """A timeslot that carries a whole multiframe beside the real word, before and behind that. Source: G.706 B.2."""
    pair = Pair(e1(crc4=False), e1(crc4=True))
    rival = e1(crc4=True)

    def carry(rows: bytearray) -> None:
        frames = len(rows) // FRAME_SPAN
        rows[9::FRAME_SPAN] = rival.send(octets(frames), frames)[::FRAME_SPAN]

    pair.run(frames)
    pair.run(400, carry)
    assert pair.b.counts.cofa == cofa


def test_a_far_end_that_takes_up_crc4_is_believed() -> None:
    pair = Pair(e1(crc4=False), e1(crc4=True))
    pair.run(8000)
    pair.a.configure(*CCS, crc4=True)
    pair.run(64)
    assert pair.b.alarms == NONE
    pair.a.spoil(crc=1)
    pair.run(32)
    assert pair.b.counts.crc == 1


def test_a_far_end_that_gives_up_crc4_is_found_out_within_two_seconds() -> None:
    """Its CRCs are wrong, frames are looked for, and no multiframe is there. Source: G.706 4.3.2, B.2."""
    pair = settled_e1()
    pair.a.configure(*CCS, crc4=False)
    pair.run(16000)
    assert pair.b.alarms == Alarms.LMFA
    assert pair.carries(TIMESLOTS)
    assert pair.b.counts.reframes == 2


# Any errors at all.


@settings(max_examples=60)
@given(data=st.data())
def test_counts_are_the_oracles_at_any_error_rate(data: st.DataObject) -> None:
    sender, receiver = e1(), e1()
    receiver.receive(sender.send(octets(64), 64))
    start = receiver.counts
    frames = 16 * data.draw(st.integers(2, 4))
    rows = bytearray(sender.send(octets(frames, 3), frames))
    place = st.one_of(
        st.integers(0, 256 * frames - 1), st.integers(0, 8 * frames - 1).map(lambda n: n // 8 * 256 + n % 8)
    )
    for bit in data.draw(st.lists(place, max_size=30, unique=True)):
        flip(rows, bit // 256, bit % 256 // 8, bit % 8 + 1)
    expected = oracle.e1_seen(oracle.frames_of(bytes(rows), 256))
    receiver.receive(bytes(rows))
    counts = receiver.counts
    if expected.lost is None:
        seen = (counts.fas - start.fas, counts.crc - start.crc, counts.ebit - start.ebit, counts.severe - start.severe)
        # The oracle does not know the block before its first one.
        assert seen[1] in (expected.crc, expected.crc + 1)
        assert (seen[0], seen[2], seen[3]) == (expected.fas, expected.ebit, 0)
    else:
        assert counts.severe > start.severe


def test_counts_stay_over_a_change_of_configuration() -> None:
    pair = settled_e1()
    pair.a.spoil(crc=3)
    pair.run(64)
    framer: Framer = pair.b
    framer.configure(*CCS, crc4=False)
    assert framer.counts.crc == 3
