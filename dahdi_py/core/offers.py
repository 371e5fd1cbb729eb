# SPDX-License-Identifier: GPL-2.0-or-later
"""Which switching core gets an incoming call: one after the other, until one claims it or time is up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

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
    core: CoreId | None = None
    move_on: float | None = None
    tried: set[CoreId] = field(default_factory=set)


class Offers:
    """Every incoming call that nobody has claimed yet, and the cores that could.

    The first core by priority that fits is asked, the longest unasked among equals; after `offer_s` the next one.
    The last one keeps the offer until `claim_by_s`. Time is an argument, in seconds of one clock.

    Synchronization: one thread.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._cores: dict[CoreId, _Core] = {}
        self._calls: dict[str, _Waiting] = {}
        self._turn = 0

    def __contains__(self, call: str) -> bool:
        return call in self._calls

    def serving(self, group: str) -> int:
        """How many cores take calls of this group."""
        return sum(1 for core in self._cores.values() if not core.groups or group in core.groups)

    def core_of(self, call: str) -> CoreId | None:
        """The core that has the offer now."""
        waiting = self._calls.get(call)
        return waiting.core if waiting else None

    def join(
        self, core: CoreId, groups: Iterable[str], numbers: tuple[NumberPattern, ...], priority: int, now: float
    ) -> list[Action]:
        """The core takes calls from now on; calls that wait for one, or outstayed their time at the last, go to it."""
        self._cores[core] = _Core(frozenset(groups), numbers, priority)
        actions: list[Action] = []
        for call, waiting in list(self._calls.items()):
            if waiting.move_on is None:
                actions += self._move_on(call, waiting, now)
        return actions

    def leave(self, core: CoreId, now: float) -> list[Action]:
        """The core takes no calls any more; what it was offered goes to the next at once."""
        self._cores.pop(core, None)
        held = [call for call, waiting in self._calls.items() if waiting.core == core]
        return [action for call in held for action in self._go(call, now)]

    def offered(self, call: str, groups: tuple[str, ...], number: str, age: float, now: float) -> list[Action]:
        """A call came in `age` seconds ago over a span of these groups, for that number."""
        if call in self._calls:
            return []
        self._calls[call] = _Waiting(groups, number, now - age + self.rules.claim_by_s)
        return self._go(call, now)

    def decline(self, call: str, cores: Iterable[CoreId], now: float) -> list[Action]:
        """The call goes on to the next at once, when one of these cores has it."""
        waiting = self._calls.get(call)
        if waiting is None:
            return []
        cores = set(cores)
        waiting.tried |= cores
        return self._go(call, now) if waiting.core in cores else []

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
            elif waiting.core is None and now >= self.rules.grace_until:
                actions += self._refuse(call)
        return actions

    def next_deadline(self) -> float | None:
        """When to feed next; None while nothing waits."""
        return min((self._due(waiting) for waiting in self._calls.values()), default=None)

    def _due(self, waiting: _Waiting) -> float:
        if waiting.core is None:
            return min(waiting.give_up, self.rules.grace_until)
        return waiting.give_up if waiting.move_on is None else min(waiting.give_up, waiting.move_on)

    def _drop(self, call: str, reason: str) -> list[Action]:
        waiting = self._calls.pop(call, None)
        if waiting is None or waiting.core is None or waiting.core not in self._cores:
            return []
        return [Withdraw(call, waiting.core, reason)]

    def _next(self, waiting: _Waiting) -> tuple[CoreId, str] | None:
        fitting = [
            (core.priority, core.served, number, group)
            for number, core in self._cores.items()
            if number not in waiting.tried
            and (group := core.group(waiting.groups)) is not None
            and core.fits(waiting.number)
        ]
        return min(fitting)[2:] if fitting else None

    def _go(self, call: str, now: float) -> list[Action]:
        """Leave the core that has the call; the next one gets it, or it is refused."""
        waiting = self._calls[call]
        left = self._left(call, waiting, "declined")
        if (following := self._next(waiting)) is not None:
            return left + self._give(call, waiting, following, now)
        waiting.core = waiting.move_on = None
        return left + (self._refuse(call) if now >= self.rules.grace_until else [])

    def _move_on(self, call: str, waiting: _Waiting, now: float) -> list[Action]:
        following = self._next(waiting)
        if following is None:
            waiting.move_on = None
            return []
        return self._left(call, waiting, "timed out") + self._give(call, waiting, following, now)

    def _left(self, call: str, waiting: _Waiting, reason: str) -> list[Action]:
        if waiting.core is None or waiting.core not in self._cores:
            return []
        return [Withdraw(call, waiting.core, reason)]

    def _give(self, call: str, waiting: _Waiting, to: tuple[CoreId, str], now: float) -> list[Action]:
        core, group = to
        self._turn += 1
        self._cores[core].served = self._turn
        waiting.core = core
        waiting.tried.add(core)
        waiting.move_on = now + self.rules.offer_s
        return [Offer(call, core, group)]

    def _refuse(self, call: str) -> list[Action]:
        waiting = self._calls[call]
        withdrawn = self._drop(call, "timed out")
        if all(core.group(waiting.groups) is None for core in self._cores.values()):
            return [*withdrawn, Refuse(call, self.rules.no_core_cause, "no core serves")]
        reason = "no core claimed it" if waiting.tried else f"no core serves number {waiting.number!r}"
        return [*withdrawn, Refuse(call, self.rules.unserved_cause, reason)]
