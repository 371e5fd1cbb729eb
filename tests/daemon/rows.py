# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes of the ledger, as a host's events make them."""

from __future__ import annotations

from dahdi_py.daemon import ledger
from dahdi_py.wire.messages.common import Bearer, Message, Owner, Party
from dahdi_py.wire.messages.host import Ended


def opened(call: str = "c", at: int = 5) -> ledger.Opened:
    said = Message(name="SETUP", sent=True, utc_ns=at, monotonic_ns=1)
    return ledger.Opened(
        call, "outgoing", "a", 1, "east", 3, Party(number="2001"), Party(number="555"), Bearer(), at, Owner(pid=1),
        "mine", (said,),
    )  # fmt: skip


def ended(cause: int = 17, ended_ns: int = 50) -> Ended:
    return Ended(
        direction="outgoing", called=Party(number="2001"), calling=Party(number="555"), bearer=Bearer(), span="west",
        timeslot=4, attempt=2, cause=cause, location="user", cleared_by="peer", reason="", started_ns=5,
        alerting_ns=10, answered_ns=20, ended_ns=ended_ns, duration_ns=30, messages=[], correlation="mine",
    )  # fmt: skip
