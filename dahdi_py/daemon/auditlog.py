# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of who asked for what, and what came of it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from dahdi_py.wire.messages.daemon import AuditEntry, AuditRequest

KEPT = 200_000
"""Entries kept; older ones are forgotten."""
_TRIM_EVERY = 1_000

MIGRATION = """
    CREATE TABLE audit (
        n INTEGER PRIMARY KEY AUTOINCREMENT,
        utc_ns INTEGER NOT NULL,
        pid INTEGER NOT NULL,
        uid INTEGER NOT NULL,
        label TEXT NOT NULL,
        action TEXT NOT NULL,
        subject TEXT NOT NULL,
        outcome TEXT NOT NULL,
        reason TEXT NOT NULL
    ) STRICT;
    """


@dataclass(frozen=True, slots=True)
class Noted:
    """An entry on its way to the disk."""

    entry: AuditEntry

    def write(self, db: sqlite3.Connection) -> None:
        """The row is there, and the oldest is gone when there are too many."""
        one = self.entry
        values = (one.utc_ns, one.pid, one.uid, one.label, one.action, one.subject, one.outcome, one.reason)
        n = db.execute(
            "INSERT INTO audit (utc_ns, pid, uid, label, action, subject, outcome, reason) VALUES (?,?,?,?,?,?,?,?)",
            values,
        ).lastrowid or 0  # fmt: skip
        if n % _TRIM_EVERY == 0:
            db.execute("DELETE FROM audit WHERE n <= ?", (n - KEPT,))


def read(db: sqlite3.Connection, wants: AuditRequest) -> list[AuditEntry]:
    """At most `wants.limit` entries that fit, newest first."""
    where: dict[str, tuple[int | str, ...]] = {}
    if wants.uid >= 0:
        where["uid = ?"] = (wants.uid,)
    if wants.action:
        where["action = ?"] = (wants.action,)
    if wants.refused:
        where["outcome != 'ok'"] = ()
    condition = f"WHERE {' AND '.join(where)} " if where else ""
    values = [value for group in where.values() for value in group]
    rows = db.execute(
        "SELECT utc_ns, pid, uid, label, action, subject, outcome, reason FROM audit "
        f"{condition}ORDER BY n DESC LIMIT ?",
        (*values, wants.limit),
    )
    names = AuditEntry.__struct_fields__
    return [AuditEntry(**dict(zip(names, row, strict=True))) for row in rows]
