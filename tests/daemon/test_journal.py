# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dahdi_py.core.performance_bins import History, thresholds
from dahdi_py.core.performance_second import LineKind, Second
from dahdi_py.daemon import eventstore, journal, ledger, store
from dahdi_py.daemon.auditlog import Noted
from dahdi_py.daemon.journal import Batch, Item, Journal
from dahdi_py.daemon.performance_store import changes, load
from dahdi_py.wire.messages.daemon import AuditEntry
from dahdi_py.wire.messages.events import Event
from tests.daemon.rows import ended, opened


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


@contextlib.contextmanager
def refusing(path: Path) -> Iterator[None]:
    """A writer holds the file: SQLite refuses after its busy timeout, as it would on a full disk."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        yield
        holder.execute("COMMIT")


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


async def _asked_for(directory: Path | None) -> None:
    heard = Heard(directory)
    heard.journal.open(10**9)
    known: list[list[int]] = []

    def know() -> None:
        known.append(list(heard.durable))
        heard._changed.set()

    heard.journal.when_published(know)
    await heard.until(lambda: known == [[]])
    heard.put(1)
    heard.journal.when_published(know)
    await asyncio.sleep(0)  # the first is on its way, the second waits for it
    heard.put(2)
    heard.journal.when_published(know)
    await heard.until(lambda: len(known) == 3)
    assert known[1][:1] == [1]
    assert known[2] == [1, 2]
    heard.journal.close()


def test_who_asks_is_told_when_what_was_put_is_durable(tmp_path: Path) -> None:
    asyncio.run(_asked_for(tmp_path))
    asyncio.run(_asked_for(None))


async def _asked_of_a_full_disk(directory: Path) -> None:
    heard = Heard(directory)
    heard.journal.open(10**9)
    heard.put(1)
    await heard.until(lambda: heard.durable == [1])
    with refusing(directory / "events.db"):
        known: list[str] = []
        heard.put(2)
        heard.journal.when_published(lambda: known.append(heard.journal.problem))
        await heard.until(lambda: len(known) == 1)
        heard.put(3)
        heard.journal.when_published(lambda: known.append(heard.journal.problem))
        await heard.until(lambda: len(known) == 2)
        assert all(known)
        assert heard.published == [1, 2, 3]
    await heard.until(lambda: heard.durable == [1, 2, 3])
    assert len(known) == 2
    heard.journal.close()


def test_nobody_waits_for_a_disk_that_refuses(tmp_path: Path) -> None:
    asyncio.run(_asked_of_a_full_disk(tmp_path))


async def _ledger_alone_refuses(directory: Path) -> None:
    heard = Heard(directory)
    heard.journal.open(10**9)
    heard.put(1)
    await heard.until(lambda: heard.durable == [1])
    with refusing(directory / "ledger.db"):
        who = AuditEntry(utc_ns=1, pid=2, uid=3, label="", action="place", subject="c", outcome="ok", reason="")
        event = Event(epoch=1, n=2, utc_ns=0, kind="x")
        heard.journal.put(Item(event, opened(), ("a", 1, 2), noted=Noted(who)))
        await heard.until(lambda: bool(heard.journal.problem))
        assert heard.published == [1, 2]
        heard.journal._try_again()
        await heard.until(lambda: heard.journal.waiting == 1)
    await heard.until(lambda: not heard.journal.problem)
    heard.journal.close()


def test_what_one_file_has_taken_is_not_written_again_when_the_other_takes_the_rest(tmp_path: Path) -> None:
    asyncio.run(_ledger_alone_refuses(tmp_path))
    with contextlib.closing(store.read_only(tmp_path / "events.db")) as db:
        assert db.execute("SELECT count(*) FROM audit").fetchone() == (1,)
        assert db.execute("SELECT n FROM event ORDER BY n").fetchall() == [(1,), (2,)]
        assert store.cursors(db) == {"a": (1, 2)}
    with contextlib.closing(store.read_only(tmp_path / "ledger.db")) as db:
        assert [one.call for one in ledger.history(db, 10)] == ["c"]
        assert store.cursors(db) == {"a": (1, 2)}


def test_events_that_are_there_already_do_not_count_again(tmp_path: Path) -> None:
    """Else the oldest would be forgotten before there are too many."""
    db = eventstore.open_events(tmp_path)
    epoch = eventstore.begin_epoch(db, 1, 1)
    writer = eventstore.EventWriter(db, 100)
    for _ in range(12):
        writer.write([Event(epoch=epoch, n=n, utc_ns=0, kind="x") for n in range(1, 41)])
    assert len(eventstore.after(db, epoch, 0, 1000).events) == 40
    db.close()


async def _in_quick_succession(directory: Path) -> list[list[int]]:
    """Batches as they were published: one at once, and what comes within the time of a group with the next."""
    heard, batches = Heard(directory), []
    noted = heard.journal._publish

    def note(batch: Batch) -> None:
        batches.append([item.event.n for item in batch if item.event is not None])
        noted(batch)

    heard.journal._publish = note
    heard.journal.open(10**9)
    heard.put(1)
    await heard.until(lambda: heard.durable == [1])
    for n in range(2, 40):
        heard.put(n)
        await asyncio.sleep(0)
    await heard.until(lambda: len(heard.durable) == 39)
    heard.journal.close()
    return batches


def test_what_happens_in_quick_succession_shares_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "GROUP_S", 5.0)
    assert asyncio.run(_in_quick_succession(tmp_path)) == [[1], list(range(2, 40))]


async def _refused_and_back(directory: Path) -> None:
    heard = Heard(directory)
    heard.journal.open(10**9)
    heard.put(1)
    await heard.until(lambda: heard.durable == [1])
    with refusing(directory / "events.db"):
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
        unwritten = heard.journal._take_unwritten()
        heard.journal._refused(unwritten, unwritten, "full")
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
