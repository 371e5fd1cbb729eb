# SPDX-License-Identifier: GPL-2.0-or-later
"""The configured limits on clients and groups, and what each holds now."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from dahdi_py.core.config import Config
from dahdi_py.core.limits import Limiter
from dahdi_py.daemon.circuits import Lease
from dahdi_py.daemon.clients import Client
from dahdi_py.daemon.inventory import Inventory
from dahdi_py.daemon.who import Who, user_name

_Holds = Callable[[Lease], bool]


class Ticket:
    """What a client was let through for; it counts as held until `done`.

    Synchronization: the loop's thread.
    """

    __slots__ = ("_client", "_counted", "_entered", "_limits", "_placing", "_wanted")

    def __init__(self, limits: Limits, client: Client, wanted: int, placing: bool) -> None:
        self._limits = limits
        self._client = client
        self._wanted = wanted
        self._placing = placing
        self._entered: list[Limiter] = []
        self._counted: list[Limiter] = []

    def enter(self, *groups: str) -> None:
        """It is within every limit that concerns these groups too, or counts against none of them.

        Raises:
            QuotaExceeded: The client, or the group, holds as many as may be.
            RateLimited: Its calls, or the group's, come faster than they may.
        """
        now = time.monotonic()
        concerned = (one for group in groups for one in self._limits.concerned(self._client, group))
        known = [*self._entered, *self._counted]
        fresh = {limiter: holds for limiter, holds in concerned if limiter not in known}
        leases = self._limits.inventory.leases.values()
        for limiter, holds in fresh.items():
            held = sum(map(holds, leases)) if limiter.max_channels is not None else 0
            limiter.check(held, self._wanted, self._placing, now)
        for limiter in fresh:
            limiter.enter(self._wanted, self._placing)
            self._entered.append(limiter)

    def done(self) -> None:
        """What was asked for is had, or refused; had elsewhere after all, it counts no second time."""
        for limiter in self._entered:
            limiter.leave(self._wanted)
        self._counted += self._entered
        self._entered.clear()


class Limits:
    """Lets through what is within every limit that it concerns.

    Raises:
        ConfigError: A limit names a user or group that does not exist here.

    Synchronization: the loop's thread.
    """

    def __init__(self, conf: Config, inventory: Inventory) -> None:
        self.inventory = inventory
        self._rules = [
            (f"limits[{at}]", limit, Who.parse([limit.who], f"limits[{at}].who"))
            for at, limit in enumerate(conf.limits)
        ]
        self._groups = {
            group.name: Limiter(f"groups[{at}]", f"group {group.name}", group.max_channels, group.calls_per_minute)
            for at, group in enumerate(conf.groups)
            if group.max_channels is not None or group.calls_per_minute is not None
        }
        self._of_uid: dict[tuple[str, int], Limiter] = {}
        self._any = bool(self._rules or self._groups)

    def admit(self, client: Client, groups: Sequence[str], *, wanted: int = 1, placing: bool = False) -> Ticket:
        """The client may have so many more channels of these groups, and place a call.

        Args:
            groups: Empty: only limits that are of no group concern it.

        Raises:
            QuotaExceeded, RateLimited: It may not.
        """
        ticket = Ticket(self, client, wanted, placing)
        if self._any:
            ticket.enter(*groups or ("",))
        return ticket

    def concerned(self, client: Client, group: str) -> Iterator[tuple[Limiter, _Holds]]:
        """Every limit on that client in that group, and which leases count against it."""
        if group in self._groups:
            yield self._groups[group], lambda lease: group in self.inventory.counted_in(lease)
        named = [rule for rule in self._rules if rule[2].means(client)]
        for setting, limit, _ in named or [rule for rule in self._rules if rule[2].everybody]:
            if limit.group not in ("", group):
                continue
            limiter = self._of_uid.get((setting, client.uid))
            if limiter is None:
                limiter = self._of_uid[setting, client.uid] = Limiter(
                    setting, user_name(client.uid), limit.max_channels, limit.calls_per_minute
                )
            yield limiter, self._held_by(client.uid, limit.group)

    def _held_by(self, uid: int, group: str) -> _Holds:
        counted_in = self.inventory.counted_in
        return lambda lease: lease.owner.uid == uid and (not group or group in counted_in(lease))
