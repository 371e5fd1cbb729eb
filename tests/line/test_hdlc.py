# SPDX-License-Identifier: GPL-2.0-or-later
"""The C engines against the bit-serial oracle."""

import random
from itertools import accumulate, pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dahdi_py.ffi.hdlc import DCHANNEL_LIMIT, HdlcReceiver, HdlcTransmitter, fcs
from tests.line import hdlc_oracle as oracle

LIMIT = 64
# Frames full of ones are where stuffing happens.
octet = st.one_of(st.integers(0, 255), st.sampled_from([0xFF, 0x7E, 0x1F, 0xF8, 0x3F, 0x00]))
frame = st.lists(octet, min_size=2, max_size=40).map(bytes)


def sent(frames: list[bytes], gaps: list[int], tx: HdlcTransmitter | None = None) -> bytes:
    """The frames' line octets, each followed by as many octets of flags as its gap."""
    tx = tx or HdlcTransmitter()
    line = b""
    for octets, gap in zip(frames, gaps, strict=True):
        assert tx.load(octets)
        while part := tx.send(7):
            line += part
        line += tx.idle(gap)
    return line + tx.idle(2)


def counts(rx: HdlcReceiver) -> dict[str, int]:
    return {name: value for name, value in rx.counts._asdict().items() if name != "frames"}


def as_counts(seen: oracle.Seen) -> dict[str, int]:
    return {name: value for name, value in vars(seen).items() if name != "frames"}


def fed(octets: bytes, cuts: list[int], limit: int = LIMIT) -> tuple[list[bytes], HdlcReceiver]:
    """The frames a receiver finds when the line comes in pieces of those sizes."""
    rx = HdlcReceiver(limit)
    edges = [0, *(edge for edge in accumulate(cuts) if edge < len(octets)), len(octets)]
    frames: list[bytes] = []
    for start, end in pairwise(edges):
        frames += rx.feed(octets[start:end])
    return frames, rx


def test_fcs_of_the_check_string() -> None:
    """The published check value of CRC-16/X-25."""
    assert fcs(b"123456789") == 0x906E


@given(st.binary(max_size=64))
def test_fcs_is_the_oracles(octets: bytes) -> None:
    assert fcs(octets).to_bytes(2, "little") == oracle.fcs(octets)


@given(frame)
@example(b"\xff" * 40)
def test_a_frame_on_the_line_is_the_oracles_bit_for_bit(octets: bytes) -> None:
    expected = oracle.FLAG + oracle.frame_bits(octets) + oracle.FLAG
    line = oracle.to_bits(sent([octets], [0]))
    assert line[: len(expected)] == expected


@given(st.lists(st.tuples(frame, st.integers(0, 5)), min_size=1, max_size=6), st.integers(0, 3))
def test_frames_follow_each_other_on_shared_flags_or_idle_ones(sequence: list[tuple[bytes, int]], extra: int) -> None:
    frames, gaps = [list(column) for column in zip(*sequence, strict=True)]
    line = sent(frames, gaps, HdlcTransmitter(extra))
    seen = oracle.receive(line, LIMIT)
    assert seen == oracle.Seen(frames=[octets + oracle.fcs(octets) for octets in frames])


def test_two_frames_share_one_flag() -> None:
    a, b = b"\x02\x01\x7f", b"\x00\x01\x73"
    expected = oracle.FLAG + oracle.frame_bits(a) + oracle.FLAG + oracle.frame_bits(b) + oracle.FLAG
    assert oracle.to_bits(sent([a, b], [0, 0]))[: len(expected)] == expected


@given(
    st.lists(frame, min_size=1, max_size=5),
    st.integers(0, 7),
    st.lists(st.integers(1, 30), max_size=40),
    st.booleans(),
)
def test_frames_are_received_at_any_bit_phase_in_any_pieces(
    frames: list[bytes], phase: int, cuts: list[int], shared_zero: bool
) -> None:
    bits = [1] * phase + oracle.FLAG
    for octets in frames:
        bits += (oracle.FLAG[1:] if shared_zero else oracle.FLAG) + oracle.frame_bits(octets) + oracle.FLAG
    found, rx = fed(oracle.to_octets(bits), cuts)
    assert found == [octets + oracle.fcs(octets) for octets in frames]
    assert not any(counts(rx).values())


