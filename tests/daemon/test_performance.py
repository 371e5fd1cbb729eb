# SPDX-License-Identifier: GPL-2.0-or-later
"""Histories of what scripted hosts told, over deaths of the daemon and the host, and as clients get them."""

from __future__ import annotations

import sqlite3
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dahdi_py.client import Client
from dahdi_py.core.config_file import parse
from dahdi_py.core.performance_bins import DAY_S, QUARTER_S, History, thresholds
from dahdi_py.core.performance_second import LineKind, Second
from dahdi_py.core.terms import Alarms
from dahdi_py.daemon import eventstore, performance_store, store
from dahdi_py.daemon.performance import NS
from dahdi_py.errors import ConfigError, DahdiPyError, NotFound
from dahdi_py.wire.messages.host import ClockSeen, SecondsSeen
from dahdi_py.wire.messages.performance import Figures, Interval, SpanPerformance
from tests.daemon.conftest import StartDaemon, StartHost
from tests.daemon.process import TWO_HOSTS, DaemonProcess, Listener, eventually
from tests.daemon.scripted_host import ScriptedHost

CLEAN = {"crc": 0, "ebit": 0, "bpv": 0, "slips": 0}
LOS = int(Alarms.RED | Alarms.LOS)


def figures(one: Interval | None, norm: str = "G.826", end: str = "near") -> Figures:
    assert one is not None
    return next(each for each in one.figures if (each.norm, each.end) == (norm, end))


def say(host: ScriptedHost, first: int, seconds: int = 1, defects: int = 0, suspect: str = "", **counts: int) -> None:
    seen = SecondsSeen(first=first, seconds=seconds, counts=CLEAN | counts, defects=defects, suspect=suspect)
    host.say("line.seconds", seen, span=host.spans[0])


def of(daemon: DaemonProcess, span: str = "east", **wants: Any) -> SpanPerformance:
    with Client(daemon.socket) as client:
        (found,) = client.performance(span, **wants)
        return found


def until(daemon: DaemonProcess, last: int, span: str = "east", **wants: Any) -> SpanPerformance:
    """The figures, once the second before `last` is in them."""

    def known() -> SpanPerformance | None:
        found = of(daemon, span, **wants)
        return found if found.last_ns >= last * NS else None

    found = eventually(known, f"the second {last} does not arrive")
    assert found is not None
    return found


def past_quarter(daemon: DaemonProcess, ago: int) -> int:
    """The beginning of the quarter hour so many before the current one, UTC, s."""
    with Client(daemon.socket) as client:
        now = client.status().started_ns // NS
    return now - now % QUARTER_S - ago * QUARTER_S


