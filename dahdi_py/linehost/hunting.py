# SPDX-License-Identifier: GPL-2.0-or-later
"""Which free channel of which span comes next, and why none does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dahdi_py.core.terms import HuntOrder
from dahdi_py.core.trunkgroup import TrunkGroup
from dahdi_py.errors import NoChannel, NotFound, OutOfService
from dahdi_py.linehost.line import BChannel, SpanLine


class _Usable(Sequence[int]):
    """Each span's timeslots that can be leased now: of many spans a hunt looks at the first few."""

    def __init__(self, lines: Sequence[SpanLine]) -> None:
        self._channels = [line.channels for line in lines]

    def __len__(self) -> int:
        return len(self._channels)

    def __getitem__(self, at: Any) -> Any:
        return self._channels[at].usable


_Group = tuple[list[SpanLine], TrunkGroup, _Usable]


class Hunting:
    """Finds channels for leases and calls; each combination of spans and order keeps its own place.

    Args:
        now: The monotonic clock, s.

    Synchronization: one thread.
    """

    def __init__(self, lines: Mapping[str, SpanLine], now: Callable[[], float] = time.monotonic) -> None:
        self._lines = lines
        self._now = now
        self._groups: dict[tuple[tuple[str, ...], str], _Group] = {}

    def line(self, name: str) -> SpanLine:
        """The span of that configured name.

        Raises:
            NotFound: This host has no such span.
        """
        line = self._lines.get(name)
        if line is None:
            raise NotFound(f"this host has no span {name!r}", kind="span", name=name)
        return line

    def hunt(
        self, spans: Sequence[str], order: str = "", *, calls: bool = False, tried: frozenset[BChannel] = frozenset(),
        masks: Sequence[int] = (), spare: int = 0, emergency: bool = False, own: BChannel | None = None,
    ) -> BChannel:  # fmt: skip
        """The next free channel of the spans.

        Args:
            order: A hunt order; empty for the first span's side.
            calls: Only spans with a D-channel will do, and those held down only when no other has one.
            tried: Not these.
            masks: For each span the timeslots that count, bit t for timeslot t; empty for all.
            spare: So many must stay free behind it.
            emergency: It passes drains, hold-down and `spare`.
            own: It is given up for what is found, so that it is one of those that stay free.

        Raises:
            NoChannel: All are busy, or the rest is reserved.
            OutOfService: No span takes anything now.
        """
        lines, group, usable = self._group(spans, order)
        if not (calls or masks or spare or tried or emergency):
            found = group.hunt(usable, _ages(lines, group))
            if found is None:
                raise _none_free(lines, calls)
            return lines[found[0]].bchannels[found[1]]
        free = [line.channels.usable_in_emergency for line in lines] if emergency else list(usable)
        if calls:
            free = [mask if line.carries_calls else 0 for line, mask in zip(lines, free, strict=True)]
        if masks:
            free = [mask & only for mask, only in zip(free, masks, strict=True)]
        if spare and not emergency and 0 < sum(mask.bit_count() for mask in free) <= spare - _counts(own, lines, masks):
            raise NoChannel(f"{_names(lines)}: the last {spare} channels are reserved", cause=34, reserved=spare)
        for channel in tried:
            if channel.line in lines:
                free[lines.index(channel.line)] &= ~(1 << channel.timeslot)
        found = group.hunt(self._preferred(lines, free) if calls and not emergency else free, _ages(lines, group))
        if found is None:
            raise _none_free(lines, calls)
        return lines[found[0]].bchannels[found[1]]

    def _preferred(self, lines: Sequence[SpanLine], free: list[int]) -> list[int]:
        """Without the spans that came back only just now, unless nothing is left then."""
        if not any(line.hold.until for line in lines):
            return free
        now = self._now()
        steady = [0 if line.hold.held(now) else mask for line, mask in zip(lines, free, strict=True)]
        return steady if any(steady) else free

    def _group(self, spans: Sequence[str], order: str) -> _Group:
        key = (tuple(spans), order)
        known = self._groups.get(key)
        if known is None:
            lines = [self.line(name) for name in spans]
            if not lines:
                raise NotFound("no span was named", kind="span", name="")
            side = lines[0].order
            group = TrunkGroup(
                len(lines), HuntOrder(order) if order else side, upward=side is HuntOrder.ASCENDING
            )  # fmt: skip
            known = self._groups[key] = lines, group, _Usable(lines)
        return known


def _counts(own: BChannel | None, lines: Sequence[SpanLine], masks: Sequence[int]) -> int:
    """1 for a channel that is one of those asked for and busy, else 0."""
    if own is None or own.free or own.line not in lines:
        return 0
    return masks[lines.index(own.line)] >> own.timeslot & 1 if masks else 1


def _ages(lines: Sequence[SpanLine], group: TrunkGroup) -> Sequence[Mapping[int, int]]:
    if group.order is not HuntOrder.LEAST_RECENTLY_USED:
        return ()
    return [line.channels.idle_since for line in lines]


def _names(lines: Sequence[SpanLine]) -> str:
    return ", ".join(line.name for line in lines)


def _none_free(lines: Sequence[SpanLine], calls: bool) -> NoChannel | OutOfService:
    names = _names(lines)
    reasons = {line.channels.service for line in lines if line.carries_calls or not calls}
    if not reasons:
        return OutOfService(f"{names}: no D-channel, so no calls", reason="no_dchannel", cause=27)
    if None not in reasons:
        words = ", ".join(sorted(str(reason) for reason in reasons))
        return OutOfService(f"{names}: {words}", reason=words, cause=27)
    return NoChannel(f"{names}: every channel is busy", cause=34)
