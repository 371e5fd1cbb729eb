# SPDX-License-Identifier: GPL-2.0-or-later
"""B-channels in the words of ITU-T X.731, and each span's free ones as a bit mask."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING

from dahdi_py.core.terms import Administrative, Disabled, Phase, Timeslot

if TYPE_CHECKING:
    from dahdi_py.core.lease import Lease


_ages = count(1)


class SpanChannels:
    """The B-channels of one span, and which of them are free.

    Attributes:
        free: Bit t is set while timeslot t can be leased, whatever the span's own state.
        drained: Bit t is set while timeslot t could be, were it not drained: for emergency calls.
        idle_since: The free timeslots in the order in which they became free, each with a number that grows.
        service: Why the whole span takes nothing new; None when it does.

    Synchronization: one thread.
    """

    __slots__ = ("channels", "drained", "free", "idle_since", "name", "service")

    def __init__(self, name: str) -> None:
        self.name = name
        self.channels: dict[int, Channel] = {}
        self.free = 0
        self.drained = 0
        self.idle_since: dict[int, int] = {}
        self.service: Disabled | None = None

    @property
    def usable(self) -> int:
        """The timeslots that can be leased now, as a bit mask."""
        return 0 if self.service else self.free

    @property
    def usable_in_emergency(self) -> int:
        """The same for a call that passes drains."""
        return 0 if self.service else self.free | self.drained

    def __iter__(self) -> Iterator[Channel]:
        return iter(self.channels.values())


class Channel:
    """One B-channel: idle, or leased, or between two leases; and whether it may be used at all.

    Attributes:
        lease: The one lease on it.
        pending: What goes on without a lease: ``releasing`` until it is proved free, ``restarting`` until RESTART is
            acknowledged.
        blocked: Why this channel alone is disabled: ``quarantine`` or ``remote_oos``.
        drained: It is locked because it was empty while shutting down: an emergency call may still have it.

    Synchronization: one thread.
    """

    __slots__ = ("administrative", "blocked", "drained", "lease", "pending", "span", "timeslot")

    def __init__(self, span: SpanChannels, timeslot: Timeslot) -> None:
        self.span = span
        self.timeslot = timeslot
        self.administrative = Administrative.UNLOCKED
        self.blocked: Disabled | None = None
        self.drained = False
        self.lease: Lease | None = None
        self.pending: Phase | None = None
        span.channels[timeslot] = self
        self._settle()

    @property
    def free(self) -> bool:
        """Whether it can be leased, the span's own state apart."""
        return self.span.free >> self.timeslot & 1 == 1

    @property
    def disabled(self) -> Disabled | None:
        """Why it is not operational; None when it is. The span's reason comes first: it is the larger one."""
        return self.span.service or self.blocked

    @property
    def phase(self) -> Phase | None:
        """What keeps it busy; None when idle."""
        return self.lease.phase if self.lease else self.pending

    def occupy(self, lease: Lease) -> None:
        """The channel carries this lease."""
        assert self.lease is None
        self.lease = lease
        self.pending = None
        self.span.free &= ~(1 << self.timeslot)
        self.span.drained &= ~(1 << self.timeslot)
        self.span.idle_since.pop(self.timeslot, None)

    def vacate(self, pending: Phase | None = None) -> None:
        """The channel carries no lease; it is idle, or `pending` goes on."""
        self.lease = None
        self.pending = pending
        self._settle()

    def block(self, reason: Disabled | None) -> None:
        """The channel alone is disabled for this reason, or no longer."""
        self.blocked = reason
        self._settle()

    def administer(self, state: Administrative) -> None:
        """The channel is unlocked, shutting down (locked at once when it is idle) or locked."""
        self.administrative = state
        self.drained = False
        self._settle()

    def _settle(self) -> None:
        span, bit = self.span, 1 << self.timeslot
        idle = self.lease is None and self.pending is None
        if idle and self.administrative is Administrative.SHUTTING_DOWN:
            self.administrative, self.drained = Administrative.LOCKED, True
        idle = idle and self.blocked is None
        free = idle and self.administrative is Administrative.UNLOCKED
        span.free = span.free | bit if free else span.free & ~bit
        span.drained = span.drained | bit if idle and self.drained else span.drained & ~bit
        if not free:
            span.idle_since.pop(self.timeslot, None)
        elif self.timeslot not in span.idle_since:
            span.idle_since[self.timeslot] = next(_ages)
