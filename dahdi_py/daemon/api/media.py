# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Channels`: what becomes of a channel's audio: bridged with another's, counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dahdi_py.daemon import older
from dahdi_py.daemon.circuits import Lease
from dahdi_py.daemon.clients import Client
from dahdi_py.daemon.control import Control
from dahdi_py.errors import DahdiPyError, NotOwner
from dahdi_py.wire.dispatch import Handler
from dahdi_py.wire.framing import close_all
from dahdi_py.wire.messages import channels as wire
from dahdi_py.wire.messages import host
from dahdi_py.wire.refusals import InvalidParameter, VarlinkError
from dahdi_py.wire.server import Request

_BRIDGE = "bridge channels"
_METHOD = "org.dahdipy.Host.Bridge"


class MediaApi:
    """Answers the methods of `org.dahdipy.Channels` about audio.

    What is bridged the hosts know, and tell by events.

    Synchronization: the loop's thread.
    """

    def __init__(self, control: Control) -> None:
        self._control = control

    def handlers(self) -> Mapping[str, Handler]:
        """By method name."""
        return {"Bridge": self.bridge, "Counters": self.counters}

    def counters(self, request: Request, wants: wire.CountersRequest) -> None:
        """What the lessee did not read and write."""
        link = self._control.link_of(wants.token)
        self._control.lease_of(wants.token, request.peer.data)
        older.require(link, 2, "count what audio was lost")

        def counted(reply: host.CountersReply | None, fds: Sequence[int], error: DahdiPyError | None) -> None:
            if reply is None:
                request.fail(error or DahdiPyError("no answer"))
            else:
                request.reply(wire.Counters(overruns=reply.overruns, underruns=reply.underruns))

        link.call(
            "org.dahdipy.Host.Counters",
            host.TokenRequest(token=wants.token),
            host.CountersReply,
            request.guard(counted),
        )

    def bridge(self, request: Request, wants: wire.BridgeRequest) -> None:
        """The audio of two channels is joined, or each has its own again."""
        client: Client = request.peer.data
        a, b = self._lease(wants.a, client), self._lease(wants.b, client)
        if not wants.on:
            self._part(request, a, b)
            return
        for token in (wants.a, wants.b):
            older.require(self._control.link_of(token), 2, _BRIDGE)
        if a is b:
            raise InvalidParameter("b: a channel cannot be bridged with itself", parameter="b")
        if a.host == b.host:
            self._join(request, a, host.BridgeRequest(a=a.token, b=b.token))
        else:
            self._over_hosts(request, a, b)

    def _lease(self, token: str, client: Client) -> Lease:
        """The lease, which is a core's: not that of an offer."""
        lease = self._control.lease_of(token, client)
        call = self._control.inventory.calls.get(lease.call)
        if call is not None and call.direction == "incoming" and not call.claimed:
            raise NotOwner(f"the lease {token} is that of call {call.call}, which is only offered: claim the call")
        return lease

    def _over_hosts(self, request: Request, a: Lease, b: Lease) -> None:
        """The other host lends its channel; the descriptor goes to this one, which copies."""

        def lent(reply: host.BridgeReply | None, fds: list[int], error: DahdiPyError | None) -> None:
            if reply is None:
                request.fail(error or DahdiPyError("no answer"))
                return
            asked = host.BridgeRequest(a=a.token, b=b.token, law=reply.law, chunk=reply.chunk, fd=0)
            self._join(request, a, asked, fds, b)

        wants = host.BridgeRequest(a=b.token, b=a.token, lend=True)
        self._control.hosts[b.host].link.call(_METHOD, wants, host.BridgeReply, request.guard(lent))

    def _join(
        self, request: Request, a: Lease, asked: host.BridgeRequest, fds: Sequence[int] = (), lent: Lease | None = None
    ) -> None:
        def joined(reply: host.BridgeReply | None, _: Sequence[int], error: DahdiPyError | None) -> None:
            close_all(fds)
            if reply is not None:
                request.reply(wire.BridgeReply(where=reply.where))
                return
            if lent is not None:  # the end of its socket says so too, but later
                back = host.BridgeRequest(a=lent.token, b=a.token, on=False)
                self._control.hosts[lent.host].link.tell("Bridge", back, host.BridgeReply)
            request.fail(error or DahdiPyError("no answer"))

        try:
            self._control.hosts[a.host].link.call(_METHOD, asked, host.BridgeReply, request.guard(joined), fds)
        except DahdiPyError as problem:
            joined(None, (), problem)

    def _part(self, request: Request, a: Lease, b: Lease) -> None:
        """Of a bridge over two hosts each host has its part, and when one of them parts, the other does."""
        ends = ((a, b), (b, a)) if a.host != b.host else ((a, b),)
        places: list[str] = []
        problems: list[DahdiPyError] = []

        def parted(reply: host.BridgeReply | None, _: Sequence[int], error: DahdiPyError | None) -> None:
            if reply is not None:
                places.append(reply.where)
            else:
                problems.append(error or DahdiPyError("no answer"))
            if len(places) + len(problems) == len(ends):
                answer()

        def answer() -> None:
            wrong = next((one for one in problems if isinstance(one, VarlinkError)), None)
            if wrong is not None or not places:
                request.fail(wrong or problems[0])
            else:
                request.reply(wire.BridgeReply(where=next(filter(None, places), "")))

        for lease, other in ends:
            asked = host.BridgeRequest(a=lease.token, b=other.token, on=False)
            try:
                link = self._control.require(self._control.hosts[lease.host].link)
                older.require(link, 2, _BRIDGE)
                link.call(_METHOD, asked, host.BridgeReply, request.guard(parted))
            except DahdiPyError as problem:
                parted(None, (), problem)
