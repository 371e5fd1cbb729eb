# SPDX-License-Identifier: GPL-2.0-or-later
"""Causes and locations of Q.850 in words; what a peer invents stays printable."""

from __future__ import annotations

# Source: Q.850 table 1.
_CAUSES = {
    1: "unallocated number",
    2: "no route to specified transit network",
    3: "no route to destination",
    4: "send special information tone",
    5: "misdialled trunk prefix",
    6: "channel unacceptable",
    7: "call awarded and being delivered in an established channel",
    8: "preemption",
    9: "preemption, circuit reserved for reuse",
    14: "query on release: ported number",
    16: "normal call clearing",
    17: "user busy",
    18: "no user responding",
    19: "no answer from user (user alerted)",
    20: "subscriber absent",
    21: "call rejected",
    22: "number changed",
    23: "redirection to new destination",
    24: "call rejected due to feature at the destination",
    25: "exchange routing error",
    26: "non-selected user clearing",
    27: "destination out of order",
    28: "invalid number format (address incomplete)",
    29: "facility rejected",
    30: "response to STATUS ENQUIRY",
    31: "normal, unspecified",
    34: "no circuit/channel available",
    38: "network out of order",
    39: "permanent frame mode connection out of service",
    40: "permanent frame mode connection operational",
    41: "temporary failure",
    42: "switching equipment congestion",
    43: "access information discarded",
    44: "requested circuit/channel not available",
    46: "precedence call blocked",
    47: "resource unavailable, unspecified",
    49: "quality of service not available",
    50: "requested facility not subscribed",
    53: "outgoing calls barred within closed user group",
    55: "incoming calls barred within closed user group",
    57: "bearer capability not authorized",
    58: "bearer capability not presently available",
    62: "inconsistency in designated outgoing access information and subscriber class",
    63: "service or option not available, unspecified",
    65: "bearer capability not implemented",
    66: "channel type not implemented",
    69: "requested facility not implemented",
    70: "only restricted digital information bearer capability is available",
    79: "service or option not implemented, unspecified",
    81: "invalid call reference value",
    82: "identified channel does not exist",
    83: "a suspended call exists, but this call identity does not",
    84: "call identity in use",
    85: "no call suspended",
    86: "call having the requested call identity has been cleared",
    87: "user not member of closed user group",
    88: "incompatible destination",
    90: "non-existent closed user group",
    91: "invalid transit network selection",
    95: "invalid message, unspecified",
    96: "mandatory information element is missing",
    97: "message type non-existent or not implemented",
    98: "message not compatible with call state or message type non-existent",
    99: "information element/parameter non-existent or not implemented",
    100: "invalid information element contents",
    101: "message not compatible with call state",
    102: "recovery on timer expiry",
    103: "parameter non-existent or not implemented, passed on",
    110: "message with unrecognized parameter, discarded",
    111: "protocol error, unspecified",
    127: "interworking, unspecified",
}

# Source: Q.850 2.2.3.
_LOCATIONS = {
    0: "user",
    1: "private_local",
    2: "public_local",
    3: "transit",
    4: "public_remote",
    5: "private_remote",
    7: "international",
    10: "beyond_interworking",
}

NORMAL_CLEARING = 16
PREEMPTION = 8
NO_ANSWER = 19
DESTINATION_OUT_OF_ORDER = 27
NORMAL_UNSPECIFIED = 31
NO_CHANNEL = 34
TEMPORARY_FAILURE = 41
CHANNEL_NOT_AVAILABLE = 44
CHANNEL_UNACCEPTABLE = 6
CHANNEL_DOES_NOT_EXIST = 82
TIMER_EXPIRY = 102

RETRY_ELSEWHERE = frozenset({NO_CHANNEL, CHANNEL_NOT_AVAILABLE})
"""The far end could not use the channel we asked for; another may do."""


def cause_name(value: int) -> str:
    """The cause in words; `unknown(n)` for values Q.850 does not name, empty for 0 (none was given)."""
    if value == 0:
        return ""
    return _CAUSES.get(value) or f"unknown({value})"


def location_name(value: int | None) -> str:
    """Who set the cause, as one word; `unknown(n)` for values Q.850 does not name, empty for None."""
    if value is None:
        return ""
    return _LOCATIONS.get(value) or f"unknown({value})"
