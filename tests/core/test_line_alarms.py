# SPDX-License-Identifier: GPL-2.0-or-later
"""Failures of a line: declared with the driver, cleared after the clearing time, held to a straightforward oracle."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dahdi_py.core.alarm import LOOP, RECEIVE, TRANSMIT
from dahdi_py.core.line_alarms import LineAlarms
from dahdi_py.core.terms import Alarms

RED = Alarms.RED | Alarms.LOS
UNKNOWN = Alarms(1 << 20)
WORDS = st.sampled_from(
    [Alarms.NONE, RED, Alarms.BLUE, Alarms.YELLOW, RED | Alarms.YELLOW, Alarms.RECOVER, Alarms.LOOPBACK, UNKNOWN]
)  # fmt: skip
STEPS = st.lists(st.tuples(WORDS, st.integers(1, 12)), min_size=1, max_size=30)


def stands(line: LineAlarms) -> dict[str, Alarms]:
    return {failure.aspect: failure.integrated for failure in line.failures()}


def test_a_failure_is_reported_at_once_and_cleared_after_ten_seconds_without() -> None:
    line = LineAlarms(10.0)
    assert [each.integrated for each in line.feed(RED, 100.0)] == [RED]
    assert line.next_deadline() is None
    (clearing,) = line.feed(Alarms.NONE, 105.0)
    assert (clearing.driver, clearing.integrated) == (Alarms.NONE, RED)
    assert line.next_deadline() == 115.0
    assert line.feed(None, 114.9)
    assert line.feed(None, 115.0) == []
    assert line.next_deadline() is None


def test_without_a_clearing_time_it_ends_with_the_driver() -> None:
    line = LineAlarms(0.0)
    assert line.feed(RED, 1.0)
    assert line.feed(Alarms.NONE, 2.0) == []


def test_a_failure_that_comes_back_while_it_is_cleared_begins_anew() -> None:
    line = LineAlarms(10.0)
    line.feed(RED, 0.0)
    line.feed(Alarms.NONE, 5.0)
    line.feed(RED, 14.0)
    assert line.next_deadline() is None
    line.feed(Alarms.NONE, 16.0)
    assert line.next_deadline() == 26.0


def test_a_change_of_kind_is_one_failure_with_another_word() -> None:
    line = LineAlarms(10.0)
    line.feed(RED, 0.0)
    assert stands(line) == {RECEIVE: RED}
    line.feed(Alarms.BLUE, 1.0)
    assert stands(line) == {RECEIVE: Alarms.BLUE}


def test_while_it_is_cleared_it_is_called_what_it_was_longest() -> None:
    """A line that comes back looks for its frames for a moment."""
    line = LineAlarms(10.0)
    line.feed(Alarms.BLUE, 0.0)
    line.feed(Alarms.RED | Alarms.LFA, 60.0)
    assert stands(line) == {RECEIVE: Alarms.RED | Alarms.LFA}
    line.feed(Alarms.NONE, 60.1)
    assert stands(line) == {RECEIVE: Alarms.BLUE}


def test_directions_fail_and_clear_on_their_own() -> None:
    """RED turns YELLOW: what we receive is good again, what the far end receives is not."""
    line = LineAlarms(10.0)
    line.feed(RED, 0.0)
    line.feed(Alarms.YELLOW, 1.0)
    assert stands(line) == {RECEIVE: RED, TRANSMIT: Alarms.YELLOW}
    line.feed(None, 11.0)
    assert stands(line) == {TRANSMIT: Alarms.YELLOW}
    line.feed(Alarms.LOOPBACK, 12.0)
    assert stands(line) == {TRANSMIT: Alarms.YELLOW, LOOP: Alarms.LOOPBACK}


def test_recover_is_free_of_the_defect_but_not_the_end_of_the_failure() -> None:
    line = LineAlarms(10.0)
    line.feed(RED, 0.0)
    line.feed(Alarms.RECOVER, 1.0)
    assert line.next_deadline() is None
    assert line.feed(None, 30.0), "the driver is not done yet"
    assert line.feed(Alarms.NONE, 31.0) == []
    short = LineAlarms(0.0)
    short.feed(RED, 0.0)
    assert short.feed(Alarms.RECOVER, 1.0)
    assert short.feed(Alarms.NONE, 6.0) == []


def test_recover_alone_lasts_as_long_as_the_driver_says_it() -> None:
    line = LineAlarms(10.0)
    assert [each.integrated for each in line.feed(Alarms.RECOVER, 0.0)] == [Alarms.RECOVER]
    assert line.feed(Alarms.NONE, 1.0) == []


def test_what_stood_before_is_cleared_as_if_it_had_been_seen() -> None:
    line = LineAlarms(10.0, {RECEIVE: RED})
    assert stands(line) == {RECEIVE: RED}
    line.feed(Alarms.NONE, 3.0)
    assert line.next_deadline() == 13.0
    assert LineAlarms(10.0, {RECEIVE: RED}).feed(Alarms.BLUE, 3.0)[0].integrated is Alarms.BLUE


@pytest.mark.parametrize("clear_s", [0.0, 10.0])
@given(steps=STEPS)
def test_every_direction_is_as_the_history_of_its_bits_says(clear_s: float, steps: list[tuple[Alarms, int]]) -> None:
    """The oracle looks back over all that was read, second by second."""
    masks = {TRANSMIT: Alarms.YELLOW, LOOP: Alarms.LOOPBACK}
    line = LineAlarms(clear_s)
    history: list[Alarms] = []
    for bits, seconds in steps:
        for _ in range(seconds):
            history.append(bits)
            line.feed(bits, float(len(history)))
            for aspect in (RECEIVE, TRANSMIT, LOOP):
                others = Alarms.YELLOW | Alarms.LOOPBACK | Alarms.RECOVER
                own = [
                    word & masks[aspect] if aspect in masks else Alarms(int(word) & ~int(others)) for word in history
                ]
                assert stands(line).get(aspect, Alarms.NONE) == expected(own, history, aspect, clear_s)


def expected(own: list[Alarms], history: list[Alarms], aspect: str, clear_s: float) -> Alarms:
    standing, free = Alarms.NONE, 0
    seen: list[Alarms] = []  # in this failure, second by second
    for word, raw in zip(own, history, strict=True):
        recovers = aspect == RECEIVE and Alarms.RECOVER in raw
        if not standing or standing is Alarms.RECOVER:
            seen = []
        if word:
            standing, free = word, -1
            seen.append(word)
        elif standing is Alarms.RECOVER:
            standing = standing if recovers else Alarms.NONE
        elif standing:
            free += 1
            standing = max(seen, key=lambda kind: (seen.count(kind), len(seen) - seen[::-1].index(kind)))
            standing = standing if free < clear_s or recovers else Alarms.NONE
        if recovers and not standing:
            standing = Alarms.RECOVER
    return standing


@given(STEPS)
def test_a_line_that_is_good_for_long_has_no_failure(steps: list[tuple[Alarms, int]]) -> None:
    line, now = LineAlarms(10.0), 0.0
    for bits, seconds in steps:
        line.feed(bits, now)
        now += seconds
    line.feed(Alarms.NONE, now)
    due = line.next_deadline()
    assert due is None or due <= now + 10.0
    assert line.feed(None, now + 10.0) == []
    assert line.next_deadline() is None
