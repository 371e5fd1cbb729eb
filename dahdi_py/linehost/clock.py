# SPDX-License-Identifier: GPL-2.0-or-later
"""The wall clock of a monotonic instant."""

from __future__ import annotations

import time


def wall_offset() -> int:
    """Wall clock less monotonic clock, ns, as both stand now."""
    return time.time_ns() - time.monotonic_ns()


def utc(monotonic_ns: int) -> int:
    """The wall clock of that instant, ns since 1970, as the wall clock stands now."""
    return monotonic_ns + wall_offset()
