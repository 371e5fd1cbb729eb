# SPDX-License-Identifier: GPL-2.0-or-later
"""A card in this process, in virtual time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from dahdi_py.core.terms import Law, LineType, Timeslot
from dahdi_py.ffi.line import Card

TICK_NS = 4_000_000
IDLE = Law.ALAW.idle_octet


@contextmanager
def joined(kind: LineType, tick_ms: int = 4) -> Iterator[Card]:
    """Ports 1 and 2, cabled, configured, running and in frame; every timeslot but the D-channel's is a B-channel."""
    with Card([kind, kind], tick_ms) as card:
        card.cable(1, 2)
        for port in (1, 2):
            card.configure(port, bchannels(kind), kind.default_dchannel, kind.default_law)
            card.run_port(port, True)
        settle(card, tick_ms)
        yield card


def settle(card: Card, tick_ms: int = 4, of: int | None = None) -> None:
    """Both ports (or that one) have found frames and have no alarm; at most 30 s pass."""
    ports = (1, 2) if of is None else (of,)
    for _ in range(30_000 // tick_ms):
        card.advance(tick_ms * 1_000_000)
        if not any(card.status(port).alarms for port in ports):
            return
    raise AssertionError([card.status(port).alarms for port in ports])


def bchannels(kind: LineType) -> list[Timeslot]:
    return [Timeslot(slot) for slot in kind.timeslots if slot != kind.default_dchannel]


class Client:
    """The holder of one descriptor: writes all it may, keeps all it reads."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.received: list[bytes] = []

    def write(self, blocks: list[bytes]) -> list[bytes]:
        """The blocks that the descriptor would not take."""
        for place, block in enumerate(blocks):
            try:
                os.write(self.fd, block)
            except BlockingIOError:
                return blocks[place:]
        return []

    def read(self) -> list[bytes]:
        """What has come since the last read."""
        new: list[bytes] = []
        with suppress(BlockingIOError):
            while block := os.read(self.fd, 8192):
                new.append(block)
        self.received += new
        return new

    def close(self) -> None:
        os.close(self.fd)


@contextmanager
def clients(card: Card, timeslot: int, **media: Any) -> Iterator[tuple[Client, Client]]:
    """Both ends of a B-channel."""
    a, b = (Client(card.open_timeslot(port, timeslot, IDLE, **media)[0]) for port in (1, 2))
    try:
        yield a, b
    finally:
        a.close()
        b.close()


@contextmanager
def dchannel_clients(card: Card, kind: LineType) -> Iterator[tuple[Client, Client]]:
    """Both ends of the D-channel."""
    a, b = (Client(card.open_dchannel(port, kind.default_dchannel)) for port in (1, 2))
    try:
        yield a, b
    finally:
        a.close()
        b.close()
