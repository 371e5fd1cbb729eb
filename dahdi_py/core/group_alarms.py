# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be wrong with a trunk group although each of its lines may be well."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from typing import NamedTuple

from dahdi_py.core.alarm import CRITICAL, MAJOR, MINOR, Condition
from dahdi_py.core.config import Alarms, Group

MINIMUM, BUSY, ANSWERS, SILENT, CORES = "minimum", "busy", "answers", "silent", "cores"
_ANSWERS_KEPT = 10_000


class Seen(NamedTuple):
    """A group as it is.

    Attributes:
        usable: B-channels that carry a call or could.
        free: Those of them that could.
        serving: Cores that take its incoming calls.
    """

    usable: int
    free: int
    total: int
    serving: int


class GroupAlarms:
    """Watches one group.

    Args:
        now: Since when it is watched, s.
        standing: Aspects whose alarm stood before: each stands until it is seen to be mended.

    Synchronization: one thread.
    """

    def __init__(self, group: Group, settings: Alarms, now: float, standing: Collection[str] = ()) -> None:
        self._group = group
        self._settings = settings
        self._busy_since = now - settings.all_busy_s if BUSY in standing else None
        self._unserved_since = now - settings.no_core_s if CORES in standing else None
        self._wants_core = CORES in standing
        self._heard = now - group.no_incoming_minutes * 60.0 if SILENT in standing else now
        self._now = now
        self._ended: deque[tuple[float, bool]] = deque(maxlen=_ANSWERS_KEPT)

    def incoming(self, now: float) -> None:
        """A call came in by the group."""
        self._heard = now
        self._wants_core = True

    def ended(self, answered: bool, now: float) -> None:
        """An outgoing call of the group has ended."""
        if self._group.answer_ratio:
            self._ended.append((now, answered))

    def feed(self, seen: Seen, now: float, now_ns: int) -> list[Condition]:
        """What is wrong with the group that is so.

        Args:
            now_ns: The same instant in UTC, ns.
        """
        self._now = now
        self._busy_since = _since(self._busy_since, seen.usable > 0 and not seen.free, now)
        self._wants_core = self._wants_core or seen.serving > 0
        self._unserved_since = _since(self._unserved_since, self._wants_core and not seen.serving, now)
        if not seen.usable:
            # Nothing can come in over lines that are down: that is their alarm.
            self._heard = now
        while self._ended and self._ended[0][0] <= now - self._settings.answer_window_s:
            self._ended.popleft()
        return [*self._of_capacity(seen, now_ns), *self._of_calls(now_ns)]

    def next_deadline(self) -> float | None:
        """When to feed it again, unless there is news before."""
        oldest = self._ended[0][0] if self._ended else None
        ends = [
            since + patience
            for since, patience in (
                (self._busy_since, self._settings.all_busy_s),
                (self._unserved_since, self._settings.no_core_s),
                (self._heard, self._group.no_incoming_minutes * 60.0),
                (oldest, self._settings.answer_window_s),
            )
            if since is not None and patience and since + patience > self._now
        ]
        return min(ends, default=None)

    def _of_capacity(self, seen: Seen, now_ns: int) -> Iterator[Condition]:
        name, minimum = self._group.name, self._group.minimum
        if seen.usable < minimum:
            yield self._condition(
                MINIMUM, "BELOW-MINIMUM", CRITICAL, now_ns,
                f"Group {name} has {seen.usable} of {seen.total} channels left, fewer than the {minimum} it needs",
                "spans of the group are down, or channels locked or out of service",
                "look at dahdi-py spans and dahdi-py channels for what is out",
            )  # fmt: skip
        if self._over(self._busy_since, self._settings.all_busy_s):
            yield self._condition(
                BUSY, "ALL-BUSY", MINOR, self._instant(self._busy_since, now_ns),
                f"Group {name}: all {seen.usable} usable channels are busy, further calls are refused",
                "more traffic than the group has channels, or calls that do not end",
                "look at dahdi-py calls for calls that are too long; add channels or an overflow group",
            )  # fmt: skip
        if self._over(self._unserved_since, self._settings.no_core_s):
            yield self._condition(
                CORES, "NO-CORE", CRITICAL, self._instant(self._unserved_since, now_ns),
                f"Group {name}: no core serves it, every incoming call is refused",
                "the switching core has ended, or lost its connection",
                "start the core, or look into its log",
            )  # fmt: skip

    def _of_calls(self, now_ns: int) -> Iterator[Condition]:
        name, floor = self._group.name, self._group.answer_ratio
        answered, ended = sum(one for _, one in self._ended), len(self._ended)
        if ended >= self._settings.answer_calls and 100 * answered < floor * ended:
            yield self._condition(
                ANSWERS, "ANSWER-RATIO", MAJOR, now_ns,
                f"Group {name}: {answered} of the last {ended} outgoing calls were answered, less than {floor} %",
                "the carrier fails calls, a route is wrong, or calls are placed to wrong numbers",
                "look at the causes in dahdi-py calls history, then call the carrier",
            )  # fmt: skip
        minutes = self._group.no_incoming_minutes
        if self._over(self._heard, minutes * 60.0):
            yield self._condition(
                SILENT, "NO-INCOMING", MAJOR, self._instant(self._heard, now_ns),
                f"Group {name}: no call has come in for {minutes} minutes although its lines are good",
                "the carrier does not route the numbers to us any more, or there is no traffic",
                "call one of the numbers from outside, then call the carrier",
            )  # fmt: skip

    def _over(self, since: float | None, patience: float) -> bool:
        return since is not None and patience > 0 and self._now >= since + patience

    def _instant(self, since: float | None, now_ns: int) -> int:
        """That instant in UTC, ns."""
        return now_ns if since is None else now_ns - int((self._now - since) * 1e9)

    def _condition(
        self, aspect: str, word: str, severity: str, since_ns: int, what: str, cause: str, check: str
    ) -> Condition:
        return Condition(
            kind="group", subject=self._group.name, aspect=aspect, words=(word,), severity=severity,
            text=f"{what}: {check}.", since_ns=since_ns, cause=cause, next_check=check, group=self._group.name,
        )  # fmt: skip


def _since(before: float | None, so: bool, now: float) -> float | None:
    """Since when it has been so without a break; None when it is not."""
    if not so:
        return None
    return now if before is None else before
