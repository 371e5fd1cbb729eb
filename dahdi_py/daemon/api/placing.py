# SPDX-License-Identifier: GPL-2.0-or-later
"""`Calls.Place` and `Calls.Claim`: how a call comes to belong to a connection."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from dahdi_py.core.access import OPERATE
from dahdi_py.core.numbers import NumberPattern
from dahdi_py.daemon import ledger, older
from dahdi_py.daemon.api.routes import ALL, Route, Routes
from dahdi_py.daemon.checks import check_label, check_seconds, check_text, refuse_parameter
from dahdi_py.daemon.circuits import Call
from dahdi_py.daemon.clients import Client
from dahdi_py.daemon.control import Control
from dahdi_py.daemon.limits import Ticket
from dahdi_py.errors import DahdiPyError, HostUnavailable, NotFound, RoleMissing, WrongCallState
from dahdi_py.wire.messages import calls as wire
from dahdi_py.wire.messages import host
from dahdi_py.wire.messages.common import Bearer, Party
from dahdi_py.wire.refusals import InvalidParameter
from dahdi_py.wire.server import Request


@dataclass(slots=True)
class _Hunt:
    """A call on its way to a channel.

    Attributes:
        ticket: What it was let through for; None for an emergency call.
        preempt: A lesser call may be cleared for it.
        last: Nothing is free anywhere: it is asked for with pre-emption.
    """

    request: Request
    client: Client
    call: Call
    asked: host.PlaceRequest
    routes: Sequence[Route]
    ticket: Ticket | None
    preempt: bool
    last: bool = False
    group: str = ""


class Placing:
    """Places calls on the hosts that have a channel, and claims calls that came in.

    Synchronization: the loop's thread.
    """

    def __init__(self, control: Control, routes: Routes) -> None:
        self._control = control
        self._inventory = control.inventory
        self._routes = routes
        self._emergency = [NumberPattern.parse(text) for text in control.config.calls.emergency]

    def is_emergency(self, number: str) -> bool:
        """Whether the configuration lists the number as an emergency one."""
        return any(pattern.fits(number) for pattern in self._emergency)

    def place(self, request: Request, wants: wire.PlaceRequest) -> None:
        """A call is on its way out; the answer says its id and where."""
        client: Client = request.peer.data
        _check(wants)
        emergency = self.is_emergency(wants.called.number)
        if wants.preempt:
            self._require_preemption(client)
        owner = client.owner(wants.label)
        call = Call(
            self._control.new_call_id(), "", "outgoing", "setup", "", 0, _party(wants.called),
            _party(wants.calling), _bearer(wants.bearer), time.time_ns(), correlation=wants.correlation, owner=owner,
            detached=wants.detach_s > 0, emergency=emergency, group=wants.group,
        )  # fmt: skip
        try:
            routes = self._routes_for(wants, client, emergency)
            ticket = None if emergency else self._admit(wants, client)
        except DahdiPyError as error:
            self._refused(call, error)
            raise
        call.host, call.group = routes[0].link.name, wants.group or routes[0].group
        self._inventory.calls[call.call] = call
        self._inventory.own_call(call, client)
        asked = host.PlaceRequest(
            call=call.call, owner=owner, called=wants.called, token=wants.token, calling=wants.calling,
            redirecting=wants.redirecting, bearer=wants.bearer, sending_complete=wants.sending_complete,
            exclusive=wants.exclusive, user_user=wants.user_user, keypad=wants.keypad, correlation=wants.correlation,
            answer_timeout_s=wants.answer_timeout_s, hangup_after_s=wants.detach_s, emergency=emergency,
        )  # fmt: skip
        preempt = wants.preempt or (emergency and self._control.config.calls.preemption)
        self._try(_Hunt(request, client, call, asked, routes, ticket, preempt, group=call.group), 0, None)

    def _routes_for(self, wants: wire.PlaceRequest, client: Client, emergency: bool) -> Sequence[Route]:
        if not wants.token:
            return self._routes.find(
                wants.group, wants.span, client=client, exclude=wants.exclude, emergency=emergency
            )  # fmt: skip
        if wants.group or wants.span or wants.exclude:
            raise refuse_parameter("token", "the lease says where: leave group, span and exclude out")
        link = self._control.link_of(wants.token)
        return [Route(link, [], group=self._control.lease_of(wants.token, client).group)]

    def _admit(self, wants: wire.PlaceRequest, client: Client) -> Ticket:
        """A lease is held already: only how fast calls come is asked again."""
        limiting, lease = self._routes.limiting, self._inventory.leases.get(wants.token)
        group = wants.group if lease is None else lease.group
        if group:
            groups: Sequence[str] = [group]
        elif lease is None:
            groups = limiting(wants.span, client=client)
        else:
            groups = limiting(lease.span, lease.timeslot, client=client)
        return self._control.limits.admit(client, groups, wanted=0 if lease is not None else 1, placing=True)

    def _require_preemption(self, client: Client) -> None:
        if not self._control.config.calls.preemption:
            raise refuse_parameter("preempt", "pre-emption is off: calls.preemption of the configuration turns it on")
        if OPERATE not in client.roles:
            raise RoleMissing(
                "clearing another's call needs the role operate: name the user in access.operate of the configuration",
                role=OPERATE, setting="access.operate",
            )  # fmt: skip

    def _try(self, hunt: _Hunt, at: int, before: DahdiPyError | None) -> None:
        routes = hunt.routes
        while at < len(routes) and not routes[at].link.up:
            at += 1
        if at == len(routes):
            # Somebody has to make way only when no host has anything free.
            if hunt.preempt and before is not None:
                hunt.preempt, hunt.last = False, True
                hunt.routes = sorted(hunt.routes, key=self._youngest, reverse=True)
                self._try(hunt, 0, before)
                return
            self._fail(hunt, before or self._routes.none_up(routes))
            return
        route = self._routes.asking(routes[at])
        hunt.call.host = route.link.name

        def placed(reply: host.PlaceReply | None, fds: Sequence[int], error: DahdiPyError | None) -> None:
            self._routes.answered(route)
            if reply is not None:
                self._placed(hunt, route, reply)
            elif error is not None and not hunt.client.gone and self._routes.elsewhere(error):
                self._try(hunt, at + 1, before or error)
            else:
                self._fail(hunt, error or DahdiPyError("no answer"))

        place = msgspec.structs.replace(
            hunt.asked, spans=route.spans, order=route.order, masks=route.masks, spare=route.spare, group=route.group,
            preempt=hunt.last,
        )  # fmt: skip
        try:
            if hunt.ticket is not None and route.group != hunt.group:
                hunt.ticket.enter(route.group)
            place = older.understood(route.link, place)
            route.link.call("org.dahdipy.Host.Place", place, host.PlaceReply, hunt.request.guard(placed))
        except DahdiPyError as error:
            self._routes.answered(route)
            self._fail(hunt, before or error)

    def _youngest(self, route: Route) -> int:
        """When the youngest call began that could make way on that route; 0 for none."""
        masks = dict(zip(route.spans, route.masks or [ALL] * len(route.spans), strict=True))
        return max(
            (
                call.started_ns
                for call in self._inventory.calls.values()
                if call.host == route.link.name and not call.emergency and masks.get(call.span, 0) >> call.timeslot & 1
            ),
            default=0,
        )

    def _fail(self, hunt: _Hunt, error: DahdiPyError) -> None:
        call = hunt.call
        if hunt.ticket is not None:
            hunt.ticket.done()
        if not isinstance(error, HostUnavailable) or call.attempt == 1:
            self._inventory.calls.pop(call.call, None)
            self._inventory.own_call(call, None)
        self._refused(call, error)
        hunt.request.fail(error)

    def _refused(self, call: Call, error: DahdiPyError) -> None:
        """An emergency call that could not be placed is an alarm; one that was asked for wrongly is the core's."""
        if call.emergency and not isinstance(error, InvalidParameter | NotFound):
            self._control.past_alarms.emergency_failed(call.called.number, call.call, error.message)

    def _placed(self, hunt: _Hunt, route: Route, reply: host.PlaceReply) -> None:
        # An event may have told of the call's channel, or of its end, before this answer.
        request, client, call = hunt.request, hunt.client, hunt.call
        up = self._inventory.calls.get(call.call) is call
        call.group = route.group
        if up and not call.token and reply.token:
            self._inventory.bind(call, reply.token, reply.span, reply.timeslot)
        if hunt.ticket is not None:
            hunt.ticket.done()
        self._routes.took(route, reply.span, reply.timeslot)
        request.reply(wire.PlaceReply(call=call.call, token=reply.token, span=reply.span, timeslot=reply.timeslot))
        self._control.feed.put(
            "call.placed", host=call.host, span=reply.span, timeslot=reply.timeslot, call=call.call, token=reply.token,
            data={"called": call.called.number, "calling": call.calling.number, "correlation": call.correlation},
        )  # fmt: skip
        if up and client.gone and not call.detached:
            if call.token:
                self._control.owners.left(call.token, client)
            else:
                self._control.owners.clear_orphan(call, client)

    def claim(self, request: Request, wants: wire.ClaimRequest) -> None:
        """The offered call is the caller's; the first who asks gets it."""
        client: Client = request.peer.data
        check_label(wants.label)
        call = self._inventory.call(wants.call)
        if call.direction != "incoming" or call.phase != "offered" or call.claimed:
            state = "claimed" if call.claimed else str(call.phase)
            raise WrongCallState(
                f"call {call.call} cannot be claimed: it is {call.direction} and {state}",
                call=call.call, state=state, operation="Claim",
            )  # fmt: skip
        link = self._control.require(self._control.hosts[call.host].link)
        owner = client.owner(wants.label)
        call.claimed = True
        self._inventory.own_call(call, client)
        self._control.serving.taken(call.call, client)

        def claimed(reply: host.ClaimReply | None, fds: Sequence[int], error: DahdiPyError | None) -> None:
            if reply is not None:
                self._claimed(request, client, call, owner, reply)
                return
            call.claimed = False
            self._inventory.own_call(call, None)
            if self._inventory.calls.get(call.call) is call:
                self._control.serving.offered(call)
            request.fail(error or DahdiPyError("no answer"))

        link.call(
            "org.dahdipy.Host.Claim",
            older.understood(link, host.ClaimRequest(call=call.call, owner=owner, group=call.came_by)),
            host.ClaimReply,
            request.guard(claimed),
        )

    def _claimed(
        self, request: Request, client: Client, call: Call, owner: host.OwnerRequest, reply: host.ClaimReply
    ) -> None:
        request.reply(wire.ClaimReply(token=reply.token, span=reply.span, timeslot=reply.timeslot))
        if self._inventory.calls.get(call.call) is not call:
            return
        call.owner = owner
        if call.phase == "offered":
            call.phase = "proceeding"
        self._inventory.bind(call, reply.token, reply.span, reply.timeslot)
        said: dict[str, Any] = {"pid": owner.pid, "uid": owner.uid, "label": owner.label}
        columns = (("owner", msgspec.json.encode(said).decode()),)
        self._control.feed.put(
            "call.claimed", host=call.host, span=call.span, timeslot=call.timeslot, call=call.call, token=call.token,
            data={"owner": said}, entry=ledger.Stepped(call.call, time.time_ns(), columns),
        )  # fmt: skip
        if client.gone:
            self._control.owners.left(call.token, client)


def _check(wants: wire.PlaceRequest) -> None:
    check_label(wants.label)
    check_text("correlation", wants.correlation, 128)
    check_seconds("answer_timeout_s", wants.answer_timeout_s)
    check_seconds("detach_s", wants.detach_s)
    for name, party in (("called", wants.called), ("calling", wants.calling), ("redirecting", wants.redirecting)):
        if party is not None:
            check_text(f"{name}.number", party.number, 31)
            check_text(f"{name}.name", party.name, 49)


def _party(party: Party | None) -> Party:
    return party if party is not None else Party()


def _bearer(bearer: Bearer | None) -> Bearer:
    return bearer if bearer is not None else Bearer()
