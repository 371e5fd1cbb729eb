# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dahdi_py.core.config import Alarms, Group
from dahdi_py.core.group_alarms import ANSWERS, BUSY, CORES, MINIMUM, SILENT, GroupAlarms, Seen

NS = 10**9
WELL = Seen(30, 30, 30, 1)


def watched(settings: Alarms | None = None, **more: int) -> GroupAlarms:
    return GroupAlarms(Group(name="out", spans=["east"], **more), settings or Alarms(), 0.0)  # type: ignore[arg-type]


def aspects(watch: GroupAlarms, seen: Seen, now: float) -> list[str]:
    return [one.aspect for one in watch.feed(seen, now, int(1000 * NS + now * NS))]


def test_a_group_that_is_well_is_well_for_ever() -> None:
    watch = watched()
    assert aspects(watch, WELL, 0.0) == []
    assert watch.next_deadline() is None
    assert aspects(watch, WELL, 1e9) == []


def test_below_its_minimum_at_once() -> None:
    watch = watched(minimum=20)
    assert aspects(watch, Seen(20, 0, 30, 1), 1.0) == []
    (low,) = watch.feed(Seen(19, 19, 30, 1), 2.0, 5)
    assert (low.aspect, low.severity, low.since_ns) == (MINIMUM, "critical", 5)
    assert "19 of 30 channels left, fewer than the 20" in low.text
    assert aspects(watch, Seen(20, 20, 30, 1), 3.0) == []


def test_all_busy_after_a_while_and_not_when_nothing_is_usable() -> None:
    watch = watched()
    full = Seen(30, 0, 30, 1)
    assert aspects(watch, full, 10.0) == []
    assert watch.next_deadline() == 70.0
    assert aspects(watch, full, 69.9) == []
    (busy,) = watch.feed(full, 70.0, 1070 * NS)
    assert (busy.aspect, busy.since_ns) == (BUSY, 1010 * NS)
    assert watch.next_deadline() is None
    assert aspects(watch, Seen(30, 1, 30, 1), 71.0) == []
    assert aspects(watch, full, 72.0) == []
    assert aspects(watch, Seen(0, 0, 30, 1), 500.0) == []
    assert aspects(watched(Alarms(all_busy_s=0)), full, 1e6) == []


def test_a_group_nobody_ever_served_wants_no_core_until_a_call_comes() -> None:
    unserved = Seen(30, 30, 30, 0)
    watch = watched()
    assert aspects(watch, unserved, 1e6) == []
    watch.incoming(1e6)
    assert aspects(watch, unserved, 1e6) == []
    assert watch.next_deadline() == 1e6 + 30
    assert aspects(watch, unserved, 1e6 + 30) == [CORES]
    assert aspects(watch, WELL, 1e6 + 31) == []


def test_a_core_that_served_and_is_gone_is_missed() -> None:
    watch = watched()
    aspects(watch, WELL, 1.0)
    assert aspects(watch, Seen(30, 30, 30, 0), 2.0) == []
    assert aspects(watch, Seen(30, 30, 30, 0), 32.0) == [CORES]
    off = watched(Alarms(no_core_s=0))
    aspects(off, WELL, 1.0)
    assert aspects(off, Seen(30, 30, 30, 0), 2.0) == aspects(off, Seen(30, 30, 30, 0), 1e6) == []


def test_what_stood_before_stands_until_it_is_seen_to_be_mended() -> None:
    group = Group(name="out", spans=["east"], no_incoming_minutes=1)
    watch = GroupAlarms(group, Alarms(), 1000.0, (BUSY, CORES, SILENT))
    assert aspects(watch, Seen(30, 0, 30, 0), 1000.0) == [BUSY, CORES, SILENT]
    watch.incoming(1001.0)
    assert aspects(watch, WELL, 1001.0) == []
    again = GroupAlarms(group, Alarms(), 1000.0)
    assert aspects(again, Seen(30, 0, 30, 0), 1000.0) == []


def test_silence_is_an_alarm_only_while_something_could_come_in() -> None:
    watch = watched(no_incoming_minutes=1)
    assert aspects(watch, WELL, 0.0) == []
    assert watch.next_deadline() == 60.0
    watch.incoming(30.0)
    assert aspects(watch, WELL, 60.0) == []
    assert aspects(watch, WELL, 90.0) == [SILENT]
    assert aspects(watch, Seen(0, 0, 30, 1), 100.0) == []
    assert aspects(watch, WELL, 159.0) == []
    assert aspects(watch, WELL, 160.0) == [SILENT]
    watch.incoming(161.0)
    assert aspects(watch, WELL, 162.0) == []


def test_too_few_answers_of_enough_calls_within_the_window() -> None:
    watch = watched(Alarms(answer_window_s=100, answer_calls=10), answer_ratio=40)
    for at in range(9):
        watch.ended(False, float(at))
    assert aspects(watch, WELL, 9.0) == []
    watch.ended(True, 9.0)
    (collapsed,) = watch.feed(WELL, 9.0, 0)
    assert (collapsed.aspect, collapsed.severity) == (ANSWERS, "major")
    assert "1 of the last 10 outgoing calls were answered, less than 40 %" in collapsed.text
    assert watch.next_deadline() == 100.0
    assert aspects(watch, WELL, 100.0) == [], "too few are left in the window to say"
    assert aspects(watch, WELL, 300.0) == []
    assert watch.next_deadline() is None


def test_without_a_floor_nothing_is_counted() -> None:
    watch = watched()
    for at in range(100):
        watch.ended(False, float(at))
    assert aspects(watch, WELL, 100.0) == []


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 100))
def test_the_ratio_is_of_what_ended(answers: list[bool], floor: int) -> None:
    watch = watched(Alarms(answer_calls=5), answer_ratio=floor)
    for answered in answers:
        watch.ended(answered, 1.0)
    low = len(answers) >= 5 and sum(answers) / len(answers) < floor / 100
    assert (ANSWERS in aspects(watch, WELL, 2.0)) == low
