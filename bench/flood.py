# SPDX-License-Identifier: GPL-2.0-or-later
"""What clients that flood, or say half a message and no more, cost another one: its cycle with and without them."""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import machine
from bench.alloc import ONE, PAIRS, Sample, Shape, load, middle
from bench.service import configuration, running

_PIPELINED = 64
_PROCESSES = 8
"""A crowd is so many processes at the most, its connections shared out to them."""
_SPAN = f"s{2 * PAIRS}"
"""Where a crowd leases: not in the calm client's group."""
_FEW = Shape(ONE.name, 1000, 1, 1)


@dataclass(frozen=True)
class Crowd:
    """Connections that ask the same as fast as they are answered, 64 ahead; `bound` is on the calm one's p99.

    Attributes:
        method: Empty: they say half a message, and no more.
        lease: They name a lease of their own.
        oneway: They want no answer, and say as much as is taken from them.
    """

    what: str
    connections: int
    bound: float
    method: str = "Calls.List"
    parameters: str = "{}"
    lease: bool = False
    oneway: bool = False


# With a margin of two over what a machine busy with other work showed.
CROWDS = (
    Crowd("64 that say half a message", 64, 1.5, method=""),
    Crowd("1 that floods", 1, 8.0),
    Crowd("8 that flood", 8, 25.0),
    Crowd("1 that floods with counters", 1, 30.0, "Channels.Counters", lease=True),
    Crowd("8 that flood with counters", 8, 60.0, "Channels.Counters", lease=True),
    Crowd("64 that flood with counters", 64, 80.0, "Channels.Counters", lease=True),
    Crowd("1 that floods with counters, one way", 1, 40.0, "Channels.Counters", lease=True, oneway=True),
    Crowd("8 that flood with 540 channels each", 8, 150.0, "Channels.List"),
    Crowd("1 that floods with allocations", 1, 20.0, "Channels.Allocate", f'{{"span":"{_SPAN}","open":false}}'),
    Crowd("8 that flood with allocations", 8, 60.0, "Channels.Allocate", f'{{"span":"{_SPAN}","open":false}}'),
)


@dataclass(frozen=True)
class Figure:
    """The calm client's cycle alone and beside the crowd."""

    crowd: Crowd
    alone: Sample
    beside: Sample


def measure(repetitions: int) -> Iterator[Figure]:
    """Alone and beside, interleaved in one run."""
    with (
        tempfile.TemporaryDirectory(prefix="bench") as directory,
        running(Path(directory) / "run", configuration(PAIRS, journal=False)) as service,
    ):
        load(service.socket, Shape("warm up", 500, 1, 1))
        for crowd in CROWDS:
            pairs = []
            for _ in range(repetitions):
                alone = load(service.socket, ONE)
                with _there(crowd, service.socket):
                    pairs.append((alone, load(service.socket, _FEW)))
            yield Figure(crowd, middle([one for one, _ in pairs]), middle([one for _, one in pairs]))


@contextmanager
def _there(crowd: Crowd, path: str) -> Iterator[None]:
    """The crowd is connected, and each of its processes has begun."""
    processes = min(_PROCESSES, crowd.connections) if crowd.method else 0
    pids = [_fork(crowd, path, crowd.connections // processes) for _ in range(processes)]
    try:
        with ExitStack() as held:
            for _ in range(0 if crowd.method else crowd.connections):
                sock = held.enter_context(socket.socket(socket.AF_UNIX))
                sock.connect(path)
                sock.sendall(b'{"method":"org.dahdi')
            yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _fork(crowd: Crowd, path: str, connections: int) -> int:
    """A process that floods with so many connections, and has been answered."""
    done, begun = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            _apart()
            _flood(crowd, path, connections, begun)
        finally:
            os._exit(0)
    os.close(begun)
    if os.read(done, 1) != b"!":
        raise ChildProcessError(f"{crowd.what}: not begun")
    os.close(done)
    return pid


def _apart() -> None:
    """We take no time of the measuring core, if there is another, nor of the daemon's session.

    Linux shares a core out to sessions first. Ours would be the daemon's, and with its waking clients on one core
    Linux 6.18 leaves the line host's session without a core for seconds: that is not what is measured here.
    """
    os.setsid()
    if others := os.sched_getaffinity(0) - {machine.CORE}:
        os.sched_setaffinity(0, others)


def _flood(crowd: Crowd, path: str, connections: int, begun: int) -> None:
    parameters = crowd.parameters
    if crowd.lease:
        owner = _connected(path)
        lease = _answer(
            owner, b'{"method":"org.dahdipy.Channels.Allocate","parameters":{"span":"%s"}}' % _SPAN.encode()
        )
        parameters = json.dumps({"token": lease["token"]})
    oneway = ',"oneway":true' if crowd.oneway else ""
    ask = f'{{"method":"org.dahdipy.{crowd.method}","parameters":{parameters}{oneway}}}\0'.encode()
    socks = [_connected(path) for _ in range(connections)]
    os.write(begun, b"!")
    while crowd.oneway:
        socks[0].sendall(ask * _PIPELINED)
    with selectors.DefaultSelector() as selector:
        for sock in socks:
            sock.sendall(ask * _PIPELINED)
            selector.register(sock, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                sock = key.fileobj  # type: ignore[assignment]
                sock.sendall(ask * sock.recv(1 << 18).count(b"\0"))


def _connected(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    return sock


def _answer(sock: socket.socket, call: bytes) -> Any:
    sock.sendall(call + b"\0")
    data = b""
    while not data.endswith(b"\0"):
        data += sock.recv(1 << 16)
    return json.loads(data[:-1])["parameters"]
