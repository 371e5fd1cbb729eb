# SPDX-License-Identifier: GPL-2.0-or-later
"""Audio through a call, both ways at once: what is written at one end must be read at the other, octet by octet."""

from __future__ import annotations

import os
import select
import time

from dahdi_py.errors import DahdiPyError

# <dahdi/user.h> ELAST: an event waits to be fetched (the line host does), and the call is to be tried again.
_EVENT_PENDING = 500
# What the line sends while nothing is written, by A-law and mu-law. The pattern has the top bit clear, so neither
# occurs in it: a program that writes late inserts idle octets, but loses none of its own.
_IDLE = b"\xd5\xff"
_PATTERN = bytes((n * 73 + n // 128 * 29) & 0x7F for n in range(128 * 128))


class AudioDiffers(DahdiPyError):
    """What came out of one end is not what went in at the other."""


class Direction:
    """One way through a call: `octets` of the pattern go in at one descriptor, and must come out at the other.

    Args:
        phase: Where in the pattern to begin, so that the two ways differ.

    Synchronization: one thread.
    """

    def __init__(self, name: str, into: int, out_of: int, octets: int, chunk: int, phase: int) -> None:
        self.name = name
        self.into = into
        self.out_of = out_of
        start = phase % len(_PATTERN)
        repeated = _PATTERN[start:] + _PATTERN * (octets // len(_PATTERN) + 2)
        self._sent = repeated[: -(-octets // chunk) * chunk]
        self._due = repeated[:octets]
        self._chunk = chunk
        self._written = 0
        self.received = 0

    @property
    def complete(self) -> bool:
        """Every octet has come out."""
        return self.received == len(self._due)

    @property
    def pending(self) -> bool:
        """There is something left to write."""
        return self._written < len(self._sent)

    def write(self) -> None:
        """The next block is on its way, if the line takes one."""
        try:
            self._written += os.write(self.into, self._sent[self._written : self._written + self._chunk])
        except OSError as error:
            _only_later(error)

    def read(self) -> None:
        """The next block has been compared with what is due.

        Raises:
            AudioDiffers: It is something else.
        """
        try:
            block = os.read(self.out_of, 4096)
        except OSError as error:
            _only_later(error)
            return
        block = block.translate(None, delete=_IDLE)
        due = self._due[self.received : self.received + len(block)]
        if block[: len(due)] != due:
            at = next(n for n, (got, wanted) in enumerate(zip(block, due, strict=False)) if got != wanted)
            raise AudioDiffers(
                f"{self.name}: octet {self.received + at} is {block[at]:#04x}, {due[at]:#04x} went in",
            )
        self.received += len(due)


def _only_later(error: OSError) -> None:
    if not isinstance(error, BlockingIOError) and error.errno != _EVENT_PENDING:
        raise error


def exchange(ways: list[Direction], limit_s: float) -> None:
    """All octets of every direction have come out, complete and in order.

    Raises:
        AudioDiffers: One did not, or not in time.
    """
    limit = time.monotonic() + limit_s
    while unfinished := [way for way in ways if not way.complete]:
        if time.monotonic() > limit:
            late = ", ".join(f"{way.name}: {way.received} octets" for way in unfinished)
            raise AudioDiffers(f"not all audio came through within {limit_s:.0f} s ({late})")
        reading = [way.out_of for way in unfinished]
        writing = [way.into for way in unfinished if way.pending]
        readable, writable, _ = select.select(reading, writing, [], 1.0)
        for way in unfinished:
            if way.out_of in readable:
                way.read()
            if way.into in writable:
                way.write()
