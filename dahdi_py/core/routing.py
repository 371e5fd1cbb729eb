# SPDX-License-Identifier: GPL-2.0-or-later
"""In which order the line hosts of a trunk group are asked, and for which of their channels.

A line host hunts among its own spans. A group over several hosts is hunted by asking them one after the other, each for
its part, so that the hunt order of the whole group comes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from dahdi_py.core.terms import HuntOrder

_DOWNWARD = frozenset({HuntOrder.DESCENDING, HuntOrder.ROUND_ROBIN_DOWN})
_ROTATING = frozenset({HuntOrder.ROUND_ROBIN_UP, HuntOrder.ROUND_ROBIN_DOWN})
_WHOLE = -1


class Section(NamedTuple):
    """A member of a group: a span of a host, and which of its timeslots count (bit t for timeslot t).

    Attributes:
        whole: They are all the span has.
    """

    host: str
    span: str
    mask: int
    whole: bool = True


class Part(NamedTuple):
    """One request to one host.

    Attributes:
        masks: For each span the timeslots that count; empty for all.
    """

    host: str
    spans: list[str]
    masks: list[int]
    order: str


Measure = Callable[[Section], int]


class Routing:
    """The parts of one trunk group. Round robin over hosts goes on behind the channel given out last.

    Args:
        sections: In the configured order; at least one.
        order: Its hunt order; each side's own when it hunts from its own end.

    Synchronization: one thread.
    """

    __slots__ = ("_at", "_one_host", "order", "sections")

    def __init__(self, sections: Sequence[Section], order: HuntOrder) -> None:
        self.sections = list(sections)
        self.order = order
        self._one_host = len({section.host for section in sections}) == 1
        self._at: tuple[str, int] | None = None

    def parts(self, exclude: Sequence[str] = (), *, free: Measure, oldest: Measure) -> list[Part]:
        """Whom to ask for what, the first first.

        Args:
            exclude: Not on these spans.
            free: How many channels a section has free; for most idle.
            oldest: The lower, the longer its longest idle channel has been so; for least recently used.
        """
        sections = [section for section in self.sections if section.span not in exclude]
        if self._one_host or len(sections) < 2:
            return [self._part(sections)] if sections else []
        if self.order is HuntOrder.MOST_IDLE:
            return self._by_host(sections, lambda own: -max(map(free, own)))
        if self.order is HuntOrder.LEAST_RECENTLY_USED:
            return self._by_host(sections, lambda own: min(map(oldest, own)))
        if self.order in _ROTATING:
            sections = list(self._rotated(sections))
        elif self.order in _DOWNWARD:
            sections.reverse()
        runs = [list(run) for _, run in groupby(sections, lambda section: section.host)]
        # A host reads its spans backwards when it hunts downwards.
        return [self._part(run[::-1] if self.order in _DOWNWARD else run) for run in runs]

    def took(self, span: str, timeslot: int) -> None:
        """That channel was given out."""
        self._at = (span, timeslot)

    def _rotated(self, sections: list[Section]) -> Iterator[Section]:
        down = self.order is HuntOrder.ROUND_ROBIN_DOWN
        if down:
            sections = sections[::-1]
        spans = [section.span for section in sections]
        if self._at is None or self._at[0] not in spans:
            yield from sections
            return
        at = spans.index(self._at[0])
        here = sections[at]
        upper = _WHOLE << (self._at[1] + 1) & here.mask
        lower = here.mask & ((1 << self._at[1]) - 1)
        beyond, behind = (lower, upper) if down else (upper, lower)
        if beyond:
            yield here._replace(mask=beyond, whole=False)
        yield from sections[at + 1 :]
        yield from sections[:at]
        yield here._replace(mask=behind | 1 << self._at[1] & here.mask, whole=False)

    def _by_host(self, sections: list[Section], key: Callable[[list[Section]], int]) -> list[Part]:
        hosts: dict[str, list[Section]] = {}
        for section in sections:
            hosts.setdefault(section.host, []).append(section)
        return [self._part(own) for own in sorted(hosts.values(), key=key)]

    def _part(self, sections: Sequence[Section]) -> Part:
        masks = [] if all(one.whole for one in sections) else [one.mask for one in sections]
        return Part(sections[0].host, [one.span for one in sections], masks, str(self._order_at_host))

    @property
    def _order_at_host(self) -> HuntOrder:
        if self._one_host or self.order not in _ROTATING:
            return self.order
        return HuntOrder.DESCENDING if self.order in _DOWNWARD else HuntOrder.ASCENDING
