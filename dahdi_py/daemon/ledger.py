# SPDX-License-Identifier: GPL-2.0-or-later
"""The ledger: a row for each call from SETUP on, closed with a reason whatever dies."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec

from dahdi_py.core.cause import cause_name
from dahdi_py.daemon import alarm_log, kept, store
from dahdi_py.wire.messages.calls import CallRecord
from dahdi_py.wire.messages.common import Bearer, Cause, Message, Owner, Party
from dahdi_py.wire.messages.host import Ended

_MIGRATIONS = (
    store.CURSORS
    + """
    CREATE TABLE call (
        call TEXT PRIMARY KEY,
        state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
        direction TEXT NOT NULL,
        host TEXT NOT NULL,
        start INTEGER NOT NULL,
        span TEXT NOT NULL,
        timeslot INTEGER NOT NULL,
        called_number TEXT NOT NULL,
        calling_number TEXT NOT NULL,
        called TEXT NOT NULL,
        calling TEXT NOT NULL,
        bearer TEXT NOT NULL,
        started_ns INTEGER NOT NULL,
        alerting_ns INTEGER NOT NULL DEFAULT 0,
        answered_ns INTEGER NOT NULL DEFAULT 0,
        ended_ns INTEGER NOT NULL DEFAULT 0,
        duration_ns INTEGER NOT NULL DEFAULT 0,
        last_ns INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 1,
        cause INTEGER NOT NULL DEFAULT 0,
        location TEXT NOT NULL DEFAULT '',
        cleared_by TEXT NOT NULL DEFAULT '',
        reason TEXT NOT NULL DEFAULT '',
        owner TEXT NOT NULL DEFAULT '{}',
        correlation TEXT NOT NULL DEFAULT '',
        messages TEXT NOT NULL DEFAULT '[]'
    ) STRICT;
    CREATE INDEX call_started ON call (started_ns);
    CREATE INDEX call_open ON call (host) WHERE state = 'open';
    CREATE INDEX call_called ON call (called_number);
    CREATE INDEX call_calling ON call (calling_number);
    """,
    kept.MIGRATION,
    """
    ALTER TABLE call ADD COLUMN emergency INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE call ADD COLUMN trunk_group TEXT NOT NULL DEFAULT '';
    ALTER TABLE call ADD COLUMN overruns INTEGER;
    ALTER TABLE call ADD COLUMN underruns INTEGER;
    """,
    alarm_log.MIGRATION,
    """
    ALTER TABLE call ADD COLUMN circuit TEXT NOT NULL DEFAULT '';
    UPDATE call SET circuit = span;
    CREATE INDEX call_circuit ON call (circuit);
    """,
)


class Entry(Protocol):
    """A change of the ledger, written by the journal's thread."""

    def write(self, db: sqlite3.Connection) -> None:
        """The change is part of the transaction."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A SETUP came in or went out: the call's row is open. Once is enough; again changes nothing."""

    call: str
    direction: str
    host: str
    start: int
    span: str
    timeslot: int
    called: Party
    calling: Party
    bearer: Bearer
    started_ns: int
    owner: Owner
    correlation: str
    messages: tuple[Message, ...]
    emergency: bool = False
    group: str = ""
    circuit: str = ""

    def write(self, db: sqlite3.Connection) -> None:
        """The row is there."""
        _insert(db, self, {}, self.started_ns)


@dataclass(frozen=True, slots=True)
class Stepped:
    """Something happened to an open call: columns change, the message joins the evidence."""

    call: str
    at_ns: int
    columns: tuple[tuple[str, str | int], ...] = ()
    message: Message | None = None

    def write(self, db: sqlite3.Connection) -> None:
        """The row shows it."""
        sets = ["last_ns = max(last_ns, ?)", *(f"{name} = ?" for name, _ in self.columns)]
        values: list[str | int] = [self.at_ns, *(value for _, value in self.columns)]
        if self.message is not None:
            sets.append("messages = json_insert(messages, '$[#]', json(?))")
            values.append(_json(self.message))
        db.execute(f"UPDATE call SET {', '.join(sets)} WHERE call = ? AND state = 'open'", (*values, self.call))


@dataclass(frozen=True, slots=True)
class Dialled:
    """With more digits the open call's number became an emergency one."""

    call: str
    at_ns: int
    called: Party

    def write(self, db: sqlite3.Connection) -> None:
        """The row shows it."""
        columns = (("called_number", self.called.number), ("called", _json(self.called)), ("emergency", 1))
        Stepped(self.call, self.at_ns, columns).write(db)


