# SPDX-License-Identifier: GPL-2.0-or-later
"""From what a driver reports of a span's line to what is reported of it: defect, failure, alarm, by direction.

Drivers integrate the declare side already (2.5 s, RAI 0.5 s), so a failure is reported the moment the driver declares
it. The clear side is ours: a failure is reported until its direction has been free of it for the clearing time. That is
for reports only: whether a span takes calls follows the driver at once.

Source: T1.231-1993 6.1.2 (failure cleared after 10 s +/- 0.5 s), RFC 4805 3.4 (which failure is which alarm).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dahdi_py.core.alarm import ASPECTS, LOOP, RECEIVE, TRANSMIT
from dahdi_py.core.terms import Alarms

_OTHERS = {TRANSMIT: Alarms.YELLOW, LOOP: Alarms.LOOPBACK}
_NOT_RECEIVED = Alarms.YELLOW | Alarms.LOOPBACK | Alarms.RECOVER


@dataclass(frozen=True, slots=True)
class Failure:
    """A direction that has failed.

    Attributes:
        raw: Every bit as read last.
        driver: What the driver declares of this direction now.
        integrated: What is reported of it: the same, or while it is being cleared what was declared longest: a line
            that comes back looks for its frames for a moment, whatever was wrong with it.
    """

    aspect: str
    raw: Alarms
    driver: Alarms
    integrated: Alarms


@dataclass(slots=True)
class _Direction:
    driver: Alarms = Alarms.NONE
    integrated: Alarms = Alarms.NONE
    free_since: float | None = None
    since: float = 0.0
    lasted: dict[Alarms, float] = field(default_factory=dict)

    def see(self, bits: Alarms, now: float) -> None:
        """The driver declares these bits of it."""
        if self.driver:
            self.lasted[self.driver] = self.lasted.pop(self.driver, 0.0) + now - self.since
        self.since = now
        if bits:
            self.driver = self.integrated = bits
            self.free_since = None
        elif self.driver:
            self.driver = Alarms.NONE
            self.free_since = now
            self.integrated = max(reversed(self.lasted), key=lambda kind: self.lasted[kind])

    def end(self) -> None:
        """Nothing is reported of it any more."""
        self.integrated = Alarms.NONE
        self.free_since = None
        self.lasted.clear()


class LineAlarms:
    """One span's failures.

    Args:
        clear_s: A direction has to be free for so long, s.
        standing: What was reported before, by aspect: it is cleared as if it had been seen.

    Synchronization: one thread.
    """

    def __init__(self, clear_s: float, standing: Mapping[str, Alarms] | None = None) -> None:
        self._clear_s = clear_s
        self._raw = Alarms.NONE
        self._directions = {aspect: _Direction() for aspect in ASPECTS}
        for aspect, bits in (standing or {}).items():
            self._directions[aspect].driver = self._directions[aspect].integrated = bits

    def feed(self, alarms: Alarms | None, now: float) -> list[Failure]:
        """What has failed now, after the line showed these bits; None: only time has passed.

        RECOVER means that the driver itself waits whether the line stays good: the line is free of the defect, and
        reported as failed at least until the driver is done.
        """
        if alarms is not None:
            self._raw = alarms
            for aspect, direction in self._directions.items():
                direction.see(_of(aspect, alarms), now)
            receive = self._directions[RECEIVE]
            if Alarms.RECOVER in alarms and not receive.integrated:
                receive.integrated = Alarms.RECOVER
        for aspect, direction in self._directions.items():
            self._settle(aspect, direction, now)
        return self.failures()

    def failures(self) -> list[Failure]:
        """What has failed, as of the last `feed`."""
        return [
            Failure(aspect, self._raw, direction.driver, direction.integrated)
            for aspect, direction in self._directions.items()
            if direction.integrated
        ]

    def next_deadline(self) -> float | None:
        """When to feed None, unless there is news before."""
        ends = [
            direction.free_since + self._clear_s
            for aspect, direction in self._directions.items()
            if direction.free_since is not None and not self._recovers(aspect)
        ]
        return min(ends, default=None)

    def _settle(self, aspect: str, direction: _Direction, now: float) -> None:
        if self._recovers(aspect) or direction.driver:
            return
        if direction.free_since is None or now >= direction.free_since + self._clear_s:
            direction.end()

    def _recovers(self, aspect: str) -> bool:
        return aspect == RECEIVE and Alarms.RECOVER in self._raw


def _of(aspect: str, alarms: Alarms) -> Alarms:
    """The bits of that direction; bits nobody knows are taken for received ones."""
    return alarms & _OTHERS[aspect] if aspect in _OTHERS else Alarms(int(alarms) & ~int(_NOT_RECEIVED))
