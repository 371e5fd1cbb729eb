# SPDX-License-Identifier: GPL-2.0-or-later
"""Performance figures and timing sources of spans, as `org.dahdipy.Spans` tells them."""

from __future__ import annotations

from dahdi_py.wire.interface import Record, Request


class PerformanceRequest(Request):
    """Whose figures, and how many of them.

    Attributes:
        span: By configured name or shown number; empty for every span.
        intervals: So many closed quarter hours at most, 0-96; when left out 96 of one span, none of every span.
        days: So many closed days at most, 0-31; when left out 31 of one span, none of every span.
        errored: So many runs of errored seconds at most, 0-200.
        norm: Only by this one (RFC 4805, T1.231, G.826); empty for all.
        end: Only of this one (near, far); empty for both.
    """

    span: str = ""
    intervals: int | None = None
    days: int | None = None
    errored: int = 0
    norm: str = ""
    end: str = ""


class Figures(Record):
    """What was counted of one end of the line by one norm.

    Attributes:
        end: near (our receiver) or far (the far end's, as far as it tells).
        norm: RFC 4805 (DS1-MIB), T1.231, or G.826: their limits differ.
        completeness: complete, partial (seconds are missing), suspect (seconds are doubtful).
        seconds: That told something of this end.
        counts: By parameter as the norm calls it; None where it cannot be known.
        estimated: Parameters that may be more than is told, or were told in ranges.
    """

    end: str
    norm: str
    completeness: str
    seconds: int
    counts: dict[str, int | None]
    estimated: list[str] = []


class Interval(Record):
    """What was counted from one instant to another.

    Attributes:
        duration_ns: Its length; of one that goes on, until now.
        reasons: Why it is suspect: counter_reset, clock_step, late.
        crossed: Parameters that reached their threshold in it.
    """

    start_ns: int
    duration_ns: int
    figures: list[Figures]
    reasons: list[str] = []
    crossed: list[str] = []


class ErroredSeconds(Record):
    """Seconds in a row in which something was wrong.

    Attributes:
        duration_ns: How many, as a length of time.
        counts: Counted in all of them, by counter.
        defects: Alarm bits that each of them had; `words` the same as operators know them.
    """

    start_ns: int
    duration_ns: int
    counts: dict[str, int]
    defects: int
    words: list[str]


class SpanPerformance(Record):
    """A span's figures.

    Attributes:
        circuit: What its history is kept under: the carrier's name for it, or the span's.
        kind: D4, ESF, E1, E1-CRC.
        last_ns: The newest second that is known ended then; 0 for none.
        current: The quarter hour that goes on; None while nothing is known of it.
        previous: The last closed quarter hour.
        hour, day: The last 4 and the last 96 closed quarter hours together.
        today: The day that goes on, UTC.
        total: Since the first second.
        intervals, days: Closed ones, newest first.
        errored: Newest first.
    """

    span: str
    span_number: int
    circuit: str
    kind: str
    last_ns: int
    current: Interval | None
    previous: Interval | None
    hour: Interval | None
    day: Interval | None
    today: Interval | None
    total: Interval | None
    intervals: list[Interval]
    days: list[Interval]
    errored: list[ErroredSeconds]


class PerformanceReply(Record):
    """By span number."""

    spans: list[SpanPerformance]


class ClockSource(Record):
    """Where a span takes its timing from, and what it is for others.

    Attributes:
        board: Where the kernel's spans are on several: which of them.
        priority: As timing source, 1 first, 0 never; None where the driver does not say.
        source: The span that is its timing source now; empty for none, or one that the driver does not tell.
        told: The driver tells: no source is its own oscillator.
        since_ns: UTC of the last change of source that was seen, ns.
        state, words: The span's own, as `Spans.List` has them.
    """

    span: str
    span_number: int
    card: str
    board: str
    host: str
    node: str
    priority: int | None
    source: str
    told: bool
    since_ns: int
    state: str
    words: list[str]


class ClockFinding(Record):
    """Something that is wrong with the clock plan, in a sentence.

    Attributes:
        kind: no_source, two_firsts, network_source, source_in_alarm, fallen_back.
        spans: Whom it concerns.
    """

    kind: str
    card: str
    spans: list[str]
    text: str


class ClockReply(Record):
    """Every span by number, and what is wrong."""

    spans: list[ClockSource]
    findings: list[ClockFinding]