@dataclass(frozen=True, slots=True)
class Closed:
    """The host told how the call ended, whole."""

    call: str
    host: str
    start: int
    ended: Ended
    circuit: str = ""

    def write(self, db: sqlite3.Connection) -> None:
        """The row is closed, also when it was never opened here."""
        end = self.ended
        columns: dict[str, Any] = {
            "state": "closed", "span": end.span, "timeslot": end.timeslot, "alerting_ns": end.alerting_ns,
            "answered_ns": end.answered_ns, "ended_ns": end.ended_ns, "duration_ns": end.duration_ns,
            "attempts": end.attempt, "cause": end.cause, "location": end.location, "cleared_by": end.cleared_by,
            "reason": end.reason, "messages": _json(end.messages), "last_ns": end.ended_ns,
            "called_number": end.called.number, "called": _json(end.called), "emergency": int(end.emergency),
            "overruns": end.overruns, "underruns": end.underruns, "circuit": self.circuit or end.span,
        }  # fmt: skip
        if end.group:
            columns["trunk_group"] = end.group
        if end.owner.uid >= 0:
            columns["owner"] = _json(end.owner)
        sets = ", ".join(f"{name} = ?" for name in columns)
        # A row that was given up for want of news gets the real end when it comes after all.
        done = db.execute(
            f"UPDATE call SET {sets} WHERE call = ? AND (state = 'open' OR cleared_by = 'daemon_lost')",
            (*columns.values(), self.call),
        )
        if done.rowcount == 0:
            opened = Opened(
                self.call, end.direction, self.host, self.start, end.span, end.timeslot, end.called, end.calling,
                end.bearer, end.started_ns, end.owner, end.correlation, tuple(end.messages),
            )  # fmt: skip
            _insert(db, opened, columns, end.ended_ns)


@dataclass(frozen=True, slots=True)
class Lost:
    """Nobody can tell how the call ended: the row is closed at its last known instant."""

    call: str
    reason: str
    cleared_by: str

    def write(self, db: sqlite3.Connection) -> None:
        """The row is closed."""
        db.execute(
            "UPDATE call SET state = 'closed', ended_ns = last_ns, reason = ?, cleared_by = ?,"
            " duration_ns = iif(answered_ns > 0, max(0, last_ns - answered_ns), 0)"
            " WHERE call = ? AND state = 'open'",
            (self.reason, self.cleared_by, self.call),
        )


def _insert(db: sqlite3.Connection, row: Opened, more: dict[str, Any], last_ns: int) -> None:
    columns: dict[str, Any] = {
        "call": row.call, "direction": row.direction, "host": row.host, "start": row.start, "span": row.span,
        "timeslot": row.timeslot, "called_number": row.called.number, "calling_number": row.calling.number,
        "called": _json(row.called), "calling": _json(row.calling), "bearer": _json(row.bearer),
        "started_ns": row.started_ns, "last_ns": last_ns, "owner": _json(row.owner),
        "correlation": row.correlation, "messages": _json(row.messages), "emergency": int(row.emergency),
        "trunk_group": row.group, "circuit": row.circuit or row.span, **more,
    }  # fmt: skip
    db.execute(
        f"INSERT INTO call ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) ON CONFLICT DO NOTHING",
        tuple(columns.values()),
    )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def open_ledger(directory: Path) -> sqlite3.Connection:
    """The ledger of that state directory, each commit on disk before it counts."""
    return store.connect(directory / "ledger.db", "FULL", _MIGRATIONS)


def forget(db: sqlite3.Connection, before_ns: int, most: int) -> None:
    """At most so many of the oldest records, of calls that began before then and have ended, are gone."""
    db.execute(
        "DELETE FROM call WHERE rowid IN (SELECT rowid FROM call WHERE started_ns < ? AND state = 'closed'"
        " ORDER BY started_ns LIMIT ?)",
        (before_ns, most),
    )


def open_calls(db: sqlite3.Connection) -> dict[str, tuple[str, int]]:
    """By call id, host and host start of every row that is open."""
    rows = db.execute("SELECT call, host, start FROM call WHERE state = 'open'")
    return {call: (host, start) for call, host, start in rows}


def open_records(db: sqlite3.Connection) -> dict[str, CallRecord]:
    """By call id, every row that is open; as its end stands the last instant that is known of it."""
    columns = _RECORD.replace("ended_ns", "last_ns")
    rows = db.execute(f"SELECT {columns} FROM call WHERE state = 'open'")
    return {record.call: record for record in map(_record, rows)}


_RECORD = (
    "call, state, direction, host, span, timeslot, called, calling, bearer, started_ns, alerting_ns, answered_ns, "
    "ended_ns, duration_ns, attempts, cause, location, cleared_by, reason, owner, correlation, messages, overruns, "
    "underruns, emergency, trunk_group, circuit"
)


def history(
    db: sqlite3.Connection, limit: int, call: str = "", circuit: str = "", number: str = ""
) -> list[CallRecord]:
    """At most `limit` records that fit, newest first."""
    where: dict[str, tuple[str, ...]] = {}
    if call:
        where["call = ?"] = (call,)
    if circuit:
        where["circuit = ?"] = (circuit,)
    if number:
        where["(called_number = ? OR calling_number = ?)"] = (number, number)
    condition = f"WHERE {' AND '.join(where)} " if where else ""
    values = [value for group in where.values() for value in group]
    rows = db.execute(f"SELECT {_RECORD} FROM call {condition}ORDER BY started_ns DESC LIMIT ?", (*values, limit))
    return [_record(row) for row in rows]


def _record(row: tuple[Any, ...]) -> CallRecord:
    fields = dict(zip(_RECORD.split(", "), row, strict=True))
    value, location = fields.pop("cause"), fields.pop("location")
    fields["group"], fields["emergency"] = fields.pop("trunk_group"), bool(fields["emergency"])
    fields["cause"] = Cause(value=value, name=cause_name(value), location=location) if value else None
    for name, kind in (("called", Party), ("calling", Party), ("bearer", Bearer), ("owner", Owner)):
        fields[name] = msgspec.json.decode(fields[name], type=kind)
    fields["messages"] = msgspec.json.decode(fields["messages"], type=list[Message])
    return CallRecord(**fields)
