# SPDX-License-Identifier: GPL-2.0-or-later
"""What the control daemon asks of a line host about leases, descriptors and channels."""

from __future__ import annotations

from dahdi_py.wire.interface import Record, Request
from dahdi_py.wire.messages.common import Media, MediaRequest, Owner


class OwnerRequest(Owner, forbid_unknown_fields=True):
    """An owner as the daemon gives it."""


class ReserveRequest(Request):
    """Reserve one channel: the first free one of `spans` in `order`, or the very `timeslot` of the only span.

    Attributes:
        order: ascending, descending, round_robin_up, round_robin_down, least_recently_used, most_idle; empty for the
            side's default (network ascending, cpe descending, so that the two ends meet last).
        masks: For each of `spans` the timeslots that count, bit t for timeslot t; empty: all of them.
        spare: So many channels must stay free behind this one.
        group: The trunk group it is asked of, for the lease's record.
        open: Send the descriptor with the reply.
        relay: The descriptor is a socket pair relayed in the host, whatever the medium: for clients not trusted with
            kernel descriptors.
        detach_s: The lease outlives its owner's connection and is ended by the host after so long; 0: it does not.
    """

    spans: list[str]
    owner: OwnerRequest
    order: str = ""
    timeslot: int = 0
    exclusive: bool = False
    open: bool = True
    media: MediaRequest | None = None
    masks: list[int] = []
    spare: int = 0
    group: str = ""
    relay: bool = False
    detach_s: float = 0.0


class ReserveSpanRequest(Request):
    """Reserve every B-channel of a span at once, or none: any that is not free fails it."""

    span: str
    owner: OwnerRequest
    exclusive: bool = True
    open: bool = True
    media: MediaRequest | None = None
    relay: bool = False
    detach_s: float = 0.0


class ReserveSpanReply(Record, omit_defaults=True):
    """The leases by ascending timeslot, and with `open` one descriptor each in the same order."""

    span: str
    tokens: list[str]
    timeslots: list[int]
    media: Media | None = None


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


class RenewRequest(Request):
    """The detached lease is ended so many seconds from now; 0: it ends with its owner again."""

    token: str
    detach_s: float


class OpenRequest(Request):
    """Another copy of the leased channel's descriptor, set as asked; `relay` as with `Reserve`."""

    token: str
    media: MediaRequest | None = None
    relay: bool = False


class OpenReply(Record):
    """What the descriptor (index 0) is."""

    span: str
    timeslot: int
    media: Media
    fd: int = 0


class CountersReply(Record, omit_defaults=True):
    """A leased channel's audio since it was opened; None where the driver keeps no count.

    Attributes:
        overruns: Blocks dropped because the client did not read.
        underruns: Idle octets sent because the client did not write.
    """

    overruns: int | None = None
    underruns: int | None = None


class BridgeRequest(Request):
    """The audio of two leased channels of one law is joined, both ways, until either lease ends or `on` is False.

    When `b` is another host's, that one is asked first, with `lend`, for a descriptor of its channel, which then comes
    with the request to this one.

    Attributes:
        lend: The other host copies: `a` is lent to it.
        law, chunk: Of the channel whose descriptor comes.
        fd: The index of that descriptor.
    """

    a: str
    b: str
    on: bool = True
    lend: bool = False
    law: str = ""
    chunk: int = 160
    fd: int | None = None


class BridgeReply(Record, omit_defaults=True):
    """Where the octets are (or, parted, were) copied: card, kernel, host; empty for parting what was not joined.

    Attributes:
        law, chunk: Of a channel that is lent.
        fd: The index of its descriptor, a socket's.
    """

    where: str
    law: str = ""
    chunk: int = 0
    fd: int | None = None


class AdministerRequest(Request):
    """The channels are unlocked, locked, or take nothing new until they are empty and then are locked.

    Attributes:
        timeslots: Bit t for timeslot t; 0 for every B-channel of the span.
        state: unlocked, shutting_down, locked.
        force: Locking clears what is up on them (never an emergency call); without it a busy one is refused.
    """

    span: str
    state: str
    timeslots: int = 0
    who: str = ""
    why: str = ""
    since_ns: int = 0
    force: bool = False


class AdministerReply(Record):
    """What the far end sees of it, and how many channels are busy still.

    Attributes:
        far_end: service (it is told by SERVICE), alternate (its calls get another channel, or cause 44 or 34), nothing.
    """

    far_end: str
    busy: int


class UnclaimRequest(Request):
    """The core that claimed the call died before it was answered: it is an offer again, for so long at most."""

    call: str
    offer_s: float = 3.0


class AssignRequest(Request):
    """The lease belongs to this owner now; `orphaned` when its client is gone and may come back.

    Attributes:
        expires_s: Orphaned: the host ends it after so long unless somebody reclaims it; 0 for never.
    """

    token: str
    owner: OwnerRequest
    orphaned: bool = False
    expires_s: float = 0.0
