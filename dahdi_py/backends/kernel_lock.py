# SPDX-License-Identifier: GPL-2.0-or-later
"""Locks that keep two processes of a machine off one span."""

from __future__ import annotations

import errno
import fcntl
import os
import re
from pathlib import Path

from dahdi_py.errors import DeviceBusy, DevicePermission

LOCKS = Path("/run/lock")


def lock_span(identity: str, port: str, folder: Path = LOCKS) -> int:
    """A descriptor that holds the span for this process until it is closed.

    Args:
        identity: What names the span on this machine, whoever asks: its device and place, not its number.
        port: What the configuration calls it, for the message.

    Raises:
        DeviceBusy: Another process holds it; the message names its pid.
    """
    path = folder / f"dahdi-py-span-{re.sub(r'[^A-Za-z0-9.:_-]', '-', identity)}.lock"
    descriptor = _opened(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _holder(descriptor)
        os.close(descriptor)
        who = f"process {holder}" if holder else "another process"
        raise DeviceBusy(
            f"span {port} belongs to {who} ({path} is locked)",
            operation="lock",
            span=port,
            errno=errno.EBUSY,
            holder=holder,
        ) from None
    return descriptor


def _opened(path: Path) -> int:
    # Reading is enough to lock: whoever made the file, every user's line host can use it. And in a sticky directory the
    # kernel refuses to create a file that somebody else already made.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        try:
            return os.open(path, flags)
        except FileNotFoundError:
            return os.open(path, flags | os.O_CREAT, 0o644)
    except OSError as error:
        raise DevicePermission(
            f"cannot make the lock {path}: {os.strerror(error.errno or 0)}", operation="lock", errno=error.errno
        ) from None


def _holder(descriptor: int) -> int | None:
    """The pid that holds the lock, as the kernel lists it."""
    inode = str(os.fstat(descriptor).st_ino)
    try:
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        fields = line.split()
        if len(fields) > 5 and fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == inode and int(fields[4]) > 0:
            return int(fields[4])
    return None
