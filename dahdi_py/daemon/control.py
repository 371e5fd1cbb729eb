# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon's heart: what hosts tell becomes state, events and records; what clients leave behind is cleaned up."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from dahdi_py.core.access import Policy
from dahdi_py.core.config import Config
from dahdi_py.core.terms import Phase
from dahdi_py.daemon import ledger, told, views
from dahdi_py.daemon.archive import Archive
from dahdi_py.daemon.circuits import Call, Lease
from dahdi_py.daemon.clients import Client
from dahdi_py.daemon.feed import Feed
from dahdi_py.daemon.inventory import Inventory
from dahdi_py.daemon.journal import Batch, Journal
from dahdi_py.daemon.link import Link
from dahdi_py.daemon.serving import Serving
from dahdi_py.errors import DahdiPyError, HostUnavailable, StaleToken
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.common import CursorRequest
from dahdi_py.wire.messages.host import (
    AssignRequest,
    AttachReply,
    HangupRequest,
    HostEvent,
    OwnerRequest,
    ReleaseRequest,
)

LOG = logging.getLogger(__name__)

_SETTLE_S = 2.0
"""A host that attached has told what its outbox holds within this."""
_ACTIVE_CAUSE, _SETUP_CAUSE = 31, 41
"""Causes for calls whose client died: normal, unspecified; temporary failure."""


@dataclass(slots=True)
class HostState:
    """A host as the daemon follows it.

    Attributes:
        since_ns: UTC of the last change of `link.up`, ns.
        seen: Start and number of the last event taken in.
        snapshot_n: Events up to this number were in the snapshot already.
        settled: The ledger agrees with what the host has.
        announced: The last we published of it is that it is up.
    """

    link: Link
    since_ns: int
    seen: tuple[int, int] = (0, 0)
    snapshot_n: int = 0
    settled: bool = False
    problem: str = ""
    announced: bool = False


