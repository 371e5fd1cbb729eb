# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Host`: what the control daemon asks of a line host, and what the host tells it.

Internal; protocol N and N-1 work together. A host obeys one controller, the one with the highest epoch: a lower one's
commands are refused with `AccessError`. Two connections: commands on one, `Monitor` on the other, so an event may
arrive before the reply that names its id.
"""

from __future__ import annotations

from dahdi_py.wire.interface import Empty, Interface, Method, Record, Request
from dahdi_py.wire.messages.common import Bearer, CursorRequest, Party
from dahdi_py.wire.messages.host_leases import (
    AdministerReply,
    AdministerRequest,
    AssignRequest,
    BridgeReply,
    BridgeRequest,
    CountersReply,
    OpenReply,
    OpenRequest,
    OwnerRequest,
    ReleaseRequest,
    RenewRequest,
    ReserveReply,
    ReserveRequest,
    ReserveSpanReply,
    ReserveSpanRequest,
    TokenRequest,
    UnclaimRequest,
)
from dahdi_py.wire.messages.host_state import (
    Attempted,
    BridgeEnded,
    BridgeJoined,
    CallState,
    ChannelState,
    ClockSeen,
    Digits,
    Ended,
    HangupSeen,
    HostEvent,
    LeaseEnded,
    Moved,
    Offered,
    Preempted,
    Progressed,
    SecondsSeen,
    Snapshot,
    SpanState,
)

__all__ = [
    "INTERFACE",
    "PROTOCOL",
    "AdministerReply",
    "AdministerRequest",
    "AssignRequest",
    "AttachReply",
    "AttachRequest",
    "Attempted",
    "BridgeEnded",
    "BridgeJoined",
    "BridgeReply",
    "BridgeRequest",
    "CallRequest",
    "CallState",
    "ChannelState",
    "ClaimReply",
    "ClaimRequest",
    "ClockSeen",
    "CommitRequest",
    "CountersReply",
    "Digits",
    "DigitsRequest",
    "DrainRequest",
    "Ended",
    "HangupRequest",
    "HangupSeen",
    "HostEvent",
    "LeaseEnded",
    "LiftRequest",
    "MonitorReply",
    "MonitorRequest",
    "Moved",
    "Offered",
    "OpenReply",
    "OpenRequest",
    "OwnerRequest",
    "PlaceReply",
    "PlaceRequest",
    "Preempted",
    "Progressed",
    "ReadyRequest",
    "ReleaseRequest",
    "RenewRequest",
    "ReserveReply",
    "ReserveRequest",
    "ReserveSpanReply",
    "ReserveSpanRequest",
    "SecondsSeen",
    "Snapshot",
    "SpanState",
    "StopRequest",
    "TokenRequest",
    "UnclaimRequest",
]

PROTOCOL = 2
"""Of these messages. A daemon and a host one apart work together: what a host of protocol 1 cannot do is refused."""


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
    """Everything up to `n` of that start has come; durable, the outbox forgets it.

    Attributes:
        durable: Not while the daemon's disk refuses: the outbox tells what is next, and keeps all for another daemon.
    """

    start: int
    n: int
    durable: bool = True


class ReadyRequest(Request):
    """The daemon serves again: held SETUPs are offered, orphans may be reclaimed.

    Attributes:
        reclaim_s: Orphaned leases that nobody has reclaimed by then are ended by the host; 0: the daemon sees to it.
    """

    reclaim_s: float = 0.0


class PlaceRequest(Request):
    """Hunt, reserve and send SETUP in one; with `token` on that lease, exclusively.

    Attributes:
        answer_timeout_s: Clear with cause 19 when not answered by then; 0 for the host's T301 (180 s).
        hangup_after_s: The call is detached: it is cleared (cause 16) so many seconds after this request, and its lease
            is neither orphaned by the loss of the daemon nor cleared for want of a reclaim; 0 for an ordinary call.
        masks, spare, group: As with `Reserve`.
        emergency: It passes drains and hold-down, and is never pre-empted.
        preempt: When nothing is free, a call that is no emergency is cleared for it (cause 8), the youngest first;
            SETUP goes out when the far end has released that channel, and `call.attempt` then says the token.
        attempt: The number of the first SETUP: those before went out on another host.
        elsewhere: The daemon has other routes: a call that finds no channel here does not end, `call.unplaced` tells.
            Spans on which the far end has no circuit (cause 34) are left at once then, unless it is `thorough`.
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
    masks: list[int] = []
    spare: int = 0
    group: str = ""
    emergency: bool = False
    preempt: bool = False
    elsewhere: bool = False
    thorough: bool = False


class PlaceReply(Record):
    """Where the SETUP went; without a token it waits for a channel that is being pre-empted."""

    token: str
    span: str
    timeslot: int


class ClaimRequest(Request):
    """The core takes the offered call; CALL PROCEEDING goes out.

    Attributes:
        group: The trunk group that it is taken as a call of.
    """

    call: str
    owner: OwnerRequest
    group: str = ""


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
    """Digits to send: `overlap` as INFORMATION called-party digits, `keypad` as keypad facility.

    Attributes:
        emergency: With these the number is an emergency one, and the call an emergency call from now on.
    """

    call: str
    digits: str
    how: str = "overlap"
    emergency: bool = False


class LiftRequest(Request):
    """The span's hold-down ends now; its past is forgotten."""

    span: str


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
        Method("Commit", CommitRequest, Empty, role="operate", doc="Events up to n are durable, or have come."),
        Method("Ready", ReadyRequest, Empty, role="operate", doc="The daemon serves: offers may flow."),
        Method("Reserve", ReserveRequest, ReserveReply, role="operate", fds=True, doc="Lease a channel."),
        Method(
            "ReserveSpan", ReserveSpanRequest, ReserveSpanReply, role="operate", fds=True, doc="Lease a whole span."
        ),
        Method("Renew", RenewRequest, Empty, role="operate", doc="Change a detached lease's end."),
        Method("Counters", TokenRequest, CountersReply, role="operate", doc="A leased channel's audio counters."),
        Method("Bridge", BridgeRequest, BridgeReply, role="operate", doc="Join two channels' audio, or part them."),
        Method("Administer", AdministerRequest, AdministerReply, role="operate", doc="Lock channels, or unlock them."),
        Method("Unclaim", UnclaimRequest, Empty, role="operate", doc="A claimed call is an offer again."),
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
        Method("LiftHoldDown", LiftRequest, SpanState, role="operate", doc="End a span's hold-down."),
        Method("Drain", DrainRequest, Empty, role="operate", doc="Refuse new calls."),
        Method("Stop", StopRequest, Empty, role="operate", doc="Clear every call and end."),
    ),
)
