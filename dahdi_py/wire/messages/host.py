# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Host`: what the control daemon asks of a line host, and what the host tells it.

Internal; protocol N and N-1 work together. A host obeys one controller, the one with the highest epoch: a lower one's
commands are refused with `AccessError`. Two connections: commands on one, `Monitor` on the other, so an event may
arrive before the reply that names its id.
"""

from __future__ import annotations

from dahdi_py.wire.interface import Empty, Interface, Method, Record, Request
from dahdi_py.wire.messages.common import Bearer, CursorRequest, Media, MediaRequest, Owner, Party
from dahdi_py.wire.messages.host_state import (
    Attempted,
    CallState,
    ChannelState,
    Digits,
    Ended,
    HangupSeen,
    HostEvent,
    LeaseEnded,
    Moved,
    Offered,
    Progressed,
    Snapshot,
    SpanState,
)

__all__ = [
    "INTERFACE",
    "PROTOCOL",
    "AssignRequest",
    "AttachReply",
    "AttachRequest",
    "Attempted",
    "CallRequest",
    "CallState",
    "ChannelState",
    "ClaimReply",
    "ClaimRequest",
    "CommitRequest",
    "Digits",
    "DigitsRequest",
    "DrainRequest",
    "Ended",
    "HangupRequest",
    "HangupSeen",
    "HostEvent",
    "LeaseEnded",
    "MonitorReply",
    "MonitorRequest",
    "Moved",
    "Offered",
    "OpenReply",
    "OpenRequest",
    "OwnerRequest",
    "PlaceReply",
    "PlaceRequest",
    "Progressed",
    "ReadyRequest",
    "ReleaseRequest",
    "ReserveReply",
    "ReserveRequest",
    "Snapshot",
    "SpanState",
    "StopRequest",
    "TokenRequest",
]

PROTOCOL = 1


class OwnerRequest(Owner, forbid_unknown_fields=True):
    """An owner as the daemon gives it."""


class AttachRequest(Request):
    """The daemon takes control with its epoch; lower epochs are refused from now on."""

    epoch: int
    protocol: int
    version: str


class AttachReply(Record):
    """Who the host is, and its state."""

    host: str
    protocol: int
    version: str
    pid: int
    started_ns: int
    draining: bool
    snapshot: Snapshot


class MonitorRequest(Request):
    """Events after `after` (everything still in the outbox when None), then as they happen."""

    epoch: int
    after: CursorRequest | None = None


class MonitorReply(Record):
    """A batch of events in order; `start` is the host start they belong to."""

    start: int
    events: list[HostEvent]


class CommitRequest(Request):
    """Everything up to `n` of that start is durable: the outbox forgets it."""

    start: int
    n: int


class ReadyRequest(Request):
    """The daemon serves again: held SETUPs are offered, orphans may be reclaimed."""


class ReserveRequest(Request):
    """Reserve one channel: the first free one of `spans` in `order`, or the very `timeslot` of the only span.

    Attributes:
        order: ascending, descending, round_robin_up, round_robin_down; empty for the side's default
            (network ascending, cpe descending, so that the two ends meet last).
        open: Send the descriptor with the reply.
    """

    spans: list[str]
    owner: OwnerRequest
    order: str = ""
    timeslot: int = 0
    exclusive: bool = False
    open: bool = True
    media: MediaRequest | None = None


class ReserveReply(Record, omit_defaults=True):
    """The lease, and with `open` one descriptor (index 0)."""

    token: str
    span: str
    timeslot: int
    media: Media | None = None
    fd: int | None = None


class TokenRequest(Request):
    """Names a lease."""

    token: str


class ReleaseRequest(Request):
    """The lease ends (its call is cleared with `cause` first)."""

    token: str
    cause: int = 16
    cleared_by: str = "core"
    reason: str = ""


class OpenRequest(Request):
    """Another copy of the leased channel's descriptor, set as asked."""

    token: str
    media: MediaRequest | None = None


class OpenReply(Record):
    """What the descriptor (index 0) is."""

    span: str
    timeslot: int
    media: Media
    fd: int = 0


