# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may do what: roles of a user on the control socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

VIEW, CORE, TECH, OPERATE = "view", "core", "tech", "operate"
ROLES = (VIEW, CORE, TECH, OPERATE)
"""Every role: look, carry calls, run diagnostics, change the service."""

_IMPLIED: Mapping[str, frozenset[str]] = {
    VIEW: frozenset({VIEW}),
    CORE: frozenset({VIEW, CORE}),
    TECH: frozenset({VIEW, TECH}),
    OPERATE: frozenset(ROLES),
}


def implied(role: str) -> frozenset[str]:
    """The roles that one who has this role has."""
    return _IMPLIED[role]


@dataclass(frozen=True, slots=True)
class Policy:
    """Uids and gids by role, resolved from names; `operate` implies every role, `core` and `tech` imply `view`.

    Attributes:
        users: Role to the uids that have it.
        groups: Role to the gids that have it.
        trusted: Uids that may hold kernel descriptors, beside root.

    Synchronization: immutable; any thread.
    """

    users: Mapping[str, frozenset[int]] = field(default_factory=dict)
    groups: Mapping[str, frozenset[int]] = field(default_factory=dict)
    trusted: frozenset[int] = frozenset()

    def roles(self, uid: int, gids: frozenset[int]) -> frozenset[str]:
        """Every role the user has, its implied ones included; empty for a stranger."""
        found: frozenset[str] = frozenset()
        for role in ROLES:
            if uid in self.users.get(role, ()) or not gids.isdisjoint(self.groups.get(role, ())):
                found |= _IMPLIED[role]
        return found

    def may_hold_kernel_media(self, uid: int) -> bool:
        """Whether the user may hold a descriptor of the kernel's, by which other channels could be changed."""
        return uid == 0 or uid in self.trusted
