# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever the disk, the daemon and its subscribers do: nobody misses an event unheard or sees one twice.

An event is committed before it is published, unless the disk refuses; numbers only grow, over restarts too; who resumes
at any cursor gets exactly the rest, or a `gap` with the state.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from dahdi_py.core.config_file import parse
from dahdi_py.daemon import feed, journal
from dahdi_py.daemon.archive import Archive
from dahdi_py.daemon.changes import Changes
from dahdi_py.daemon.feed import Feed, Place
from dahdi_py.daemon.inventory import Inventory
from dahdi_py.daemon.journal import Batch, Journal
from dahdi_py.wire.messages.common import CursorRequest
from dahdi_py.wire.messages.events import Event, MonitorReply, MonitorRequest

KEPT, RECENT, PAGE, BACKLOG = 24, 9, 5, 16
"""So few events are kept on disk and in memory that subscribers meet every edge."""
LONG_S = 31.0
"""Longer than any retry of the journal's."""


def place(event: Event) -> Place:
    return event.epoch, event.n


class Loop(asyncio.SelectorEventLoop):
    """A loop whose clock the test can put forward."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


class Subscriber:
    """A Monitor stream's far end; it may stop reading, and resume on another connection.

    Attributes:
        begun: The cursor of what it has, as it knows it.
    """

    def __init__(self, number: int, after: Place | None, lost: Callable[[Place], bool]) -> None:
        self.peer = SimpleNamespace(data=SimpleNamespace(number=number), closed=False)
        self.waiting = 0
        self.begun = after
        self.seen: list[Event] = []
        self._lost = lost

    @property
    def cursor(self) -> Place | None:
        return place(self.seen[-1]) if self.seen else self.begun

    def reply(self, reply: MonitorReply, *, continues: bool = False) -> None:
        assert not self.peer.closed
        assert continues
        if reply.snapshot is not None:
            for gap in reply.events:
                assert gap.kind == "gap"
                after = gap.data["after"]
                assert self.cursor is not None
                assert (after["epoch"], after["n"]) >= self.cursor
                assert self._lost((after["epoch"], after["n"])), f"a gap after {after}, and nothing is missing"
            # What comes after the state counts from its cursor.
            self.begun, self.seen = (reply.cursor.epoch, reply.cursor.n), []
            return
        if self.begun is None:
            self.begun = (reply.cursor.epoch, reply.cursor.n)
        for event in reply.events:
            assert self.cursor is not None
            assert place(event) > self.cursor, f"{place(event)} after {self.cursor}: seen twice, or out of order"
            self.seen.append(event)


class Events(RuleBasedStateMachine):
    """A feed and its journal on a real disk, over crashes and restarts, with subscribers of any speed."""

    def __init__(self) -> None:
        super().__init__()
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(feed, "RECENT", RECENT)
        self._patch.setattr(feed, "_PAGE", PAGE)
        self._patch.setattr(journal, "BACKLOG", BACKLOG)
        self._directory = tempfile.TemporaryDirectory(prefix="dpy-")
        self.directory = Path(self._directory.name)
        self.failures: list[BaseException] = []
        self.subscribers: list[Subscriber] = []
        self.old_cursors: list[Place] = [(0, 0)]
        self.numbers = 0
        self.refusing = self.refused = False
        self.epochs: list[int] = []
        self._start()

    def teardown(self) -> None:
        try:
            self.everything_is_told()
        finally:
            self._stop(orderly=True)
            self._directory.cleanup()
            self._patch.undo()

    # The daemon.

    def _start(self) -> None:
        self.loop = Loop()  # one a life: nothing of the last one's is to happen in this
        self.loop.set_exception_handler(lambda loop, context: self.failures.append(context["exception"]))
        self.journal = Journal(
            self.loop, self.directory, self._publish, lambda batch: None, lambda problem: None, self._complete, KEPT
        )
        opened = self.journal.open(1_000 * 10**9)
        assert opened.epoch > max(self.epochs, default=0), "an epoch that was there before"
        self.epochs.append(opened.epoch)
        self.archive = Archive(self.directory)
        changes = Changes(Inventory(parse({})))
        self.feed = Feed(self.loop, opened.epoch, self.journal, self.archive, changes)

    def _complete(self, batch: Batch) -> None:
        self.feed.complete(batch)

    def _publish(self, batch: Batch) -> None:
        places = [place(item.event) for item in batch if item.event is not None]
        if places and not self.journal.problem:
            kept = self._on_disk()
            committed = all(each in kept or each < kept[0] for each in places)
            assert committed, "published before it is committed"
        self.feed.publish(batch)

    def _on_disk(self) -> list[Place]:
        db = sqlite3.connect(self.directory / "events.db")
        try:
            return list(db.execute("SELECT epoch, n FROM event ORDER BY epoch, n"))
        finally:
            db.close()

    def _lost(self, cursor: Place) -> bool:
        """Whether what followed the cursor may be no longer kept."""
        db = sqlite3.connect(self.directory / "events.db")
        try:
            forgotten = db.execute("SELECT epoch, n FROM forgotten").fetchone()
        finally:
            db.close()
        # From epoch 0 on is all that is kept, however much that is.
        return cursor[0] > 0 and (self.refused or cursor < forgotten)

    def _stop(self, *, orderly: bool) -> None:
        for subscriber in self.subscribers:
            self._leave(subscriber)
        self.subscribers = []
        if orderly:
            self.journal.close()
        else:  # as SIGKILL would: what was not on its way to the disk never gets there
            self.journal._batches.put(None)
            thread = self.journal._thread
            assert thread is not None
            thread.join()
        self.archive.close()
        self.loop.close()

    def _leave(self, subscriber: Subscriber) -> None:
        if not subscriber.peer.closed:
            subscriber.peer.closed = True
            self.feed.leave(subscriber.peer.data.number)
            if subscriber.cursor is not None:
                self.old_cursors.append(subscriber.cursor)

    # What happens.

    @rule(count=st.integers(1, 12))
    def events_happen(self, count: int) -> None:
        for _ in range(count):
            self.feed.put("x")

    @rule()
    def the_loop_turns_once(self) -> None:
        self._run(lambda: True)

    @rule()
    def all_is_published(self) -> None:
        self._settle()

    @rule(after=st.one_of(st.none(), st.integers(0, 9)), reads=st.booleans())
    def follow(self, after: int | None, reads: bool) -> None:
        """From now on, or from a cursor that somebody had before."""
        cursor = None if after is None else self.old_cursors[-1 - after % len(self.old_cursors)]
        self._follow(cursor).waiting = 0 if reads else 1

    def _follow(self, cursor: Place | None, *, snapshot: bool = False) -> Subscriber:
        self.numbers += 1
        subscriber = Subscriber(self.numbers, cursor, self._lost)
        self.subscribers.append(subscriber)
        after = CursorRequest(epoch=cursor[0], n=cursor[1]) if cursor else None
        self.feed.follow(cast(Any, subscriber), MonitorRequest(after=after, snapshot=snapshot))
        return subscriber

    @rule()
    def follow_from_a_snapshot(self) -> None:
        self._follow(None, snapshot=True)

    @precondition(lambda self: self.subscribers)
    @rule(which=st.integers(0, 5))
    def stop_reading_or_go_on(self, which: int) -> None:
        subscriber = self.subscribers[which % len(self.subscribers)]
        subscriber.waiting ^= 1

    @precondition(lambda self: self.subscribers)
    @rule(which=st.integers(0, 5), resumes=st.booleans())
    def cut_off(self, which: int, resumes: bool) -> None:
        """A subscriber was too slow, or went; it may come back with the cursor it had."""
        subscriber = self.subscribers.pop(which % len(self.subscribers))
        self._leave(subscriber)
        if resumes:
            self._follow(subscriber.cursor)

    @rule()
    def the_disk_refuses_or_takes_events_again(self) -> None:
        self._settle()
        self._refuse(not self.refusing)

    def _refuse(self, refuse: bool) -> None:
        self.refusing = refuse
        self.refused = self.refused or refuse
        db = sqlite3.connect(self.directory / "events.db", isolation_level=None)
        full = "BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        db.execute(f"CREATE TRIGGER full {full}" if refuse else "DROP TRIGGER full")
        db.close()

    @rule()
    def time_passes(self) -> None:
        self.loop.ahead += LONG_S
        self._settle()

    @rule()
    def the_daemon_restarts(self) -> None:
        self._settle()
        if self.journal.problem and self.refusing:
            self._refuse(False)
        self._stop(orderly=True)
        self._start()

    @rule()
    def the_daemon_is_killed(self) -> None:
        """Events that never reached the disk are lost with it: their hosts tell of them again."""
        self._stop(orderly=False)
        if self.refusing:
            self._refuse(False)
        self._start()

    # What must be true.

    def everything_is_told(self) -> None:
        """Once the disk takes events and everybody reads, each subscriber has had exactly what followed its cursor."""
        if self.refusing:
            self._refuse(False)
        for subscriber in self.subscribers:
            subscriber.waiting = 0
        for cursor in sorted(set(self.old_cursors))[-8:]:
            self._follow(cursor)
        self.loop.ahead += LONG_S
        self._until(lambda: not self.journal.problem)
        self.feed.put("last")
        last = (self.feed.epoch, self.feed._n)
        self._until(lambda: self.feed.position == last)
        self._until(lambda: all((one.cursor or (0, 0)) >= last for one in self.subscribers))
        kept = self._on_disk()
        assert kept[-1] == last
        assert len(kept) <= 2 * KEPT + 12
        for subscriber in self.subscribers:
            assert subscriber.begun is not None
            expected = [each for each in kept if each > subscriber.begun]
            got = [place(event) for event in subscriber.seen]
            if self.refused:  # what came live may have been dropped before the disk took it
                assert set(expected) <= set(got), f"after {subscriber.begun}: missed unheard"
            else:
                assert got[len(got) - len(expected) :] == expected, f"after {subscriber.begun}: missed unheard"
            for epoch in {epoch for epoch, _ in got}:  # older ones than the disk still has came without a hole too
                numbers = [n for of, n in got if of == epoch]
                first = subscriber.begun[1] + 1 if epoch == subscriber.begun[0] else 1
                if not subscriber.begun[0] and epoch == got[0][0]:
                    first = numbers[0]
                assert numbers == list(range(first, first + len(numbers))), f"after {subscriber.begun}: a hole"

    # Running the loop.

    def _run(self, done: Callable[[], bool], seconds: float = 60.0) -> None:
        async def until() -> None:
            deadline = time.monotonic() + seconds
            await asyncio.sleep(0)
            while not (self.failures or done()):
                assert time.monotonic() < deadline, "it never happens"
                await asyncio.sleep(0.0002)

        self.loop.run_until_complete(until())
        if self.failures:
            raise self.failures[0]

    def _until(self, done: Callable[[], bool]) -> None:
        def met() -> bool:
            self.loop.ahead += 0.05
            return done()

        self._run(met)

    def _settle(self) -> None:
        """All that was put has been published, from the disk or in spite of it."""
        idle: list[bool] = []
        self.journal.when_idle(lambda: idle.append(True))
        self._until(lambda: bool(idle))


TestEvents = Events.TestCase
TestEvents.settings = settings(max_examples=100, stateful_step_count=30, report_multiple_bugs=False)
