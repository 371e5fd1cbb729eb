# SPDX-License-Identifier: GPL-2.0-or-later
"""What the daemon knows, as the records of the control socket."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from dahdi_py.core.alarm_board import Acknowledged, Standing
from dahdi_py.core.config import Group as GroupConfig
from dahdi_py.core.terms import Alarms, Disabled
from dahdi_py.daemon import circuits
from dahdi_py.daemon.inventory import Inventory
from dahdi_py.daemon.kept import Administered
from dahdi_py.wire.messages.alarms import Alarm
from dahdi_py.wire.messages.calls import Call
from dahdi_py.wire.messages.channels import Channel
from dahdi_py.wire.messages.common import Lease
from dahdi_py.wire.messages.groups import Group
from dahdi_py.wire.messages.spans import Span

_STATES: dict[str, str] = {
    Disabled.HOST_DOWN: "host_down",
    Disabled.SPAN_ALARM: "alarm",
    Disabled.DCHANNEL_DOWN: "dchannel_down",
}


def span(inventory: Inventory, one: circuits.Span) -> Span:
    """The span with everything an operator looks for."""
    said, conf = one.state, one.config
    alarms = Alarms(said.alarms) if said is not None else Alarms.NONE
    state = "absent" if one.host_up and Alarms.ABSENT in alarms else _STATES.get(one.disabled, "ok")
    return Span(
        name=conf.name, number=conf.number or 0, host=conf.host, card=conf.card, port=conf.port,
        driver=said.driver if said else "", description=said.description if said else "", type=str(conf.type),
        framing=said.framing if said else conf.framing, coding=said.coding if said else conf.coding,
        crc4=said.crc4 if said else conf.crc4, timing=said.timing if said else conf.timing,
        switch_type=str(conf.switch_type), node=str(conf.node), law=str(conf.used_law), state=state,
        alarms=int(alarms), words=said.words if said else [], dchannel=_dchannel(one),
        dchannel_timeslot=conf.dchannel_timeslot, dchannel_since_ns=said.dchannel_since_ns if said else 0,
        used=one.used, usable=one.usable, total=len(one.channels), since_ns=one.since_ns,
        channel_map=circuits.map_of(one, inventory.calls), counters=said.counters if said else {},
        sync_source=said.sync_source if said else None, sync_name=said.sync_name if said else "",
        groups=list(one.groups), circuit_id=conf.circuit_id, carrier=conf.carrier, noc_phone=conf.noc_phone,
        held_until_ns=said.held_until_ns if said else 0, returns=said.returns if said else 0,
    )  # fmt: skip


def _dchannel(one: circuits.Span) -> str:
    if not one.config.dchannel_timeslot:
        return "none"
    return one.state.dchannel if one.host_up and one.state is not None else "down"


def spans(inventory: Inventory) -> list[Span]:
    """Every configured span, by number."""
    ordered = sorted(inventory.spans.values(), key=lambda one: one.config.number or 0)
    return [span(inventory, one) for one in ordered]


def channels(inventory: Inventory, of: Iterable[circuits.Span]) -> list[Channel]:
    """The spans' B-channels, by span number and timeslot."""
    ordered = sorted(of, key=lambda one: one.config.number or 0)
    return [_channel(inventory, one, channel) for one in ordered for _, channel in sorted(one.channels.items())]


def channel_at(inventory: Inventory, span: str, timeslot: int) -> Channel | None:
    """The B-channel there; None when there is none."""
    one = inventory.spans.get(span)
    channel = one.channels.get(timeslot) if one is not None else None
    return _channel(inventory, one, channel) if one is not None and channel is not None else None


def lease(one: circuits.Lease) -> Lease:
    """The lease as it is now."""
    return Lease(
        token=one.token, span=one.span, timeslot=one.timeslot, owner=one.owner, phase=str(one.phase), call=one.call,
        exclusive=one.exclusive, orphaned=one.orphaned, expires_ns=one.expires_ns, detached=one.detached,
        group=one.group, bridged=one.bridged,
    )  # fmt: skip


