# SPDX-License-Identifier: GPL-2.0-or-later
"""What is wrong: a condition, which alarm it is of, how bad it is. `alarm_texts` says it in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

CRITICAL, MAJOR, MINOR, WARNING = SEVERITIES = ("critical", "major", "minor", "warning")
"""Perceived severities, worst first. Source: X.733 8.1.2.3."""

RECEIVE, TRANSMIT, LOOP = ASPECTS = ("receive", "transmit", "loop")
"""What of a span an alarm is about: what we receive, what the far end receives of us, a loopback."""


class Key(NamedTuple):
    """Which alarm: at most one of each key stands at a time.

    Attributes:
        aspect: span: receive, transmit, loop; card: absent, ais; group: minimum, busy, answers, silent, cores; else
            empty.
    """

    kind: str
    subject: str
    aspect: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Something that is wrong now.

    Attributes:
        kind: card, span, dchannel, channel, flapping, slips, interrupts, group, host, ledger, descriptors, emergency.
        subject: Name of what is concerned.
        words: What is raised, such as RED LOS.
        severity: One of SEVERITIES.
        text: One sentence: what it means and what to check.
        since_ns: UTC, ns.
        aspect: As in Key.
        cause: Probable cause.
        next_check: What to do next.
        impact: What is left of the trunk groups concerned.
        span, card, host, group: Where; empty where it does not apply.
        circuit: The carrier's name for the span's circuit, else the span's own; history is kept under it.
        raw: A span's alarm words as read last.
        driver: Those of them that the driver declares now: service follows these.
        integrated: Those reported: they stay until the line has been good for the clearing time.
        bits: The reported ones as alarm bits.
        disables: It takes capacity away now.
        times: How often it happened.
        call: The call concerned.
        under: The alarm that explains this one.
    """

    kind: str
    subject: str
    words: tuple[str, ...]
    severity: str
    text: str
    since_ns: int
    aspect: str = ""
    cause: str = ""
    next_check: str = ""
    impact: str = ""
    span: str = ""
    card: str = ""
    host: str = ""
    group: str = ""
    circuit: str = ""
    raw: tuple[str, ...] = ()
    driver: tuple[str, ...] = ()
    integrated: tuple[str, ...] = ()
    bits: int = 0
    disables: bool = False
    times: int = 1
    call: str = ""
    under: Key | None = field(default=None)

    @property
    def key(self) -> Key:
        """Which alarm it is."""
        return Key(self.kind, self.subject, self.aspect)


class Capacity(NamedTuple):
    """What a trunk group has left.

    Attributes:
        usable: B-channels that carry a call or could.
        minimum: So many should be usable at least.
    """

    group: str
    usable: int
    total: int
    minimum: int = 0

    @property
    def severity(self) -> str:
        """How bad it is that no more is left: nothing or too little is critical, less than half major."""
        if not self.usable or self.usable < self.minimum:
            return CRITICAL
        return MAJOR if 2 * self.usable < self.total else MINOR

    def __str__(self) -> str:
        return f"group {self.group} has {self.usable} of {self.total} channels left"


def severity_of(groups: Sequence[Capacity], otherwise: str) -> str:
    """The severity of something that takes capacity of these groups; `otherwise` when it is in none."""
    return min((group.severity for group in groups), key=SEVERITIES.index, default=otherwise)


def worst_first(conditions: Iterable[Condition]) -> list[Condition]:
    """By severity, then the oldest first."""
    return sorted(conditions, key=lambda one: (SEVERITIES.index(one.severity), one.since_ns, one.subject))
