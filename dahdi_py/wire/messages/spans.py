# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Spans`: the spans, their line state, D-channels and channel maps."""

from __future__ import annotations

from dahdi_py.wire.interface import Empty, Interface, Method, Record, Request
from dahdi_py.wire.messages.common import AdministerReply
from dahdi_py.wire.messages.performance import ClockReply, PerformanceReply, PerformanceRequest


class Span(Record):
    """A span as the daemon knows it now.

    Attributes:
        number: For showing; identity is `name`.
        alarms: Alarm bits as received; `words` the same as operators know them (empty: OK).
        dchannel: up, down, none.
        state: ok, alarm, dchannel_down, absent, host_down.
        used: B-channels in use; `usable`: those that can carry a call now; `total`: all B-channels.
        since_ns: UTC of the last change of state, ns.
        timing: Timing priority, 0 none, None where the driver does not say.
        channel_map: One character a timeslot from 1: `D` D-channel, `.` idle, `a` allocated, `i`/`o` call in/out,
            `r` releasing, `q` quarantined, `m` locked, `x` out of service, `-` not used.
        counters: Since an unknown start, None where the driver keeps none.
        sync_source: Its timing source's number as the driver knows it; `sync_name` the span's name, empty for none.
        circuit_id: The carrier's name for it; `carrier`, `noc_phone`: whom to call about it.
        held_until_ns: It came and went: other spans come first for outgoing calls until then (UTC, ns); 0: not so.
        returns: How often it came back without being steady since.
    """

    name: str
    number: int
    host: str
    card: str
    port: str
    driver: str
    description: str
    type: str
    framing: str | None
    coding: str | None
    crc4: bool | None
    timing: int | None
    switch_type: str
    node: str
    law: str
    state: str
    alarms: int
    words: list[str]
    dchannel: str
    dchannel_timeslot: int
    dchannel_since_ns: int
    used: int
    usable: int
    total: int
    since_ns: int
    channel_map: str
    counters: dict[str, int | None]
    sync_source: int | None = None
    sync_name: str = ""
    groups: list[str] = []
    circuit_id: str = ""
    carrier: str = ""
    noc_phone: str = ""
    held_until_ns: int = 0
    returns: int = 0


class SpanList(Record):
    """Every configured span, by number."""

    spans: list[Span]


class SpanName(Request):
    """A span by configured name or shown number."""

    span: str


class SpanReply(Record):
    """One span."""

    span: Span


class AdministerRequest(Request):
    """Drain, lock or unlock every B-channel of a span."""

    span: str
    state: str
    reason: str = ""
    force: bool = False


class LiftRequest(Request):
    """The span is among the first choices for outgoing calls again."""

    span: str


INTERFACE = Interface(
    "org.dahdipy.Spans",
    "The spans: line state, D-channel, channel map.",
    (
        Method("List", Empty, SpanList, doc="Every configured span."),
        Method("Get", SpanName, SpanReply, doc="One span, by name or number."),
        Method("Performance", PerformanceRequest, PerformanceReply, doc="How good lines are and were, by named norms."),
        Method("Clock", Empty, ClockReply, doc="Where spans take their timing from, and what is wrong with that."),
        Method(
            "LiftHoldDown", LiftRequest, SpanReply, role="operate", doc="Prefer it again although it came and went."
        ),
        Method("Administer", AdministerRequest, AdministerReply, role="operate", doc="Drain, lock or unlock one."),
    ),
)
