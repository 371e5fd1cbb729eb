# SPDX-License-Identifier: GPL-2.0-or-later
"""Alarms as a daemon's clients see them, raised by what a scripted host says of its spans."""

from __future__ import annotations

import time
from typing import Any

from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import alarms
from dahdi_py.wire.messages.events import Event
from tests.daemon.process import Client, Listener, eventually
from tests.daemon.scripted_host import ScriptedHost

RED, YELLOW, BLUE, RECOVER, ABSENT = 8 | 256, 4, 16, 1, 1 << 16


def listed(client: Client, kind: str = "") -> list[alarms.Alarm]:
    found = client.call("org.dahdipy.Alarms.List", Empty(), alarms.AlarmList).alarms
    return [one for one in found if not kind or one.kind == kind]


def past(client: Client, **wants: Any) -> list[alarms.Alarm]:
    return client.call("org.dahdipy.Alarms.History", alarms.HistoryRequest(**wants), alarms.HistoryReply).alarms


def acknowledge(client: Client, alarm: int, **wants: Any) -> alarms.Alarm:
    request = alarms.AcknowledgeRequest(id=alarm, **wants)
    return client.call("org.dahdipy.Alarms.Acknowledge", request, alarms.AcknowledgeReply).alarm


def show(host: ScriptedHost, span: str, bits: int, dchannel: str = "up", **more: Any) -> None:
    state = host.span_state(span, alarms=bits, dchannel=dchannel, since_ns=time.time_ns(), **more)
    host.say("span.status", state, span=span)


def told(events: Listener, what: str, count: int = 1, /, **fields: Any) -> Event:
    """The `count`th event of that name whose data are so."""

    def found() -> Event | None:
        fitting = [
            event
            for event in list(events.events)
            if event.kind == what and all(event.data[name] == value for name, value in fields.items())
        ]
        return fitting[count - 1] if len(fitting) >= count else None

    event = eventually(found, f"no {what} {fields} among {[(e.kind, e.data) for e in events.events]}")
    assert event is not None
    return event
