# SPDX-License-Identifier: GPL-2.0-or-later
"""Each second of each started span: what was counted and which defects were there, told in runs of like seconds.

A second that is not as the one before is told at once, and each errored one while a daemon listens; what else goes on
is told every ten seconds and at each quarter hour. The outbox keeps it until a daemon has it on disk; seconds that
nobody could read are missing, and the daemon sees that they are.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import msgspec

from dahdi_py.backends.base import Counters, SpanStatus
from dahdi_py.core.far_end_reports import FarEnd
from dahdi_py.core.performance_bins import QUARTER_S
from dahdi_py.core.performance_second import counted
from dahdi_py.core.terms import Alarms
from dahdi_py.linehost.line import SpanLine
from dahdi_py.linehost.outbox import SECONDS, Outbox
from dahdi_py.wire.messages.host import SecondsSeen

log = logging.getLogger("dahdi_py.linehost.seconds")

RUN_S = 10
"""A run is told when it is this long, s."""
_STEP_S = 0.5
"""A wall clock that leaves the monotonic one by more was set, s."""
_GRAIN_S = 0.02
"""The wall clock is slewed while a second goes by, so that its end may seem to come early by less than this, s."""
_DEFECTS = Alarms.YELLOW | Alarms.RED | Alarms.BLUE | Alarms.LOS | Alarms.LFA | Alarms.LMFA
_COUNTERS = tuple(field.name for field in fields(Counters) if field.name != "irq_misses")


@dataclass(slots=True)
class _Watched:
    """A span between two readings.

    Attributes:
        counters: As read last, with the second that ended then (UTC, s) and the instant (s, monotonic).
        defects: Seen since then.
        far: What its far end reports.
        run: Seconds that are not told yet.
        told: The newest that was told.
    """

    counters: dict[str, int | None]
    second: int
    instant: float
    defects: Alarms
    far: FarEnd
    run: SecondsSeen | None = None
    told: SecondsSeen | None = None


class Seconds:
    """Reads every started span at the end of each second of the wall clock.

    Args:
        lines: Of the host.
        wall: The wall clock, UTC, s.

    Attributes:
        due: When the second ends (s, monotonic).
        wanted: There is no daemon, or one that understands them.

    Synchronization: the loop's thread.
    """

    def __init__(self, lines: Sequence[SpanLine], outbox: Outbox, wall: Callable[[], float] = time.time) -> None:
        self._lines = lines
        self._outbox = outbox
        self._wall = wall
        self._watched: dict[SpanLine, _Watched] = {}
        self._offset = 0.0
        self.due = math.inf
        self.wanted = True

    def begin(self, now: float) -> None:
        """The first second has begun (s, monotonic)."""
        self._offset = self._wall() - now
        self._arm(now)

    def saw(self, line: SpanLine, alarms: Alarms) -> None:
        """The span showed these alarms during the second."""
        watched = self._watched.get(line)
        if watched is not None:
            watched.defects |= alarms & _DEFECTS

    def expire(self, now: float) -> None:
        """The second that has ended by now (s, monotonic) is told of every span."""
        if now < self.due:
            return
        wall = self._wall()
        stepped = abs(wall - now - self._offset) > _STEP_S
        self._offset = wall - now
        if stepped:
            log.warning("the wall clock was set: this second of every span is suspect")
        elif now - self.due > 1.0:
            log.warning("%.1f s late: this second of every span is suspect, those before are missing", now - self.due)
        second = math.floor(wall + _GRAIN_S) - 1
        silent = set()
        for line in self._lines:
            if line.card in silent:
                continue
            was_ready = line.ready
            status = self._read(line)
            if status is None:
                self._lose(line)
                if was_ready and not line.ready:
                    # Each span of a card that does not answer would cost its patience: they have their turn next time.
                    silent.add(line.card)
            else:
                self._take(line, status, second, now, stepped)
        self._arm(now)

    def flush(self) -> None:
        """Nothing is left untold."""
        for line, watched in self._watched.items():
            self._tell(line, watched)

    def _arm(self, now: float) -> None:
        wall = now + self._offset
        self.due = now + (math.floor(wall + _GRAIN_S) + 1 - wall)

    def _read(self, line: SpanLine) -> SpanStatus | None:
        if not line.ready:
            return None
        before = line.status
        line.card.read_status(line)
        return line.status if line.status is not before else None

    def _lose(self, line: SpanLine) -> None:
        watched = self._watched.pop(line, None)
        if watched is not None:
            self._tell(line, watched)

    def _take(self, line: SpanLine, status: SpanStatus, second: int, now: float, stepped: bool) -> None:
        counters = {name: getattr(status.counters, name) for name in _COUNTERS}
        watched = self._watched.get(line)
        if watched is None:
            self._watched[line] = _Watched(counters, second, now, status.alarms & _DEFECTS, FarEnd(status.reports))
            return
        counts, anew = counted(watched.counters, counters, now - watched.instant)
        late = second != watched.second + 1
        suspect = "clock_step" if stepped else "counter_reset" if anew else "late" if late else ""
        # On a loop these are our own.
        reports = status.reports if not (line.echo or status.alarms & Alarms.LOOPBACK) else None
        counts.update(watched.far.second(reports, max(second - watched.second, 1)))
        seen = SecondsSeen(
            first=second, counts=counts, defects=int(watched.defects), estimated=sorted(status.estimated),
            suspect=suspect,
        )  # fmt: skip
        watched.counters, watched.second, watched.instant = counters, second, now
        watched.defects = status.alarms & _DEFECTS
        if anew:
            log.warning("span %s: its counters began anew", line.name)
        self._go_on(line, watched, seen)

    def _go_on(self, line: SpanLine, watched: _Watched, seen: SecondsSeen) -> None:
        run = watched.run
        if run is not None and _continues(run, seen):
            run = msgspec.structs.replace(run, seconds=run.seconds + 1)
        else:
            self._tell(line, watched)
            run = seen
        watched.run = run
        news = watched.told is None or not _continues(watched.told, run)
        errored = bool(seen.defects) or any(seen.counts.values())
        length = 1 if errored and self._outbox.followed else RUN_S
        if news or run.seconds >= length or (seen.first + 1) % QUARTER_S == 0:
            self._tell(line, watched)

    def _tell(self, line: SpanLine, watched: _Watched) -> None:
        run, watched.run = watched.run, None
        if run is not None:
            watched.told = run
            if self.wanted:
                self._outbox.put(SECONDS, run, span=line.name)


def _continues(run: SecondsSeen, seen: SecondsSeen) -> bool:
    """Whether a second, or a run, is the same again, right behind the other."""
    return (
        seen.first == run.first + run.seconds
        and (run.counts, run.defects, run.estimated) == (seen.counts, seen.defects, seen.estimated)
        and not (run.suspect or seen.suspect)
    )
