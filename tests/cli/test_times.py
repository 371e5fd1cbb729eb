# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import click
import pytest

from dahdi_py.cli.times import NS, Seconds, age, duration, iso, local, local_clock, offset


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "00:00:00"), (191, "00:03:11"), (86399, "23:59:59"), (86400, "1d00h"), (12 * 86400 + 4 * 3600, "12d04h")],
)
def test_a_duration_is_short_and_exact_enough(seconds: int, words: str) -> None:
    assert duration(seconds * NS) == words


def test_an_unknown_instant_is_a_dash_and_null() -> None:
    assert (age(0, 5 * NS), local(0), local_clock(0), iso(0)) == ("-", "-", "-", None)


def test_an_instant_in_the_future_has_no_age() -> None:
    assert age(9 * NS, 5 * NS) == "00:00:00"


def test_json_instants_are_utc_to_the_microsecond() -> None:
    assert iso(1_700_000_000 * NS + 123_456_789) == "2023-11-14T22:13:20.123456Z"


def test_an_offset_carries_its_sign() -> None:
    assert (offset(12_345_678_900), offset(-2_000_000)) == ("+12.346", "-0.002")


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("2d", 172800)])
def test_a_time_on_the_command_line_is_seconds(text: str, seconds: int) -> None:
    assert Seconds().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "0", "-5", "5x", "m5", "1.5h", "five"])
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"such as|at least"):
        Seconds().convert(text, None, None)
