# SPDX-License-Identifier: GPL-2.0-or-later
"""The service's state as a program keeps it by itself: a snapshot, and the events after it."""

from __future__ import annotations

import math

import msgspec

from dahdi_py.core.channelmap import Use, channel_map
from dahdi_py.wire.messages.calls import Call
from dahdi_py.wire.messages.channels import Channel
from dahdi_py.wire.messages.common import Lease
from dahdi_py.wire.messages.events import Event, MonitorReply, Snapshot, State
from dahdi_py.wire.messages.spans import Span


class Mirror:
    """Exactly what the daemon's lists would say after the last event taken.

    Events must come from a stream without filters that began with the snapshot.

    Attributes:
        channels: By span and timeslot.
        calls, leases: By id and token.

    Synchronization: external.
    """

    def __init__(self) -> None:
        self.channels: dict[tuple[str, int], Channel] = {}
        self.calls: dict[str, Call] = {}
        self.leases: dict[str, Lease] = {}
        self._spans: dict[str, Span] = {}

    def take(self, reply: MonitorReply) -> None:
        """The reply's snapshot, if it has one, and its events are in the mirror."""
        if reply.snapshot is not None:
            self._begin(reply.snapshot)
        for event in reply.events:
            self.take_event(event)

    def take_event(self, event: Event) -> None:
        """The event is in the mirror."""
        if event.kind == "host.up":
            self._forget(event.host, event.data["start"])
        elif event.kind == "host.down" and event.data.get("gone"):
            self._forget(event.host)
        if event.state is not None:
            self._apply(event.state)

    @property
    def spans(self) -> dict[str, Span]:
        """Every span by name, its channels counted as they are."""
        return {name: self._counted(span) for name, span in self._spans.items()}

    def _begin(self, snapshot: Snapshot) -> None:
        self._spans = {span.name: span for span in snapshot.spans}
        self.channels = {(one.span, one.timeslot): one for one in snapshot.channels}
        self.calls = {call.call: call for call in snapshot.calls}
        self.leases = {lease.token: lease for lease in snapshot.leases}

    def _forget(self, host: str, start: float = math.inf) -> None:
        """What the host had in earlier starts than this has ended, whether a daemon lived to tell it or not."""
        ended = {token for token in self.leases if _before(token, host, start)}
        for token in ended:
            del self.leases[token]
        for call in [one.call for one in self.calls.values() if _before(one.token, host, start)]:
            del self.calls[call]

    def _apply(self, state: State) -> None:
        self._spans.update((span.name, span) for span in state.spans)
        self.channels.update(((one.span, one.timeslot), one) for one in state.channels)
        self.calls.update((call.call, call) for call in state.calls)
        self.leases.update((lease.token, lease) for lease in state.leases)
        for call in state.ended_calls:
            self.calls.pop(call, None)
        for token in state.ended_leases:
            self.leases.pop(token, None)

    def _counted(self, span: Span) -> Span:
        own = {timeslot: one for (name, timeslot), one in self.channels.items() if name == span.name}
        uses = {timeslot: self._use(one) for timeslot, one in own.items()}
        usable = sum(not use.disabled and use.administrative == "unlocked" for use in uses.values())
        return msgspec.structs.replace(
            span, used=sum(use.busy for use in uses.values()), usable=usable,
            channel_map=channel_map(len(span.channel_map), span.dchannel_timeslot, uses),
        )  # fmt: skip

    def _use(self, one: Channel) -> Use:
        call = self.calls.get(one.call)
        direction = call.direction if call is not None else ""
        return Use(one.disabled, one.administrative, one.phase, one.usage == "busy", direction)


def _before(token: str, host: str, start: float) -> bool:
    """Whether the host gave the token in an earlier start; a token is its host, its start and a count."""
    of, _, rest = token.partition("/")
    return of == host and int(rest.partition("/")[0]) < start
