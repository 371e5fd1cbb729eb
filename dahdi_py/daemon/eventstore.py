# SPDX-License-Identifier: GPL-2.0-or-later
"""The events on disk: one sequence over all epochs, the newest kept."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import NamedTuple

import msgspec

from dahdi_py.daemon import auditlog, performance_store, store
from dahdi_py.wire.messages.events import Event

KEPT = 200_000
"""Events kept on disk."""
_TRIM_EVERY = 1_000

_MIGRATIONS = (
    store.CURSORS
    + """
    CREATE TABLE event (
        epoch INTEGER NOT NULL, n INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (epoch, n)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE epoch (epoch INTEGER PRIMARY KEY, started_ns INTEGER NOT NULL) STRICT;
    CREATE TABLE forgotten (one INTEGER PRIMARY KEY CHECK (one = 1), epoch INTEGER, n INTEGER) STRICT;
    INSERT INTO forgotten VALUES (1, 0, 0);
    """,
    auditlog.MIGRATION,
    performance_store.MIGRATION,
)

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Event)


class Page(NamedTuple):
    """Events after a cursor, oldest first; `lost` when some in between are no longer kept."""

    events: list[Event]
    lost: bool


def open_events(directory: Path) -> sqlite3.Connection:
    """The event file of that state directory."""
    return store.connect(directory / "events.db", "NORMAL", _MIGRATIONS)


def begin_epoch(db: sqlite3.Connection, at_least: int, now_ns: int) -> int:
    """A new epoch is on disk, higher than every one before."""
    last = db.execute("SELECT coalesce(max(epoch), 0) FROM epoch").fetchone()[0]
    epoch = max(last + 1, at_least)
    db.execute("PRAGMA synchronous = FULL")
    db.execute("INSERT INTO epoch VALUES (?, ?)", (epoch, now_ns))
    db.execute("PRAGMA synchronous = NORMAL")
    return int(epoch)


class EventWriter:
    """Appends events and forgets the oldest beyond `kept`.

    Synchronization: one thread, the journal's.
    """

    def __init__(self, db: sqlite3.Connection, kept: int = KEPT) -> None:
        self._db = db
        self._kept = kept
        self.recount()

    def recount(self) -> None:
        """What is counted is what is there: due after a transaction that was rolled back."""
        self._count = int(self._db.execute("SELECT count(*) FROM event").fetchone()[0])

    def write(self, events: list[Event]) -> None:
        """The events are part of the transaction; those that are there already stay as they are."""
        rows = [(event.epoch, event.n, _ENCODER.encode(event).decode()) for event in events]
        self._count += self._db.executemany("INSERT OR IGNORE INTO event VALUES (?, ?, ?)", rows).rowcount
        if self._count > self._kept + min(_TRIM_EVERY, self._kept):
            self._trim(self._count - self._kept)

    def _trim(self, surplus: int) -> None:
        last = self._db.execute(
            "SELECT epoch, n FROM event ORDER BY epoch, n LIMIT 1 OFFSET ?", (surplus - 1,)
        ).fetchone()
        self._db.execute("DELETE FROM event WHERE (epoch, n) <= (?, ?)", last)
        self._db.execute("UPDATE forgotten SET epoch = ?, n = ?", last)
        self._count -= surplus


def calls_ended(db: sqlite3.Connection, newest: int = 10_000) -> frozenset[str]:
    """The calls whose end is among the newest events."""
    rows = db.execute(
        "SELECT json_extract(body, '$.call') FROM (SELECT body FROM event ORDER BY epoch DESC, n DESC LIMIT ?)"
        """ WHERE instr(body, '"kind":"call.ended"')""",
        (newest,),
    )
    return frozenset(call for (call,) in rows)


def after(db: sqlite3.Connection, epoch: int, n: int, limit: int) -> Page:
    """At most `limit` events later than the cursor; epoch 0 means everything that is kept."""
    forgotten = db.execute("SELECT epoch, n FROM forgotten").fetchone()
    known = _known(db, epoch, n)
    rows = db.execute(
        "SELECT body FROM event WHERE (epoch, n) > (?, ?) ORDER BY epoch, n LIMIT ?", (epoch, n, limit)
    ).fetchall()
    lost = epoch > 0 and ((epoch, n) < tuple(forgotten) or not known)
    return Page([_DECODER.decode(body) for (body,) in rows], lost)


def _known(db: sqlite3.Connection, epoch: int, n: int) -> bool:
    """Whether the cursor was given out, and what it stands for is here as far as it ever will be.

    Of an epoch that is over, events that were published while the disk refused them, or that a power failure took from
    it, may never have got here; neither may what followed them.
    """
    found = db.execute("SELECT epoch < (SELECT max(epoch) FROM epoch) FROM epoch WHERE epoch = ?", (epoch,)).fetchone()
    if found is None:
        return False
    (over,) = found
    if not over:
        return True
    (last,) = db.execute("SELECT max(n) FROM event WHERE epoch = ?", (epoch,)).fetchone()
    (forgotten,) = db.execute("SELECT max(n) FROM forgotten WHERE epoch = ?", (epoch,)).fetchone()
    return n <= max(last or 0, forgotten or 0)
