# SPDX-License-Identifier: GPL-2.0-or-later
"""Incoming calls and the switching cores that take them: offers go out, claims and refusals come of them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from dahdi_py.core.numbers import NumberPattern
from dahdi_py.core.offers import Action, Offer, Offers, Refuse, Rules, Withdraw
from dahdi_py.daemon.checks import refuse_parameter
from dahdi_py.daemon.circuits import Call
from dahdi_py.daemon.clients import Client
from dahdi_py.errors import ConfigError, DahdiPyError, NotFound
from dahdi_py.wire.messages import calls as wire
from dahdi_py.wire.messages.host import HangupRequest
from dahdi_py.wire.server import Request

if TYPE_CHECKING:
    import asyncio

    from dahdi_py.daemon.control import Control

GROUP_CLOSED_CAUSE = 34
"""For a call whose channel only groups have that take nothing new. Source: Q.850 2.2.4, no channel available."""
_PROCEEDING_S = 10.0
"""After CALL PROCEEDING a caller waits so long for what comes next. Source: Q.931 table 9-1, T310."""
_GRACE_S = 2.0
"""So long after the daemon is ready cores may still be coming back; calls wait for them."""


class Serving:
    """Feeds the pure offers with what happens, and does what they say.

    Synchronization: the loop's thread.
    """

    def __init__(self, control: Control) -> None:
        calls = control.config.calls
        self._control = control
        self.offers = Offers(Rules(calls.offer_s, calls.claim_by_s, calls.unserved_cause, calls.no_core_cause))
        self._cores: dict[int, tuple[Client, Request]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def begin(self) -> None:
        """Calls that come while cores are still coming back wait for them."""
        self.offers.rules = replace(self.offers.rules, grace_until=time.monotonic() + _GRACE_S)

    def serve(self, client: Client, request: Request, wants: wire.ServeRequest) -> None:
        """The connection takes calls from now on.

        Raises:
            InvalidParameter: A number is no pattern, or sharing none of its two words.
            NotFound: A group is not configured.
        """
        if client.number in self._cores:
            raise DahdiPyError("this connection serves already: open another one")
        if wants.sharing not in ("share", "fork"):
            raise refuse_parameter("sharing", f"{wants.sharing!r}; expected share or fork")
        known = [group.name for group in self._control.config.groups]
        for name in wants.groups:
            if name not in known:
                raise NotFound(f"no group {name!r}; groups: {', '.join(known) or 'none'}", kind="group", name=name)
        try:
            patterns = tuple(NumberPattern.parse(text) for text in wants.numbers)
        except ConfigError as error:
            raise refuse_parameter("numbers", error.message.partition(": ")[2]) from None
        self._cores[client.number] = (client, request)
        request.reply(wire.ServeReply(), continues=True)
        now, forks = time.monotonic(), wants.sharing == "fork"
        self._do(self.offers.join(client.number, wants.groups, patterns, wants.priority, now, forks=forks))
        self._control.alarms.look_at_once()

    def leave(self, client: Client) -> None:
        """The connection is gone; what it was offered goes on."""
        if self._cores.pop(client.number, None) is not None:
            self._do(self.offers.leave(client.number, time.monotonic()))
            self._control.alarms.look_at_once()

    def offered(self, call: Call) -> None:
        """The call came in and goes round."""
        configured = self._control.inventory.groups_of(call.span, call.timeslot)
        call.came_by = ""
        # What is being drained takes nothing new; a call whose core died was let in before.
        groups = configured if call.left_by else self._control.administration.open_groups(configured)
        if configured and not groups:
            why = f"group {', '.join(configured)} is locked or being drained"
            self._do([Refuse(call.call, GROUP_CLOSED_CAUSE, why)])
            return
        age = self._control.config.calls.claim_by_s - self.patience_s(call)
        number, now = call.called.number, time.monotonic()
        if call.left_by:
            dead = [core for core, (client, _) in self._cores.items() if (client.pid, client.uid) in call.left_by]
            self._do(self.offers.offered_again(call.call, groups, number, age, now, dead))
        else:
            self._do(self.offers.offered(call.call, groups, number, age, now))

    def patience_s(self, call: Call) -> float:
        """How much longer the caller waits for a core, s."""
        claim_by_s = self._control.config.calls.claim_by_s
        age = max(0.0, (time.time_ns() - call.started_ns) / 1e9)
        if not (call.claimed or call.left_by):
            return max(0.0, claim_by_s - age)
        return claim_by_s if call.alerted else max(0.0, min(claim_by_s, _PROCEEDING_S - age))

    def taken(self, call: str, client: Client) -> None:
        """The client claims the call; whoever else had it is told."""
        ours = self._cores_like(client)
        one = self._control.inventory.calls[call]
        # Who claims what it was not offered takes it as whoever was.
        as_groups = [group for core, group in one.offered_as.items() if core in ours] or [*one.offered_as.values()]
        one.came_by = next(iter(as_groups or self._control.inventory.groups_of(one.span, one.timeslot)), "")
        actions = self.offers.taken(call)
        self._do([one for one in actions if not (isinstance(one, Withdraw) and one.core in ours)])

    def ended(self, call: str, reason: str) -> None:
        """The call is gone."""
        self._do(self.offers.ended(call, reason))

    def decline(self, call: str, client: Client) -> None:
        """The client does not want the call.

        Raises:
            NotFound: It was never offered to it, or is not any more.
        """
        if not self.holds(call, client):
            raise NotFound(f"call {call!r} is not offered to this process", kind="call", name=call)
        self._do(self.offers.decline(call, self._cores_like(client), time.monotonic()))

    def holds(self, call: str, client: Client) -> bool:
        """Whether the call is offered to this process now: a core that it was withdrawn from has no say in it."""
        return not self.offers.holders(call).isdisjoint(self._cores_like(client))

    def _cores_like(self, client: Client) -> set[int]:
        """The serving connections of the client's process."""
        return {
            number
            for number, (core, _) in self._cores.items()
            if core is client or (core.pid == client.pid and core.uid == client.uid)
        }

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Offer():
                    self._offer(action)
                case Withdraw():
                    self._withdraw(action)
                case Refuse():
                    self._refuse(action)
        self._arm()

    def _offer(self, action: Offer) -> None:
        call = self._control.inventory.calls.get(action.call)
        if call is None:
            return
        call.offered_as[action.core] = action.group
        span = self._control.inventory.spans[call.span]
        said = call.offered
        more = {
            name: getattr(said, name)
            for name in ("redirecting", "sending_complete", "progress", "user_user", "keypad")
            if said is not None
        }
        offer = wire.Offer(
            call=call.call, group=action.group, span=call.span, span_number=span.config.number or 0,
            timeslot=call.timeslot, called=call.called, calling=call.calling, bearer=call.bearer,
            law=said.law if said is not None else str(span.config.used_law), **more,
        )  # fmt: skip
        self._cores[action.core][1].reply(wire.ServeReply(offer=offer), continues=True)

    def _withdraw(self, action: Withdraw) -> None:
        call = self._control.inventory.calls.get(action.call)
        if call is not None:
            call.offered_as.pop(action.core, None)
        self._cores[action.core][1].reply(wire.ServeReply(withdrawn=action.call, reason=action.reason), continues=True)

    def _refuse(self, action: Refuse) -> None:
        call = self._control.inventory.calls.get(action.call)
        if call is not None:
            request = HangupRequest(call=action.call, cause=action.cause, cleared_by="host", reason=action.reason)
            self._control.hosts[call.host].link.tell("Hangup", request)

    def _arm(self) -> None:
        """The timer fires no later than the first deadline; firing early costs less than moving it each time."""
        due = self.offers.next_deadline()
        if due is None or (self._timer is not None and self._due <= due):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        self._timer = self._control.loop.call_later(max(0.0, due - time.monotonic()), self._expired)

    def _expired(self) -> None:
        self._timer = None
        self._do(self.offers.feed(time.monotonic()))
