# SPDX-License-Identifier: GPL-2.0-or-later
"""The connections that use the service, and what belongs to each."""

from __future__ import annotations

from dataclasses import dataclass, field

from dahdi_py.wire.messages.host import OwnerRequest


@dataclass(slots=True, eq=False)
class Client:
    """A connection of the control socket.

    Attributes:
        number: Of the connection; never used again.
        roles: What it may do.
        trusted: It may hold kernel descriptors.
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
    gone: bool = False
    tokens: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    _unnamed: OwnerRequest | None = None

    def owner(self, label: str = "") -> OwnerRequest:
        """The client as the owner of a lease."""
        if label:
            return OwnerRequest(pid=self.pid, uid=self.uid, label=label)
        if self._unnamed is None:
            self._unnamed = OwnerRequest(pid=self.pid, uid=self.uid)
        return self._unnamed
