# SPDX-License-Identifier: GPL-2.0-or-later
"""What is wrong now, in sentences for a person at three in the morning. Raw state: no integration times yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dahdi_py.core.terms import Alarms

CRITICAL, MAJOR, MINOR, WARNING = SEVERITIES = ("critical", "major", "minor", "warning")
"""Perceived severities, worst first. Source: X.733 8.1.2.3."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is wrong.

    Attributes:
        kind: span, dchannel, host, ledger.
        subject: Name of what is concerned.
        words: What is raised, such as RED LOS.
        severity: One of SEVERITIES.
        text: One sentence: what it means and what to check.
        since_ns: UTC, ns.
    """

    kind: str
    subject: str
    words: tuple[str, ...]
    severity: str
    text: str
    since_ns: int


_SPAN_TEXTS = (
    (Alarms.ABSENT, CRITICAL, "{s} is not there: check that the card is seated, its module loaded, the span assigned"),
    (Alarms.LOS, CRITICAL, "{s} receives no signal: check the cable and whether the far end is powered"),
    (Alarms.LFA, CRITICAL, "{s} receives a signal without framing: check framing and line type at both ends"),
    (Alarms.LMFA, MAJOR, "{s} has frames but no multiframe: check CRC-4 at both ends"),
    (Alarms.BLUE, CRITICAL, "{s} receives all ones (AIS): equipment upstream has failed; call the carrier"),
    (Alarms.RED, CRITICAL, "{s} has lost its receive signal or framing: check the cable, then framing and coding"),
    (Alarms.YELLOW, MAJOR, "{s}: the far end does not receive us (RAI): check our transmit pair, then its settings"),
    (Alarms.LOOPBACK, MINOR, "{s} is in loopback and carries no calls: end the loop when the test is over"),
    (Alarms.RECOVER, WARNING, "{s} is recovering from an alarm"),
    (Alarms.NOTOPEN, WARNING, "{s} is configured but not started"),
)  # fmt: skip


def of_span(name: str, number: int, alarms: Alarms, since_ns: int) -> Condition | None:
    """What a span's alarm bits mean; None when none is set. The most telling bit speaks, the worst one ranks."""
    if not alarms:
        return None
    raised = [(severity, text) for bit, severity, text in _SPAN_TEXTS if bit in alarms]
    if not raised:
        text = f"Span {number} ({name}) reports alarm bits {int(alarms):#x} that this version does not know."
        return Condition("span", name, (f"{int(alarms):#x}",), MINOR, text, since_ns)
    severity = min((severity for severity, _ in raised), key=SEVERITIES.index)
    text = raised[0][1].format(s=f"Span {number} ({name})") + "."
    return Condition("span", name, tuple(alarms.words()), severity, text, since_ns)


def of_dchannel(name: str, number: int, timeslot: int, since_ns: int) -> Condition:
    """A D-channel that is down under a good line."""
    text = (
        f"Span {number} ({name}): the line is good but the D-channel on timeslot {timeslot} is down: check that the "
        "far end is started, that one end is network and the other cpe, and that both agree on the timeslot."
    )
    return Condition("dchannel", name, ("DOWN",), MAJOR, text, since_ns)


def of_host(name: str, problem: str, spans: Iterable[str], since_ns: int) -> Condition:
    """A line host that does not serve, and what that costs."""
    lost = ", ".join(spans)
    text = f"Line host {name} is down" + (f" and with it {lost}" if lost else "") + (f": {problem}" if problem else "")
    return Condition("host", name, ("DOWN",), CRITICAL, text.rstrip(".") + ".", since_ns)


def of_ledger(directory: str, problem: str, waiting: int, since_ns: int) -> Condition:
    """The journal that cannot be written; `waiting` entries are kept in memory."""
    text = (
        f"Records and events cannot be written to {directory} ({problem}): calls go on, {waiting} entries wait in "
        "memory; free space or mend the directory's permissions before the service is restarted."
    )
    return Condition("ledger", directory, ("NOT-WRITABLE",), MAJOR, text, since_ns)


def worst_first(conditions: Iterable[Condition]) -> list[Condition]:
    """By severity, then the oldest first."""
    return sorted(conditions, key=lambda one: (SEVERITIES.index(one.severity), one.since_ns, one.subject))
