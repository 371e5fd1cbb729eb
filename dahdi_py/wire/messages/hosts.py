# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Hosts`: the line hosts and their state."""

from __future__ import annotations

from dahdi_py.wire.interface import Empty, Interface, Method, Record, Request
from dahdi_py.wire.messages.common import AdministerReply


class Host(Record):
    """A line host as the daemon sees it.

    Attributes:
        state: up, starting, down, draining.
        version: The code it runs; `installed` the code on disk.
        problem: Why it is down, or that it does not answer, in words; empty when it is well.
    """

    name: str
    state: str
    pid: int
    version: str
    installed: str
    protocol: int
    start: int
    started_ns: int
    spans: list[str]
    calls: int
    leases: int
    restarts: int
    problem: str = ""


class HostList(Record):
    """Every configured host."""

    hosts: list[Host]


class DrainRequest(Request):
    """The host takes no new calls (`on`), or takes them again."""

    host: str
    on: bool = True


class AdministerRequest(Request):
    """Drain, lock or unlock every span of a host."""

    host: str
    state: str
    reason: str = ""
    force: bool = False


INTERFACE = Interface(
    "org.dahdipy.Hosts",
    "The line hosts.",
    (
        Method("List", Empty, HostList, doc="Every line host."),
        Method("Administer", AdministerRequest, AdministerReply, role="operate", doc="Drain, lock or unlock one."),
        Method("Drain", DrainRequest, Empty, role="operate", doc="Take no new calls, or take them again."),
    ),
)
