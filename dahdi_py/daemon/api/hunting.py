# SPDX-License-Identifier: GPL-2.0-or-later
"""A call on its way to a channel, over every route there is, until the far end says the first word to it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from dahdi_py.core.cause import NO_CHANNEL
from dahdi_py.core.terms import Phase
from dahdi_py.daemon import older, strays
from dahdi_py.daemon.api.routes import ALL, Route, Routes
from dahdi_py.daemon.circuits import Call
from dahdi_py.daemon.clients import Client
from dahdi_py.daemon.control import Control
from dahdi_py.daemon.limits import Ticket
from dahdi_py.errors import DahdiPyError, HostUnavailable, NotFound
from dahdi_py.wire.messages import calls as wire
from dahdi_py.wire.messages import host
from dahdi_py.wire.refusals import InvalidParameter
from dahdi_py.wire.server import Request


@dataclass(slots=True)
class Hunt:
    """A call on its way to a channel.

    Attributes:
        ticket: What it was let through for; None for an emergency call.
        preempt: A lesser call may be cleared for it.
        full: Routes on which the far end had no circuit: tried channel by channel when no other is left.
        thorough: So they are.
        last: Nothing is free anywhere: it is asked for with pre-emption.
        at: The route that is being tried.
        turn: Grows with each route: what an earlier one answers late is no answer.
        attempts: SETUPs sent on earlier routes.
        told: The core has its answer.
        stopped: The core has hung up: no other route is tried.
        ended: How the call would have ended on the last host that gave it up.
    """

    request: Request
    client: Client
    call: Call
    asked: host.PlaceRequest
    routes: Sequence[Route]
    ticket: Ticket | None
    preempt: bool
    group: str
    full: list[Route] = field(default_factory=list)
    thorough: bool = False
    last: bool = False
    at: int = 0
    turn: int = 0
    attempts: int = 0
    told: bool = False
    stopped: host.HangupRequest | None = None
    ended: host.Ended | None = None


class Hunting:
    """Asks the hosts one after the other.

    Synchronization: the loop's thread.
    """

    def __init__(self, control: Control, routes: Routes) -> None:
        self._control = control
        self._inventory = control.inventory
        self._routes = routes
        self._hunts: dict[str, Hunt] = {}
        control.following.hunting = self

    def begin(self, hunt: Hunt) -> None:
        """The call is on its way; the answer to its request says where, or why not."""
        self._hunts[hunt.call.call] = hunt
        self._try(hunt, 0, None)

    def stop(self, call: str, asked: host.HangupRequest) -> bool:
        """The call goes to no other host any more; whether it might have."""
        hunt = self._hunts.get(call)
        if hunt is not None:
            hunt.stopped = asked
        return hunt is not None

    def over(self, call: str) -> None:
        """The far end has answered, or the call has ended: it stays where it is."""
        self._hunts.pop(call, None)

    def goes_on(self, host_name: str, call: str) -> bool:
        """Whether a call that this host gives up is tried elsewhere."""
        hunt = self._hunts.get(call)
        return hunt is not None and hunt.call.host == host_name and self._wanted(hunt)

    def unplaced(self, call: str, ended: host.Ended) -> None:
        """The host has given the call up: the next one is asked."""
        hunt = self._hunts[call]
        hunt.call.earlier += ended.messages
        hunt.ended, hunt.attempts = ended, ended.attempt
        if ended.cause == NO_CHANNEL and not hunt.thorough:
            hunt.full.append(hunt.routes[hunt.at])
        self._inventory.unplace(hunt.call)
        self._try(hunt, hunt.at + 1, None)

    def refused(self, call: Call, error: DahdiPyError) -> None:
        """An emergency call that could not be placed is an alarm; one that was asked for wrongly is the core's."""
        if call.emergency and not isinstance(error, InvalidParameter | NotFound):
            self._control.past_alarms.emergency_failed(call.called.number, call.call, error.message)

    def _wanted(self, hunt: Hunt) -> bool:
        """Whether somebody waits for the call still, and it has come no further than its SETUP."""
        call = hunt.call
        gone = hunt.client.gone and not (hunt.told and call.detached)
        there = self._inventory.calls.get(call.call) is call and call.phase == Phase.SETUP
        return there and not gone and hunt.stopped is None

    def _next(self, hunt: Hunt, at: int) -> int:
        """The next route from there on whose host may be asked; one that has failed the call is not."""
        routes, call = hunt.routes, hunt.call.call
        while at < len(routes):
            link = routes[at].link
            if link.up and not link.stalled and (call, link.name) not in self._control.strays:
                break
            at += 1
        return at

    def _try(self, hunt: Hunt, at: int, before: DahdiPyError | None) -> None:
        at = self._next(hunt, at)
        if at == len(hunt.routes) and hunt.full:
            hunt.routes, hunt.full, hunt.thorough = [*hunt.routes, *hunt.full], [], True
            at = self._next(hunt, at)
        if at == len(hunt.routes):
            # Somebody has to make way only when no host has anything free.
            if hunt.preempt and (before is not None or hunt.ended is not None):
                hunt.preempt, hunt.last = False, True
                once = {id(route): route for route in hunt.routes}
                hunt.routes = sorted(once.values(), key=self._youngest, reverse=True)
                self._try(hunt, 0, before)
                return
            self._fail(hunt, before or self._routes.none_up(hunt.routes))
            return
        hunt.at, hunt.turn = at, hunt.turn + 1
        route, turn = self._routes.asking(hunt.routes[at]), hunt.turn
        hunt.call.host = route.link.name

        def placed(reply: host.PlaceReply | None, fds: Sequence[int], error: DahdiPyError | None) -> None:
            self._routes.answered(route)
            if hunt.turn == turn:
                self._answered(hunt, reply, error or DahdiPyError("no answer"), before)

        def placed_late(reply: host.PlaceReply | None, fds: Sequence[int], error: DahdiPyError | None) -> None:
            """It was told to clear the call when it did not answer."""

        guard = hunt.request.guard
        try:
            if hunt.ticket is not None and route.group != hunt.group:
                hunt.ticket.enter(route.group)
            place = older.understood(route.link, self._asked(hunt, route))
            route.link.call("org.dahdipy.Host.Place", place, host.PlaceReply, guard(placed), late=placed_late)
        except DahdiPyError as error:
            self._routes.answered(route)
            self._fail(hunt, before or error)

    def _asked(self, hunt: Hunt, route: Route) -> host.PlaceRequest:
        asked, past_s = hunt.asked, (time.time_ns() - hunt.call.started_ns) // 10**9
        others = hunt.preempt or bool(hunt.full) or self._next(hunt, hunt.at + 1) < len(hunt.routes)
        return msgspec.structs.replace(
            asked, spans=route.spans, order=route.order, masks=route.masks, spare=route.spare, group=route.group,
            preempt=hunt.last, elsewhere=others and not asked.token, thorough=hunt.thorough, attempt=hunt.attempts + 1,
            answer_timeout_s=_left(asked.answer_timeout_s, past_s), hangup_after_s=_left(asked.hangup_after_s, past_s),
        )  # fmt: skip

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

    def _answered(
        self, hunt: Hunt, reply: host.PlaceReply | None, error: DahdiPyError, before: DahdiPyError | None
    ) -> None:
        call, stalled = hunt.call, hunt.routes[hunt.at].link.stalled
        if reply is None and stalled and call.token and isinstance(error, HostUnavailable):
            # It lives: it told of the SETUP, and its answer waits behind that to something else.
            reply = host.PlaceReply(token=call.token, span=call.span, timeslot=call.timeslot)
        if reply is not None:
            self._placed(hunt, reply)
            return
        wanted = self._wanted(hunt)
        if isinstance(error, HostUnavailable) and (wanted or stalled):
            self._leave(hunt)
        if wanted and self._routes.elsewhere(error):
            self._try(hunt, hunt.at + 1, before or error)
        else:
            self._fail(hunt, error)

    def _leave(self, hunt: Hunt) -> None:
        """The host has died, or sleeps and may wake: if it has the call then, it has it to clear it."""
        call, link = hunt.call, hunt.routes[hunt.at].link
        self._control.strays.take(call.call, link.name)
        link.tell("Hangup", strays.clearing(call.call))
        if call.token:
            hunt.attempts = call.attempt
            self._inventory.unplace(call)

    def _placed(self, hunt: Hunt, reply: host.PlaceReply) -> None:
        # An event may have told of the call's channel, or of its end, before this answer.
        client, call, route = hunt.client, hunt.call, hunt.routes[hunt.at]
        up = self._inventory.calls.get(call.call) is call
        call.group = route.group
        if up and not call.token and reply.token:
            self._inventory.bind(call, reply.token, reply.span, reply.timeslot)
        if hunt.ticket is not None:
            hunt.ticket.done()
        self._routes.took(route, reply.span, reply.timeslot)
        self._tell(hunt, reply)
        if up and hunt.stopped is not None:
            route.link.tell("Hangup", hunt.stopped)
        elif up and client.gone and not call.detached:
            if call.token:
                self._control.owners.left(call.token, client)
            else:
                self._control.owners.clear_orphan(call, client)

    def _tell(self, hunt: Hunt, reply: host.PlaceReply) -> None:
        """The core has its answer, whatever becomes of the call."""
        call = hunt.call
        if hunt.told:
            return
        hunt.told = True
        hunt.request.reply(
            wire.PlaceReply(call=call.call, token=reply.token, span=reply.span, timeslot=reply.timeslot)
        )  # fmt: skip
        self._control.feed.put(
            "call.placed", host=call.host, span=reply.span, timeslot=reply.timeslot, call=call.call, token=reply.token,
            data={"called": call.called.number, "calling": call.calling.number, "correlation": call.correlation},
        )  # fmt: skip

    def _fail(self, hunt: Hunt, error: DahdiPyError) -> None:
        """No route has a channel: the call ends if it had one before, else its request fails."""
        call = hunt.call
        self.over(call.call)
        if hunt.ticket is not None:
            hunt.ticket.done()
        if hunt.ended is not None:
            self._end(hunt, hunt.ended)
            return
        if not (call.token and isinstance(error, HostUnavailable)):
            self._inventory.calls.pop(call.call, None)
            self._inventory.own_call(call, None)
        for route in hunt.routes:
            if not route.link.stalled:
                # It died with the call: its next start tells so.
                self._control.strays.give_back(call.call, route.link.name)
        self.refused(call, error)
        hunt.request.fail(error)

    def _end(self, hunt: Hunt, ended: host.Ended) -> None:
        self._tell(hunt, host.PlaceReply(token="", span=ended.span, timeslot=ended.timeslot))
        if hunt.stopped is not None:
            ended = msgspec.structs.replace(
                ended, cause=hunt.stopped.cause, cleared_by=hunt.stopped.cleared_by, reason=hunt.stopped.reason
            )
        if self._inventory.calls.get(hunt.call.call) is hunt.call:
            self._control.following.ended_nowhere(hunt.call, ended)


def _left(limit_s: int, past_s: int) -> int:
    """What is left of a limit that runs since the call was asked for; 0 is none."""
    return max(1, limit_s - past_s) if limit_s else 0