# Pieces of what a bad line carries: whole frames, cut ones, flags, marks, noise.
piece = st.one_of(
    frame.map(oracle.frame_bits),
    st.lists(octet, min_size=60, max_size=90).map(lambda octets: oracle.frame_bits(bytes(octets))),
    st.just(oracle.FLAG),
    st.just(oracle.FLAG[1:]),
    st.integers(1, 20).map(lambda n: [1] * n),
    st.integers(1, 20).map(lambda n: [0] * n),
    st.lists(st.integers(0, 1), max_size=80),
)


@given(st.lists(piece, max_size=20), st.lists(st.integers(1, 30), max_size=60))
def test_any_bits_are_judged_as_the_oracle_does(pieces: list[list[int]], cuts: list[int]) -> None:
    line = oracle.to_octets([bit for part in pieces for bit in part])
    expected = oracle.receive(line, LIMIT)
    found, rx = fed(line, cuts)
    assert found == expected.frames
    assert counts(rx) == as_counts(expected)


def test_a_flag_right_after_five_ones_is_a_flag() -> None:
    """Only a bad line has it: the flag's first zero looks like a stuffed one."""
    line = oracle.to_octets([*oracle.FLAG, *[0, 1] * 30, *[1] * 4, *oracle.FLAG, *oracle.FLAG])
    assert oracle.receive(line, LIMIT) == oracle.Seen(fcs_errors=1)
    _, rx = fed(line, [])
    assert counts(rx) == as_counts(oracle.Seen(fcs_errors=1))


@given(st.randoms(use_true_random=False), st.integers(1, 30))
def test_bit_errors_are_judged_as_the_oracle_does(rng: random.Random, errors: int) -> None:
    frames = [rng.randbytes(rng.randrange(2, 40)) for _ in range(10)]
    line = bytearray(sent(frames, [rng.randrange(3) for _ in frames]))
    for _ in range(errors):
        line[rng.randrange(len(line))] ^= 1 << rng.randrange(8)
    expected = oracle.receive(line, LIMIT)
    found, rx = fed(bytes(line), [])
    assert found == expected.frames
    assert counts(rx) == as_counts(expected)


@given(frame, st.integers(1, 60), frame)
def test_an_aborted_frame_never_arrives_and_the_next_one_does(cut: bytes, at: int, after: bytes) -> None:
    tx = HdlcTransmitter()
    line = tx.idle(1)
    assert tx.load(cut)
    line += tx.send(at)
    tx.abort()
    aborted = tx.send(8)
    line += aborted + sent([after], [1], tx)
    found, rx = fed(line, [])
    assert found[-1] == after + oracle.fcs(after)
    assert len(found) == (1 if aborted else 2)
    assert rx.counts.fcs_errors == 0


def test_a_frame_at_the_limit_is_taken_and_one_above_it_is_overlong() -> None:
    rx = HdlcReceiver(DCHANNEL_LIMIT)
    longest, longer = b"\xa5" * (DCHANNEL_LIMIT - 2), b"\xa5" * (DCHANNEL_LIMIT - 1)
    found = rx.feed(sent([longest, longer, b"after"], [1, 1, 1]))
    assert [octets[:-2] for octets in found] == [longest, b"after"]
    assert rx.counts.overlong == 1


def test_a_frame_is_refused_while_one_is_going_out() -> None:
    tx = HdlcTransmitter()
    assert tx.load(b"first")
    assert not tx.load(b"second")
    while tx.send(1):
        pass
    assert tx.load(b"second")


@pytest.mark.parametrize("length", [0, 2047, 5000])
def test_a_frame_of_impossible_length_is_refused(length: int) -> None:
    assert not HdlcTransmitter().load(bytes(length))


def test_hours_of_flags_and_marks_give_nothing() -> None:
    for idle in (0xFF, *((0x7E7E >> phase) & 0xFF for phase in range(8))):
        rx = HdlcReceiver()
        assert rx.feed(bytes([idle]) * 100_000) == []
        assert not any(counts(rx).values())
