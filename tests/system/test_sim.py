# SPDX-License-Identifier: GPL-2.0-or-later
"""A technician practises: `dahdi-py sim` by way of the daemon, on spans named by name, number or card:port."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.foreground import Foreground, foreground

PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foreground]:
    directory = tmp_path_factory.mktemp("r")
    with foreground(directory, "--embedded") as started:
        yield started


def told(service: Foreground, *arguments: str) -> Any:
    done = service.command(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def line(service: Foreground, span: str) -> dict[str, Any]:
    [one] = told(service, "sim", "show", span)["lines"]
    return dict(one["line"])


def until(good: Callable[[], bool]) -> None:
    limit = time.monotonic() + PATIENCE_S
    while not good():
        assert time.monotonic() < limit
        time.sleep(0.1)


@pytest.mark.parametrize("name", ["1", "e1-user", "sim:1"])
def test_a_span_has_three_names(service: Foreground, name: str) -> None:
    [one] = told(service, "sim", "inject", name, "bit-errors", "1e-6", "--seed", "3")["lines"]
    assert (one["card"], one["span"], one["number"], one["cabled_to"]) == ("sim", "e1-user", 1, "e1-network")
    assert one["line"]["arriving"]["bit_error_rate"] == 1e-6
    [one] = told(service, "sim", "mend", name)["lines"]
    assert one["line"]["arriving"]["bit_error_rate"] == 0


def test_what_is_done_to_a_cable_is_an_alarm_of_the_spans(service: Foreground) -> None:
    told(service, "sim", "inject", "e1-user", "cut")

    def alarms() -> dict[str, list[str]]:
        return {span["name"]: span["words"] for span in told(service, "spans")["spans"]}

    until(lambda: alarms()["e1-user"] == ["RED", "LOS"] and alarms()["e1-network"] == ["YEL"])
    told(service, "sim", "mend", "e1-network")
    until(lambda: not any(alarms().values()))


def test_counts_reach_the_span(service: Foreground) -> None:
    def crc() -> int:
        return int(told(service, "spans", "show", "2")["span"]["counters"]["crc"])

    def more() -> bool:
        told(service, "sim", "inject", "2", "crc", "4")
        return crc() >= before + 4

    before = crc()
    until(more)


def test_clock_level_and_loop_of_a_line(service: Foreground) -> None:
    told(service, "sim", "clock", "4", "-4.6", "--internal")
    told(service, "sim", "level", "4", "--loss", "3.5", "--build-out", "7.5", "--way", "leaving")
    told(service, "sim", "loop", "4", "line", "--timeslots", "1,3-5", "--for", "10m")
    told(service, "sim", "inject", "4", "delay", "2ms")
    seen = line(service, "4")
    assert (seen["oscillator_ppm"], seen["from_line"]) == (-4.6, False)
    assert (seen["leaving"]["loss_db"], seen["arriving"]["loss_db"]) == (3.5, 0)
    assert (seen["loop"], seen["looped_timeslots"]) == ("line", [1, 3, 4, 5])
    assert 0 < seen["loop_left_ms"] <= 600_000
    assert 0 < seen["looped_timeslots_left_ms"] <= 600_000
    told(service, "sim", "loop", "4", "line", "--keep")
    seen = line(service, "4")
    assert (seen["loop_left_ms"], seen["looped_timeslots_left_ms"] is None) == (None, False)
    assert seen["arriving"]["delay_bits"] == 2 * 1544
    until(lambda: line(service, "3")["level_db"] in (-3.5, -11.0))
    told(service, "sim", "loop", "4", "none", "--timeslots", "none")
    told(service, "sim", "mend", "4")
    told(service, "sim", "level", "4", "--build-out", "0")
    told(service, "sim", "clock", "4", "0")
    seen = line(service, "4")
    assert (seen["loop"], seen["looped_timeslots"], seen["oscillator_ppm"]) == ("none", [], 0)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("show", "nine"), 3, "no span 'nine'; spans: e1-user, e1-network, t1-user, t1-network"),
        (("show", "sim:9"), 3, "card sim has no port '9'; ports are 1-4"),
        (("cable", "1", "2"), 1, "it is cabled to port 2: pull that cable first"),
        (("inject", "1", "bit-errors", "2"), 1, "expected a rate from 1e-9 to 0.5"),
        (("inject", "1", "bit-errors"), 2, "bit-errors takes a number"),
        (("inject", "1", "bit-errors", "many"), 2, "'many' is no number"),
        (("inject", "1", "cut", "1"), 2, "cut takes no number"),
        (("inject", "1", "flap", "3"), 2, "flap takes --period"),
        (("inject", "1", "burst", "1e-2", "--for", "5"), 2, "write such as 500ms, 5s, 2m"),
        (("clock", "1"), 2, "say how far the oscillator is off"),
        (("level", "1"), 2, "say what the signal loses"),
        (("loop", "3"), 2, "say which loop"),
        (("loop", "3", "line", "--for", "3s", "--keep"), 2, "--keep or --for TIME"),
        (("loop", "3", "line", "--for", "1441m"), 2, "longer than a day"),
        (("loop", "3", "--timeslots", "0"), 2, "possible are 1-31"),
        (("loop", "3", "--timeslots", "25"), 1, "possible are 1-24"),
        (("far-end", "1", "csu"), 1, "an E1 has no loop codes"),
    ],
)
def test_the_impossible_is_refused_in_words(
    service: Foreground, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = service.command("sim", *arguments)
    assert says in done.stderr, done.stderr
    assert done.returncode in (code, 5), done.returncode


def test_without_its_card_a_line_is_said_to_be_away(run_dir: Path) -> None:
    with foreground(run_dir, "--embedded") as service:
        [card] = service.socket.parent.glob("card.sock")
        card.rename(card.with_name("moved.sock"))
        shown = told(service, "sim")
        assert (shown["lines"], list(shown["absent"])) == ([], ["sim"])
        done = service.command("sim", "inject", "1", "cut")
        assert "card sim does not answer" in done.stderr
        card.with_name("moved.sock").rename(card)
        assert len(told(service, "sim")["lines"]) == 4
