# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's journal: its start number, and the calls that are up, so that a crash leaves no channel in doubt.

A line a change: ``+`` with a call when its SETUP passes, ``-`` with its id at its end. The first line is the start
number. A start reads what the one before left behind and writes the file anew, with the calls that were up: they stay
until their channels are cleared, for the start may be cut short as well.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from pathlib import Path

import msgspec

from dahdi_py.wire.messages.common import Party

log = logging.getLogger("dahdi_py.linehost.journal")

COMPACT_OCTETS = 1 << 20
"""The file is written anew when it has grown by so much."""
RETRY_S = 1.0
"""So long a file that could not be written is left alone."""


class JournalledCall(msgspec.Struct, frozen=True, array_like=True):
    """What must be known of a call after a crash: where it was, and whose record it is.

    New members come last and with a default: the version before passes over them, and writes none.
    """

    call: str
    span: str
    timeslot: int
    outgoing: bool
    called: Party
    calling: Party
    correlation: str
    started_ns: int
    emergency: bool = False
    answered_ns: int = 0


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(JournalledCall).decode


class Journal:
    """The durable start number and the calls of this start.

    Calls do not depend on it: while it cannot be written (a full disk, say) they are kept here, and the file is written
    anew with the first change after it can be.

    Args:
        path: The file; its directory is made when missing.
        calls: Whether calls are journalled; the start number always is.

    Attributes:
        start: This start's number, greater than every one before.
        lost: The calls that were up when the last start died, or an earlier one, and whose channel is in doubt since;
            `ended` when it is not.
        problem: Why the file lacks what happened last; empty when it does not.

    Raises:
        OSError: The start number cannot be made durable.

    Synchronization: one thread.
    """

    def __init__(self, path: Path, *, calls: bool = True) -> None:
        self._path = path
        self._journals_calls = calls
        last, left = _read(path)
        self._live = {call.call: _line(call) for call in left}
        self.start = last + 1
        self.lost = left
        self.problem = ""
        self._retry_at = 0.0
        self._fd = -1
        path.parent.mkdir(parents=True, exist_ok=True)
        self._rewrite()

    def began(self, call: JournalledCall) -> None:
        """The call will be known after a crash."""
        if self._journals_calls:
            line = self._live[call.call] = _line(call)
            self._append(line)

    def ended(self, call: str) -> None:
        """The call needs no more care."""
        if self._live.pop(call, None) is not None:
            self._append(b"-" + call.encode() + b"\n")

    def close(self) -> None:
        """The file is closed; what it says stays."""
        os.close(self._fd)

    def _append(self, line: bytes) -> None:
        """The line is in the file, or all that it should hold will be."""
        if self.problem and time.monotonic() < self._retry_at:
            return
        try:
            if not self.problem and self._size <= COMPACT_OCTETS:
                written = os.write(self._fd, line)
                self._size += written
                if written == len(line):
                    return
            self._rewrite()
        except OSError as error:
            if not self.problem:
                log.error("%s cannot be written: %s: calls go on", self._path, error.strerror)
            self.problem = error.strerror or str(error)
            self._retry_at = time.monotonic() + RETRY_S
            return
        if self.problem:
            log.info("%s can be written again", self._path)
            self.problem = ""

    def _rewrite(self) -> None:
        """A crash in between leaves either the old file or the new one, and the start number is on the disk."""
        fresh = self._path.with_suffix(".new")
        content = b"%d\n" % self.start + b"".join(self._live.values())
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            if os.write(fd, content) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(fresh))
            os.fsync(fd)
            os.rename(fresh, self._path)
        except OSError:
            os.close(fd)
            raise
        directory = os.open(self._path.parent, os.O_RDONLY | os.O_CLOEXEC)
        os.fsync(directory)
        os.close(directory)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = fd
        self._size = 0


def _line(call: JournalledCall) -> bytes:
    return b"+" + _encode(call) + b"\n"


def _read(path: Path) -> tuple[int, list[JournalledCall]]:
    """The last start number and the calls it left up; a line that a crash cut short is no call."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return 0, []
    live: dict[str, JournalledCall] = {}
    for line in lines[1:]:
        if line.startswith(b"-"):
            live.pop(line[1:].decode(errors="replace"), None)
        elif line.startswith(b"+"):
            try:
                call = _decode(line[1:])
            except msgspec.DecodeError:
                continue
            live[call.call] = call
    # Who cannot read it must still give a number above every one before; no count ever reached the clock's.
    last = int(lines[0]) if lines[0].isdigit() else int(time.time())
    return last, list(live.values())
