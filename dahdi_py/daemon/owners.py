# SPDX-License-Identifier: GPL-2.0-or-later
"""Leases and calls whose owners come and go: what a dead client leaves, what waits for its owner, what nobody wants."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dahdi_py.core.terms import Phase
from dahdi_py.daemon import older
from dahdi_py.daemon.circuits import Call, Lease
from dahdi_py.daemon.clients import Client
from dahdi_py.daemon.link import Link
from dahdi_py.errors import DahdiPyError, StaleToken
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.host import AssignRequest, HangupRequest, OwnerRequest, ReleaseRequest, UnclaimRequest

if TYPE_CHECKING:
    from dahdi_py.daemon.control import Control

_ACTIVE_CAUSE, _SETUP_CAUSE = 31, 41
"""Causes for calls whose owner is gone: normal, unspecified; temporary failure."""
_UP = (Phase.ACTIVE, Phase.RELEASING)


class Owners:
    """Keeps what belongs to whom true when either side goes away.

    Synchronization: the loop's thread.
    """

    def __init__(self, control: Control) -> None:
        self._control = control
        self._inventory = control.inventory

    # A client is gone.

    def client_gone(self, client: Client) -> None:
        """Nothing is the client's any more: each of its leases and calls has ended or goes on as it was to."""
        client.gone = True
        self._control.clients.pop(client.number, None)
        self._control.serving.leave(client)
        self._control.feed.leave(client.number)
        for call_id in list(client.calls):
            call = self._inventory.calls[call_id]
            self._inventory.own_call(call, None)
            if not call.token and not call.detached:
                self.clear_orphan(call, client)
        for token in list(client.tokens):
            self.left(token, client)

    def left(self, token: str, client: Client) -> None:
        """The client that had the lease is gone: detached, given away, kept or offered anew it lives on, or it ends."""
        lease = self._inventory.leases.get(token)
        if lease is None:
            return
        self._inventory.own(lease, None)
        call = self._inventory.calls.get(lease.call)
        given_s = lease.given_until - self._control.loop.time()
        keep_s = self._control.config.calls.keep_active_s
        if lease.detached or (call is not None and call.detached):
            return
        if given_s > 0:
            self._orphan(lease, given_s)
        elif call is not None and call.claimed and call.phase not in _UP:
            self._unclaim(lease, call, client)
        elif call is not None and call.phase == Phase.ACTIVE and keep_s > 0:
            self._orphan(lease, keep_s)
        else:
            self._end(lease, "client_death", _gone(client))

    def given_back(self, token: str, client: Client) -> None:
        """The lease ends that was on its way to a client that is gone or may not have it: nobody knows its token."""
        lease = self._inventory.leases.get(token)
        if lease is not None:
            self._inventory.own(lease, None)
            reason = _gone(client) if client.gone else f"uid {client.uid} is not trusted with its descriptor"
            self._end(lease, "client_death" if client.gone else "core", reason)

    def clear_orphan(self, call: Call, client: Client) -> None:
        """The call of a client that is gone is being cleared."""
        link = self._control.hosts[call.host].link
        request = HangupRequest(
            call=call.call, cause=_orphan_cause(call), cleared_by="client_death", reason=_gone(client)
        )
        link.tell("Hangup", request)

    def _unclaim(self, lease: Lease, call: Call, client: Client) -> None:
        """The call goes to the next core, unless it was answered meanwhile."""
        link = self._control.hosts[lease.host].link
        patience_s = self._control.serving.patience_s(call)
        if not link.up or not older.speaks(link, 2) or patience_s <= 0:
            self._end(lease, "client_death", _gone(client))
            return
        call.left_by.add((client.pid, client.uid))

        def unclaimed(reply: Any, fds: list[int], error: DahdiPyError | None) -> None:
            if error is not None and lease.client is None and call.phase in _UP:
                self.left(lease.token, client)
            elif error is not None and lease.client is None:
                self._end(lease, "client_death", _gone(client))

        link.call("org.dahdipy.Host.Unclaim", UnclaimRequest(call=call.call, offer_s=patience_s), Empty, unclaimed)

    # Ends.

    def clear_lease(self, lease: Lease, cleared_by: str, reason: str) -> None:
        """The lease is ending, and the call on it."""
        self._end(lease, cleared_by, reason)

    def released(self, lease: Lease, reason: str = "") -> None:
        """The host has ended the lease."""
        if self._inventory.leases.get(lease.token) is not lease:
            return
        self._inventory.void_lease(lease.token)
        if self._control.feed.wanted:
            self.tell_released(lease, reason)

    def tell_released(self, lease: Lease, reason: str) -> None:
        """Whoever follows knows that the lease is over."""
        self.tell("channel.released", lease, {"reason": reason} if reason else None)

    def tell(self, kind: str, lease: Lease, data: dict[str, Any] | None = None) -> None:
        """Whoever follows knows what became of the lease."""
        self._control.feed.put(
            kind, host=lease.host, span=lease.span, timeslot=lease.timeslot, call=lease.call, token=lease.token,
            group=lease.group, data=data,
        )  # fmt: skip

    def _end(self, lease: Lease, cleared_by: str, reason: str) -> None:
        link = self._control.hosts[lease.host].link
        if not link.up:
            return
        call = self._inventory.calls.get(lease.call)
        cause = _SETUP_CAUSE if call is None else _orphan_cause(call)
        request = ReleaseRequest(token=lease.token, cause=cause, cleared_by=cleared_by, reason=reason)

        def released(reply: Any, fds: list[int], error: DahdiPyError | None) -> None:
            if error is None or isinstance(error, StaleToken):
                self.released(lease, reason)

        link.call("org.dahdipy.Host.Release", request, Empty, released)

    # Orphans.

    def _orphan(self, lease: Lease, within_s: float) -> None:
        """The lease waits so long for who shows its token; its host ends it then, whatever becomes of us."""
        lease.orphaned = True
        lease.expires_ns = time.time_ns() + int(within_s * 1e9)
        link = self._control.hosts[lease.host].link
        if older.speaks(link, 2):
            request = AssignRequest(
                token=lease.token, owner=_request(lease), orphaned=True, expires_s=round(within_s, 3)
            )
            link.tell("Assign", request)
        else:
            self._control.loop.call_later(within_s, self._end_orphan, lease, lease.expires_ns)
        self.tell("channel.orphaned", lease, {"expires_ns": lease.expires_ns})

    def _end_orphan(self, lease: Lease, expires_ns: int) -> None:
        if lease.orphaned and lease.expires_ns == expires_ns and self._inventory.leases.get(lease.token) is lease:
            self._end(lease, "client_death", "nobody reclaimed it in time")

    def assign(self, link: Link, lease: Lease) -> None:
        """A host that lost us and not its clients learns that the lease is not orphaned."""
        link.tell("Assign", AssignRequest(token=lease.token, owner=_request(lease)))
        lease.orphaned = False

    def find_orphans(self, host: str) -> None:
        """Leases of the last daemon's clients wait for their owners."""
        for lease in self._inventory.orphans(host):
            lease.orphaned = True
        if self._control.ready:
            self.await_owners(host)

    def await_owners(self, host: str) -> None:
        """Owners have from now on to come back. Hosts from protocol 2 on end by themselves what nobody reclaims."""
        state = self._control.hosts[host]
        reclaim_s = self._control.config.calls.reclaim_s
        expires_ns = time.time_ns() + int(reclaim_s * 1e9)
        for lease in self._inventory.orphans(host):
            lease.expires_ns = lease.expires_ns or expires_ns
            self.tell("channel.orphaned", lease, {"expires_ns": lease.expires_ns})
        if not older.speaks(state.link, 2):
            self._control.loop.call_later(reclaim_s, self._clear_orphans, host, state.seen[0])

    def _clear_orphans(self, host: str, start: int) -> None:
        """Owners that did not come back have lost their leases and calls."""
        state = self._control.hosts[host]
        if not state.link.up or state.seen[0] != start:
            return
        reason = f"nobody reclaimed it within {self._control.config.calls.reclaim_s:g} s of the daemon's start"
        for lease in self._inventory.leases_of(host):
            if lease.orphaned and lease.client is None:
                self._end(lease, "daemon_lost", reason)


def _request(lease: Lease) -> OwnerRequest:
    return OwnerRequest(pid=lease.owner.pid, uid=lease.owner.uid, label=lease.owner.label)


def _orphan_cause(call: Call) -> int:
    return _ACTIVE_CAUSE if call.phase in _UP else _SETUP_CAUSE


def _gone(client: Client) -> str:
    return f"client process {client.pid} (uid {client.uid}) is gone"
