# SPDX-License-Identifier: GPL-2.0-or-later
"""Records that several interfaces share: parties, bearers, media, leases, causes."""

from __future__ import annotations

import msgspec

from dahdi_py.wire.interface import Record, Request

NUMBER_DIGITS = 31
"""Of the longest number. Source: Q.931 4.5.8 leaves the length open; E.164 needs 15, libpri keeps more."""


class Party(Record):
    """A number and who it is: called, calling, redirecting or connected.

    Attributes:
        number: Digits as IA5 text, at most 31.
        plan: Numbering plan: unknown, isdn, data, telex, national, private.
        type: Type of number: unknown, international, national, network_specific, subscriber, abbreviated.
        presentation: allowed, restricted, unavailable.
        screening: unscreened, passed, failed, network.
        name: Display name, at most 49 characters; empty for none.
    """

    number: str = ""
    plan: str = "isdn"
    type: str = "unknown"
    presentation: str = "allowed"
    screening: str = "unscreened"
    name: str = ""


def dialled(called: Party, digits: str) -> Party:
    """The called party after more digits; the number is no longer than any can be."""
    return msgspec.structs.replace(called, number=(called.number + digits)[:NUMBER_DIGITS])


class PartyRequest(Party, forbid_unknown_fields=True):
    """A party as a client gives it."""


class Bearer(Record):
    """What the call carries. Source: Q.931 4.5.5.

    Attributes:
        capability: speech, audio_3k1, unrestricted_digital, restricted_digital, video.
        layer1: alaw, mulaw, or empty for none.
    """

    capability: str = "speech"
    layer1: str = ""


class BearerRequest(Bearer, forbid_unknown_fields=True):
    """A bearer as a client gives it; an empty `layer1` with a voice capability becomes the span's law."""


class Media(Record):
    """How a B-channel's descriptor behaves.

    Attributes:
        law: alaw or mulaw.
        mode: voice, data (canceller, gain and conversion off) or hdlc.
        gain_db: Gain in dB, both directions.
        chunk: Octets a read carries.
        depth: Blocks queued each way.
        medium: socket (simulated card) or kernel (DAHDI node).
    """

    law: str = ""
    mode: str = "voice"
    echo_canceller: bool = False
    gain_db: float = 0.0
    chunk: int = 160
    depth: int = 8
    medium: str = ""


class MediaRequest(Request):
    """How a client wants a B-channel's descriptor; what is left out takes the span's default."""

    law: str | None = None
    mode: str = "voice"
    echo_canceller: bool = False
    gain_db: float = 0.0
    chunk: int = 160
    depth: int = 8


class Owner(Record):
    """Who holds a lease: the client process as the kernel names it, and its own label."""

    pid: int = 0
    uid: int = -1
    label: str = ""


class Lease(Record):
    """A reservation of a channel.

    Attributes:
        token: `host/start/counter`; only grows, a stale one is refused everywhere.
        phase: reserved, setup, alerting, active, releasing.
        call: Id of the call it carries; empty for a bare lease.
        orphaned: Its owner's connection is gone and nobody has reclaimed it yet.
        exclusive: An incoming SETUP for the timeslot does not move it.
        expires_ns: UTC when its host ends it unless it is renewed or reclaimed, ns; 0 for never.
        detached: It outlives its owner's connection, until it expires.
        group: The trunk group it was asked of; empty for a span.
        bridged: The token of the lease whose audio is joined with it; empty for none.
    """

    token: str
    span: str
    timeslot: int
    owner: Owner
    phase: str = "reserved"
    call: str = ""
    exclusive: bool = False
    orphaned: bool = False
    expires_ns: int = 0
    detached: bool = False
    group: str = ""
    bridged: str = ""


class AdministerReply(Record):
    """What a drain, lock or unlock did, and what the far end will see of it.

    X.731 administrative states: `unlocked`; `shutting_down` takes nothing new and is locked once empty; `locked`.
    Draining and locking need a reason. Locking what is busy needs `force` and clears it, emergency calls apart.

    Attributes:
        far_end: One sentence a span: told by SERVICE (NI2, 4ESS, 5ESS), else other channels and causes 44 and 34.
        busy: Channels still busy; `administration.empty` events say when there are none.
        stays: After an unlock, one sentence for each lock or drain of a part or of what is around that goes on.
    """

    state: str
    far_end: list[str]
    busy: int
    stays: list[str] = []


class Cause(Record):
    """Why a call ended. Source: Q.850.

    Attributes:
        value: 1-127; 0 when no cause was given.
        name: The cause in words; `unknown(n)` for values Q.850 does not name.
        location: Who says so: user, private_local, public_local, transit, public_remote, private_remote,
            international, beyond_interworking; empty when not from a frame.
    """

    value: int
    name: str
    location: str = ""


class Cursor(Record):
    """A place in a sequence of events: the epoch (or host start) and the number within it."""

    epoch: int
    n: int


class CursorRequest(Cursor, forbid_unknown_fields=True):
    """A cursor as a client gives it."""


class Message(Record):
    """One Q.931 message of a call, as evidence.

    Attributes:
        name: SETUP, CALL PROCEEDING, ALERTING, CONNECT, DISCONNECT, RELEASE, ...
        sent: True when we sent it.
        utc_ns: Wall clock of the instant, ns since 1970 UTC.
        monotonic_ns: CLOCK_MONOTONIC of the instant, ns.
        cause: Cause value in the message, 0 for none.
        location: Who set the cause; empty for none.
    """

    name: str
    sent: bool
    utc_ns: int
    monotonic_ns: int
    cause: int = 0
    location: str = ""
