# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import resource
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dahdi_py.core.performance_bins import History, thresholds
from dahdi_py.core.performance_second import LineKind, Second
from dahdi_py.daemon import eventstore, ledger, store
from dahdi_py.daemon.journal import Batch, Item, Journal
from dahdi_py.daemon.performance_store import changes, load
from dahdi_py.errors import ConfigError
from dahdi_py.wire.messages.common import Bearer, Message, Owner, Party
from dahdi_py.wire.messages.events import Event
from dahdi_py.wire.messages.host import Ended


def opened(call: str = "c", at: int = 5) -> ledger.Opened:
    said = Message(name="SETUP", sent=True, utc_ns=at, monotonic_ns=1)
    return ledger.Opened(
        call, "outgoing", "a", 1, "east", 3, Party(number="2001"), Party(number="555"), Bearer(), at, Owner(pid=1),
        "mine", (said,),
    )  # fmt: skip


def ended(cause: int = 17, ended_ns: int = 50) -> Ended:
    return Ended(
        direction="outgoing", called=Party(number="2001"), calling=Party(number="555"), bearer=Bearer(), span="west",
        timeslot=4, attempt=2, cause=cause, location="user", cleared_by="peer", reason="", started_ns=5,
        alerting_ns=10, answered_ns=20, ended_ns=ended_ns, duration_ns=30, messages=[], correlation="mine",
    )  # fmt: skip


def written(directory: Path, *entries: ledger.Entry) -> sqlite3.Connection:
    db = ledger.open_ledger(directory)
    with store.transaction(db):
        for entry in entries:
            entry.write(db)
    return db


def test_a_row_opens_at_setup_and_keeps_each_step(tmp_path: Path) -> None:
    rings = Message(name="ALERTING", sent=False, utc_ns=9, monotonic_ns=2)
    step = ledger.Stepped("c", 9, (("alerting_ns", 9),), rings)
    db = written(tmp_path, opened(), opened(at=6), step)
    (record,) = ledger.history(db, 10)
    assert (record.state, record.started_ns, record.alerting_ns, record.cause) == ("open", 5, 9, None)
    assert [one.name for one in record.messages] == ["SETUP", "ALERTING"]
    assert ledger.open_calls(db) == {"c": ("a", 1)}
    db.close()


def test_a_row_is_closed_once_and_stays_so(tmp_path: Path) -> None:
    db = written(tmp_path, opened(), ledger.Closed("c", "a", 1, ended()), ledger.Lost("c", "line host died", "host"))
    (record,) = ledger.history(db, 10)
    assert record.cause is not None
    assert (record.state, record.cause.name, record.span, record.attempts) == ("closed", "user busy", "west", 2)
    assert (record.cleared_by, record.owner.pid) == ("peer", 1)
    assert ledger.open_calls(db) == {}
    db.close()


def test_the_last_known_instant_ends_a_call_nobody_can_tell_of(tmp_path: Path) -> None:
    answered = ledger.Stepped("c", 20, (("answered_ns", 20),))
    db = written(tmp_path, opened(), answered, ledger.Stepped("c", 35), ledger.Lost("c", "line host died", "host"))
    (record,) = ledger.history(db, 10)
    assert (record.state, record.ended_ns, record.duration_ns) == ("closed", 35, 15)
    assert (record.reason, record.cleared_by, record.cause) == ("line host died", "host", None)
    db.close()


def test_the_real_end_replaces_a_given_up_row_and_makes_a_missing_one(tmp_path: Path) -> None:
    lost = ledger.Lost("c", "daemon found no such call", "daemon_lost")
    db = written(
        tmp_path, opened(), lost, ledger.Closed("c", "a", 1, ended(), "DE/1"), ledger.Closed("never", "a", 1, ended(16))
    )
    records = {record.call: record for record in ledger.history(db, 10, number="2001")}
    assert {call: record.cause.value for call, record in records.items() if record.cause} == {"c": 17, "never": 16}
    assert {record.call: record.circuit for record in records.values()} == {"c": "DE/1", "never": "west"}
    assert [record.call for record in ledger.history(db, 9, circuit="west")] == ["never"]
    assert ledger.history(db, 10, call="no") == []
    db.close()


