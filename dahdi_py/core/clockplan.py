# SPDX-License-Identifier: GPL-2.0-or-later
"""What is wrong with where a card takes its timing from, in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dahdi_py.core.terms import Node


@dataclass(frozen=True, slots=True)
class Timed:
    """A span in the clock plan.

    Attributes:
        priority: As timing source, 1 first, 0 never.
        usable: Its line gives a clock: it is there and receives a signal.
        source: The span it takes its timing from now; empty for none, or one that the driver does not tell.
    """

    name: str
    number: int
    card: str
    node: Node
    priority: int
    usable: bool
    source: str = ""

    def __str__(self) -> str:
        return f"span {self.number} ({self.name})"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong: its kind, the card, the spans concerned, and a sentence."""

    kind: str
    card: str
    spans: tuple[str, ...]
    text: str


def findings(spans: Iterable[Timed]) -> list[Finding]:
    """What is wrong with the plan of each card, and with how it works out now."""
    cards: dict[str, list[Timed]] = {}
    for span in spans:
        cards.setdefault(span.card, []).append(span)
    return [found for members in cards.values() for found in _of_card(members)]


def _of_card(spans: Sequence[Timed]) -> list[Finding]:
    candidates = sorted((span for span in spans if span.priority), key=lambda span: span.priority)
    return [*_no_source(spans, candidates), *_same_priority(candidates), *_network(candidates), *_now(candidates)]


def _no_source(spans: Sequence[Timed], candidates: Sequence[Timed]) -> list[Finding]:
    users = [span for span in spans if span.node is Node.CPE]
    if candidates or not users:
        return []
    text = (
        f"Card {users[0].card} takes its timing from no line, but {_listed(users)} {_are(users)} on the user side of a "
        "network that gives a clock: slips are certain. Set timing = 1 on the span whose carrier has the best clock."
    )
    return [_finding("no_source", users, text)]


def _same_priority(candidates: Sequence[Timed]) -> list[Finding]:
    found = []
    for priority in sorted({span.priority for span in candidates}):
        same = [span for span in candidates if span.priority == priority]
        if len(same) > 1:
            text = (
                f"{_capital(_listed(same))} of card {same[0].card} all have timing = {priority}: which of them is the "
                f"source is the driver's choice. Give each a priority of its own."
            )
            found.append(_finding("two_firsts" if priority == 1 else "same_priority", same, text))
    return found


def _network(candidates: Sequence[Timed]) -> list[Finding]:
    return [
        _finding(
            "network_source", [span],
            f"{_capital(str(span))} is the network side, which gives the clock, and yet timing source {span.priority}: "
            "the two ends may follow each other. Set timing = 0 on it.",
        )
        for span in candidates
        if span.node is Node.NETWORK
    ]  # fmt: skip


def _now(candidates: Sequence[Timed]) -> list[Finding]:
    if not candidates:
        return []
    first = candidates[0]
    usable = [span for span in candidates if span.usable]
    if not usable:
        text = (
            f"No timing source of card {first.card} gives a clock now ({_listed(candidates)}): it runs on its own "
            "oscillator, and slips until one is back."
        )
        return [_finding("source_in_alarm", candidates, text)]
    if not first.usable:
        text = (
            f"{_capital(str(first))}, the first timing source of card {first.card}, gives no clock now; "
            f"{usable[0]} is next in the plan."
        )
        return [_finding("source_in_alarm", [first], text)]
    source = next((span.source for span in candidates if span.source), "")
    if source and source != first.name:
        text = (
            f"Card {first.card} takes its timing from {source} although {first}, the first in the plan, gives a clock."
        )
        return [_finding("fallen_back", [first], text)]
    return []


def _finding(kind: str, spans: Sequence[Timed], text: str) -> Finding:
    return Finding(kind, spans[0].card, tuple(span.name for span in spans), text)


def _listed(spans: Sequence[Timed]) -> str:
    words = [str(span) for span in spans]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _are(spans: Sequence[Timed]) -> str:
    return "is" if len(spans) == 1 else "are"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
