# SPDX-License-Identifier: GPL-2.0-or-later
"""Seconds as they are told, on a clock of the test's own."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

import msgspec
import pytest

from dahdi_py.backends.base import Backend, Counters, SpanStatus
from dahdi_py.core.config import Span
from dahdi_py.core.far_end_reports import WAIT, Report, Reports
from dahdi_py.core.terms import Alarms, LineType
from dahdi_py.errors import DeviceGone, HardwareError
from dahdi_py.linehost.card import HostCard
from dahdi_py.linehost.line import SpanLine
from dahdi_py.linehost.outbox import SECONDS, Outbox
from dahdi_py.linehost.seconds import Seconds
from dahdi_py.wire.messages.host import HostEvent, MonitorReply, SecondsSeen
from tests.linehost.rig import Rig, pair

LOS = Alarms.RED | Alarms.LOS
BEGIN = 1_795_600_800


class Driver:
    """A card of two spans whose counters and alarms are the test's.

    Synchronization: one thread.
    """

    driver = "script"

    def __init__(self) -> None:
        self.counters = {"1": Counters(crc=100, bpv=7), "2": Counters(crc=0)}
        self.alarms = {"1": Alarms.NONE, "2": Alarms.NONE}
        self.reports: list[int] | None = None
        self.error: Callable[[str], Exception | None] = lambda port: None
        self.asked: list[str] = []

    def status(self, port: str) -> SpanStatus:
        self.asked.append(port)
        error = self.error(port)
        if error is not None:
            raise error
        heard = self.reports if port == "1" else None
        return SpanStatus(
            port, self.alarms[port], self.counters[port], estimated=frozenset({"crc"}),
            reports=None if heard is None else Reports(len(heard), tuple(heard[::-1])),
        )  # fmt: skip


class Bench:
    """Two spans on that card, the sampler, and what it told; time passes when the test says so."""

    def __init__(self) -> None:
        self.driver = Driver()
        self.box = Outbox(1, lambda: None)
        self.card = HostCard("c", cast(Backend, self.driver), cast(Any, None))
        self.card._owner = cast(Any, self)
        self.card.bring_up = lambda line: None  # type: ignore[method-assign]
        self.lines = [
            SpanLine(Span(name=f"s{port}", card="c", host="h", port=port, type=LineType.E1), self.card)
            for port in ("1", "2")
        ]
        self.card.lines += self.lines
        for line in self.lines:
            line.ready = True
        self.now, self.wall = 50.25, BEGIN + 0.25
        self.seconds = Seconds(self.lines, self.box, lambda: self.wall)
        self.seconds.begin(self.now)
        self.told: list[HostEvent] = []
        self.box.follow(self._read, 0)

    def _read(self, reply: MonitorReply) -> None:
        self.told += msgspec.json.decode(msgspec.json.encode(reply), type=MonitorReply).events

    def line_status(self, line: SpanLine, alarms: Alarms) -> None:
        self.seconds.saw(line, alarms)

    def line_lost(self, line: SpanLine, reason: str) -> None:
        pass

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.wall += seconds
        self.seconds.expire(self.now)
        self.box.flush()

    def run(self, seconds: int) -> None:
        """The timer fires at each due instant, a little late."""
        for _ in range(seconds):
            self.pass_time(self.seconds.due - self.now + 0.003)

    def of(self, span: str) -> list[SecondsSeen]:
        found = [event for event in self.told if event.kind == SECONDS and event.span == span]
        return [msgspec.convert(event.data, SecondsSeen) for event in found]

    def runs(self, span: str = "s1") -> list[tuple[int, int, int]]:
        """First second from the beginning, length, CRC errors."""
        return [(seen.first - BEGIN, seen.seconds, seen.counts["crc"]) for seen in self.of(span)]

    def count(self, crc: int) -> None:
        before = self.driver.counters["1"]
        self.driver.counters["1"] = Counters(crc=(before.crc or 0) + crc, bpv=before.bpv)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_the_far_ends_reports_are_told_a_second_each(bench: Bench) -> None:
    heard = bench.driver.reports = []
    for second in range(12):
        heard.append(Report.G2 | Report.LV if second == 3 else 0)
        bench.run(1)
    seen = bench.of("s1")
    told = [one.counts.get("far_crc") for one in seen for _ in range(one.seconds)]
    # The reading that everything is counted from has had the first report.
    assert told[: WAIT + 3] == [None] * (WAIT - 1) + [0, 0, 5, 0]
    assert next(one for one in seen if one.counts.get("far_crc")).counts["far_bpv"] == 1
    assert seen[0].counts["far_reports"] == 0
    assert all("far_reports" not in one.counts for one in bench.of("s2"))


@pytest.mark.parametrize("loop", ["card", "elsewhere"])
def test_on_a_loop_nothing_is_told_of_a_far_end(bench: Bench, loop: str) -> None:
    """What comes back are our own reports."""
    heard = bench.driver.reports = []
    for second in range(20):
        heard.append(Report.G1)
        if second == 10:
            bench.driver.alarms["1"] = Alarms.LOOPBACK if loop == "card" else Alarms.NONE
            bench.lines[0].echo = loop == "elsewhere"
        bench.run(1)
    bench.seconds.flush()
    bench.box.flush()
    seconds = [one for one in bench.of("s1") for _ in range(one.seconds)]
    assert ["far_crc" in one.counts for one in seconds] == [False] * 3 + [True] * 6 + [False] * 10


def test_clean_seconds_are_told_ten_at_a_time(bench: Bench) -> None:
    bench.run(32)
    assert bench.runs() == [(1, 1, 0), (2, 10, 0), (12, 10, 0), (22, 10, 0)]
    first = bench.of("s1")[0]
    assert first.counts == {"crc": 0, "bpv": 0}
    assert first.estimated == ["crc"]
    assert bench.of("s2")[0].counts == {"crc": 0}


def test_a_second_that_is_otherwise_is_told_at_once(bench: Bench) -> None:
    bench.run(4)
    bench.count(crc=5)
    bench.run(1)
    assert bench.runs() == [(1, 1, 0), (2, 2, 0), (4, 1, 5)]
    bench.run(1)
    assert bench.runs()[-1] == (5, 1, 0)
    bench.run(3)
    assert bench.runs()[-1] == (5, 1, 0)
    bench.run(7)
    assert bench.runs()[-1] == (6, 10, 0)


def test_what_a_line_showed_during_a_second_belongs_to_it(bench: Bench) -> None:
    bench.run(2)
    bench.seconds.saw(bench.lines[0], LOS | Alarms.RECOVER)
    bench.run(2)
    assert [(seen.first - BEGIN, seen.defects) for seen in bench.of("s1")] == [(1, 0), (2, int(LOS)), (3, 0)]


def test_an_outage_is_told_second_by_second_to_who_listens_and_kept_in_runs_for_who_does_not(bench: Bench) -> None:
    bench.run(2)
    bench.driver.alarms["1"] = LOS
    bench.run(4)
    assert [(seen.seconds, bool(seen.defects)) for seen in bench.of("s1")] == [(1, False), *[(1, True)] * 4]
    bench.box.leave()
    bench.run(22)
    bench.told.clear()
    bench.box.follow(bench._read, 0)
    bench.run(1)
    assert [seen.seconds for seen in bench.of("s1")] == [1, 1, 1, 1, 1, 10, 10, 3]


def test_a_run_ends_with_its_quarter_hour(bench: Bench) -> None:
    bench.run(899)
    assert bench.runs()[-1] == (882, 10, 0)
    bench.run(1)
    assert bench.runs()[-1] == (892, 8, 0)
    assert sum(length for _, length, _ in bench.runs()) == 899
    bench.run(10)
    assert bench.runs()[-1] == (900, 10, 0)


def test_counters_that_begin_anew_make_one_second_suspect(bench: Bench) -> None:
    bench.run(2)
    bench.driver.counters["1"] = Counters(crc=3, bpv=7)
    bench.run(2)
    seen = bench.of("s1")
    assert [(one.counts["crc"], one.suspect) for one in seen] == [(0, ""), (0, "counter_reset"), (0, "")]


def test_a_late_timer_leaves_seconds_out_and_says_so(bench: Bench) -> None:
    bench.run(2)
    bench.count(crc=40)
    bench.pass_time(3.4)
    assert [(first, crc) for first, _, crc in bench.runs()] == [(1, 0), (4, 40)]
    assert bench.of("s1")[-1].suspect == "late"
    bench.run(1)
    assert bench.runs()[-1] == (5, 1, 0)


def test_a_clock_that_is_set_makes_the_next_second_suspect(bench: Bench) -> None:
    bench.run(2)
    bench.wall += 3600
    bench.run(2)
    assert [(one.first - BEGIN, one.suspect) for one in bench.of("s1")] == [
        (1, ""), (3602, "clock_step"), (3603, ""),
    ]  # fmt: skip
    bench.wall -= 7200
    bench.run(1)
    assert (bench.of("s1")[-1].first - BEGIN, bench.of("s1")[-1].suspect) == (-3596, "clock_step")


def test_a_slewed_clock_loses_no_second(bench: Bench) -> None:
    for _ in range(300):
        step = bench.seconds.due - bench.now
        bench.now += step
        bench.wall += step * 0.9995
        bench.seconds.expire(bench.now)
        bench.box.flush()
    told = bench.of("s1")
    assert all(not seen.suspect for seen in told)
    assert [one.first + one.seconds for one in told[:-1]] == [one.first for one in told[1:]]


def test_a_span_that_is_lost_has_no_seconds_until_it_is_back(bench: Bench) -> None:
    bench.run(6)
    bench.lines[0].ready = False
    bench.run(3)
    assert bench.runs() == [(1, 1, 0), (2, 4, 0)]
    bench.driver.counters["1"] = Counters(crc=0, bpv=0)
    bench.lines[0].ready = True
    bench.run(2)
    assert bench.runs()[-1] == (10, 1, 0)
    assert not bench.of("s1")[-1].suspect


def test_a_card_that_does_not_answer_costs_one_span_its_patience(bench: Bench) -> None:
    bench.run(2)
    bench.driver.error = lambda port: DeviceGone("gone", operation="status")
    bench.driver.asked.clear()
    bench.run(1)
    assert bench.driver.asked == ["1"]
    bench.run(1)
    assert bench.driver.asked == ["1", "2"]


def test_a_reading_that_failed_is_a_second_missing(bench: Bench) -> None:
    bench.run(2)
    bench.driver.error = lambda port: HardwareError("refused", operation="status") if port == "1" else None
    bench.run(1)
    bench.driver.error = lambda port: None
    bench.run(2)
    assert [first for first, _, _ in bench.runs()] == [1, 4]
    assert [first for first, _, _ in bench.runs("s2")] == [1]


def test_nothing_is_kept_for_a_daemon_that_does_not_know_seconds(bench: Bench) -> None:
    bench.seconds.wanted = False
    bench.run(15)
    assert bench.told == []


def test_what_is_untold_is_told_at_the_end(bench: Bench) -> None:
    bench.run(5)
    bench.seconds.flush()
    bench.box.flush()
    assert bench.runs() == [(1, 1, 0), (2, 3, 0)]


def test_a_host_tells_its_seconds_until_they_are_committed(rig: Rig) -> None:
    rig.configure(pair())
    rig.card()
    rig.host()
    first = rig.control(protocol=2)
    seconds = [msgspec.convert(first.wait(SECONDS, span=span).data, SecondsSeen) for span in ("a", "b")]
    assert all(abs(seen.first - time.time()) < 30 for seen in seconds)
    assert set(seconds[0].counts) >= {"slips"}
    told = [(event.n, event.span) for event in first.find(SECONDS)]
    first.close()
    # The next daemon, which has none of them on its disk, hears them again; one that knows no seconds hears none.
    second = rig.control(epoch=2, protocol=2)
    second.wait(SECONDS, count=len(told) + 1)
    assert [(event.n, event.span) for event in second.find(SECONDS)][: len(told)] == told
    second.close()
    third = rig.control(epoch=3, protocol=1)
    third.up("a", "b")
    assert third.find(SECONDS) == []
