# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import Any

import click
import msgspec
import pytest

from dahdi_py.cli.performance_text import errors_page, interval_table, paragraph
from dahdi_py.cli.span_text import span_page, span_table
from dahdi_py.cli.spans_clock import clock_page
from dahdi_py.cli.times import NS, local
from dahdi_py.wire.messages.performance import (
    ClockFinding,
    ClockReply,
    ClockSource,
    ErroredSeconds,
    Figures,
    Interval,
    SpanPerformance,
)
from tests.cli.samples import HOUR_NS, NOW_NS, span

MIB = ("UAS", "ES", "SES", "SEFS", "LES", "CSS", "BES", "DM", "LCV", "PCV")
BLOCKS = ("UAS", "ES", "SES", "BBE", "EB")


def lines_of(text: str) -> list[str]:
    return click.unstyle(text).splitlines()


def figures(end: str = "near", norm: str = "RFC 4805", completeness: str = "complete", seconds: int = 900,
            estimated: tuple[str, ...] = (), **counts: int | None) -> Figures:  # fmt: skip
    names = BLOCKS if norm == "G.826" else MIB
    known: dict[str, int | None] = dict.fromkeys(names, 0)
    return Figures(
        end=end, norm=norm, completeness=completeness, seconds=seconds, counts=known | counts, estimated=[*estimated]
    )


def interval(*of: Figures, ago: int = 0, crossed: tuple[str, ...] = ()) -> Interval:
    return Interval(start_ns=NOW_NS - ago * 900 * NS, duration_ns=431 * NS, figures=[*of], crossed=[*crossed])


def performance(**changes: Any) -> SpanPerformance:
    values: dict[str, Any] = {
        "span": "e1-1", "span_number": 1, "circuit": "DE/1", "kind": "E1-CRC", "last_ns": NOW_NS,
        "current": interval(figures(ES=3, CSS=1)), "previous": None, "hour": None, "day": None, "today": None,
        "total": None, "intervals": [], "days": [], "errored": [],
    }  # fmt: skip
    return SpanPerformance(**(values | changes))


def test_the_current_interval_reads_as_on_a_router() -> None:
    current = interval(figures(ES=12, SES=2, estimated=("SES",), LCV=None), crossed=("ES",))
    assert lines_of("\n".join(paragraph(performance(current=current))))[:5] == [
        "  Near end by RFC 4805 (E1-CRC), data in current interval (431 seconds elapsed, complete):",
        "     - Line Code Violations, 0 Path Code Violations",
        "     0 Slip Secs, 0 Fr Loss Secs, 0 Line Err Secs, 0 Degraded Mins",
        "     12! Errored Secs, 0 Bursty Err Secs, ~2 Severely Err Secs, 0 Unavail Secs",
        "",
    ]


def test_what_was_not_seen_of_it_is_said() -> None:
    partial = interval(figures(completeness="partial", seconds=40))
    assert "(431 seconds elapsed, 40 of 431 seen)" in paragraph(performance(current=partial))[0]
    suspect = interval(figures(completeness="suspect"))
    assert "(431 seconds elapsed, suspect)" in paragraph(performance(current=suspect))[0]


def test_before_and_both_ends_stand_below_with_their_norms() -> None:
    nothing = msgspec.structs.replace(figures("far"), counts=dict.fromkeys(MIB))
    current = interval(figures(), figures(norm="G.826", EB=3), nothing)
    hour = interval(figures(UAS=7, completeness="partial"), figures(norm="G.826", EB=2000), nothing)
    text = lines_of("\n".join(paragraph(performance(current=current, hour=hour))))[5:]
    assert text == [
        "  Near end, RFC 4805  UAS  ES  SES  SEFS  LES  CSS  BES  DM  LCV  PCV",
        "  current               0   0    0     0    0    0    0   0    0    0",
        "  hour p                7   0    0     0    0    0    0   0    0    0",
        "  Near end, G.826     UAS  ES  SES  BBE    EB",
        "  current               0   0    0    0     3",
        "  hour                  0   0    0    0  2000",
        "  Far end by RFC 4805: the driver tells nothing of it.",
        "  p partial: seconds are missing",
    ]


def test_a_span_of_which_nothing_is_known_says_so() -> None:
    assert paragraph(performance(current=None)) == ["  Nothing has been counted in this quarter hour."]
    page = lines_of(span_page(span(1), [], NOW_NS, performance(current=None)))
    assert "  Nothing has been counted in this quarter hour." in page
    assert "  Channel map" in page


