# SPDX-License-Identifier: GPL-2.0-or-later
"""How often a line slipped, read off its errored seconds.

A slip is a frame left out or given twice because the two ends' clocks differ; two good clocks slip once in 70 days.
What slips while the line has failed says nothing of clocks.

Source: G.822 2.2: up to 5 in 24 h is category a, more than 30 in 1 h category c.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from dahdi_py.core.performance_bins import DAY_S, Errored
from dahdi_py.core.terms import Alarms

HOUR_S = 3_600
MOST_IN_A_DAY = 5
MOST_IN_AN_HOUR = 30
_FAILED = Alarms.RED | Alarms.LOS | Alarms.LFA | Alarms.BLUE


class Slipped(NamedTuple):
    """Slips of the last hour and of the last 24."""

    hour: int
    day: int

    @property
    def often(self) -> bool:
        """More than good clocks ever do."""
        return self.day > MOST_IN_A_DAY

    @property
    def unusable(self) -> bool:
        """So many that data and fax calls fail."""
        return self.hour > MOST_IN_AN_HOUR


def slipped(errored: Iterable[Errored], now: float) -> Slipped:
    """What the line slipped until now (UTC, s); of a run that began earlier its share counts."""
    runs = [one for one in errored if "slips" in one.counts and not Alarms(one.defects) & _FAILED]
    return Slipped(_within(runs, now - HOUR_S), _within(runs, now - DAY_S))


def _within(runs: Iterable[Errored], since: float) -> int:
    total = 0.0
    for run in runs:
        inside = min(max(run.first + run.seconds - since, 0.0), run.seconds)
        total += run.counts["slips"] * inside / run.seconds
    return round(total)
