# SPDX-License-Identifier: GPL-2.0-or-later
"""What a client owns, to be reclaimed after a lost connection."""

from __future__ import annotations

from dahdi_py.errors import NotFound, NotOwner, StaleToken
from dahdi_py.wire.messages.events import Event

GONE = (StaleToken, NotOwner, NotFound)
"""What a lease is answered with on being reclaimed when it is not ours any more; any other error may pass."""

_PLACES = frozenset(("call.moved", "call.attempt"))
_ENDS = frozenset(("call.ended", "channel.released"))


class Tokens:
    """Leases by token, each with its label and the call on it.

    A call that waits for a channel has no token yet: its attempt tells it. A lease is forgotten when it is released,
    its call hung up, or an event tells its end; what ended unseen is found stale when it is reclaimed, and forgotten
    then.

    Synchronization: none needed: each step on a table is one of the interpreter's own.
    """

    def __init__(self) -> None:
        self._labels: dict[str, str] = {}
        self._of_call: dict[str, str] = {}
        self._call_labels: dict[str, str] = {}

    def began(self, token: str, label: str, call: str = "") -> None:
        """The lease is ours."""
        if token:
            self._labels[token] = label
        if call:
            self._of_call[call] = token
            self._call_labels[call] = label

    def ended(self, token: str) -> None:
        """The lease is no more."""
        self._labels.pop(token, None)
        for call in [call for call, other in list(self._of_call.items()) if other == token]:
            self._of_call.pop(call, None)
            self._call_labels.pop(call, None)

    def call_ended(self, call: str) -> None:
        """The call, and the lease it was on, are no more."""
        self._call_labels.pop(call, None)
        if token := self._of_call.pop(call, ""):
            self._labels.pop(token, None)

    def happened(self, event: Event) -> None:
        """The event is taken into account."""
        if event.kind in _PLACES and event.call in self._of_call and event.token:
            self._labels.pop(self._of_call.get(event.call, ""), None)
            self.began(event.token, self._call_labels.get(event.call, ""), event.call)
        elif event.kind in _ENDS:
            self.call_ended(event.call)
            if event.token in self._labels:
                self.ended(event.token)

    def held(self) -> list[tuple[str, str]]:
        """Every lease that is ours, oldest first, with its label."""
        return list(self._labels.items())
