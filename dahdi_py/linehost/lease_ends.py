# SPDX-License-Identifier: GPL-2.0-or-later
"""Leases that end by themselves: detached ones at their time, orphaned ones that nobody reclaims."""

from __future__ import annotations

import time
from collections.abc import Callable

from dahdi_py.core import cause as causes
from dahdi_py.core.call import CallPhase
from dahdi_py.core.lease import Lease
from dahdi_py.linehost.calls import Calls
from dahdi_py.linehost.deadlines import Deadlines
from dahdi_py.wire.messages.host import LeaseEnded, OwnerRequest


class LeaseEnds:
    """Watches every lease that has an end, whether a daemon is there or not.

    Args:
        now: The monotonic clock, s.

    Synchronization: the loop's thread.
    """

    def __init__(self, calls: Calls, now: Callable[[], float] = time.monotonic) -> None:
        self._calls = calls
        self._channels = calls.channels
        self._now = now
        self.deadlines: Deadlines[Lease] = Deadlines()
        self._clientless: set[str] = set()
        calls.channels.on_end = self._ended

    def _ended(self, lease: Lease) -> None:
        self.deadlines.set(lease, None)
        self._clientless.discard(lease.token)

    def detach(self, lease: Lease, detach_s: float) -> None:
        """The lease outlives its owner's connection and ends in so many seconds; with 0 it ends with its owner."""
        lease.detached = detach_s > 0
        lease.orphaned = lease.orphaned and not lease.detached
        self._end_in(lease, detach_s)

    def assign(self, lease: Lease, owner: OwnerRequest, orphaned: bool, expires_s: float) -> None:
        """The lease is that owner's; an orphaned one ends in so many seconds unless it is assigned anew."""
        lease.owner, lease.orphaned = owner, orphaned
        call = self._calls.by_id.get(lease.call)
        if call is not None:
            call.owner = owner
        self._clientless.discard(lease.token)
        if orphaned and expires_s:
            self._clientless.add(lease.token)
        if not lease.detached:
            self._end_in(lease, expires_s if orphaned else 0.0)

    def daemon_lost(self) -> None:
        """Nobody is known to be there for any lease but those that live by themselves or wait for a core."""
        for lease in self._channels.leases.all():
            call = self._calls.by_id.get(lease.call)
            by_itself = call is not None and (call.detached or (not call.outgoing and not call.claimed))
            lease.orphaned = lease.orphaned or not (lease.detached or by_itself)
            if lease.orphaned and lease.expires is not None and lease.token not in self._clientless:
                self._end_in(lease, 0.0)  # nobody can reclaim it now: the next daemon gives the whole time anew

    def await_owners(self, reclaim_s: float) -> None:
        """A new daemon is there: whoever owned a lease under the last one has so many seconds to come back."""
        for lease in self._channels.leases.all():
            if lease.orphaned and not lease.detached and lease.expires is None:
                self._end_in(lease, reclaim_s)

    def expire(self, now: float) -> None:
        """Leases whose time is up end, and the calls on them are cleared."""
        for lease in self.deadlines.expired(now):
            if lease.expires is not None and lease.expires > now:
                self.deadlines.set(lease, lease.expires)
                continue
            if lease.detached:
                self._end(lease, "host", "the detached lease's time is up")
            elif lease.token in self._clientless:
                self._end(lease, "client_death", "its client is gone, and nobody reclaimed it in time")
            else:
                self._end(lease, "daemon_lost", "nobody reclaimed it in time")

    def _end_in(self, lease: Lease, seconds: float) -> None:
        lease.expires = self._now() + seconds if seconds > 0 else None
        self.deadlines.set(lease, lease.expires)
        self._calls.wake()

    def _end(self, lease: Lease, cleared_by: str, reason: str) -> None:
        call = self._calls.by_id.get(lease.call)
        if call is None:
            self._channels.end(lease, reason)
            return
        active = call.phase in (CallPhase.ACTIVE, CallPhase.RELEASING)
        self._channels.void(lease)
        self._calls.outbox.put(
            "lease.ended", LeaseEnded(reason=reason), span=call.line.name, timeslot=call.timeslot, call=call.id,
            token=lease.token,
        )  # fmt: skip
        cause = causes.NORMAL_UNSPECIFIED if active else causes.TEMPORARY_FAILURE
        self._calls.hangup(call, cause, cleared_by, reason)
