# SPDX-License-Identifier: GPL-2.0-or-later
"""D-channels of the simulated line in virtual time: whole frames, and what they cost at 64 kbit/s."""

import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dahdi_py.core.terms import LineType
from dahdi_py.errors import DeviceBusy
from dahdi_py.ffi.hdlc import DCHANNEL_LIMIT
from dahdi_py.ffi.line import DCHANNEL_DEPTH
from tests.line import hdlc_oracle as oracle
from tests.line.rig import TICK_NS, Client, clients, dchannel_clients, joined

DUMMY = b"\0\0"
KINDS = pytest.mark.parametrize("kind", list(LineType))


@KINDS
def test_frames_cross_both_ways_with_their_fcs(kind: LineType) -> None:
    with joined(kind) as card, dchannel_clients(card, kind) as (a, b):
        to_b, to_a = b"\x02\x01\x7f", b"\x00\x01\x73"
        a.write([to_b + DUMMY])
        b.write([to_a + DUMMY])
        card.advance(2 * TICK_NS)
        assert b.read() == [to_b + oracle.fcs(to_b)]
        assert a.read() == [to_a + oracle.fcs(to_a)]


@given(st.lists(st.binary(min_size=2, max_size=60), min_size=1, max_size=12))
def test_any_frames_cross_in_order(frames: list[bytes]) -> None:
    with joined(LineType.E1) as card, dchannel_clients(card, LineType.E1) as (a, b):
        assert a.write([frame + DUMMY for frame in frames]) == []
        card.advance(200_000_000)
        assert b.read() == [frame + oracle.fcs(frame) for frame in frames]
        assert card.status(1).hdlc_sent == len(frames)
        assert card.status(2).hdlc.frames == len(frames)


def test_a_frame_written_right_after_the_far_end_opened_is_not_lost() -> None:
    with joined(LineType.E1) as card:
        a = Client(card.open_dchannel(1, 16))
        card.advance(TICK_NS)
        b = Client(card.open_dchannel(2, 16))
        a.write([b"first" + DUMMY])
        card.advance(2 * TICK_NS)
        assert b.read() == [b"first" + oracle.fcs(b"first")]
        a.close()
        b.close()


def line_bits(frames: list[bytes]) -> int:
    """What back-to-back frames cost on the line: stuffed, with FCS, one flag each."""
    return sum(len(oracle.frame_bits(frame)) + 8 for frame in frames)


def test_a_frame_costs_its_true_time() -> None:
    """At 64 kbit/s a busy D-channel carries as many frames a second as their stuffed bits allow: not one more."""
    source = random.Random(1)
    frames = [source.randbytes(source.randrange(4, 260)) for _ in range(400)]
    with joined(LineType.E1) as card, dchannel_clients(card, LineType.E1) as (a, b):
        left = [frame + DUMMY for frame in frames]
        for _ in range(250):
            left = a.write(left)
            card.advance(TICK_NS)
            b.read()
        arrived = len(b.received)
        assert line_bits(frames[:arrived]) <= 64_000
        assert line_bits(frames[: arrived + 1]) > 64_000 - 2 * 8 * 32


def test_one_frame_arrives_when_its_last_bit_does() -> None:
    frame = bytes(260)
    ticks = -(-(line_bits([frame]) + 8) // (8 * 32))
    with joined(LineType.E1) as card, dchannel_clients(card, LineType.E1) as (a, b):
        a.write([frame + DUMMY])
        card.advance((ticks - 1) * TICK_NS)
        assert b.read() == []
        card.advance(TICK_NS)
        assert len(b.read()) == 1


@pytest.mark.parametrize("length", [5, 260])
def test_a_writer_that_is_too_fast_is_told(length: int) -> None:
    with joined(LineType.E1) as card, dchannel_clients(card, LineType.E1) as (a, _):
        taken = 1000 - len(a.write([bytes(length) + DUMMY] * 1000))
        assert DCHANNEL_DEPTH - 10 <= taken <= 2 * DCHANNEL_DEPTH


def test_a_reader_that_is_too_slow_keeps_the_oldest_frames() -> None:
    frames = [number.to_bytes(2, "big") + bytes(58) for number in range(200)]
    with joined(LineType.E1) as card, dchannel_clients(card, LineType.E1) as (a, b):
        left = [frame + DUMMY for frame in frames]
        while left:
            left = a.write(left)
            card.advance(TICK_NS)
        card.advance(2_000_000_000)
        queued = b.read()
        assert DCHANNEL_DEPTH <= len(queued) <= 2 * DCHANNEL_DEPTH
        assert [block[:-2] for block in queued] == frames[: len(queued)]
        assert card.status(2).overruns == len(frames) - len(queued)


def test_a_frame_longer_than_the_device_takes_is_not_sent() -> None:
    with joined(LineType.E1) as card, dchannel_clients(card, LineType.E1) as (a, b):
        longest = bytes(DCHANNEL_LIMIT - 2)
        a.write([bytes(DCHANNEL_LIMIT + 1), longest + DUMMY, b"x", b"after" + DUMMY])
        card.advance(400_000_000)
        assert [frame[:-2] for frame in b.read()] == [longest, b"after"]
        assert card.status(1).cut == 1


def test_closing_a_dchannel_throws_queued_frames_away_and_aborts_the_one_on_the_line() -> None:
    with joined(LineType.E1) as card:
        a = Client(card.open_dchannel(1, 16))
        b = Client(card.open_dchannel(2, 16))
        card.advance(TICK_NS)
        a.write([bytes([number]) * 100 + DUMMY for number in range(1, 5)])
        card.advance(TICK_NS)
        a.close()
        card.advance(200_000_000)
        assert b.read() == []
        assert card.status(2).hdlc.aborts == 1
        again = Client(card.open_dchannel(1, 16))
        again.write([b"again" + DUMMY])
        card.advance(40_000_000)
        assert [frame[:-2] for frame in b.read()] == [b"again"]
        assert card.status(1).hdlc_sent == 2
        again.close()
        b.close()


def test_a_cut_in_the_middle_of_a_frame_loses_that_frame_only() -> None:
    with joined(LineType.E1) as card, dchannel_clients(card, LineType.E1) as (a, b):
        a.write([bytes(100) + DUMMY, b"after the cut" + DUMMY])
        card.advance(2 * TICK_NS)
        card.uncable(1)
        card.advance(TICK_NS)
        card.cable(1, 2)
        card.advance(100_000_000)
        assert [frame[:-2] for frame in b.read()] == [b"after the cut"]
        assert card.status(2).hdlc.aborts == 1


def test_a_dchannel_is_busy_while_it_is_open() -> None:
    with joined(LineType.T1) as card, dchannel_clients(card, LineType.T1), pytest.raises(DeviceBusy):
        card.open_dchannel(1, 24)


def test_a_bchannel_in_hdlc_mode_carries_frames_like_a_dchannel() -> None:
    with joined(LineType.E1) as card, clients(card, 5, hdlc=True) as (a, b):
        frames = [os.urandom(40) for _ in range(8)]
        a.write([frame + DUMMY for frame in frames])
        card.advance(200_000_000)
        assert b.read() == [frame + oracle.fcs(frame) for frame in frames]
