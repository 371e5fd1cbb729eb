# SPDX-License-Identifier: GPL-2.0-or-later
"""Two framers and the line between them, frame by frame."""

import random
from collections.abc import Callable

from dahdi_py.core.terms import Alarms, Coding, Framing, LineType
from dahdi_py.ffi.framer import FRAME_SPAN, Framer

Change = Callable[[bytearray], None]
FRAMES_A_SECOND = 8000


def untouched(_rows: bytearray) -> None:
    """Nothing happens to the line."""


def e1(*, crc4: bool = True, coding: Coding = Coding.HDB3, cas: bool = False) -> Framer:
    return Framer(LineType.E1, Framing.CAS if cas else Framing.CCS, coding, crc4=crc4, cas=cas)


def t1(framing: Framing = Framing.ESF, coding: Coding = Coding.B8ZS) -> Framer:
    return Framer(LineType.T1, framing, coding)


def octets(frames: int, seed: int = 1) -> list[bytes]:
    """Any octets for 32 timeslots."""
    source = random.Random(seed)
    return [source.randbytes(frames) for _ in range(32)]


def ones(rows: bytearray) -> None:
    """An unframed signal of all ones."""
    rows[:] = b"\xff" * len(rows)


class Pair:
    """Framer `a` hears `b` and the other way round; both send any octets, other ones in every frame."""

    def __init__(self, a: Framer, b: Framer) -> None:
        self.a = a
        self.b = b
        self.source = random.Random(2)
        self.sent: list[list[bytes]] = []
        self.received: list[list[bytes]] = []

    def run(
        self, frames: int, change: Change = untouched, *, back: Change = untouched, tick: int = 32, signal: bool = True
    ) -> None:
        """So many frames go both ways; `change` is done to those from a to b, `signal` is theirs too."""
        while frames > 0:
            n = min(tick, frames)
            octets = [self.source.randbytes(n) for _ in range(32)]
            there, here = bytearray(self.a.send(octets, n)), bytearray(self.b.send(octets, n))
            change(there)
            back(here)
            self.sent.append(octets)
            self.received.append(self.b.receive(bytes(there), signal=signal))
            self.a.receive(bytes(here))
            frames -= n

    def settle(self, most: int = FRAMES_A_SECOND * 2) -> None:
        """Both are free of alarms; on T1 the one that a late start sends lasts a second."""
        for _ in range(0, most, 32):
            self.run(32)
            if not self.a.alarms | self.b.alarms:
                return
        raise AssertionError((self.a.alarms, self.b.alarms))

    def carries(self, timeslots: range) -> bool:
        """Whether what was received last is what was sent, on a line without delay."""
        return all(self.received[-1][slot] == self.sent[-1][slot] for slot in timeslots)


def flip(rows: bytearray, frame: int, octet: int, bit: int = 1) -> None:
    """Bit 1 (the first) to 8 of that octet of that row is the other way round."""
    rows[frame * FRAME_SPAN + octet] ^= 0x80 >> (bit - 1)


def settled_e1(*, crc4: bool = True) -> Pair:
    """Two framers without alarms; the next frame is the first of a multiframe, in a tick of its own."""
    pair = Pair(e1(crc4=crc4), e1(crc4=crc4))
    pair.settle()
    pair.run(64)
    return pair


NONE = Alarms.NONE
LOF = Alarms.RED | Alarms.LFA
LOS = Alarms.RED | Alarms.LOS
