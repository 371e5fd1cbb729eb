# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames bit by bit, straight from G.704 and T1.403: slow, obvious, and sharing nothing with the framer in C."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

Bits = list[int]

FAS = [0, 0, 1, 1, 0, 1, 1]
"""Bits 2-8 of timeslot 0 in every other frame. Source: G.704 table 5A."""
MULTIFRAME = [0, 0, 1, 0, 1, 1]
"""Bit 1 of the frames between, and the framing pattern of ESF. Source: G.704 tables 5B, 1."""
SUPERFRAME = [1, 0, 0, 0, 1, 1, 0, 1, 1, 1, 0, 0]
"""Ft 101010 and Fs 001110 by turns. Source: T1.403 (SF)."""
IDLE_FDL = [0, 1, 1, 1, 1, 1, 1, 0]


def octet_bits(octet: int) -> Bits:
    return [octet >> i & 1 for i in range(7, -1, -1)]


def value(bits: Bits) -> int:
    return int("".join(map(str, bits)), 2)


def remainder(bits: Bits, generator: Bits) -> Bits:
    """What long division of the bits and as many zeros as the generator's degree leaves."""
    work = bits + [0] * (len(generator) - 1)
    for at in range(len(bits)):
        if work[at]:
            for i, coefficient in enumerate(generator):
                work[at + i] ^= coefficient
    return work[len(bits) :]


def crc4(frames: list[Bits]) -> Bits:
    """Of eight frames, the CRC bits taken as zero. Source: G.704 2.3.3.5.3."""
    bits = [bit if i or number % 2 else 0 for number, frame in enumerate(frames) for i, bit in enumerate(frame)]
    return remainder(bits, [1, 0, 0, 1, 1])


def crc6(frames: list[Bits]) -> Bits:
    """Of 24 frames, the F bits taken as one. Source: G.704 2.1.3.1.2."""
    return remainder([bit for frame in frames for bit in [1, *frame[1:]]], [1, 0, 0, 0, 0, 1, 1])


def frames_of(rows: bytes, length: int) -> list[Bits]:
    """The frames in memory as bits on the line: E1 256 of them, T1 193."""
    found = []
    for at in range(0, len(rows), 32):
        bits = [bit for octet in rows[at : at + 32] for bit in octet_bits(octet)]
        found.append(bits if length == 256 else bits[:1] + bits[8:200])
    return found


def rows_of(line: Bits, length: int) -> bytes:
    """And back; what is no whole frame at the end is left out."""
    rows = bytearray()
    for at in range(0, len(line) - length + 1, length):
        bits = line[at : at + length]
        padded = bits if length == 256 else bits[:1] + [0] * 7 + bits[1:] + [0] * 56
        rows += bytes(value(padded[i : i + 8]) for i in range(0, 256, 8))
    return bytes(rows)


def e1_frames(timeslots: Sequence[bytes], *, crc: bool, rai: bool = False, spare: int = 0x1F) -> Iterator[Bits]:
    """What a sender sends that hears no multiframe (E bits zero), from the first frame of a multiframe on."""
    block: list[Bits] = []
    check = [0, 0, 0, 0]
    for number in range(len(timeslots[1])):
        place = number % 16
        if place % 2 == 0:
            first = check[place % 8 // 2] if crc else 1
            bits = [first, *FAS]
        else:
            first = (MULTIFRAME[place // 2] if place < 12 else 0) if crc else 1
            bits = [first, 1, int(rai), *octet_bits(spare)[3:]]
        for slot in range(1, 32):
            bits += octet_bits(timeslots[slot][number])
        block.append(bits)
        if len(block) == 8:
            check = crc4(block)
            block = []
        yield bits


def t1_frames(timeslots: Sequence[bytes], *, esf: bool) -> Iterator[Bits]:
    """The frames of a sender without alarm or message, from the first one of a superframe on."""
    block: list[Bits] = []
    check = [0] * 6
    for number in range(len(timeslots[1])):
        place = number % (24 if esf else 12)
        if not esf:
            bits = [SUPERFRAME[place]]
        elif place % 2 == 0:
            bits = [IDLE_FDL[number // 2 % 8]]
        else:
            bits = [check[place // 4] if place % 4 == 1 else MULTIFRAME[place // 4]]
        for slot in range(1, 25):
            bits += octet_bits(timeslots[slot][number])
        block.append(bits)
        if len(block) == 24:
            check = crc6(block)
            block = []
        yield bits


@dataclass
class Seen:
    """What a receiver that is aligned from the first frame counts, and in which frame it loses alignment."""

    fas: int = 0
    crc: int = 0
    ebit: int = 0
    lost: int | None = None


def _in_a_row(wrong: list[tuple[int, bool]], count: int) -> int | None:
    """The frame of the last of so many wrong ones in a row."""
    run = 0
    for number, is_wrong in wrong:
        run = run + 1 if is_wrong else 0
        if run == count:
            return number
    return None


def e1_seen(frames: list[Bits]) -> Seen:
    """Of whole multiframes with CRC-4. Source: G.706 4.1.1, 4.3.1."""
    words = [(n, frame[1:8] != FAS) for n, frame in enumerate(frames) if n % 2 == 0]
    second = [(n, frame[1] == 0) for n, frame in enumerate(frames) if n % 2]
    lost = [n for n in (_in_a_row(words, 3), _in_a_row(second, 3)) if n is not None]
    seen = Seen(lost=min(lost, default=None), fas=sum(wrong for _, wrong in words))
    seen.ebit = sum(1 for n, frame in enumerate(frames) if n % 16 in (13, 15) and frame[0] == 0)
    blocks = [frames[at : at + 8] for at in range(0, len(frames), 8)]
    for before, block in pairwise(blocks):
        seen.crc += crc4(before) != [frame[0] for frame in block[::2]]
    return seen


def esf_seen(frames: list[Bits]) -> Seen:
    """Of whole extended superframes; loss by two of four framing bits. Source: T1.403 (ESF)."""
    wrong = [(n, frame[0] != MULTIFRAME[n % 24 // 4]) for n, frame in enumerate(frames) if n % 4 == 3]
    seen = Seen(fas=sum(is_wrong for _, is_wrong in wrong))
    for at in range(len(wrong)):
        if seen.lost is None and sum(is_wrong for _, is_wrong in wrong[max(0, at - 3) : at + 1]) >= 2:
            seen.lost = wrong[at][0]
    blocks = [frames[at : at + 24] for at in range(0, len(frames), 24)]
    for before, block in pairwise(blocks):
        seen.crc += crc6(before) != [block[i][0] for i in range(1, 24, 4)]
    return seen
