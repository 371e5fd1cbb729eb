# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything between the hosts' sockets and the clients' that outlives a request, put together."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from dahdi_py.core.access import Policy
from dahdi_py.core.config import Config
from dahdi_py.daemon.administration import Administration
from dahdi_py.daemon.alarm_watch import AlarmWatch
from dahdi_py.daemon.archive import Archive
from dahdi_py.daemon.audit import Audit
from dahdi_py.daemon.changes import Changes
from dahdi_py.daemon.circuits import Call, Lease
from dahdi_py.daemon.clients import Client
from dahdi_py.daemon.feed import Feed
from dahdi_py.daemon.following import Following, HostState
from dahdi_py.daemon.inventory import Inventory
from dahdi_py.daemon.journal import Batch, Item, Journal
from dahdi_py.daemon.limits import Limits
from dahdi_py.daemon.link import Link
from dahdi_py.daemon.owners import Owners
from dahdi_py.daemon.past_alarms import PastAlarms
from dahdi_py.daemon.performance import Performance
from dahdi_py.daemon.serving import Serving
from dahdi_py.daemon.strays import Strays
from dahdi_py.errors import HostUnavailable, NotOwner, StaleToken, WrongCallState

LOG = logging.getLogger(__name__)

_DAY_NS = 86_400 * 10**9


class Control:
    """What every handler needs: the inventory, the hosts, the events, whose is what, who serves.

    Attributes:
        ready: Clients are served and offers flow.
        exhausted: The sockets that turn clients away because no descriptor is free, and since when (UTC, ns).

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
        self.exhausted: Callable[[], list[tuple[str, int]]] = list
        self.started_ns = time.time_ns()
        self.inventory = Inventory(conf)
        directory = state if conf.service.journal else None
        self.journal = Journal(
            loop, directory, self._publish, self._durable, self._trouble,
            lambda batch: self.feed.complete(batch), keep_calls_ns=conf.service.keep_calls_days * _DAY_NS,
        )  # fmt: skip
        opened = self.journal.open(self.started_ns)
        self.epoch = opened.epoch
        self.archive = Archive(state) if directory is not None else None
        self.changes = Changes(self.inventory)
        self.feed = Feed(loop, self.epoch, self.journal, self.archive, self.changes)
        self.audit = Audit(
            loop, lambda noted: self.journal.put(Item(None, noted=noted)), conf.service.audit and directory is not None,
            self._owner_of,
        )  # fmt: skip
        self.performance = Performance(conf, self.inventory, self.feed, opened.performance)
        self.past_alarms = PastAlarms(self.feed, opened.kept.alarms, lambda: self.alarms.look_at_once())
        self.limits = Limits(conf, self.inventory)
        self.administration = Administration(self, opened.kept.administered)
        self.serving = Serving(self)
        self.clients: dict[int, Client] = {}
        self.owners = Owners(self)
        self.strays = Strays()
        self.following = Following(self, opened)
        self._call_prefix = f"{self.epoch:x}-{secrets.token_hex(4)}"
        self._calls = 0
        self.hosts = {
            host.name: HostState(
                Link(loop, host.name, host_socket(host.name), self.epoch, self.following), self.started_ns
            )
            for host in conf.hosts
        }
        self.alarms = AlarmWatch(self, opened.alarms)
        self.feed.noticed = self.alarms.noticed

    def _publish(self, batch: Batch) -> None:
        self.feed.publish(batch)
        if self.journal.problem:
            for name, start, n in _sources(batch):
                self.hosts[name].link.received(start, n)

    def _durable(self, batch: Batch) -> None:
        for name, start, n in _sources(batch):
            self.hosts[name].link.committed(start, n)

    def _trouble(self, problem: str) -> None:
        if self.ready:
            self.alarms.look_at_once()
        if problem:
            LOG.error("records and events cannot be written to %s: %s", self.state_directory, problem)
        else:
            LOG.info("records and events are written to %s again", self.state_directory)

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

    def _owner_of(self, token: str) -> int | None:
        lease = self.inventory.leases.get(token)
        return lease.owner.uid if lease is not None else None

    def lease_of(self, token: str, client: Client, *, reclaim: bool = False) -> Lease:
        """The lease of that token, which is good in the client's hands.

        Args:
            reclaim: The client wants to have it: one that is being handed over it may.

        Raises:
            StaleToken: It has ended, or never was one.
            NotOwner: It is another user's.
        """
        lease = self.inventory.leases.get(token)
        if lease is None:
            raise StaleToken(f"the lease {token!r} has ended, or never was one", token=token)
        given = reclaim and lease.given_until > self.loop.time()
        if not (given or client.may_use(lease.owner)):
            raise NotOwner(f"the lease {token} is another user's: its owner may hand it over, or an operator use it")
        return lease

    def spare_emergency(self, call: Call | None, client: Client, operation: str) -> None:
        """The call, if there is one, may be cleared by that client: an emergency call only by its own user.

        Raises:
            WrongCallState: It is another user's emergency call.
        """
        if call is not None and call.emergency and client.uid != call.owner.uid:
            raise spared(call, operation)

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

    def begin(self) -> None:
        """Clients are served: hosts may offer, what was held is offered."""
        self.ready = True
        self.serving.begin()
        for name, host in self.hosts.items():
            host.link.ready(self.config.calls.reclaim_s)
            self.offer_waiting(name)
            if host.link.up:
                self.owners.await_owners(name)
        self.alarms.begin()
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


def spared(call: Call, operation: str) -> WrongCallState:
    """The refusal to clear an emergency call."""
    return WrongCallState(
        f"call {call.call} is an emergency call: only its own core clears it, no operator by force or token",
        call=call.call, state=str(call.phase), operation=operation,
    )  # fmt: skip


def _sources(batch: Batch) -> Iterable[tuple[str, int, int]]:
    """The last of each host's events in the batch: the host, its start and the number."""
    return {item.source[0]: item.source for item in batch if item.source is not None}.values()
