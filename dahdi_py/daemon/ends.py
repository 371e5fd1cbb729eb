# SPDX-License-Identifier: GPL-2.0-or-later
"""Whose end has been told: a host that dies, perhaps twice, accounts for calls that others ended before."""

from __future__ import annotations

from collections.abc import Iterable

_LOST = 10_000
"""Calls remembered that died with their host: it may account for them in each of its starts, until RESTART is done."""
_ENDED = 1_000
"""Other calls remembered: a host that dies may not have taken the last ones out of its own journal."""


class Ends:
    """Remembers the calls that were told to have ended.

    Args:
        told: Those of the daemons before this one.

    Synchronization: external; only from the loop's thread.
    """

    def __init__(self, told: Iterable[str]) -> None:
        self._lost = dict.fromkeys(told)
        self._ended: dict[str, None] = {}

    def __contains__(self, call: str) -> bool:
        """Whether the call's end has been told."""
        return call in self._lost or call in self._ended

    def lost(self, call: str) -> None:
        """It was told that the call died with its host."""
        _remember(self._lost, call, _LOST)

    def ended(self, call: str) -> None:
        """It was told that the call ended."""
        _remember(self._ended, call, _ENDED)


def _remember(calls: dict[str, None], call: str, most: int) -> None:
    calls[call] = None
    while len(calls) > most:
        del calls[next(iter(calls))]
