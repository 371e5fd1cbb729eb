# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything the daemon knows now: spans, channels, leases and calls of every line host."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dahdi_py.core import config
from dahdi_py.core.terms import Disabled, Phase
from dahdi_py.daemon.circuits import NOBODY, Call, Channel, Lease, Span, call_of, lease_of
from dahdi_py.daemon.clients import Client
from dahdi_py.errors import NotFound
from dahdi_py.wire.messages.common import Lease as LeaseRecord
from dahdi_py.wire.messages.common import Owner
from dahdi_py.wire.messages.host import CallState, ChannelState, Snapshot, SpanState


class Inventory:
    """What is known, by name, token and call id.

    Attributes:
        on_idle: Told when a channel may have become idle; None while nobody waits for that.
        on_lease_end: Told of each lease that ends.
        held_until: By span, until when it is held down (UTC, ns), also when that is past.

    Synchronization: one thread.
    """

    def __init__(self, conf: config.Config) -> None:
        self.config = conf
        self.spans: dict[str, Span] = {}
        self.leases: dict[str, Lease] = {}
        self.calls: dict[str, Call] = {}
        self.held_until: dict[str, int] = {}
        self._by_number: dict[str, Span] = {}
        self._ended_early: set[str] = set()
        self.on_idle: Callable[[], None] | None = None
        self.on_lease_end: Callable[[Lease], None] = lambda lease: None
        self._idle_since = 0
        grouped = [(group.name, dict(conf.members(group))) for group in conf.groups]
        for one in conf.spans:
            groups = tuple(name for name, members in grouped if one.name in members)
            channels = {int(t): Channel(one.name, t) for t in one.bchannels}
            for timeslot, channel in channels.items():
                channel.groups = tuple(name for name in groups if dict(grouped)[name][one.name] >> timeslot & 1)
            self.spans[one.name] = span = Span(one, channels=channels, groups=groups)
            self._by_number[str(one.number)] = span

    def span(self, name: str) -> Span:
        """The span of that configured name or shown number.

        Raises:
            NotFound: With the names there are.
        """
        span = self.spans.get(name) or self._by_number.get(name)
        if span is None:
            known = ", ".join(self.spans) or "none is configured"
            raise NotFound(f"no span {name!r}; spans: {known}", kind="span", name=name)
        return span

    def circuit(self, span: str) -> str:
        """What records of the span are kept under."""
        one = self.spans.get(span)
        return one.config.circuit if one is not None else span

    def call(self, call: str) -> Call:
        """The call of that id.

        Raises:
            NotFound: None is up by that id.
        """
        found = self.calls.get(call)
        if found is None:
            raise NotFound(f"no call {call!r} is up; Calls.History has those that ended", kind="call", name=call)
        return found

    def channel(self, span: str, timeslot: int) -> Channel | None:
        """The B-channel there, None when there is none."""
        at = self.spans.get(span)
        return at.channels.get(timeslot) if at else None

    def calls_of(self, host: str) -> list[Call]:
        """The host's calls, oldest first."""
        return [call for call in self.calls.values() if call.host == host]

    def leases_of(self, host: str) -> list[Lease]:
        """The host's leases."""
        return [lease for lease in self.leases.values() if lease.host == host]

    def load(self, host: str, snapshot: Snapshot, now_ns: int) -> list[Lease]:
        """All of the host is as the snapshot says; what connected clients own stays theirs.

        Returns:
            Leases that clients of this daemon hold and the host thinks orphaned.
        """
        leases, calls = self._forget(host)
        for span in self.spans_of(host):
            span.host_up = True
            span.since_ns = now_ns
            self._blank(span)
        for state in snapshot.spans:
            self.span_state(state)
        for channel in snapshot.channels:
            self.channel_state(channel)
        for one in snapshot.leases:
            self._load_lease(host, one, leases.get(one.token))
        for up in snapshot.calls:
            self._load_call(host, up, calls.get(up.call))
        self._agree_on_bridges(host)
        return [lease for lease in self.leases_of(host) if lease.orphaned and lease.client is not None]

    def unreachable(self, host: str, now_ns: int) -> None:
        """The host's spans cannot be used now; what is on them stays known."""
        for span in self.spans_of(host):
            if span.host_up:
                span.host_up = False
                span.since_ns = now_ns

    def lose(self, host: str, now_ns: int) -> tuple[list[Lease], list[Call]]:
        """The host is gone, and all that was on its spans; its leases and calls are returned and forgotten."""
        self.unreachable(host, now_ns)
        for span in self.spans_of(host):
            self._blank(span)
        leases, calls = self._forget(host)
        return list(leases.values()), list(calls.values())

    def span_state(self, state: SpanState) -> SpanState | None:
        """The span is as the host says; what it said before is returned."""
        span = self.spans.get(state.name)
        if span is None:
            return None
        before, span.state = span.state, state
        if state.held_until_ns:
            self.held_until[span.name] = state.held_until_ns
        else:
            self.held_until.pop(span.name, None)
        span.since_ns = max(state.since_ns, state.dchannel_since_ns)
        return before

    def channel_state(self, state: ChannelState) -> None:
        """The channel is as the host says, and so is the lease on it."""
        channel = self.channel(state.span, state.timeslot)
        if channel is None:
            return
        was_busy = channel.busy
        channel.administrative = state.administrative
        channel.disabled = "" if state.disabled in _SPAN_WIDE else state.disabled
        channel.phase = state.phase
        channel.who, channel.why, channel.since_ns = state.who, state.why, state.since_ns
        channel.lessee = state.lessee
        channel.token = state.token
        channel.call = state.call
        if was_busy and not channel.busy:
            self._vacate(channel)
        lease = self.leases.get(state.token)
        if lease is not None and state.phase:
            lease.phase = state.phase

    def lease(self, token: str, host: str, span: str, timeslot: int, owner: Owner, client: Client | None) -> Lease:
        """The lease is known, its channel busy; one that an event told of earlier stays where that put it."""
        lease = self.leases.get(token)
        if lease is None:
            lease = Lease(token, host, span, timeslot)
            if token in self._ended_early:
                self._ended_early.discard(token)
                return lease
            self.leases[token] = lease
            self._occupy(lease)
        lease.owner = owner
        self.own(lease, client)
        return lease

    def ended_early(self, token: str) -> None:
        """The host ended a lease that the answer to its making has not told of yet."""
        if len(self._ended_early) > 1000:
            self._ended_early.clear()
        self._ended_early.add(token)

    def orphans(self, host: str) -> list[Lease]:
        """Leases that somebody owned who is not connected: their owner may come back for them."""
        found = []
        for lease in self.leases_of(host):
            call = self.calls.get(lease.call)
            unclaimed = call is not None and call.direction == "incoming" and not call.claimed
            by_itself = lease.detached or (call is not None and (call.detached or unclaimed))
            if lease.client is None and not by_itself:
                found.append(lease)
        return found

    def own(self, lease: Lease, client: Client | None) -> None:
        """The lease belongs to that connection, or to none."""
        if lease.client is not None:
            lease.client.tokens.discard(lease.token)
        lease.client = client
        if client is not None:
            client.tokens.add(lease.token)

    def own_call(self, call: Call, client: Client | None) -> None:
        """The call belongs to that connection, or to none."""
        if call.client is not None:
            call.client.calls.discard(call.call)
        call.client = client
        if client is not None:
            client.calls.add(call.call)

    def unclaim(self, call: Call) -> None:
        """The call is an offer again, and nobody's."""
        self.own_call(call, None)
        call.claimed, call.media, call.owner = False, False, NOBODY
        lease = self.leases.get(call.token)
        if lease is not None:
            self.own(lease, None)
            lease.owner, lease.orphaned = NOBODY, False
        self.phase(call, "offered")

    def end_lease(self, token: str) -> Lease | None:
        """The lease is over, its channel free unless the host said otherwise meanwhile."""
        lease = self.leases.pop(token, None)
        if lease is None:
            return None
        self.on_lease_end(lease)
        self.own(lease, None)
        channel = self.channel(lease.span, lease.timeslot)
        if channel is not None and channel.token == token:
            self._vacate(channel)
        return lease

    def void_lease(self, token: str) -> None:
        """The token is stale; the channel stays busy until the call on it has ended."""
        lease = self.leases.get(token)
        call = self.calls.get(lease.call) if lease is not None else None
        if lease is None or call is None:
            self.end_lease(token)
            return
        self.own(lease, None)
        self.own_call(call, None)
        del self.leases[token]
        call.phase = Phase.RELEASING
        channel = self.channel(lease.span, lease.timeslot)
        if channel is not None and channel.token == token:
            channel.token, channel.phase = "", Phase.RELEASING

    def bridge(self, a: str, b: str, on: bool = True) -> bool:
        """The audio of the leases is joined or, `on` False, is not; whether that is news."""
        news = False
        for token, other in ((a, b), (b, a)):
            lease = self.leases.get(token)
            if lease is not None and (lease.bridged == other) is not on:
                lease.bridged = other if on else ""
                news = True
        return news

    def unbridge(self, host: str) -> list[tuple[str, str]]:
        """No lease is bridged over that host any more; those that were."""
        found = []
        for lease in self.leases.values():
            if lease.bridged and host in (lease.host, lease.bridged.partition("/")[0]):
                found.append((lease.token, lease.bridged))
        for a, b in found:
            self.bridge(a, b, False)
        return list({frozenset(pair): pair for pair in found}.values())

    def _agree_on_bridges(self, host: str) -> None:
        """Other hosts' leases are bridged with this host's as its snapshot says."""
        for lease in self.leases.values():
            if lease.host == host:
                other = self.leases.get(lease.bridged)
                if other is not None and other.host != host:
                    other.bridged = lease.token
            elif lease.bridged.partition("/")[0] == host:
                other = self.leases.get(lease.bridged)
                lease.bridged = lease.bridged if other is not None and other.bridged == lease.token else ""

    def end_call(self, call: Call) -> None:
        """The call is over, and its lease with it; its channel is free unless the host said otherwise meanwhile."""
        self.calls.pop(call.call, None)
        self.own_call(call, None)
        self.end_lease(call.token)
        channel = self.channel(call.span, call.timeslot)
        if channel is not None and channel.call == call.call:
            self._vacate(channel)

    def unplace(self, call: Call) -> None:
        """The call is on no channel, as before it was placed; the lease it had is over."""
        self.end_lease(call.token)
        channel = self.channel(call.span, call.timeslot)
        if channel is not None and channel.call == call.call:
            self._vacate(channel)
        call.token, call.span, call.timeslot, call.media = "", "", 0, False

    def move(self, token: str, span: str, timeslot: int) -> None:
        """The lease, and the call on it, are on that channel."""
        lease = self.leases.get(token)
        if lease is None:
            return
        left = self.channel(lease.span, lease.timeslot)
        if left is not None and left.token == token:
            self._vacate(left)
        lease.span, lease.timeslot = span, timeslot
        self._occupy(lease)
        call = self.calls.get(lease.call)
        if call is not None:
            call.span, call.timeslot = span, timeslot

    def phase(self, call: Call, phase: str) -> None:
        """The call, its lease and its channel are in that phase."""
        call.phase = phase
        call.alerted = call.alerted or phase == Phase.ALERTING
        lease = self.leases.get(call.token)
        if lease is not None:
            lease.phase = _LEASE_PHASES.get(phase, phase)
            self._occupy(lease)

    def bind(self, call: Call, token: str, span: str, timeslot: int) -> None:
        """The call is on that lease and no other, and the lease is the call's owner's."""
        if call.token not in ("", token):
            self.end_lease(call.token)
        call.token, call.span, call.timeslot = token, span, timeslot
        lease = self.lease(token, call.host, span, timeslot, call.owner, call.client)
        lease.call, lease.group = call.call, call.group
        if (lease.span, lease.timeslot) != (span, timeslot):
            self.move(token, span, timeslot)
        lease.phase = _LEASE_PHASES.get(call.phase, call.phase)
        self._occupy(lease)

    def groups_of(self, span: str, timeslot: int) -> tuple[str, ...]:
        """The trunk groups the B-channel is in, as configured."""
        channel = self.channel(span, timeslot)
        return channel.groups if channel is not None else ()

    def counted_in(self, lease: Lease) -> tuple[str, ...]:
        """The groups whose limits it counts against: the one it came through, or all of a channel named for itself."""
        call = self.calls.get(lease.call)
        if lease.group or (call is not None and call.direction == "incoming"):
            return (lease.group,)
        return self.groups_of(lease.span, lease.timeslot)

    def _blank(self, span: Span) -> None:
        """Nothing is known of the span's channels but what is configured."""
        for timeslot, channel in span.channels.items():
            fresh = Channel(span.name, timeslot, idle_since=channel.idle_since, groups=channel.groups)
            span.channels[timeslot] = fresh

    def _vacate(self, channel: Channel) -> None:
        channel.token = channel.call = channel.phase = ""
        self._idle_since += 1
        channel.idle_since = self._idle_since
        if self.on_idle is not None:
            self.on_idle()

    def _occupy(self, lease: Lease) -> None:
        channel = self.channel(lease.span, lease.timeslot)
        if channel is not None:
            channel.token, channel.call, channel.phase = lease.token, lease.call, lease.phase

    def spans_of(self, host: str) -> Iterator[Span]:
        """The host's spans."""
        return (span for span in self.spans.values() if span.config.host == host)

    def _forget(self, host: str) -> tuple[dict[str, Lease], dict[str, Call]]:
        leases = {lease.token: lease for lease in self.leases_of(host)}
        calls = {call.call: call for call in self.calls_of(host)}
        for lease in leases.values():
            del self.leases[lease.token]
            if lease.client is not None:
                lease.client.tokens.discard(lease.token)
        for call in calls.values():
            del self.calls[call.call]
            if call.client is not None:
                call.client.calls.discard(call.call)
        return leases, calls

    def _load_lease(self, host: str, one: LeaseRecord, before: Lease | None) -> None:
        lease = self.leases[one.token] = lease_of(host, one)
        if before is not None:
            lease.given_until = before.given_until
            if before.client is not None and not before.client.gone:
                self.own(lease, before.client)
        self._occupy(lease)

    def _load_call(self, host: str, up: CallState, before: Call | None) -> None:
        call = self.calls[up.call] = call_of(host, up, before)
        if before is not None:
            call.offered, call.left_by, call.alerted = before.offered, before.left_by, before.alerted
            call.offered_as = before.offered_as
            if before.client is not None and not before.client.gone:
                self.own_call(call, before.client)
                call.orphaned = False


_LEASE_PHASES = {"offered": Phase.SETUP, "proceeding": Phase.SETUP}
"""What a lease is called in the phases only calls have."""
_SPAN_WIDE = (Disabled.HOST_DOWN, Disabled.SPAN_ALARM, Disabled.DCHANNEL_DOWN)
"""These are the span's and change with it, without word of each channel."""
