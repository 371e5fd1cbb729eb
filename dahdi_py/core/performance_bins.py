# SPDX-License-Identifier: GPL-2.0-or-later
"""A circuit's figures over quarter hours, days and for ever, and the thresholds that they cross."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

import msgspec

from dahdi_py.core.performance import Figures, Measure, MeasureState, Settled
from dahdi_py.core.performance_norms import End, Judged, Norm, judges
from dahdi_py.core.performance_second import LineKind, Second

QUARTER_S = 900
DAY_S = 86_400
TOTAL = 0
"""The length of the one bin that never closes."""
QUARTERS = 96
DAYS = 31
"""Closed bins kept beside the current one. Source: RFC 4805 dsx1IntervalTable (96)."""
ERRORED = 200
"""Runs of errored seconds kept."""
_LATE_S = 20
"""A bin whose last seconds have not been told so long after its end is closed without them."""


class Completeness(StrEnum):
    """How far a bin's figures can be trusted: all of it was seen, some of it was not, or what was seen is doubtful."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    SUSPECT = "suspect"


class Bin(msgspec.Struct):
    """What was counted from one instant to another.

    Attributes:
        start: UTC, s.
        length: 900, 86400 or TOTAL, s.
        seen: Seconds that told something, by end.
        reasons: Why it is suspect; empty when it is not.
        figures: By end and norm, joined by a blank.
        crossed: Parameters that reached their threshold.
    """

    start: int
    length: int
    seen: dict[End, int] = {}
    reasons: set[str] = set()
    figures: dict[str, Figures] = {}
    crossed: list[str] = []

    def add(self, end: End, norm: Norm, settled: Settled) -> None:
        """The second is in it."""
        key = f"{end} {norm}"
        figures = self.figures.get(key)
        if figures is None:
            figures = self.figures[key] = Figures()
        figures.add(settled.counts, settled.estimated)

    def completeness(self, end: End, last: int, now: int) -> Completeness:
        """Whether all its seconds until the newest one told of that end.

        Args:
            last: The newest second of the circuit, UTC, s.
            now: UTC, s.
        """
        if self.reasons:
            return Completeness.SUSPECT
        closed = self.length != TOTAL and (last >= self.start + self.length or now > self.start + self.length + _LATE_S)
        until = self.start + self.length if closed else max(last + 1, now - _LATE_S)
        return Completeness.COMPLETE if self.seen.get(end, 0) >= until - self.start else Completeness.PARTIAL


class Errored(msgspec.Struct):
    """Seconds in a row in which something was wrong.

    Attributes:
        first: The first of them, UTC, s.
        seconds: How many.
        counts: What was counted in all of them, without what was not.
        defects: Alarm bits that each of them had.
    """

    first: int
    seconds: int
    counts: dict[str, int]
    defects: int


class Crossing(NamedTuple):
    """A parameter has reached its threshold in a bin, the first time."""

    norm: Norm
    parameter: str
    start: int
    length: int
    threshold: int
    reached: int


class HistoryState(msgspec.Struct):
    """What a history remembers beside its bins.

    Attributes:
        began, last: Its first and its newest second, UTC, s; 0 for none yet.
    """

    began: int = 0
    last: int = 0
    kind: LineKind = LineKind.E1_CRC
    measures: dict[str, MeasureState] = {}


Thresholds = Mapping[int, Mapping[str, int]]
"""By bin length, then by parameter; 0 disables."""

# Source: the defaults that equipment comes with, T1.231 Annex for T1; M.2120 and vendors for E1.
DEFAULT_THRESHOLDS: Thresholds = {
    QUARTER_S: {
        "CV-L": 13_340, "ES-L": 65, "SES-L": 10, "CV-P": 13_296, "ES-P": 65, "SES-P": 10, "SAS-P": 2, "CSS-P": 1,
        "UAS-P": 10, "ES": 120, "SES": 15, "UAS": 10, "CSS": 1, "BBE": 0,
    },
    DAY_S: {
        "CV-L": 133_400, "ES-L": 648, "SES-L": 100, "CV-P": 132_960, "ES-P": 648, "SES-P": 100, "SAS-P": 17,
        "CSS-P": 4, "UAS-P": 10, "ES": 11_520, "SES": 1_440, "UAS": 10, "CSS": 4, "BBE": 0,
    },
}  # fmt: skip


