# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading the daemon's files beside its loop."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from dahdi_py.core.alarm_board import Standing
from dahdi_py.daemon import alarm_log, auditlog, eventstore, ledger, store
from dahdi_py.daemon.eventstore import Page
from dahdi_py.wire.messages.calls import CallRecord, HistoryRequest
from dahdi_py.wire.messages.daemon import AuditEntry, AuditRequest


class Archive:
    """Answers questions about the past from the files of a state directory.

    Synchronization: any thread may ask; one thread of its own reads.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._thread = ThreadPoolExecutor(1, "archive")
        self._files = threading.local()

    def after(self, epoch: int, n: int, limit: int) -> Future[Page]:
        """Events later than that, oldest first."""
        return self._thread.submit(lambda: eventstore.after(self._file("events.db"), epoch, n, limit))

    def history(self, wants: HistoryRequest) -> Future[list[CallRecord]]:
        """Records that fit, newest first."""
        return self._thread.submit(
            lambda: ledger.history(self._file("ledger.db"), wants.limit, wants.call, wants.circuit, wants.number)
        )

    def alarms(self, limit: int, circuit: str, kind: str) -> Future[list[Standing]]:
        """Alarms that fit, newest first."""
        return self._thread.submit(lambda: alarm_log.history(self._file("ledger.db"), limit, circuit, kind))

    def audit(self, wants: AuditRequest) -> Future[list[AuditEntry]]:
        """Audit entries that fit, newest first."""
        return self._thread.submit(lambda: auditlog.read(self._file("events.db"), wants))

    def close(self) -> None:
        """Nothing is read any more."""
        self._thread.submit(self._close)
        self._thread.shutdown()

    def _file(self, name: str) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._files, name, None)
        if db is None:
            db = store.read_only(self._directory / name)
            setattr(self._files, name, db)
        return db

    def _close(self) -> None:
        for db in vars(self._files).values():
            db.close()
