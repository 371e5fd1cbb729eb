# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Host`: what the control daemon asks of a line host, and what the host tells it.

Internal; protocol N and N-1 work together. A host obeys one controller, the one with the highest epoch: a lower one's
commands are refused with `AccessError`. Two connections: commands on one, `Monitor` on the other, so an event may
arrive before the reply that names its id.
"""

from __future__ import annotations

from typing import Any

from dahdi_py.wire.interface import Empty, Interface, Method, Record, Request
from dahdi_py.wire.messages.common import (
    Bearer,
    CursorRequest,
    Lease,
    Media,
    MediaRequest,
    Message,
    Owner,
    Party,
)

PROTOCOL = 1


class OwnerRequest(Owner, forbid_unknown_fields=True):
    """An owner as the daemon gives it."""


class HostEvent(Record, omit_defaults=True):
    """Something that happened in the host, kept in its outbox until committed.

    Kinds and their `data` (the Structs below): span.status SpanState · dchannel.up, dchannel.down {} ·
    call.offered Offered · call.proceeding, call.alerting, call.progress, call.answered Progressed · call.media {} ·
    call.moved Moved · call.digits Digits · call.attempt Attempted · call.hangup HangupSeen · call.ended Ended ·
    lease.moved Moved · lease.ended LeaseEnded · channel.state ChannelState · host.draining, host.drained {} ·
    outbox.lost {count}.
    """

    n: int
    utc_ns: int
    monotonic_ns: int
    kind: str
    span: str = ""
    timeslot: int = 0
    call: str = ""
    token: str = ""
    data: dict[str, Any] = {}


class ChannelState(Record, omit_defaults=True):
    """A B-channel's state in X.731 words; `disabled` empty means operational."""

    span: str
    timeslot: int
    administrative: str = "unlocked"
    disabled: str = ""
    phase: str = ""
    token: str = ""
    call: str = ""


class SpanState(Record):
    """A span as its host sees it now.

    Attributes:
        alarms: Alarm bits as received (core.terms.Alarms).
        words: The same as operators know them.
        dchannel: up, down, or none.
        since_ns: UTC of the last change of alarms or D-channel.
        counters: By name, None where the driver keeps none.
    """

    name: str
    number: int
    card: str
    port: str
    driver: str
    description: str
    type: str
    framing: str | None
    coding: str | None
    crc4: bool | None
    timing: int | None
    switch_type: str
    node: str
    law: str
    dchannel_timeslot: int
    alarms: int
    words: list[str]
    dchannel: str
    since_ns: int
    dchannel_since_ns: int
    counters: dict[str, int | None]
    sync_source: int | None = None
    kernel: bool = False


class CallState(Record):
    """A call as its host sees it now.

    Attributes:
        direction: incoming or outgoing.
        phase: offered, setup, proceeding, alerting, active, releasing.
        claimed: Incoming: a core has it.
        detached: It outlives its client; the host hangs it up in time.
    """

    call: str
    direction: str
    phase: str
    span: str
    timeslot: int
    token: str
    called: Party
    calling: Party
    bearer: Bearer
    started_ns: int
    claimed: bool = False
    answered_ns: int = 0
    attempt: int = 1
    correlation: str = ""
    media: bool = False
    orphaned: bool = False
    detached: bool = False
    owner: Owner = Owner()


class Offered(Record, omit_defaults=True):
    """An incoming SETUP, with everything it said."""

    called: Party
    calling: Party
    bearer: Bearer
    law: str
    bchannel: int
    exclusive: bool = False
    redirecting: Party | None = None
    sending_complete: bool = False
    progress: int = 0
    user_user: str = ""
    keypad: str = ""


class Progressed(Record, omit_defaults=True):
    """A step of a call: progress indicator and cause where the message carried them; `in_band` when audio is there."""

    in_band: bool = False
    progress: int = 0
    cause: int = 0
    connected: Party | None = None


class Moved(Record):
    """The lease is now on this channel."""

    span: str
    timeslot: int
    from_span: str
    from_timeslot: int


class Digits(Record):
    """Digits received: `overlap`, `keypad`."""

    digits: str
    how: str


class Attempted(Record):
    """An outgoing SETUP was sent: the record's row opens (attempt 1) or gains a part."""

    attempt: int
    called: Party
    calling: Party
    bearer: Bearer
    correlation: str = ""
    owner: Owner = Owner()


class HangupSeen(Record):
    """The far end is clearing; in-band tones may follow until the core hangs up."""

    cause: int
    location: str
    in_band: bool


class Ended(Record):
    """A call's record, whole: it stands as evidence.

    Attributes:
        cleared_by: peer, core, client_death, daemon_lost, host, line.
        reason: Why, in words, for whatever the cause value cannot say.
    """

    direction: str
    called: Party
    calling: Party
    bearer: Bearer
    span: str
    timeslot: int
    attempt: int
    cause: int
    location: str
    cleared_by: str
    reason: str
    started_ns: int
    alerting_ns: int
    answered_ns: int
    ended_ns: int
    duration_ns: int
    messages: list[Message]
    correlation: str = ""
    owner: Owner = Owner()


class LeaseEnded(Record):
    """A lease ended without its owner's Release."""

    reason: str


class Snapshot(Record):
    """Everything the host owns, at event `n` of start `start`."""

    start: int
    n: int
    spans: list[SpanState]
    channels: list[ChannelState]
    leases: list[Lease]
    calls: list[CallState]


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
