# SPDX-License-Identifier: GPL-2.0-or-later
"""Whose requests are handled next: turns by user and by connection, and what each may have under way."""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import Protocol

from dahdi_py.wire.loop import Loop
from dahdi_py.wire.peer import Limits

_PAUSE_S = 0.0005
"""Who works after a pause of so long works anew: the loop has looked meanwhile at what else there was."""


class Waiting(Protocol):
    """A connection that has requests and waits for its turn."""

    def take_turn(self) -> None:
        """Some of the requests are handled, or it has none any more."""


class User:
    """What the connections of one uid have under way together: requests that others answer, such as a line host.

    Attributes:
        under_way: Requests; those of connections that are gone too, until they are answered.
        busy: Connections that have some.

    Synchronization: external.
    """

    __slots__ = ("busy", "under_way")

    def __init__(self) -> None:
        self.under_way = 0
        self.busy = 0


class _Queue:
    """A user's connections that wait for their turn: those that ask now and then, and every other time another one."""

    __slots__ = ("_fresh", "_others", "_turn_of_fresh")

    def __init__(self) -> None:
        self._fresh: deque[Waiting] = deque()
        self._others: deque[Waiting] = deque()
        self._turn_of_fresh = True

    def __bool__(self) -> bool:
        return bool(self._fresh or self._others)

    def append(self, connection: Waiting, fresh: bool) -> None:
        (self._fresh if fresh else self._others).append(connection)

    def popleft(self) -> Waiting:
        if self._fresh and self._others:
            fresh, self._turn_of_fresh = self._turn_of_fresh, not self._turn_of_fresh
            return (self._fresh if fresh else self._others).popleft()
        return (self._fresh or self._others).popleft()


class Turns:
    """Shares the time of one server's loop, and the queue of who answers, between users and their connections.

    A request is handled as soon as it comes while there is little to do. Once requests have been handled for a whole
    turn without a pause, who comes then waits for a turn, as does who has more to say than a turn takes: users one
    after another, the connections of each one after another, as many as a turn's time allows each time the loop comes
    round. Of one user's connections every other turn is for one that had nothing to say when the others began to wait:
    who asks now and then stands behind few turns of those that flood.

    Synchronization: external; only from the loop's thread.
    """

    def __init__(self, loop: Loop, limits: Limits) -> None:
        self._loop = loop
        self._limits = limits
        self._users: dict[int, User] = {}
        self._due: dict[int, _Queue] = {}
        self._count = 0
        self._began = 0.0
        self._worked = 0.0

    def user(self, uid: int) -> User:
        """The user's account: one for all of its connections, for good."""
        return self._users.setdefault(uid, User())

    def full(self) -> bool:
        """Whether requests have been handled for a turn without a pause: who comes now joins those that wait."""
        now = monotonic()
        if now - self._worked > _PAUSE_S:
            self._began = now
        return now - self._began > self._limits.turn_s

    def share(self) -> tuple[int, float]:
        """How many requests one connection may have handled now, and until when a further one is begun."""
        waiting = self._count + 1
        return max(1, self._limits.at_a_turn // waiting), monotonic() + self._limits.turn_s / waiting

    def worked(self, now: float) -> None:
        """Until now requests were handled."""
        self._worked = now

    def join(self, uid: int, connection: Waiting, *, fresh: bool = False) -> None:
        """The connection has its turn after those that wait, once.

        Args:
            fresh: It had nothing to say before: it does not stand behind those that have more than a turn takes.
        """
        queue = self._due.get(uid)
        if queue is None:
            queue = self._due[uid] = _Queue()
        queue.append(connection, fresh)
        self._count += 1
        if self._count == 1:
            self._loop.call_later(0, self._round)

    def _round(self) -> None:
        self._began = began = monotonic()
        for _ in range(self._count):
            self._next()
            self._worked = now = monotonic()
            if now - began > self._limits.turn_s:
                break
        if self._count:
            self._loop.call_later(0, self._round)

    def _next(self) -> None:
        # The first user goes to the end: a dict keeps the order.
        uid = next(iter(self._due))
        queue = self._due.pop(uid)
        connection = queue.popleft()
        if queue:
            self._due[uid] = queue
        self._count -= 1
        connection.take_turn()

    def may(self, user: User, under_way: int) -> bool:
        """Whether a connection with so many requests under way may have one more.

        Each may have one. What goes beyond is shared by the user's connections that have some, so that what another
        asks stands behind no more of them, however many flood.
        """
        return not under_way or under_way < self._limits.under_way // user.busy

    def close(self) -> None:
        """Nobody has a turn any more."""
        self._due.clear()
        self._count = 0
