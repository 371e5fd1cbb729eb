# SPDX-License-Identifier: GPL-2.0-or-later
"""Many deadlines, one timer: set, moved and forgotten in constant time, however many calls are up."""

from __future__ import annotations

import heapq
import math
from typing import Generic, Protocol, TypeVar

TICK_S = 0.05
"""Deadlines are kept to this grain and never fire early."""


class Timed(Protocol):
    """What can have a deadline here."""

    slot: int


Item = TypeVar("Item", bound=Timed)


class Deadlines(Generic[Item]):
    """The items that wait for something, by the tick in which their deadline passes.

    An item's `slot` belongs to this object: 0 while it waits for nothing.

    Attributes:
        earliest: No deadline passes before this (s, monotonic); infinity while nothing waits.

    Synchronization: one thread.
    """

    def __init__(self) -> None:
        self._slots: dict[int, set[Item]] = {}
        self._order: list[int] = []
        self.earliest = math.inf

    def set(self, item: Item, deadline: float | None) -> None:
        """The item waits until `deadline` (s, monotonic), or for nothing."""
        slot = int(deadline / TICK_S) + 1 if deadline is not None else 0
        if slot == item.slot:
            return
        if item.slot:
            self._slots[item.slot].discard(item)
        item.slot = slot
        if not slot:
            return
        waiting = self._slots.get(slot)
        if waiting is None:
            waiting = self._slots[slot] = set()
            heapq.heappush(self._order, slot)
            self.earliest = self._order[0] * TICK_S
        waiting.add(item)

    def expired(self, now: float) -> list[Item]:
        """The items whose deadline has passed, in the order of their ticks; they wait for nothing any more."""
        due: list[Item] = []
        order = self._order
        while order and (order[0] * TICK_S <= now or not self._slots[order[0]]):
            for item in self._slots.pop(heapq.heappop(order)):
                item.slot = 0
                due.append(item)
        self.earliest = order[0] * TICK_S if order else math.inf
        return due
