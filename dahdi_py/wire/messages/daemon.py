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


class AuditEntry(Record):
    """Who asked for what, and what came of it.

    Attributes:
        action: allocate, place, claim, release, hand_over, administer, force, preempt, stop, ...
        outcome: ok, or the wire name of the error that refused it.
        subject: The token, call, channel, span, group or host it was about.
    """

    utc_ns: int
    pid: int
    uid: int
    label: str
    action: str
    subject: str
    outcome: str
    reason: str = ""


class AuditRequest(Request):
    """Entries, newest first.

    Attributes:
        limit: At most so many, 1-1000.
        uid: Only this user's; -1 for all.
        action: Only this action; empty for all.
        refused: Only what was refused.
    """

    limit: int = 100
    uid: int = -1
    action: str = ""
    refused: bool = False


class AuditReply(Record):
    """Entries, newest first."""

    entries: list[AuditEntry]


INTERFACE = Interface(
    "org.dahdipy.Daemon",
    "The control daemon itself.",
    (
        Method("Status", Empty, Status, doc="The verdict at a glance."),
        Method("Audit", AuditRequest, AuditReply, role="operate", doc="Who asked for what, and what came of it."),
        Method("Stop", StopRequest, Empty, role="operate", doc="Stop the daemon, or the whole service."),
    ),
)
