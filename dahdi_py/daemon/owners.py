# SPDX-License-Identifier: GPL-2.0-or-later
"""Leases and calls whose owners come and go: what a dead client leaves, what waits for its owner, what nobody wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dahdi_py.core.terms import Phase
from dahdi_py.daemon.circuits import Call, Lease
from dahdi_py.daemon.clients import Client
from dahdi_py.daemon.link import Link
from dahdi_py.errors import DahdiPyError, StaleToken
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.host import AssignRequest, HangupRequest, OwnerRequest, ReleaseRequest

if TYPE_CHECKING:
    from dahdi_py.daemon.control import Control

_ACTIVE_CAUSE, _SETUP_CAUSE = 31, 41
"""Causes for calls whose owner is gone: normal, unspecified; temporary failure."""


class Owners:
    """Keeps what belongs to whom true when either side goes away.

    Synchronization: the loop's thread.
    """

    def __init__(self, control: Control) -> None:
        self._control = control
        self._inventory = control.inventory

    def client_gone(self, client: Client) -> None:
        """Nothing of the client is left: leases end, calls are cleared, but for those it detached."""
        client.gone = True
        self._control.clients.pop(client.number, None)
        self._control.serving.leave(client)
        self._control.feed.leave(client.number)
        for call_id in list(client.calls):
            call = self._inventory.calls[call_id]
            self._inventory.own_call(call, None)
            if call.detached:
                lease = self._inventory.leases.get(call.token)
                if lease is not None:
                    self._inventory.own(lease, None)
            elif not call.token:
                self.clear_orphan(call, client)
        for token in list(client.tokens):
            self._release_orphan(self._inventory.leases[token], client)

    def clear_orphan(self, call: Call, client: Client) -> None:
        """The call of a client that is gone is being cleared."""
        link = self._control.hosts[call.host].link
        request = HangupRequest(
            call=call.call, cause=_orphan_cause(call), cleared_by="client_death", reason=_gone(client)
        )
        link.tell("Hangup", request)

    def release_token(self, token: str, client: Client) -> None:
        """The lease that was on its way to a client that is gone ends."""
        lease = self._inventory.leases.get(token)
        if lease is not None:
            self._release_orphan(lease, client)

    def _release_orphan(self, lease: Lease, client: Client) -> None:
        self._inventory.own(lease, None)
        self._release_ownerless(lease, "client_death", _gone(client))

    def _release_ownerless(self, lease: Lease, cleared_by: str, reason: str) -> None:
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

    def released(self, lease: Lease, reason: str = "") -> None:
        """The host has ended the lease."""
        if self._inventory.leases.get(lease.token) is not lease:
            return
        self._inventory.void_lease(lease.token)
        if self._control.feed.wanted:
            self.tell_released(lease, reason)

    def tell_released(self, lease: Lease, reason: str) -> None:
        """Whoever follows knows that the lease is over."""
        self._control.feed.put(
            "channel.released", host=lease.host, span=lease.span, timeslot=lease.timeslot, call=lease.call,
            token=lease.token, data={"reason": reason} if reason else None,
        )  # fmt: skip

    def assign(self, link: Link, lease: Lease) -> None:
        """A host that lost us and not its clients learns that the lease is not orphaned."""
        owner = OwnerRequest(pid=lease.owner.pid, uid=lease.owner.uid, label=lease.owner.label)
        link.tell("Assign", AssignRequest(token=lease.token, owner=owner))
        lease.orphaned = False

    def find_orphans(self, host: str) -> None:
        """Leases of the last daemon's clients wait for their owners."""
        for lease in self._inventory.orphans(host):
            lease.orphaned = True
            self._control.feed.put(
                "channel.orphaned", host=lease.host, span=lease.span, timeslot=lease.timeslot, call=lease.call,
                token=lease.token,
            )  # fmt: skip
        if self._control.ready:
            self.await_owners(host)

    def await_owners(self, host: str) -> None:
        """Owners have from now on to come back."""
        state = self._control.hosts[host]
        self._control.loop.call_later(self._control.config.calls.reclaim_s, self._clear_orphans, host, state.seen[0])

    def _clear_orphans(self, host: str, start: int) -> None:
        """Owners that did not come back have lost their leases and calls."""
        state = self._control.hosts[host]
        if not state.link.up or state.seen[0] != start:
            return
        reason = f"nobody reclaimed it within {self._control.config.calls.reclaim_s:g} s of the daemon's start"
        for lease in self._inventory.leases_of(host):
            if lease.orphaned and lease.client is None:
                self._release_ownerless(lease, "daemon_lost", reason)


def _orphan_cause(call: Call) -> int:
    return _ACTIVE_CAUSE if call.phase in (Phase.ACTIVE, Phase.RELEASING) else _SETUP_CAUSE


def _gone(client: Client) -> str:
    return f"client process {client.pid} (uid {client.uid}) is gone"
