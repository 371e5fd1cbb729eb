# SPDX-License-Identifier: GPL-2.0-or-later
"""Alarms as text: what is wrong now with what to do about it, one that changed, and the table of the past."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import click

from dahdi_py.cli.output import Column, table
from dahdi_py.cli.times import age, duration, iso, local
from dahdi_py.wire.messages.alarms import Alarm

_COLOURS = {"critical": "red", "major": "red", "minor": "yellow", "warning": "cyan"}
_HISTORY = (
    Column("ID", right=True), Column("SEVERITY"), Column("WHAT"), Column("ALARM"), Column("RAISED"),
    Column("LASTED", right=True), Column("CIRCUIT"), Column("SEEN BY"),
)  # fmt: skip
_SHOWN = 5
"""Hidden alarms of one kind that are named; of more only the number is told."""


def alarm_page(alarms: Sequence[Alarm], now_ns: int) -> str:
    """Each root in a paragraph, worst first: what it is, why probably, what to do, and what follows from it.

    Args:
        now_ns: UTC, ns.
    """
    roots = [one for one in alarms if not one.hidden_by]
    if not roots:
        return click.style("no alarms", fg="green")
    pages = ["\n".join(_paragraph(root, [one for one in alarms if one.hidden_by == root.id], now_ns)) for root in roots]
    return "\n\n".join([*pages, _footer(roots)])


def _paragraph(one: Alarm, hidden: Sequence[Alarm], now_ns: int) -> Iterator[str]:
    yield f"{_severity(one)}  {title(one)}  for {age(one.since_ns, now_ns)}  [{one.id}]{_marks(one)}"
    yield f"  {one.text}"
    if one.cause:
        yield f"  Probably: {one.cause}."
    if one.impact:
        yield f"  Left: {one.impact}."
    if one.acknowledged:
        said = f": {one.note}" if one.note else ""
        yield f"  Seen by {one.acknowledged_by} at {local(one.acknowledged_ns)}{said}"
    for kind, group in groupby(sorted(hidden, key=lambda each: each.kind), key=lambda each: each.kind):
        same = list(group)
        yield from (f"  - {title(each)}  [{each.id}]" for each in same[:_SHOWN])
        if len(same) > _SHOWN:
            yield f"  - and {len(same) - _SHOWN} more of {kind}"


def _marks(one: Alarm) -> str:
    marks = ["clearing"] if one.state == "clearing" else []
    marks += [f"flapping: {one.flaps} times"] if one.flapping else []
    return f"  {', '.join(marks)}" if marks else ""


def _footer(roots: Sequence[Alarm]) -> str:
    unseen = [one for one in roots if not one.acknowledged]
    if not unseen:
        return "All of them have been seen."
    return f"{len(unseen)} not seen yet: dahdi-py alarms ack ID --note TEXT"


def title(one: Alarm) -> str:
    """The alarm in a few words, such as ``span east RED/LOS``."""
    return f"{one.kind} {one.subject} {'/'.join(one.words)}"


def _severity(one: Alarm) -> str:
    return click.style(one.severity.upper(), fg=_COLOURS.get(one.severity), bold=True)


def history_table(alarms: Sequence[Alarm], now_ns: int) -> str:
    """One line an alarm under titles, those that stand with how long they have.

    Args:
        now_ns: UTC, ns.
    """
    if not alarms:
        return "no alarm on record"
    return table(_HISTORY, [_row(one, now_ns) for one in alarms])


def _row(one: Alarm, now_ns: int) -> list[str]:
    lasted = duration(max(0, one.cleared_ns - one.since_ns)) if one.cleared_ns else f"{age(one.since_ns, now_ns)}+"
    return [
        str(one.id),
        click.style(one.severity, fg=_COLOURS.get(one.severity)),
        f"{one.kind} {one.subject}",
        "/".join(one.words),
        local(one.since_ns),
        lasted,
        one.circuit or "-",
        one.acknowledged_by or "-",
    ]


def change_line(what: str, one: Alarm, utc_ns: int) -> str:
    """What became of an alarm, on a line of its own.

    Args:
        what: raised, changed, cleared.
        utc_ns: When, UTC, ns.
    """
    under = f" (follows from {one.hidden_by})" if one.hidden_by else ""
    seen = f" seen by {one.acknowledged_by}" if one.acknowledged and what == "changed" else ""
    text = "" if what == "cleared" else f"  {one.text}"
    return f"{iso(utc_ns)}  {what:<7}  {one.severity:<8}  [{one.id}] {title(one)}{under}{seen}{text}"
