# SPDX-License-Identifier: GPL-2.0-or-later
"""Which switching core gets an incoming call: one after the other, until one claims it or time is up."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from dahdi_py.core.cause import TEMPORARY_FAILURE
from dahdi_py.core.numbers import NumberPattern

CoreId: TypeAlias = int


@dataclass(frozen=True, slots=True)
class Offer:
    """The call is this core's to claim, as a call of `group`."""

    call: str
    core: CoreId
    group: str


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The call is no longer this core's to claim."""

    call: str
    core: CoreId
    reason: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nobody takes the call: it is refused with this Q.850 cause."""

    call: str
    cause: int
    reason: str


Action: TypeAlias = Offer | Withdraw | Refuse


@dataclass(frozen=True, slots=True)
class Rules:
    """Times in seconds, causes by Q.850 (config.Calls says what they mean).

    Attributes:
        grace_until: Until then a call that no core takes waits: after a restart the cores are still coming back.
    """

    offer_s: float = 1.0
    claim_by_s: float = 3.0
    unserved_cause: int = 1
    no_core_cause: int = 41
    grace_until: float = 0.0


@dataclass(slots=True)
class _Core:
    groups: frozenset[str]
    numbers: tuple[NumberPattern, ...]
    priority: int
    forks: bool
    served: int = 0

    def group(self, groups: tuple[str, ...]) -> str | None:
        """The first of the call's groups that this core serves; None when it serves none of them."""
        if not self.groups:
            return groups[0] if groups else ""
        return next((name for name in groups if name in self.groups), None)

    def fits(self, number: str) -> bool:
        return not self.numbers or any(pattern.fits(number) for pattern in self.numbers)


@dataclass(slots=True)
class _Waiting:
    groups: tuple[str, ...]
    number: str
    give_up: float
    again: bool = False
    holders: set[CoreId] = field(default_factory=set)
    move_on: float | None = None
    tried: set[CoreId] = field(default_factory=set)
    declined: set[CoreId] = field(default_factory=set)