def _channel(inventory: Inventory, one: circuits.Span, channel: circuits.Channel) -> Channel:
    held = inventory.leases.get(channel.token)
    return Channel(
        span=one.name, span_number=one.config.number or 0, timeslot=channel.timeslot,
        administrative=channel.administrative, disabled=str(one.disabled or channel.disabled),
        usage="busy" if channel.busy else "idle", phase=channel.phase, token=channel.token, call=channel.call,
        owner=held.owner if held else None, orphaned=held.orphaned if held else False, who=channel.who,
        why=channel.why, since_ns=channel.since_ns, expires_ns=held.expires_ns if held else 0,
        lessee=channel.lessee,
    )  # fmt: skip


def call(inventory: Inventory, one: circuits.Call) -> Call:
    """The call as it is now."""
    at = inventory.spans.get(one.span)
    held = inventory.leases.get(one.token)
    return Call(
        call=one.call, direction=one.direction, phase=str(one.phase), span=one.span,
        span_number=(at.config.number or 0) if at else 0, timeslot=one.timeslot, token=one.token, called=one.called,
        calling=one.calling, bearer=one.bearer, started_ns=one.started_ns, answered_ns=one.answered_ns,
        attempt=one.attempt, media=one.media, owner=one.owner, orphaned=held.orphaned if held else one.orphaned,
        correlation=one.correlation, emergency=one.emergency, group=one.group,
    )  # fmt: skip


def calls(inventory: Inventory) -> list[Call]:
    """Calls now, oldest first."""
    return [call(inventory, one) for one in sorted(inventory.calls.values(), key=lambda one: one.started_ns)]


def group(inventory: Inventory, conf: GroupConfig, serving: int, state: Administered) -> Group:
    """The trunk group and its capacity."""
    used = usable = total = 0
    for span, mask in inventory.config.members(conf):
        one = inventory.spans[span]
        own = [channel for timeslot, channel in one.channels.items() if mask >> timeslot & 1]
        total += len(own)
        used += sum(channel.busy for channel in own)
        if not one.disabled:
            usable += sum(channel.usable for channel in own)
    leases = sum(conf.name in inventory.counted_in(lease) for lease in inventory.leases.values())
    return Group(
        name=conf.name, spans=list(conf.spans), hunt=str(conf.hunt or ""), used=used, usable=usable, total=total,
        serving=serving, overflow=conf.overflow or "", reserve_last=conf.reserve_last,
        leases=leases, max_channels=conf.max_channels,
        calls_per_minute=conf.calls_per_minute, administrative=state.state, who=state.who, why=state.why,
        since_ns=state.since_ns,
    )  # fmt: skip


def alarm_record(one: Standing) -> Alarm:
    """The alarm as it is listed."""
    said, seen = one.condition, one.acknowledged or Acknowledged("", 0)
    clearing = said.kind == "span" and not said.driver
    return Alarm(
        kind=said.kind, subject=said.subject, words=list(said.words), severity=said.severity, text=said.text,
        since_ns=one.raised_ns, id=one.id, aspect=said.aspect,
        state="cleared" if one.cleared_ns else "clearing" if clearing else "raised", raw=list(said.raw),
        driver=list(said.driver), integrated=list(said.integrated), acknowledged=one.acknowledged is not None,
        acknowledged_by=seen.who, acknowledged_ns=seen.at_ns, note=seen.note, flaps=one.flaps, flapping=one.flapping,
        hidden_by=one.hidden_by, cause=said.cause, next_check=said.next_check, impact=said.impact, span=said.span,
        card=said.card, host=said.host, group=said.group, circuit=said.circuit, times=said.times,
        cleared_ns=one.cleared_ns,
    )  # fmt: skip


def alarm_data(one: Standing, sequence: int) -> dict[str, Any]:
    """The alarm as its events tell it."""
    return {**msgspec.to_builtins(alarm_record(one)), "sequence": sequence}
