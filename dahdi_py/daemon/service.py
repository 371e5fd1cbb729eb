# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon put together: control, its sockets, the processes it keeps alive, and how all of it begins and ends."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from dahdi_py.core.access import VIEW
from dahdi_py.core.config import Config
from dahdi_py.daemon import heap
from dahdi_py.daemon.api import access
from dahdi_py.daemon.api.administer import AdministerApi
from dahdi_py.daemon.api.alarms import AlarmsApi
from dahdi_py.daemon.api.calls import CallsApi
from dahdi_py.daemon.api.channels import ChannelsApi
from dahdi_py.daemon.api.leases import LeasesApi
from dahdi_py.daemon.api.media import MediaApi
from dahdi_py.daemon.api.performance import PerformanceApi
from dahdi_py.daemon.api.placing import Placing
from dahdi_py.daemon.api.routes import Routes
from dahdi_py.daemon.api.sim import SimApi
from dahdi_py.daemon.api.state import StateApi
from dahdi_py.daemon.audit import Audit
from dahdi_py.daemon.clients import Client
from dahdi_py.daemon.control import Control
from dahdi_py.daemon.link import connect
from dahdi_py.daemon.notify import Notify
from dahdi_py.daemon.supervisor import Process
from dahdi_py.errors import RoleMissing, Unreachable, Unsupported
from dahdi_py.wire import places
from dahdi_py.wire.dispatch import Handler
from dahdi_py.wire.interface import Interface, Method
from dahdi_py.wire.messages import alarms, calls, channels, daemon, events, groups, hosts, sim, spans
from dahdi_py.wire.messages.host import StopRequest
from dahdi_py.wire.server import Peer, Server

LOG = logging.getLogger(__name__)

_INTERFACES = tuple(module.INTERFACE for module in (spans, channels, groups, calls, alarms, events, hosts, daemon, sim))
_FIRST_ROUND_S = 5.0
"""Hosts that answer are attached before clients are served, unless they take longer."""
_END_S = 12.0
_KILL_S = 3.0
_TIDY_S = 10.0


