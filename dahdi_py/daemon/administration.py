# SPDX-License-Identifier: GPL-2.0-or-later
"""What operators locked or drain: kept over restarts of the daemon and of line hosts, and told when it is empty."""

from __future__ import annotations

import time
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dahdi_py.daemon import circuits
from dahdi_py.daemon.circuits import Channel, Lease
from dahdi_py.daemon.kept import Administered, Subject
from dahdi_py.errors import OutOfService
from dahdi_py.wire.messages.host import AdministerRequest

if TYPE_CHECKING:
    from dahdi_py.daemon.control import Control

UNLOCKED, SHUTTING_DOWN, LOCKED = "unlocked", "shutting_down", "locked"
_STRICTNESS = {SHUTTING_DOWN: 1, LOCKED: 2}
_NO_EXCEPTION = 1
"""When an unlock was given that takes back the subject's own lock alone: before everything around it."""


class Administration:
    """Knows what state each channel, span, host and group was given.

    A channel has the strictest of what it, its span and its host were given by themselves; taking back one leaves the
    others. Unlocking what has no lock of its own makes an exception of it in what was locked around it until then.

    Args:
        kept: What the ledger kept.

    Synchronization: the loop's thread.
    """

    def __init__(self, control: Control, kept: Iterable[Administered]) -> None:
        self._control = control
        self._inventory = control.inventory
        self._states = {one.subject: _dated(one) for one in kept if self._configured(one.subject)}
        self._checking = False
        for span in self._inventory.spans.values():
            self._show(span)
        self._watch()

    def of_group(self, group: str) -> Administered:
        """The group's state."""
        subject = Subject("group", group)
        return self._states.get(subject) or Administered(subject, UNLOCKED)

    def require_group(self, group: str, emergency: bool = False) -> None:
        """The group takes something new; an emergency call passes a drain.

        Raises:
            OutOfService: It is locked or drained: by whom and why.
        """
        one = self._states.get(Subject("group", group))
        if one is None or one.state == UNLOCKED or (emergency and one.state == SHUTTING_DOWN):
            return
        word = "locked" if one.state == LOCKED else "being drained"
        raise OutOfService(f"group {group} is {word} by {one.who}: {one.why}", reason=one.state, cause=34)

    def open_groups(self, groups: Iterable[str]) -> tuple[str, ...]:
        """Those of the groups that take something new."""
        return tuple(name for name in groups if self.of_group(name).state == UNLOCKED)

    def busy(self, subject: Subject) -> int:
        """How many of its channels are busy now."""
        if subject.kind == "group":
            return sum(1 for _ in self.leases_of_group(subject.name))
        return sum(channel.busy for channel in self.channels(subject))

    def channels(self, subject: Subject) -> Iterator[Channel]:
        """The B-channels that the channel, span or host has."""
        for span in self._inventory.spans.values():
            if span.name == subject.name and subject.kind == "channel":
                if subject.timeslot in span.channels:
                    yield span.channels[subject.timeslot]
            elif (subject.kind, subject.name) in (("span", span.name), ("host", span.config.host)):
                yield from span.channels.values()

    def leases_of_group(self, group: str) -> Iterator[Lease]:
        """The leases asked of the group, and those of calls that came in by it."""
        for lease in self._inventory.leases.values():
            if group in self._came_by(lease):
                yield lease

    def _came_by(self, lease: Lease) -> tuple[str, ...]:
        """The group it was asked of, or claimed as a call of; of an offer each that it is offered as a call of."""
        if lease.group:
            return (lease.group,)
        call = self._inventory.calls.get(lease.call)
        if call is not None and (call.came_by or call.offered_as):
            return (call.came_by,) if call.came_by else tuple(call.offered_as.values())
        return self._inventory.groups_of(lease.span, lease.timeslot)[:1]

    def given(self, subject: Subject, state: str, who: str, why: str) -> Administered:
        """The state as somebody gives it now: later than all before, whatever the clock says."""
        now_ns = max(time.time_ns(), 1 + max((one.since_ns for one in self._states.values()), default=0))
        if state != UNLOCKED:
            return Administered(subject, state, who, why, now_ns, waiting=True)
        held = _holding(self._states, self._around(subject))
        excepted = bool(held) and held[0].subject != subject
        return Administered(subject, state, since_ns=now_ns if excepted else _NO_EXCEPTION)

    def changing(self, one: Administered) -> Iterator[tuple[Channel, Administered]]:
        """The channels that the state, once given, makes other than they are or concerns itself, and how they are."""
        after = ChainMap({one.subject: one}, self._states)
        for channel in self.channels(one.subject):
            chain = self._around(Subject("channel", channel.span, channel.timeslot))
            wanted = _strictest(after, chain)
            if wanted is not None and (wanted.subject == one.subject or wanted != _strictest(self._states, chain)):
                yield channel, wanted if wanted.subject == one.subject else _while_busy(channel, wanted)

    def stays(self, subject: Subject) -> list[str]:
        """What the subject, or a part of it, is locked or drained by all the same: one sentence each."""
        around = [one for one in _holding(self._states, self._around(subject)) if one.subject != subject]
        within = [one for one in self._states.values() if one.state != UNLOCKED and self._covers(subject, one.subject)]
        return [f"{one.subject} stays {_WORDS[one.state]} by {one.who}: {one.why}" for one in (*around, *within)]

    def set(self, one: Administered, far_end: list[str]) -> int:
        """The subject is in that state, whatever its parts and what is around it were given; its busy channels."""
        subject = one.subject
        busy = self.busy(subject)
        self._states[subject] = one
        for span in self._inventory.spans.values():
            if not span.host_up:
                self._show(span)
        stays = self.stays(subject) if one.state == UNLOCKED else []
        self._tell("administration.changed", one, far_end=far_end, busy=busy, stays=stays)
        self._watch()
        if one.waiting and not busy:
            self._empty(one)
        return busy

    def apply(self, host: str) -> Iterator[tuple[str, int, Administered]]:
        """Span, timeslots (a bit mask) and state of all that the attached host has otherwise than it was given."""
        for span in self._inventory.spans_of(host):
            wanted: dict[Administered, int] = {}
            for timeslot, channel in span.channels.items():
                one = self._wanted(span, timeslot)
                if one is None:
                    self._adopt(channel)
                elif not _agrees(channel, one):
                    one = _while_busy(channel, one)
                    wanted[one] = wanted.get(one, 0) | 1 << timeslot
            for one, mask in wanted.items():
                yield span.name, mask, one
        self._watch()

    def show(self, host: str) -> None:
        """The channels of a host that cannot say are shown as they will be."""
        for span in self._inventory.spans_of(host):
            self._show(span)

    def _show(self, span: circuits.Span) -> None:
        for timeslot, channel in span.channels.items():
            one = self._wanted(span, timeslot)
            if one is not None:
                channel.administrative, channel.who, channel.why = one.state, one.who, one.why
                channel.since_ns = one.since_ns if one.state != UNLOCKED else 0

    def _wanted(self, span: circuits.Span, timeslot: int) -> Administered | None:
        return _strictest(self._states, self._around(Subject("channel", span.name, timeslot)))

    def _around(self, subject: Subject) -> tuple[Subject, ...]:
        """The subject and what it is a part of, the narrowest first."""
        if subject.kind not in ("channel", "span"):
            return (subject,)
        span = Subject("span", subject.name)
        own = (subject, span) if subject.kind == "channel" else (span,)
        return (*own, Subject("host", self._inventory.spans[subject.name].config.host))

    def _configured(self, subject: Subject) -> bool:
        config = self._control.config
        if subject.kind == "group":
            return any(group.name == subject.name for group in config.groups)
        return any(True for _ in self.channels(subject))

    def _adopt(self, channel: Channel) -> None:
        """The host knows of a state that the ledger has lost."""
        if channel.administrative != UNLOCKED:
            subject = Subject("channel", channel.span, channel.timeslot)
            one = Administered(subject, channel.administrative, channel.who, channel.why, channel.since_ns)
            self._states[subject] = one
            self._control.feed.note(one, None)

    def _covers(self, wide: Subject, narrow: Subject) -> bool:
        if wide.kind == "span":
            return narrow.kind == "channel" and narrow.name == wide.name
        if wide.kind == "host":
            spans = [span.name for span in self._inventory.spans_of(wide.name)]
            return narrow.kind in ("span", "channel") and narrow.name in spans
        return False

    # Who waits for it to be empty.

    def _watch(self) -> None:
        waiting = any(one.waiting for one in self._states.values())
        self._inventory.on_idle = self._check_soon if waiting else None

    def _check_soon(self) -> None:
        if not self._checking:
            self._checking = True
            self._control.loop.call_soon(self._check)

    def _check(self) -> None:
        self._checking = False
        for one in list(self._states.values()):
            if one.waiting and self._known(one.subject) and not self.busy(one.subject):
                self._empty(one)
        self._watch()

    def _known(self, subject: Subject) -> bool:
        """Whether the hosts that have its channels say what is on them."""
        if subject.kind == "group":
            return all(host.link.up for host in self._control.hosts.values())
        hosts = {self._inventory.spans[channel.span].config.host for channel in self.channels(subject)}
        return all(self._control.hosts[host].link.up for host in hosts)

    def _empty(self, one: Administered) -> None:
        done = self._states[one.subject] = Administered(one.subject, one.state, one.who, one.why, one.since_ns)
        self._tell("administration.empty", done)

    def _tell(self, kind: str, one: Administered, **more: Any) -> None:
        subject = one.subject
        self._control.feed.put(
            kind, span=subject.name if subject.kind in ("span", "channel") else "", timeslot=subject.timeslot,
            host=subject.name if subject.kind == "host" else "", group=subject.name if subject.kind == "group" else "",
            data={
                "kind": subject.kind, "name": subject.name, "timeslot": subject.timeslot, "state": one.state,
                "who": one.who, "why": one.why, "since_ns": one.since_ns if one.state != UNLOCKED else 0, **more,
            },
            entry=one,
        )  # fmt: skip


