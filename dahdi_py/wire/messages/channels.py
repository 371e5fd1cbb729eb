# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Channels`: B-channels, leases and their descriptors."""

from __future__ import annotations

from dahdi_py.wire.interface import Empty, Interface, Method, Record, Request
from dahdi_py.wire.messages.common import Media, MediaRequest, Owner


class Channel(Record):
    """A B-channel in X.731 words.

    Attributes:
        administrative: unlocked, shutting_down, locked.
        disabled: Empty when operational, else span_alarm, dchannel_down, remote_oos, quarantine, host_down.
        usage: idle or busy.
        phase: reserved, setup, alerting, active, releasing, restarting; empty when idle.
        orphaned: The owner's connection is gone; it may reclaim the lease by its token.
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
    """

    group: str = ""
    span: str = ""
    timeslot: int = 0
    exclusive: bool = False
    open: bool = True
    media: MediaRequest | None = None
    label: str = ""


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


INTERFACE = Interface(
    "org.dahdipy.Channels",
    "B-channels: leases and descriptors.",
    (
        Method("List", ListRequest, ChannelList, doc="Channels and their state."),
        Method("Allocate", AllocateRequest, AllocateReply, role="core", fds=True, doc="Lease a channel."),
        Method("Open", OpenRequest, OpenReply, role="core", fds=True, doc="Another copy of its descriptor."),
        Method("Release", ReleaseRequest, Empty, role="core", doc="End the lease."),
        Method("Reclaim", ReclaimRequest, ReclaimReply, role="core", doc="Take an orphaned lease back."),
    ),
)