class Service:
    """Runs from `run` until `stop`.

    Args:
        command: Makes the command line of another process of the service from its words.

    Raises:
        SocketBusy: Another daemon serves RUN.
        ConfigError: A place or name cannot be used.

    Synchronization: the loop's thread.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, conf: Config, config_path: Path, run_at: Path, state: Path,
        command: Callable[[Sequence[str]], list[str]],
    ) -> None:  # fmt: skip
        self._loop = loop
        self._run_at = run_at
        self._notify = Notify()
        self._stopping: asyncio.Future[bool] = loop.create_future()
        policy = access.policy(conf.access)
        # Bound first: only who has it may touch hosts and files. What it shows is true from the beginning.
        self._audit: Audit | None = None
        self._view = self._server(places.view_socket(run_at), True)
        self.control = Control(loop, conf, policy, state, partial(places.host_socket, run_at))
        self._audit = self.control.audit
        self._control_path = places.control_socket(run_at)
        self.hosts = {name: self._host_process(name, command, conf) for name in self.control.hosts}
        self.cards = [self._card_process(card.name, command, conf) for card in conf.cards if card.kind == "sim"]
        self.control.following.on_lost = lambda name, problem: self.hosts[name].lost(problem)
        self._state = StateApi(self.control, self.hosts, str(self._control_path), str(config_path), self.stop)
        self.control.exhausted = self._exhausted
        self.control.alarms.problem_of = self._problem_of
        self._routes = Routes(self.control)
        self._sim = SimApi(loop, conf, self.control.inventory, partial(_card_socket, run_at, conf))
        self._control: Server | None = None
        self._serve_on(self._view)

    async def run(self) -> None:
        """Serves until stopped, then ends in order."""
        self._begin_watchdog()
        for process in self.cards:
            process.tend()
        await self._first_round()
        self._control = self._server(self._control_path, False)
        self._serve_on(self._control)
        self.control.begin()
        self._tidy()
        self._notify.tell(READY=1, STATUS=f"{len(self.hosts)} line hosts")
        LOG.info("ready on %s, epoch %d", self._control_path, self.control.epoch)
        whole_service = await self._stopping
        await self._end(whole_service)

    def stop(self, whole_service: bool) -> None:
        """The daemon ends; hosts and calls stay, or end too."""
        if not self._stopping.done():
            self._stopping.set_result(whole_service)

    async def _first_round(self) -> None:
        """Hosts that run already are attached; the others are being started."""
        answered = [name for name, process in self.hosts.items() if process.tend()]
        for name in self.hosts.keys() - set(answered):
            self.control.following.nobody_there(name)
        attached = [self.control.hosts[name].link.attached for name in answered]
        if attached:
            await asyncio.wait(
                (self._stopping, asyncio.gather(*attached)), timeout=_FIRST_ROUND_S, return_when="FIRST_COMPLETED"
            )

    async def _end(self, whole_service: bool) -> None:
        self._notify.tell(STOPPING=1)
        LOG.info("stopping %s", "the service: calls are cleared" if whole_service else "alone: hosts and calls stay")
        self.control.alarms.close()
        self.control.feed.put("daemon.stopping", data={"service": whole_service})
        if whole_service:
            await self._end_service()
        else:
            for process in self.hosts.values():
                process.stop()
        await self._published()
        self.control.ready = False
        for server in (self._control, self._view):
            if server is not None:
                server.close()
        for process in (*self.hosts.values(), *self.cards):
            process.close()
        self._sim.close()
        self.control.close()

    async def _end_service(self) -> None:
        self.control.following.ending = True
        for name, process in self.hosts.items():
            process.stop()
            link = self.control.hosts[name].link
            if link.up:
                link.tell("Stop", StopRequest())
            else:  # it is starting, perhaps
                process.kill(signal.SIGTERM)
        await self._gone(list(self.hosts.values()))
        for process in self.cards:
            process.stop()
            process.kill(signal.SIGTERM)
        await self._gone(self.cards)

    async def _gone(self, processes: Sequence[Process]) -> None:
        """The processes have ended: by themselves, told by SIGTERM, or killed."""
        for patience, number in ((_END_S, signal.SIGTERM), (_KILL_S, signal.SIGKILL), (_KILL_S, signal.SIGKILL)):
            alive = [process for process in processes if process.pid]
            if alive:
                await asyncio.wait([process.gone for process in alive], timeout=patience)
            for process in alive:
                if process.pid:
                    LOG.error("%s (pid %d) does not end: %s", process.name, process.pid, number.name)
                    process.kill(number)

    async def _published(self) -> None:
        done = self._loop.create_future()
        self.control.journal.when_idle(lambda: done.set_result(None))
        await asyncio.wait((done,), timeout=5.0)

    def _server(self, path: Path, view_only: bool) -> Server:
        # Anybody may connect: what they may do the kernel's word of who they are decides, and a refusal says why.
        return Server(
            self._loop, path, mode=0o666, authorize=self._authorize,
            on_connect=partial(self._connected, view_only), on_disconnect=self._disconnected,
        )  # fmt: skip

    def _exhausted(self) -> list[tuple[str, int]]:
        servers = [server for server in (self._control, self._view) if server is not None]
        return [(str(server.path), server.exhausted_ns) for server in servers if server.exhausted_ns]

    def _problem_of(self, host: str) -> str:
        return self.hosts[host].problem or self.control.hosts[host].problem

    def _authorize(self, peer: Peer, interface: Interface, method: Method) -> None:
        try:
            access.authorize(peer, interface, method)
        except RoleMissing as error:
            if self._audit is not None:
                self._audit.refused(peer.data, interface, method, error)
            raise

    def _serve_on(self, server: Server) -> None:
        handlers = self._state.handlers()
        handlers["org.dahdipy.Alarms"] = AlarmsApi(self.control).handlers()
        handlers["org.dahdipy.Channels"] = {
            **ChannelsApi(self.control, self._routes).handlers(),
            **LeasesApi(self.control, self._routes).handlers(),
            **MediaApi(self.control).handlers(),
        }
        handlers["org.dahdipy.Calls"] = CallsApi(self.control, Placing(self.control, self._routes)).handlers()
        handlers["org.dahdipy.Sim"] = self._sim.handlers()
        spans_api = handlers["org.dahdipy.Spans"]
        handlers["org.dahdipy.Spans"] = {**spans_api, **PerformanceApi(self.control).handlers()}
        administer = AdministerApi(self.control)
        by_subject: dict[str, Handler] = {
            "Spans": administer.span, "Channels": administer.channel, "Groups": administer.group,
            "Hosts": administer.host,
        }  # fmt: skip
        for noun, handler in by_subject.items():
            name = f"org.dahdipy.{noun}"
            handlers[name] = {**handlers[name], "Administer": handler}
        handlers["org.dahdipy.Spans"] = {**handlers["org.dahdipy.Spans"], "LiftHoldDown": administer.lift}
        for interface in _INTERFACES:
            known = dict(handlers[interface.name])
            for method in interface.methods:
                known.setdefault(method.name, _unsupported)
                known[method.name] = self.control.audit.watched(method, known[method.name])
            server.register(interface, known)

    def _connected(self, view_only: bool, peer: Peer) -> None:
        policy = self.control.policy
        roles = policy.roles(peer.uid, peer.groups)
        if view_only:
            roles &= {VIEW}
        number = -peer.id if view_only else peer.id
        trusted = policy.may_hold_kernel_media(peer.uid)
        peer.data = Client(number, peer.pid, peer.uid, roles, trusted, view_only, peer.groups)
        self.control.clients[number] = peer.data

    def _disconnected(self, peer: Peer) -> None:
        # While the daemon itself ends its clients lose nothing: their leases wait for the next one.
        if self.control.ready and peer.data is not None:
            self.control.owners.client_gone(peer.data)

    def _host_process(self, name: str, command: Callable[[Sequence[str]], list[str]], conf: Config) -> Process:
        ours = conf.service.supervisor == "daemon"
        return Process(
            self._loop, f"line host {name}", command(["line-host", name]) if ours else None,
            self._run_at / "hosts" / f"{name}.log", self.control.hosts[name].link.connect,
            partial(self._host_exited, name),
        )  # fmt: skip

    def _host_exited(self, name: str) -> None:
        self.control.following.host_died(name, self.hosts[name].problem)

    def _card_process(self, name: str, command: Callable[[Sequence[str]], list[str]], conf: Config) -> Process:
        path = _card_socket(self._run_at, conf, name)
        process = Process(
            self._loop, f"sim card {name}",
            command(["sim-card", name]) if conf.service.supervisor == "daemon" else None,
            self._run_at / "cards" / f"{name}.log", lambda: self._watch_card(path, process), lambda: None,
        )  # fmt: skip
        return process

    def _watch_card(self, path: Path, process: Process) -> int | None:
        """The pid of the card that answers; its end is seen on the connection that is kept."""
        try:
            sock, pid = connect(path)
        except Unreachable:
            return None

        def ended() -> None:
            self._loop.remove_reader(sock.fileno())
            sock.close()
            process.lost("its socket has closed")

        def read() -> None:
            try:
                if sock.recv(4096, socket.MSG_DONTWAIT):
                    return
            except BlockingIOError:
                return
            except OSError:
                pass
            ended()

        self._loop.add_reader(sock.fileno(), read)
        return pid

    def _begin_watchdog(self) -> None:
        if self._notify.watchdog_s:
            self._notify.tell(WATCHDOG=1)
            self._loop.call_later(self._notify.watchdog_s / 2, self._begin_watchdog)

    def _tidy(self) -> None:
        for process in (*self.hosts.values(), *self.cards):
            process.bound_log()
        heap.give_back()
        self._loop.call_later(_TIDY_S, self._tidy)


def _card_socket(run_at: Path, conf: Config, name: str) -> Path:
    several = sum(card.kind == "sim" for card in conf.cards) > 1
    return places.card_socket(run_at, name if several else "")


def _unsupported(request: object, wants: object) -> None:
    raise Unsupported("the daemon cannot do this yet")