class Control:
    """Everything between the hosts' sockets and the clients' that outlives a request.

    Attributes:
        ready: Clients are served and offers flow.
        on_lost: Told which host cannot be reached any more, and why.

    Synchronization: the loop's thread.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        conf: Config,
        policy: Policy,
        state: Path,
        host_socket: Callable[[str], Path],
    ) -> None:
        self.loop = loop
        self.config = conf
        self.policy = policy
        self.state_directory = state
        self.ready = False
        self.on_lost: Callable[[str, str], None] = lambda host, problem: None
        self.started_ns = time.time_ns()
        self.inventory = Inventory(conf)
        directory = state if conf.service.journal else None
        self.journal = Journal(loop, directory, self._publish, self._durable, self._trouble)
        opened = self.journal.open(self.started_ns)
        self.epoch = opened.epoch
        self.archive = Archive(state) if directory is not None else None
        self.feed = Feed(loop, self.epoch, self.journal, self.archive, lambda: views.resume_state(self.inventory))
        self.serving = Serving(self)
        self.clients: dict[int, Client] = {}
        self._event_cursors = opened.event_cursors
        self._ledger_cursors = opened.ledger_cursors
        self._open_calls = opened.open_calls
        self._declared: set[str] = set()
        self._call_prefix = f"{self.epoch:x}-{secrets.token_hex(4)}"
        self._calls = 0
        self.hosts = {
            host.name: HostState(
                Link(loop, host.name, host_socket(host.name), self.epoch, self), since_ns=self.started_ns
            )
            for host in conf.hosts
        }

    # What hosts tell.

    def attached(self, link: Link, state: AttachReply) -> CursorRequest | None:
        """The inventory is the host's snapshot; what the ledger holds of an earlier start is closed."""
        host = self.hosts[link.name]
        snapshot = state.snapshot
        if host.seen[0] not in (0, snapshot.start):
            self._died(host, "line host died")
        orphaned = self.inventory.load(link.name, snapshot, time.time_ns())
        for lease in orphaned:
            self._assign(link, lease)
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
        self.feed.put(
            "host.up", host=link.name, data={"pid": state.pid, "version": state.version, "start": snapshot.start}
        )
        self._close_rows(link.name, lambda start: start != snapshot.start, "line host died")
        self._follow_snapshot(host)
        start, n = host.seen
        return CursorRequest(epoch=start, n=n) if n else None

    def happened(self, link: Link, start: int, events: list[HostEvent]) -> None:
        """The events are in the inventory and on their way to disk and subscribers."""
        host = self.hosts[link.name]
        for event in events:
            if (start, event.n) > host.seen:
                host.seen = (start, event.n)
                self._take_in(host, start, event)
        if not host.settled and host.seen >= (start, host.snapshot_n):
            self._settle(host)

    def lost(self, link: Link, problem: str) -> None:
        """The host cannot be reached; whether it died its process says."""
        host = self.hosts[link.name]
        self.inventory.unreachable(link.name, time.time_ns())
        if host.problem != problem:
            LOG.error("line host %s: %s", link.name, problem)
        host.problem = problem
        if host.announced:
            self.feed.put("host.down", host=link.name, data={"problem": problem})
        host.settled = host.announced = False
        host.since_ns = time.time_ns()
        self.on_lost(link.name, problem)

    def host_died(self, name: str, problem: str) -> None:
        """The host's process is gone, and with it its calls and leases."""
        host = self.hosts[name]
        if host.link.up:
            host.link.close()
            self.lost(host.link, problem)
        host.problem = problem
        self._died(host, "line host died")

    def nobody_there(self, name: str) -> None:
        """No process serves the host's socket: what the ledger holds open of it ended unseen."""
        self._close_rows(name, lambda start: True, "line host died")

    def _take_in(self, host: HostState, start: int, event: HostEvent) -> None:
        name = host.link.name
        known = event.n <= host.snapshot_n
        try:
            what = told.take_in(self.inventory, told.Source(name, start), event, known)
        except msgspec.ValidationError as error:
            LOG.error("line host %s: event %d %s: %s", name, event.n, event.kind, error)
            return
        source = (name, start, event.n)
        if event.kind == "call.ended" and event.call in self._declared:
            # A host that died and came back accounts for calls whose end we have told already.
            self._declared.discard(event.call)
            self.feed.note(None, source)
            return
        entry = what.entry if (start, event.n) > self._ledger_cursors.get(name, (0, 0)) else None
        if isinstance(entry, ledger.Opened):
            self._open_calls[event.call] = (name, start)
        elif isinstance(entry, ledger.Closed):
            self._open_calls.pop(event.call, None)
        if (start, event.n) <= self._event_cursors.get(name, (0, 0)):
            self.feed.note(entry, source)
        else:
            self.feed.put(
                what.kind, data=what.data, host=name, span=event.span, timeslot=event.timeslot, call=event.call,
                token=event.token, utc_ns=event.utc_ns, monotonic_ns=event.monotonic_ns, entry=entry, source=source,
            )  # fmt: skip
        if not known:
            self._act_on(host, event)

    def _act_on(self, host: HostState, event: HostEvent) -> None:
        if event.kind == "call.offered" and self.ready:
            self.serving.offered(self.inventory.calls[event.call])
        elif event.kind == "call.ended":
            self.serving.ended(event.call, "cleared")
        elif event.kind in ("host.draining", "host.drained"):
            host.link.draining = event.data.get("on", True) is not False

    def _on_disk(self, name: str, start: int) -> int:
        cursors = (self._event_cursors.get(name, (0, 0)), self._ledger_cursors.get(name, (0, 0)))
        return min(n if at == start else 0 for at, n in cursors)

    def _follow_snapshot(self, host: HostState) -> None:
        """Calls the ledger missed get their row; offers nobody claimed go round; later the ledger is compared."""
        start = host.seen[0]
        for call in self.inventory.calls_of(host.link.name):
            if call.call not in self._open_calls and host.seen[1] >= host.snapshot_n:
                self._open_calls[call.call] = (host.link.name, start)
                self.feed.note(told.record_of(call, call.started_ns, start), None)
        self.offer_waiting(host.link.name)
        if host.seen[1] >= host.snapshot_n:
            self._settle(host)
        else:
            self.loop.call_later(_SETTLE_S, self._settle, host)

    def _settle(self, host: HostState) -> None:
        """Rows whose call the host does not have are closed: it has told all it had to tell."""
        if host.settled or not host.link.up:
            return
        host.settled = True
        self._close_rows(host.link.name, lambda start: True, "daemon found no such call")

    def _close_rows(self, name: str, ours: Callable[[int], bool], reason: str) -> None:
        for call, (host, start) in list(self._open_calls.items()):
            if host == name and ours(start) and call not in self.inventory.calls:
                del self._open_calls[call]
                cleared_by = "host" if reason == "line host died" else "daemon_lost"
                self.feed.note(ledger.Lost(call, reason, cleared_by), None)

    def _died(self, host: HostState, reason: str) -> None:
        now = time.time_ns()
        leases, calls = self.inventory.lose(host.link.name, now)
        for call in calls:
            self._open_calls.pop(call.call, None)
            self._declared.add(call.call)
            self.feed.put(
                "call.ended", host=call.host, span=call.span, timeslot=call.timeslot, call=call.call, token=call.token,
                data=told.ended_unseen(call, now, "host", reason), entry=ledger.Lost(call.call, reason, "host"),
            )  # fmt: skip
            self.serving.ended(call.call, reason)
        for lease in leases:
            if not lease.call:
                self._released(lease, reason)
        self._close_rows(host.link.name, lambda start: True, reason)

    # What is written.

    def _publish(self, batch: Batch) -> None:
        self.feed.publish(batch)

    def _durable(self, batch: Batch) -> None:
        durable = {item.source[0]: item.source for item in batch if item.source is not None}
        for name, start, n in durable.values():
            self.hosts[name].link.committed(start, n)

    def _trouble(self, problem: str) -> None:
        if problem:
            LOG.error("records and events cannot be written to %s: %s", self.state_directory, problem)
        else:
            LOG.info("records and events are written to %s again", self.state_directory)

    # What clients do.

    def new_call_id(self) -> str:
        """An id no call of any start ever had."""
        self._calls += 1
        return f"{self._call_prefix}-{self._calls}"

    def link_of(self, token: str) -> Link:
        """The host that gave the token.

        Raises:
            StaleToken: No host here gives such tokens.
            HostUnavailable: It is not connected.
        """
        host = self.hosts.get(token.partition("/")[0])
        if host is None:
            raise StaleToken(f"the lease {token!r} has ended, or never was one", token=token)
        return self.require(host.link)

    def require(self, link: Link) -> Link:
        """The link, which is up.

        Raises:
            HostUnavailable: It is not, and why.
        """
        if not link.up:
            problem = self.hosts[link.name].problem
            why = f": {problem}" if problem else ""
            raise HostUnavailable(f"line host {link.name} is not connected{why}", host=link.name)
        return link

    def client_gone(self, client: Client) -> None:
        """Nothing of the client is left: leases end, calls are cleared, but for those it detached."""
        client.gone = True
        self.clients.pop(client.number, None)
        self.serving.leave(client)
        self.feed.leave(client.number)
        for call_id in list(client.calls):
            call = self.inventory.calls[call_id]
            self.inventory.own_call(call, None)
            if call.detached:
                lease = self.inventory.leases.get(call.token)
                if lease is not None:
                    self.inventory.own(lease, None)
            elif not call.token:
                self.clear_orphan(call, client)
        for token in list(client.tokens):
            self._release_orphan(self.inventory.leases[token], client)

    def clear_orphan(self, call: Call, client: Client) -> None:
        """The call of a client that is gone is being cleared."""
        link = self.hosts[call.host].link
        request = HangupRequest(
            call=call.call, cause=_orphan_cause(call), cleared_by="client_death", reason=_gone(client)
        )
        link.tell("Hangup", request)

    def release_token(self, token: str, client: Client) -> None:
        """The lease that was on its way to a client that is gone ends."""
        lease = self.inventory.leases.get(token)
        if lease is not None:
            self._release_orphan(lease, client)

    def _release_orphan(self, lease: Lease, client: Client) -> None:
        call = self.inventory.calls.get(lease.call)
        cause = _SETUP_CAUSE if call is None else _orphan_cause(call)
        self.inventory.own(lease, None)
        request = ReleaseRequest(token=lease.token, cause=cause, cleared_by="client_death", reason=_gone(client))
        link = self.hosts[lease.host].link
        if not link.up:
            return

        def released(reply: Any, fds: list[int], error: DahdiPyError | None) -> None:
            if error is None or isinstance(error, StaleToken):
                self.released(lease, _gone(client))

        link.call("org.dahdipy.Host.Release", request, Empty, released)

    def released(self, lease: Lease, reason: str = "") -> None:
        """The host has ended the lease."""
        if self.inventory.leases.get(lease.token) is not lease:
            return
        self.inventory.void_lease(lease.token)
        if self.feed.wanted:
            self._released(lease, reason)

    def _released(self, lease: Lease, reason: str) -> None:
        self.feed.put(
            "channel.released", host=lease.host, span=lease.span, timeslot=lease.timeslot, call=lease.call,
            token=lease.token, data={"reason": reason} if reason else None,
        )  # fmt: skip

    def _assign(self, link: Link, lease: Lease) -> None:
        """A host that lost us and not its clients learns that the lease is not orphaned."""
        owner = OwnerRequest(pid=lease.owner.pid, uid=lease.owner.uid, label=lease.owner.label)
        link.tell("Assign", AssignRequest(token=lease.token, owner=owner))
        lease.orphaned = False

    # Beginning and end.

    def begin(self) -> None:
        """Clients are served: hosts may offer, what was held is offered."""
        self.ready = True
        self.serving.begin()
        for name, host in self.hosts.items():
            host.link.ready()
            self.offer_waiting(name)
        self.feed.put("daemon.ready")

    def offer_waiting(self, host: str) -> None:
        """Calls the host holds that nobody claimed go round."""
        if self.ready:
            for call in self.inventory.calls_of(host):
                if call.direction == "incoming" and call.phase == "offered" and not call.claimed:
                    self.serving.offered(call)

    def close(self) -> None:
        """Everything is on disk, every host goes on without us."""
        for host in self.hosts.values():
            host.link.close()
        self.journal.close()
        if self.archive is not None:
            self.archive.close()


def _orphan_cause(call: Call) -> int:
    return _ACTIVE_CAUSE if call.phase in (Phase.ACTIVE, Phase.RELEASING) else _SETUP_CAUSE


def _gone(client: Client) -> str:
    return f"client process {client.pid} (uid {client.uid}) is gone"
