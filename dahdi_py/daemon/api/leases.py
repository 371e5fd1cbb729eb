# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Channels`: whose a lease is and how long it lives: renewed, given away, reclaimed; a whole span's."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from dahdi_py.core.terms import Phase
from dahdi_py.daemon import older
from dahdi_py.daemon.api.channels import relayed, untrusted
from dahdi_py.daemon.api.routes import Routes
from dahdi_py.daemon.checks import check_label, check_seconds
from dahdi_py.daemon.circuits import Lease
from dahdi_py.daemon.clients import Client
from dahdi_py.daemon.control import Control
from dahdi_py.errors import DahdiPyError, NotOwner, StaleToken
from dahdi_py.wire.dispatch import Handler
from dahdi_py.wire.framing import close_all
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import channels as wire
from dahdi_py.wire.messages import host
from dahdi_py.wire.server import Request

_DONE = Empty()
_RENEW = "keep a lease whose owner is gone"


class LeasesApi:
    """Answers the methods of `org.dahdipy.Channels` that change a lease's owner or end.

    Synchronization: the loop's thread.
    """

    def __init__(self, control: Control, routes: Routes) -> None:
        self._control = control
        self._routes = routes
        self._inventory = control.inventory

    def handlers(self) -> Mapping[str, Handler]:
        """By method name."""
        return {
            "AllocateSpan": self.allocate_span,
            "Reclaim": self.reclaim,
            "Renew": self.renew,
            "HandOver": self.hand_over,
        }

    def allocate_span(self, request: Request, wants: wire.AllocateSpanRequest) -> None:
        """Leases of all of a span, or none."""
        client: Client = request.peer.data
        check_label(wants.label)
        check_seconds("detach_s", wants.detach_s)
        span = self._inventory.span(wants.span)
        link = self._control.require(self._control.hosts[span.config.host].link)
        older.require(link, 2, "lease a whole span at once")
        relay = wants.open and relayed(span, link, client)
        self._routes.require_whole(span.name, client)
        groups = self._routes.limiting(span.name, client=client)
        ticket = self._control.limits.admit(client, groups, wanted=len(span.channels))
        owner = client.owner(wants.label)

        def reserved(reply: host.ReserveSpanReply | None, fds: Sequence[int], error: DahdiPyError | None) -> None:
            if reply is None:
                request.fail(error or DahdiPyError("no answer"))
            else:
                self._reserved(request, client, owner, wants.detach_s, reply, fds)
            ticket.done()

        asked = host.ReserveSpanRequest(
            span=span.name, owner=owner, open=wants.open, media=wants.media, detach_s=wants.detach_s,
            relay=relay,
        )  # fmt: skip
        try:
            link.call("org.dahdipy.Host.ReserveSpan", asked, host.ReserveSpanReply, request.guard(reserved))
        except DahdiPyError:
            ticket.done()
            raise

    def _reserved(
        self, request: Request, client: Client, owner: host.OwnerRequest, detach_s: int, reply: host.ReserveSpanReply,
        fds: Sequence[int],
    ) -> None:  # fmt: skip
        name = self._inventory.spans[reply.span].config.host
        now_ns, leases = time.time_ns(), []
        for token, timeslot in zip(reply.tokens, reply.timeslots, strict=True):
            lease = self._inventory.lease(token, name, reply.span, timeslot, owner, client)
            lease.detach(detach_s, now_ns)
            leases.append(lease)
        kernel = reply.media is not None and reply.media.medium == "kernel" and not client.trusted
        if client.gone or kernel:
            close_all(fds)
            for lease in leases:
                self._control.owners.given_back(lease.token, client)
            if kernel:
                request.fail(untrusted(reply.span))
            return
        told = [wire.SpanLease(token=lease.token, timeslot=lease.timeslot) for lease in leases]
        request.reply(wire.AllocateSpanReply(span=reply.span, leases=told, media=reply.media), fds=fds)
        for lease in leases:
            self._tell("channel.allocated", lease)

    def reclaim(self, request: Request, wants: wire.ReclaimRequest) -> None:
        """A lease that is orphaned, detached or given away, and the call on it, are this connection's."""
        client: Client = request.peer.data
        check_label(wants.label)
        link = self._control.link_of(wants.token)
        lease = self._owned_lease(wants.token, client, reclaim=True)
        given = lease.given_until > self._control.loop.time()
        self._check_owner(lease, client, given)
        before, owner = lease.client, client.owner(wants.label or lease.owner.label)
        # From now on, so that of two who ask only one gets it.
        self._inventory.own(lease, client)
        given_until, lease.given_until = lease.given_until, 0.0

        def assigned(reply: Empty | None, fds: Sequence[int], error: DahdiPyError | None) -> None:
            if error is not None:
                if lease.client is client and lease.token in self._inventory.leases:
                    lease.given_until = given_until
                    self._inventory.own(lease, before if before is not None and not before.gone else None)
                request.fail(error)
            elif not client.gone:
                self._reclaimed(request, client, owner, lease)

        link.call(
            "org.dahdipy.Host.Assign",
            host.AssignRequest(token=wants.token, owner=owner),
            Empty,
            request.guard(assigned),
        )

    def _reclaimed(self, request: Request, client: Client, owner: host.OwnerRequest, lease: Lease) -> None:
        if not self._owned(lease, client, owner):
            request.fail(_just_ended(lease))
            return
        phase = str(lease.phase or Phase.RESERVED)
        request.reply(wire.ReclaimReply(span=lease.span, timeslot=lease.timeslot, phase=phase, call=lease.call))
        self._tell("channel.reclaimed", lease)

    def renew(self, request: Request, wants: wire.RenewRequest) -> None:
        """The lease ends so many seconds from now, or with this connection."""
        client: Client = request.peer.data
        check_seconds("detach_s", wants.detach_s)
        link = self._control.link_of(wants.token)
        lease = self._owned_lease(wants.token, client)
        older.require(link, 2, _RENEW)
        if not lease.expires_ns or time.time_ns() + wants.detach_s * 10**9 < lease.expires_ns:
            # It would end sooner than it does now.
            self._control.spare_emergency(self._inventory.calls.get(lease.call), client, "Renew")
        if not wants.detach_s:
            self._check_owner(lease, client)

        def renewed(reply: Empty | None, fds: Sequence[int], error: DahdiPyError | None) -> None:
            if error is not None:
                request.fail(error)
                return
            lease.detach(wants.detach_s, time.time_ns())
            if lease.detached:
                lease.orphaned = False
                self._done(request, lease, wants)
            else:
                self._bind(request, client, lease, wants)

        asked = host.RenewRequest(token=wants.token, detach_s=wants.detach_s)
        link.call("org.dahdipy.Host.Renew", asked, Empty, request.guard(renewed))

    def _bind(self, request: Request, client: Client, lease: Lease, wants: wire.RenewRequest) -> None:
        """The lease that was detached ends with this connection."""
        owner = lease.owner if lease.client is client else client.owner(lease.owner.label)
        asked = host.OwnerRequest(pid=owner.pid, uid=owner.uid, label=owner.label)
        self._control.hosts[lease.host].link.tell("Assign", host.AssignRequest(token=lease.token, owner=asked))
        if not self._owned(lease, client, asked):
            request.fail(_just_ended(lease))
        elif client.gone:
            self._control.owners.left(lease.token, client)
        else:
            call = self._inventory.calls.get(lease.call)
            if call is not None:
                call.detached = False
            self._done(request, lease, wants)

    def _done(self, request: Request, lease: Lease, wants: wire.RenewRequest) -> None:
        request.reply(_DONE)
        self._tell("channel.renewed", lease, detach_s=wants.detach_s, expires_ns=lease.expires_ns)

    def hand_over(self, request: Request, wants: wire.HandOverRequest) -> None:
        """Whoever shows the token within that time gets the lease."""
        check_seconds("within_s", wants.within_s, least=1)
        self._control.link_of(wants.token)
        lease = self._owned_lease(wants.token, request.peer.data)
        lease.given_until = self._control.loop.time() + wants.within_s
        request.reply(_DONE)
        self._tell("channel.handover", lease, within_s=wants.within_s)

    def _owned_lease(self, token: str, client: Client, *, reclaim: bool = False) -> Lease:
        """The lease, which is a core's: not that of an offer."""
        lease = self._control.lease_of(token, client, reclaim=reclaim)
        call = self._inventory.calls.get(lease.call)
        if call is None or call.direction == "outgoing":
            return lease
        alone = lease.client is None and not (lease.orphaned or lease.detached)
        if not call.claimed or (alone and call.phase not in (Phase.ACTIVE, Phase.RELEASING)):
            raise NotOwner(f"the lease {token} is that of call {call.call}, which is only offered: claim the call")
        return lease

    def _check_owner(self, lease: Lease, client: Client, given: bool = False) -> None:
        if lease.client is not None and lease.client is not client and not given:
            raise NotOwner(
                f"the lease {lease.token} is held by process {lease.client.pid}, whose connection is open: "
                "it is no orphan; show its token to use it"
            )

    def _owned(self, lease: Lease, client: Client, owner: host.OwnerRequest) -> bool:
        """Whether the lease is there still, which is that client's now, and so is the call on it."""
        if self._inventory.leases.get(lease.token) is not lease:
            return False
        lease.owner, lease.orphaned = owner, False
        if not lease.detached:
            lease.expires_ns = 0
        self._inventory.own(lease, client)
        call = self._inventory.calls.get(lease.call)
        if call is not None:
            call.owner, call.orphaned = owner, False
            self._inventory.own_call(call, client)
        return True

    def _tell(self, kind: str, lease: Lease, **data: Any) -> None:
        owner = lease.owner
        said = {"owner": {"pid": owner.pid, "uid": owner.uid, "label": owner.label}}
        self._control.owners.tell(kind, lease, {**data, **said})


def _just_ended(lease: Lease) -> StaleToken:
    return StaleToken(f"the lease {lease.token} has just ended", token=lease.token)
