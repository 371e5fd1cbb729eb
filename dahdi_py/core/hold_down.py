# SPDX-License-Identifier: GPL-2.0-or-later
"""Hold-down: a span that comes and goes is the last choice for outgoing calls, each time twice as long.

It refuses nothing: incoming calls, emergency calls, and outgoing calls that find nothing else go over it all the same.
"""

from __future__ import annotations

LONGEST_S = 900.0
"""A span is held down so long at most; steady for so long after its return, it is as if it had never failed."""
LONGEST_ALONE_S = 60.0
"""The same where one of its trunk groups has no other span."""


class HoldDown:
    """One span's.

    Args:
        first_s: After the first return, s; 0: never.
        longest_s: At most, s.

    Attributes:
        until: It is held until then, s; 0.0: it is not, or never was.
        length_s: How long that was from its return, s.
        returns: How often it came back without being steady in between.

    Synchronization: one thread.
    """

    __slots__ = ("_back", "_first_s", "_longest_s", "length_s", "returns", "until")

    def __init__(self, first_s: float, longest_s: float = LONGEST_S) -> None:
        self._first_s = first_s
        self._longest_s = max(first_s, longest_s)
        self._back: float | None = None
        self.until = 0.0
        self.length_s = 0.0
        self.returns = 0

    def went(self, now: float) -> None:
        """The span is out of service."""
        if self._back is not None and now >= self._back + LONGEST_S:
            self.returns = 0
        self._back = None
        self.until = 0.0

    def returned(self, now: float) -> None:
        """The span is in service again."""
        if not self._first_s:
            return
        # Doubled more often than this the length is at its most.
        self.length_s = min(self._first_s * 2.0 ** min(self.returns, 20), self._longest_s)
        self.returns += 1
        self._back = now
        self.until = now + self.length_s

    def held(self, now: float) -> bool:
        """Whether others come first."""
        return now < self.until

    def lift(self) -> None:
        """It is not held any more, and its past is forgotten."""
        self.until = 0.0
        self.returns = 0
