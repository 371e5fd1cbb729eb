# SPDX-License-Identifier: GPL-2.0-or-later
"""A group hunted over several hosts gives its channels in the order one host would."""

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dahdi_py.core.routing import Part, Routing, Section
from dahdi_py.core.terms import HuntOrder
from dahdi_py.core.trunkgroup import TrunkGroup

SECTIONS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(1, (1 << 16) - 1).map(lambda mask: mask << 1)), min_size=1, max_size=5
).map(lambda found: [Section(host, f"s{at}", mask) for at, (host, mask) in enumerate(found)])


class Hosts:
    """What line hosts do with the parts: each hunts among its own spans and keeps its place."""

    def __init__(self, sections: list[Section]) -> None:
        self.sections = {section.span: section for section in sections}
        self.free = {section.span: section.mask for section in sections}
        self.ages = {
            section.span: {slot: 0 for slot in range(1, 32) if section.mask >> slot & 1} for section in sections
        }
        self._groups: dict[tuple[tuple[str, ...], str], TrunkGroup] = {}
        self._now = count(1)

    def ask(self, part: Part) -> tuple[str, int] | None:
        key = tuple(part.spans), part.order
        group = self._groups.setdefault(key, TrunkGroup(len(part.spans), HuntOrder(part.order)))
        masks = part.masks or [-1] * len(part.spans)
        free = [self.free[span] & mask for span, mask in zip(part.spans, masks, strict=True)]
        found = group.hunt(free, [dict(sorted(self.ages[span].items(), key=lambda one: one[1])) for span in part.spans])
        return (part.spans[found[0]], int(found[1])) if found else None

    def take(self, span: str, slot: int) -> None:
        self.free[span] &= ~(1 << slot)
        del self.ages[span][slot]

    def give_back(self, span: str, slot: int) -> None:
        self.free[span] |= 1 << slot
        self.ages[span][slot] = next(self._now)

    def measure_free(self, section: Section) -> int:
        return (self.free[section.span] & section.mask).bit_count()

    def oldest(self, section: Section) -> int:
        return min(self.ages[section.span].values(), default=1 << 62)


def hunt(routing: Routing, hosts: Hosts, exclude: tuple[str, ...] = ()) -> tuple[str, int] | None:
    for part in routing.parts(exclude, free=hosts.measure_free, oldest=hosts.oldest):
        assert {hosts.sections[span].host for span in part.spans} == {part.host}
        if (found := hosts.ask(part)) is not None:
            routing.took(*found)
            hosts.take(*found)
            return found
    return None


@pytest.mark.parametrize("order", [order for order in HuntOrder if order is not HuntOrder.LEAST_RECENTLY_USED])
@given(sections=SECTIONS, returns=st.lists(st.integers(0, 40), max_size=40))
def test_channels_come_in_the_order_of_one_big_group(
    order: HuntOrder, sections: list[Section], returns: list[int]
) -> None:
    routing, hosts = Routing(sections, order), Hosts(sections)
    alone = TrunkGroup(len(sections), order)
    taken: list[tuple[str, int]] = []
    for back in returns:
        if back < len(taken):
            hosts.give_back(*taken.pop(back))
        masks = [hosts.free[section.span] for section in sections]
        expected = alone.hunt(masks)
        found = hunt(routing, hosts)
        if order is HuntOrder.MOST_IDLE and expected and found:
            # Equal spans of different hosts: the host named first wins, not the span.
            most = masks[expected[0]].bit_count()
            assert masks[[s.span for s in sections].index(found[0])].bit_count() == most
        else:
            assert found == (expected and (sections[expected[0]].span, expected[1]))
        if found:
            taken.append(found)


@given(SECTIONS)
def test_least_recently_used_is_the_longest_idle_of_all_hosts(sections: list[Section]) -> None:
    routing, hosts = Routing(sections, HuntOrder.LEAST_RECENTLY_USED), Hosts(sections)
    everything = []
    while (found := hunt(routing, hosts)) is not None:
        everything.append(found)
    for place in reversed(everything):
        hosts.give_back(*place)
    assert [hunt(routing, hosts) for _ in everything] == everything[::-1]


@pytest.mark.parametrize("order", list(HuntOrder))
@given(sections=SECTIONS, without=st.integers(0, 4))
def test_excluded_spans_are_never_asked_and_all_others_are(
    order: HuntOrder, sections: list[Section], without: int
) -> None:
    exclude = tuple(section.span for section in sections[without : without + 1])
    routing, hosts = Routing(sections, order), Hosts(sections)
    found = set()
    while (place := hunt(routing, hosts, exclude)) is not None:
        found.add(place)
    assert found == {
        (section.span, slot)
        for section in sections
        if section.span not in exclude
        for slot in range(1, 32)
        if section.mask >> slot & 1
    }


def test_a_group_of_one_host_is_one_request_that_the_host_hunts_by_itself() -> None:
    sections = [Section("a", "east", 6), Section("a", "west", 6)]
    routing = Routing(sections, HuntOrder.ROUND_ROBIN_UP)
    routing.took("east", 1)
    assert routing.parts(free=lambda one: 0, oldest=lambda one: 0) == [
        Part("a", ["east", "west"], [], "round_robin_up")
    ]


def test_part_of_a_span_is_said_by_its_mask() -> None:
    routing = Routing([Section("a", "east", 6, whole=False), Section("a", "west", 6)], HuntOrder.ASCENDING)
    assert routing.parts(free=lambda one: 0, oldest=lambda one: 0) == [Part("a", ["east", "west"], [6, 6], "ascending")]
