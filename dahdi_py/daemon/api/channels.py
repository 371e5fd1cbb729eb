# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Channels`: leases and their descriptors. The path of Allocate is measured; it does nothing twice."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from dahdi_py.daemon import older, views
from dahdi_py.daemon.api.routes import Route, Routes
from dahdi_py.daemon.checks import check_cause, check_label, check_seconds
from dahdi_py.daemon.circuits import Lease, Span
from dahdi_py.daemon.clients import Client
from dahdi_py.daemon.control import Control
from dahdi_py.daemon.limits import Ticket
from dahdi_py.daemon.link import Link
from dahdi_py.errors import DahdiPyError, UntrustedMedia
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
        }

    def list(self, request: Request, wants: wire.ListRequest) -> None:
        """Every channel, or one span's."""
        of = [self._inventory.span(wants.span)] if wants.span else self._inventory.spans.values()
        request.reply(wire.ChannelList(channels=views.channels(self._inventory, of)))

    def allocate(self, request: Request, wants: wire.AllocateRequest) -> None:
        """A lease, on the first host that has a channel free."""
        client: Client = request.peer.data
        routes = self._routes.find(wants.group, wants.span, wants.timeslot, client=client, exclude=wants.exclude)
        if wants.label:
            check_label(wants.label)
        if wants.detach_s:
            check_seconds("detach_s", wants.detach_s)
        if wants.open and not client.trusted:
            routes = self._routes.for_anybody(routes)
        groups = (wants.group,) if wants.group else self._routes.limiting(wants.span, wants.timeslot, client=client)
        ticket = self._control.limits.admit(client, groups)
        self._reserve(request, client, wants, ticket, routes, 0, None)

    def _reserve(
        self, request: Request, client: Client, wants: wire.AllocateRequest, ticket: Ticket, routes: Sequence[Route],
        at: int, before: DahdiPyError | None,
    ) -> None:  # fmt: skip
        while at < len(routes) and not (routes[at].link.up and not routes[at].link.stalled):
            at += 1
        if at == len(routes):
            ticket.done()
            request.fail(before or self._routes.none_up(routes))
            return
        route = self._routes.asking(routes[at])
        owner = client.owner(wants.label)

        def reserved(reply: host.ReserveReply | None, fds: Sequence[int], error: DahdiPyError | None) -> None:
            self._routes.answered(route)
            if reply is not None:
                self._reserved(request, client, owner, route, wants.detach_s, reply, fds)
                ticket.done()
            elif error is not None and self._routes.elsewhere(error):
                self._reserve(request, client, wants, ticket, routes, at + 1, before or error)
            else:
                ticket.done()
                request.fail(error or DahdiPyError("no answer"))

        def reserved_late(reply: host.ReserveReply | None, fds: Sequence[int], error: DahdiPyError | None) -> None:
            """Nobody waits for that channel any more."""
            close_all(fds)
            if reply is not None:
                route.link.tell("Release", host.ReleaseRequest(token=reply.token))

        try:
            if route.group != wants.group:
                ticket.enter(route.group)
            route.link.call(
                "org.dahdipy.Host.Reserve",
                older.understood(route.link, self._asked(wants, owner, route)),
                host.ReserveReply,
                request.guard(reserved),
                late=reserved_late,
            )  # fmt: skip
        except DahdiPyError as error:
            self._routes.answered(route)
            ticket.done()
            request.fail(before or error)

    def _asked(self, wants: wire.AllocateRequest, owner: host.OwnerRequest, route: Route) -> host.ReserveRequest:
        return host.ReserveRequest(
            spans=route.spans, owner=owner, order=route.order, timeslot=wants.timeslot, exclusive=wants.exclusive,
            open=wants.open, media=wants.media, masks=route.masks, spare=route.spare, group=route.group,
            detach_s=wants.detach_s, relay=route.relay,
        )  # fmt: skip

    def _reserved(
        self, request: Request, client: Client, owner: host.OwnerRequest, route: Route, detach_s: int,
        reply: host.ReserveReply, fds: Sequence[int],
    ) -> None:  # fmt: skip
        control = self._control
        lease = self._inventory.lease(reply.token, route.link.name, reply.span, reply.timeslot, owner, client)
        lease.group = route.group
        if detach_s:
            lease.detach(detach_s, time.time_ns())
        self._routes.took(route, reply.span, reply.timeslot)
        if client.gone:
            close_all(fds)
            control.owners.given_back(reply.token, client)
            return
        if reply.media is not None and reply.media.medium == "kernel" and not client.trusted:
            close_all(fds)
            control.owners.given_back(reply.token, client)
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
        lease = self._control.lease_of(wants.token, client)
        relay = relayed(self._inventory.spans[lease.span], link, client)

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
            "org.dahdipy.Host.Open",
            host.OpenRequest(token=wants.token, media=wants.media, relay=relay),
            host.OpenReply,
            request.guard(opened),
        )

    def release(self, request: Request, wants: wire.ReleaseRequest) -> None:
        """The lease ends; a call on it is cleared."""
        check_cause(wants.cause)
        link = self._control.link_of(wants.token)
        client: Client = request.peer.data
        lease = self._control.lease_of(wants.token, client)
        self._control.spare_emergency(self._inventory.calls.get(lease.call), client, "Release")
        by = "core" if client.uid == lease.owner.uid else "operator"

        def released(reply: Empty | None, fds: Sequence[int], error: DahdiPyError | None) -> None:
            if error is not None:
                request.fail(error)
                return
            self._control.owners.released(lease)
            request.reply(_DONE)

        asked = host.ReleaseRequest(token=wants.token, cause=wants.cause, cleared_by=by)
        link.call("org.dahdipy.Host.Release", asked, Empty, request.guard(released))

    def _tell(self, kind: str, lease: Lease) -> None:
        owner = lease.owner
        self._feed.put(
            kind, host=lease.host, span=lease.span, timeslot=lease.timeslot, call=lease.call, token=lease.token,
            data={"owner": {"pid": owner.pid, "uid": owner.uid, "label": owner.label}},
        )  # fmt: skip


def relayed(span: Span, link: Link, client: Client) -> bool:
    """Whether the client gets the span's descriptors relayed.

    Raises:
        UntrustedMedia: It would have to, and the host cannot.
    """
    if client.trusted or not span.kernel:
        return False
    if not older.speaks(link, 2):
        raise untrusted(span.name)
    return True


def untrusted(span: str) -> UntrustedMedia:
    """The refusal of a kernel descriptor."""
    return UntrustedMedia(
        f"a channel of span {span} is a kernel descriptor, which could change other channels: it goes to root and to "
        "users named in access.trusted_media of the configuration; allocate with open=false to reserve without it",
        setting="access.trusted_media",
    )
