# SPDX-License-Identifier: GPL-2.0-or-later
"""Histories and timing sources as the records of the control socket."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from dahdi_py.core import clockplan
from dahdi_py.core.performance_bins import DAY_S, QUARTER_S, TOTAL, Bin, Completeness, Errored, History
from dahdi_py.core.performance_norms import End, Norm, parameters
from dahdi_py.core.performance_second import LineKind
from dahdi_py.core.terms import Alarms
from dahdi_py.daemon import views
from dahdi_py.daemon.inventory import Inventory
from dahdi_py.daemon.performance import NS, Performance
from dahdi_py.wire.messages import performance as wire
from dahdi_py.wire.messages.spans import Span

_SPAN_OF_BOARD = re.compile(r"[ ,]*Span \d+$")
HOUR, DAY = 4, 96
"""Quarter hours."""
_WORST = (Completeness.SUSPECT, Completeness.PARTIAL, Completeness.COMPLETE)
_NO_CLOCK = Alarms.ABSENT | Alarms.RED | Alarms.LOS | Alarms.LFA | Alarms.BLUE | Alarms.LOOPBACK | Alarms.NOTOPEN


class _View:
    """One circuit's history at an instant, as far as it is wanted.

    Args:
        now: UTC, s.
    """

    def __init__(self, history: History, kind: LineKind, wants: wire.PerformanceRequest, now: int) -> None:
        self._history = history
        self._now = now
        self._shown = {
            (end, norm): names
            for (end, norm), names in parameters(kind).items()
            if wants.norm in ("", norm) and wants.end in ("", end)
        }

    def current(self, length: int) -> wire.Interval | None:
        """The bin that goes on now."""
        start = self._history.state.began if length == TOTAL else self._now - self._now % length
        one = self._history.view(length, start)
        return self._interval(one) if one is not None else None

    def closed(self, length: int, most: int) -> list[wire.Interval]:
        """Bins that have ended, newest first."""
        starts = [start for start in self._history.starts(length) if start + length <= self._now]
        found = [self._history.view(length, start) for start in starts[:most]]
        return [self._interval(one) for one in found if one is not None]

    def _interval(self, one: Bin) -> wire.Interval:
        last = self._history.state.last
        end = max(last + 1, self._now) if one.length == TOTAL else min(one.start + one.length, self._now)
        return wire.Interval(
            start_ns=one.start * NS, duration_ns=max(0, end - one.start) * NS, reasons=sorted(one.reasons),
            crossed=list(one.crossed),
            figures=[self._figures(one, end, norm, names) for (end, norm), names in self._shown.items()],
        )  # fmt: skip

    def _figures(self, one: Bin, end: End, norm: Norm, names: Sequence[str]) -> wire.Figures:
        known = one.figures.get(f"{end} {norm}")
        counts = known.counts if known is not None else {}
        estimated = known.estimated if known is not None else set()
        return wire.Figures(
            end=str(end), norm=str(norm), seconds=one.seen.get(end, 0),
            completeness=str(one.completeness(end, self._history.state.last, self._now)),
            counts={name: counts.get(name) for name in names},
            estimated=[name for name in names if name in estimated and name in counts],
        )  # fmt: skip


def together(intervals: Sequence[wire.Interval], number: int, now: int) -> wire.Interval | None:
    """So many quarter hours behind this one as one; what is missing of them makes it partial."""
    length = number * QUARTER_S
    begin = (now - now % QUARTER_S - length) * NS
    members = [one for one in intervals if one.start_ns >= begin]
    if not members:
        return None
    lists = [[one.figures[at] for one in members] for at in range(len(members[0].figures))]
    return wire.Interval(
        start_ns=begin, duration_ns=length * NS, reasons=sorted({reason for one in members for reason in one.reasons}),
        figures=[_sum(figures, len(members) == number) for figures in lists],
    )  # fmt: skip


def _sum(figures: Sequence[wire.Figures], whole: bool) -> wire.Figures:
    first = figures[0]
    worst = min((Completeness(one.completeness) for one in figures), key=_WORST.index)
    if worst is Completeness.COMPLETE and not whole:
        worst = Completeness.PARTIAL
    counts: dict[str, int | None] = {}
    for name in first.counts:
        known = [count for one in figures if (count := one.counts[name]) is not None]
        counts[name] = sum(known) if known else None
    estimated = [name for name in counts if any(name in one.estimated for one in figures)]
    return wire.Figures(
        end=first.end, norm=first.norm, completeness=str(worst), seconds=sum(one.seconds for one in figures),
        counts=counts, estimated=estimated,
    )  # fmt: skip


def performance(
    kept: Performance, inventory: Inventory, span: str, wants: wire.PerformanceRequest, now: int
) -> wire.SpanPerformance:
    """The span's figures.

    Args:
        now: UTC, s.
    """
    one = inventory.spans[span]
    history, kind = kept.of(span), kept.kind(one)
    view = _View(history, kind, wants, now)
    intervals, days = wants.intervals or 0, wants.days or 0
    quarters = view.closed(QUARTER_S, DAY if intervals else 1)
    previous = quarters[0] if quarters and quarters[0].start_ns == (now - now % QUARTER_S - QUARTER_S) * NS else None
    return wire.SpanPerformance(
        span=span, span_number=one.config.number or 0, circuit=kept.circuits[span], kind=str(kind),
        last_ns=(history.state.last + 1) * NS if history.state.last else 0, current=view.current(QUARTER_S),
        previous=previous, hour=together(quarters, HOUR, now) if intervals else None,
        day=together(quarters, DAY, now) if intervals else None, today=view.current(DAY_S), total=view.current(TOTAL),
        intervals=quarters[:intervals], days=view.closed(DAY_S, days),
        errored=[_errored(run) for run in reversed(history.errored[-wants.errored :])] if wants.errored else [],
    )  # fmt: skip


def _errored(run: Errored) -> wire.ErroredSeconds:
    return wire.ErroredSeconds(
        start_ns=run.first * NS, duration_ns=run.seconds * NS, counts=dict(run.counts), defects=run.defects,
        words=Alarms(run.defects).words(),
    )  # fmt: skip


def clock(inventory: Inventory) -> wire.ClockReply:
    """Where every span takes its timing from, and what is wrong with that."""
    spans = views.spans(inventory)
    sources = [_source(inventory, span) for span in spans]
    plan = [_timed(inventory, source) for source in sources]
    return wire.ClockReply(spans=sources, findings=[_finding(one) for one in clockplan.findings(plan)])


def _source(inventory: Inventory, span: Span) -> wire.ClockSource:
    said = inventory.spans[span.name].state
    # The spans of one kernel may be on several boards, each with a timing of its own.
    board = _SPAN_OF_BOARD.sub("", said.description) if said is not None and said.kernel else ""
    return wire.ClockSource(
        span=span.name, span_number=span.number, card=span.card, board=board, host=span.host, node=span.node,
        priority=span.timing, source=said.sync_name if said is not None else "",
        told=said is not None and said.sync_source is not None,
        since_ns=said.sync_since_ns if said is not None else 0, state=span.state, words=span.words,
    )  # fmt: skip


def _timed(inventory: Inventory, source: wire.ClockSource) -> clockplan.Timed:
    one = inventory.spans[source.span]
    alarms = Alarms(one.state.alarms) if one.state is not None else Alarms.NONE
    usable = one.host_up and one.state is not None and not alarms & _NO_CLOCK
    place = source.board or source.card
    conf = one.config
    return clockplan.Timed(conf.name, source.span_number, place, conf.node, conf.timing, usable, source.source)


def _finding(one: clockplan.Finding) -> wire.ClockFinding:
    return wire.ClockFinding(kind=one.kind, card=one.card, spans=list(one.spans), text=one.text)


def all_of(
    kept: Performance, inventory: Inventory, spans: Iterable[str], wants: wire.PerformanceRequest, now: int
) -> wire.PerformanceReply:
    """The figures of these spans, by number."""
    found = [performance(kept, inventory, name, wants, now) for name in spans]
    return wire.PerformanceReply(spans=sorted(found, key=lambda one: one.span_number))
