# SPDX-License-Identifier: GPL-2.0-or-later
"""What a line host tells: each event changes the inventory, and becomes an event of ours and a line in the ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import msgspec

from dahdi_py.core.cause import cause_name
from dahdi_py.core.terms import Phase
from dahdi_py.daemon import ledger
from dahdi_py.daemon.circuits import NOBODY, Call
from dahdi_py.daemon.inventory import Inventory
from dahdi_py.daemon.news import Data, News, check, read, with_cause_name
from dahdi_py.wire.messages.calls import CallRecord
from dahdi_py.wire.messages.common import Message
from dahdi_py.wire.messages.host import (
    Attempted,
    BridgeEnded,
    BridgeJoined,
    ChannelState,
    ClockSeen,
    Ended,
    HangupSeen,
    Moved,
    Offered,
    Preempted,
    Progressed,
    SpanState,
)

_Columns: TypeAlias = tuple[tuple[str, str | int], ...]


class Told(NamedTuple):
    """An event as it is published, and what the ledger keeps of it."""

    kind: str
    data: Data
    entry: ledger.Entry | None = None


class Source(NamedTuple):
    """Who tells: a host, in its start."""

    host: str
    start: int


def take_in(inventory: Inventory, source: Source, event: News, known: bool) -> Told:
    """The event as published, after the inventory has it.

    Args:
        known: The snapshot had it already: the inventory is not to be changed.

    Raises:
        msgspec.ValidationError: The event's data are not of its kind.
    """
    check(event)
    teller = _TELLERS.get(event.kind)
    if teller is None:
        return Told(event.kind, event.data)
    return teller(inventory, source, event, known)


def record_of(call: Call, started_ns: int, start: int, circuit: str) -> ledger.Opened:
    """The row of a call that the ledger missed."""
    return ledger.Opened(
        call.call, call.direction, call.host, start, call.span, call.timeslot, call.called, call.calling, call.bearer,
        started_ns, call.owner, call.correlation, (), call.emergency, call.group, circuit,
    )  # fmt: skip


def ended_unseen(call: Call, now_ns: int, cleared_by: str, reason: str) -> dict[str, Any]:
    """The data of `call.ended` for a call whose host cannot tell any more."""
    duration = now_ns - call.answered_ns if call.answered_ns else 0
    ended = Ended(
        direction=call.direction, called=call.called, calling=call.calling, bearer=call.bearer, span=call.span,
        timeslot=call.timeslot, attempt=call.attempt, cause=0, location="", cleared_by=cleared_by, reason=reason,
        started_ns=call.started_ns, alerting_ns=0, answered_ns=call.answered_ns, ended_ns=now_ns,
        duration_ns=max(0, duration), messages=[], correlation=call.correlation, owner=call.owner,
        emergency=call.emergency, group=call.group,
    )  # fmt: skip
    return {**msgspec.to_builtins(ended), "cause_name": ""}


def whole(call: Call, ended: Ended) -> Ended:
    """The record with what the hosts before the last one told."""
    return msgspec.structs.replace(
        ended, messages=[*call.earlier, *ended.messages], started_ns=min(call.started_ns, ended.started_ns)
    )


def data_of(ended: Ended) -> dict[str, Any]:
    """The data of `call.ended`."""
    return {**msgspec.to_builtins(ended), "cause_name": cause_name(ended.cause)}


def ended_of(record: CallRecord, cleared_by: str, reason: str) -> dict[str, Any]:
    """The data of `call.ended` for a call of which nothing is left but its open row."""
    duration = record.ended_ns - record.answered_ns if record.answered_ns else 0
    ended = Ended(
        direction=record.direction, called=record.called, calling=record.calling, bearer=record.bearer,
        span=record.span, timeslot=record.timeslot, attempt=record.attempts, cause=0, location="",
        cleared_by=cleared_by, reason=reason, started_ns=record.started_ns, alerting_ns=record.alerting_ns,
        answered_ns=record.answered_ns, ended_ns=record.ended_ns, duration_ns=max(0, duration),
        messages=record.messages, correlation=record.correlation, owner=record.owner, emergency=record.emergency,
        group=record.group,
    )  # fmt: skip
    return {**msgspec.to_builtins(ended), "cause_name": ""}


def _message(name: str, sent: bool, event: News, cause: int = 0, location: str = "") -> Message:
    return Message(
        name=name, sent=sent, utc_ns=event.utc_ns, monotonic_ns=event.monotonic_ns, cause=cause, location=location
    )


def _span_status(inventory: Inventory, source: Source, event: News, known: bool) -> Told:
    state = read(event, SpanState)
    span = inventory.spans.get(state.name)
    before = span.state if span else None
    if not known:
        inventory.span_state(state)
    if before is not None and before.alarms == state.alarms:
        return Told("span.status", event.data)
    return Told("span.alarm" if state.alarms else "span.clear", event.data)


def _span_clock(inventory: Inventory, source: Source, event: News, known: bool) -> Told:
    seen = read(event, ClockSeen)
    span = inventory.spans.get(event.span)
    if span is not None and span.state is not None and not known:
        changed = msgspec.structs.replace(span.state, sync_name=seen.source, sync_since_ns=event.utc_ns)
        inventory.span_state(changed)
    return Told(event.kind, event.data)


def _dchannel(inventory: Inventory, source: Source, event: News, known: bool) -> Told:
    span = inventory.spans.get(event.span)
    if span is not None and span.state is not None and not known:
        up = event.kind.rpartition(".")[2]
        inventory.span_state(msgspec.structs.replace(span.state, dchannel=up, dchannel_since_ns=event.utc_ns))
    return Told(event.kind, event.data)


def _offered(inventory: Inventory, source: Source, event: News, known: bool) -> Told:
    offered = read(event, Offered)
    call = inventory.calls.get(event.call)
    if call is None and not known:
        call = inventory.calls[event.call] = Call(
            event.call, source.host, "incoming", "offered", event.span, event.timeslot, offered.called,
            offered.calling, offered.bearer, event.utc_ns,
        )  # fmt: skip
        if event.token:
            inventory.bind(call, event.token, event.span, event.timeslot)
    if call is not None:
        call.offered = offered
    row = ledger.Opened(
        event.call, "incoming", source.host, source.start, event.span, event.timeslot, offered.called,
        offered.calling, offered.bearer, event.utc_ns, NOBODY, "", (_message("SETUP", False, event),),
        circuit=inventory.circuit(event.span),
    )  # fmt: skip
    return Told(event.kind, event.data, row)


def _attempt(inventory: Inventory, source: Source, event: News, known: bool) -> Told:
    tried = read(event, Attempted)
    call = inventory.calls.get(event.call)
    if not known:
        if call is None:
            call = inventory.calls[event.call] = Call(
                event.call, source.host, "outgoing", "setup", event.span, event.timeslot, tried.called,
                tried.calling, tried.bearer, event.utc_ns, correlation=tried.correlation, owner=tried.owner,
                emergency=tried.emergency, group=tried.group,
            )  # fmt: skip
        call.attempt = tried.attempt
        call.host = source.host
        if event.token:
            inventory.bind(call, event.token, event.span, event.timeslot)
    setup = _message("SETUP", True, event)
    if tried.attempt > 1:
        whose: _Columns = (("attempts", tried.attempt), ("host", source.host), ("start", source.start))
        columns = (*whose, *_at(inventory, event.span, event.timeslot))
        return Told(event.kind, event.data, ledger.Stepped(event.call, event.utc_ns, columns, setup))
    row = ledger.Opened(
        event.call, "outgoing", source.host, source.start, event.span, event.timeslot, tried.called, tried.calling,
        tried.bearer, event.utc_ns, tried.owner, tried.correlation, (setup,), tried.emergency, tried.group,
        inventory.circuit(event.span),
    )  # fmt: skip
    return Told(event.kind, event.data, row)


def _at(inventory: Inventory, span: str, timeslot: int) -> _Columns:
    """A record's columns that say where the call is."""
    return (("span", span), ("timeslot", timeslot), ("circuit", inventory.circuit(span)))


