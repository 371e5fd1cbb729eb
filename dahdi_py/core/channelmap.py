# SPDX-License-Identifier: GPL-2.0-or-later
"""A span's timeslots at a glance: one character each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from dahdi_py.core.terms import Disabled, Phase


class Use(NamedTuple):
    """What a B-channel does.

    Attributes:
        disabled: Why it takes nothing, its span's reason first; empty when it does.
        direction: Of the call on it, incoming or outgoing; empty without one.
    """

    disabled: str
    administrative: str
    phase: str
    busy: bool
    direction: str


def channel_map(last: int, dchannel: int, uses: Mapping[int, Use]) -> str:
    """One character a timeslot, as `wire.messages.spans.Span` says.

    Args:
        last: The last timeslot.
        dchannel: The D-channel's timeslot; 0 for none.
        uses: The B-channels by timeslot.
    """
    return "".join("D" if at == dchannel else _sign(uses.get(at)) for at in range(1, last + 1))


def _sign(use: Use | None) -> str:
    if use is None:
        return "-"
    if use.disabled == Disabled.QUARANTINE:
        return "q"
    if use.phase in (Phase.RELEASING, Phase.RESTARTING):
        return "r"
    if use.busy:
        return use.direction[:1] or "a"
    if use.administrative != "unlocked":
        return "m"
    return "x" if use.disabled else "."