class Offers:
    """Every incoming call that nobody has claimed yet, and the cores that could.

    The first core by priority that fits is asked, the longest unasked among equals, and when that one forks, with it
    every other one of its priority that does; after `offer_s` the next. The last keep the offer until `claim_by_s`.
    Time is an argument, in seconds of one clock.

    Synchronization: one thread.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._cores: dict[CoreId, _Core] = {}
        self._calls: dict[str, _Waiting] = {}
        self._turn = 0
        self._deadlines: list[tuple[float, str]] = []

    def __contains__(self, call: str) -> bool:
        return call in self._calls

    def serving(self, group: str) -> int:
        """How many cores take calls of this group."""
        return sum(1 for core in self._cores.values() if not core.groups or group in core.groups)

    def holders(self, call: str) -> frozenset[CoreId]:
        """The cores that have the offer now."""
        waiting = self._calls.get(call)
        return frozenset(waiting.holders) if waiting else frozenset()

    def join(
        self, core: CoreId, groups: Iterable[str], numbers: tuple[NumberPattern, ...], priority: int, now: float,
        *, forks: bool = False,
    ) -> list[Action]:  # fmt: skip
        """The core takes calls from now on; calls that wait for one, or outstayed their time at the last, go to it.

        Args:
            forks: It is asked at the same time as the others of its priority that fork, instead of in turn.
        """
        self._cores[core] = _Core(frozenset(groups), numbers, priority, forks)
        actions: list[Action] = []
        for call, waiting in list(self._calls.items()):
            if waiting.move_on is None:
                actions += self._move_on(call, waiting, now)
        return actions

    def leave(self, core: CoreId, now: float) -> list[Action]:
        """The core takes no calls any more; what it was offered goes to the next at once."""
        self._cores.pop(core, None)
        actions: list[Action] = []
        for call, waiting in list(self._calls.items()):
            if core in waiting.holders:
                waiting.holders.discard(core)
                actions += self._go_if_free(call, waiting, now)
        return actions

    def offered(self, call: str, groups: tuple[str, ...], number: str, age: float, now: float) -> list[Action]:
        """A call came in `age` seconds ago over a span of these groups, for that number."""
        if call in self._calls:
            return []
        waiting = self._calls[call] = _Waiting(groups, number, now - age + self.rules.claim_by_s)
        return self._go(call, waiting, now)

    def offered_again(
        self, call: str, groups: tuple[str, ...], number: str, age: float, now: float, left_by: Iterable[CoreId]
    ) -> list[Action]:
        """The core that had claimed the call is gone: the others are asked; what none of them takes, failed (41).

        Args:
            left_by: These had it and are not asked again.
        """
        if call in self._calls:
            return []
        give_up = now - age + self.rules.claim_by_s
        waiting = self._calls[call] = _Waiting(groups, number, give_up, again=True, tried=set(left_by))
        return self._go(call, waiting, now)

    def decline(self, call: str, cores: Iterable[CoreId], now: float) -> list[Action]:
        """The call is none of these cores'; it goes on to the next at once when nobody has it then."""
        waiting = self._calls.get(call)
        if waiting is None:
            return []
        cores = set(cores)
        waiting.tried |= cores
        waiting.declined |= cores
        declining = sorted(waiting.holders & cores)
        waiting.holders -= cores
        left: list[Action] = [Withdraw(call, core, "declined") for core in declining]
        return left + self._go_if_free(call, waiting, now) if left else []

    def taken(self, call: str) -> list[Action]:
        """A core claimed the call, or it ended: whoever else had it is told."""
        return self._drop(call, "claimed")

    def ended(self, call: str, reason: str) -> list[Action]:
        """The call is gone."""
        return self._drop(call, reason)

    def feed(self, now: float) -> list[Action]:
        """What is due by now."""
        actions: list[Action] = []
        for call, waiting in list(self._calls.items()):
            if now >= waiting.give_up:
                actions += self._refuse(call)
            elif waiting.move_on is not None and now >= waiting.move_on:
                actions += self._move_on(call, waiting, now)
            elif not waiting.holders and now >= self.rules.grace_until:
                actions += self._refuse(call)
        return actions

    def next_deadline(self) -> float | None:
        """When to feed next; None while nothing waits."""
        deadlines = self._deadlines
        while deadlines:
            noted, call = deadlines[0]
            waiting = self._calls.get(call)
            due = self._due(waiting) if waiting is not None else None
            if due == noted:
                return due
            heapq.heappop(deadlines)
            if due is not None:
                heapq.heappush(deadlines, (due, call))
        return None

    def _note(self, call: str, waiting: _Waiting) -> None:
        """The call's deadline may be another: of many calls only those that changed are looked at."""
        heapq.heappush(self._deadlines, (self._due(waiting), call))

    def _due(self, waiting: _Waiting) -> float:
        if not waiting.holders:
            return min(waiting.give_up, self.rules.grace_until)
        return waiting.give_up if waiting.move_on is None else min(waiting.give_up, waiting.move_on)

    def _drop(self, call: str, reason: str) -> list[Action]:
        waiting = self._calls.pop(call, None)
        return self._withdraw(call, waiting, reason) if waiting else []

    def _withdraw(self, call: str, waiting: _Waiting, reason: str) -> list[Action]:
        holders, waiting.holders = sorted(waiting.holders), set()
        return [Withdraw(call, core, reason) for core in holders]

    def _next(self, waiting: _Waiting) -> list[tuple[CoreId, str]]:
        """Who is asked next, and for which group: one core, or all of its priority that fork as it does."""
        fitting = [
            (core.priority, core.served, number, group)
            for number, core in self._cores.items()
            if number not in waiting.tried
            and (group := core.group(waiting.groups)) is not None
            and core.fits(waiting.number)
        ]
        if not fitting:
            return []
        priority, _, first, group = min(fitting)
        if not self._cores[first].forks:
            return [(first, group)]
        return [(core, of) for at, _, core, of in sorted(fitting) if at == priority and self._cores[core].forks]

    def _go_if_free(self, call: str, waiting: _Waiting, now: float) -> list[Action]:
        return [] if waiting.holders else self._go(call, waiting, now)

    def _go(self, call: str, waiting: _Waiting, now: float) -> list[Action]:
        """The next get the call that nobody has, or it is refused."""
        if following := self._next(waiting):
            return self._give(call, waiting, following, now)
        waiting.move_on = None
        self._note(call, waiting)
        return self._refuse(call) if now >= self.rules.grace_until else []

    def _move_on(self, call: str, waiting: _Waiting, now: float) -> list[Action]:
        following = self._next(waiting)
        if not following:
            waiting.move_on = None
            self._note(call, waiting)
            return []
        return self._withdraw(call, waiting, "timed out") + self._give(call, waiting, following, now)

    def _give(self, call: str, waiting: _Waiting, to: list[tuple[CoreId, str]], now: float) -> list[Action]:
        for core, _ in to:
            self._turn += 1
            self._cores[core].served = self._turn
            waiting.holders.add(core)
            waiting.tried.add(core)
        waiting.move_on = now + self.rules.offer_s
        self._note(call, waiting)
        return [Offer(call, core, group) for core, group in to]

    def _refuse(self, call: str) -> list[Action]:
        waiting = self._calls[call]
        withdrawn = self._drop(call, "timed out")
        if waiting.again:
            return [*withdrawn, Refuse(call, TEMPORARY_FAILURE, "its core died, and no other one took it")]
        if all(core.group(waiting.groups) is None for core in self._cores.values()):
            return [*withdrawn, Refuse(call, self.rules.no_core_cause, "no core serves")]
        if waiting.tried - waiting.declined:
            # As its line host says when it is the first to have waited long enough.
            return [*withdrawn, Refuse(call, self.rules.no_core_cause, "no core claimed the call")]
        reason = "every core declined it" if waiting.tried else f"no core serves number {waiting.number!r}"
        return [*withdrawn, Refuse(call, self.rules.unserved_cause, reason)]
