# SPDX-License-Identifier: GPL-2.0-or-later
"""Octets and frames over pairs of descriptors, with generous limits and no sleeping."""

import os
import random
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

PATIENCE_S = 60.0
CHUNK = 500
"""Octets of a block where nothing says otherwise: 32 of them are two seconds."""
MARK = b"\x5a" * 160
"""A block that no line carries by itself."""


class Direction:
    """What one descriptor sends and its opposite is to find, complete and in order."""

    def __init__(self, sender: int, receiver: int, octets: bytes, chunk: int) -> None:
        self.sender = sender
        self.receiver = receiver
        self.octets = octets
        self.chunk = chunk
        self.sent = 0
        self.received = bytearray()

    def write(self) -> None:
        with suppress(BlockingIOError):
            while self.sent < len(self.octets):
                self.sent += os.write(self.sender, self.octets[self.sent : self.sent + self.chunk])

    def read(self) -> None:
        with suppress(BlockingIOError):
            while True:
                self.received += os.read(self.receiver, 8192)

    @property
    def complete(self) -> bool:
        return len(self.received) >= len(self.octets) and self.octets in self.received


def exchange(pairs: Iterable[tuple[int, int]], seconds: float = 0.5, chunk: int = CHUNK) -> None:
    """Random octets for that long cross every pair both ways and arrive complete, in order and unchanged."""
    source = random.Random(1)
    length = int(seconds * 8000) // chunk * chunk
    waiting = [
        Direction(sender, receiver, source.randbytes(length), chunk)
        for pair in pairs
        for sender, receiver in (pair, pair[::-1])
    ]
    deadline = time.monotonic() + seconds + PATIENCE_S
    while waiting:
        assert time.monotonic() < deadline, f"{len(waiting)} directions did not get everything"
        with polled(direction.receiver for direction in waiting) as poller:
            poller.poll(1.0)
        for direction in waiting:
            direction.write()
            direction.read()
        waiting = [direction for direction in waiting if not direction.complete]


@contextmanager
def polled(fds: Iterable[int]) -> Iterator[select.epoll]:
    with select.epoll() as poller:
        for fd in set(fds):
            poller.register(fd, select.EPOLLIN)
        yield poller


def wait_readable(fd: int) -> None:
    assert select.select([fd], [], [], PATIENCE_S)[0], f"descriptor {fd} stayed quiet for {PATIENCE_S} s"


def wait_writable(fd: int) -> None:
    assert select.select([], [fd], [], PATIENCE_S)[1], f"descriptor {fd} took nothing for {PATIENCE_S} s"


def send_block(fd: int, block: bytes) -> None:
    """The block is written as soon as the descriptor takes it."""
    while True:
        with suppress(BlockingIOError):
            assert os.write(fd, block) == len(block)
            return
        wait_writable(fd)


def next_block(fd: int, size: int = 8192) -> bytes:
    """The next thing there is to read."""
    while True:
        with suppress(BlockingIOError):
            return os.read(fd, size)
        wait_readable(fd)


def seek(sender: int, receiver: int, block: bytes) -> None:
    """What goes into one descriptor comes out of the other, among what else there is."""
    deadline = time.monotonic() + PATIENCE_S
    while block not in (found := next_block(receiver)) and block[:40] not in found:
        assert time.monotonic() < deadline, "it did not arrive"
        with suppress(BlockingIOError):
            os.write(sender, block)


def take_all(fd: int) -> list[bytes]:
    """Everything that is queued now."""
    blocks: list[bytes] = []
    with suppress(BlockingIOError):
        while True:
            blocks.append(os.read(fd, 8192))
    return blocks


def fill(fd: int, block: bytes, at_most: int = 200) -> int:
    """How many blocks a descriptor takes at once."""
    for taken in range(at_most):
        try:
            os.write(fd, block)
        except BlockingIOError:
            return taken
    return at_most


HOLDER = """
import socket, sys
parent = socket.socket(fileno=int(sys.argv[1]))
_, fds, _, _ = socket.recv_fds(parent, 1, 1)
parent.sendall(b"h")
parent.recv(1)
"""


@contextmanager
def held_elsewhere(fd: int) -> Iterator[None]:
    """Another process holds a copy of the descriptor."""
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-I", "-c", HOLDER, str(theirs.fileno())]
    with ours, subprocess.Popen(command, pass_fds=[theirs.fileno()]) as holder:
        theirs.close()
        ours.settimeout(PATIENCE_S)
        socket.send_fds(ours, [b"d"], [fd])
        assert ours.recv(1) == b"h"
        yield
        ours.close()
        assert holder.wait(PATIENCE_S) == 0