def test_what_a_host_tells_is_in_its_quarter_hour_by_every_norm(host: ScriptedHost, daemon: DaemonProcess) -> None:
    begin = past_quarter(daemon, 2)
    say(host, begin, 300)
    say(host, begin + 300, 2, crc=831)
    say(host, begin + 302, 598)
    say(host, begin + 900, 20, defects=LOS)
    say(host, begin + 920, 880)
    found = until(daemon, begin + 1800, errored=10)
    assert (found.circuit, found.kind, found.span_number) == ("east", "E1-CRC", 1)
    second, first = found.intervals[:2]
    assert first.start_ns == begin * NS
    assert first.duration_ns == 900 * NS
    near = figures(first)
    assert (near.seconds, near.completeness) == (900, "complete")
    assert near.counts == {"UAS": 0, "ES": 2, "SES": 2, "BBE": 0, "EB": 1662}
    mib = figures(first, "RFC 4805")
    assert (mib.counts["ES"], mib.counts["SES"], mib.counts["PCV"], mib.counts["CSS"]) == (2, 0, 1662, 0)
    assert mib.estimated == []
    assert figures(second).counts["UAS"] == 20
    assert (figures(second, end="far").completeness, figures(second, end="far").seconds) == ("partial", 880)
    assert figures(second, "RFC 4805", "far").counts["CSS"] is None
    assert [(one.duration_ns // NS, one.counts, one.words) for one in found.errored] == [
        (20, {}, ["RED", "LOS"]), (2, {"crc": 1662}, []),
    ]  # fmt: skip
    assert figures(found.hour).counts["UAS"] == 20
    assert figures(found.hour).completeness == "partial"
    assert figures(found.total).counts["ES"] == 2


def test_filters_and_their_limits(host: ScriptedHost, daemon: DaemonProcess) -> None:
    begin = past_quarter(daemon, 3)
    say(host, begin, 2700)
    until(daemon, begin + 2700)
    found = of(daemon, intervals=2, days=0, norm="G.826", end="far")
    assert [one.start_ns // NS for one in found.intervals] == [begin + 1800, begin + 900]
    assert [(one.norm, one.end) for one in found.intervals[0].figures] == [("G.826", "far")]
    assert found.days == []
    bare = of(daemon, intervals=0, days=0)
    assert bare.intervals == []
    assert (bare.hour, bare.errored) == (None, [])
    with Client(daemon.socket) as client:
        assert [one.span for one in client.performance()] == ["east", "west"]
        assert client.performance("1")[0].span == "east"
        assert client.performance("west")[0].current is None
        for wrong in ({"intervals": 97}, {"days": -1}, {"errored": 201}, {"norm": "G.821"}, {"end": "middle"}):
            with pytest.raises(DahdiPyError, match=next(iter(wrong))):
                client.performance("east", **wrong)
        with pytest.raises(DahdiPyError, match="name one for more than 8"):
            client.performance(intervals=9)
        assert len(client.performance(intervals=8)[0].intervals) == 3
        with pytest.raises(NotFound):
            client.performance("nowhere")


def test_nothing_that_was_committed_dies_with_the_daemon(host: ScriptedHost, start_daemon: StartDaemon) -> None:
    daemon = start_daemon()
    begin = past_quarter(daemon, 2)
    say(host, begin, 890)
    say(host, begin + 890, 9, defects=LOS)
    eventually(lambda: host.committed >= 2)
    daemon.kill()
    # The tenth severely errored second in a row comes to the next daemon.
    say(host, begin + 899, defects=LOS)
    daemon = start_daemon()
    first = until(daemon, begin + 900).intervals[0]
    assert figures(first).counts["UAS"] == 10
    assert figures(first).counts["SES"] == 0
    assert (figures(first).seconds, figures(first).completeness) == (900, "complete")


def test_what_was_not_committed_comes_again_and_is_counted_once(host: ScriptedHost, start_daemon: StartDaemon) -> None:
    daemon = start_daemon()
    begin = past_quarter(daemon, 2)
    for n in range(30):
        say(host, begin + n, crc=1)
    daemon.kill()
    daemon = start_daemon()
    for n in range(30, 60):
        say(host, begin + n, crc=1)
    daemon.kill()
    daemon = start_daemon()
    first = until(daemon, begin + 60).intervals[0]
    assert figures(first).counts["ES"] == 60
    assert figures(first).seconds == 60


def test_a_host_that_dies_leaves_its_bin_partial_and_a_counter_that_began_anew_suspect(
    host: ScriptedHost, daemon: DaemonProcess, start_host: StartHost
) -> None:
    begin = past_quarter(daemon, 3)
    say(host, begin, 400)
    until(daemon, begin + 400)
    host.close()
    again = start_host(start=2)
    again.asked("Ready")
    say(again, begin + 410, 490)
    say(again, begin + 900, 1, suspect="counter_reset")
    say(again, begin + 901, 899)
    found = until(daemon, begin + 1800)
    second, first = found.intervals[:2]
    assert (figures(first).seconds, figures(first).completeness) == (890, "partial")
    assert figures(second).completeness == "suspect"
    assert second.reasons == ["counter_reset"]


def test_a_threshold_is_an_event_once_in_a_bin(host: ScriptedHost, start_daemon: StartDaemon) -> None:
    daemon = start_daemon(more="\n[performance]\nquarter = {ES = 3, SES = 0}\nday = {ES = 0}\n")
    host.asked("Ready")
    listener = Listener(daemon.socket)
    begin = past_quarter(daemon, 2)
    for n in range(6):
        say(host, begin + n, crc=1)
    say(host, begin + 900, 4, crc=1)
    until(daemon, begin + 904)
    event = listener.wait("performance.threshold")
    assert event.span == "east"
    assert event.data == {
        "circuit": "east", "norm": "G.826", "parameter": "ES", "start_ns": begin * NS, "duration_ns": 900 * NS,
        "threshold": 3, "count": 3,
    }  # fmt: skip
    eventually(lambda: listener.kinds().count("performance.threshold") == 2)
    assert "line.seconds" not in listener.kinds()
    assert of(daemon).intervals[1].crossed == ["ES"]
    listener.close()


def test_the_history_is_the_circuits_and_not_the_numbers(run_dir: Path, start_host: StartHost) -> None:
    config = TWO_HOSTS.format(service="", access="", calls="")
    named = config.replace('name = "east"\n', 'name = "east"\ncircuit_id = "DE/1"\n', 1)
    host = start_host()
    daemon = DaemonProcess(run_dir, named).start()
    begin = past_quarter(daemon, 2)
    say(host, begin, 900)
    assert until(daemon, begin + 900).circuit == "DE/1"
    eventually(lambda: host.committed >= host.n)
    host.close()
    daemon.end()
    moved = (
        named.replace('name = "east"\n', 'name = "old"\nnumber = 7\n', 1)
        .replace('["east"', '["old"')
        .replace('spans = ["east"]', 'spans = ["old"]')
    )
    daemon = DaemonProcess(run_dir, moved).start()
    try:
        found = of(daemon, "7")
        assert (found.span, found.circuit) == ("old", "DE/1")
        assert figures(found.intervals[0]).seconds == 900
    finally:
        daemon.end()


def test_seconds_that_are_none_or_of_no_span_change_nothing(host: ScriptedHost, daemon: DaemonProcess) -> None:
    host.say("line.seconds", ClockSeen(source="", was=""), span="east")
    host.say("line.seconds", SecondsSeen(first=5), span="unheard-of")
    begin = past_quarter(daemon, 1)
    say(host, begin)
    assert until(daemon, begin + 1).intervals[0].start_ns == begin * NS
    eventually(lambda: host.committed >= 3)


def test_the_clock_plan_and_a_change_of_source(host: ScriptedHost, daemon: DaemonProcess) -> None:
    listener = Listener(daemon.socket)
    with Client(daemon.socket) as client:
        clock = client.clock()
        assert [(one.span, one.source, one.card) for one in clock.spans] == [("east", "", "sim"), ("west", "", "sim")]
        assert [one.kind for one in clock.findings] == ["no_source"]
        assert clock.findings[0].spans == ["east", "west"]
        host.say("span.clock", ClockSeen(source="west", was=""), span="east")
        event = listener.wait("span.clock", span="east")
        assert event.data == {"source": "west", "was": ""}
        changed = client.clock().spans[0]
        assert (changed.source, changed.since_ns) == ("west", event.utc_ns)
    listener.close()


def test_a_threshold_of_nothing_is_refused_with_its_place() -> None:
    text = TWO_HOSTS.format(service="", access="", calls="") + "\n[performance]\nquarter = {XS = 3}\n"
    with pytest.raises(
        ConfigError, match=r"performance.quarter: no parameter is called 'XS'; known: BBE, CSS"
    ) as raised:
        parse(tomllib.loads(text))
    assert raised.value.where == "performance.quarter"


def test_the_disk_holds_no_more_than_the_history(tmp_path: Path) -> None:
    db = eventstore.open_events(tmp_path)
    history = History(thresholds({}, {}))
    begin = 1_795_600_800

    def write(circuit: str = "c") -> None:
        with store.transaction(db):
            performance_store.changes(circuit, history).write(db)

    for n in range(130):
        for second in (0, 5, 9):
            history.feed(Second(at=begin + n * QUARTER_S + second, counts={"crc": 1}), LineKind.E1_CRC)
            write()
    write("other")
    kept = performance_store.load(db)["c"]
    assert {(one.length, one.start): one for one in kept.bins} == history.bins
    assert (kept.errored, kept.state) == (history.errored, history.state)
    history.feed(Second(at=begin, counts={}), LineKind.E1_CRC)
    write()
    kept = performance_store.load(db)["c"]
    assert {(one.length, one.start): one for one in kept.bins} == history.bins
    assert kept.errored == history.errored == []
    for n in range(40):
        history.feed(Second(at=begin + n * DAY_S, counts={"crc": 1}), LineKind.E1_CRC)
        write()
    # Nobody has told of the other circuit for a month: of the disk's own accord nothing is left of it.
    assert set(performance_store.load(db)) == {"c"}
    db.close()


def test_what_the_disk_holds_of_a_circuit_that_was_taken_apart_is_left_out(tmp_path: Path) -> None:
    db = eventstore.open_events(tmp_path)
    with store.transaction(db):
        one = History(thresholds({}, {}))
        one.feed(Second(at=1_795_600_800, counts={"crc": 1}), LineKind.ESF)
        performance_store.changes("c", one).write(db)
        db.execute("DELETE FROM performance_state")
    assert performance_store.load(db) == {}
    db.close()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([1, 1, 1, 30, 900, DAY_S, -400, -2000]), st.integers(0, 3)), max_size=60))
def test_what_waited_for_the_disk_together_is_what_would_have_been_written_one_by_one(
    steps: list[tuple[int, int]],
) -> None:
    history = History(thresholds({}, {}))
    one_by_one, together = (sqlite3.connect(":memory:", isolation_level=None) for _ in range(2))
    for db in (one_by_one, together):
        db.executescript(performance_store.MIGRATION)
    at, waiting = 1_795_600_800, None
    for step, crc in steps:
        at += step
        history.feed(Second(at=at, counts={"crc": crc}), LineKind.E1_CRC)
        counted = performance_store.changes("c", history)
        counted.write(one_by_one)
        waiting = counted.after(waiting)
        if crc == 3:
            waiting.write(together)
            waiting = None
    if waiting is not None:
        waiting.write(together)
    tables = ("performance_state", "performance_bin", "performance_errored")
    for table in tables:
        rows = [db.execute(f"SELECT * FROM {table}").fetchall() for db in (one_by_one, together)]
        assert rows[0] == rows[1], table
    one_by_one.close()
    together.close()
