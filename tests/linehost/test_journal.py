# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

from dahdi_py.linehost.journal import COMPACT_OCTETS, Journal, JournalledCall
from dahdi_py.wire.messages.common import Party


def call(name: str) -> JournalledCall:
    return JournalledCall(name, "a", 5, True, Party(number="2001"), Party(name="Ünï\nx"), "core-1", 17)


def opened(path: Path, *, calls: bool = True) -> Journal:
    journal = Journal(path, calls=calls)
    journal.close()
    return journal


def test_the_start_number_grows_with_each_start(tmp_path: Path) -> None:
    path = tmp_path / "state" / "h.journal"
    assert [opened(path).start for _ in range(3)] == [1, 2, 3]


def test_what_was_up_is_known_after_a_crash_and_only_that(tmp_path: Path) -> None:
    path = tmp_path / "h.journal"
    journal = Journal(path)
    for name in ("c1", "c2", "c3"):
        journal.began(call(name))
    journal.ended("c2")
    journal.close()
    again = Journal(path)
    again.close()
    assert again.lost == [call("c1"), call("c3")]
    assert opened(path).lost == []


def test_a_line_cut_short_is_no_call(tmp_path: Path) -> None:
    path = tmp_path / "h.journal"
    journal = Journal(path)
    journal.began(call("c1"))
    journal.began(call("c2"))
    journal.close()
    path.write_bytes(path.read_bytes()[:-7])
    assert opened(path).lost == [call("c1")]


def test_after_rubbish_the_start_number_is_above_every_count(tmp_path: Path) -> None:
    path = tmp_path / "h.journal"
    path.write_bytes(b"\xff\x00rubbish\n+[1,2\n-\n+{}\n")
    journal = opened(path)
    assert journal.start > 10**9
    assert journal.lost == []
    assert opened(path).start == journal.start + 1


def test_without_calls_only_the_start_number_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "h.journal"
    journal = Journal(path, calls=False)
    journal.began(call("c1"))
    journal.ended("c1")
    journal.close()
    assert path.read_bytes() == b"1\n"


def test_the_file_does_not_grow_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "h.journal"
    journal = Journal(path)
    journal.began(call("stays"))
    for number in range(COMPACT_OCTETS // 100):
        journal.began(call(f"c{number}"))
        journal.ended(f"c{number}")
    journal.close()
    assert path.stat().st_size < COMPACT_OCTETS + 1000
    assert opened(path).lost == [call("stays")]
