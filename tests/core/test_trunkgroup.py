# SPDX-License-Identifier: GPL-2.0-or-later
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dahdi_py.core.terms import HuntOrder, Node
from dahdi_py.core.trunkgroup import TrunkGroup, default_order, highest, lowest

MASKS = st.lists(st.integers(0, (1 << 32) - 1).map(lambda mask: mask & ~1), min_size=1, max_size=4)


def slots(masks: list[int]) -> list[tuple[int, int]]:
    """Every free place, ascending."""
    return [(span, slot) for span, mask in enumerate(masks) for slot in range(1, 32) if mask >> slot & 1]


def take(masks: list[int], found: tuple[int, int]) -> None:
    masks[found[0]] &= ~(1 << found[1])


@given(MASKS)
def test_lowest_and_highest(masks: list[int]) -> None:
    free = [slot for _, slot in slots(masks[:1])]
    assert lowest(masks[0]) == min(free, default=0)
    assert highest(masks[0]) == max(free, default=0)


@pytest.mark.parametrize("order", list(HuntOrder))
@given(masks=MASKS)
def test_every_free_channel_is_found_once_and_no_other(order: HuntOrder, masks: list[int]) -> None:
    group = TrunkGroup(len(masks), order)
    expected = slots(masks)
    found = []
    idle_since = [{slot: span * 32 + slot for slot in range(1, 32)} for span in range(len(masks))]
    while (place := group.hunt(masks, idle_since)) is not None:
        found.append(place)
        take(masks, place)
    assert sorted(found) == expected
    if order is HuntOrder.MOST_IDLE:
        return
    downward = order in (HuntOrder.DESCENDING, HuntOrder.ROUND_ROBIN_DOWN)
    assert found == (expected[::-1] if downward else expected)


@given(MASKS)
def test_the_most_idle_span_gives_its_own_end_first(masks: list[int]) -> None:
    for upward, pick in ((True, lowest), (False, highest)):
        found = TrunkGroup(len(masks), HuntOrder.MOST_IDLE, upward=upward).hunt(masks)
        most = max(mask.bit_count() for mask in masks)
        first = next(span for span, mask in enumerate(masks) if mask.bit_count() == most)
        assert found == ((first, pick(masks[first])) if most else None)


def test_least_recently_used_is_the_longest_idle_over_all_spans() -> None:
    group = TrunkGroup(2, HuntOrder.LEAST_RECENTLY_USED)
    ages = [{4: 7, 2: 9}, {8: 3, 6: 8}]
    assert group.hunt([1 << 2 | 1 << 4, 1 << 6 | 1 << 8], ages) == (1, 8)
    assert group.hunt([1 << 2 | 1 << 4, 1 << 6], ages) == (0, 4)
    assert group.hunt([0, 0], ages) is None
    # What is drained has no age: an emergency call gets it last.
    assert group.hunt([1 << 11, 1 << 6], ages) == (1, 6)
    assert group.hunt([1 << 11, 0], ages) == (0, 11)


@pytest.mark.parametrize(
    ("order", "expected"), [(HuntOrder.ROUND_ROBIN_UP, [3, 5, 7, 3]), (HuntOrder.ROUND_ROBIN_DOWN, [7, 5, 3, 7])]
)
def test_round_robin_goes_on_behind_the_last(order: HuntOrder, expected: list[int]) -> None:
    group = TrunkGroup(1, order)
    mask = [1 << 3 | 1 << 5 | 1 << 7]
    assert [(group.hunt(mask) or (0, 0))[1] for _ in range(4)] == expected


@given(MASKS, st.sampled_from([HuntOrder.ROUND_ROBIN_UP, HuntOrder.ROUND_ROBIN_DOWN]))
def test_round_robin_gives_all_before_one_twice(masks: list[int], order: HuntOrder) -> None:
    group = TrunkGroup(len(masks), order)
    places = slots(masks)
    given_out = [group.hunt(masks) for _ in range(len(places))]
    assert sorted(place for place in given_out if place) == places


def test_the_two_ends_begin_at_opposite_ends_of_the_group() -> None:
    full = [(1 << 32) - 2] * 2
    assert TrunkGroup(2, default_order(Node.NETWORK)).hunt(full) == (0, 1)
    assert TrunkGroup(2, default_order(Node.CPE)).hunt(full) == (1, 31)
