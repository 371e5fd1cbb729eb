# SPDX-License-Identifier: GPL-2.0-or-later
"""What line hosts tell: snapshots and events become state, events and records; what died is accounted for."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import msgspec

from dahdi_py.daemon import ledger, strays, told
from dahdi_py.daemon.administration import request_of
from dahdi_py.daemon.circuits import Call
from dahdi_py.daemon.ends import Ends
from dahdi_py.daemon.link import Link
from dahdi_py.daemon.news import News, read
from dahdi_py.wire.messages.common import CursorRequest
from dahdi_py.wire.messages.host import AdministerReply, AttachReply, BridgeEnded, Ended, Preempted, Snapshot

if TYPE_CHECKING:
    from dahdi_py.daemon.control import Control
    from dahdi_py.daemon.journal import Opened

SECONDS = "line.seconds"
"""The kind of what a host tells each second."""

LOG = logging.getLogger(__name__)

_OF_LINES = ("span.status", "dchannel.up", "dchannel.down")
_SETTLED = frozenset(("call.proceeding", "call.progress", "call.alerting", "call.answered", "call.ended"))
"""From these on a call is where it is."""
_SETTLE_S = 2.0
"""A host that attached has told what its outbox holds within this."""


class Hunted(Protocol):
    """Who places calls, as long as the far end has not said a word to them."""

    def goes_on(self, host_name: str, call: str) -> bool:
        """Whether a call that this host gives up is tried elsewhere."""

    def unplaced(self, call: str, ended: Ended) -> None:
        """It is: that is how it would have ended."""

    def over(self, call: str) -> None:
        """The call stays where it is, or has ended."""


@dataclass(slots=True)
class HostState:
    """A host as the daemon follows it.

    Attributes:
        since_ns: UTC of the last change of `link.up`, ns.
        seen: Start and number of the last event taken in.
        snapshot_n: Events up to this number were in the snapshot already.
        settled: The ledger agrees with what the host has.
        announced: The last we published of it is that it is up.
        silent_since_ns: UTC since when it is known not to answer, ns; 0 while it does.
    """

    link: Link
    since_ns: int
    seen: tuple[int, int] = (0, 0)
    snapshot_n: int = 0
    settled: bool = False
    problem: str = ""
    announced: bool = False
    silent_since_ns: int = 0


class Following:
    """Follows every host from attach to death.

    Args:
        opened: What the files knew at the start.

    Attributes:
        on_lost: Told which host cannot be reached any more, and why.
        hunting: Who places calls.
        ending: The hosts have been told to end: that they do is no news.

    Synchronization: the loop's thread.
    """

    def __init__(self, control: Control, opened: Opened) -> None:
        self.on_lost: Callable[[str, str], None] = lambda host, problem: None
        self.hunting: Hunted | None = None
        self.ending = False
        self._control = control
        self._inventory = control.inventory
        self._event_cursors = opened.event_cursors
        self._ledger_cursors = opened.ledger_cursors
        self._open_calls = opened.open_calls
        self._untold = opened.untold
        self._ends = Ends(opened.ended)
        self._unbridged: set[frozenset[str]] = set()

    def attached(self, link: Link, state: AttachReply) -> CursorRequest | None:
        """The inventory is the host's snapshot; what the ledger holds of an earlier start is closed."""
        host = self._control.hosts[link.name]
        snapshot = self._without_strays(link, state.snapshot)
        if host.seen[0] not in (0, snapshot.start):
            self._died(host, "line host died")
        self._check_numbering(link.name, snapshot.start, snapshot.n)
        orphaned = self._inventory.load(link.name, snapshot, time.time_ns())
        for lease in orphaned:
            self._control.owners.assign(link, lease)
        for span, mask, one in self._control.administration.apply(link.name):
            # One of an older protocol refuses, which the log says.
            link.tell("Administer", request_of(span, mask, one), AdministerReply)
        host.since_ns, host.problem, host.settled = time.time_ns(), "", False
        host.snapshot_n = snapshot.n
        if host.seen[0] != snapshot.start:
            host.seen = (snapshot.start, self._on_disk(link.name, snapshot.start))
        LOG.info(
            "line host %s attached: pid %d, start %d, %d calls",
            link.name,
            state.pid,
            snapshot.start,
            len(snapshot.calls),
        )
        host.announced = True
        self._control.feed.put(
            "host.up", host=link.name, data={"pid": state.pid, "version": state.version, "start": snapshot.start}
        )
        self._close_rows(link.name, lambda start: start != snapshot.start, "line host died")
        self._follow_snapshot(host)
        self._control.owners.find_orphans(link.name)
        start, n = host.seen
        return CursorRequest(epoch=start, n=n) if n else None

    def happened(self, link: Link, start: int, events: list[News]) -> None:
        """The events are in the inventory and on their way to disk and subscribers."""
        host = self._control.hosts[link.name]
        for event in events:
            if (start, event.n) > host.seen:
                host.seen = (start, event.n)
                self._take_in(host, start, event)
        if not host.settled and host.seen >= (start, host.snapshot_n):
            self._settle(host)

    def lost(self, link: Link, problem: str) -> None:
        """The host cannot be reached; whether it died its process says."""
        host = self._control.hosts[link.name]
        self._inventory.unreachable(link.name, time.time_ns())
        if host.problem != problem:
            LOG.log(logging.INFO if self.ending else logging.ERROR, "line host %s: %s", link.name, problem)
        host.problem = problem
        if host.announced:
            self._control.feed.put("host.down", host=link.name, data={"problem": problem})
        host.settled = host.announced = False
        host.silent_since_ns = 0
        host.since_ns = time.time_ns()
        self.on_lost(link.name, problem)

    def silent(self, link: Link) -> None:
        """Whoever looks after the service knows that the host does not answer, or does again."""
        host = self._control.hosts[link.name]
        host.silent_since_ns = time.time_ns() if link.silent else 0
        LOG.warning("line host %s %s", link.name, "does not answer" if link.silent else "answers again")
        self._control.alarms.look_at_once()

    def host_died(self, name: str, problem: str) -> None:
        """The host's process is gone, and with it its calls and leases."""
        host = self._control.hosts[name]
        if host.link.up:
            host.link.close()
            self.lost(host.link, problem)
        host.problem = problem
        self._died(host, "line host died")

    def nobody_there(self, name: str) -> None:
        """No process serves the host's socket: what it had has ended, seen by the daemon before this one or not."""
        reason = "line host died"
        self._control.feed.put("host.down", host=name, data={"problem": "no process serves it", "gone": True})
        for call, (host, _) in list(self._open_calls.items()):
            record = self._untold.get(call)
            if host == name and record is not None:
                del self._open_calls[call]
                self._ends.lost(call)
                self._control.feed.put(
                    "call.ended", host=name, span=record.span, timeslot=record.timeslot, call=call,
                    group=record.group, data=told.ended_of(record, "host", reason),
                    entry=ledger.Lost(call, reason, "host"),
                )  # fmt: skip
                self._control.alarms.call_ended(record.direction, record.group, record.answered_ns)
                if record.emergency and not record.answered_ns:
                    self._control.past_alarms.emergency_failed(record.called.number, call, reason)
        self._close_rows(name, lambda start: True, reason)

    def _take_in(self, host: HostState, start: int, event: News) -> None:
        name = host.link.name
        known = event.n <= host.snapshot_n
        if event.kind == SECONDS:
            self._count(name, start, event)
            return
        if event.call and self._stray(name, event.call):
            self._control.feed.note(None, (name, start, event.n))
            return
        if event.kind == "call.unplaced":
            if self._went_on(name, start, event):
                return
            event = msgspec.structs.replace(event, kind="call.ended")
        if event.kind in _OF_LINES:
            self._control.alarms.about_to_change(event.span)
        group = self._control.changes.group_asked(event.call, event.token)  # an end takes it away
        try:
            what = told.take_in(self._inventory, told.Source(name, start), event, known)
        except msgspec.ValidationError as error:
            LOG.error("line host %s: event %d %s: %s", name, event.n, event.kind, error)
            return
        source = (name, start, event.n)
        if event.kind == "bridge.ended":
            ended = read(event, BridgeEnded)
            if (pair := frozenset((ended.a, ended.b))) in self._unbridged:
                # The other host of it died, which told enough.
                self._unbridged.discard(pair)
                self._control.feed.note(None, source)
                return
        entry = what.entry if (start, event.n) > self._ledger_cursors.get(name, (0, 0)) else None
        if isinstance(entry, ledger.Opened) or (event.kind == "call.attempt" and event.call in self._open_calls):
            self._open_calls[event.call] = (name, start)
        elif isinstance(entry, ledger.Closed):
            self._open_calls.pop(event.call, None)
        again = (start, event.n) <= self._event_cursors.get(name, (0, 0))
        # A host that died accounts, in each of its starts, for calls whose end we have told already.
        told_before = not again and event.kind == "call.ended" and event.call in self._ends
        if again or told_before:
            self._control.feed.note(entry, source)
            self._control.alarms.look_at_once()
        else:
            self._control.feed.put(
                what.kind, data=what.data, host=name, span=event.span, timeslot=event.timeslot, call=event.call,
                token=event.token, group=group, utc_ns=event.utc_ns, monotonic_ns=event.monotonic_ns, entry=entry,
                source=source,
            )  # fmt: skip
            if isinstance(what.entry, ledger.Closed):
                end = what.entry.ended
                self._control.alarms.call_ended(end.direction, end.group, end.answered_ns)
        if event.kind == "call.ended":
            self._ends.ended(event.call)
        if isinstance(entry, ledger.Closed) and not told_before:
            self._control.past_alarms.call_ended(event.call, entry.ended)
        if not known:
            self._act_on(host, event)

    def _went_on(self, name: str, start: int, event: News) -> bool:
        """Whether the call that the host gave up is tried on another one; else that is its end."""
        if self.hunting is None or not self.hunting.goes_on(name, event.call):
            return False
        try:
            ended = read(event, Ended)
        except msgspec.ValidationError as error:
            LOG.error("line host %s: event %d %s: %s", name, event.n, event.kind, error)
            return False
        self._control.feed.note(None, (name, start, event.n))
        self.hunting.unplaced(event.call, ended)
        return True

    def ended_nowhere(self, call: Call, ended: Ended) -> None:
        """The call that its hosts gave up has ended, as on the last of them."""
        name, start = self._open_calls.pop(call.call, (call.host, 0))
        self._inventory.end_call(call)
        self._ends.ended(call.call)
        ended = msgspec.structs.replace(told.whole(call, ended), messages=call.earlier)
        entry = ledger.Closed(call.call, name, start, ended, self._inventory.circuit(ended.span))
        self._control.feed.put(
            "call.ended", host=name, span=ended.span, timeslot=ended.timeslot, call=call.call,
            data=told.data_of(ended), entry=entry,
        )  # fmt: skip
        self._control.alarms.call_ended(ended.direction, ended.group, ended.answered_ns)
        self._control.past_alarms.call_ended(call.call, ended)

    def _stray(self, name: str, call: str) -> bool:
        """Whether the call is on another host now, or was taken from this one for good."""
        up = self._inventory.calls.get(call)
        return (call, name) in self._control.strays or (up is not None and up.host != name)

    def _without_strays(self, link: Link, snapshot: Snapshot) -> Snapshot:
        """What concerns us of the host's state; what it should not have any more it is told to clear."""
        found = {call.call for call in snapshot.calls if self._stray(link.name, call.call)}
        for call in found:
            link.tell("Hangup", strays.clearing(call))
        return strays.without(snapshot, found)

    def _count(self, name: str, start: int, event: News) -> None:
        """Seconds change nothing but their circuit's history."""
        counted = None
        if (start, event.n) > self._event_cursors.get(name, (0, 0)):
            try:
                counted = self._control.performance.take_in(event)
            except msgspec.ValidationError as error:
                LOG.error("line host %s: event %d %s: %s", name, event.n, event.kind, error)
        self._control.feed.note(None, (name, start, event.n), counted)

    def _act_on(self, host: HostState, event: News) -> None:
        if self.hunting is not None and event.kind in _SETTLED:
            self.hunting.over(event.call)
        if event.kind in ("call.offered", "call.unclaimed"):
            call = self._inventory.calls.get(event.call)
            if call is not None and self._control.ready:
                self._control.serving.offered(call)
        elif event.kind == "call.preempted" and (by := read(event, Preempted).by):
            preempting = self._inventory.calls.get(by)
            self._control.audit.preempted(event.call, by, preempting.client if preempting is not None else None)
        elif event.kind == "call.ended":
            self._control.serving.ended(event.call, "cleared")
        elif event.kind in ("host.draining", "host.drained"):
            host.link.draining = read(event, dict).get("on", True) is not False

    def _check_numbering(self, name: str, start: int, n: int) -> None:
        """What the disk knows of a host whose own state was lost is no guide: its numbers began anew."""
        for cursors in (self._event_cursors, self._ledger_cursors):
            if cursors.get(name, (0, 0)) > (start, n):
                LOG.warning("line host %s counts anew from start %d: its state directory was lost", name, start)
                del cursors[name]

    def _on_disk(self, name: str, start: int) -> int:
        cursors = (self._event_cursors.get(name, (0, 0)), self._ledger_cursors.get(name, (0, 0)))
        return min(n if at == start else 0 for at, n in cursors)

    def _follow_snapshot(self, host: HostState) -> None:
        """Calls the ledger missed get their row; offers nobody claimed go round; later the ledger is compared."""
        start = host.seen[0]
        for call in self._inventory.calls_of(host.link.name):
            if call.call not in self._open_calls and host.seen[1] >= host.snapshot_n:
                self._open_calls[call.call] = (host.link.name, start)
                self._control.feed.note(
                    told.record_of(call, call.started_ns, start, self._inventory.circuit(call.span)), None
                )
        self._control.offer_waiting(host.link.name)
        if host.seen[1] >= host.snapshot_n:
            self._settle(host)
        else:
            self._control.loop.call_later(_SETTLE_S, self._settle, host)

    def _settle(self, host: HostState) -> None:
        """Rows whose call the host does not have are closed: it has told all it had to tell."""
        if host.settled or not host.link.up:
            return
        host.settled = True
        self._close_rows(host.link.name, lambda start: True, "daemon found no such call")

    def _close_rows(self, name: str, ours: Callable[[int], bool], reason: str) -> None:
        for call, (host, start) in list(self._open_calls.items()):
            if host == name and ours(start) and call not in self._inventory.calls:
                del self._open_calls[call]
                cleared_by = "host" if reason == "line host died" else "daemon_lost"
                self._control.feed.note(ledger.Lost(call, reason, cleared_by), None)

    def _died(self, host: HostState, reason: str) -> None:
        now = time.time_ns()
        self._part_bridges(host.link.name, reason)
        leases, calls = self._inventory.lose(host.link.name, now)
        self._control.administration.show(host.link.name)
        for call in calls:
            if call.emergency and not call.answered_ns:
                self._control.past_alarms.emergency_failed(call.called.number, call.call, reason)
            if self.hunting is not None:
                self.hunting.over(call.call)
            self._open_calls.pop(call.call, None)
            self._ends.lost(call.call)
            self._control.feed.put(
                "call.ended", host=call.host, span=call.span, timeslot=call.timeslot, call=call.call, token=call.token,
                group=call.group,
                data=told.ended_unseen(call, now, "host", reason), entry=ledger.Lost(call.call, reason, "host"),
            )  # fmt: skip
            self._control.alarms.call_ended(call.direction, call.group, call.answered_ns)
            self._control.serving.ended(call.call, reason)
        for lease in leases:
            if not lease.call:
                self._control.owners.tell_released(lease, reason)
        self._close_rows(host.link.name, lambda start: True, reason)

    def _part_bridges(self, name: str, reason: str) -> None:
        """Whoever follows knows of the bridges that died with the host."""
        for a, b in self._inventory.unbridge(name):
            if not all(token.startswith(f"{name}/") for token in (a, b)):
                self._unbridged.add(frozenset((a, b)))
            lease = self._inventory.leases[a]
            self._control.owners.tell("channel.unbridged", lease, {"a": a, "b": b, "reason": reason})