_STEPS = {
    "call.proceeding": ("CALL PROCEEDING", "proceeding"),
    "call.alerting": ("ALERTING", Phase.ALERTING),
    "call.progress": ("PROGRESS", ""),
    "call.answered": ("CONNECT", Phase.ACTIVE),
}


def _step(inventory: Inventory, source: Source, event: News, known: bool) -> Told:
    name, phase = _STEPS[event.kind]
    progressed = read(event, Progressed)
    columns: list[tuple[str, str | int]] = []
    if phase == Phase.ALERTING:
        columns.append(("alerting_ns", event.utc_ns))
    if phase == Phase.ACTIVE:
        columns.append(("answered_ns", event.utc_ns))
    call = inventory.calls.get(event.call)
    if call is not None and not known:
        if phase and call.phase not in (Phase.ACTIVE, Phase.RELEASING):
            inventory.phase(call, phase)
        if phase == Phase.ACTIVE:
            call.answered_ns = event.utc_ns
    sent = call is not None and call.direction == "incoming"
    message = _message(name, sent, event, progressed.cause)
    return Told(event.kind, event.data, ledger.Stepped(event.call, event.utc_ns, tuple(columns), message))


def _media(inventory: Inventory, source: Source, event: News, known: bool) -> Told:
    call = inventory.calls.get(event.call)
    if call is not None:
        call.media = True
    return Told(event.kind, event.data)


