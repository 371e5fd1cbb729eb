# SPDX-License-Identifier: GPL-2.0-or-later
"""Slips of the last hour and day, by G.822's limits; missed interrupts of the last minute."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dahdi_py.core.interrupts import MOST, WINDOW_S, MissedInterrupts
from dahdi_py.core.performance_bins import DAY_S, Errored
from dahdi_py.core.slips import HOUR_S, Slipped, slipped
from dahdi_py.core.terms import Alarms

NOW = 1_795_000_000


def run(ago: int, slips: int, seconds: int = 1, defects: Alarms = Alarms.NONE) -> Errored:
    return Errored(NOW - ago, seconds, {"slips": slips}, int(defects))


def test_nothing_counted_is_nothing() -> None:
    assert slipped([], NOW) == Slipped(0, 0)
    assert slipped([Errored(NOW - 9, 1, {"crc": 4}, 0)], NOW) == Slipped(0, 0)


def test_five_a_day_are_good_and_thirty_an_hour_bearable() -> None:
    """Source: G.822 2.2."""
    assert not slipped([run(DAY_S - 1, 5)], NOW).often
    assert slipped([run(DAY_S - 1, 6)], NOW) == Slipped(0, 6)
    assert slipped([run(DAY_S - 1, 6)], NOW).often
    assert not slipped([run(HOUR_S - 1, 30)], NOW).unusable
    assert slipped([run(HOUR_S - 1, 31)], NOW).unusable


def test_what_is_older_than_a_day_is_forgotten() -> None:
    assert slipped([run(DAY_S + 1, 100)], NOW) == Slipped(0, 0)


def test_of_a_long_run_its_share_counts() -> None:
    assert slipped([run(2 * HOUR_S, 7200, seconds=2 * HOUR_S)], NOW) == Slipped(3600, 7200)


def test_a_line_that_had_failed_tells_nothing_of_clocks() -> None:
    for failed in (Alarms.RED, Alarms.LOS, Alarms.LFA, Alarms.BLUE):
        assert slipped([run(9, 100, defects=failed)], NOW) == Slipped(0, 0)
    assert slipped([run(9, 100, defects=Alarms.YELLOW)], NOW) == Slipped(100, 100)


def test_interrupts_are_forgotten_after_a_minute() -> None:
    watch = MissedInterrupts()
    assert watch.feed(1000, 0.0) == 0
    assert watch.feed(1001, 1.0) == 1
    assert watch.feed(1003, 2.0) == 3
    assert watch.next_deadline() == 1.0 + WINDOW_S
    assert watch.feed(None, 1.0 + WINDOW_S) == 2
    assert watch.feed(1003, 2.0 + WINDOW_S) == 0
    assert watch.next_deadline() is None
    assert MOST == 1


def test_a_count_that_began_anew_is_no_miss() -> None:
    watch = MissedInterrupts()
    watch.feed(1000, 0.0)
    assert watch.feed(3, 1.0) == 0
    assert watch.feed(5, 2.0) == 2


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(0, 5)), max_size=30))
def test_exactly_the_last_minute_counts(steps: list[tuple[float, int]]) -> None:
    watch, now, total, seen = MissedInterrupts(), 0.0, 7, []
    watch.feed(total, now)
    for wait, missed in steps:
        now, total = now + wait, total + missed
        seen.append((now, missed))
        assert watch.feed(total, now) == sum(count for at, count in seen if at > now - WINDOW_S)
