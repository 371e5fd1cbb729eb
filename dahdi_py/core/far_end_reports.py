# SPDX-License-Identifier: GPL-2.0-or-later
"""What the far end of an ESF line reports of the seconds it has received, and one of them for each second of ours."""

from __future__ import annotations

from collections import deque
from enum import IntFlag
from typing import NamedTuple

WAIT = 4
"""Reports that wait before the first is taken: so many messages in a row may be lost but one, for each tells four
seconds. Source: T1.403 (performance report message)."""
_USUAL_WAITING = 2 * WAIT
_MOST_WAITING = 3 * WAIT


class Report(IntFlag):
    """One second of the far end's receiver, as it is on the line: its first octet is the high half.

    Source: T1.403 (ESF data link, performance report message).
    """

    G6 = 0x0100
    SL = 0x0200
    G5 = 0x0400
    G4 = 0x2000
    LV = 0x4000
    G3 = 0x8000
    G2 = 0x0004
    G1 = 0x0010
    LB = 0x0020
    SE = 0x0040
    FE = 0x0080


# Of each range the number that stands for it. Source: T1.231 (CV-PFE).
_CRC_ERRORS = {Report.G1: 1, Report.G2: 5, Report.G3: 10, Report.G4: 100, Report.G5: 319, Report.G6: 333}


class Reports(NamedTuple):
    """The seconds reported until now: how many, and the newest of them, newest first."""

    total: int
    newest: tuple[int, ...]


def counts(report: int) -> dict[str, int]:
    """What the far end counted in that second, by counter: CRC errors, else 1 or 0."""
    return {
        "far_crc": sum(errors for bit, errors in _CRC_ERRORS.items() if report & bit),
        "far_severe": int(bool(report & Report.SE)),
        "far_fas": int(bool(report & Report.FE)),
        "far_bpv": int(bool(report & Report.LV)),
        "far_slips": int(bool(report & Report.SL)),
    }


class FarEnd:
    """Hands out one report a second, four seconds late, of those that come when they come.

    Its clock is not ours, messages get lost, and the next ones make up for them.

    Args:
        reports: As they are now: nothing of the past is told.

    Synchronization: external.
    """

    def __init__(self, reports: Reports | None) -> None:
        self._total = reports.total if reports is not None else None
        self._waiting: deque[int] = deque(maxlen=_MOST_WAITING)
        self._flows = False

    def second(self, reports: Reports | None, seconds: int = 1) -> dict[str, int]:
        """What the far end counted in the next second; 0 `far_reports` and nothing else when it does not say.

        Args:
            reports: As they are now; None for a line that has none, of which nothing is told.
            seconds: How many have gone by since the last time: of several the worst is told.
        """
        if reports is None:
            self._total = None
            self._waiting.clear()
            return {}
        self._take_in(reports)
        waiting = len(self._waiting)
        self._flows = waiting >= (1 if self._flows else WAIT)
        if not self._flows:
            return {"far_reports": 0}
        # What makes up for lost messages stays, after a late second too; a faster clock is caught up with.
        behind = min(seconds, waiting - (WAIT - 1)) if seconds > 1 else 1 + (waiting > _USUAL_WAITING)
        told = [counts(self._waiting.popleft()) for _ in range(max(1, behind))]
        return {name: max(one[name] for one in told) for name in told[0]}

    def _take_in(self, reports: Reports) -> None:
        known = reports.total if self._total is None else self._total
        # Fewer than before: the card has begun anew.
        new = reports.total - (known if reports.total >= known else 0)
        self._total = reports.total
        self._waiting.extend(reversed(reports.newest[:new]))
