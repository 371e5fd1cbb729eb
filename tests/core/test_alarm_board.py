# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands is what is wrong: no alarm sticks, none is told twice, each has its own id."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dahdi_py.core.alarm import CRITICAL, MAJOR, MINOR, Condition, Key
from dahdi_py.core.alarm_board import Acknowledged, Board, Change
from dahdi_py.errors import NotFound

S = 10**9
SEEN = Acknowledged("ann", 5, "ticket 12")
SUBJECTS = st.sampled_from(["a", "b", "c", "d"])


def wrong(subject: str, *, severity: str = MAJOR, under: str = "", since_ns: int = 0, **more: object) -> Condition:
    root = Key("span", under) if under else None
    return Condition(
        kind="span", subject=subject, words=("RED",), severity=severity, text="", since_ns=since_ns, under=root,
        **more,  # type: ignore[arg-type]
    )  # fmt: skip


def board(**more: object) -> Board:
    return Board(1, window_ns=100 * S, flapping=3, **more)  # type: ignore[arg-type]


def brief(changes: list[Change]) -> list[tuple[str, str]]:
    return [(change.what, change.alarm.key.subject) for change in changes]


@given(st.lists(st.frozensets(SUBJECTS), max_size=20))
def test_what_is_wrong_stands_and_each_change_is_told_once(history: list[frozenset[str]]) -> None:
    kept = board()
    before: frozenset[str] = frozenset()
    ids: set[int] = set()
    for at, now in enumerate(history, 1):
        changes = kept.feed([wrong(subject) for subject in now], at * S)
        assert {key.subject for key in (one.key for one in kept.standing())} == now
        assert {one for what, one in brief(changes) if what == "raised"} == now - before
        assert {one for what, one in brief(changes) if what == "cleared"} == before - now
        raised = {change.alarm.id for change in changes if change.what == "raised"}
        assert not raised & ids, "an id is never used again"
        ids |= raised
        before = now
        assert kept.feed([wrong(subject) for subject in now], at * S) == []


@given(st.lists(st.frozensets(SUBJECTS), max_size=20))
def test_the_sequence_grows_by_one_with_each_change(history: list[frozenset[str]]) -> None:
    kept, told = board(), []
    for now in history:
        told += kept.feed([wrong(subject) for subject in now], S)
    assert [change.sequence for change in told] == list(range(1, len(told) + 1))
    assert kept.sequence == len(told)


def test_a_thousand_flaps_leave_nothing() -> None:
    kept = board()
    for at in range(1000):
        (raised,) = kept.feed([wrong("a")], at * S)
        assert raised.what == "raised"
        (cleared,) = kept.feed([], at * S)
        assert (cleared.what, cleared.alarm.cleared_ns) == ("cleared", at * S)
    assert kept.standing() == []
    assert raised.alarm.flapping
    assert 100 <= raised.alarm.flaps <= 101, "those within the window"
    assert kept.feed([], 5000 * S) == []
    (later,) = kept.feed([wrong("a")], 5000 * S)
    assert (later.alarm.flaps, later.alarm.flapping) == (1, False)


def test_another_severity_word_or_count_is_a_change_and_another_text_is_none() -> None:
    kept = board()
    (raised,) = kept.feed([wrong("a", since_ns=3)], S)
    assert raised.alarm.raised_ns == 3
    assert kept.feed([wrong("a", since_ns=9, cause="else")], S) == []
    (worse,) = kept.feed([wrong("a", severity=CRITICAL)], S)
    assert (worse.what, worse.alarm.id, worse.alarm.raised_ns) == ("changed", raised.alarm.id, 3)
    assert kept.feed([wrong("a", severity=CRITICAL, times=2)], S)[0].what == "changed"
    assert kept.feed([wrong("a", severity=CRITICAL, times=2, driver=("RED",))], S)[0].what == "changed"


def test_what_another_explains_is_listed_under_it() -> None:
    kept = board()
    changes = kept.feed([wrong("b", severity=CRITICAL), wrong("c", under="b"), wrong("a"), wrong("d", under="c")], S)
    assert brief(changes)[0] == ("raised", "b")
    assert [one.key.subject for one in kept.standing()] == ["b", "c", "d", "a"]
    root = kept.standing()[0].id
    assert [one.hidden_by for one in kept.standing()] == [0, root, root, 0]
    # The root is mended: what it hid shows.
    changes = kept.feed([wrong("c"), wrong("a"), wrong("d", under="c")], S)
    assert ("changed", "c") in brief(changes)
    assert [(one.key.subject, one.hidden_by) for one in kept.standing()] == [("a", 0), ("c", 0), ("d", 3)]


def test_what_explains_itself_or_is_explained_by_nothing_is_a_root() -> None:
    kept = board()
    kept.feed([wrong("a", under="b"), wrong("b", under="a"), wrong("c", under="gone"), wrong("d", under="d")], S)
    assert len(kept.standing()) >= 2
    assert {one.key.subject for one in kept.standing() if not one.hidden_by} >= {"c", "d"}


def test_an_alarm_is_seen_and_unseen_by_its_id() -> None:
    kept = board()
    kept.feed([wrong("a")], S)
    assert kept.acknowledge(1, SEEN).alarm.acknowledged == SEEN
    assert kept.feed([wrong("a", severity=MINOR)], S)[0].alarm.acknowledged == SEEN
    assert kept.acknowledge(1, None).alarm.acknowledged is None
    with pytest.raises(NotFound, match="no alarm 9 stands; alarms: 1"):
        kept.acknowledge(9, SEEN)
    kept.feed([], S)
    with pytest.raises(NotFound, match="none now"):
        kept.find(1)


def test_what_is_mended_and_comes_again_is_unseen_unless_it_flaps() -> None:
    kept = board()
    seen = []
    for at in range(1, 6):
        (raised,) = kept.feed([wrong("a")], at * S)
        seen.append(raised.alarm.acknowledged)
        kept.acknowledge(raised.alarm.id, SEEN)
        kept.feed([], at * S)
    assert seen == [None, None, SEEN, SEEN, SEEN]


def test_what_stood_before_stands_with_its_id() -> None:
    before = board()
    before.feed([wrong("a"), wrong("b")], 50 * S)
    before.acknowledge(1, SEEN)
    kept = Board(
        3, before.standing(), [(Key("span", "a"), 40 * S), (Key("span", "a"), 50 * S)], window_ns=100 * S, flapping=3
    )
    assert brief(kept.feed([wrong("a")], 60 * S)) == [("cleared", "b")]
    assert kept.find(1).acknowledged == SEEN
    assert kept.acknowledge(1, None).alarm.acknowledged is None
    kept.feed([], 61 * S)
    (again,) = kept.feed([wrong("a")], 62 * S)
    assert (again.alarm.id, again.alarm.flaps, again.alarm.flapping) == (3, 3, True)
