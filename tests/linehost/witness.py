# SPDX-License-Identifier: GPL-2.0-or-later
"""What clients and their daemon know of a host's leases, and what must be true of them whatever happened."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest

from dahdi_py.core.call import CallPhase
from dahdi_py.core.lease import Lease
from dahdi_py.core.terms import Administrative, Disabled, Phase
from dahdi_py.errors import DahdiPyError, StaleToken
from dahdi_py.linehost.channels import PATIENCE_S, RETRY_S
from dahdi_py.linehost.deadlines import TICK_S
from dahdi_py.linehost.line import BChannel, SpanLine
from dahdi_py.linehost.linecall import IncomingCall
from dahdi_py.wire.messages import host as m
from dahdi_py.wire.messages.common import Party
from tests.linehost.virtual import PAIRS, Asked, Service

T = TypeVar("T")

LATE_S = 2 * TICK_S
"""Deadlines never fire early, and so late at most."""


@dataclass(eq=False)
class Client:
    """A process that leases channels of one pair of spans."""

    label: str
    pair: int
    gone: bool = False

    @property
    def owner(self) -> m.OwnerRequest:
        return m.OwnerRequest(pid=1, uid=2, label=self.label)


@dataclass
class Copy:
    """A descriptor that somebody got with a lease and has not closed; `before` this start of the host, perhaps."""

    fd: int
    token: str
    line: SpanLine
    channel: BChannel
    before: bool = False


@dataclass
class Witness:
    """Follows a host's leases from outside and judges them.

    Attributes:
        live: By token, every lease that anybody may use, oldest first; who has it.
        stale: Tokens of leases that are no more, oldest first.
        copies: Every descriptor that clients hold, with a good lease or without.
        released: Tokens that were given back by command.
    """

    service: Service
    live: dict[str, str] = field(default_factory=dict)
    stale: list[str] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    released: set[str] = field(default_factory=set)
    _labels: dict[str, str] = field(default_factory=dict)
    _calls: dict[str, str] = field(default_factory=dict)
    _waiting: list[tuple[Asked, Client, str]] = field(default_factory=list)
    _exclusive: set[str] = field(default_factory=set)
    _newest: tuple[int, ...] = ()

    @property
    def leases(self) -> list[Lease]:
        """The good ones, oldest first."""
        return self.service.host.channels.leases.all()

    def leases_of(self, client: Client) -> list[Lease]:
        """What belongs to the client."""
        return [lease for lease in self.leases if lease.owner.label == client.label and not lease.orphaned]

    # What clients do.

    def expect(self, asked: Asked, client: Client, token: str = "") -> None:
        """The answer brings a descriptor of that lease, or of a new one, perhaps later."""
        self._waiting.append((asked, client, token))

    def let_go(self, copies: list[Copy]) -> None:
        """Those descriptors are closed."""
        for copy in copies:
            os.close(copy.fd)
            self.copies.remove(copy)

    def end(self, lease: Lease, cleared_by: str) -> None:
        """The lease is given back: its token is void and our descriptor closed at once, whatever its call does."""
        host, channel, call = self.service.host, lease.channel, lease.call
        self.released.add(lease.token)
        request = m.ReleaseRequest(token=lease.token, cause=31, cleared_by=cleared_by)
        self.service.ask("Release", request)
        assert not host.channels.leases.holds(lease)
        assert not isinstance(channel, BChannel) or channel.fd < 0, "our copy is still open"
        if call in host.calls.by_id:
            assert channel.lease is lease, "its channel was free before its call was cleared"
            assert channel.phase is Phase.RELEASING

    def hear(self) -> list[m.HostEvent]:
        """What was answered and told meanwhile is known; no good lease has ended without anybody being told."""
        events = self.service.news()
        told = {event.token for event in events if event.kind in ("lease.ended", "call.ended")}
        ended = {event.call for event in events if event.kind == "call.ended"}
        self._judge_news(events)
        host = self.service.host
        now = {lease.token: lease.owner.label for lease in self.leases}
        for token in self.live.keys() - now.keys():
            call = host.calls.by_id.get(self._calls.get(token, ""))
            clearing = call is not None and call.hung_up
            heard = token in told or token in self.released or self._calls.get(token) in ended
            assert heard or clearing or not self.service.up, f"{token} ended unheard"
            self.stale.append(token)
        for token in now.keys() - self.live.keys():
            assert _number(token) > self._newest, f"{token} comes after {self._newest}"
        self._newest = max([self._newest, *map(_number, now)])
        self.live = now
        self._labels |= now
        self._calls |= {lease.token: lease.call for lease in self.leases if lease.call}
        self._exclusive |= {lease.token for lease in self.leases if lease.exclusive}
        for one in [one for one in self._waiting if one[0].answered]:
            self._waiting.remove(one)
            self._take(*one)
        return events

    def _judge_news(self, events: list[m.HostEvent]) -> None:
        """No exclusive lease is moved."""
        for event in events:
            assert event.kind != "lease.moved" or event.token not in self._exclusive, f"{event.token} was moved"

    def _take(self, asked: Asked, client: Client, token: str) -> None:
        reply = asked.reply_with
        if reply is None:
            return
        channel = self.service.host.channels.channel(reply.span, reply.timeslot)
        got = [Copy(fd, token or reply.token, channel.line, channel) for fd in asked.fds]
        self.copies += got
        if client.gone:
            self.let_go(got)

    def outlive_the_host(self) -> None:
        """It was killed and is back: every lease is over, and clients have open what they had open."""
        self.hear()
        self.service.restart_host()
        self.stale += self.live
        self.live = {}
        self._waiting.clear()
        channels = self.service.host.channels
        for copy in self.copies:
            copy.channel = channels.channel(copy.line.name, copy.channel.timeslot)
            copy.line, copy.before = copy.channel.line, True

    # What must be true.

    def check(self) -> None:
        """Invariants 1 to 3 hold at this instant."""
        host = self.service.host
        channels = [channel for line in host.lines for channel in line.bchannels.values()]
        for channel in channels:
            self._check_channel(channel)
        for lease in self.leases:
            assert lease.channel.lease is lease, f"{lease.token} is on a channel that is another's"
            assert lease.expires is None or host.now() <= lease.expires + LATE_S, f"{lease.token} has not expired"
        assert not self.live.keys() & set(self.stale), "a stale token is good again"
        for copy in self.copies:
            holder = copy.channel.lease
            assert holder is None or holder.token == copy.token, (
                f"{copy.channel.span.name}:{copy.channel.timeslot} is {holder.token}'s, and {copy.token}'s copy is open"
            )
        for token in self.stale[-2:]:
            self.refused(token)

    def _check_channel(self, channel: BChannel) -> None:
        host, lease = self.service.host, channel.lease
        place = f"{channel.span.name}:{channel.timeslot}"
        idle = lease is None and channel.pending is None and channel.blocked is None
        assert channel.free == (idle and channel.administrative is Administrative.UNLOCKED), f"{place}: free"
        if lease is not None:
            assert lease.channel is channel, f"{place}: its lease is elsewhere"
            if not host.channels.leases.holds(lease):
                call = host.calls.by_id.get(lease.call)
                assert call is not None, f"{place}: nothing clears the void lease {lease.token}"
                assert call.hung_up, f"{place}: the void lease's call goes on"
                assert lease.phase is Phase.RELEASING
            return
        assert channel.fd < 0, f"{place}: our copy is open without a lease"
        if channel.must_restart:
            assert channel.pending is not None, f"{place}: idle before RESTART is acknowledged"
            assert channel in host.restarts._queues[channel.line].channels, f"{place}: nobody restarts it"
        if channel.pending is Phase.RELEASING:
            tried_again = channel.proving or channel.opening is not None or channel.slot
            assert tried_again, f"{place}: nobody proves it free"
        if host.card.held(channel.line.config.port, channel.timeslot):
            assert channel.pending is Phase.RELEASING, f"{place}: held open and {channel.pending}"
            if not channel.proving and channel.opening is None:
                self._check_quarantine(channel)

    def _check_quarantine(self, channel: BChannel) -> None:
        waited = self.service.host.now() - channel.released
        state = channel.state()
        if waited > PATIENCE_S + RETRY_S + LATE_S:
            assert channel.blocked is Disabled.QUARANTINE
        if channel.blocked is Disabled.QUARANTINE:
            assert waited >= PATIENCE_S, "quarantined early"
            copies = [copy for copy in self.copies if copy.channel is channel]
            holders = {"when its span came up" if one.before else repr(self._labels[one.token]) for one in copies}
            assert any(holder in state.lessee for holder in holders), f"{state.lessee!r}: not {holders}"

    def refused(self, token: str) -> None:
        """No command takes the stale token."""
        if not self.service.up:
            return
        good = next(iter(self.live), "h/1/0")
        number = Party(number="1")
        owner = m.OwnerRequest()
        commands: list[tuple[str, Any]] = [
            ("Release", m.ReleaseRequest(token=token)),
            ("Open", m.OpenRequest(token=token)),
            ("Renew", m.RenewRequest(token=token, detach_s=9)),
            ("Assign", m.AssignRequest(token=token, owner=owner)),
            ("Counters", m.TokenRequest(token=token)),
            ("Place", m.PlaceRequest(call="stale", owner=owner, called=number, token=token)),
            ("Bridge", m.BridgeRequest(a=token, b=good)),
            ("Bridge", m.BridgeRequest(a=token, b=good, on=False)),
            ("Bridge", m.BridgeRequest(a=good, b=token)),
        ]
        for method, parameters in commands:
            with pytest.raises(StaleToken):
                self.service.ask(method, parameters)

    # The other pair of spans.

    @contextmanager
    def only(self, pair: int) -> Iterator[None]:
        """What is done inside changes nothing of the other pair of spans."""
        host = self.service.host
        others = [host.channels.lines[name] for name in PAIRS[1 - pair]]
        for line in others:  # what was asked of a slow card before is none of it
            host.card.answer(line.config.port)
        host.carry()
        self.hear()
        before = self._picture(others)
        yield
        host.carry()
        assert self._picture(others) == before, "another span was touched"

    def _picture(self, lines: list[SpanLine]) -> list[tuple[object, ...]]:
        calls = [call for call in self.service.host.calls.by_id.values() if call.line in lines]
        channels = [channel for line in lines for channel in line.bchannels.values()]
        leases = [lease for lease in self.leases if any(lease.channel.span.name == line.name for line in lines)]
        return [
            *((line.link_up, line.alarms, line.channels.service) for line in lines),
            *((each.state(), each.fd, each.held, each.must_restart, each.free, each.waiting) for each in channels),
            *(_of_lease(lease) for lease in leases),
            *((call.id, call.phase, call.claimed, call.deadline, call.timeslot, call.hung_up) for call in calls),
        ]  # fmt: skip

    def unclaimable(self, lease: Lease) -> IncomingCall | None:
        """The call that goes to another core when this one's is gone; None when it is to be cleared."""
        call = self.service.host.calls.by_id.get(lease.call)
        if isinstance(call, IncomingCall) and call.phase in (CallPhase.PROCEEDING, CallPhase.ALERTING):
            return call
        return None


def pick(among: Sequence[T], which: int) -> T:
    """One of them, whatever the number."""
    return among[which % len(among)]


def pair_of(span: str) -> int:
    """Which pair of cabled spans it is one of."""
    return next(number for number, pair in enumerate(PAIRS) if span in pair)


def _number(token: str) -> tuple[int, ...]:
    """The host's start and the lease's place in it."""
    return tuple(int(part) for part in token.split("/")[1:])


def _of_lease(lease: Lease) -> tuple[object, ...]:
    return (
        lease.token, lease.owner.label, lease.channel, lease.call, lease.exclusive, lease.phase, lease.orphaned,
        lease.detached, lease.expires,
    )  # fmt: skip


def attempt(service: Service, method: str, parameters: Any, *refusals: type[DahdiPyError]) -> Asked | None:
    """What the host answers; None where it refuses in one of these ways."""
    try:
        return service.ask(method, parameters)
    except refusals:
        return None
