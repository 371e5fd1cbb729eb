# SPDX-License-Identifier: GPL-2.0-or-later
import resource
from pathlib import Path

import msgspec

from dahdi_py.linehost.journal import COMPACT_OCTETS, Journal, JournalledCall
from dahdi_py.wire.messages.common import Party


class Before(msgspec.Struct, frozen=True, array_like=True):
    """A journalled call as the version before has it."""

    call: str
    span: str
    timeslot: int
    outgoing: bool
    called: Party
    calling: Party
    correlation: str
    started_ns: int


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
    assert again.lost == [call("c1"), call("c3")]
    for name in ("c1", "c3"):
        again.ended(name)
    again.close()
    assert opened(path).lost == []


def test_what_a_start_did_not_clear_is_known_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "h.journal"
    journal = Journal(path)
    for name in ("c1", "c2"):
        journal.began(call(name))
    journal.close()
    cut_short = Journal(path)
    cut_short.began(call("c3"))
    cut_short.ended("c1")
    cut_short.close()
    assert opened(path, calls=False).lost == [call("c2"), call("c3")]
    assert opened(path).lost == [call("c2"), call("c3")]


def test_the_version_before_reads_what_we_write_and_we_read_what_it_wrote(tmp_path: Path) -> None:
    path = tmp_path / "h.journal"
    urgent = JournalledCall("c1", "a", 5, True, Party(number="112"), Party(), "", 17, emergency=True, answered_ns=20)
    journal = Journal(path)
    journal.began(urgent)
    journal.close()
    line = path.read_bytes().splitlines()[1][1:]
    assert msgspec.json.decode(line, type=Before) == Before("c1", "a", 5, True, Party(number="112"), Party(), "", 17)
    assert opened(path).lost == [urgent]
    plain = Before("c2", "a", 5, True, Party(number="2001"), Party(name="Ünï\nx"), "core-1", 17)
    path.write_bytes(b"1\n+" + msgspec.json.encode(plain) + b"\n")
    assert opened(path).lost == [call("c2")]


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


def test_calls_go_on_while_the_disk_refuses_and_are_known_when_it_does_not(tmp_path: Path) -> None:
    path = tmp_path / "h.journal"
    journal = Journal(path)
    journal.began(call("c1"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, limits[1]))
    try:
        journal.began(call("c2"))
        assert journal.problem
        journal.ended("c1")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    while journal.problem:
        journal.began(call("c3"))
    journal.close()
    again = Journal(path)
    again.close()
    assert [each.call for each in again.lost] == ["c2", "c3"]
