# SPDX-License-Identifier: GPL-2.0-or-later
from hypothesis import given
from hypothesis import strategies as st

from dahdi_py.core.hold_down import LONGEST_ALONE_S, LONGEST_S, HoldDown

GAPS = st.lists(st.tuples(st.floats(0.1, 3000), st.floats(0.1, 3000)), min_size=1, max_size=40)


def flap(hold: HoldDown, times: int, now: float = 0.0) -> list[float]:
    lengths = []
    for _ in range(times):
        hold.went(now)
        hold.returned(now + 1)
        lengths.append(hold.length_s)
        now += 2
    return lengths


def test_each_return_doubles_it_up_to_fifteen_minutes() -> None:
    assert flap(HoldDown(5.0), 10) == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]
    assert flap(HoldDown(5.0, LONGEST_ALONE_S), 6) == [5, 10, 20, 40, 60, 60]
    assert flap(HoldDown(5.0), 2000)[-1] == LONGEST_S


def test_a_first_time_longer_than_the_most_is_the_most() -> None:
    assert flap(HoldDown(120.0, LONGEST_ALONE_S), 2) == [120, 120]


def test_none_is_none() -> None:
    hold = HoldDown(0.0)
    flap(hold, 5)
    assert not hold.held(9.0)
    assert hold.until == 0.0


def test_steady_for_long_is_as_if_nothing_had_been() -> None:
    hold = HoldDown(5.0)
    flap(hold, 4)
    assert hold.returns == 4
    hold.went(7.0 + LONGEST_S - 0.1)
    assert hold.returns == 4
    hold.returned(1000.0)
    hold.went(1000.0 + LONGEST_S)
    hold.returned(3000.0)
    assert (hold.length_s, hold.returns) == (5.0, 1)


def test_lifting_ends_it_and_forgets() -> None:
    hold = HoldDown(5.0)
    flap(hold, 4)
    assert hold.held(8.0)
    hold.lift()
    assert not hold.held(8.0)
    assert flap(hold, 1, 20.0) == [5.0]


@given(st.floats(0.5, 900), GAPS)
def test_it_is_never_longer_than_the_most_nor_shorter_than_the_first(
    first_s: float, gaps: list[tuple[float, float]]
) -> None:
    hold, now, before = HoldDown(first_s), 0.0, 0.0
    for up, down in gaps:
        now += up
        hold.went(now)
        assert not hold.held(now)
        now += down
        hold.returned(now)
        assert first_s <= hold.length_s <= LONGEST_S
        assert hold.length_s in (first_s, min(2 * before, LONGEST_S)) or hold.returns == 1
        assert hold.held(now)
        assert not hold.held(now + hold.length_s)
        before = hold.length_s
