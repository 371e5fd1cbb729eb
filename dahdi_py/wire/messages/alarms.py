# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Alarms`: what is wrong now, what was, and who has seen it."""

from __future__ import annotations

from dahdi_py.wire.interface import Empty, Interface, Method, Record, Request


class Alarm(Record):
    """Something that is wrong, or was.

    Attributes:
        kind: card, span, dchannel, channel, flapping, slips, interrupts, group, host, ledger, descriptors, emergency.
        words: What is raised, such as RED LOS.
        severity: X.733: critical, major, minor, warning.
        text: One sentence for a person: what it means and what to check.
        since_ns: UTC, ns.
        id: Never used for another alarm.
        aspect: Of a span: receive, transmit, loop; of a card: absent, ais; of a group: minimum, busy, answers,
            silent, cores.
        state: raised; clearing: the driver declares it no more, it ends when the line stays good; cleared.
        raw: A span's alarm words as read last.
        driver: Those that the driver declares now; service follows these.
        integrated: Those that are reported, until the line has been good for the clearing time.
        acknowledged: Somebody has seen it: `acknowledged_by`, when (UTC, ns), `note`.
        flaps: How often it was raised within the flap window; `flapping`: too often.
        hidden_by: The id of the alarm that explains it; 0: it is a root.
        cause: Probable cause.
        next_check: What to do next.
        impact: What the trunk groups concerned have left.
        circuit: The carrier's name for the circuit, else the span's name: history is kept under it.
        times: How often it happened, for what is counted.
        cleared_ns: UTC, ns; 0 while it stands.
    """

    kind: str
    subject: str
    words: list[str]
    severity: str
    text: str
    since_ns: int
    id: int = 0
    aspect: str = ""
    state: str = "raised"
    raw: list[str] = []
    driver: list[str] = []
    integrated: list[str] = []
    acknowledged: bool = False
    acknowledged_by: str = ""
    acknowledged_ns: int = 0
    note: str = ""
    flaps: int = 1
    flapping: bool = False
    hidden_by: int = 0
    cause: str = ""
    next_check: str = ""
    impact: str = ""
    span: str = ""
    card: str = ""
    host: str = ""
    group: str = ""
    circuit: str = ""
    times: int = 1
    cleared_ns: int = 0


class AlarmList(Record):
    """Alarms now: each root, the worst first, followed by what it explains.

    Attributes:
        sequence: That of the last `alarm.*` event of this epoch.
    """

    alarms: list[Alarm]
    sequence: int = 0


class ClearRequest(Request):
    """An alarm that tells of something past, such as a failed emergency call, has been seen to."""

    kind: str
    subject: str


class AcknowledgeRequest(Request):
    """Somebody has seen the alarm of that id; it stands until what is wrong is mended. `on` False takes it back."""

    id: int
    note: str = ""
    on: bool = True


class AcknowledgeReply(Record):
    """The alarm as it is now."""

    alarm: Alarm


class HistoryRequest(Request):
    """At most `limit` (1-1000) alarms of the past and now, newest first.

    Attributes:
        span: Name or number: its circuit's, under whatever name and number it was then.
        circuit: The same by the circuit's own name.
        kind: Only of that kind.
    """

    limit: int = 100
    span: str = ""
    circuit: str = ""
    kind: str = ""


class HistoryReply(Record):
    """Alarms, newest first."""

    alarms: list[Alarm]


INTERFACE = Interface(
    "org.dahdipy.Alarms",
    "What is wrong now, what was, and who has seen it.",
    (
        Method("List", Empty, AlarmList, doc="Alarms now, worst first, what one explains under it."),
        Method("History", HistoryRequest, HistoryReply, doc="Alarms of the past, newest first."),
        Method("Acknowledge", AcknowledgeRequest, AcknowledgeReply, role="operate", doc="Say that it has been seen."),
        Method("Clear", ClearRequest, Empty, role="operate", doc="Clear an alarm that tells of something past."),
    ),
)
