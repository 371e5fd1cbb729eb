# SPDX-License-Identifier: GPL-2.0-or-later
"""What a simulated line costs: framed, checked, looped; its HDLC against other engines; a D-channel at its limit."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import calls
from bench.build import program
from bench.line_card import joined
from bench.machine import pinned
from dahdi_py.core.terms import LineType

TICK_MS = 4
SECONDS = 4
SPANS = 33
"""E1 spans that fit into the kernel's 1,024 channels."""
GROWN = 128
HDLC_30 = (30, 0, 60_000)
HDLC_IDLE = (30, 400, 20_000)
DCHANNEL_CALLS = 73.1
"""Calls a second that an E1's D-channel carries one way: 819 bits of frames and 7 flags a call at 64 kbit/s."""
CALL_FRAMES = (49, 4, 4, 9, 9, 4, 9)
"""What the calling side sends for a EuroISDN call, octets without FCS: SETUP, CONNECT ACKNOWLEDGE, DISCONNECT, RELEASE
COMPLETE, and RRs for what it hears; 102 octets with FCS."""
DCHANNEL_S = 20
_SATURATED = calls.Shape("one D-channel, 8 in flight", 1, 8, 1200)


@dataclass(frozen=True)
class Lines:
    """CPU us a span and simulated second.

    Attributes:
        floor: Copy, mux and demux in C.
        full: Every timeslot moved, every frame made, checked and CRC'd.
        grown: The same with 128 spans.
        idle: Framed and checked, no timeslot open.
        delivered: The same as `full`, every timeslot delivered to and taken from a socket.
    """

    floor: float
    full: float
    grown: float
    idle: float
    delivered: float


def _program(name: str, *arguments: int) -> list[float]:
    command = pinned([program(name), *map(str, arguments)])
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def _card(spans: int, kind: str) -> float:
    command = pinned([sys.executable, "-m", "bench.line_card", str(spans), str(TICK_MS), str(SECONDS), kind])
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def lines(repetitions: int) -> Lines:
    """Floor and card in turn, medians."""
    runs = [
        (
            _program("line_floor", SPANS, TICK_MS, SECONDS)[0],
            _card(SPANS, "full"),
            _card(GROWN, "full"),
            _card(SPANS, "idle"),
            _card(8, "delivered"),
        )
        for _ in range(repetitions)
    ]
    return Lines(*(median(column) for column in zip(*runs, strict=True)))


@dataclass(frozen=True)
class Hdlc:
    """Mbit/s of line made and read by the own engine and by another."""

    other: str
    what: str
    own: tuple[float, float]
    theirs: tuple[float, float]


def hdlc(repetitions: int) -> list[Hdlc]:
    """Engines in turn, medians; Debian's libspandsp-dev and dahdi-dkms have to be there."""
    return [
        _compare("spandsp", "30-octet frames", HDLC_30, repetitions),
        _compare("fasthdlc", "30-octet frames", HDLC_30, repetitions),
        _compare("fasthdlc", "a frame and 400 idle flags", HDLC_IDLE, repetitions),
    ]


def _compare(other: str, what: str, shape: Sequence[int], repetitions: int) -> Hdlc:
    runs = [(_program("hdlc_own", *shape), _program(f"hdlc_{other}", *shape)) for _ in range(repetitions)]
    own, theirs = ([median(run[which][way] for run in runs) for way in (0, 1)] for which in (0, 1))
    return Hdlc(other, what, (own[0], own[1]), (theirs[0], theirs[1]))


def dchannel() -> float:
    """Calls a second whose frames one simulated D-channel carries one way when it is never empty, in virtual time."""
    with joined(2, TICK_MS) as card:
        for port in (1, 2):
            card.configure(port, (), LineType.E1.default_dchannel, LineType.E1.default_law)
        near, far = (card.open_dchannel(port, LineType.E1.default_dchannel) for port in (1, 2))
        # Octets as a message has them: few runs of ones.
        frames = [bytes(at % 64 for at in range(length)) + b"\0\0" for length in CALL_FRAMES]
        written = read = 0
        for _ in range(DCHANNEL_S * 1000 // TICK_MS):
            with suppress(BlockingIOError):
                while True:
                    os.write(near, frames[written % len(frames)])
                    written += 1
            card.advance(TICK_MS * 1_000_000)
            with suppress(BlockingIOError):
                while os.read(far, 1024):
                    read += 1
        os.close(near)
        os.close(far)
    return read / len(frames) / DCHANNEL_S


def libpri_calls() -> float:
    """Calls a second of libpri at both ends of one simulated D-channel, eight always on their way, in real time."""
    with tempfile.TemporaryDirectory(prefix="bench") as directory:
        return calls.floor_rate(Path(directory), _SATURATED)
