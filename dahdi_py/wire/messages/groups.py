# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Groups`: trunk groups."""

from __future__ import annotations

from dahdi_py.wire.interface import Empty, Interface, Method, Record, Request
from dahdi_py.wire.messages.common import AdministerReply


class Group(Record):
    """A trunk group: channels hunted together.

    Attributes:
        hunt: ascending, descending, round_robin_up, round_robin_down, least_recently_used, most_idle; empty: each side
            its own end.
        serving: Cores that take this group's incoming calls now.
        overflow: The group tried next when this one has nothing free; empty for none.
        reserve_last: Channels kept for emergency calls and clients with priority.
        leases: Channels leased through this group now; `max_channels` at most (None: no limit).
        administrative: unlocked, shutting_down, locked; by whom, why, since when (UTC, ns).
    """

    name: str
    spans: list[str]
    hunt: str
    used: int
    usable: int
    total: int
    serving: int
    overflow: str = ""
    reserve_last: int = 0
    leases: int = 0
    max_channels: int | None = None
    calls_per_minute: int | None = None
    administrative: str = "unlocked"
    who: str = ""
    why: str = ""
    since_ns: int = 0


class GroupList(Record):
    """Every configured group."""

    groups: list[Group]


class GroupName(Request):
    """A group by name."""

    group: str


class GroupReply(Record):
    """One group."""

    group: Group


class AdministerRequest(Request):
    """Drain, lock or unlock a group: its spans and channels stay as they are for other groups."""

    group: str
    state: str
    reason: str = ""
    force: bool = False


INTERFACE = Interface(
    "org.dahdipy.Groups",
    "Trunk groups.",
    (
        Method("List", Empty, GroupList, doc="Every group and its capacity."),
        Method("Get", GroupName, GroupReply, doc="One group."),
        Method("Administer", AdministerRequest, AdministerReply, role="operate", doc="Drain, lock or unlock one."),
    ),
)
