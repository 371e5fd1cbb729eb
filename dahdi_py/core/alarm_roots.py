# SPDX-License-Identifier: GPL-2.0-or-later
"""Which alarm explains which: one cause, one root, and what follows from it under it.

A host that is down hides its spans; a card that is gone, or an AIS on every span of a card, is one root; a span that
has failed hides what the far end misses of it, its D-channel and its channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from dahdi_py.core.alarm import CRITICAL, RECEIVE, SEVERITIES, Condition, Key
from dahdi_py.core.alarm_texts import whom_to_call
from dahdi_py.core.config import Span
from dahdi_py.core.terms import Alarms

_OF_A_SPAN = ("span", "dchannel", "channel", "flapping", "slips")


def correlate(conditions: Iterable[Condition], cards: Mapping[str, Sequence[Span]]) -> list[Condition]:
    """The same conditions, each under its root, and those roots that only show in many at once.

    Args:
        cards: By card, its configured spans.
    """
    found = [replace(one, under=None) for one in conditions if one.kind != "card"]
    hosts = {one.subject for one in found if one.kind == "host"}
    alive = [one for one in found if one.host not in hosts]
    roots = [root for card, spans in cards.items() for root in _roots_of(card, spans, alive, hosts)]
    below = {(root.subject, Alarms(root.bits)): root.key for root in roots}
    failed = {one.span: one for one in alive if one.kind == "span" and one.disables}
    failed.update({one.span: one for one in alive if one.kind == "span" and one.disables and one.aspect == RECEIVE})
    return [*roots, *(_placed(one, hosts, below, failed) for one in found)]


def _placed(
    one: Condition, hosts: set[str], below: Mapping[tuple[str, Alarms], Key], failed: Mapping[str, Condition]
) -> Condition:
    if one.kind not in _OF_A_SPAN:
        return one
    if one.host in hosts:
        return replace(one, under=Key("host", one.host))
    if one.kind == "span" and one.aspect == RECEIVE:
        return replace(one, under=next((key for (card, bit), key in below.items() if _shows(one, card, bit)), None))
    cause = failed.get(one.span)
    if cause is None or cause.key == one.key:
        return one
    return replace(one, under=cause.key)


def _shows(one: Condition, card: str, bit: Alarms) -> bool:
    return one.card == card and one.disables and bool(Alarms(one.bits) & bit)


def _roots_of(card: str, spans: Sequence[Span], alive: Sequence[Condition], hosts: set[str]) -> list[Condition]:
    """A card whose spans, two at least, all show the same: gone, or AIS."""
    seen = [span for span in spans if span.host not in hosts]
    if len(seen) < 2:
        return []
    received = {one.span: one for one in alive if one.kind == "span" and one.aspect == RECEIVE and one.disables}
    for bit in (Alarms.ABSENT, Alarms.BLUE):
        showing = [received[span.name] for span in seen if span.name in received]
        if len(showing) == len(seen) and all(Alarms(one.bits) & bit for one in showing):
            return [_root(card, bit, seen, showing)]
    return []


def _root(card: str, bit: Alarms, spans: Sequence[Span], showing: Sequence[Condition]) -> Condition:
    names = ", ".join(span.name for span in spans)
    if bit is Alarms.ABSENT:
        what, word, cause = "is gone", "ABSENT", "it is out, or its driver or process is not running"
        check = "check that the card is seated and its module (or the sim card's process) is running"
    else:
        what, word, cause = "receives all ones (AIS) on every span", "AIS", "one failure upstream of all of them"
        check = "; ".join(dict.fromkeys(map(whom_to_call, spans)))
    return Condition(
        kind="card", subject=card, aspect=word.lower(), words=(word,), cause=cause,
        text=f"Card {card} {what} ({names}): {check}.",
        severity=min((one.severity for one in showing), key=SEVERITIES.index, default=CRITICAL),
        since_ns=min(one.since_ns for one in showing), next_check=check, card=card, bits=int(bit), disables=True,
        impact="; ".join(dict.fromkeys(one.impact for one in showing if one.impact)),
        circuit=showing[0].circuit if len({one.circuit for one in showing}) == 1 else "",
    )  # fmt: skip
