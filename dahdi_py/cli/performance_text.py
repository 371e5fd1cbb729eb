# SPDX-License-Identifier: GPL-2.0-or-later
"""Performance figures as text: the paragraph, the tables of intervals, what went wrong when. Each names its norm."""

from __future__ import annotations

from collections.abc import Sequence

import click

from dahdi_py.cli.output import Column, table
from dahdi_py.cli.times import NS, duration, local
from dahdi_py.wire.messages.performance import ErroredSeconds, Figures, Interval, SpanPerformance
from dahdi_py.wire.messages.spans import Span

NEAR, FAR = "near", "far"
MIB = "RFC 4805"
_QUARTER_NS = 900 * NS
_SIGNS = {"complete": "", "partial": "p", "suspect": "s"}
_LEGEND = (
    ("!", "! threshold crossed"), ("~", "~ estimated"), ("p", "p partial: seconds are missing"),
    ("s", "s suspect"), ("-", "- not counted"),
)  # fmt: skip

# Thresholds are T1.231's or G.826's: what the DS1 MIB calls the same.
_CROSSED = {
    "ES": ("ES", "ES-P"), "SES": ("SES", "SES-P"), "UAS": ("UAS", "UAS-P"), "SEFS": ("SAS-P",), "CSS": ("CSS", "CSS-P"),
    "LES": ("ES-L",), "LCV": ("CV-L",), "PCV": ("CV-P",),
}  # fmt: skip

# The words and their places are Cisco's `show controllers`.
_PARAGRAPH = (
    (("LCV", "Line Code Violations"), ("PCV", "Path Code Violations")),
    (("CSS", "Slip Secs"), ("SEFS", "Fr Loss Secs"), ("LES", "Line Err Secs"), ("DM", "Degraded Mins")),
    (("ES", "Errored Secs"), ("BES", "Bursty Err Secs"), ("SES", "Severely Err Secs"), ("UAS", "Unavail Secs")),
)  # fmt: skip


def figures(interval: Interval, end: str, norm: str) -> Figures | None:
    """Those of that end by that norm; None when there are none."""
    return next((one for one in interval.figures if (one.end, one.norm) == (end, norm)), None)


def cell(interval: Interval, one: Figures, parameter: str) -> str:
    """A figure with its marks: ``~10!``; ``-`` for what nobody counts."""
    count = one.counts.get(parameter)
    if count is None:
        return "-"
    mark = "~" if parameter in one.estimated else ""
    near = one.end == NEAR and set(_CROSSED.get(parameter, (parameter,))) & set(interval.crossed)
    text = f"{mark}{count}{'!' if near else ''}"
    return click.style(text, fg="red") if near else text


def paragraph(found: SpanPerformance) -> list[str]:
    """The quarter hour that goes on, as routers tell it, and the near and far end's last quarter hour, hour and day."""
    current = found.current
    near = figures(current, NEAR, MIB) if current is not None else None
    if current is None or near is None:
        return ["  Nothing has been counted in this quarter hour."]
    elapsed = current.duration_ns // NS
    lines = [
        f"  Near end by {MIB} ({found.kind}), data in current interval ({elapsed} seconds elapsed, "
        f"{_known(near, elapsed)}):"
    ]
    for row in _PARAGRAPH:
        lines.append("     " + ", ".join(f"{cell(current, near, name)} {words}" for name, words in row))
    return [*lines, "", *_summary(found)]


def _known(one: Figures, elapsed: int) -> str:
    return one.completeness if one.completeness != "partial" else f"{one.seconds} of {elapsed} seen"


def _summary(found: SpanPerformance) -> list[str]:
    """A table for each end and norm: current and previous quarter hour, hour, day."""
    spans = (("current", found.current), ("previous", found.previous), ("hour", found.hour), ("day", found.day))
    known = [(title, interval) for title, interval in spans if interval is not None]
    lines: list[str] = []
    shown: list[str] = []
    for each in known[0][1].figures:
        end, norm = each.end, each.norm
        if all(count is None for count in each.counts.values()):
            lines.append(f"  {end.capitalize()} end by {norm}: the driver tells nothing of it.")
            continue
        rows = []
        for title, interval in known:
            if (one := figures(interval, end, norm)) is not None:
                rows.append([f"{title}{_sign(one)}", *(cell(interval, one, name) for name in each.counts)])
        columns = [
            Column(f"{end.capitalize()} end, {norm}".ljust(18)),
            *(Column(name, right=True) for name in each.counts),
        ]
        shown.append(text := table(columns, rows))
        lines += ["  " + line for line in text.splitlines()]
    legend = _legend(shown)
    return [*lines, f"  {legend}"] if legend else lines


def _sign(one: Figures) -> str:
    sign = _SIGNS.get(one.completeness, "?")
    return f" {sign}" if sign else ""


def _legend(texts: Sequence[str]) -> str:
    plain = "\n".join(click.unstyle(line) for text in texts for line in text.splitlines()[1:])
    return "   ".join(words for sign, words in _LEGEND if _shows(plain, sign))


def _shows(text: str, sign: str) -> bool:
    return sign in text if sign in "!~" else sign in text.split()


def interval_table(span: Span, found: SpanPerformance, intervals: Sequence[Interval], end: str, norm: str) -> str:
    """Intervals of one kind, newest first, one a line: when it began, how complete it is, and every figure.

    Args:
        intervals: Quarter hours or days.
    """
    rows = []
    names: list[str] = []
    for interval in intervals:
        one = figures(interval, end, norm)
        if one is None:
            continue
        names = list(one.counts)
        sign = _SIGNS.get(one.completeness, "?")
        seconds = str(one.seconds)
        rows.append([local(interval.start_ns), seconds, sign, *(cell(interval, one, name) for name in names)])
    head = f"Span {span.number} ({span.name}), circuit {found.circuit}: {end} end by {norm} ({found.kind})"
    if not rows and intervals:
        return f"{head}: that norm has no figures of that end of such a line."
    if not rows:
        return f"{head}: nothing has been counted yet."
    columns = [Column("FROM"), Column("SECS", right=True), Column(""), *(Column(name, right=True) for name in names)]
    text = table(columns, [[cell or " " for cell in row] for row in rows])
    return "\n".join(part for part in (head, text, _legend([text])) if part)


def errors_page(span: Span, found: SpanPerformance) -> str:
    """The counters now, and the seconds in which something was wrong, newest first."""
    counters = [f"  {name:<16} {'not counted' if count is None else count}" for name, count in span.counters.items()]
    of = f"Span {span.number} ({span.name}), circuit {found.circuit}"
    head = f"{of}: counters since an unknown start, at most 10 s old"
    lines = [head, *(counters or ["  none are known"]), ""]
    if not found.errored:
        return "\n".join([*lines, "No errored seconds are on record."])
    columns = (Column("ERRORED FROM"), Column("FOR", right=True), Column("DEFECTS"), Column("COUNTED"))
    return "\n".join([*lines, table(columns, [_errored_row(run) for run in found.errored])])


def _errored_row(run: ErroredSeconds) -> list[str]:
    counted = ", ".join(f"{count} {name}" for name, count in run.counts.items())
    return [local(run.start_ns), duration(run.duration_ns), "/".join(run.words), counted]


def quarter_cells(found: SpanPerformance | None) -> list[str]:
    """ES, SES, UAS and slip seconds of the quarter hour that goes on, for a table of spans."""
    one = figures(found.current, NEAR, MIB) if found is not None and found.current is not None else None
    if found is None or found.current is None or one is None:
        return ["-"] * 4
    return [cell(found.current, one, name) for name in ("ES", "SES", "UAS", "CSS")]
