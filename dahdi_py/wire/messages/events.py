# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Events`: one sequence of everything that happens, resumable by cursor."""

from __future__ import annotations

from typing import Any

from dahdi_py.wire.interface import Empty, Interface, Method, Record, Request
from dahdi_py.wire.messages.common import Cursor, CursorRequest


class Event(Record, omit_defaults=True):
    """Something that happened; committed before it is published.

    Kinds: span.alarm, span.clear, span.status, dchannel.up, dchannel.down · call.offered, call.claimed, call.placed,
    call.attempt, call.proceeding, call.alerting, call.progress, call.media, call.moved, call.answered, call.digits,
    call.hangup, call.ended · channel.allocated, channel.released, channel.reclaimed, channel.orphaned, channel.moved,
    channel.state · host.up, host.down, host.draining, host.drained · daemon.ready, daemon.stopping · gap.

    Attributes:
        epoch: The daemon's epoch, durable, grows with each start.
        n: Number within the epoch.
        data: Fields of the kind; unknown ones are to be ignored.
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


class MonitorRequest(Request):
    """Follow events that fit all given filters, from now or from a cursor.

    Attributes:
        kinds: Exact kinds, or prefixes ending in a dot such as `call.`; empty for all.
        after: Everything later than this cursor first; a `gap` event when it is no longer kept.
    """

    kinds: list[str] = []
    span: str = ""
    call: str = ""
    after: CursorRequest | None = None


class MonitorReply(Record):
    """A batch of events in order (empty in the first reply), and the cursor to resume from."""

    cursor: Cursor
    events: list[Event] = []


INTERFACE = Interface(
    "org.dahdipy.Events",
    "Everything that happens, in one sequence.",
    (
        Method("Monitor", MonitorRequest, MonitorReply, stream=True, doc="Follow events."),
        Method("Position", Empty, MonitorReply, doc="The cursor of the newest event."),
    ),
)
