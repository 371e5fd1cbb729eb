# SPDX-License-Identifier: GPL-2.0-or-later
"""What framers send, and where receivers find it, against the bit-serial oracle."""

import itertools
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dahdi_py.core.terms import Alarms, Framing, LineType
from dahdi_py.ffi.framer import FRAMES_MAX, Framer, LineDelay, crc
from tests.line import framer_oracle as oracle
from tests.line.framer_rig import e1, octets, t1

LENGTH = {LineType.E1: 256, LineType.T1: 193}
FRAMERS: dict[str, tuple[LineType, Callable[[], Framer]]] = {
    "E1 with CRC-4": (LineType.E1, lambda: e1(crc4=True)),
    "E1": (LineType.E1, lambda: e1(crc4=False)),
    "ESF": (LineType.T1, lambda: t1(Framing.ESF)),
    "D4": (LineType.T1, lambda: t1(Framing.D4)),
}
ALL = pytest.mark.parametrize("name", FRAMERS)
CHECK = [bit for octet in b"123456789" for bit in reversed(oracle.octet_bits(octet))]
"""The check string of the CRC catalogues, lowest bit first."""


def block(kind: LineType, tail: list[int]) -> bytes:
    """A CRC block of zeros that ends in those bits."""
    length = LENGTH[kind] * (8 if kind is LineType.E1 else 24)
    return oracle.rows_of([0] * (length - len(tail)) + tail, LENGTH[kind])


def test_crc4_of_the_check_string() -> None:
    """CRC-4/G-704 of the catalogues: 0x7, its first bit lowest."""
    assert crc(LineType.E1, block(LineType.E1, CHECK)) == 0b1110


def test_crc6_of_the_check_string() -> None:
    """CRC-6/G-704 of the catalogues: 0x06, its first bit lowest; on top of what the F bits of one are worth."""
    nothing = crc(LineType.T1, block(LineType.T1, []))
    assert crc(LineType.T1, block(LineType.T1, CHECK)) ^ nothing == 0b011000


@pytest.mark.parametrize(("last", "worth"), [(1, 0b0011), (2, 0b0110), (3, 0b1100), (4, 0b1011), (5, 0b0101)])
def test_crc4_of_one_bit(last: int, worth: int) -> None:
    """The last bit is worth x^4 = x + 1, the one before x^5 = x^2 + x …"""
    assert crc(LineType.E1, block(LineType.E1, [1] + [0] * (last - 1))) == worth


@pytest.mark.parametrize("kind", list(LineType))
@pytest.mark.parametrize("seed", range(5))
def test_crcs_are_the_oracles(kind: LineType, seed: int) -> None:
    frames = 8 if kind is LineType.E1 else 24
    bits = [random.Random(seed).getrandbits(1) for _ in range(frames * LENGTH[kind])]
    rows = oracle.rows_of(bits, LENGTH[kind])
    expected = (oracle.crc4 if kind is LineType.E1 else oracle.crc6)(oracle.frames_of(rows, LENGTH[kind]))
    assert crc(kind, rows) == oracle.value(expected)


def expected_frames(name: str, timeslots: list[bytes]) -> list[oracle.Bits]:
    if name.startswith("E1"):
        return list(oracle.e1_frames(timeslots, crc="CRC" in name, rai=True))
    return list(oracle.t1_frames(timeslots, esf=name == "ESF"))


@ALL
@given(cuts=st.lists(st.integers(1, FRAMES_MAX), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_a_framer_sends_what_the_standard_says(name: str, cuts: list[int], seed: int) -> None:
    kind, make = FRAMERS[name]
    framer = make()
    slots = octets(sum(cuts), seed)
    line = b""
    for start, end in itertools.pairwise([0, *itertools.accumulate(cuts)]):
        line += framer.send([slot[start:end] for slot in slots], end - start)
    assert oracle.frames_of(line, LENGTH[kind]) == expected_frames(name, slots)


@pytest.mark.parametrize("kind", list(LineType))
@given(bits=st.integers(0, 2000), cuts=st.lists(st.integers(1, FRAMES_MAX), min_size=1, max_size=4))
def test_a_delay_is_as_many_bit_times(kind: LineType, bits: int, cuts: list[int]) -> None:
    source = random.Random(bits)
    line = [source.getrandbits(1) for _ in range(sum(cuts) * LENGTH[kind])]
    rows, delay = oracle.rows_of(line, LENGTH[kind]), LineDelay(kind, bits)
    out = b"".join(
        delay.run(rows[32 * start : 32 * end]) for start, end in itertools.pairwise([0, *itertools.accumulate(cuts)])
    )
    assert out == oracle.rows_of(([0] * bits + line)[: len(line)], LENGTH[kind])
    delay.close()


def find(name: str, delay: int, *, ticks: int, tick: int) -> tuple[Framer, bytes, bytes]:
    """A receiver that heard so many ticks on a line with that delay, and a timeslot sent and received over it."""
    kind, make = FRAMERS[name]
    sender, receiver, line = make(), make(), LineDelay(kind, delay)
    source = random.Random(delay)
    sent = received = b""
    for _ in range(ticks):
        slots = [source.randbytes(tick) for _ in range(32)]
        sent += slots[7]
        received += receiver.receive(line.run(sender.send(slots, tick)))[7]
    line.close()
    return receiver, sent, received


@ALL
def test_frames_are_found_at_every_bit_phase_and_every_octet_is_exact(name: str) -> None:
    """Within 8 ms on E1 (G.706 4.2), 50 ms on T1 (T1.403, reframe time)."""
    kind = FRAMERS[name][0]
    most, ticks, tick = (64, 5, 31) if kind is LineType.E1 else (400, 15, 33)
    for delay in range(LENGTH[kind]):
        receiver, sent, received = find(name, delay, ticks=ticks, tick=tick)
        late = 1 if delay else 0
        whole = sent[: len(sent) - late]
        first = next(n for n in range(len(whole)) if received[n + late :] == whole[n:])
        assert first <= most, delay
        assert not receiver.alarms & ~Alarms.YELLOW
        assert receiver.counts._replace(ebit=0) == (0, 0, 0, 0, 0, 1, 0), delay


@ALL
def test_nothing_but_ones_is_delivered_before_frames_are_found(name: str) -> None:
    _, _, received = find(name, 99, ticks=1, tick=3)
    assert received == b"\xff" * 3
