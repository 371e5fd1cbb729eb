# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls and their records as text: the table, the page about one, the stages of one as they happen."""

from __future__ import annotations

from collections.abc import Sequence

import click

from dahdi_py.cli.output import Column, table
from dahdi_py.cli.times import age, duration, local, local_clock, offset
from dahdi_py.wire.messages.calls import Call, CallRecord
from dahdi_py.wire.messages.common import Cause, Message, Owner, Party
from dahdi_py.wire.messages.events import Event

_CALLS = (
    Column("CALL"), Column("DIR"), Column("PHASE"), Column("SPAN:TS", right=True), Column("FROM"), Column("TO"),
    Column("AGE", right=True), Column("OWNER"),
)  # fmt: skip
_RECORDS = (
    Column("CALL"), Column("STARTED"), Column("DIR"), Column("SPAN:TS"), Column("FROM"), Column("TO"),
    Column("TALKED", right=True), Column("CAUSE"), Column("CLEARED BY"),
)  # fmt: skip
_DIRECTIONS = {"incoming": "in", "outgoing": "out"}
_PHASE_COLOURS = {"active": "green", "alerting": "cyan", "releasing": "yellow"}

CLEARED_BY = {
    "peer": "the far end",
    "core": "this end",
    "client_death": "the end of the client that owned it",
    "operator": "an operator",
    "daemon_lost": "the loss of the control daemon",
    "host": "the line host",
    "line": "a failure of the line",
}


def call_table(calls: Sequence[Call], now_ns: int) -> str:
    """One line a call under titles, oldest first.

    Args:
        now_ns: UTC, ns.
    """
    if not calls:
        return "no calls"
    return table(_CALLS, [_call_row(call, now_ns) for call in calls])


def _call_row(call: Call, now_ns: int) -> list[str]:
    return [
        call.call,
        _DIRECTIONS.get(call.direction, call.direction),
        click.style(call.phase, fg=_PHASE_COLOURS.get(call.phase)),
        f"{call.span_number}:{call.timeslot}",
        number(call.calling),
        number(call.called),
        age(call.answered_ns or call.started_ns, now_ns),
        "nobody (orphaned)" if call.orphaned else owner(call.owner),
    ]


def number(party: Party) -> str:
    """The party's digits; ``(restricted)`` and the like when they are not given."""
    if party.number:
        return party.number
    return "" if party.presentation == "allowed" else f"({party.presentation})"


def owner(holder: Owner) -> str:
    """Who holds something: its own label, else its process; empty for nobody."""
    if holder.label:
        return holder.label
    return f"pid {holder.pid}" if holder.pid else ""


def call_page(call: Call, now_ns: int) -> str:
    """All about one call that is up."""
    rows = [
        f"Call {call.call} is {call.phase}: {call.direction} on span {call.span_number} ({call.span}), "
        f"timeslot {call.timeslot}.",
        f"  From {number(call.calling) or 'nobody named'} to {number(call.called) or 'no number'}, "
        f"{call.bearer.capability}.",
        f"  Set up {age(call.started_ns, now_ns)} ago, "
        + (f"answered {age(call.answered_ns, now_ns)} ago." if call.answered_ns else "not answered."),
        f"  Owner: {owner(call.owner) or 'nobody'}{' (orphaned)' if call.orphaned else ''}; "
        f"attempt {call.attempt}; audio {'agreed' if call.media else 'not agreed yet'}.",
    ]
    return "\n".join([*rows, *([f"  Correlation: {call.correlation}"] if call.correlation else [])])


def record_table(records: Sequence[CallRecord]) -> str:
    """One line a record under titles, newest first."""
    if not records:
        return "no records"
    return table(_RECORDS, [_record_row(record) for record in records])


def _record_row(record: CallRecord) -> list[str]:
    return [
        record.call,
        local(record.started_ns),
        _DIRECTIONS.get(record.direction, record.direction),
        f"{record.span}:{record.timeslot}",
        number(record.calling),
        number(record.called),
        duration(record.duration_ns) if record.answered_ns else "",
        "open" if record.state == "open" else cause_words(record.cause, place=False),
        record.cleared_by,
    ]


def cause_words(cause: Cause | None, place: bool = True) -> str:
    """The cause as number and words, and who set it: ``16 normal call clearing (user)``."""
    if cause is None or not cause.value:
        return "no cause given"
    location = f" ({cause.location.replace('_', ' ')})" if place and cause.location else ""
    return f"{cause.value} {cause.name}{location}"


def _circuit(record: CallRecord) -> str:
    return f", circuit {record.circuit}" if record.circuit not in ("", record.span) else ""


def record_page(record: CallRecord) -> str:
    """The whole record of one call, with every Q.931 message and its instant."""
    lines = [
        f"Call {record.call} ({record.state}): {record.direction} on span {record.span}, timeslot {record.timeslot}, "
        f"line host {record.host}{_circuit(record)}.",
        f"  From {number(record.calling) or 'nobody named'} to {number(record.called) or 'no number'}, "
        f"{record.bearer.capability}; {_attempts(record.attempts)}.",
        f"  Set up {local(record.started_ns)}, {_progress(record)}.",
    ]
    if record.state != "open":
        why = f" ({record.reason})" if record.reason else ""
        by = CLEARED_BY.get(record.cleared_by, record.cleared_by)
        lines.append(f"  Cleared by {by}{why}: cause {cause_words(record.cause)}.")
    if holder := owner(record.owner):
        lines.append(f"  Owner: {holder}.")
    if record.correlation:
        lines.append(f"  Correlation: {record.correlation}")
    return "\n".join([*lines, "", "  Q.931 messages", *message_lines(record.messages)])


def _attempts(count: int) -> str:
    return "one attempt" if count == 1 else f"{count} attempts"


def _progress(record: CallRecord) -> str:
    if not record.answered_ns:
        return "rang, not answered" if record.alerting_ns else "not answered"
    return f"answered {local_clock(record.answered_ns)}, lasted {duration(record.duration_ns)}"


def message_lines(messages: Sequence[Message]) -> list[str]:
    """One line a message: time of day, seconds since the first, direction, name, cause."""
    if not messages:
        return ["    none yet"]
    first = messages[0].monotonic_ns
    return [
        f"    {local_clock(message.utc_ns)}  {offset(message.monotonic_ns - first):>9}  "
        f"{'sent' if message.sent else 'received':<8}  {message.name}{_message_cause(message)}"
        for message in messages
    ]


def _message_cause(message: Message) -> str:
    if not message.cause:
        return ""
    return f"  cause {message.cause}" + (f" ({message.location.replace('_', ' ')})" if message.location else "")


def stage(event: Event) -> str:
    """One event of a call in words, for somebody who waits for it; empty when it says nothing new to them."""
    kind = event.kind.removeprefix("call.")
    if kind == "attempt":
        attempt = int(event.data.get("attempt", 1))
        return "" if attempt == 1 else f"attempt {attempt} on span {event.span}, timeslot {event.timeslot}"
    if kind == "moved" and not event.timeslot:
        return "glare: the far end took the channel, and has yet to name another"
    if kind in ("moved", "media"):
        return f"channel is span {event.span}, timeslot {event.timeslot}" if kind == "moved" else ""
    words = {
        "proceeding": "proceeding",
        "alerting": "ringing",
        "progress": "progress",
        "answered": click.style("answered", fg="green"),
        "hangup": "the far end hangs up",
    }
    return words.get(kind, "") + (" (tones or announcement in the channel)" if event.data.get("in_band") else "")
