# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Events`: one sequence of everything that happens, resumable by cursor."""

from __future__ import annotations

from typing import Any

from dahdi_py.wire.interface import Empty, Interface, Method, Record, Request
from dahdi_py.wire.messages.calls import Call
from dahdi_py.wire.messages.channels import Channel
from dahdi_py.wire.messages.common import Cursor, CursorRequest, Lease
from dahdi_py.wire.messages.spans import Span


class State(Record, omit_defaults=True):
    """What events changed, as it is after them: each record takes the place of the one of its name before.

    A span's `used`, `usable` and `channel_map` follow from its channels.
    """

    spans: list[Span] = []
    channels: list[Channel] = []
    calls: list[Call] = []
    leases: list[Lease] = []
    ended_calls: list[str] = []
    ended_leases: list[str] = []


class Event(Record, omit_defaults=True):
    """Something that happened; committed before it is published.

    Kinds: span.alarm, span.clear, span.status, span.clock, performance.threshold, dchannel.up, dchannel.down ·
    call.offered, call.claimed, call.placed, call.attempt, call.proceeding, call.alerting, call.progress, call.media,
    call.moved, call.answered, call.digits, call.hangup, call.ended, call.unclaimed, call.preempted ·
    channel.allocated, channel.released, channel.reclaimed, channel.orphaned, channel.moved, channel.state,
    channel.renewed, channel.handover, channel.bridged, channel.unbridged · administration.changed,
    administration.empty · alarm.raised, alarm.changed, alarm.cleared · host.up, host.down, host.draining,
    host.drained · daemon.ready, daemon.stopping · state (nothing happened, but more has changed than one event
    tells) · gap.

    Attributes:
        epoch: The daemon's epoch, durable, grows with each start.
        n: Number within the epoch.
        group: The trunk group it concerns, where it is one's.
        data: Fields of the kind; unknown ones are to be ignored.
        state: With the last event of each commit: all that the commit's events changed.
    """

    epoch: int
    n: int
    utc_ns: int
    kind: str
    monotonic_ns: int = 0
    host: str = ""
    span: str = ""
    timeslot: int = 0
    call: str = ""
    token: str = ""
    group: str = ""
    data: dict[str, Any] = {}
    state: State | None = None


class MonitorRequest(Request):
    """Follow events that fit all given filters, from now or from a cursor.

    Attributes:
        kinds: Exact kinds, or prefixes ending in a dot such as `call.`; empty for all.
        after: Everything later than this cursor first; a `gap` event when it is no longer kept.
        group: Only events of this trunk group: of its calls and leases, its channels, its spans.
        snapshot: The first reply carries the whole state at its cursor, instead of `after`: with the `state` of the
            events after it, exactly what is.
    """

    kinds: list[str] = []
    span: str = ""
    call: str = ""
    after: CursorRequest | None = None
    group: str = ""
    snapshot: bool = False


class Snapshot(Record):
    """Everything that events change, as it is at the cursor it comes with."""

    spans: list[Span]
    channels: list[Channel]
    calls: list[Call]
    leases: list[Lease]


class MonitorReply(Record):
    """A batch of events in order (empty in the first reply), and the cursor to resume from.

    Attributes:
        snapshot: In the first reply when it was asked for, and with each `gap` event: the state at this cursor.
    """

    cursor: Cursor
    events: list[Event] = []
    snapshot: Snapshot | None = None


INTERFACE = Interface(
    "org.dahdipy.Events",
    "Everything that happens, in one sequence.",
    (
        Method("Monitor", MonitorRequest, MonitorReply, stream=True, doc="Follow events."),
        Method("Position", Empty, MonitorReply, doc="The cursor of the newest event."),
    ),
)
