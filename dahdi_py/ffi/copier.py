# SPDX-License-Identifier: GPL-2.0-or-later
"""Copying between channels' descriptors, in C and a thread of its own; no cdata leaves this module."""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

from dahdi_py.errors import ChannelBusy, HardwareError
from dahdi_py.ffi._media import ffi, lib

CHUNK_MAX: int = lib.COPIER_CHUNK_MAX
BACKLOG: int = lib.COPIER_BACKLOG
"""Blocks that a live pair still copies after it could not run for a while; older ones are dropped."""


class Copied(NamedTuple):
    """What went one way: octets, and blocks that the other side did not take or that came too late."""

    octets: int
    dropped: int


class Copier:
    """Pairs of descriptors joined: what comes on one goes to the other, whole blocks, nothing transcoded.

    Raises:
        HardwareError: No descriptor or thread is left for it.

    Synchronization: one thread; a thread of its own copies.
    """

    def __init__(self) -> None:
        self._copier = lib.copier_new()
        if self._copier == ffi.NULL:
            raise HardwareError(f"no copier: {os.strerror(ffi.errno)}")

    def fileno(self) -> int:
        """Readable when pairs have ended by themselves: then `ended` says which."""
        return lib.copier_news_fd(self._copier)

    def join(self, a: int, a_chunk: int, b: int, b_chunk: int, *, live: bool = False) -> int:
        """The descriptors, which stay the caller's, are joined; the number of the pair is returned.

        What waits on either is thrown away first.

        Args:
            a_chunk, b_chunk: Octets of a block written to each; 0 for both where they carry frames.
            live: Both come from a line, at its rate: what has piled up is dropped but for the newest `BACKLOG` blocks,
                for it would stay late for ever.

        Raises:
            ChannelBusy: One is joined already.
            HardwareError: One cannot be waited for, or a chunk is none.
        """
        number = lib.copier_join(self._copier, a, a_chunk, b, b_chunk, live)
        if number == -errno.EEXIST:
            raise ChannelBusy("the channel's audio is joined already: part it first", cause=44)
        if number < 0:
            raise HardwareError(f"cannot join descriptors {a} and {b}: {os.strerror(-number)}")
        return number

    def part(self, pair: int) -> tuple[Copied, Copied]:
        """Neither descriptor is touched again; what went from a to b and from b to a is returned."""
        counts = ffi.new("struct copier_counts[2]")
        if lib.copier_part(self._copier, pair, counts) < 0:
            return Copied(0, 0), Copied(0, 0)
        there, back = counts[0], counts[1]
        return Copied(there.octets, there.dropped), Copied(back.octets, back.dropped)

    def ended(self) -> list[int]:
        """Pairs whose one side has ended or failed since the last time; each is still to be parted."""
        found: list[int] = []
        while (pair := lib.copier_ended(self._copier)) >= 0:
            found.append(pair)
        return found

    def close(self) -> None:
        """Every pair is parted."""
        lib.copier_free(self._copier)
        self._copier = ffi.NULL


def relay_pair(chunk: int, depth: int) -> tuple[int, int]:
    """Our end and the client's of a socket that holds `depth` blocks of `chunk` octets each way; both non-blocking.

    Raises:
        HardwareError: No descriptor is left.
    """
    ends, blocks = ffi.new("int[2]"), ffi.new("size_t *", depth)
    error = lib.descriptor_pair(ends, chunk, blocks)
    if error < 0:
        raise HardwareError(f"no relay: {os.strerror(-error)}")
    return int(ends[0]), int(ends[1])
