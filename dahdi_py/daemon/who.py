# SPDX-License-Identifier: GPL-2.0-or-later
"""Users and groups as a configuration names them."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Iterable
from dataclasses import dataclass

from dahdi_py.daemon.clients import Client
from dahdi_py.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Who:
    """Some users: by uid, by a group they are in, or everybody.

    Synchronization: immutable; any thread.
    """

    uids: frozenset[int]
    gids: frozenset[int]
    everybody: bool = False

    @classmethod
    def parse(cls, names: Iterable[int | str], where: str) -> Who:
        """Those the names mean: uids, user names, `@group` names, `*`.

        Raises:
            ConfigError: A user or group does not exist here.
        """
        names = list(names)
        people = [name for name in names if name != "*"]
        return cls(
            frozenset(uid_of(name, where) for name in people if not is_group(name)),
            frozenset(gid_of(str(name), where) for name in people if is_group(name)),
            "*" in names,
        )

    def includes(self, client: Client) -> bool:
        """Whether the client's user is one of them."""
        return self.everybody or self.means(client)

    def means(self, client: Client) -> bool:
        """Whether the client's user is one of them by name, `*` apart."""
        return client.uid in self.uids or not self.gids.isdisjoint(client.gids)


def is_group(name: int | str) -> bool:
    """Whether the name is a group's."""
    return isinstance(name, str) and name.startswith("@")


def uid_of(name: int | str, where: str) -> int:
    """The uid of that user name or number.

    Raises:
        ConfigError: There is no such user here.
    """
    if isinstance(name, int) or name.isdecimal():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise ConfigError(f"{where}: there is no user {name!r} here; groups are written @NAME", where=where) from None


def gid_of(name: str, where: str) -> int:
    """The gid of that `@group` name or number.

    Raises:
        ConfigError: There is no such group here.
    """
    if name[1:].isdecimal():
        return int(name[1:])
    try:
        return grp.getgrnam(name[1:]).gr_gid
    except KeyError:
        raise ConfigError(f"{where}: there is no group {name[1:]!r} here", where=where) from None


def user_name(uid: int) -> str:
    """The user in words."""
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"
