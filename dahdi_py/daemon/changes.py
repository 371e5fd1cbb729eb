# SPDX-License-Identifier: GPL-2.0-or-later
"""What events have changed: the state they lead to travels with the last of them, for whoever keeps a mirror."""

from __future__ import annotations

from dahdi_py.daemon import views
from dahdi_py.daemon.circuits import Lease
from dahdi_py.daemon.inventory import Inventory
from dahdi_py.wire.messages.events import Event, Snapshot, State

_AT_ONCE = 512
"""Channels told of with one event; the rest comes with the next."""


class Changes:
    """Collects what events name, and gives its state as it is when they are committed together.

    Synchronization: the loop's thread.
    """

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._spans: set[str] = set()
        self._channels: dict[tuple[str, int], None] = {}
        self._calls: set[str] = set()
        self._tokens: set[str] = set()
        self._disabled: dict[str, str] = {}
        inventory.on_lease_end = self._lease_ended

    def _lease_ended(self, lease: Lease) -> None:
        """Not every event that ends a lease names it: after glare a call has no channel any more when it ends."""
        self._tokens.add(lease.token)
        if lease.timeslot:
            self._channels[lease.span, lease.timeslot] = None

    def named(self, event: Event) -> None:
        """The event happened: everything it names may be otherwise than before."""
        if event.call:
            self._calls.add(event.call)
        if event.token:
            self._tokens.add(event.token)
        if event.timeslot:
            self._channels[event.span, event.timeslot] = None
        if event.kind in ("channel.bridged", "channel.unbridged"):
            self._tokens.update((event.data["a"], event.data["b"]))
        if event.kind in ("call.moved", "channel.moved"):
            self._channels[event.data["from_span"], event.data["from_timeslot"]] = None
        noun = event.kind.partition(".")[0]
        if noun in ("span", "dchannel"):
            self._span(event.span)
        elif noun == "host":
            self._host(event.host)
        elif noun == "administration" and not event.timeslot:
            for name in (event.span, *(span.name for span in self._inventory.spans_of(event.host))):
                self._all_of(name)

    def forget(self) -> None:
        """Nobody follows what was named."""
        for named in (self._spans, self._channels, self._calls, self._tokens):
            named.clear()

    def take(self) -> tuple[State | None, bool]:
        """The state of all that was named since the last time, None for nothing; and whether there is more."""
        if not (self._spans or self._channels or self._calls or self._tokens):
            return None, False
        inventory = self._inventory
        calls = {name: inventory.calls.get(name) for name in self._calls}
        tokens = self._tokens | {call.token for call in calls.values() if call is not None and call.token}
        leases = {token: inventory.leases.get(token) for token in tokens}
        for one in (*calls.values(), *leases.values()):
            if one is not None and one.timeslot:
                self._channels[one.span, one.timeslot] = None
        places = [self._channels.popitem()[0] for _ in range(min(len(self._channels), _AT_ONCE))]
        state = State(
            spans=[views.span(inventory, inventory.spans[name]) for name in self._spans],
            channels=[view for place in places if (view := views.channel_at(inventory, *place)) is not None],
            calls=[views.call(inventory, call) for call in calls.values() if call is not None],
            leases=[views.lease(lease) for lease in leases.values() if lease is not None],
            ended_calls=[name for name, call in calls.items() if call is None],
            ended_leases=[token for token, lease in leases.items() if lease is None],
        )
        self._spans.clear()
        self._calls.clear()
        self._tokens.clear()
        return state, bool(self._channels)

    def snapshot(self) -> Snapshot:
        """Everything as it is now."""
        inventory = self._inventory
        return Snapshot(
            spans=views.spans(inventory), channels=views.channels(inventory, inventory.spans.values()),
            calls=views.calls(inventory), leases=[views.lease(lease) for lease in inventory.leases.values()],
        )  # fmt: skip

    def group_asked(self, call: str, token: str) -> str:
        """The trunk group the call or lease was asked through; empty for none, or when neither is there."""
        one = self._inventory.calls.get(call)
        lease = self._inventory.leases.get(token)
        return (one.group if one is not None else "") or (lease.group if lease is not None else "")

    def groups_of(self, event: Event) -> tuple[str, ...]:
        """The trunk groups the event concerns: its call's or lease's, else its channel's, else its span's.

        The same whenever it is asked: what a call or lease was asked through stands in the event.
        """
        if event.group:
            return (event.group,)
        if event.timeslot:
            return self._inventory.groups_of(event.span, event.timeslot)
        span = self._inventory.spans.get(event.span)
        return span.groups if span is not None else ()

    def _span(self, name: str) -> None:
        span = self._inventory.spans.get(name)
        if span is None:
            return
        self._spans.add(name)
        # Only what ends or begins its service changes each of its channels; counters come all the time.
        if self._disabled.get(name) != str(span.disabled):
            self._all_of(name)

    def _all_of(self, name: str) -> None:
        span = self._inventory.spans.get(name)
        if span is None:
            return
        self._disabled[name] = str(span.disabled)
        self._spans.add(name)
        self._channels.update(dict.fromkeys((name, timeslot) for timeslot in span.channels))

    def _host(self, host: str) -> None:
        for span in self._inventory.spans_of(host):
            self._all_of(span.name)
        self._calls.update(call.call for call in self._inventory.calls_of(host))
        self._tokens.update(lease.token for lease in self._inventory.leases_of(host))
