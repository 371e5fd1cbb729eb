# SPDX-License-Identifier: GPL-2.0-or-later
"""The ledger's table of alarms: a row each from when it is raised, under its circuit, closed when it is cleared."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from dahdi_py.core.alarm import Condition, Key
from dahdi_py.core.alarm_board import Acknowledged, Standing

KEPT = 100_000
"""Rows kept; the oldest that are cleared are forgotten."""
_TRIM_EVERY = 1_000

MIGRATION = """
    CREATE TABLE alarm (
        id INTEGER NOT NULL,
        kind TEXT NOT NULL,
        subject TEXT NOT NULL,
        aspect TEXT NOT NULL,
        circuit TEXT NOT NULL,
        raised_ns INTEGER NOT NULL,
        cleared_ns INTEGER NOT NULL,
        hidden_by INTEGER NOT NULL,
        flaps INTEGER NOT NULL,
        flapping INTEGER NOT NULL,
        who TEXT NOT NULL,
        seen_ns INTEGER NOT NULL,
        note TEXT NOT NULL,
        condition TEXT NOT NULL,
        PRIMARY KEY (id, raised_ns)
    ) STRICT;
    CREATE INDEX alarm_raised ON alarm (raised_ns);
    CREATE INDEX alarm_circuit ON alarm (circuit);
    CREATE INDEX alarm_standing ON alarm (id) WHERE cleared_ns = 0;
    """

_COLUMNS = "id, raised_ns, cleared_ns, hidden_by, flaps, flapping, who, seen_ns, note, condition"


@dataclass(frozen=True, slots=True)
class Row:
    """An alarm as it is now; a ledger entry."""

    alarm: Standing

    def write(self, db: sqlite3.Connection) -> None:
        """The row says so, and the oldest is gone when there are too many."""
        one, key = self.alarm, self.alarm.key
        seen = one.acknowledged or Acknowledged("", 0)
        values = (
            one.id, *key, one.condition.circuit, one.raised_ns, one.cleared_ns, one.hidden_by, one.flaps,
            int(one.flapping), seen.who, seen.at_ns, seen.note, msgspec.json.encode(one.condition).decode(),
        )  # fmt: skip
        db.execute(f"INSERT OR REPLACE INTO alarm VALUES ({', '.join('?' * len(values))})", values)
        if one.id % _TRIM_EVERY == 0:
            db.execute("DELETE FROM alarm WHERE id <= ? AND cleared_ns > 0", (one.id - KEPT,))


@dataclass(frozen=True, slots=True)
class Known:
    """What the table says at the start.

    Attributes:
        raised: Key and instant (UTC, ns) of each alarm raised lately, oldest first.
    """

    next_id: int = 1
    standing: list[Standing] = field(default_factory=list)
    raised: list[tuple[Key, int]] = field(default_factory=list)


def load(db: sqlite3.Connection, since_ns: int) -> Known:
    """What stands, and what was raised since then (UTC, ns)."""
    last = db.execute("SELECT coalesce(max(id), 0) FROM alarm").fetchone()[0]
    rows = db.execute(f"SELECT {_COLUMNS} FROM alarm WHERE cleared_ns = 0 ORDER BY id").fetchall()
    raised = db.execute(
        "SELECT kind, subject, aspect, raised_ns FROM alarm WHERE raised_ns >= ? ORDER BY raised_ns", (since_ns,)
    )
    return Known(last + 1, [_standing(row) for row in rows], [(Key(*key), at) for *key, at in raised])


def history(db: sqlite3.Connection, limit: int, circuit: str = "", kind: str = "") -> list[Standing]:
    """At most `limit` alarms that fit, newest first."""
    where = {"circuit = ?": circuit, "kind = ?": kind}
    asked = {condition: value for condition, value in where.items() if value}
    condition = f"WHERE {' AND '.join(asked)} " if asked else ""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM alarm {condition}ORDER BY raised_ns DESC, id DESC LIMIT ?", (*asked.values(), limit)
    )
    return [_standing(row) for row in rows]


def _standing(row: Sequence[Any]) -> Standing:
    id_, raised_ns, cleared_ns, hidden_by, flaps, flapping, who, seen_ns, note, condition = row
    return Standing(
        id_, msgspec.json.decode(condition, type=Condition), raised_ns, cleared_ns, hidden_by,
        Acknowledged(who, seen_ns, note) if who else None, flaps, bool(flapping),
    )  # fmt: skip
