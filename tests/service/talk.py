# SPDX-License-Identifier: GPL-2.0-or-later
"""Audio on calls: octets cross pairs of B-channel descriptors both ways, each checked for order and completeness."""

from __future__ import annotations

import os
import random
import select
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

CHUNK = 1024
"""Octets a read or write: few system calls, and with 32 blocks four seconds of room for a loaded machine's pauses."""
DEPTH = 32
PATIENCE_S = 120.0
EVENT_PENDING = 500
"""ELAST of the kernel's driver: read and write fail until the line host has taken the event off."""
_IDLE = frozenset((0xD5, 0xFF, 0x7F))
"""What a line carries while nobody writes, and so never part of what we send. Source: G.711, zero of either sign."""
_PATTERN_OCTETS = 65_536


def _pattern(seed: int) -> bytes:
    """Octets that repeat only after a long while and hold no idle octet."""
    source = random.Random(seed)
    values = [octet for octet in range(256) if octet not in _IDLE]
    return bytes(source.choices(values, k=_PATTERN_OCTETS))


def _drain(fd: int) -> None:
    """What has waited on the descriptor is read away."""
    while True:
        try:
            os.read(fd, CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != EVENT_PENDING:
                raise


def wait_quiet(*fds: int) -> None:
    """Whatever was queued for the line has been sent and read: on every descriptor only idle octets come."""
    limit = time.monotonic() + PATIENCE_S
    for fd in fds:
        _drain(fd)  # idle blocks may have waited there for longer than what is still to come
    for fd in fds:
        heard = set(range(256))
        while heard - _IDLE:
            assert time.monotonic() < limit, f"descriptor {fd} is never quiet"
            select.select([fd], [], [], 1)
            try:
                heard = set(os.read(fd, CHUNK))
            except BlockingIOError:
                continue
            except OSError as error:
                if error.errno != EVENT_PENDING:
                    raise


@dataclass
class _End:
    """One descriptor: what it sends, and how much of what the other end sends has come."""

    fd: int
    sends: bytes
    hears: bytes
    written: int = 0
    heard: int = 0
    wrong: str = ""

    def write(self) -> None:
        at = self.written % _PATTERN_OCTETS
        self.written += os.write(self.fd, (self.sends + self.sends[:CHUNK])[at : at + CHUNK])

    def read(self) -> None:
        block = os.read(self.fd, CHUNK)
        said = block.translate(None, bytes(_IDLE))
        at = self.heard % _PATTERN_OCTETS
        expected = (self.hears[at:] + self.hears)[: len(said)]
        if said != expected and not self.wrong:
            found = (self.hears * 2).find(said[:16], at)
            what = f"what comes {found - at} later" if found >= 0 else said[:16].hex()
            self.wrong = f"after {self.heard} octets: {what}, instead of {expected[:16].hex()}"
        self.heard += len(said)


@dataclass
class Talk:
    """A thread that keeps both ends of every pair of descriptors talking until the end of the block.

    Ours is a copy of each descriptor. What is heard must be what was said, from its first octet on, without a gap.
    A descriptor paired with None has an echo at its far end.
    """

    pairs: Iterable[tuple[int, int | None]]
    _ends: dict[int, _End] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        for seed, (left, right) in enumerate(self.pairs):
            one, other = _pattern(2 * seed), _pattern(2 * seed + 1)
            a = os.dup(left)
            self._ends[a] = _End(a, one, one if right is None else other)
            if right is not None:
                b = os.dup(right)
                self._ends[b] = _End(b, other, one)
        for fd in self._ends:
            _drain(fd)  # a full queue would drop the first of what is said now
        self._thread = threading.Thread(target=self._run, name="talk")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for fd in self._ends:
            os.close(fd)

    def _run(self) -> None:
        poller = select.epoll()
        for fd in self._ends:
            poller.register(fd, select.EPOLLIN | select.EPOLLOUT)
        gone: set[int] = set()
        while not self._stop.is_set():
            ready = poller.poll(0.1)
            for fd, what in ready:
                if what & (select.EPOLLHUP | select.EPOLLERR) and fd not in gone:
                    gone.add(fd)
                    poller.unregister(fd)
                elif fd not in gone:
                    self._move(self._ends[fd], what)
            self._stop.wait(0.02)
        poller.close()

    @staticmethod
    def _move(end: _End, what: int) -> None:
        try:
            if what & select.EPOLLIN:
                end.read()
            if what & select.EPOLLOUT:
                end.write()
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != EVENT_PENDING:
                end.wrong = end.wrong or str(error)

    def goes_on(self, octets: int = 4096) -> None:
        """From now on every end hears so many octets more, and heard nothing wrong so far."""
        goal = {fd: end.heard + octets for fd, end in self._ends.items()}
        limit = time.monotonic() + PATIENCE_S
        while any(self._ends[fd].heard < goal[fd] for fd in goal):
            wrong = [f"descriptor {fd}: {end.wrong}" for fd, end in self._ends.items() if end.wrong]
            assert not wrong, wrong[0]
            late = sum(self._ends[fd].heard < goal[fd] for fd in goal)
            assert time.monotonic() < limit, f"{late} of {len(goal)} ends did not hear {octets} octets in time"
            self._stop.wait(0.1)
        wrong = [f"descriptor {fd}: {end.wrong}" for fd, end in self._ends.items() if end.wrong]
        assert not wrong, wrong[0]