def test_a_record_tells_its_group_its_urgency_and_its_losses(tmp_path: Path) -> None:
    end = msgspec.structs.replace(ended(), emergency=True, overruns=3, underruns=0)
    first = dataclasses.replace(opened(), group="city", emergency=True)
    db = written(tmp_path, first, ledger.Closed("c", "a", 1, end), opened("plain"))
    records = {one.call: (one.group, one.emergency, one.overruns, one.underruns) for one in ledger.history(db, 9)}
    assert records == {"c": ("city", True, 3, 0), "plain": ("", False, None, None)}
    db.close()


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(1, 60), st.integers(0, 400))
def test_events_after_a_cursor_are_all_there_or_missed_aloud(batches: list[int], kept: int, after: int) -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.executescript(eventstore._MIGRATIONS[0])
    epoch = eventstore.begin_epoch(db, 7, 1)
    writer = eventstore.EventWriter(db, kept)
    n = 0
    for size in batches:
        events = [Event(epoch=epoch, n=n + at, utc_ns=0, kind="x") for at in range(1, size + 1)]
        n += size
        with store.transaction(db):
            writer.write(events)
    page = eventstore.after(db, epoch, after, 1000)
    expected = list(range(after + 1, n + 1))
    found = [event.n for event in page.events]
    assert found == expected or (page.lost and found == expected[len(expected) - len(found) :])
    assert int(db.execute("SELECT count(*) FROM event").fetchone()[0]) <= 2 * kept + 40
    assert eventstore.after(db, epoch + 5, 1, 10).lost
    db.close()


def test_each_epoch_is_higher_than_every_one_before(tmp_path: Path) -> None:
    db = eventstore.open_events(tmp_path)
    epochs = [eventstore.begin_epoch(db, at_least, 1) for at_least in (5, 5, 3, 100, 7)]
    assert epochs == sorted(set(epochs))
    db.close()


def test_a_cursor_beyond_what_an_epoch_left_on_disk_tells_of_a_loss(tmp_path: Path) -> None:
    """They were published while the disk refused them, and the daemon was killed before it took them."""
    db = eventstore.open_events(tmp_path)
    eventstore.begin_epoch(db, 1, 1)
    eventstore.EventWriter(db).write([Event(epoch=1, n=n, utc_ns=0, kind="x") for n in (1, 2, 3)])
    assert not eventstore.after(db, 1, 5, 10).lost
    eventstore.begin_epoch(db, 2, 1)
    eventstore.EventWriter(db).write([Event(epoch=2, n=1, utc_ns=0, kind="x")])
    assert [eventstore.after(db, 1, n, 10).lost for n in (0, 2, 3, 4, 5)] == [False, False, False, True, True]
    assert [event.epoch for event in eventstore.after(db, 1, 3, 10).events] == [2]
    eventstore.begin_epoch(db, 3, 1)  # which left nothing
    eventstore.begin_epoch(db, 4, 1)
    assert [eventstore.after(db, 3, n, 10).lost for n in (0, 1)] == [False, True]
    eventstore.EventWriter(db, 1).write([Event(epoch=4, n=n, utc_ns=0, kind="x") for n in (1, 2)])
    assert [eventstore.after(db, 2, n, 10).lost for n in (0, 1)] == [True, True]
    db.close()


