# SPDX-License-Identifier: GPL-2.0-or-later
"""`Calls.Place` and `Calls.Claim`: how a call comes to belong to a connection."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec

from dahdi_py.daemon import ledger
from dahdi_py.daemon.api.routes import Route, Routes
from dahdi_py.daemon.checks import check_label, check_seconds, check_text, refuse_parameter
from dahdi_py.daemon.circuits import Call
from dahdi_py.daemon.clients import Client
from dahdi_py.daemon.control import Control
from dahdi_py.errors import DahdiPyError, HostUnavailable, WrongCallState
from dahdi_py.wire.messages import calls as wire
from dahdi_py.wire.messages import host
from dahdi_py.wire.messages.common import Bearer, Party
from dahdi_py.wire.server import Request


class Placing:
    """Places calls on the hosts that have a channel, and claims calls that came in.

    Synchronization: the loop's thread.
    """

    def __init__(self, control: Control, routes: Routes) -> None:
        self._control = control
        self._inventory = control.inventory
        self._routes = routes

    def place(self, request: Request, wants: wire.PlaceRequest) -> None:
        """A call is on its way out; the answer says its id and where."""
        client: Client = request.peer.data
        _check(wants)
        routes = self._routes_for(wants)
        owner = client.owner(wants.label)
        call = Call(
            self._control.new_call_id(), routes[0].link.name, "outgoing", "setup", "", 0, _party(wants.called),
            _party(wants.calling), _bearer(wants.bearer), time.time_ns(), correlation=wants.correlation, owner=owner,
            detached=wants.detach_s > 0,
        )  # fmt: skip
        self._inventory.calls[call.call] = call
        self._inventory.own_call(call, client)
        asked = host.PlaceRequest(
            call=call.call, owner=owner, called=wants.called, token=wants.token, calling=wants.calling,
            redirecting=wants.redirecting, bearer=wants.bearer, sending_complete=wants.sending_complete,
            exclusive=wants.exclusive, user_user=wants.user_user, keypad=wants.keypad, correlation=wants.correlation,
            answer_timeout_s=wants.answer_timeout_s, hangup_after_s=wants.detach_s,
        )  # fmt: skip
        self._try(request, client, call, asked, routes, 0, None)

    def _routes_for(self, wants: wire.PlaceRequest) -> Sequence[Route]:
        if not wants.token:
            return self._routes.find(wants.group, wants.span)
        if wants.group or wants.span:
            raise refuse_parameter("token", "the lease says where: leave group and span out")
        return [Route(self._control.link_of(wants.token), [])]

    def _try(
        self, request: Request, client: Client, call: Call, asked: host.PlaceRequest, routes: Sequence[Route], at: int,
        before: DahdiPyError | None,
    ) -> None:  # fmt: skip
        while at < len(routes) and not routes[at].link.up:
            at += 1
        if at == len(routes):
            self._fail(request, call, before or self._routes.none_up(routes))
            return
        route = routes[at]
        call.host = route.link.name

        def placed(reply: host.PlaceReply | None, fds: Sequence[int], error: DahdiPyError | None) -> None:
            if reply is not None:
                self._placed(request, client, call, reply)
            elif error is not None and not client.gone and self._routes.elsewhere(error):
                self._try(request, client, call, asked, routes, at + 1, before or error)
            else:
                self._fail(request, call, error or DahdiPyError("no answer"))

        place = msgspec.structs.replace(asked, spans=route.spans, order=route.order)
        route.link.call("org.dahdipy.Host.Place", place, host.PlaceReply, placed)

    def _fail(self, request: Request, call: Call, error: DahdiPyError) -> None:
        if not isinstance(error, HostUnavailable) or call.attempt == 1:
            self._inventory.calls.pop(call.call, None)
            self._inventory.own_call(call, None)
        request.fail(error)

    def _placed(self, request: Request, client: Client, call: Call, reply: host.PlaceReply) -> None:
        # An event may have told of the call's channel, or of its end, before this answer.
        up = self._inventory.calls.get(call.call) is call
        if up and not call.token:
            self._inventory.bind(call, reply.token, reply.span, reply.timeslot)
        request.reply(wire.PlaceReply(call=call.call, token=reply.token, span=reply.span, timeslot=reply.timeslot))
        self._control.feed.put(
            "call.placed", host=call.host, span=reply.span, timeslot=reply.timeslot, call=call.call, token=reply.token,
            data={"called": call.called.number, "calling": call.calling.number, "correlation": call.correlation},
        )  # fmt: skip
        if up and client.gone and not call.detached:
            self._control.owners.release_token(call.token, client)

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

        link.call("org.dahdipy.Host.Claim", host.ClaimRequest(call=call.call, owner=owner), host.ClaimReply, claimed)

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
            self._control.owners.release_token(call.token, client)


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
