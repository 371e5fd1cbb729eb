# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Spans`, `.Groups`, `.Events`, `.Hosts`, `.Daemon`: what is, and what happens."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata

from dahdi_py import __version__
from dahdi_py.daemon import views
from dahdi_py.daemon.api.access import roles_in_order
from dahdi_py.daemon.api.beside import answer_beside
from dahdi_py.daemon.checks import refuse_parameter
from dahdi_py.daemon.control import Control
from dahdi_py.daemon.following import HostState
from dahdi_py.daemon.link import SILENT
from dahdi_py.daemon.supervisor import Process
from dahdi_py.errors import DahdiPyError, NotFound
from dahdi_py.wire.dispatch import Handler
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import daemon, events, groups, host, hosts, spans
from dahdi_py.wire.messages.common import Cursor
from dahdi_py.wire.server import Request

_DONE = Empty()


class StateApi:
    """Answers what asks for the state of things.

    Args:
        processes: By host name, what supervises it.
        stop: Ends the daemon; with True the whole service.

    Synchronization: the loop's thread.
    """

    def __init__(
        self, control: Control, processes: Mapping[str, Process], socket: str, config: str,
        stop: Callable[[bool], None],
    ) -> None:  # fmt: skip
        self._control = control
        self._inventory = control.inventory
        self._processes = processes
        self._socket = socket
        self._config = config
        self._stop = stop

    def handlers(self) -> dict[str, Mapping[str, Handler]]:
        """By interface, then by method name."""
        return {
            "org.dahdipy.Spans": {"List": self.list_spans, "Get": self.get_span},
            "org.dahdipy.Groups": {"List": self.list_groups, "Get": self.get_group},
            "org.dahdipy.Events": {"Monitor": self._control.feed.follow, "Position": self.position},
            "org.dahdipy.Hosts": {"List": self.list_hosts, "Drain": self.drain},
            "org.dahdipy.Daemon": {"Status": self.status, "Audit": self.audit, "Stop": self.stop},
        }

    def list_spans(self, request: Request, wants: Empty) -> None:
        """Every span."""
        request.reply(spans.SpanList(spans=views.spans(self._inventory)))

    def get_span(self, request: Request, wants: spans.SpanName) -> None:
        """One span."""
        one = self._inventory.span(wants.span)
        request.reply(spans.SpanReply(span=views.span(self._inventory, one)))

    def list_groups(self, request: Request, wants: Empty) -> None:
        """Every group."""
        request.reply(groups.GroupList(groups=[self._group(group.name) for group in self._control.config.groups]))

    def get_group(self, request: Request, wants: groups.GroupName) -> None:
        """One group."""
        request.reply(groups.GroupReply(group=self._group(wants.group)))

    def _group(self, name: str) -> groups.Group:
        for conf in self._control.config.groups:
            if conf.name == name:
                serving = self._control.serving.offers.serving(name)
                return views.group(self._inventory, conf, serving, self._control.administration.of_group(name))
        known = ", ".join(group.name for group in self._control.config.groups) or "none is configured"
        raise NotFound(f"no group {name!r}; groups: {known}", kind="group", name=name)

    def _problem(self, state: HostState) -> str:
        if state.link.up:
            return SILENT if state.link.silent else ""
        return self._processes[state.link.name].problem or state.problem

    def position(self, request: Request, wants: Empty) -> None:
        """The newest event's cursor."""
        epoch, n = self._control.feed.position
        request.reply(events.MonitorReply(cursor=Cursor(epoch=epoch, n=n)))

    def list_hosts(self, request: Request, wants: Empty) -> None:
        """Every host."""
        request.reply(hosts.HostList(hosts=[self._host(state) for state in self._control.hosts.values()]))

    def _host(self, state: HostState) -> hosts.Host:
        link, process = state.link, self._processes[state.link.name]
        said = link.state
        down = "starting" if process.pid else "down"
        word = down if not link.up else "draining" if link.draining else "up"
        return hosts.Host(
            name=link.name, state=word, pid=said.pid if said else process.pid, version=said.version if said else "",
            installed=installed_version(), protocol=said.protocol if said else 0,
            start=said.snapshot.start if said else 0, started_ns=said.started_ns if said else 0,
            spans=[span.name for span in self._inventory.spans_of(link.name)],
            calls=len(self._inventory.calls_of(link.name)), leases=len(self._inventory.leases_of(link.name)),
            restarts=process.restarts, problem=self._problem(state),
        )  # fmt: skip

    def drain(self, request: Request, wants: hosts.DrainRequest) -> None:
        """The host takes no new calls, or takes them again."""
        state = self._control.hosts.get(wants.host)
        if state is None:
            known = ", ".join(self._control.hosts) or "none is configured"
            raise NotFound(f"no line host {wants.host!r}; hosts: {known}", kind="host", name=wants.host)
        link = self._control.require(state.link)

        def drained(reply: Empty | None, fds: Sequence[int], error: DahdiPyError | None) -> None:
            if error is not None:
                request.fail(error)
                return
            link.draining = wants.on
            request.reply(_DONE)

        link.call("org.dahdipy.Host.Drain", host.DrainRequest(on=wants.on), Empty, request.guard(drained))

    def status(self, request: Request, wants: Empty) -> None:
        """The verdict at a glance."""
        control = self._control
        roots = [one for one in control.alarms.standing() if not one.hidden_by]
        members = list(self._inventory.spans.values())
        up = sum(not one.disabled for one in members)
        well = not roots and up == len(members)
        verdict = "ok" if well else "degraded" if up else "down"
        request.reply(
            daemon.Status(
                service=control.config.service.name, version=__version__, protocol=host.PROTOCOL, pid=os.getpid(),
                epoch=control.epoch, started_ns=control.started_ns, ready=control.ready, socket=self._socket,
                config=self._config, state_directory=str(control.state_directory), verdict=verdict,
                problems=[one.condition.text for one in roots], spans_up=up, spans=len(members),
                channels_used=sum(one.used for one in members), channels_usable=sum(one.usable for one in members),
                channels=sum(len(one.channels) for one in members), calls=len(self._inventory.calls),
                clients=len(control.clients), journal=control.config.service.journal and not control.journal.problem,
                roles=roles_in_order(request.peer.data.roles),
            )
        )  # fmt: skip

    def audit(self, request: Request, wants: daemon.AuditRequest) -> None:
        """Who asked for what, read beside the loop."""
        if not 1 <= wants.limit <= 1000:
            raise refuse_parameter("limit", f"{wants.limit}; expected 1-1000")
        archive = self._control.archive
        if archive is None or not self._control.config.service.audit:
            raise NotFound("no audit is kept: service.journal or service.audit is off", kind="audit", name="")
        found = archive.audit(wants)
        answer_beside(self._control.loop, request, found, lambda entries: daemon.AuditReply(entries=entries))

    def stop(self, request: Request, wants: daemon.StopRequest) -> None:
        """The daemon ends, or the whole service."""
        request.reply(_DONE)
        self._stop(wants.service)


def installed_version() -> str:
    """The version of the code on disk, which may be newer than what runs."""
    try:
        return metadata.version("dahdi-py")
    except metadata.PackageNotFoundError:
        return __version__
