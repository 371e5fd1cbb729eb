# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Channels`: B-channels, leases and their descriptors."""

from __future__ import annotations

from dahdi_py.wire.interface import Empty, Interface, Method, Record, Request
from dahdi_py.wire.messages.common import AdministerReply, Media, MediaRequest, Owner


class Channel(Record):
    """A B-channel in X.731 words.

    Attributes:
        administrative: unlocked, shutting_down, locked.
        disabled: Empty when operational, else span_alarm, dchannel_down, remote_oos, quarantine, host_down.
        usage: idle or busy.
        phase: reserved, setup, alerting, active, releasing, restarting; empty when idle.
        orphaned: The owner's connection is gone; it may reclaim the lease by its token.
        who: Locked or shutting down: by whom, `why` and since when (UTC, ns).
        expires_ns: UTC when the lease on it ends by itself, ns; 0 for never.
        lessee: Quarantined: who had it last and still holds its descriptor, by pid, uid and label where that is known.
    """

    span: str
    span_number: int
    timeslot: int
    administrative: str
    disabled: str
    usage: str
    phase: str
    token: str = ""
    call: str = ""
    owner: Owner | None = None
    orphaned: bool = False
    who: str = ""
    why: str = ""
    since_ns: int = 0
    expires_ns: int = 0
    lessee: str = ""


class ListRequest(Request):
    """All channels, or one span's (name or number)."""

    span: str = ""


class ChannelList(Record):
    """Channels, by span number and timeslot."""

    channels: list[Channel]


class AllocateRequest(Request):
    """Lease one channel of a group, of a span, or a span's very timeslot.

    Attributes:
        exclusive: An incoming SETUP for the timeslot does not move the lease.
        open: Send the descriptor with the reply.
        label: How the owner wants to be named in lists and logs, at most 64 characters.
        exclude: With a group: not on these spans (such as the one a call came in by).
        detach_s: The lease outlives this connection and ends by itself after so many seconds unless renewed; 0: it
            ends with the connection.
    """

    group: str = ""
    span: str = ""
    timeslot: int = 0
    exclusive: bool = False
    open: bool = True
    media: MediaRequest | None = None
    label: str = ""
    exclude: list[str] = []
    detach_s: int = 0


class AllocateSpanRequest(Request):
    """Lease every B-channel of a span at once, or none."""

    span: str
    open: bool = True
    media: MediaRequest | None = None
    label: str = ""
    detach_s: int = 0


class SpanLease(Record):
    """One lease of a whole span's."""

    token: str
    timeslot: int


class AllocateSpanReply(Record, omit_defaults=True):
    """The leases by ascending timeslot; with `open` descriptor i belongs to lease i."""

    span: str
    leases: list[SpanLease]
    media: Media | None = None


class RenewRequest(Request):
    """The lease is detached and ends by itself so many seconds from now; 0: it ends with this connection."""

    token: str
    detach_s: int


class HandOverRequest(Request):
    """Another connection may take the lease (and its call) by `Reclaim` with the token within so many seconds.

    Until then it stays the giver's; the giver's own end within that time does not end it.
    """

    token: str
    within_s: int = 10


class BridgeRequest(Request):
    """Join the audio of two leased channels, both ways, until either lease ends or `on` is False.

    Nothing is transcoded. Meanwhile a core neither reads nor writes either descriptor: what it writes is not sent, and
    nothing of it comes later.
    """

    a: str
    b: str
    on: bool = True


class BridgeReply(Record):
    """Where the octets are (or, parted, were) copied: card, kernel, host; empty for parting what was not joined.

    card and kernel: by the driver, both channels are there. host: in C by a line host, over two cards or two hosts.
    """

    where: str


class CountersRequest(Request):
    """Names a lease."""

    token: str


class Counters(Record):
    """A leased channel's audio since it was opened; None where the driver keeps no count.

    Attributes:
        overruns: Blocks dropped because the client did not read.
        underruns: Idle octets sent because the client did not write.
    """

    overruns: int | None = None
    underruns: int | None = None


class AllocateReply(Record, omit_defaults=True):
    """The lease; with `open` the descriptor is at index `fd`."""

    token: str
    span: str
    timeslot: int
    media: Media | None = None
    fd: int | None = None


class OpenRequest(Request):
    """A leased channel's descriptor, as often as wanted; also of a call's channel once its `media` event came."""

    token: str
    media: MediaRequest | None = None


class OpenReply(Record):
    """What the descriptor at index `fd` is."""

    span: str
    timeslot: int
    media: Media
    fd: int = 0


class ReleaseRequest(Request):
    """The lease ends; a call on it is cleared with `cause` first."""

    token: str
    cause: int = 16


class ReclaimRequest(Request):
    """An orphaned lease (and its call) is this connection's now."""

    token: str
    label: str = ""


class ReclaimReply(Record):
    """What was reclaimed."""

    span: str
    timeslot: int
    phase: str
    call: str


class AdministerRequest(Request):
    """Drain, lock or unlock one B-channel; see `Administration` for the words."""

    span: str
    timeslot: int
    state: str
    reason: str = ""
    force: bool = False


INTERFACE = Interface(
    "org.dahdipy.Channels",
    "B-channels: leases and descriptors.",
    (
        Method("List", ListRequest, ChannelList, doc="Channels and their state."),
        Method("Allocate", AllocateRequest, AllocateReply, role="core", fds=True, doc="Lease a channel."),
        Method(
            "AllocateSpan",
            AllocateSpanRequest,
            AllocateSpanReply,
            role="core",
            fds=True,
            doc="Lease a whole span's channels.",
        ),
        Method("Open", OpenRequest, OpenReply, role="core", fds=True, doc="Another copy of its descriptor."),
        Method("Release", ReleaseRequest, Empty, role="core", doc="End the lease."),
        Method("Reclaim", ReclaimRequest, ReclaimReply, role="core", doc="Take an orphaned or handed-over lease."),
        Method("Renew", RenewRequest, Empty, role="core", doc="Change when a detached lease ends."),
        Method("HandOver", HandOverRequest, Empty, role="core", doc="Let another connection take the lease."),
        Method("Bridge", BridgeRequest, BridgeReply, role="core", doc="Join two channels' audio, or part them."),
        Method("Counters", CountersRequest, Counters, role="core", doc="A leased channel's audio counters."),
        Method("Administer", AdministerRequest, AdministerReply, role="operate", doc="Drain, lock or unlock one."),
    ),
)
