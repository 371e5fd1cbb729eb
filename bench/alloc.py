# SPDX-License-Identifier: GPL-2.0-or-later
"""Allocate and release with the descriptor: client -> daemon -> line host -> card, against the same in C."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.build import program
from bench.machine import pinned
from bench.service import configuration, running

PAIRS = 9
"""Spans to allocate from: 9 x 30 channels for 256 in flight."""


@dataclass(frozen=True)
class Shape:
    """How the load comes: cycles in a run, in flight on each connection, connections."""

    name: str
    cycles: int
    in_flight: int
    clients: int


ONE = Shape("one at a time", 4000, 1, 1)
DEEP = Shape("64 in flight", 12000, 64, 1)
WIDE = Shape("256 clients", 12000, 1, 256)
LONG = Shape("one at a time, for long", 50000, 1, 1)


@dataclass(frozen=True)
class Sample:
    """One run: percentiles of a cycle in us, cycles a second."""

    p50_us: float
    p99_us: float
    p9999_us: float
    rate: float


def load(socket: str, shape: Shape) -> Sample:
    """One run of the C load client against a socket."""
    command = [program("alloc_client"), socket, "all", str(shape.cycles), str(shape.in_flight), str(shape.clients)]
    out = subprocess.run(pinned(command), check=True, capture_output=True, text=True, timeout=300).stdout.split()
    return Sample(int(out[2]) / 1e3, int(out[3]) / 1e3, int(out[5]) / 1e3, int(out[0]) / float(out[1]))


@contextmanager
def floor() -> Iterator[str]:
    """The three-process C floor; yields its socket."""
    with tempfile.TemporaryDirectory(prefix="floor") as directory:
        process = subprocess.Popen(
            pinned([program("alloc_floor"), directory]), stdout=subprocess.PIPE, start_new_session=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield str(Path(directory) / "control.sock")
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(10)
            process.stdout.close()


@dataclass(frozen=True)
class Figure:
    """Medians of a shape for floor and service."""

    shape: Shape
    floor: Sample
    service: Sample


def middle(samples: list[Sample]) -> Sample:
    """The median of each figure."""
    return Sample(
        median(s.p50_us for s in samples),
        median(s.p99_us for s in samples),
        median(s.p9999_us for s in samples),
        median(s.rate for s in samples),
    )


def measure(repetitions: int, *, journal: bool, audit: bool = False) -> list[Figure]:
    """Floor and service interleaved in one run, `repetitions` times each shape."""
    return _measure((ONE, DEEP, WIDE), repetitions, journal=journal, audit=audit)


def pauses(repetitions: int) -> Figure:
    """One client for long, with the journal on: what the slowest of ten thousand cycles takes."""
    return _measure((LONG,), repetitions, journal=True, audit=True)[0]


def _measure(shapes: Sequence[Shape], repetitions: int, *, journal: bool, audit: bool) -> list[Figure]:
    figures = []
    with tempfile.TemporaryDirectory(prefix="bench") as directory, floor() as floor_socket:
        config = configuration(PAIRS, journal=journal, audit=audit)
        with running(Path(directory) / "run", config) as service:
            load(service.socket, Shape("warm up", 500, 1, 1))
            for shape in shapes:
                pairs = [(load(floor_socket, shape), load(service.socket, shape)) for _ in range(repetitions)]
                figures.append(Figure(shape, middle([p[0] for p in pairs]), middle([p[1] for p in pairs])))
    return figures
