# SPDX-License-Identifier: GPL-2.0-or-later
"""Performance figures on disk, beside the events and in one transaction with the cursor of the host that told them."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import msgspec

from dahdi_py.core.performance_bins import DAY_S, DAYS, TOTAL, Bin, Errored, History, HistoryState, Thresholds

MIGRATION = """
    CREATE TABLE performance_state (circuit TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE performance_bin (
        circuit TEXT NOT NULL, length INTEGER NOT NULL, start INTEGER NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (circuit, length, start)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE performance_errored (
        circuit TEXT NOT NULL, first INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (circuit, first)
    ) STRICT, WITHOUT ROWID;
    """

_TABLES = ("performance_state", "performance_bin", "performance_errored")
_encode = msgspec.json.Encoder(order="deterministic").encode
_state = msgspec.json.Decoder(HistoryState)
_bin = msgspec.json.Decoder(Bin)
_errored = msgspec.json.Decoder(Errored)


@dataclass(frozen=True, slots=True)
class Counted:
    """What seconds changed of a circuit's history, on its way to the disk.

    Attributes:
        errored: The newest runs of errored seconds, by their first; none is kept that began before `errored_from`, and
            none that was there before and began after `errored_until`.
    """

    circuit: str
    state: bytes
    bins: dict[tuple[int, int], bytes]
    gone: frozenset[tuple[int, int]]
    errored: dict[int, bytes]
    errored_from: int
    errored_until: int

    def write(self, db: sqlite3.Connection) -> None:
        """The rows say so."""
        circuit = self.circuit
        db.execute("INSERT OR REPLACE INTO performance_state VALUES (?, ?)", (circuit, self.state.decode()))
        db.executemany(
            "DELETE FROM performance_bin WHERE circuit = ? AND length = ? AND start = ?",
            [(circuit, *key) for key in self.gone],
        )
        db.executemany(
            "INSERT OR REPLACE INTO performance_bin VALUES (?, ?, ?, ?)",
            [(circuit, *key, body.decode()) for key, body in self.bins.items()],
        )
        db.execute(
            "DELETE FROM performance_errored WHERE circuit = ? AND (first < ? OR first > ?)",
            (circuit, self.errored_from, self.errored_until),
        )
        db.executemany(
            "INSERT OR REPLACE INTO performance_errored VALUES (?, ?, ?)",
            [(circuit, first, body.decode()) for first, body in self.errored.items()],
        )

    def after(self, earlier: Counted | None) -> Counted:
        """Both as one, when the earlier one was not written."""
        if earlier is None:
            return self
        bins = {key: body for key, body in earlier.bins.items() if key not in self.gone}
        since, until = self.errored_from, self.errored_until
        runs = {first: body for first, body in earlier.errored.items() if since <= first <= until}
        gone = (earlier.gone | self.gone) - self.bins.keys()
        return Counted(
            self.circuit, self.state, bins | self.bins, gone, runs | self.errored, since,
            min(until, earlier.errored_until),
        )  # fmt: skip


def changes(circuit: str, history: History) -> Counted:
    """What has changed since the last time."""
    errored = history.errored
    counted = Counted(
        circuit,
        _encode(history.state),
        {key: _encode(history.bins[key]) for key in history.changed},
        frozenset(history.gone),
        {one.first: _encode(one) for one in errored[-1:]},
        errored[0].first if errored else 0,
        errored[-1].first if errored else 0,
    )
    history.changed.clear()
    history.gone.clear()
    return counted


@dataclass(frozen=True, slots=True)
class KeptHistory:
    """What the disk holds of a circuit."""

    state: HistoryState
    bins: list[Bin]
    errored: list[Errored]

    def history(self, limits: Thresholds) -> History:
        """It goes on from there."""
        return History(limits, self.state, self.bins, self.errored)


def load(db: sqlite3.Connection) -> dict[str, KeptHistory]:
    """By circuit, what is kept; of circuits that nobody has told of for a month nothing is kept any more."""
    newest = db.execute("SELECT coalesce(max(start), 0) FROM performance_bin WHERE length != ?", (TOTAL,)).fetchone()[0]
    db.execute("DELETE FROM performance_bin WHERE length != ? AND start < ?", (TOTAL, newest - (DAYS + 1) * DAY_S))
    known = "SELECT circuit FROM performance_bin WHERE length != 0"
    for table in _TABLES:
        db.execute(f"DELETE FROM {table} WHERE circuit NOT IN ({known})")
    found = {
        circuit: KeptHistory(_state.decode(body), [], [])
        for circuit, body in db.execute("SELECT circuit, body FROM performance_state")
    }
    for circuit, body in db.execute("SELECT circuit, body FROM performance_bin"):
        if circuit in found:
            found[circuit].bins.append(_bin.decode(body))
    for circuit, body in db.execute("SELECT circuit, body FROM performance_errored ORDER BY first"):
        if circuit in found:
            found[circuit].errored.append(_errored.decode(body))
    return found
