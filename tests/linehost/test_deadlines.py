# SPDX-License-Identifier: GPL-2.0-or-later
import math

from hypothesis import given
from hypothesis import strategies as st

from dahdi_py.linehost.deadlines import TICK_S, Deadlines


class Item:
    slot = 0


def test_an_item_is_due_once_and_never_early() -> None:
    deadlines: Deadlines[Item] = Deadlines()
    item = Item()
    deadlines.set(item, 10.0)
    due = deadlines.earliest
    assert 10.0 < due <= 10.0 + TICK_S + 1e-9
    assert deadlines.expired(9.99) == []
    assert deadlines.expired(due) == [item]
    assert deadlines.expired(99) == []
    assert deadlines.earliest == math.inf


def test_a_deadline_is_moved_and_forgotten() -> None:
    deadlines: Deadlines[Item] = Deadlines()
    item = Item()
    deadlines.set(item, 10.0)
    deadlines.set(item, 20.0)
    assert deadlines.expired(15) == []
    deadlines.set(item, None)
    assert deadlines.expired(99) == []
    assert deadlines.earliest == math.inf


@given(st.lists(st.tuples(st.integers(0, 9), st.one_of(st.none(), st.floats(0, 50)))), st.floats(0, 60))
def test_due_is_what_was_set_last_and_has_passed(steps: list[tuple[int, float | None]], now: float) -> None:
    deadlines: Deadlines[Item] = Deadlines()
    items = [Item() for _ in range(10)]
    wanted: dict[Item, float] = {}
    for index, deadline in steps:
        deadlines.set(items[index], deadline)
        wanted.pop(items[index], None)
        if deadline is not None:
            wanted[items[index]] = deadline
    assert all(deadlines.earliest <= deadline + 2 * TICK_S for deadline in wanted.values())
    due = deadlines.expired(now)
    assert {item for item, deadline in wanted.items() if deadline <= now - TICK_S} <= set(due)
    assert set(due) <= {item for item, deadline in wanted.items() if deadline <= now}
    assert len(due) == len(set(due))
