# SPDX-License-Identifier: GPL-2.0-or-later
"""The HDLC engines of the simulated card, in C; no cdata leaves this module."""

from __future__ import annotations

from typing import NamedTuple

from dahdi_py.ffi._line import ffi, lib

DCHANNEL_LIMIT: int = lib.DCHANNEL_LIMIT
"""The longest frame a D-channel carries, octets with FCS."""


class HdlcCounts(NamedTuple):
    """What a receiver saw: frames handed up, and why others were not."""

    frames: int
    fcs_errors: int
    aborts: int
    overlong: int
    misaligned: int
    shorts: int


class HdlcTransmitter:
    """Line octets of frames and flags, most significant bit first on the line. Synchronization: one thread."""

    def __init__(self, extra_flags: int = 0) -> None:
        self._tx = ffi.new("struct hdlc_tx *")
        lib.hdlc_tx_init(self._tx, extra_flags)

    def load(self, frame: bytes) -> bool:
        """The frame (without FCS) goes out next; False while an earlier one does, or when it is too long or empty."""
        return bool(lib.hdlc_tx_load(self._tx, frame, len(frame)))

    def send(self, n: int) -> bytes:
        """Up to n line octets of the loaded frame; fewer when it ends."""
        out = ffi.new("uint8_t[]", n)
        return bytes(ffi.buffer(out, lib.hdlc_tx_send(self._tx, out, n)))

    def idle(self, n: int) -> bytes:
        """N line octets of flags; only when `send` has nothing left."""
        out = ffi.new("uint8_t[]", n)
        lib.hdlc_tx_idle(self._tx, out, n)
        return bytes(ffi.buffer(out, n))

    def abort(self) -> None:
        """What is left of the loaded frame is replaced by an abort."""
        lib.hdlc_tx_abort(self._tx)


class HdlcReceiver:
    """Frames out of line octets at any bit phase.

    Args:
        limit: The longest frame taken, octets with FCS.

    Synchronization: one thread.
    """

    def __init__(self, limit: int = DCHANNEL_LIMIT) -> None:
        self._rx = ffi.new("struct hdlc_rx *")
        self._length = ffi.new("size_t *")
        lib.hdlc_rx_init(self._rx, limit)

    def feed(self, octets: bytes) -> list[bytes]:
        """The frames, with FCS, that ended in these line octets."""
        frames: list[bytes] = []
        line, at = ffi.from_buffer("uint8_t[]", octets), 0
        while at < len(octets):
            at += lib.hdlc_rx_feed(self._rx, line + at, len(octets) - at, self._length)
            if self._length[0]:
                frames.append(bytes(ffi.buffer(self._rx.frame, self._length[0])))
        return frames

    @property
    def counts(self) -> HdlcCounts:
        """What was seen so far."""
        c = self._rx.counts
        return HdlcCounts(c.frames, c.fcs_errors, c.aborts, c.overlong, c.misaligned, c.shorts)


def fcs(octets: bytes) -> int:
    """The FCS-16 of the octets as sent, low octet first. Source: Q.921 2.7."""
    return int(lib.hdlc_fcs(octets, len(octets)))
