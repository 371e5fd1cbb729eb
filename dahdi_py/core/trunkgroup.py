# SPDX-License-Identifier: GPL-2.0-or-later
"""Hunting: which free timeslot of which span comes next.

A span's free timeslots are a bit mask (bit t set: timeslot t is free), so one hunt costs a few integer operations
however many channels there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dahdi_py.core.terms import HuntOrder, Node, Timeslot

_DOWNWARD = frozenset({HuntOrder.DESCENDING, HuntOrder.ROUND_ROBIN_DOWN})
_ROTATING = frozenset({HuntOrder.ROUND_ROBIN_UP, HuntOrder.ROUND_ROBIN_DOWN})


def default_order(node: Node) -> HuntOrder:
    """The side's own end: network from the bottom, user from the top, so that the two meet last.

    Source: Q.931 5.7 and Annex D.3 leave the order open; opposite ends make glare rare.
    """
    return HuntOrder.ASCENDING if node is Node.NETWORK else HuntOrder.DESCENDING


def lowest(free: int) -> Timeslot:
    """The lowest free timeslot, 0 for none."""
    return Timeslot((free & -free).bit_length() - 1 if free else 0)


def highest(free: int) -> Timeslot:
    """The highest free timeslot, 0 for none."""
    return Timeslot(free.bit_length() - 1 if free else 0)


class TrunkGroup:
    """Spans whose B-channels are hunted together.

    Descending is ascending read backwards: last span first. Round robin goes on behind the channel it gave out last.
    Least recently used is the one that has been idle longest; most idle is of the span with most free channels, the
    first of equals.

    Args:
        size: Number of spans.
        order: In which order channels are tried.
        upward: Most idle: whether that span's channels are taken from the bottom.

    Synchronization: one thread.
    """

    __slots__ = ("_at", "_size", "_upward", "order")

    def __init__(self, size: int, order: HuntOrder, *, upward: bool = True) -> None:
        self.order = order
        self._size = size
        self._upward = upward
        self._at: tuple[int, Timeslot] | None = None

    def hunt(self, free: Sequence[int], idle_since: Sequence[Mapping[int, int]] = ()) -> tuple[int, Timeslot] | None:
        """The span's index and the timeslot to take, None when nothing is free.

        Args:
            free: Each span's free timeslots as a bit mask.
            idle_since: Least recently used: each span's idle timeslots, the longest idle first, with growing numbers.
        """
        if self.order is HuntOrder.LEAST_RECENTLY_USED:
            return _longest_idle(free, idle_since)
        if self.order is HuntOrder.MOST_IDLE:
            index = max(range(self._size), key=lambda at: free[at].bit_count())
            return (index, lowest(free[index]) if self._upward else highest(free[index])) if free[index] else None
        found = self._rotate(free) if self.order in _ROTATING and self._at else self._sweep(free)
        if found:
            self._at = found
        return found

    def _sweep(self, free: Sequence[int]) -> tuple[int, Timeslot] | None:
        if self.order in _DOWNWARD:
            for index in range(self._size - 1, -1, -1):
                if free[index]:
                    return index, highest(free[index])
        else:
            for index in range(self._size):
                if free[index]:
                    return index, lowest(free[index])
        return None

    def _rotate(self, free: Sequence[int]) -> tuple[int, Timeslot] | None:
        assert self._at is not None
        index, timeslot = self._at
        if self.order is HuntOrder.ROUND_ROBIN_UP:
            step, pick, beyond = 1, lowest, free[index] >> (timeslot + 1) << (timeslot + 1)
        else:
            step, pick, beyond = -1, highest, free[index] & ((1 << timeslot) - 1)
        if beyond:
            return index, pick(beyond)
        for distance in range(1, self._size + 1):
            other = (index + step * distance) % self._size
            if free[other]:
                return other, pick(free[other])
        return None


def _longest_idle(free: Sequence[int], idle_since: Sequence[Mapping[int, int]]) -> tuple[int, Timeslot] | None:
    oldest: tuple[int, int, int] | None = None
    for index, (mask, ages) in enumerate(zip(free, idle_since, strict=True)):
        for timeslot, age in ages.items():
            if mask >> timeslot & 1:
                oldest = min(oldest or (age, index, timeslot), (age, index, timeslot))
                break
        else:
            # A drained channel has no age; an emergency call takes it as the last choice.
            if mask and oldest is None:
                oldest = (1 << 62, index, lowest(mask))
    return (oldest[1], Timeslot(oldest[2])) if oldest else None
