# SPDX-License-Identifier: GPL-2.0-or-later
"""What a line host says of itself: its events with their data, and its spans, channels and calls as they are now."""

from __future__ import annotations

from typing import Any

from dahdi_py.wire.interface import Record
from dahdi_py.wire.messages.common import Bearer, Lease, Message, Owner, Party


class HostEvent(Record, omit_defaults=True):
    """Something that happened in the host, kept in its outbox until committed.

    Kinds and their `data` (the Structs below): span.status SpanState · span.clock ClockSeen ·
    line.seconds SecondsSeen · dchannel.up, dchannel.down {} ·
    call.offered Offered · call.proceeding, call.alerting, call.progress, call.answered Progressed · call.media {} ·
    call.moved Moved · call.digits Digits · call.attempt Attempted · call.hangup HangupSeen · call.ended Ended ·
    call.unplaced Ended (no channel for it here, and the daemon has other routes) ·
    call.unclaimed {} (its core died, it is an offer again) · call.preempted Preempted ·
    lease.moved Moved · lease.ended LeaseEnded · channel.state ChannelState · host.draining, host.drained {} ·
    bridge.joined BridgeJoined · bridge.ended BridgeEnded · outbox.lost {count}.
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
    """A B-channel's state in X.731 words; `disabled` empty means operational.

    Attributes:
        lessee: Quarantined: who had it last and still holds it open.
        who: Locked or shutting down: by whom, `why` and since when (UTC, ns).
    """

    span: str
    timeslot: int
    administrative: str = "unlocked"
    disabled: str = ""
    phase: str = ""
    token: str = ""
    call: str = ""
    lessee: str = ""
    who: str = ""
    why: str = ""
    since_ns: int = 0


class SpanState(Record):
    """A span as its host sees it now.

    Attributes:
        alarms: Alarm bits as received (core.terms.Alarms).
        words: The same as operators know them.
        dchannel: up, down, or none.
        dchannel_echo: It hears itself, or an end that takes itself for the same side.
        problem: Why it cannot be brought up, as its card or driver says; empty when it can, or nothing was tried.
        since_ns: UTC of the last change of alarms or D-channel.
        counters: By name, None where the driver keeps none.
        sync_source: The timing source's number as the driver knows it, 0 for its own oscillator; `sync_name` its name
            here, since `sync_since_ns`.
        held_until_ns: Other spans come first for outgoing calls until then (UTC, ns); 0: not held down.
        hold_s: How long that is from its return, s; `returns`: how often it came back without being steady since.
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
    sync_name: str = ""
    sync_since_ns: int = 0
    held_until_ns: int = 0
    hold_s: float = 0.0
    returns: int = 0
    dchannel_echo: bool = False
    problem: str = ""


class SecondsSeen(Record, omit_defaults=True):
    """Seconds in a row in which a span's line was the same.

    Attributes:
        first: The first of them, UTC, s.
        counts: Counted in each of them, by counter; one that the driver does not keep is not among them.
        defects: Alarm bits seen in each of them.
        estimated: Counters that may have counted less than there was; `defects` when the bits come late.
        suspect: counter_reset, clock_step, late; empty when the counts can be trusted.
    """

    first: int
    seconds: int = 1
    counts: dict[str, int] = {}
    defects: int = 0
    estimated: list[str] = []
    suspect: str = ""


class ClockSeen(Record):
    """A span's timing source changed; empty for none, or one that the driver does not tell."""

    source: str
    was: str


class CallState(Record):
    """A call as its host sees it now.

    Attributes:
        direction: incoming or outgoing.
        phase: offered, setup, proceeding, alerting, active, releasing.
        claimed: Incoming: a core has it.
        detached: It outlives its client; the host hangs it up in time.
        emergency: It is never pre-empted nor cleared by force.
        group: The trunk group it was placed in, or claimed as a call of.
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
    emergency: bool = False
    group: str = ""
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
    """The lease is now on this channel; timeslot 0: on none until the far end has named one."""

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
    emergency: bool = False
    group: str = ""


class Preempted(Record):
    """A call was cleared to make room for another one, or is waiting for that room (`by` empty)."""

    by: str = ""
    reason: str = ""


class BridgeJoined(Record):
    """The audio of two leased channels is joined; `b` may be another host's.

    Attributes:
        where: What copies it: card, kernel, host.
    """

    a: str
    b: str
    where: str


class BridgeEnded(Record):
    """A bridge between two channels is no more; no `reason` when that was asked for."""

    a: str
    b: str
    reason: str = ""


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
        overruns: Blocks dropped because its core did not read; None where the driver keeps no count.
        underruns: Idle octets sent because its core did not write; None where the driver keeps no count.
        error: The error's name where the end is one: org.dahdipy.Glare, the far end took the channel of its lease.
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
    overruns: int | None = None
    underruns: int | None = None
    emergency: bool = False
    group: str = ""
    error: str = ""


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