def thresholds(quarter: Mapping[str, int], day: Mapping[str, int]) -> Thresholds:
    """The defaults, with these in their places."""
    own = {QUARTER_S: quarter, DAY_S: day}
    return {length: {**of, **own[length]} for length, of in DEFAULT_THRESHOLDS.items()}


def watched(t1: bool, norm: Norm, parameter: str) -> bool:
    """Whether thresholds are for that norm's parameter: a T1's are T1.231's, an E1's G.826's, and slips RFC 4805's."""
    if t1:
        return norm is Norm.T1_231
    return norm is Norm.G826 or (norm is Norm.RFC4805 and parameter == "CSS")


class History:
    """One circuit's past.

    Args:
        limits: Thresholds of the near end.
        bins: As kept, in any order.
        errored: As kept, oldest first.

    Attributes:
        bins: By length and start.
        errored: The newest runs, oldest first.
        changed: Bins that are not as they were when this was last emptied, by length and start.
        gone: Bins that are no longer kept, likewise.

    Synchronization: external.
    """

    def __init__(
        self, limits: Thresholds, state: HistoryState | None = None, bins: Iterable[Bin] = (),
        errored: Iterable[Errored] = (),
    ) -> None:  # fmt: skip
        self.state = state or HistoryState()
        self.bins = {(one.length, one.start): one for one in bins}
        self.errored = list(errored)
        self.changed: set[tuple[int, int]] = set()
        self.gone: set[tuple[int, int]] = set()
        self._limits = limits
        self._measures: dict[tuple[End, Norm, bool], Measure] = {}
        self._content: tuple[object, ...] = ()
        self._judged: list[tuple[tuple[End, Norm], Judged | None]] = []

    def feed(self, second: Second, kind: LineKind) -> list[Crossing]:
        """The second is in its bins as far as is known how it counts; returns the thresholds that were reached.

        Args:
            second: Later than the last one; an earlier one is one after the clock was set back.
        """
        state = self.state
        if second.at <= state.last:
            self._set_back(second.at)
            second = msgspec.structs.replace(second, suspect=second.suspect or "clock_step")
        state.kind = kind
        state.began = state.began or second.at
        self._note(second)
        crossings: list[Crossing] = []
        seen = set()
        for (end, norm), judged in self._judge(second, kind):
            if judged is not None:
                seen.add(end)
            for settled in self._measure(end, norm).feed(judged, second.at):
                crossings += self._add(end, norm, settled, second.at)
        for one in self._at(second.at):
            for end in seen:
                one.seen[end] = one.seen.get(end, 0) + 1
            if second.suspect and one.length != TOTAL:
                one.reasons.add(second.suspect)
        state.last = second.at
        return crossings

    def view(self, length: int, start: int) -> Bin | None:
        """The bin with what the newest seconds add to it as far as is known, not to be changed; None for none."""
        one = self.bins.get((length, start))
        if one is None:
            return None
        waiting = [
            (end, norm, settled)
            for end, norm in judges(self.state.kind)
            for settled in self._measure(end, norm).provisional()
            if length == TOTAL or start <= settled.at < start + length
        ]
        if not waiting:
            return one
        shown = msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=Bin)
        for end, norm, settled in waiting:
            shown.add(end, norm, settled)
        return shown

    def starts(self, length: int) -> list[int]:
        """When the bins of that length begin, newest first."""
        return sorted((start for size, start in self.bins if size == length), reverse=True)

    def _judge(self, second: Second, kind: LineKind) -> list[tuple[tuple[End, Norm], Judged | None]]:
        """What the second counts as, by measure: mostly the same as the one before it, but for its instant."""
        content = (kind, second.counts, second.defects, second.estimated)
        if self._content != content:
            self._content = content
            self._judged = [(measure, judge(kind, second)) for measure, judge in judges(kind).items()]
        at = second.at
        return [
            (measure, judged if judged is None else msgspec.structs.replace(judged, at=at))
            for measure, judged in self._judged
        ]

    def _measure(self, end: End, norm: Norm) -> Measure:
        key = (end, norm, self.state.kind.is_t1)
        measure = self._measures.get(key)
        if measure is None:
            state = self.state.measures.setdefault(f"{end} {norm}", MeasureState())
            measure = self._measures[key] = Measure(norm, end, self.state.kind.is_t1, state)
        return measure

    def _add(self, end: End, norm: Norm, settled: Settled, now: int) -> list[Crossing]:
        crossings = []
        counts = end is End.NEAR and any(settled.counts.values())
        # What waited when the clock was set back is of a time that is still to come: of the total alone.
        for one in self._at(settled.at, total_alone=settled.at > now):
            one.add(end, norm, settled)
            if counts:
                crossings += self._crossings(one, norm, settled)
        return crossings

    def _crossings(self, one: Bin, norm: Norm, settled: Settled) -> list[Crossing]:
        found = []
        figures = one.figures[f"{End.NEAR} {norm}"]
        for parameter, added in settled.counts.items():
            limit = self._limits.get(one.length, {}).get(parameter, 0)
            if not (added and limit and watched(self.state.kind.is_t1, norm, parameter)):
                continue
            count = figures.counts[parameter]
            if count >= limit and parameter not in one.crossed:
                one.crossed.append(parameter)
                found.append(Crossing(norm, parameter, one.start, one.length, limit, count))
        return found

    def _at(self, at: int, total_alone: bool = False) -> list[Bin]:
        """The bins that a second lies in."""
        total = (TOTAL, self.state.began)
        places = (total,) if total_alone else ((QUARTER_S, at - at % QUARTER_S), (DAY_S, at - at % DAY_S), total)
        self.changed.update(places)
        return [self.bins.get(place) or self._begin(*place) for place in places]

    def _begin(self, length: int, start: int) -> Bin:
        one = self.bins[length, start] = Bin(start, length)
        self._forget(length, {QUARTER_S: QUARTERS, DAY_S: DAYS}.get(length, 0) + 1)
        return one

    def _forget(self, length: int, kept: int) -> None:
        for start in self.starts(length)[kept:]:
            self._drop((length, start))

    def _drop(self, key: tuple[int, int]) -> None:
        del self.bins[key]
        self.changed.discard(key)
        self.gone.add(key)

    def _set_back(self, at: int) -> None:
        """Bins of a time that is still to come are no history."""
        for key in [key for key in self.bins if key[1] > at and key[0] != TOTAL]:
            self._drop(key)
        self.errored = [one for one in self.errored if one.first <= at]
        if at < self.state.began:
            # Nothing was seen before this second but in a time that never was.
            total = self.bins[TOTAL, self.state.began]
            self._drop((TOTAL, self.state.began))
            self.state.began = total.start = at
            self.bins[TOTAL, at] = total

    def _note(self, second: Second) -> None:
        # What the far end reports is of another instant.
        counts = {name: count for name, count in second.counts.items() if count and not name.startswith("far_")}
        if not counts and not second.defects:
            return
        last = self.errored[-1] if self.errored else None
        if last is not None and last.first + last.seconds == second.at and last.defects == second.defects:
            last.seconds += 1
            for name, count in counts.items():
                last.counts[name] = last.counts.get(name, 0) + count
            return
        self.errored.append(Errored(second.at, 1, counts, second.defects))
        del self.errored[:-ERRORED]
