# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Calls`: placing, serving, answering and clearing calls, and their records."""

from __future__ import annotations

from dahdi_py.wire.interface import Empty, Interface, Method, Record, Request
from dahdi_py.wire.messages.common import Bearer, BearerRequest, Cause, Message, Owner, Party, PartyRequest


class Call(Record):
    """A call that is up or being set up or cleared.

    Attributes:
        direction: incoming (from the line) or outgoing.
        phase: offered, setup, proceeding, alerting, active, releasing.
        media: The channel is agreed: its descriptor may be fetched by `Channels.Open`.
        emergency: It is never pre-empted nor cleared by force.
        group: The trunk group it was placed in.
    """

    call: str
    direction: str
    phase: str
    span: str
    span_number: int
    timeslot: int
    token: str
    called: Party
    calling: Party
    bearer: Bearer
    started_ns: int
    answered_ns: int
    attempt: int
    media: bool
    owner: Owner
    orphaned: bool = False
    correlation: str = ""
    emergency: bool = False
    group: str = ""


class CallList(Record):
    """Calls, oldest first."""

    calls: list[Call]


class CallName(Request):
    """A call by its id."""

    call: str


class CallReply(Record):
    """One call."""

    call: Call


class PlaceRequest(Request):
    """Place a call in a group, on a span (name or number), or on a lease by its token.

    Returns at once with the call's id; progress comes as events (call.proceeding, call.alerting, call.media,
    call.answered, call.ended). Without `token` the channel is preferred and the call is retried unseen on another
    after glare, cause 34 or 44; with it the channel is exclusive.

    Attributes:
        answer_timeout_s: Clear with cause 19 when not answered by then; 0 for 180 s.
        correlation: The core's own id, kept in the record; at most 128 characters.
        detach_s: The call outlives this connection and is hung up (cause 16) after so many seconds; 0: it does not.
        exclude: With a group: not on these spans (such as the one a call came in by).
        preempt: When nothing is free, clear a call that is no emergency for it; needs `calls.preemption` and the role
            operate (emergency numbers do so for every core).
    """

    called: PartyRequest
    group: str = ""
    span: str = ""
    token: str = ""
    calling: PartyRequest | None = None
    redirecting: PartyRequest | None = None
    bearer: BearerRequest | None = None
    sending_complete: bool = True
    exclusive: bool = False
    user_user: str = ""
    keypad: str = ""
    correlation: str = ""
    label: str = ""
    answer_timeout_s: int = 0
    detach_s: int = 0
    exclude: list[str] = []
    preempt: bool = False


class PlaceReply(Record):
    """The call's id, the same in events, log and record; where it goes first, and its lease.

    Without a token it waits for a channel that is being pre-empted; its `call.attempt` event then has the token.
    """

    call: str
    token: str
    span: str
    timeslot: int


class ServeRequest(Request):
    """This connection takes incoming calls of the groups (all when empty) whose called number fits.

    Attributes:
        numbers: Patterns: digits, `X` any digit, `2001-2009` a range, trailing `.` any rest; empty for every number.
        priority: Lower is offered first.
        sharing: share: cores of one priority take turns; fork: each call goes to all of them that fork at once, the
            first claim wins.
    """

    groups: list[str] = []
    numbers: list[str] = []
    label: str = ""
    priority: int = 10
    sharing: str = "share"


class Offer(Record):
    """An incoming call, to be claimed within 1 s, or it goes to the next core."""

    call: str
    group: str
    span: str
    span_number: int
    timeslot: int
    called: Party
    calling: Party
    bearer: Bearer
    law: str
    redirecting: Party | None = None
    sending_complete: bool = False
    progress: int = 0
    user_user: str = ""
    keypad: str = ""


class ServeReply(Record):
    """First a reply with neither (serving has begun), then one per offer or withdrawal.

    Attributes:
        withdrawn: Id of a call that was offered here and is no longer: claimed elsewhere, timed out or cleared.
    """

    offer: Offer | None = None
    withdrawn: str = ""
    reason: str = ""


