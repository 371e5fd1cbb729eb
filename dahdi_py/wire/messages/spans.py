# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Spans`: the spans, their line state, D-channels and channel maps."""

from __future__ import annotations

from dahdi_py.wire.interface import Empty, Interface, Method, Record, Request


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
    groups: list[str] = []


class SpanList(Record):
    """Every configured span, by number."""

    spans: list[Span]


class SpanName(Request):
    """A span by configured name or shown number."""

    span: str


class SpanReply(Record):
    """One span."""

    span: Span


INTERFACE = Interface(
    "org.dahdipy.Spans",
    "The spans: line state, D-channel, channel map.",
    (
        Method("List", Empty, SpanList, doc="Every configured span."),
        Method("Get", SpanName, SpanReply, doc="One span, by name or number."),
    ),
)
