# SPDX-License-Identifier: GPL-2.0-or-later
"""Opening the daemon's SQLite files: versioned schema, migrated forward, never backward."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from dahdi_py.errors import ConfigError

LOG = logging.getLogger(__name__)

CURSORS = """
CREATE TABLE cursor (host TEXT PRIMARY KEY, start INTEGER NOT NULL, n INTEGER NOT NULL) STRICT;
"""
"""Up to which event of which start of a host this file has taken everything in."""


def connect(path: Path, synchronous: str, migrations: Sequence[str]) -> sqlite3.Connection:
    """The file is open for writing at the newest schema; a damaged one was moved aside and begun anew.

    Args:
        synchronous: FULL (each commit on disk) or NORMAL (survives the process, not a power failure).
        migrations: SQL scripts; number i brings `user_version` i to i + 1.

    Raises:
        ConfigError: A later version wrote the file.
        sqlite3.OperationalError: The directory cannot be written.
    """
    try:
        return _open(path, synchronous, migrations)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
        LOG.error("%s is damaged (%s): moved to %s, a new one is begun", path, error, aside.name)
        path.rename(aside)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        return _open(path, synchronous, migrations)


def read_only(path: Path) -> sqlite3.Connection:
    """The file is open for reading, whoever writes it meanwhile."""
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, check_same_thread=False)


def cursors(db: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    """By host, the start and number up to which the file has taken events in."""
    return {host: (start, n) for host, start, n in db.execute("SELECT host, start, n FROM cursor")}


def set_cursors(db: sqlite3.Connection, taken: Mapping[str, tuple[int, int]]) -> None:
    """The file has taken in everything of these hosts up to their (start, n)."""
    db.executemany("INSERT OR REPLACE INTO cursor VALUES (?, ?, ?)", [(host, *at) for host, at in taken.items()])


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All that is written inside is committed at the end, or none of it."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _open(path: Path, synchronous: str, migrations: Sequence[str]) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {synchronous}")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(migrations):
            raise ConfigError(
                f"{path} has schema {version}, this version knows {len(migrations)}: a later version wrote it; "
                "run that one, or move the file away",
                where="service.state",
            )
        for number, script in enumerate(migrations[version:], version + 1):
            db.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;")
    except BaseException:
        db.close()
        raise
    return db