class AssignRequest(Request):
    """The lease belongs to this owner now; `orphaned` when its client is gone and may come back."""

    token: str
    owner: OwnerRequest
    orphaned: bool = False


class PlaceRequest(Request):
    """Hunt, reserve and send SETUP in one; with `token` on that lease, exclusively.

    Attributes:
        answer_timeout_s: Clear with cause 19 when not answered by then; 0 for the host's T301 (180 s).
        hangup_after_s: The call is detached: it is cleared (cause 16) so many seconds after this request, and its lease
            is neither orphaned by the loss of the daemon nor cleared for want of a reclaim; 0 for an ordinary call.
    """

    call: str
    owner: OwnerRequest
    called: Party
    spans: list[str] = []
    order: str = ""
    token: str = ""
    calling: Party | None = None
    redirecting: Party | None = None
    bearer: Bearer | None = None
    sending_complete: bool = True
    exclusive: bool = False
    user_user: str = ""
    keypad: str = ""
    correlation: str = ""
    answer_timeout_s: int = 0
    hangup_after_s: int = 0
    attempt: int = 1


class PlaceReply(Record):
    """Where the SETUP went."""

    token: str
    span: str
    timeslot: int


class ClaimRequest(Request):
    """The core takes the offered call; CALL PROCEEDING goes out."""

    call: str
    owner: OwnerRequest


class ClaimReply(Record):
    """The claimed call's lease."""

    token: str
    span: str
    timeslot: int


class CallRequest(Request):
    """Names a call; `in_band` says that audio (ringback, an announcement) is in the channel now."""

    call: str
    in_band: bool = False
    cause: int = 0


class HangupRequest(Request):
    """Clear the call, or refuse it when it was only offered. Cause by Q.850, who and why for the record."""

    call: str
    cause: int = 16
    cleared_by: str = "core"
    reason: str = ""


class DigitsRequest(Request):
    """Digits to send: `overlap` as INFORMATION called-party digits, `keypad` as keypad facility."""

    call: str
    digits: str
    how: str = "overlap"


class DrainRequest(Request):
    """New calls are refused; `on` False takes it back."""

    on: bool = True


class StopRequest(Request):
    """Clear every call with `cause`, then end the process."""

    cause: int = 41
    reason: str = "service stopped"


INTERFACE = Interface(
    "org.dahdipy.Host",
    "What the control daemon asks of a line host. Internal.",
    (
        Method("Attach", AttachRequest, AttachReply, role="operate", doc="Take control; returns the snapshot."),
        Method("Monitor", MonitorRequest, MonitorReply, role="operate", stream=True, doc="Events, from the outbox on."),
        Method("Commit", CommitRequest, Empty, role="operate", doc="Events up to n are durable."),
        Method("Ready", ReadyRequest, Empty, role="operate", doc="The daemon serves: offers may flow."),
        Method("Reserve", ReserveRequest, ReserveReply, role="operate", fds=True, doc="Lease a channel."),
        Method("Open", OpenRequest, OpenReply, role="operate", fds=True, doc="A leased channel's descriptor."),
        Method("Release", ReleaseRequest, Empty, role="operate", doc="End a lease."),
        Method("Assign", AssignRequest, Empty, role="operate", doc="Change a lease's owner."),
        Method("Place", PlaceRequest, PlaceReply, role="operate", doc="Send SETUP."),
        Method("Claim", ClaimRequest, ClaimReply, role="operate", doc="Take an offered call."),
        Method("Alert", CallRequest, Empty, role="operate", doc="Send ALERTING."),
        Method("Progress", CallRequest, Empty, role="operate", doc="Send PROGRESS."),
        Method("Answer", CallRequest, Empty, role="operate", doc="Send CONNECT."),
        Method("Hangup", HangupRequest, Empty, role="operate", doc="Clear a call."),
        Method("SendDigits", DigitsRequest, Empty, role="operate", doc="Send digits in a message."),
        Method("Drain", DrainRequest, Empty, role="operate", doc="Refuse new calls."),
        Method("Stop", StopRequest, Empty, role="operate", doc="Clear every call and end."),
    ),
)
