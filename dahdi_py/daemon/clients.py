# SPDX-License-Identifier: GPL-2.0-or-later
"""The connections that use the service, and what belongs to each."""

from __future__ import annotations

from dataclasses import dataclass, field

from dahdi_py.core.access import OPERATE
from dahdi_py.wire.messages.common import Owner
from dahdi_py.wire.messages.host import OwnerRequest


@dataclass(slots=True, eq=False)
class Client:
    """A connection of the control socket.

    Attributes:
        number: Of the connection; never used again.
        roles: What it may do.
        trusted: It may hold kernel descriptors.
        gids: Groups its process is in.
        view_only: It came by the socket that only shows.
        gone: It has closed; what is still on its way to it must be undone.
        tokens: Leases that end with it.
        calls: Calls that are cleared with it.
    """

    number: int
    pid: int
    uid: int
    roles: frozenset[str]
    trusted: bool
    view_only: bool = False
    gids: frozenset[int] = frozenset()
    gone: bool = False
    tokens: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    _unnamed: OwnerRequest | None = None

    def may_use(self, owner: Owner | OwnerRequest) -> bool:
        """Whether a token of that owner's is good in this client's hands: of the same user's, or an operator's.

        Tokens can be guessed and are shown to everybody who may look; they tell apart a user's leases, not users.
        """
        return owner.uid == self.uid or OPERATE in self.roles

    def owner(self, label: str = "") -> OwnerRequest:
        """The client as the owner of a lease."""
        if label:
            return OwnerRequest(pid=self.pid, uid=self.uid, label=label)
        if self._unnamed is None:
            self._unnamed = OwnerRequest(pid=self.pid, uid=self.uid)
        return self._unnamed
