# SPDX-License-Identifier: GPL-2.0-or-later
"""What the ledger keeps beside calls: what operators locked or drain, and alarms that tell of something past."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import NamedTuple

MIGRATION = """
    CREATE TABLE administered (
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        timeslot INTEGER NOT NULL,
        state TEXT NOT NULL,
        who TEXT NOT NULL,
        why TEXT NOT NULL,
        since_ns INTEGER NOT NULL,
        waiting INTEGER NOT NULL,
        PRIMARY KEY (kind, name, timeslot)
    ) STRICT;
    CREATE TABLE kept_alarm (
        kind TEXT NOT NULL,
        subject TEXT NOT NULL,
        times INTEGER NOT NULL,
        since_ns INTEGER NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (kind, subject)
    ) STRICT;
    """


class Subject(NamedTuple):
    """What is administered: channel (span and timeslot), span, host, group."""

    kind: str
    name: str
    timeslot: int = 0

    def __str__(self) -> str:
        if self.kind == "channel":
            return f"timeslot {self.timeslot} of span {self.name}"
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Administered:
    """The state somebody gave a subject; a ledger entry.

    Attributes:
        state: unlocked, shutting_down, locked.
        waiting: Somebody is to be told when it is empty.
    """

    subject: Subject
    state: str
    who: str = ""
    why: str = ""
    since_ns: int = 0
    waiting: bool = False

    def write(self, db: sqlite3.Connection) -> None:
        """The row says so."""
        values = (*self.subject, self.state, self.who, self.why, self.since_ns, int(self.waiting))
        db.execute("INSERT OR REPLACE INTO administered VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)


@dataclass(frozen=True, slots=True)
class KeptAlarm:
    """An alarm of something past, until somebody has seen to it; a ledger entry.

    Attributes:
        times: How often it happened.
        since_ns: UTC of the first time, ns.
        text: One sentence, of the last time.
    """

    kind: str
    subject: str
    times: int
    since_ns: int
    text: str

    def write(self, db: sqlite3.Connection) -> None:
        """The row says so."""
        values = (self.kind, self.subject, self.times, self.since_ns, self.text)
        db.execute("INSERT OR REPLACE INTO kept_alarm VALUES (?, ?, ?, ?, ?)", values)


@dataclass(frozen=True, slots=True)
class SeenTo:
    """Somebody has seen to the alarm; a ledger entry."""

    kind: str
    subject: str

    def write(self, db: sqlite3.Connection) -> None:
        """The row is gone."""
        db.execute("DELETE FROM kept_alarm WHERE kind = ? AND subject = ?", (self.kind, self.subject))


@dataclass(frozen=True, slots=True)
class Kept:
    """Everything of this the ledger holds."""

    administered: list[Administered] = field(default_factory=list)
    alarms: list[KeptAlarm] = field(default_factory=list)


def load(db: sqlite3.Connection) -> Kept:
    """What the ledger keeps."""
    states = db.execute("SELECT kind, name, timeslot, state, who, why, since_ns, waiting FROM administered")
    alarms = db.execute("SELECT kind, subject, times, since_ns, text FROM kept_alarm")
    return Kept(
        [
            Administered(Subject(kind, name, timeslot), state, who, why, since_ns, bool(waiting))
            for kind, name, timeslot, state, who, why, since_ns, waiting in states
        ],
        [KeptAlarm(*row) for row in alarms],
    )
