# SPDX-License-Identifier: GPL-2.0-or-later
"""Who connects, what they may do, and what a refusal says."""

from __future__ import annotations

import grp
import os
from collections.abc import Iterable

from dahdi_py.core import access
from dahdi_py.core.config import Access
from dahdi_py.daemon.clients import Client
from dahdi_py.daemon.who import gid_of, is_group, uid_of, user_name
from dahdi_py.errors import RoleMissing
from dahdi_py.wire.interface import Interface, Method
from dahdi_py.wire.server import Peer

OPERATORS = "dahdi"
"""Members of this group operate."""


def policy(conf: Access) -> access.Policy:
    """The configured names as uids and gids; root, the service's own user and group `dahdi` operate.

    Raises:
        ConfigError: A user or group does not exist here.
    """
    users: dict[str, frozenset[int]] = {}
    groups: dict[str, frozenset[int]] = {}
    for role in access.ROLES:
        names: list[int | str] = getattr(conf, role)
        users[role] = frozenset(uid_of(name, f"access.{role}") for name in names if not is_group(name))
        groups[role] = frozenset(gid_of(str(name), f"access.{role}") for name in names if is_group(name))
    users[access.OPERATE] |= {0, os.geteuid()}
    groups[access.OPERATE] |= _operators()
    trusted = frozenset(uid_of(name, "access.trusted_media") for name in conf.trusted_media)
    return access.Policy(users, groups, trusted)


def authorize(peer: Peer, interface: Interface, method: Method) -> None:
    """The peer may call the method.

    Raises:
        RoleMissing: It may not; the message says which role it lacks and which setting gives it.
    """
    client: Client | None = peer.data
    if client is None or method.role in client.roles or interface.name == "org.varlink.service":
        return
    setting = f"access.{method.role}"
    has = ", ".join(sorted(client.roles)) or "none"
    raise RoleMissing(
        f"{interface.name}.{method.name} needs the role {method.role}; {user_name(client.uid)} has {has}: "
        f"name the user in {setting} of the configuration"
        + (", or use the control socket: this one only shows" if client.view_only else ""),
        role=method.role,
        setting=setting,
    )


def roles_in_order(roles: Iterable[str]) -> list[str]:
    """The roles, the least first."""
    return [role for role in access.ROLES if role in roles]


def _operators() -> set[int]:
    try:
        return {grp.getgrnam(OPERATORS).gr_gid}
    except KeyError:
        return set()
