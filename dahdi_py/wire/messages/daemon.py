# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Daemon`: the control daemon itself."""

from __future__ import annotations

from dahdi_py.wire.interface import Empty, Interface, Method, Record, Request


class Status(Record):
    """What the daemon is and whether all is well.

    Attributes:
        service: Name of the service, such as `embedded`.
        verdict: ok, degraded, down; `problems` says why in words, worst first.
        roles: What the asking connection may do.
        journal: Records and events are written to disk.
    """

    service: str
    version: str
    protocol: int
    pid: int
    epoch: int
    started_ns: int
    ready: bool
    socket: str
    config: str
    state_directory: str
    verdict: str
    problems: list[str]
    spans_up: int
    spans: int
    channels_used: int
    channels_usable: int
    channels: int
    calls: int
    clients: int
    journal: bool
    roles: list[str]


class StopRequest(Request):
    """Stop the daemon alone (hosts and calls stay), or with `service` clear calls and end hosts and cards too."""

    service: bool = False


INTERFACE = Interface(
    "org.dahdipy.Daemon",
    "The control daemon itself.",
    (
        Method("Status", Empty, Status, doc="The verdict at a glance."),
        Method("Stop", StopRequest, Empty, role="operate", doc="Stop the daemon, or the whole service."),
    ),
)