class ClaimRequest(Request):
    """The offered call is this connection's; CALL PROCEEDING goes out."""

    call: str
    label: str = ""


class ClaimReply(Record):
    """The call's lease."""

    token: str
    span: str
    timeslot: int


class StepRequest(Request):
    """A step of a call: `in_band` when audio (ringback, an announcement) is in the channel from now on.

    Attributes:
        token: The call's lease, when another connection claimed or placed it.
    """

    call: str
    in_band: bool = False
    token: str = ""


class ProgressRequest(Request):
    """PROGRESS with in-band information, and a cause when there is one to tell."""

    call: str
    in_band: bool = True
    cause: int = 0
    token: str = ""


class HangupRequest(Request):
    """Clear or refuse the call with a Q.850 cause, 1-127. `force`: an operator's, whoever owns it."""

    call: str
    cause: int = 16
    token: str = ""
    force: bool = False


class DeclineRequest(Request):
    """Not ours: the offer goes to the next core at once."""

    call: str


class OverlapRequest(Request):
    """More digits of the called number."""

    call: str
    digits: str
    token: str = ""


class CallRecord(Record):
    """A call's record in the ledger, open or closed.

    Attributes:
        cleared_by: peer, core, client_death, operator, daemon_lost, host, line; empty while open.
        messages: Every Q.931 message with its instants.
        state: open or closed.
        overruns, underruns: Of its audio, as `Channels.Counters` has them; None where no count was kept.
        circuit: The carrier's name for the span's circuit then, else the span's name; records are found under it.
    """

    call: str
    state: str
    direction: str
    host: str
    span: str
    timeslot: int
    called: Party
    calling: Party
    bearer: Bearer
    started_ns: int
    alerting_ns: int
    answered_ns: int
    ended_ns: int
    duration_ns: int
    attempts: int
    cause: Cause | None
    cleared_by: str
    reason: str
    owner: Owner
    correlation: str
    messages: list[Message]
    overruns: int | None = None
    underruns: int | None = None
    emergency: bool = False
    group: str = ""
    circuit: str = ""


class HistoryRequest(Request):
    """Records, newest first.

    Attributes:
        limit: At most so many, 1-1000.
        span: Only of the circuit that this span has now, under whatever name and number it was then.
        number: Only with this called or calling number.
        circuit: Only of this circuit.
    """

    limit: int = 20
    call: str = ""
    span: str = ""
    number: str = ""
    circuit: str = ""


class HistoryReply(Record):
    """Records, newest first."""

    records: list[CallRecord]


INTERFACE = Interface(
    "org.dahdipy.Calls",
    "Calls: place, serve, claim, answer, clear; records.",
    (
        Method("List", Empty, CallList, doc="Calls now."),
        Method("Get", CallName, CallReply, doc="One call."),
        Method("Place", PlaceRequest, PlaceReply, role="core", doc="Place a call."),
        Method("Serve", ServeRequest, ServeReply, role="core", stream=True, doc="Take incoming calls."),
        Method("Claim", ClaimRequest, ClaimReply, role="core", doc="Take an offered call."),
        Method("Decline", DeclineRequest, Empty, role="core", doc="Pass an offered call on."),
        Method("Alert", StepRequest, Empty, role="core", doc="Send ALERTING."),
        Method("Progress", ProgressRequest, Empty, role="core", doc="Send PROGRESS."),
        Method("Answer", StepRequest, Empty, role="core", doc="Send CONNECT."),
        Method("Hangup", HangupRequest, Empty, role="core", doc="Clear or refuse a call."),
        Method("SendOverlap", OverlapRequest, Empty, role="core", doc="Send more called digits."),
        Method("SendKeypad", OverlapRequest, Empty, role="core", doc="Send keypad digits."),
        Method("History", HistoryRequest, HistoryReply, doc="Records of calls."),
    ),
)
