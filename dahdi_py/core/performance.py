# SPDX-License-Identifier: GPL-2.0-or-later
"""Seconds counted as available or not: entered and left by ten seconds in a row, and told when that is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from dahdi_py.core.performance_norms import End, Judged, Norm, unavailable

CHANGE_S = 10
"""So many severely errored seconds in a row begin unavailable time, so many others in a row end it; all of them belong
to what they begin. Source: G.826 Annex A, T1.231 6.5, RFC 4805."""
_MINUTE_S = 60
_BIT_RATES = {True: 1_544_000, False: 2_048_000}
_DEGRADED = (1e-6, 1e-3)
"""A minute with more errors a bit than the first and not more than the second. Source: RFC 4805, G.821."""


class Settled(NamedTuple):
    """A second of which it is known whether it was available, and what it adds to the bin it lies in."""

    at: int
    counts: dict[str, int]
    estimated: frozenset[str]


class MeasureState(msgspec.Struct):
    """What a measure remembers of the seconds behind it.

    Attributes:
        last: The newest second; 0 for none yet.
        available: Whether what follows is available, unless it turns out otherwise.
        pending: The newest seconds, fewer than ten, that may yet turn out to begin the other state.
        minute_s, minute_errors: Of the degraded minute that is being filled.
    """

    last: int = 0
    available: bool = True
    pending: list[Judged] = []
    minute_s: int = 0
    minute_errors: int = 0


@dataclass(slots=True)
class Measure:
    """One end of one line by one norm.

    Synchronization: external.
    """

    norm: Norm
    end: End
    t1: bool
    state: MeasureState = field(default_factory=MeasureState)

    def feed(self, judged: Judged | None, at: int) -> list[Settled]:
        """The seconds of which it is known from now on whether they were available, this one perhaps among them.

        Args:
            judged: None when the second tells nothing of this end: it is as if it were missing.
            at: The second, UTC, s; later than the last one unless the clock was set back.
        """
        state = self.state
        settled: list[Settled] = []
        if at != state.last + 1:
            settled += self._give_up()
        if judged is None:
            return settled
        state.last = at
        if judged.severe is not state.available:
            # It confirms the state: what waited belongs to it too.
            settled += self._give_up()
            settled.append(self._settle(judged, state.available))
            return settled
        state.pending.append(judged)
        if len(state.pending) == CHANGE_S:
            state.available = not state.available
            settled += self._give_up()
        return settled

    def provisional(self) -> list[Settled]:
        """What the newest seconds add as long as nothing else is known of them."""
        return [self._as(judged, self.state.available) for judged in self.state.pending]

    def _give_up(self) -> list[Settled]:
        """What waited belongs to the state as it is now."""
        waited, self.state.pending = self.state.pending, []
        return [self._settle(judged, self.state.available) for judged in waited]

    def _settle(self, judged: Judged, available: bool) -> Settled:
        settled = self._as(judged, available)
        if judged.errors is not None and available and not judged.severe:
            settled.counts["DM"] = self._minute(judged.errors)
        return settled

    def _as(self, judged: Judged, available: bool) -> Settled:
        counts = dict(judged.counts) if available else dict.fromkeys(judged.counts, 0)
        counts.update(judged.always)
        counts[unavailable(self.end, self.norm)] = int(not available)
        if judged.errors is not None:
            counts["DM"] = 0
        return Settled(judged.at, counts, judged.estimated)

    def _minute(self, errors: int) -> int:
        """1 when this second completes a degraded minute: sixty available seconds that are not severe, in order."""
        state = self.state
        state.minute_s += 1
        state.minute_errors += errors
        if state.minute_s < _MINUTE_S:
            return 0
        low, high = (limit * _BIT_RATES[self.t1] * _MINUTE_S for limit in _DEGRADED)
        degraded = low < state.minute_errors <= high
        state.minute_s = state.minute_errors = 0
        return int(degraded)


class Figures(msgspec.Struct):
    """What was counted of one end by one norm.

    Attributes:
        counts: By parameter; one that cannot be known is not among them.
        estimated: Parameters that may be more than is told, or were told in ranges.
    """

    counts: dict[str, int] = {}
    estimated: set[str] = set()

    def add(self, counts: dict[str, int], estimated: frozenset[str]) -> None:
        """The counts are in it."""
        # Most seconds of most lines add nothing.
        if any(counts.values()) or not counts.keys() <= self.counts.keys():
            for name, count in counts.items():
                self.counts[name] = self.counts.get(name, 0) + count
        if not estimated <= self.estimated:
            self.estimated |= estimated
