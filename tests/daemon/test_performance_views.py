# SPDX-License-Identifier: GPL-2.0-or-later
"""What is shown of a history at an instant of the test's choice."""

from __future__ import annotations

import tomllib
from typing import Any, cast

import msgspec
import pytest

from dahdi_py.core.config_file import parse
from dahdi_py.core.performance_bins import QUARTER_S
from dahdi_py.daemon import performance_views
from dahdi_py.daemon.inventory import Inventory
from dahdi_py.daemon.news import News
from dahdi_py.daemon.performance import NS, Performance
from dahdi_py.wire.messages.host import SecondsSeen
from dahdi_py.wire.messages.performance import Figures, Interval, PerformanceRequest, SpanPerformance
from tests.daemon.process import TWO_HOSTS

BEGIN = 1_795_600_800
CLEAN = {"crc": 0, "ebit": 0, "bpv": 0, "slips": 0}


class Told:
    """Span east's seconds, and the records of them."""

    def __init__(self) -> None:
        no_limits = "[performance]\nquarter = {ES = 0}\nday = {ES = 0}\n"
        config = parse(tomllib.loads(TWO_HOSTS.format(service="", access="", calls="") + no_limits))
        self.inventory = Inventory(config)
        self.performance = Performance(config, self.inventory, cast(Any, None), {})

    def take(self, first: int, seconds: int, estimated: tuple[str, ...] = (), **counts: int) -> None:
        seen = SecondsSeen(first=BEGIN + first, seconds=seconds, counts=CLEAN | counts, estimated=[*estimated])
        self.tell(seen)

    def tell(self, seen: SecondsSeen) -> None:
        data = msgspec.Raw(msgspec.json.encode(seen))
        self.performance.take_in(News(n=1, utc_ns=0, monotonic_ns=0, kind="line.seconds", span="east", data=data))

    def at(self, now: int, **wants: Any) -> SpanPerformance:
        request = PerformanceRequest(**{"intervals": 96, "days": 31} | wants)
        return performance_views.performance(self.performance, self.inventory, "east", request, BEGIN + now)


@pytest.fixture
def told() -> Told:
    return Told()


def near(one: Interval | None) -> Figures:
    assert one is not None
    return one.figures[0]


def test_nothing_is_known_at_first(told: Told) -> None:
    found = told.at(100)
    assert (found.current, found.previous, found.hour, found.day, found.today, found.total) == (None,) * 6
    assert (found.intervals, found.days, found.errored, found.last_ns) == ([], [], [], 0)


def test_the_current_interval_goes_on_until_now(told: Told) -> None:
    told.take(0, 100)
    found = told.at(105)
    assert found.current is not None
    assert (found.current.start_ns, found.current.duration_ns) == (BEGIN * NS, 105 * NS)
    assert (near(found.current).seconds, near(found.current).completeness) == (100, "complete")
    assert found.last_ns == (BEGIN + 100) * NS
    assert near(told.at(200).current).completeness == "partial"
    assert found.total is not None
    assert found.total.duration_ns == 105 * NS


def test_an_hour_and_a_day_are_the_closed_quarters_behind(told: Told) -> None:
    told.take(0, 5 * QUARTER_S, crc=1)
    now = 5 * QUARTER_S + 10
    found = told.at(now)
    assert found.current is None
    assert found.previous is not None
    assert found.previous.start_ns == (BEGIN + 4 * QUARTER_S) * NS
    assert near(found.hour).counts["ES"] == 3600
    assert near(found.hour).completeness == "complete"
    assert near(found.day).counts["ES"] == 4500
    assert near(found.day).completeness == "partial"
    assert [one.start_ns for one in found.intervals] == [(BEGIN + n * QUARTER_S) * NS for n in (4, 3, 2, 1, 0)]
    later = told.at(now + 3 * QUARTER_S)
    assert later.previous is None
    assert near(later.hour).counts["ES"] == 900
    assert near(later.hour).completeness == "partial"
    assert told.at(now + 8 * 3600).hour is None


def test_a_sum_is_as_doubtful_as_its_parts(told: Told) -> None:
    told.take(0, QUARTER_S)
    told.take(QUARTER_S, QUARTER_S, estimated=("crc",))
    found = told.at(2 * QUARTER_S)
    assert near(found.intervals[1]).estimated == []
    assert {"ES", "SES", "UAS"} <= set(near(found.hour).estimated)


def test_what_nobody_counts_is_none_in_every_sum(told: Told) -> None:
    told.tell(SecondsSeen(first=BEGIN, seconds=QUARTER_S))
    found = told.at(QUARTER_S)
    for one in (found.previous, found.hour, found.day):
        counts = near(one).counts
        assert (counts["ES"], counts["PCV"], counts["CSS"]) == (0, None, None)


def test_only_what_is_asked_for(told: Told) -> None:
    told.take(0, QUARTER_S)
    found = told.at(QUARTER_S, norm="G.826", end="far", intervals=0, days=0)
    assert found.previous is not None
    assert [(one.end, one.norm) for one in found.previous.figures] == [("far", "G.826")]
    assert (found.intervals, found.hour, found.day) == ([], None, None)
