# SPDX-License-Identifier: GPL-2.0-or-later
"""Events and records on their way to disk: one writer thread, one transaction for all that waits, told when durable."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from dahdi_py.daemon import alarm_log, eventstore, ledger, performance_store, store
from dahdi_py.daemon.auditlog import Noted
from dahdi_py.daemon.kept import Kept
from dahdi_py.daemon.kept import load as load_kept
from dahdi_py.errors import ConfigError
from dahdi_py.wire.messages.calls import CallRecord
from dahdi_py.wire.messages.events import Event

LOG = logging.getLogger(__name__)

GROUP_S = 0.005
"""Commits are no closer than this: what happens in quick succession shares one."""
BACKLOG = 100_000
"""Entries kept in memory while the disk refuses them; beyond it the oldest events (never records) are dropped."""
_FORGOTTEN_AT_ONCE = 1_000
_RETRY_S = (0.5, 30.0)
_RAISED_LATELY_NS = 86_400 * 10**9
"""The longest window in which alarms are counted."""


class Item(NamedTuple):
    """What one happening leaves behind: the event to publish, the change of the ledger, where it came from.

    Attributes:
        source: Host, its start, its event number; None for the daemon's own.
        noted: An audit entry.
        counted: What seconds changed of a circuit's performance.
    """

    event: Event | None
    entry: ledger.Entry | None = None
    source: tuple[str, int, int] | None = None
    noted: Noted | None = None
    counted: performance_store.Counted | None = None


Batch: TypeAlias = list[Item]
_NOTHING = Item(None)


class Opened(NamedTuple):
    """What the files said at the start.

    Attributes:
        untold: By call id, the open rows whose calls' end no event tells of.
        ended: Calls whose end was told lately.
    """

    epoch: int
    event_cursors: dict[str, tuple[int, int]]
    ledger_cursors: dict[str, tuple[int, int]]
    open_calls: dict[str, tuple[str, int]]
    kept: Kept = Kept()
    performance: Mapping[str, performance_store.KeptHistory] = MappingProxyType({})
    alarms: alarm_log.Known = alarm_log.Known()
    untold: Mapping[str, CallRecord] = MappingProxyType({})
    ended: frozenset[str] = frozenset()


class Journal:
    """Takes items in order and commits them in batches.

    Args:
        publish: Gets each batch once it is durable, or at once while the disk refuses.
        durable: Gets it once it is on disk.
        trouble: Told why the disk refuses, and with nothing that it does no more.
        complete: Gets each batch when it is closed, and may change it.
        kept: Events on disk.
        keep_calls_ns: Records of calls that began longer ago are removed as new ones come; 0 keeps all.

    Synchronization: all methods and callbacks on the loop's thread; a thread of its own writes.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        directory: Path | None,
        publish: Callable[[Batch], None],
        durable: Callable[[Batch], None],
        trouble: Callable[[str], None],
        complete: Callable[[Batch], None] = lambda batch: None,
        kept: int = eventstore.KEPT,
        keep_calls_ns: int = 0,
    ) -> None:
        self.directory = directory
        self.problem = ""
        self.since_ns = 0
        self._loop = loop
        self._publish = publish
        self._durable = durable
        self._trouble = trouble
        self._complete = complete
        self._stores = None if directory is None else _Stores(directory, kept, keep_calls_ns)
        self._new: Batch = []
        self._unwritten: Batch = []
        self._counted: dict[str, performance_store.Counted] = {}
        self._scheduled = False
        self._writing = False
        self._begun = 0.0
        self._retry_s = _RETRY_S[0]
        self._idle: list[Callable[[], None]] = []
        self._then: list[Callable[[], None]] = []  # once what is new is published
        self._asked: list[Callable[[], None]] = []  # once the batch on its way to disk is
        self._batches: SimpleQueue[Batch | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """Items kept in memory because the disk refuses them."""
        return len(self._unwritten)

    def open(self, now_ns: int) -> Opened:
        """The files are open and the epoch is theirs; without a directory, or with one that refuses, the clock's.

        Raises:
            ConfigError: A later version wrote the files.
        """
        epoch = now_ns // 1_000_000_000
        if self._stores is None:
            return Opened(epoch, {}, {}, {})
        try:
            opened = self._stores.open(epoch, now_ns)
        except (sqlite3.Error, OSError) as error:
            opened = Opened(epoch, {}, {}, {})
            self._set_problem(str(error))
            self._loop.call_later(self._retry_s, self._try_again)
        self._stores.epoch = opened.epoch
        self._thread = threading.Thread(target=self._write_batches, args=(self._stores,), name="journal", daemon=True)
        self._thread.start()
        return opened

    def put(self, item: Item) -> None:
        """The item follows all before it to disk and to the subscribers."""
        self._new.append(item)
        if not (self._scheduled or self._writing):
            self._schedule()

    def _schedule(self) -> None:
        """The next batch is closed soon: at once after a quiet moment, else when a group of them has gathered."""
        self._scheduled = True
        early_s = self._begun + GROUP_S - time.monotonic()
        if early_s > 0 and self._thread is not None and not self.problem:
            self._loop.call_later(early_s, self._go_on)
        else:
            self._loop.call_soon(self._go_on)

    def when_published(self, call: Callable[[], None]) -> None:
        """`call` is called once, when what was put so far has been published: on disk, unless that refuses."""
        self._then.append(call)
        if not (self._scheduled or self._writing):
            self._schedule()

    def when_idle(self, call: Callable[[], None]) -> None:
        """`call` is called once, when all that was put has been published."""
        self._idle.append(call)
        if not (self._scheduled or self._writing):
            self._scheduled = True
            self._loop.call_soon(self._go_on)

    def close(self, timeout_s: float = 10.0) -> None:
        """Everything that waits is on disk, or the disk refused once more or the time is up; the thread has ended."""
        if self._thread is not None:
            if rest := self._take_unwritten() + self._new:
                self._batches.put(rest)
            self._batches.put(None)
            self._thread.join(timeout_s)

    def _go_on(self) -> None:
        """What is new goes to the disk; straight to the subscribers where there is none or it refuses."""
        self._scheduled = False
        batch, self._new = self._new, []
        self._asked, self._then = self._then, []
        self._complete(batch)
        if self.problem:
            self._publish(batch)
            self._keep(batch)
        elif self._thread is None:
            self._publish(batch)
            self._durable(batch)
        elif batch:
            self._writing = True
            self._begun = time.monotonic()
            self._batches.put(batch)
            return
        self._tell_asked()
        idle, self._idle = self._idle, []
        for call in idle:
            call()

    def _tell_asked(self) -> None:
        asked, self._asked = self._asked, []
        for call in asked:
            call()

    def _keep(self, batch: Batch) -> None:
        for item in batch:
            if (counted := item.counted) is not None:
                # However long the disk refuses, no more of a circuit waits than its history holds.
                self._counted[counted.circuit] = counted.after(self._counted.get(counted.circuit))
        uncounted = (item if item.counted is None else item._replace(counted=None) for item in batch)
        self._unwritten += [item for item in uncounted if item != _NOTHING]
        if (surplus := len(self._unwritten) - BACKLOG) > 0:
            old, rest = self._unwritten[:surplus], self._unwritten[surplus:]
            self._unwritten = [item._replace(event=None) for item in old if item.entry is not None] + rest

    def _try_again(self) -> None:
        self._batches.put(self._take_unwritten())

    def _take_unwritten(self) -> Batch:
        batch = self._unwritten + [Item(None, counted=counted) for counted in self._counted.values()]
        self._unwritten, self._counted = [], {}
        return batch

    def _written(self, batch: Batch) -> None:
        if not self.problem:
            self._writing = False
            self._publish(batch)
            self._durable(batch)
            self._tell_asked()
            if (self._new or self._then) and not self._scheduled:
                self._schedule()
            elif not self._scheduled:
                self._go_on()
            return
        self._durable(batch)
        if self._unwritten or self._counted:
            self._try_again()
        else:
            self._retry_s = _RETRY_S[0]
            self._set_problem("")

    def _refused(self, batch: Batch, rest: Batch, problem: str) -> None:
        """Of the batch the disk has not taken the rest."""
        first = not self.problem
        self._set_problem(problem)
        since, self._unwritten = self._take_unwritten(), []
        self._keep(rest)
        self._keep(since)
        self._loop.call_later(self._retry_s, self._try_again)
        self._retry_s = min(2 * self._retry_s, _RETRY_S[1])
        if first:
            self._writing = False
            self._publish(batch)
            self._tell_asked()
            self._go_on()

    def _set_problem(self, problem: str) -> None:
        if problem == self.problem:
            return
        if problem and not self.problem:
            self.since_ns = time.time_ns()
        self.problem = problem
        self._trouble(problem)

    def _write_batches(self, stores: _Stores) -> None:
        while (batch := self._batches.get()) is not None:
            rest = batch
            try:
                stores.write_events(batch)
                rest = [item._replace(event=None, noted=None, counted=None) for item in batch]
                stores.write_records(batch)
            except (sqlite3.Error, OSError) as error:
                stores.make_room()
                self._tell(self._refused, batch, rest, str(error))
            except ConfigError as error:
                self._tell(self._refused, batch, rest, error.message)
            else:
                self._tell(self._written, batch)
        stores.close()

    def _tell(self, what: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(what, *arguments)
        except RuntimeError:
            LOG.debug("the loop has ended before the journal")


class _Stores:
    """Both files, opened when first written where they could not be before.

    Synchronization: one thread at a time: `open` before the journal's thread begins, then that thread.
    """

    def __init__(self, directory: Path, kept: int, keep_calls_ns: int) -> None:
        self.epoch = 0
        self._directory = directory
        self._kept = kept
        self._keep_calls_ns = keep_calls_ns
        self._files: tuple[sqlite3.Connection, sqlite3.Connection, eventstore.EventWriter] | None = None

    def open(self, epoch: int, now_ns: int) -> Opened:
        """The files are open, in an epoch of at least this."""
        self._directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        records = ledger.open_ledger(self._directory)
        try:
            events = eventstore.open_events(self._directory)
            epoch = eventstore.begin_epoch(events, epoch, now_ns)
        except BaseException:
            records.close()
            raise
        self._files = (records, events, eventstore.EventWriter(events, self._kept))
        alarms = alarm_log.load(records, now_ns - _RAISED_LATELY_NS)
        open_calls = ledger.open_calls(records)
        ended = eventstore.calls_ended(events)
        untold = {call: record for call, record in ledger.open_records(records).items() if call not in ended}
        performance = performance_store.load(events)
        cursors = (store.cursors(events), store.cursors(records))
        return Opened(epoch, *cursors, open_calls, load_kept(records), performance, alarms, untold, ended)

    def write_events(self, batch: Batch) -> None:
        """The batch's events, audit entries and performance are on disk."""
        if self._files is None:
            self.open(self.epoch, time.time_ns())
        assert self._files is not None
        _, events, writer = self._files
        try:
            with store.transaction(events):
                writer.write([item.event for item in batch if item.event is not None])
                for item in batch:
                    if item.noted is not None:
                        item.noted.write(events)
                    if item.counted is not None:
                        item.counted.write(events)
                store.set_cursors(events, _cursors(batch))
        except BaseException:
            writer.recount()
            raise

    def write_records(self, batch: Batch) -> None:
        """The batch's changes of the ledger are on disk; its events must be, for who reads both."""
        assert self._files is not None
        records = self._files[0]
        if entries := [item.entry for item in batch if item.entry is not None]:
            with store.transaction(records):
                for entry in entries:
                    entry.write(records)
                if self._keep_calls_ns:
                    # More than can be new, so that what is too old becomes less; few enough to hold nobody up.
                    ledger.forget(
                        records, time.time_ns() - self._keep_calls_ns, min(2 * len(entries), _FORGOTTEN_AT_ONCE)
                    )
                store.set_cursors(records, _cursors(batch))

    def make_room(self) -> None:
        """The files take in their write-ahead logs, which may be what fills the disk, and each log begins anew."""
        for db in (self._files or ())[:2]:
            with suppress(sqlite3.Error):
                db.execute("PRAGMA wal_checkpoint")

    def close(self) -> None:
        for db in (self._files or ())[:2]:
            db.close()


def _cursors(batch: Batch) -> dict[str, tuple[int, int]]:
    """By host, start and number of its last event in the batch."""
    return {item.source[0]: item.source[1:] for item in batch if item.source is not None}