_WORDS = {SHUTTING_DOWN: "drained", LOCKED: "locked"}


def _holding(states: Mapping[Subject, Administered], chain: Iterable[Subject]) -> list[Administered]:
    """The locks and drains along the chain that no later exception of a narrower subject is made from."""
    holding: list[Administered] = []
    excepted_ns = 0
    for subject in chain:
        one = states.get(subject)
        if one is None:
            continue
        if one.state == UNLOCKED:
            excepted_ns = max(excepted_ns, one.since_ns)
        elif one.since_ns > excepted_ns:
            holding.append(one)
    return holding


def _strictest(states: Mapping[Subject, Administered], chain: Sequence[Subject]) -> Administered | None:
    """The state that a channel with that chain has, the narrowest of the strictest; None for nothing said."""
    holding = _holding(states, chain)
    if holding:
        return max(holding, key=lambda one: _STRICTNESS.get(one.state, 0))
    return next((states[subject] for subject in chain if subject in states and states[subject].state == UNLOCKED), None)


def _dated(one: Administered) -> Administered:
    """An unlock that a version before kept without its time was an exception from all around it."""
    return replace(one, since_ns=time.time_ns()) if one.state == UNLOCKED and not one.since_ns else one


def request_of(span: str, mask: int, one: Administered, force: bool = False) -> AdministerRequest:
    """What the span's host is asked."""
    since_ns = one.since_ns if one.state != UNLOCKED else 0
    return AdministerRequest(
        span=span, state=one.state, timeslots=mask, who=one.who, why=one.why, since_ns=since_ns, force=force
    )


def _agrees(channel: Channel, one: Administered) -> bool:
    drained = one.state == SHUTTING_DOWN and channel.administrative == LOCKED
    return channel.administrative == one.state or drained


def _while_busy(channel: Channel, one: Administered) -> Administered:
    """As a host is told it: what is locked while it is busy is drained."""
    return replace(one, state=SHUTTING_DOWN) if one.state == LOCKED and channel.busy else one
