# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything between the hosts' sockets and the clients' that outlives a request, put together."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from dahdi_py.core.access import Policy
from dahdi_py.core.config import Config
from dahdi_py.daemon import views
from dahdi_py.daemon.archive import Archive
from dahdi_py.daemon.clients import Client
from dahdi_py.daemon.feed import Feed
from dahdi_py.daemon.following import Following, HostState
from dahdi_py.daemon.inventory import Inventory
from dahdi_py.daemon.journal import Batch, Journal
from dahdi_py.daemon.link import Link
from dahdi_py.daemon.owners import Owners
from dahdi_py.daemon.serving import Serving
from dahdi_py.errors import HostUnavailable, StaleToken

LOG = logging.getLogger(__name__)


class Control:
    """What every handler needs: the inventory, the hosts, the events, whose is what, who serves.

    Attributes:
        ready: Clients are served and offers flow.

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
        self.started_ns = time.time_ns()
        self.inventory = Inventory(conf)
        directory = state if conf.service.journal else None
        self.journal = Journal(loop, directory, lambda batch: self.feed.publish(batch), self._durable, self._trouble)
        opened = self.journal.open(self.started_ns)
        self.epoch = opened.epoch
        self.archive = Archive(state) if directory is not None else None
        self.feed = Feed(loop, self.epoch, self.journal, self.archive, lambda: views.resume_state(self.inventory))
        self.serving = Serving(self)
        self.clients: dict[int, Client] = {}
        self.owners = Owners(self)
        self.following = Following(self, opened)
        self._call_prefix = f"{self.epoch:x}-{secrets.token_hex(4)}"
        self._calls = 0
        self.hosts = {
            host.name: HostState(
                Link(loop, host.name, host_socket(host.name), self.epoch, self.following), self.started_ns
            )
            for host in conf.hosts
        }

    def _durable(self, batch: Batch) -> None:
        durable = {item.source[0]: item.source for item in batch if item.source is not None}
        for name, start, n in durable.values():
            self.hosts[name].link.committed(start, n)

    def _trouble(self, problem: str) -> None:
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
            host.link.ready()
            self.offer_waiting(name)
            if host.link.up:
                self.owners.await_owners(name)
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
