# SPDX-License-Identifier: GPL-2.0-or-later
"""T1 from the standards' own numbers: framing and its loss, CRC-6, the data link, alarms."""

from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dahdi_py.core.terms import Alarms, Coding, Framing
from dahdi_py.ffi.framer import FORCE_AIS, FORCE_NO_SIGNAL, FORCE_RAI, FRAME_SPAN
from tests.line import framer_oracle as oracle
from tests.line.framer_rig import LOF, LOS, NONE, Change, Pair, flip, octets, ones, t1, untouched

TIMESLOTS = range(1, 25)
FRAMINGS = pytest.mark.parametrize("framing", [Framing.ESF, Framing.D4])
LINE_LOOPBACK_ACTIVATE = 0x0EFF
LINE_LOOPBACK_DEACTIVATE = 0x38FF


def settled(framing: Framing = Framing.ESF) -> Pair:
    """Two framers without alarms; the next frame is the first of a superframe."""
    pair = Pair(t1(framing), t1(framing))
    pair.settle(800)
    pair.run(sum(len(octets[1]) for octets in pair.sent) * 23 % 24)
    return pair


def f_bits(*frames: int) -> Change:
    """The F bits of those frames of a tick are wrong."""

    def change(rows: bytearray) -> None:
        for frame in frames:
            flip(rows, frame, 0)

    return change


@FRAMINGS
def test_octets_cross(framing: Framing) -> None:
    pair = settled(framing)
    pair.run(240, tick=7)
    assert pair.carries(TIMESLOTS)
    assert pair.b.counts == (0, 0, 0, 0, 0, 1, 0)


# Frame alignment.


@pytest.mark.parametrize(
    ("framing", "wrong", "alarms"),
    [
        (Framing.ESF, (3, 7), LOF),
        (Framing.ESF, (3, 15), LOF),  # the first and the fourth of four
        (Framing.ESF, (3, 19), NONE),  # the first and the fifth
        (Framing.ESF, (0, 1, 2, 4, 5, 6), NONE),  # data link and CRC are no framing
        (Framing.D4, (0, 6), LOF),
        (Framing.D4, (0, 8), NONE),
        (Framing.D4, (1, 3, 5, 7), NONE),  # Fs
    ],
)
def test_alignment_is_lost_with_two_of_four_framing_bits(
    framing: Framing, wrong: tuple[int, ...], alarms: Alarms
) -> None:
    """Source: T1.403 (out of frame)."""
    pair = settled(framing)
    pair.run(24, f_bits(*wrong))
    assert pair.b.alarms == alarms
    counted = wrong if framing is Framing.D4 else [frame for frame in wrong if frame % 4 == 3]
    assert pair.b.counts.fas == len(counted)


@pytest.mark.parametrize(
    ("framing", "wrong", "severe"),
    [(Framing.ESF, (3, 19), 1), (Framing.ESF, (3,), 0), (Framing.D4, (0, 6), 0), (Framing.D4, (0, 4), 1)],
)
def test_two_errors_in_a_framing_period_are_severe(framing: Framing, wrong: tuple[int, ...], severe: int) -> None:
    """ESF 3 ms, D4 0.75 ms. Source: RFC 4805 3.4.2 (out of frame)."""
    pair = settled(framing)
    pair.run(24, f_bits(*wrong))
    assert pair.b.counts.severe == severe


def test_data_that_look_like_framing_are_refused_by_the_crc() -> None:
    """Bit 1 of timeslot 1 says what the F bit says, from the first frame on. Source: T1.403 (ESF, CRC-6)."""
    pair = Pair(t1(), t1())
    slots = mimicked(24 * 40, 5)
    received = b""
    for at in range(0, 24 * 40, 24):
        received += pair.b.receive(pair.a.send([slot[at : at + 24] for slot in slots], 24))[3]
    assert pair.b.alarms == NONE
    assert pair.b.counts == (0, 0, 0, 0, 0, 1, 0)
    assert received[-400:] == slots[3][-400:]
    assert received[:96] == b"\xff" * 96


