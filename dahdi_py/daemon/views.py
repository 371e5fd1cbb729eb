# SPDX-License-Identifier: GPL-2.0-or-later
"""What the daemon knows, as the records of the control socket."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from dahdi_py.core import alarm
from dahdi_py.core.config import Group as GroupConfig
from dahdi_py.core.terms import Alarms, Disabled
from dahdi_py.daemon import circuits
from dahdi_py.daemon.inventory import Inventory
from dahdi_py.wire.messages.alarms import Alarm
from dahdi_py.wire.messages.calls import Call
from dahdi_py.wire.messages.channels import Channel
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
        channel_map=circuits.channel_map(one, inventory.calls), counters=said.counters if said else {},
        sync_source=said.sync_source if said else None, groups=list(one.groups),
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


def _channel(inventory: Inventory, one: circuits.Span, channel: circuits.Channel) -> Channel:
    lease = inventory.leases.get(channel.token)
    return Channel(
        span=one.name, span_number=one.config.number or 0, timeslot=channel.timeslot,
        administrative=channel.administrative, disabled=str(one.disabled or channel.disabled),
        usage="busy" if channel.busy else "idle", phase=channel.phase, token=channel.token, call=channel.call,
        owner=lease.owner if lease else None, orphaned=lease.orphaned if lease else False,
    )  # fmt: skip


def call(inventory: Inventory, one: circuits.Call) -> Call:
    """The call as it is now."""
    at = inventory.spans.get(one.span)
    lease = inventory.leases.get(one.token)
    return Call(
        call=one.call, direction=one.direction, phase=str(one.phase), span=one.span,
        span_number=(at.config.number or 0) if at else 0, timeslot=one.timeslot, token=one.token, called=one.called,
        calling=one.calling, bearer=one.bearer, started_ns=one.started_ns, answered_ns=one.answered_ns,
        attempt=one.attempt, media=one.media, owner=one.owner, orphaned=lease.orphaned if lease else one.orphaned,
        correlation=one.correlation,
    )  # fmt: skip


def calls(inventory: Inventory) -> list[Call]:
    """Calls now, oldest first."""
    return [call(inventory, one) for one in sorted(inventory.calls.values(), key=lambda one: one.started_ns)]


def group(inventory: Inventory, conf: GroupConfig, serving: int) -> Group:
    """The trunk group and its capacity."""
    members = [inventory.spans[name] for name in conf.spans]
    return Group(
        name=conf.name, spans=list(conf.spans), hunt=str(conf.hunt or ""), used=sum(one.used for one in members),
        usable=sum(one.usable for one in members), total=sum(len(one.channels) for one in members), serving=serving,
    )  # fmt: skip


def span_conditions(inventory: Inventory) -> list[alarm.Condition]:
    """What is wrong with spans whose host is up."""
    found = []
    for one in inventory.spans.values():
        if not one.host_up or one.state is None:
            continue
        number = one.config.number or 0
        condition = alarm.of_span(one.name, number, Alarms(one.state.alarms), one.state.since_ns)
        if condition is not None:
            found.append(condition)
        if one.disabled == Disabled.DCHANNEL_DOWN:
            timeslot, since = one.config.dchannel_timeslot, one.state.dchannel_since_ns
            found.append(alarm.of_dchannel(one.name, number, timeslot, since))
    return found


def alarm_record(condition: alarm.Condition) -> Alarm:
    """The condition as it is listed."""
    return Alarm(
        kind=condition.kind, subject=condition.subject, words=list(condition.words), severity=condition.severity,
        text=condition.text, since_ns=condition.since_ns,
    )  # fmt: skip


def resume_state(inventory: Inventory) -> dict[str, Any]:
    """What a subscriber starts from that has lost events."""
    return {"spans": msgspec.to_builtins(spans(inventory)), "calls": msgspec.to_builtins(calls(inventory))}
