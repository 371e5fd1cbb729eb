# SPDX-License-Identifier: GPL-2.0-or-later
"""Q.931's message types and progress descriptions, as far as this service speaks of them."""

from __future__ import annotations

from collections.abc import Iterable

# Source: Q.931 table 4-2.
_MESSAGES = {
    0x01: "ALERTING",
    0x02: "CALL PROCEEDING",
    0x03: "PROGRESS",
    0x05: "SETUP",
    0x07: "CONNECT",
    0x0D: "SETUP ACKNOWLEDGE",
    0x0F: "CONNECT ACKNOWLEDGE",
    0x20: "USER INFORMATION",
    0x21: "SUSPEND REJECT",
    0x22: "RESUME REJECT",
    0x25: "SUSPEND",
    0x26: "RESUME",
    0x2D: "SUSPEND ACKNOWLEDGE",
    0x2E: "RESUME ACKNOWLEDGE",
    0x45: "DISCONNECT",
    0x46: "RESTART",
    0x4D: "RELEASE",
    0x4E: "RESTART ACKNOWLEDGE",
    0x5A: "RELEASE COMPLETE",
    0x60: "SEGMENT",
    0x62: "FACILITY",
    0x6E: "NOTIFY",
    0x75: "STATUS ENQUIRY",
    0x79: "CONGESTION CONTROL",
    0x7B: "INFORMATION",
    0x7D: "STATUS",
}

RELEASE = 0x4D
RELEASE_COMPLETE = 0x5A

# Source: Q.931 4.5.23: 1 not end-to-end ISDN (further information may be in-band), 8 in-band information now available.
_IN_BAND = frozenset({1, 8})
IN_BAND_NOW = 8


def message_name(message_type: int) -> str:
    """The message type in Q.931's words; `unknown(0xNN)` for what it does not name."""
    return _MESSAGES.get(message_type) or f"unknown(0x{message_type:02X})"


def in_band(descriptions: Iterable[int]) -> bool:
    """Whether progress descriptions say that there is something to hear."""
    return not _IN_BAND.isdisjoint(descriptions)
