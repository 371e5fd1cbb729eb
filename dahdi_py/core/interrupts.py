# SPDX-License-Identifier: GPL-2.0-or-later
"""How many interrupts a card missed lately: each is a millisecond of every channel that was lost."""

from __future__ import annotations

from collections import deque

WINDOW_S = 60.0
MOST = 1
"""More of them within the window are worth a word."""


class MissedInterrupts:
    """One card's count, as its driver tells it.

    Synchronization: one thread.
    """

    def __init__(self) -> None:
        self._last: int | None = None
        self._missed: deque[tuple[float, int]] = deque()

    def feed(self, total: int | None, now: float) -> int:
        """How many were missed within the window.

        Args:
            total: Since some start; None where the driver keeps no count. One that shrank began anew.
            now: Monotonic, s.
        """
        if total is not None:
            if self._last is not None and total > self._last:
                self._missed.append((now, total - self._last))
            self._last = total
        while self._missed and self._missed[0][0] <= now - WINDOW_S:
            self._missed.popleft()
        return sum(count for _, count in self._missed)

    def next_deadline(self) -> float | None:
        """When the oldest of them is forgotten."""
        return self._missed[0][0] + WINDOW_S if self._missed else None
