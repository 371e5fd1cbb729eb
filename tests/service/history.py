# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether what clients saw of their leases can have happened: no channel of two owners, no use after the end.

A client has a lease for certain from the moment its allocation was answered until it asked for the end, or died. What
it asked for in between may have been carried out at any instant from the question to the answer, or, without an answer,
never. Only what contradicts every such order is a violation, so none is a matter of timing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Result = Literal["ok", "stale", "refused", "unanswered"]


@dataclass(frozen=True, slots=True)
class Operation:
    """What one client asked once.

    Attributes:
        client: One life of one client.
        name: allocate, open, release.
        token: The lease; of an allocation, the one it was given, empty when it was given none.
        place: Where an allocation is, as `span:timeslot`.
        invoked, completed: ns of one clock; infinity while there was no answer.
    """

    client: str
    name: str
    token: str
    place: str
    invoked: float
    completed: float
    result: Result


@dataclass(slots=True)
class _Held:
    token: str
    client: str
    place: str
    since: float
    until: float = math.inf
    ended: float = math.inf  # from here on nothing may succeed with the token


def violations(operations: Iterable[Operation], deaths: Mapping[str, float]) -> list[str]:
    """What cannot have happened, in words; nothing if all can.

    Args:
        deaths: The last instant at which a client was known to live, by client.
    """
    done = list(operations)
    held, wrong = _leases(done, deaths)
    wrong += _tokens_shrink(done)
    by_place: dict[str, list[_Held]] = defaultdict(list)
    for lease in sorted(held.values(), key=lambda lease: lease.since):
        by_place[lease.place].append(lease)
    for place, leases in by_place.items():
        for earlier, later in pairwise(leases):
            if later.since < earlier.until:
                wrong.append(
                    f"{place} had two owners: {earlier.client} by {earlier.token} until {earlier.until}, "
                    f"{later.client} by {later.token} since {later.since}"
                )
            earlier.ended = min(earlier.ended, later.since)
    for each in done:
        used = held.get(each.token)
        if each.name != "allocate" and each.result == "ok" and (used is None or each.invoked > used.ended):
            after = f"after it had ended at {used.ended}" if used is not None else "which was never given"
            wrong.append(f"{each.client} could {each.name} {each.token} at {each.invoked}, {after}")
    return wrong


def _leases(done: list[Operation], deaths: Mapping[str, float]) -> tuple[dict[str, _Held], list[str]]:
    held: dict[str, _Held] = {}
    wrong: list[str] = []
    for each in done:
        if each.name == "allocate" and each.result == "ok":
            if each.token in held:
                wrong.append(f"the token {each.token} was given twice, at {each.completed} to {each.client}")
            until = deaths.get(each.client, math.inf)
            held[each.token] = _Held(each.token, each.client, each.place, each.completed, until)
    for each in done:
        lease = held.get(each.token)
        if lease is None or each.name == "allocate":
            continue
        if each.name == "release":
            lease.until = min(lease.until, each.invoked)
        if each.result == "stale" or (each.name == "release" and each.result == "ok"):
            lease.ended = min(lease.ended, each.completed)
        if each.result == "stale" and each.completed < lease.until:
            wrong.append(f"{lease.client} lost {each.token} by {each.completed}, and had not asked for its end")
    return held, wrong


def _tokens_shrink(done: list[Operation]) -> list[str]:
    """Tokens only grow: an allocation asked for after another was answered has the greater one."""
    allocations = [each for each in done if each.name == "allocate" and each.result == "ok"]
    answered = sorted(allocations, key=lambda each: each.completed)
    wrong: list[str] = []
    newest, at = (0, 0), 0
    for each in sorted(allocations, key=lambda each: each.invoked):
        while at < len(answered) and answered[at].completed < each.invoked:
            newest = max(newest, _number(answered[at].token))
            at += 1
        if _number(each.token) <= newest:
            wrong.append(f"the token {each.token} does not grow: {newest} was known at {each.invoked}")
    return wrong


def _number(token: str) -> tuple[int, int]:
    """Start and counter of one host's token."""
    _, start, counter = token.rsplit("/", 2)
    return int(start), int(counter)