def test_intervals_are_a_line_each_with_marks_and_their_meaning() -> None:
    intervals = [
        interval(figures(seconds=431, ES=1)),
        interval(figures(UAS=410, ES=10, LES=None, estimated=("UAS",)), ago=1, crossed=("UAS-P", "ES")),
        interval(figures(completeness="suspect"), ago=2),
        interval(figures("far"), ago=3),
    ]
    first, second, third = (local(one.start_ns) for one in intervals[:3])
    assert lines_of(interval_table(span(1), performance(), intervals, "near", "RFC 4805")) == [
        "Span 1 (e1-1), circuit DE/1: near end by RFC 4805 (E1-CRC)",
        "FROM                 SECS       UAS   ES  SES  SEFS  LES  CSS  BES  DM  LCV  PCV",
        f"{first}   431         0    1    0     0    0    0    0   0    0    0",
        f"{second}   900     ~410!  10!    0     0    -    0    0   0    0    0",
        f"{third}   900  s      0    0    0     0    0    0    0   0    0    0",
        "! threshold crossed   ~ estimated   s suspect   - not counted",
    ]


def test_a_line_without_intervals_says_so() -> None:
    text = interval_table(span(1), performance(), [], "far", "G.826")
    assert text == "Span 1 (e1-1), circuit DE/1: far end by G.826 (E1-CRC): nothing has been counted yet."


def test_errors_are_counters_and_when_something_was_wrong() -> None:
    errored = [
        ErroredSeconds(start_ns=NOW_NS, duration_ns=20 * NS, counts={}, defects=264, words=["RED", "LOS"]),
        ErroredSeconds(start_ns=NOW_NS - HOUR_NS, duration_ns=NS, counts={"crc": 3, "slips": 1}, defects=0, words=[]),
    ]
    one = span(1, counters={"crc": 3, "bpv": None})
    assert lines_of(errors_page(one, performance(errored=errored))) == [
        "Span 1 (e1-1), circuit DE/1: counters since an unknown start, at most 10 s old",
        "  crc              3",
        "  bpv              not counted",
        "",
        "ERRORED FROM              FOR  DEFECTS  COUNTED",
        f"{local(NOW_NS)}  00:00:20  RED/LOS  -",
        f"{local(NOW_NS - HOUR_NS)}  00:00:01  -        3 crc, 1 slips",
    ]
    assert lines_of(errors_page(span(1, counters={}), performance()))[1:] == [
        "  none are known", "", "No errored seconds are on record.",
    ]  # fmt: skip


def test_the_table_of_spans_has_the_quarter_hour_where_there_is_room() -> None:
    current = interval(figures(ES=12, UAS=410, CSS=None, estimated=("UAS",)), crossed=("ES",))
    spans = [span(1), span(2)]
    assert lines_of(span_table(spans, NOW_NS, [performance(current=current)])) == [
        "SPAN NAME TYPE FRAMING/CODE  CLOCK ALARMS L2 CH use/ok/tot 15m ES SES  UAS SLIP    SINCE",
        "   1 e1-1 E1   CCS/HDB3/CRC4 int   OK     up       0/30/30    12!   0 ~410    - 00:03:11",
        "   2 e1-2 E1   CCS/HDB3/CRC4 int   OK     up       0/30/30      -   -    -    - 00:03:11",
        "2 spans up: 0 of 60 channels in use",
        "15m: this quarter hour, near end by RFC 4805   ! threshold crossed   ~ estimated",
    ]
    wide = lines_of(span_table([span(1, name="a" * 30)], NOW_NS, [performance(span="a" * 30)]))
    assert "15m" not in wide[0]
    assert len(wide) == 3


_MASTERS = [("", 1, True), ("", 2, False), ("e1-1", 7, True), ("x", 1, False)]


def source(number: int, **changes: Any) -> ClockSource:
    values: dict[str, Any] = {
        "span": f"s{number}", "span_number": number, "card": "te4", "board": "", "host": "a", "node": "cpe",
        "priority": number, "source": "s1", "told": True, "since_ns": NOW_NS - HOUR_NS, "state": "ok", "words": [],
    }  # fmt: skip
    return ClockSource(**(values | changes))


def test_the_clock_plan_is_a_table_and_its_findings_sentences() -> None:
    spans = [
        source(1),
        source(2, priority=0, node="network", words=["RED", "LOS"]),
        source(3, priority=None, source="", told=False, state="host_down", board="T4XXP Card 0"),
        source(4, priority=0, source=""),
    ]
    finding = ClockFinding(kind="no_source", card="te4", spans=["s1"], text="It is wrong.")
    assert lines_of(clock_page(ClockReply(spans=spans, findings=[finding]), NOW_NS)) == [
        "SPAN  NAME  CARD          SIDE     PRIORITY  SOURCE NOW     SINCE  ALARMS",
        "   1  s1    te4           user     1         its line    01:00:00  OK",
        "   2  s2    te4           network  never     s1          01:00:00  RED/LOS",
        "   3  s3    T4XXP Card 0  user     ?         not told           -  ?",
        "   4  s4    te4           user     never     itself             -  OK",
        "! It is wrong.",
    ]
    assert lines_of(clock_page(ClockReply(spans=[], findings=[]), NOW_NS)) == [
        "no span is configured", "The clock plan is sound.",
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "number", "master"), _MASTERS)
def test_the_sync_master_is_told_by_name_where_there_is_one(name: str, number: int, master: bool) -> None:
    line = lines_of(span_table([span(1, sync_name=name, sync_source=number)], NOW_NS))[1]
    assert ("int*" in line) is master
