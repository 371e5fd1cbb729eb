# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Groups`: trunk groups."""

from __future__ import annotations

from dahdi_py.wire.interface import Empty, Interface, Method, Record, Request


class Group(Record):
    """A trunk group: channels hunted together.

    Attributes:
        hunt: ascending, descending, round_robin_up, round_robin_down; empty: each side its own end.
        serving: Cores that take this group's incoming calls now.
    """

    name: str
    spans: list[str]
    hunt: str
    used: int
    usable: int
    total: int
    serving: int


class GroupList(Record):
    """Every configured group."""

    groups: list[Group]


class GroupName(Request):
    """A group by name."""

    group: str


class GroupReply(Record):
    """One group."""

    group: Group


INTERFACE = Interface(
    "org.dahdipy.Groups",
    "Trunk groups.",
    (
        Method("List", Empty, GroupList, doc="Every group and its capacity."),
        Method("Get", GroupName, GroupReply, doc="One group."),
    ),
)