def mimicked(frames: int, seed: int) -> list[bytes]:
    """Any octets, but bit 1 of timeslot 1 says what the F bit of a framer says that begins with them."""
    slots = octets(frames, seed)
    mimic = bytearray(slots[1])
    for number in range(3, frames, 4):
        mimic[number] = mimic[number] & 0x7F | oracle.MULTIFRAME[number % 24 // 4] << 7
    slots[1] = bytes(mimic)
    return slots


def test_a_false_alignment_is_left_after_32_wrong_blocks() -> None:
    """The real F bits are spoilt at first, so that the mimic is all there is. Source: G.706 2.2.2."""
    sender, receiver = t1(), t1()
    superframes = 200  # one wrong block in 64 has the right CRC by chance, and the count begins again
    slots = mimicked(24 * superframes, 7)
    cofa = []
    for at in range(0, 24 * superframes, 24):
        rows = bytearray(sender.send([slot[at : at + 24] for slot in slots], 24))
        if at < 24 * 6:
            f_bits(3, 11)(rows)
        octets_received = receiver.receive(bytes(rows))
        cofa.append(receiver.counts.cofa)
    assert receiver.alarms == NONE
    assert receiver.counts._replace(crc=0) == (0, 0, 0, 0, 0, 2, 1)
    assert cofa.index(1) > 4 + 2 + 32
    assert octets_received[3] == slots[3][-24:]


def test_errors_alone_lose_no_frame() -> None:
    """However many blocks are wrong: no other place is better."""
    pair = settled()
    pair.run(24 * 3)
    pair.a.spoil(crc=200)
    pair.run(24 * 210)
    assert (pair.b.counts.crc, pair.b.counts.reframes, pair.b.alarms) == (200, 1, NONE)
    assert pair.carries(TIMESLOTS)


def test_one_bit_error_anywhere_is_one_errored_block() -> None:
    pair = settled()
    for place in (1, 12, 24):
        before = pair.b.counts.crc
        pair.run(24, partial(flip, frame=5, octet=place, bit=7), tick=24)
        pair.run(48)
        assert pair.b.counts.crc == before + 1


# Alarms.


@FRAMINGS
@pytest.mark.parametrize(("zeros", "alarms"), [(0, Alarms.BLUE), (4, Alarms.BLUE), (5, LOF)])
def test_ais_is_99_9_percent_ones_over_3_ms(framing: Framing, zeros: int, alarms: Alarms) -> None:
    """4632 bits may have four zeros, in any 24 frames there are as many here. Source: T1.231 (AIS)."""

    def change(rows: bytearray) -> None:
        ones(rows)
        for frame in range(0, len(rows) // FRAME_SPAN, 24):
            for zero in range(zeros):
                flip(rows, frame + 3 * zero, 4 + zero)

    pair = settled(framing)
    pair.run(240, change, tick=48)
    assert pair.b.alarms == alarms
    assert {pair.received[-1][slot] for slot in TIMESLOTS} == {b"\xff" * 48}


@pytest.mark.parametrize(("tick", "begins"), [(1, 0), (8, 3), (32, 0), (32, 20), (64, 50)])
@FRAMINGS
def test_an_ais_never_shows_as_a_loss_of_frame(framing: Framing, tick: int, begins: int) -> None:
    pair = settled(framing)
    seen: set[Alarms] = set()

    def change(rows: bytearray) -> None:
        first = begins * FRAME_SPAN if len(seen) == 0 else 0
        rows[first:] = b"\xff" * (len(rows) - first)

    for _ in range(160 // tick + 2):
        pair.run(tick, change, tick=tick)
        seen.add(pair.b.alarms)
    assert seen | {NONE} == {NONE, Alarms.BLUE}
    assert pair.b.alarms == Alarms.BLUE
    pair.run(400)
    assert pair.b.alarms == NONE


@pytest.mark.parametrize(("zeros", "alarms"), [(174, NONE), (175, LOS)])
def test_175_zeros_in_a_row_are_no_signal_without_zero_suppression(zeros: int, alarms: Alarms) -> None:
    """Source: T1.231 (LOS: 175 ± 75 pulse positions)."""

    def change(rows: bytearray) -> None:
        bits = [bit for frame in oracle.frames_of(bytes(rows), 193) for bit in frame]
        start = 2 * 193 - 100
        bits[start - 1 : start + zeros + 1] = [1] + [0] * zeros + [1]
        rows[:] = oracle.rows_of(bits, 193)

    pair = Pair(t1(coding=Coding.AMI), t1(coding=Coding.AMI))
    pair.settle()
    pair.run(3, change)
    assert pair.b.alarms & Alarms.LOS == alarms & Alarms.LOS
    pair.run(16)
    assert pair.b.alarms & Alarms.LOS == NONE


@pytest.mark.parametrize(("ones_a_frame", "alarms"), [(24, LOS), (25, LOF)])
def test_a_signal_is_back_with_an_eighth_of_pulses(ones_a_frame: int, alarms: Alarms) -> None:
    """12.5 % of a frame, which is within 175 ± 75. Source: T1.231 (LOS termination)."""

    def change(rows: bytearray) -> None:
        line = [int(n % 7 == 0 and n < 7 * ones_a_frame) for n in range(193)]
        rows[:] = oracle.rows_of(line * (len(rows) // FRAME_SPAN), 193)

    pair = Pair(t1(coding=Coding.AMI), t1(coding=Coding.AMI))
    pair.run(64, signal=False)
    pair.run(32, change)
    assert pair.b.alarms == alarms


def rai_lasts(pair: Pair) -> int:
    """How many frames from now on `a` hears the alarm of `b`, in ticks of 8."""
    frames = 0
    while pair.a.alarms == Alarms.YELLOW:
        pair.run(8)
        frames += 8
    return frames


@FRAMINGS
@pytest.mark.parametrize("fault", [FORCE_AIS, FORCE_NO_SIGNAL])
def test_a_fault_is_answered_with_rai_for_a_second_at_least(framing: Framing, fault: int) -> None:
    """It begins when a fault outlasts the 50 ms of a reframe. Source: T1.403 (yellow alarm)."""
    pair = settled(framing)
    pair.a.force(fault)
    signal = fault != FORCE_NO_SIGNAL
    pair.run(4000, signal=signal)
    assert pair.a.alarms == Alarms.YELLOW
    pair.a.force(0)
    pair.run(400)
    assert pair.b.alarms == NONE
    # What is left of a second, and ten codewords of 4 ms until the receiver believes in the end.
    left = 8000 - (4000 - 400) - 400
    lasts = rai_lasts(pair)
    assert left - 64 <= lasts <= left + 64 + (10 * 32 if framing is Framing.ESF else 24)
    pair.run(64)
    assert pair.carries(TIMESLOTS)


@FRAMINGS
def test_a_reframe_alone_sends_no_rai(framing: Framing) -> None:
    pair = settled(framing)
    pair.run(40, ones)
    seen = set()
    for _ in range(2000 // 8):
        pair.run(8)
        seen.add(pair.a.alarms)
    assert seen == {NONE}
    assert pair.b.alarms == NONE


def test_d4_yellow_takes_bit_2_of_every_timeslot() -> None:
    """Nothing else, and all is back behind it. Source: T1.403 (SF yellow alarm)."""
    pair = settled(Framing.D4)
    pair.a.force(FORCE_RAI)
    pair.run(32)
    for slot in TIMESLOTS:
        assert pair.received[-1][slot] == bytes(octet & 0xBF for octet in pair.sent[-1][slot])
    pair.a.force(0)
    pair.run(8000)
    assert pair.carries(TIMESLOTS)


@pytest.mark.parametrize(("superframes", "alarms"), [(223, NONE), (224, Alarms.YELLOW)])
def test_d4_yellow_is_335_ms_of_it(superframes: int, alarms: Alarms) -> None:
    """224 superframes of 1.5 ms. Source: RFC 4805 3.4.4 (far end alarm, D4)."""
    pair = settled(Framing.D4)
    pair.a.force(FORCE_RAI)
    for _ in range(superframes):
        pair.run(12)
    assert pair.b.alarms == alarms
    pair.run(12, keep_bit_2)
    assert pair.b.alarms == NONE


def keep_bit_2(rows: bytearray) -> None:
    """The alarm is taken off the line: bit 2 of every timeslot is one."""
    for at in range(0, len(rows), FRAME_SPAN):
        for slot in TIMESLOTS:
            rows[at + slot] |= 0x40


# The data link of ESF.


def codewords(pair: Pair, words: int, change: Change = untouched) -> None:
    """As many frames as so many codewords of 16 bits at 4 kbit/s take."""
    for _ in range(words):
        pair.run(32, change)


def test_a_codeword_is_sent_rightmost_bit_first() -> None:
    """00001110 11111111: eight ones, then 0 111 0000. Source: T1.403 (bit-oriented messages)."""
    framer = t1()
    assert framer.send_bom(LINE_LOOPBACK_ACTIVATE, 2)
    frames = oracle.frames_of(framer.send(octets(72), 72), 193)
    link = [frame[0] for n, frame in enumerate(frames) if n % 2 == 0]
    assert link == ([1] * 8 + [0, 1, 1, 1, 0, 0, 0, 0]) * 2 + [0, 1, 1, 1]


@pytest.mark.parametrize(("repeats", "count"), [(6, 0), (7, 1), (10, 1), (40, 1)])
def test_a_message_is_received_with_seven_of_ten_codewords(repeats: int, count: int) -> None:
    """Source: RFC 4805 3.4.4 (seven of ten pattern intervals)."""
    pair = settled()
    assert pair.a.send_bom(LINE_LOOPBACK_ACTIVATE, repeats)
    codewords(pair, repeats + 1)
    assert pair.b.boms[0] == count
    assert pair.b.bom == (LINE_LOOPBACK_ACTIVATE if count else 0)
    codewords(pair, 12)
    assert pair.b.boms == (count, LINE_LOOPBACK_ACTIVATE if count else 0)
    assert pair.b.bom == 0


def test_a_message_until_the_next_order_and_another_one() -> None:
    pair = settled()
    pair.a.send_bom(LINE_LOOPBACK_ACTIVATE, 0)
    codewords(pair, 30)
    assert (pair.b.bom, pair.b.boms[0]) == (LINE_LOOPBACK_ACTIVATE, 1)
    pair.a.send_bom(LINE_LOOPBACK_DEACTIVATE, 10)
    codewords(pair, 11)
    assert pair.b.boms == (2, LINE_LOOPBACK_DEACTIVATE)
    codewords(pair, 12)
    pair.a.send_bom(LINE_LOOPBACK_DEACTIVATE, 10)
    codewords(pair, 11)
    assert pair.b.boms == (3, LINE_LOOPBACK_DEACTIVATE)
    assert pair.b.alarms == NONE


def test_a_message_bears_three_lost_codewords_of_ten() -> None:
    pair = settled()
    pair.a.send_bom(LINE_LOOPBACK_ACTIVATE, 10)
    for word in range(11):
        pair.run(32, f_bits(4, 5, 6) if word in (1, 4, 6) else untouched)
    assert pair.b.boms == (1, LINE_LOOPBACK_ACTIVATE)


def test_esf_yellow_is_a_codeword_and_costs_no_bit_of_the_timeslots() -> None:
    """Source: T1.403 (ESF yellow alarm), RFC 4805 3.4.4."""
    pair = settled()
    pair.a.force(FORCE_RAI)
    codewords(pair, 6)
    assert pair.b.alarms == NONE
    codewords(pair, 2)
    assert pair.b.alarms == Alarms.YELLOW
    assert pair.carries(TIMESLOTS)


def test_a_command_goes_before_the_yellow_alarm() -> None:
    """For 100 ms at most. Source: T1.403 (priority messages)."""
    pair = settled()
    pair.a.force(FORCE_RAI)
    codewords(pair, 20)
    pair.a.send_bom(LINE_LOOPBACK_ACTIVATE, 10)
    codewords(pair, 11)
    assert pair.b.boms[1] == LINE_LOOPBACK_ACTIVATE
    codewords(pair, 20)
    assert pair.b.alarms == Alarms.YELLOW


def test_what_is_no_codeword_is_not_sent() -> None:
    assert not t1().send_bom(0x0E7F, 10)
    assert not t1().send_bom(0x8EFF, 10)
    assert not t1(Framing.D4).send_bom(LINE_LOOPBACK_ACTIVATE, 10)


@settings(max_examples=60)
@given(data=st.data())
def test_counts_are_the_oracles_at_any_error_rate(data: st.DataObject) -> None:
    sender, receiver = t1(), t1()
    for seed in range(10):
        receiver.receive(sender.send(octets(24, seed), 24))
    start = receiver.counts
    rows = bytearray(sender.send(octets(48, 3), 48) + sender.send(octets(48, 4), 48))
    place = st.tuples(st.integers(0, 95), st.one_of(st.just(0), st.integers(0, 192)))
    for frame, bit in data.draw(st.lists(place, max_size=20, unique=True)):
        flip(rows, frame, (bit + 7) // 8, (bit - 1) % 8 + 1 if bit else 1)
    expected = oracle.esf_seen(oracle.frames_of(bytes(rows), 193))
    receiver.receive(bytes(rows[: 48 * FRAME_SPAN]))
    receiver.receive(bytes(rows[48 * FRAME_SPAN :]))
    counts = receiver.counts
    if expected.lost is None:
        assert counts.fas - start.fas == expected.fas
        # The oracle does not know the block before its first one.
        assert counts.crc - start.crc in (expected.crc, expected.crc + 1)
        assert counts.reframes == start.reframes
    else:
        assert receiver.alarms & Alarms.RED or counts.reframes > start.reframes
