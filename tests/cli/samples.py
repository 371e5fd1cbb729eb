# SPDX-License-Identifier: GPL-2.0-or-later
"""Snapshots as the daemon gives them, for tests of what readers see."""

from __future__ import annotations

from typing import Any

from dahdi_py.cli.times import NS
from dahdi_py.wire.messages.calls import Call, CallRecord
from dahdi_py.wire.messages.channels import Channel
from dahdi_py.wire.messages.common import Bearer, Cause, Message, Owner, Party
from dahdi_py.wire.messages.daemon import Status
from dahdi_py.wire.messages.spans import Span

NOW_NS = 1_790_000_000 * NS
HOUR_NS = 3600 * NS


def span(number: int = 1, **changes: Any) -> Span:
    """An E1 EuroISDN span that is up and idle, but for the changes."""
    values: dict[str, Any] = {
        "name": f"e1-{number}", "number": number, "host": "sim", "card": "sim", "port": str(number), "driver": "sim",
        "description": "simulated E1", "type": "E1", "framing": "ccs", "coding": "hdb3", "crc4": True, "timing": 0,
        "switch_type": "euroisdn", "node": "cpe", "law": "alaw", "state": "ok", "alarms": 0, "words": [],
        "dchannel": "up", "dchannel_timeslot": 16, "dchannel_since_ns": NOW_NS - 60 * NS, "used": 0, "usable": 30,
        "total": 30, "since_ns": NOW_NS - 191 * NS, "channel_map": "." * 15 + "D" + "." * 15,
        "counters": {"crc": None}, "sync_source": None, "groups": [f"e1-{number}"],
    }  # fmt: skip
    return Span(**(values | changes))


def call(**changes: Any) -> Call:
    """An outgoing call that is active, but for the changes."""
    values: dict[str, Any] = {
        "call": "c-0001", "direction": "outgoing", "phase": "active", "span": "e1-1", "span_number": 1, "timeslot": 31,
        "token": "sim/1/7", "called": Party(number="2001"), "calling": Party(number="1000"), "bearer": Bearer(),
        "started_ns": NOW_NS - 70 * NS, "answered_ns": NOW_NS - 61 * NS, "attempt": 1, "media": True,
        "owner": Owner(pid=4711, uid=0, label="pbx"),
    }  # fmt: skip
    return Call(**(values | changes))


def record(**changes: Any) -> CallRecord:
    """A closed record of an answered call, but for the changes."""
    start = NOW_NS - 70 * NS
    names = [
        ("SETUP", True), ("CALL PROCEEDING", False), ("ALERTING", False), ("CONNECT", False),
        ("CONNECT ACKNOWLEDGE", True), ("DISCONNECT", True), ("RELEASE", False), ("RELEASE COMPLETE", True),
    ]  # fmt: skip
    messages = [
        Message(name=name, sent=sent, utc_ns=start + at * NS, monotonic_ns=at * NS, cause=16 if at == 5 else 0)
        for at, (name, sent) in enumerate(names)
    ]
    values: dict[str, Any] = {
        "call": "c-0001", "state": "closed", "direction": "outgoing", "host": "sim", "span": "e1-1", "timeslot": 31,
        "called": Party(number="2001"), "calling": Party(number="1000"), "bearer": Bearer(), "started_ns": start,
        "alerting_ns": start + 2 * NS, "answered_ns": start + 3 * NS, "ended_ns": start + 7 * NS,
        "duration_ns": 4 * NS, "attempts": 1, "cause": Cause(value=16, name="normal call clearing", location="user"),
        "cleared_by": "core", "reason": "", "owner": Owner(pid=4711, uid=0, label="pbx"), "correlation": "",
        "messages": messages,
    }  # fmt: skip
    return CallRecord(**(values | changes))


def channel(timeslot: int = 1, **changes: Any) -> Channel:
    """An idle channel of span 1, but for the changes."""
    values: dict[str, Any] = {
        "span": "e1-1", "span_number": 1, "timeslot": timeslot, "administrative": "unlocked", "disabled": "",
        "usage": "idle", "phase": "",
    }  # fmt: skip
    return Channel(**(values | changes))


def status(**changes: Any) -> Status:
    """A daemon that is well, but for the changes."""
    values: dict[str, Any] = {
        "service": "embedded", "version": "0.1.0", "protocol": 1, "pid": 42, "epoch": 1, "started_ns": NOW_NS - HOUR_NS,
        "ready": True, "socket": "/run/x/control.sock", "config": "/run/x/config.toml", "state_directory": "/run/x",
        "verdict": "ok", "problems": [], "spans_up": 4, "spans": 4, "channels_used": 2, "channels_usable": 106,
        "channels": 106, "calls": 1, "clients": 2, "journal": True, "roles": ["view", "operate"],
    }  # fmt: skip
    return Status(**(values | changes))
