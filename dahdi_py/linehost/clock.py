# SPDX-License-Identifier: GPL-2.0-or-later
"""The wall clock of a monotonic instant, read once a turn: one offset for everything that is told in it."""

from __future__ import annotations

import time

_offset = time.time_ns() - time.monotonic_ns()


def read_wall_clock() -> None:
    """From here on instants are told by the wall clock as it stands now."""
    global _offset
    _offset = time.time_ns() - time.monotonic_ns()


def wall_offset() -> int:
    """Wall clock less monotonic clock, ns."""
    return _offset


def utc(monotonic_ns: int) -> int:
    """The wall clock of that instant, ns since 1970."""
    return monotonic_ns + _offset
