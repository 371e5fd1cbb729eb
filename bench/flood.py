# SPDX-License-Identifier: GPL-2.0-or-later
"""What a client that floods, or says half a message and no more, costs another one: its cycle with and without them."""

from __future__ import annotations

import json
import os
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.alloc import ONE, PAIRS, Sample, Shape, load, middle
from bench.service import configuration, running

_ASK = json.dumps({"method": "org.dahdipy.Calls.List", "parameters": {}}).encode() + b"\0"
_PIPELINED = 64


@dataclass(frozen=True)
class Figure:
    """The calm client's cycle alone and beside the others; `bound` on the ratio of its p99."""

    what: str
    alone: Sample
    beside: Sample
    bound: float


def measure(repetitions: int) -> list[Figure]:
    """Alone and beside, interleaved in one run."""
    crowds: dict[str, tuple[Callable[[str], AbstractContextManager[None]], float]] = {
        "64 that say half a message": (_silent, 1.5),
        "1 that floods": (lambda path: _floods(path, 1), 8.0),
        "8 that flood": (lambda path: _floods(path, 8), 25.0),
    }
    figures = []
    with (
        tempfile.TemporaryDirectory(prefix="bench") as directory,
        running(Path(directory) / "run", configuration(PAIRS, journal=False)) as service,
    ):
        load(service.socket, Shape("warm up", 500, 1, 1))
        for what, (crowd, bound) in crowds.items():
            pairs = []
            for _ in range(repetitions):
                alone = load(service.socket, ONE)
                with crowd(service.socket):
                    pairs.append((alone, load(service.socket, ONE)))
            beside = middle([one for _, one in pairs])
            figures.append(Figure(what, middle([one for one, _ in pairs]), beside, bound))
    return figures


@contextmanager
def _silent(path: str) -> Iterator[None]:
    with ExitStack() as held:
        for _ in range(64):
            sock = held.enter_context(socket.socket(socket.AF_UNIX))
            sock.connect(path)
            sock.sendall(_ASK[:20])
        yield


@contextmanager
def _floods(path: str, count: int) -> Iterator[None]:
    pids = [_fork(path) for _ in range(count)]
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _fork(path: str) -> int:
    """A process that asks as fast as it is answered, so many requests ahead."""
    pid = os.fork()
    if pid:
        return pid
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path)
            sock.sendall(_ASK * _PIPELINED)
            while answers := sock.recv(1 << 18).count(b"\0"):
                sock.sendall(_ASK * answers)
    finally:
        os._exit(0)
