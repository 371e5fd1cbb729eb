# SPDX-License-Identifier: GPL-2.0-or-later
"""Who connects, what they may do, and what a refusal says."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterable

from dahdi_py.core import access
from dahdi_py.core.config import Access
from dahdi_py.daemon.clients import Client
from dahdi_py.errors import ConfigError, RoleMissing
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
        users[role] = frozenset(_uid(name, f"access.{role}") for name in names if not _is_group(name))
        groups[role] = frozenset(_gid(str(name), f"access.{role}") for name in names if _is_group(name))
    users[access.OPERATE] |= {0, os.geteuid()}
    groups[access.OPERATE] |= _operators()
    trusted = frozenset(_uid(name, "access.trusted_media") for name in conf.trusted_media)
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


def user_name(uid: int) -> str:
    """The user in words."""
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


def roles_in_order(roles: Iterable[str]) -> list[str]:
    """The roles, the least first."""
    return [role for role in access.ROLES if role in roles]


def _operators() -> set[int]:
    try:
        return {grp.getgrnam(OPERATORS).gr_gid}
    except KeyError:
        return set()


def _is_group(name: int | str) -> bool:
    return isinstance(name, str) and name.startswith("@")


def _uid(name: int | str, where: str) -> int:
    if isinstance(name, int) or name.isdecimal():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise ConfigError(f"{where}: there is no user {name!r} here; groups are written @NAME", where=where) from None


def _gid(name: str, where: str) -> int:
    if name[1:].isdecimal():
        return int(name[1:])
    try:
        return grp.getgrnam(name[1:]).gr_gid
    except KeyError:
        raise ConfigError(f"{where}: there is no group {name[1:]!r} here", where=where) from None
