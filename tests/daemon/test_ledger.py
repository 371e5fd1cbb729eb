# SPDX-License-Identifier: GPL-2.0-or-later
"""The rows of calls: opened, stepped, closed, forgotten."""

from __future__ import annotations

import dataclasses
import sqlite3
from pathlib import Path

import msgspec
import pytest

from dahdi_py.daemon import ledger, store
from dahdi_py.errors import ConfigError
from dahdi_py.wire.messages.common import Message
from tests.daemon.rows import ended, opened


def written(directory: Path, *entries: ledger.Entry) -> sqlite3.Connection:
    db = ledger.open_ledger(directory)
    with store.transaction(db):
        for entry in entries:
            entry.write(db)
    return db


def test_a_row_opens_at_setup_and_keeps_each_step(tmp_path: Path) -> None:
    rings = Message(name="ALERTING", sent=False, utc_ns=9, monotonic_ns=2)
    step = ledger.Stepped("c", 9, (("alerting_ns", 9),), rings)
    db = written(tmp_path, opened(), opened(at=6), step)
    (record,) = ledger.history(db, 10)
    assert (record.state, record.started_ns, record.alerting_ns, record.cause) == ("open", 5, 9, None)
    assert [one.name for one in record.messages] == ["SETUP", "ALERTING"]
    assert ledger.open_calls(db) == {"c": ("a", 1)}
    db.close()


def test_a_row_is_closed_once_and_stays_so(tmp_path: Path) -> None:
    db = written(tmp_path, opened(), ledger.Closed("c", "a", 1, ended()), ledger.Lost("c", "line host died", "host"))
    (record,) = ledger.history(db, 10)
    assert record.cause is not None
    assert (record.state, record.cause.name, record.span, record.attempts) == ("closed", "user busy", "west", 2)
    assert (record.cleared_by, record.owner.pid) == ("peer", 1)
    assert ledger.open_calls(db) == {}
    db.close()


def test_the_last_known_instant_ends_a_call_nobody_can_tell_of(tmp_path: Path) -> None:
    answered = ledger.Stepped("c", 20, (("answered_ns", 20),))
    db = written(tmp_path, opened(), answered, ledger.Stepped("c", 35), ledger.Lost("c", "line host died", "host"))
    (record,) = ledger.history(db, 10)
    assert (record.state, record.ended_ns, record.duration_ns) == ("closed", 35, 15)
    assert (record.reason, record.cleared_by, record.cause) == ("line host died", "host", None)
    db.close()


def test_the_real_end_replaces_a_given_up_row_and_makes_a_missing_one(tmp_path: Path) -> None:
    lost = ledger.Lost("c", "daemon found no such call", "daemon_lost")
    db = written(
        tmp_path, opened(), lost, ledger.Closed("c", "a", 1, ended(), "DE/1"), ledger.Closed("never", "a", 1, ended(16))
    )
    records = {record.call: record for record in ledger.history(db, 10, number="2001")}
    assert {call: record.cause.value for call, record in records.items() if record.cause} == {"c": 17, "never": 16}
    assert {record.call: record.circuit for record in records.values()} == {"c": "DE/1", "never": "west"}
    assert [record.call for record in ledger.history(db, 9, circuit="west")] == ["never"]
    assert ledger.history(db, 10, call="no") == []
    db.close()


def test_a_record_tells_its_group_its_urgency_and_its_losses(tmp_path: Path) -> None:
    end = msgspec.structs.replace(ended(), emergency=True, overruns=3, underruns=0)
    first = dataclasses.replace(opened(), group="city", emergency=True)
    db = written(tmp_path, first, ledger.Closed("c", "a", 1, end), opened("plain"))
    records = {one.call: (one.group, one.emergency, one.overruns, one.underruns) for one in ledger.history(db, 9)}
    assert records == {"c": ("city", True, 3, 0), "plain": ("", False, None, None)}
    db.close()


def test_a_later_versions_file_is_left_alone(tmp_path: Path) -> None:
    db = ledger.open_ledger(tmp_path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(ConfigError, match="schema 99"):
        ledger.open_ledger(tmp_path)


def test_a_damaged_file_is_kept_aside(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"this is no database" * 400)
    ledger.open_ledger(tmp_path).close()
    assert any(".damaged-" in path.name for path in tmp_path.iterdir())


def test_of_what_is_too_old_the_oldest_goes_first_and_no_more_than_asked(tmp_path: Path) -> None:
    rows = [opened(call, at) for call, at in (("b", 20), ("a", 10), ("c", 30), ("d", 40))]
    db = written(tmp_path, *rows, *(ledger.Closed(call, "a", 1, ended()) for call in "abcd"))
    ledger.forget(db, 40, 2)
    assert [one.call for one in ledger.history(db, 10)] == ["d", "c"]
    ledger.forget(db, 40, 9)
    assert [one.call for one in ledger.history(db, 10)] == ["d"]
    db.close()
