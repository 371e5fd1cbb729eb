# SPDX-License-Identifier: GPL-2.0-or-later
"""HDLC bit by bit, straight from Q.921 section 2: slow, obvious, and sharing nothing with the C engines."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

Bits = list[int]
FLAG: Bits = [0, 1, 1, 1, 1, 1, 1, 0]


def octet_bits(octets: bytes) -> Bits:
    """A frame's octets in the order of the line: lowest bit first."""
    return [octet >> i & 1 for octet in octets for i in range(8)]


def fcs(octets: bytes) -> bytes:
    """Two octets of FCS: the remainder of long division by x^16 + x^12 + x^5 + 1, complemented."""
    register = [1] * 16
    for bit in octet_bits(octets):
        feedback = bit ^ register[15]
        register = [feedback, *register[:15]]
        register[5] ^= feedback
        register[12] ^= feedback
    sent = [1 - bit for bit in reversed(register)]
    return bytes(sum(sent[8 * half + i] << i for i in range(8)) for half in (0, 1))


def stuffed(bits: Bits) -> Bits:
    out: Bits = []
    for bit in bits:
        out.append(bit)
        if out[-5:] == [1] * 5 and _run(out) == 5:
            out.append(0)
    return out


def _run(bits: Bits) -> int:
    count = 0
    while count < len(bits) and bits[-1 - count]:
        count += 1
    return count


def frame_bits(frame: bytes) -> Bits:
    """A frame between its flags, FCS included; neither flag."""
    return stuffed(octet_bits(frame + fcs(frame)))


def to_octets(bits: Bits) -> bytes:
    """Line octets, highest bit first; the tail is filled with ones."""
    padded = bits + [1] * (-len(bits) % 8)
    return bytes(int("".join(map(str, padded[i : i + 8])), 2) for i in range(0, len(padded), 8))


def to_bits(octets: Iterable[int]) -> Bits:
    return [octet >> i & 1 for octet in octets for i in range(7, -1, -1)]


@dataclass
class Seen:
    frames: list[bytes] = field(default_factory=list)
    fcs_errors: int = 0
    aborts: int = 0
    overlong: int = 0
    misaligned: int = 0
    shorts: int = 0


def _between_flags(bits: Bits) -> Iterator[tuple[str, Bits]]:
    """What stands between two flags, or between a flag and an abort, still stuffed."""
    start: int | None = None
    run = 0
    for i, bit in enumerate(bits):
        if bit:
            run += 1
            if run == 7 and start is not None:
                yield "abort", bits[start : i - 6]
                start = None
            continue
        if run == 6:
            if start is not None and i - 7 >= start:
                yield "flag", bits[start : i - 7]
            start = i + 1
        run = 0
    if start is not None:
        yield "end", bits[start:]


def _plain(bits: Bits) -> Bits:
    out: Bits = []
    run = 0
    for bit in bits:
        if run == 5 and bit == 0:
            run = 0
            continue
        out.append(bit)
        run = run + 1 if bit else 0
    return out


def receive(octets: Iterable[int], limit: int) -> Seen:
    """What a receiver makes of the line octets; frames with FCS."""
    seen = Seen()
    for how, stretch in _between_flags(to_bits(octets)):
        bits = _plain(stretch)
        if len(bits) > 8 * limit and (how != "end" or len(bits) > 8 * limit + 6):
            seen.overlong += 1
        elif how == "abort":
            seen.aborts += bool(bits)
        elif how == "flag" and bits:
            _take(seen, bits)
    return seen


def _take(seen: Seen, bits: Bits) -> None:
    frame = bytes(sum(bit << i for i, bit in enumerate(bits[at : at + 8])) for at in range(0, len(bits), 8))
    if len(bits) < 32:
        seen.shorts += 1
    elif len(bits) % 8:
        seen.misaligned += 1
    elif fcs(frame[:-2]) != frame[-2:]:
        seen.fcs_errors += 1
    else:
        seen.frames.append(frame)
