# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything that is wrong now, read off the inventory, the hosts and the daemon itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from dahdi_py.core import alarm_texts
from dahdi_py.core.alarm import Capacity, Condition, Key
from dahdi_py.core.alarm_roots import correlate
from dahdi_py.core.group_alarms import GroupAlarms, Seen
from dahdi_py.core.interrupts import MOST, MissedInterrupts
from dahdi_py.core.line_alarms import LineAlarms
from dahdi_py.core.slips import slipped
from dahdi_py.core.terms import Alarms, Disabled, LineType
from dahdi_py.daemon import circuits
from dahdi_py.wire.messages.host import SpanState

if TYPE_CHECKING:
    from dahdi_py.daemon.control import Control

_START_S = 5.0
"""A host that was just started brings its spans up within this: until then they are starting, not failed."""
_NS = 1_000_000_000


class Conditions:
    """Reads what is wrong.

    Args:
        standing: What stood when the last daemon ended.
        problem_of: Why a host does not serve.

    Synchronization: the loop's thread.
    """

    def __init__(self, control: Control, standing: list[Condition], problem_of: Callable[[str], str]) -> None:
        config = control.config
        self._control = control
        self._inventory = control.inventory
        self._settings = config.alarms
        self._problem_of = problem_of
        self._standing = {one.key: one for one in standing}
        self._cards = {card.name: [span for span in config.spans if span.card == card.name] for card in config.cards}
        self._began = self._read_at = now = time.monotonic()
        self._lines = {span.name: self._line(span.name) for span in config.spans}
        self._groups = {
            group.name: GroupAlarms(group, config.alarms, now, self._aspects("group", group.name))
            for group in config.groups
        }
        self._minimum = {group.name: group.minimum for group in config.groups}
        self._members = {group.name: config.members(group) for group in config.groups}
        self._interrupts = {card.name: MissedInterrupts() for card in config.cards}
        self._well: dict[str, int] = {}
        self._was_up: set[str] = set()

    def read(self, now: float, now_ns: int) -> list[Condition]:
        """What is wrong, each under what explains it.

        Args:
            now: Monotonic, s.
            now_ns: The same instant in UTC, ns.
        """
        self._read_at = now
        left = {name: self._capacity(name) for name in self._groups}
        found = [*self._hosts(left, now)]
        for one in self._inventory.spans.values():
            if one.host_up and one.state is not None:
                found += self._span(one, one.state, [left[group] for group in one.groups], now, now_ns)
            else:
                # Nobody knows how it is now: what was wrong with it stands.
                found += [kept for kept in self._standing.values() if kept.span == one.name]
        found += self._missed_interrupts(now, now_ns)
        for name, watch in self._groups.items():
            found += watch.feed(self._seen(name, left[name]), now, now_ns)
        control = self._control
        found += control.past_alarms.conditions()
        if control.journal.problem:
            journal = control.journal
            directory = str(control.state_directory)
            found.append(alarm_texts.of_ledger(directory, journal.problem, journal.waiting, journal.since_ns))
        found += [alarm_texts.of_descriptors(path, since_ns) for path, since_ns in control.exhausted()]
        result = correlate(found, self._cards)
        self._standing = {one.key: one for one in result}
        return result

    def next_deadline(self) -> float | None:
        """When something may be wrong, or no more, without any news since the last `read`."""
        ends = [line.next_deadline() for line in self._lines.values()]
        ends += [watch.next_deadline() for watch in self._groups.values()]
        ends += [watch.next_deadline() for watch in self._interrupts.values()]
        # A line that nobody reads now has its deadline behind it: it waits for its host, and we do not wait for it.
        return min((end for end in ends if end is not None and end > self._read_at), default=None)

    def incoming(self, groups: tuple[str, ...]) -> None:
        """A call came in by these groups."""
        for name in groups:
            self._groups[name].incoming(time.monotonic())

    def ended(self, group: str, answered: bool) -> None:
        """An outgoing call of the group has ended."""
        if group in self._groups:
            self._groups[group].ended(answered, time.monotonic())

    def _line(self, name: str) -> LineAlarms:
        standing = {aspect: Alarms(one.bits) for aspect, one in self._aspects("span", name).items()}
        return LineAlarms(self._clear_s(name), standing)

    def _aspects(self, kind: str, subject: str) -> dict[str, Condition]:
        """What stands of the subject, by aspect."""
        return {key.aspect: one for key, one in self._standing.items() if key[:2] == (kind, subject)}

    def _clear_s(self, span: str) -> float:
        e1 = self._inventory.spans[span].config.type is LineType.E1
        return self._settings.clear_e1_s if e1 else self._settings.clear_t1_s

    def _hosts(self, left: dict[str, Capacity], now: float) -> Iterator[Condition]:
        for name, state in self._control.hosts.items():
            if state.link.up:
                self._was_up.add(name)
                if state.silent_since_ns:
                    yield alarm_texts.of_silent_host(
                        name, [span.name for span in self._inventory.spans_of(name)], state.silent_since_ns,
                        self._left_of(name, left),
                    )  # fmt: skip
            elif name in self._was_up or now >= self._began + _START_S or Key("host", name) in self._standing:
                spans = [span.name for span in self._inventory.spans_of(name)]
                yield alarm_texts.of_host(
                    name, self._problem_of(name), spans, state.since_ns, self._left_of(name, left)
                )  # fmt: skip

    def _left_of(self, host: str, left: dict[str, Capacity]) -> list[Capacity]:
        """What the groups have left that the host's spans are in."""
        groups = dict.fromkeys(group for span in self._inventory.spans_of(host) for group in span.groups)
        return [left[group] for group in groups]

    def _span(
        self, one: circuits.Span, state: SpanState, left: list[Capacity], now: float, now_ns: int
    ) -> Iterator[Condition]:
        conf = one.config
        if self._starting(one, now_ns):
            yield from (kept for kept in self._standing.values() if kept.span == one.name)
            return
        clear_s = self._clear_s(one.name)
        for failure in self._lines[one.name].feed(Alarms(state.alarms), now):
            yield alarm_texts.of_span(conf, failure, clear_s, state.since_ns, left, state.problem)
        if state.dchannel == "down":
            yield alarm_texts.of_dchannel(conf, state.dchannel_since_ns, left, state.dchannel_echo)
        for channel in one.channels.values():
            if channel.disabled in (Disabled.QUARANTINE, Disabled.REMOTE_OOS):
                yield alarm_texts.of_channel(conf, channel.timeslot, channel.disabled, channel.lessee, now_ns)
        if state.returns >= self._settings.flap_count and state.held_until_ns > now_ns:
            yield alarm_texts.of_flapping(conf, state.returns, state.hold_s, now_ns)
        slips = slipped(self._control.performance.of(one.name).errored, now_ns / _NS)
        if slips.often:
            yield alarm_texts.of_slips(conf, slips, now_ns)

    def _missed_interrupts(self, now: float, now_ns: int) -> Iterator[Condition]:
        """Every span of a card tells the card's count."""
        for card, watch in self._interrupts.items():
            states = [self._inventory.spans[span.name].state for span in self._cards[card]]
            counts = [state.counters.get("irq_misses") for state in states if state is not None]
            missed = watch.feed(max((count for count in counts if count is not None), default=None), now)
            if missed > MOST:
                yield alarm_texts.of_interrupts(card, missed, now_ns)

    def _starting(self, one: circuits.Span, now_ns: int) -> bool:
        """Whether the span was not up yet since its host was started, a moment ago: what stood before stands."""
        host = self._control.hosts[one.config.host].link.state
        if host is None:
            return False
        if not one.disabled:
            self._well[one.name] = host.snapshot.start
        return self._well.get(one.name) != host.snapshot.start and now_ns < host.started_ns + int(_START_S * _NS)

    def _capacity(self, name: str) -> Capacity:
        usable = total = 0
        for span, mask in self._members[name]:
            one = self._inventory.spans[span]
            total += mask.bit_count()
            if self._serves(one):
                usable += sum(channel.usable for t, channel in one.channels.items() if mask >> t & 1)
        return Capacity(name, usable, total, self._minimum[name])

    def _serves(self, one: circuits.Span) -> bool:
        """Whether its channels take calls: nothing is wrong with the span, and its host answers."""
        return not one.disabled and not self._control.hosts[one.config.host].silent_since_ns

    def _seen(self, name: str, left: Capacity) -> Seen:
        free = 0
        for span, mask in self._members[name]:
            one = self._inventory.spans[span]
            if self._serves(one):
                free += sum(channel.free for t, channel in one.channels.items() if mask >> t & 1)
        return Seen(left.usable, free, left.total, self._control.serving.offers.serving(name))
