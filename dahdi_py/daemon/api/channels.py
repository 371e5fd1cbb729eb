# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Channels`: leases and their descriptors. The path of Allocate is measured; it does nothing twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dahdi_py.core.terms import Phase
from dahdi_py.daemon import views
from dahdi_py.daemon.api.routes import Route, Routes
from dahdi_py.daemon.checks import check_cause, check_label
from dahdi_py.daemon.circuits import Lease
from dahdi_py.daemon.clients import Client
from dahdi_py.daemon.control import Control
from dahdi_py.errors import DahdiPyError, NotOwner, StaleToken, UntrustedMedia
from dahdi_py.wire.dispatch import Handler
from dahdi_py.wire.framing import close_all
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import channels as wire
from dahdi_py.wire.messages import host
from dahdi_py.wire.server import Request

_DONE = Empty()


class ChannelsApi:
    """Answers `org.dahdipy.Channels`.

    Synchronization: the loop's thread.
    """

    def __init__(self, control: Control, routes: Routes) -> None:
        self._control = control
        self._inventory = control.inventory
        self._feed = control.feed
        self._routes = routes

    def handlers(self) -> Mapping[str, Handler]:
        """By method name."""
        return {
            "List": self.list,
            "Allocate": self.allocate,
            "Open": self.open,
            "Release": self.release,
            "Reclaim": self.reclaim,
        }

    def list(self, request: Request, wants: wire.ListRequest) -> None:
        """Every channel, or one span's."""
        of = [self._inventory.span(wants.span)] if wants.span else self._inventory.spans.values()
        request.reply(wire.ChannelList(channels=views.channels(self._inventory, of)))

    def allocate(self, request: Request, wants: wire.AllocateRequest) -> None:
        """A lease, on the first host that has a channel free."""
        client: Client = request.peer.data
        routes = self._routes.find(wants.group, wants.span, wants.timeslot)
        if wants.label:
            check_label(wants.label)
        if wants.open and not client.trusted:
            routes = self._routes.without_kernel(routes)
        self._reserve(request, client, wants, routes, 0, None)

    def _reserve(
        self, request: Request, client: Client, wants: wire.AllocateRequest, routes: Sequence[Route], at: int,
        before: DahdiPyError | None,
    ) -> None:  # fmt: skip
        while at < len(routes) and not routes[at].link.up:
            at += 1
        if at == len(routes):
            request.fail(before or self._routes.none_up(routes))
            return
        route = routes[at]
        owner = client.owner(wants.label)

        def reserved(reply: host.ReserveReply | None, fds: Sequence[int], error: DahdiPyError | None) -> None:
            if reply is not None:
                self._reserved(request, client, owner, route, reply, fds)
            elif error is not None and self._routes.elsewhere(error):
                self._reserve(request, client, wants, routes, at + 1, before or error)
            else:
                request.fail(error or DahdiPyError("no answer"))

        route.link.call(
            "org.dahdipy.Host.Reserve",
            host.ReserveRequest(
                spans=route.spans, owner=owner, order=route.order, timeslot=wants.timeslot,
                exclusive=wants.exclusive, open=wants.open, media=wants.media,
            ),
            host.ReserveReply,
            reserved,
        )  # fmt: skip

    def _reserved(
        self, request: Request, client: Client, owner: host.OwnerRequest, route: Route, reply: host.ReserveReply,
        fds: Sequence[int],
    ) -> None:  # fmt: skip
        control = self._control
        lease = self._inventory.lease(reply.token, route.link.name, reply.span, reply.timeslot, owner, client)
        if client.gone:
            close_all(fds)
            control.owners.release_token(reply.token, client)
            return
        if reply.media is not None and reply.media.medium == "kernel" and not client.trusted:
            close_all(fds)
            control.owners.release_token(reply.token, client)
            request.fail(untrusted(reply.span))
            return
        request.reply(
            wire.AllocateReply(
                token=reply.token, span=reply.span, timeslot=reply.timeslot, media=reply.media, fd=reply.fd
            ),
            fds=fds,
        )
        if self._feed.wanted:
            self._tell("channel.allocated", lease)

    def open(self, request: Request, wants: wire.OpenRequest) -> None:
        """Another copy of a leased channel's descriptor."""
        client: Client = request.peer.data
        link = self._control.link_of(wants.token)
        lease = self._known(wants.token)
        if not client.trusted and self._inventory.spans[lease.span].kernel:
            raise untrusted(lease.span)

        def opened(reply: host.OpenReply | None, fds: Sequence[int], error: DahdiPyError | None) -> None:
            if reply is None:
                request.fail(error or DahdiPyError("no answer"))
            elif reply.media.medium == "kernel" and not client.trusted:
                close_all(fds)
                request.fail(untrusted(reply.span))
            else:
                request.reply(
                    wire.OpenReply(span=reply.span, timeslot=reply.timeslot, media=reply.media, fd=reply.fd), fds=fds
                )

        link.call(
            "org.dahdipy.Host.Open", host.OpenRequest(token=wants.token, media=wants.media), host.OpenReply, opened
        )

    def release(self, request: Request, wants: wire.ReleaseRequest) -> None:
        """The lease ends; a call on it is cleared."""
        check_cause(wants.cause)
        link = self._control.link_of(wants.token)
        lease = self._known(wants.token)

        def released(reply: Empty | None, fds: Sequence[int], error: DahdiPyError | None) -> None:
            if error is not None:
                request.fail(error)
                return
            self._control.owners.released(lease)
            request.reply(_DONE)

        link.call(
            "org.dahdipy.Host.Release", host.ReleaseRequest(token=wants.token, cause=wants.cause), Empty, released
        )

    def reclaim(self, request: Request, wants: wire.ReclaimRequest) -> None:
        """An orphaned lease, and the call on it, are this connection's."""
        client: Client = request.peer.data
        check_label(wants.label)
        link = self._control.link_of(wants.token)
        lease = self._known(wants.token)
        if lease.client is not None and lease.client is not client:
            raise NotOwner(
                f"the lease {wants.token} is held by process {lease.client.pid}, whose connection is open: "
                "it is no orphan; show its token to use it"
            )
        owner = client.owner(wants.label or lease.owner.label)

        def assigned(reply: Empty | None, fds: Sequence[int], error: DahdiPyError | None) -> None:
            if error is not None:
                request.fail(error)
            elif not client.gone:
                self._reclaimed(request, client, owner, lease)
            elif lease.client is None:
                self._inventory.own(lease, client)
                self._control.owners.release_token(lease.token, client)

        link.call("org.dahdipy.Host.Assign", host.AssignRequest(token=wants.token, owner=owner), Empty, assigned)

    def _known(self, token: str) -> Lease:
        lease = self._inventory.leases.get(token)
        if lease is None:
            raise StaleToken(f"the lease {token!r} has ended, or never was one", token=token)
        return lease

    def _reclaimed(self, request: Request, client: Client, owner: host.OwnerRequest, lease: Lease) -> None:
        if lease.token not in self._inventory.leases:
            request.fail(StaleToken(f"the lease {lease.token} has just ended", token=lease.token))
            return
        lease.owner, lease.orphaned = owner, False
        self._inventory.own(lease, client)
        call = self._inventory.calls.get(lease.call)
        if call is not None:
            call.owner, call.orphaned = owner, False
            self._inventory.own_call(call, client)
        request.reply(
            wire.ReclaimReply(
                span=lease.span, timeslot=lease.timeslot, phase=str(lease.phase or Phase.RESERVED), call=lease.call
            )
        )
        self._tell("channel.reclaimed", lease)

    def _tell(self, kind: str, lease: Lease) -> None:
        owner = lease.owner
        self._feed.put(
            kind, host=lease.host, span=lease.span, timeslot=lease.timeslot, call=lease.call, token=lease.token,
            data={"owner": {"pid": owner.pid, "uid": owner.uid, "label": owner.label}},
        )  # fmt: skip


def untrusted(span: str) -> UntrustedMedia:
    """The refusal of a kernel descriptor."""
    return UntrustedMedia(
        f"a channel of span {span} is a kernel descriptor, which could change other channels: it goes to root and to "
        "users named in access.trusted_media of the configuration; allocate with open=false to reserve without it",
        setting="access.trusted_media",
    )