def test_a_later_versions_file_is_left_alone(tmp_path: Path) -> None:
    db = ledger.open_ledger(tmp_path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(ConfigError, match="schema 99"):
        ledger.open_ledger(tmp_path)


def test_a_damaged_file_is_kept_aside(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"this is no database" * 400)
    ledger.open_ledger(tmp_path).close()
    assert any(".damaged-" in path.name for path in tmp_path.iterdir())


async def _kept_a_day(directory: Path) -> list[str]:
    day_ns, now_ns = 86_400 * 10**9, time.time_ns()
    done = asyncio.Event()
    journal = Journal(
        asyncio.get_running_loop(), directory, lambda batch: None, lambda batch: done.set(), lambda problem: None,
        keep_calls_ns=day_ns,
    )  # fmt: skip
    journal.open(now_ns)
    entries = [opened(call, now_ns - age) for call, age in (("old", 2 * day_ns), ("older", 3 * day_ns), ("new", 0))]
    entries.append(opened("old and up", now_ns - 9 * day_ns))
    closed = [ledger.Closed(call, "a", 1, ended()) for call in ("old", "older", "new")]
    written_one_by_one: list[ledger.Entry] = [*entries, *closed, ledger.Stepped("new", now_ns)]
    for entry in written_one_by_one:
        journal.put(Item(None, entry))
        await asyncio.wait_for(done.wait(), 60)
        done.clear()
    journal.close()
    with contextlib.closing(store.read_only(directory / "ledger.db")) as db:
        return [one.call for one in ledger.history(db, 10)]


def test_what_is_kept_for_a_time_goes_as_new_calls_come_unless_it_is_up(tmp_path: Path) -> None:
    assert asyncio.run(_kept_a_day(tmp_path)) == ["new", "old and up"]


def test_of_what_is_too_old_the_oldest_goes_first_and_no_more_than_asked(tmp_path: Path) -> None:
    rows = [opened(call, at) for call, at in (("b", 20), ("a", 10), ("c", 30), ("d", 40))]
    db = written(tmp_path, *rows, *(ledger.Closed(call, "a", 1, ended()) for call in "abcd"))
    ledger.forget(db, 40, 2)
    assert [one.call for one in ledger.history(db, 10)] == ["d", "c"]
    ledger.forget(db, 40, 9)
    assert [one.call for one in ledger.history(db, 10)] == ["d"]
    db.close()


class Heard:
    """What a journal told, and waiting for it."""

    def __init__(self, directory: Path | None) -> None:
        self.published: list[int] = []
        self.durable: list[int] = []
        self.problems: list[str] = []
        self._changed = asyncio.Event()
        self.journal = Journal(
            asyncio.get_running_loop(), directory, lambda batch: self._note(self.published, batch),
            lambda batch: self._note(self.durable, batch), self._complain,
        )  # fmt: skip

    def _note(self, where: list[int], batch: Batch) -> None:
        where += [item.event.n for item in batch if item.event is not None]
        self._changed.set()

    def _complain(self, problem: str) -> None:
        self.problems.append(problem)
        self._changed.set()

    def put(self, *numbers: int) -> None:
        for n in numbers:
            self.journal.put(Item(Event(epoch=1, n=n, utc_ns=0, kind="x"), None, ("a", 1, n)))

    async def until(self, what: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not what():
                # What is being tried once more is not told of.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), 0.1)
                self._changed.clear()


async def _in_order(directory: Path | None) -> None:
    heard = Heard(directory)
    heard.journal.open(10**9)
    for n in range(1, 200):
        heard.put(n)
        if n % 50 == 0:
            await asyncio.sleep(0)
    await heard.until(lambda: len(heard.durable) == 199)
    assert heard.published == heard.durable == list(range(1, 200))
    heard.journal.close()


def test_what_is_put_is_published_in_order_once_durable(tmp_path: Path) -> None:
    asyncio.run(_in_order(tmp_path))
    db = eventstore.open_events(tmp_path)
    assert store.cursors(db) == {"a": (1, 199)}
    assert len(eventstore.after(db, 1, 0, 1000).events) == 199
    db.close()


def test_without_a_disk_it_is_published_in_order_too() -> None:
    asyncio.run(_in_order(None))


async def _refused_and_back(directory: Path) -> None:
    heard = Heard(directory)
    heard.journal.open(10**9)
    heard.put(1)
    await heard.until(lambda: heard.durable == [1])
    # A writer that holds the file: SQLite refuses after its busy timeout, as it would on a full disk.
    blocker = sqlite3.connect(directory / "events.db", isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    heard.put(2, 3)
    await heard.until(lambda: bool(heard.journal.problem))
    heard.put(4)
    history = History(thresholds({}, {}))
    for at in range(1_795_600_800, 1_795_600_900):
        history.feed(Second(at=at, counts={"crc": 1}), LineKind.E1_CRC)
        heard.journal.put(Item(None, source=("a", 1, 4), counted=changes("c", history)))
    await heard.until(lambda: heard.published == [1, 2, 3, 4])
    assert heard.durable == [1]
    await heard.until(lambda: heard.journal.waiting == 103)
    blocker.execute("COMMIT")
    blocker.close()
    await heard.until(lambda: heard.durable == [1, 2, 3, 4])
    await heard.until(lambda: not heard.journal.problem)
    heard.put(5)
    await heard.until(lambda: heard.durable == [1, 2, 3, 4, 5])
    assert heard.published == [1, 2, 3, 4, 5]
    assert heard.problems[0]
    assert heard.problems[-1] == ""
    heard.journal.close()


def test_while_the_disk_refuses_events_are_published_and_written_later(tmp_path: Path) -> None:
    asyncio.run(_refused_and_back(tmp_path))
    db = eventstore.open_events(tmp_path)
    (kept,) = load(db).values()
    assert kept.bins[0].figures["near G.826"].counts["ES"] == 100
    db.close()


async def _refused_again(directory: Path) -> None:
    heard = Heard(directory / "file" / "state")
    heard.journal.open(10**9)
    history = History(thresholds({}, {}))
    history.feed(Second(at=1_795_600_800, counts={"crc": 1}), LineKind.E1_CRC)
    heard.journal.put(Item(Event(epoch=1, n=1, utc_ns=0, kind="x"), counted=changes("c", history)))
    await heard.until(lambda: heard.published == [1])
    for _ in range(3):
        heard.journal._refused(heard.journal._take_unwritten(), "full")
        assert heard.journal.waiting == 1
    heard.journal.close()


def test_what_waits_is_no_more_for_having_been_tried_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    asyncio.run(_refused_again(tmp_path))


async def _no_room_for_the_log(directory: Path) -> list[str]:
    heard = Heard(directory)
    heard.journal.open(10**9)
    heard.put(1)
    await heard.until(lambda: heard.durable == [1])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Twice what there is now: the log is the largest.
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * os.stat(directory / "events.db-wal").st_size, limits[1]))
    try:
        for n in range(2, 100):
            heard.put(n)
            await heard.until(lambda n=n: heard.published[-1] == n)  # type: ignore[misc]
        await heard.until(lambda: len(heard.durable) == 99)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert heard.published == heard.durable == list(range(1, 100))
    heard.journal.close()
    return heard.problems


def test_a_log_that_has_no_room_to_grow_is_used_anew(tmp_path: Path) -> None:
    """The write-ahead log grows with each commit, to much more than what is new: on a disk that is full no further."""
    problems = asyncio.run(_no_room_for_the_log(tmp_path))
    assert problems, "the log was never too long"


async def _no_directory(place: Path) -> None:
    heard = Heard(place / "file" / "state")
    opened_with = heard.journal.open(10**9)
    assert opened_with.epoch == 1
    assert heard.journal.problem
    heard.put(1)
    await heard.until(lambda: heard.published == [1])
    (place / "file").unlink()
    await heard.until(lambda: heard.durable == [1])
    heard.journal.close()


def test_a_directory_that_comes_later_is_used_then(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    asyncio.run(_no_directory(tmp_path))
    assert (tmp_path / "file" / "state" / "ledger.db").exists()
