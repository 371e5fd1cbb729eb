# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls that went on without the host that was asked first: it may have them all the same, and tell of them late."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from dahdi_py.core.cause import NORMAL_CLEARING
from dahdi_py.wire.messages.host import HangupRequest, Snapshot

_MOST = 10_000
"""So many are remembered: a host that died may account for them in each of its starts, until RESTART is done."""


class Strays:
    """Remembers which host a call was taken from, because it died or did not answer.

    Synchronization: external; only from the loop's thread.
    """

    def __init__(self) -> None:
        self._taken: dict[tuple[str, str], None] = {}

    def __contains__(self, of: tuple[str, str]) -> bool:
        """Whether that call was taken from that host."""
        return of in self._taken

    def take(self, call: str, host: str) -> None:
        """What the host tells of the call concerns nobody from now on."""
        self._taken[call, host] = None
        while len(self._taken) > _MOST:
            del self._taken[next(iter(self._taken))]

    def give_back(self, call: str, host: str) -> None:
        """The call went nowhere else: what the host tells of it is its end."""
        self._taken.pop((call, host), None)


def without(snapshot: Snapshot, strays: Collection[str]) -> Snapshot:
    """The host's state but for these calls and their leases."""
    if not strays:
        return snapshot
    return msgspec.structs.replace(
        snapshot, calls=[call for call in snapshot.calls if call.call not in strays],
        leases=[lease for lease in snapshot.leases if lease.call not in strays],
    )  # fmt: skip


def clearing(call: str) -> HangupRequest:
    """What a host is told that may have such a call."""
    return HangupRequest(call=call, cause=NORMAL_CLEARING, cleared_by="host", reason="placed on another line host")
