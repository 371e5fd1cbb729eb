# SPDX-License-Identifier: GPL-2.0-or-later
"""The alarms that stand: raised, changed and cleared by comparing what is wrong now with what was wrong before.

An alarm follows from its condition alone, so none can stick: what is wrong no more is cleared by the next comparison.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from dahdi_py.core.alarm import SEVERITIES, Condition, Key
from dahdi_py.errors import NotFound

RAISED, CHANGED, CLEARED = "raised", "changed", "cleared"
_REMEMBERED = 1_000
"""Occurrences counted of one alarm at most."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Somebody has seen an alarm: who, when (UTC, ns), and what they noted."""

    who: str
    at_ns: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """An alarm.

    Attributes:
        id: Never used for another.
        raised_ns, cleared_ns: UTC, ns; 0: it stands.
        hidden_by: The id of the alarm that explains it; 0 for none.
        flaps: How often it was raised within the window.
        flapping: That is often.
    """

    id: int
    condition: Condition
    raised_ns: int
    cleared_ns: int = 0
    hidden_by: int = 0
    acknowledged: Acknowledged | None = None
    flaps: int = 1
    flapping: bool = False

    @property
    def key(self) -> Key:
        """Which alarm it is."""
        return self.condition.key


class Change(NamedTuple):
    """What became of an alarm: raised, changed, cleared; `sequence` grows by one with each."""

    what: str
    alarm: Standing
    sequence: int


@dataclass(slots=True)
class _Past:
    """When an alarm was raised within the window, and who saw it last."""

    raised_ns: deque[int] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    acknowledged: Acknowledged | None = None


class Board:
    """Keeps what stands.

    Args:
        next_id: The first id that was never used.
        standing: What stood when the last one was left.
        raised: Earlier occurrences: key and instant (UTC, ns), oldest first.
        window_ns: Occurrences are counted within this.
        flapping: So many of them are often.

    Synchronization: one thread.
    """

    def __init__(
        self, next_id: int, standing: Iterable[Standing] = (), raised: Iterable[tuple[Key, int]] = (), *,
        window_ns: int, flapping: int,
    ) -> None:  # fmt: skip
        self.sequence = 0
        self._next_id = next_id
        self._window_ns = window_ns
        self._flapping = flapping
        self._standing = {one.key: one for one in standing}
        self._past: dict[Key, _Past] = {}
        for key, at_ns in raised:
            self._past.setdefault(key, _Past()).raised_ns.append(at_ns)
        for one in self._standing.values():
            self._past.setdefault(one.key, _Past()).acknowledged = one.acknowledged

    def standing(self) -> list[Standing]:
        """What stands: each root, the worst first, followed by what it explains."""
        ordered = sorted(self._standing.values(), key=_rank)
        roots = [one for one in ordered if not one.hidden_by]
        return [each for root in roots for each in (root, *(one for one in ordered if one.hidden_by == root.id))]

    def find(self, alarm: int) -> Standing:
        """The alarm of that id.

        Raises:
            NotFound: None of that id stands.
        """
        for one in self._standing.values():
            if one.id == alarm:
                return one
        known = ", ".join(str(one.id) for one in self.standing()) or "none now"
        raise NotFound(f"no alarm {alarm} stands; alarms: {known}", kind="alarm", name=str(alarm))

    def feed(self, conditions: Iterable[Condition], now_ns: int) -> list[Change]:
        """What is different now that exactly this is wrong: first what is cleared, then by severity.

        Args:
            now_ns: UTC, ns.
        """
        wrong = {one.key: one for one in conditions}
        changes = [self._clear(key, now_ns) for key in [*self._standing] if key not in wrong]
        # Roots first: what they explain is told with their id.
        for one in sorted(wrong.values(), key=lambda one: (one.under is not None, SEVERITIES.index(one.severity))):
            changes += self._see(one, self._root(one, wrong), now_ns)
        self._forget(now_ns)
        return changes

    def acknowledge(self, alarm: int, seen: Acknowledged | None) -> Change:
        """Somebody has seen the alarm; with None it is unseen again.

        Raises:
            NotFound: None of that id stands.
        """
        one = self.find(alarm)
        self._past[one.key].acknowledged = seen
        return self._tell(CHANGED, replace(one, acknowledged=seen))

    def _root(self, one: Condition, wrong: dict[Key, Condition]) -> int:
        """The id of the alarm at the end of the chain that explains the condition; 0 when it is one itself."""
        key, seen = one.under, {one.key}
        while key is not None and key in wrong and key not in seen and wrong[key].under is not None:
            seen.add(key)
            key = wrong[key].under
        root = self._standing.get(key) if key is not None and key != one.key else None
        return root.id if root is not None else 0

    def _see(self, one: Condition, hidden_by: int, now_ns: int) -> list[Change]:
        before = self._standing.get(one.key)
        if before is None:
            return [self._raise(one, hidden_by, now_ns)]
        after = replace(before, condition=one, hidden_by=hidden_by)
        if _mark(before) != _mark(after):
            return [self._tell(CHANGED, after)]
        self._standing[one.key] = after
        return []

    def _raise(self, one: Condition, hidden_by: int, now_ns: int) -> Change:
        past = self._past.setdefault(one.key, _Past())
        past.raised_ns.append(now_ns)
        self._trim(past, now_ns)
        flaps = len(past.raised_ns)
        flapping = flaps >= self._flapping
        # What comes back all the time need not be seen each time.
        seen = past.acknowledged if flapping else None
        past.acknowledged = seen
        alarm = Standing(self._next_id, one, one.since_ns or now_ns, 0, hidden_by, seen, flaps, flapping)
        self._next_id += 1
        return self._tell(RAISED, alarm)

    def _clear(self, key: Key, now_ns: int) -> Change:
        self.sequence += 1
        return Change(CLEARED, replace(self._standing.pop(key), cleared_ns=now_ns), self.sequence)

    def _tell(self, what: str, alarm: Standing) -> Change:
        self._standing[alarm.key] = alarm
        self.sequence += 1
        return Change(what, alarm, self.sequence)

    def _forget(self, now_ns: int) -> None:
        for key, past in [*self._past.items()]:
            self._trim(past, now_ns)
            if not past.raised_ns and key not in self._standing:
                del self._past[key]

    def _trim(self, past: _Past, now_ns: int) -> None:
        while past.raised_ns and past.raised_ns[0] < now_ns - self._window_ns:
            past.raised_ns.popleft()


def _mark(alarm: Standing) -> tuple[object, ...]:
    """What makes another alarm of it for whoever looks; figures in the text change all the time."""
    one = alarm.condition
    return (one.words, one.severity, one.driver, one.times, alarm.hidden_by)


def _rank(alarm: Standing) -> tuple[int, int, int]:
    return (SEVERITIES.index(alarm.condition.severity), alarm.raised_ns, alarm.id)
