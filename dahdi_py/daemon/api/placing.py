# SPDX-License-Identifier: GPL-2.0-or-later
"""`Calls.Place` and `Calls.Claim`: how a call comes to belong to a connection."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec

from dahdi_py.core.access import OPERATE
from dahdi_py.core.numbers import NumberPattern
from dahdi_py.daemon import ledger, older
from dahdi_py.daemon.api.hunting import Hunt, Hunting
from dahdi_py.daemon.api.routes import Route, Routes
from dahdi_py.daemon.checks import check_label, check_seconds, check_text, refuse_parameter
from dahdi_py.daemon.circuits import Call
from dahdi_py.daemon.clients import Client
from dahdi_py.daemon.control import Control
from dahdi_py.daemon.limits import Ticket
from dahdi_py.errors import DahdiPyError, RoleMissing, WrongCallState
from dahdi_py.wire.messages import calls as wire
from dahdi_py.wire.messages import host
from dahdi_py.wire.messages.common import Bearer, Party
from dahdi_py.wire.server import Request


class Placing:
    """Places calls on the hosts that have a channel, and claims calls that came in.

    Attributes:
        hunting: The calls that have no answer yet.

    Synchronization: the loop's thread.
    """

    def __init__(self, control: Control, routes: Routes) -> None:
        self._control = control
        self._inventory = control.inventory
        self._routes = routes
        self.hunting = Hunting(control, routes)
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
            self.hunting.refused(call, error)
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
        self.hunting.begin(Hunt(request, client, call, asked, routes, ticket, preempt, call.group))

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