def _moved(inventory: Inventory, source: Source, event: News, known: bool) -> Told:
    moved = read(event, Moved)
    if not known:
        inventory.move(event.token, moved.span, moved.timeslot)
    data = read(event, dict)
    if not event.call:
        return Told("channel.moved", data)
    columns = _at(inventory, moved.span, moved.timeslot)
    return Told("call.moved", data, ledger.Stepped(event.call, event.utc_ns, columns))


def _unclaimed(inventory: Inventory, source: Source, event: News, known: bool) -> Told:
    call = inventory.calls.get(event.call)
    if call is not None and not known:
        inventory.unclaim(call)
    columns = (("owner", msgspec.json.encode(NOBODY).decode()),)
    return Told(event.kind, event.data, ledger.Stepped(event.call, event.utc_ns, columns))


def _preempted(inventory: Inventory, source: Source, event: News, known: bool) -> Told:
    call = inventory.calls.get(event.call)
    if read(event, Preempted).by and call is not None and not known:
        inventory.phase(call, Phase.RELEASING)
    return Told(event.kind, event.data)


def _hangup(inventory: Inventory, source: Source, event: News, known: bool) -> Told:
    seen = read(event, HangupSeen)
    call = inventory.calls.get(event.call)
    if call is not None and not known:
        inventory.phase(call, Phase.RELEASING)
    message = _message("DISCONNECT", False, event, seen.cause, seen.location)
    data = with_cause_name(event.data, seen.cause)
    return Told(event.kind, data, ledger.Stepped(event.call, event.utc_ns, (), message))


def _ended(inventory: Inventory, source: Source, event: News, known: bool) -> Told:
    ended = read(event, Ended)
    call = inventory.calls.get(event.call)
    if call is not None and not known:
        inventory.end_call(call)
    data: Data = with_cause_name(event.data, ended.cause)
    if call is not None and call.earlier:
        ended = whole(call, ended)
        data = data_of(ended)
    circuit = inventory.circuit(ended.span)
    return Told(event.kind, data, ledger.Closed(event.call, source.host, source.start, ended, circuit))


def _lease_ended(inventory: Inventory, source: Source, event: News, known: bool) -> Told:
    if event.token in inventory.leases and not known:
        inventory.void_lease(event.token)
    elif not known:
        inventory.ended_early(event.token)
    return Told("channel.released", event.data)


def _channel_state(inventory: Inventory, source: Source, event: News, known: bool) -> Told:
    state = read(event, ChannelState)
    if not known:
        inventory.channel_state(state)
    return Told(event.kind, event.data)


def _bridge_joined(inventory: Inventory, source: Source, event: News, known: bool) -> Told:
    joined = read(event, BridgeJoined)
    if not known:
        inventory.bridge(joined.a, joined.b)
    return Told("channel.bridged", read(event, dict))


def _bridge_ended(inventory: Inventory, source: Source, event: News, known: bool) -> Told:
    ended = read(event, BridgeEnded)
    if not known:
        inventory.bridge(ended.a, ended.b, False)
    return Told("channel.unbridged", {"a": ended.a, "b": ended.b} | ({"reason": ended.reason} if ended.reason else {}))


def _lost(inventory: Inventory, source: Source, event: News, known: bool) -> Told:
    return Told("gap", {**read(event, dict), "reason": f"line host {source.host} could not keep them all"})


_TELLERS: dict[str, Callable[[Inventory, Source, News, bool], Told]] = {
    "span.status": _span_status,
    "span.clock": _span_clock,
    "dchannel.up": _dchannel,
    "dchannel.down": _dchannel,
    "call.offered": _offered,
    "call.attempt": _attempt,
    **dict.fromkeys(_STEPS, _step),
    "call.media": _media,
    "call.moved": _moved,
    "lease.moved": _moved,
    "call.unclaimed": _unclaimed,
    "call.preempted": _preempted,
    "call.hangup": _hangup,
    "call.ended": _ended,
    "lease.ended": _lease_ended,
    "channel.state": _channel_state,
    "bridge.joined": _bridge_joined,
    "bridge.ended": _bridge_ended,
    "outbox.lost": _lost,
}
