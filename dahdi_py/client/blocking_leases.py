# SPDX-License-Identifier: GPL-2.0-or-later
# Written by scripts/write_blocking_client.py from the asyncio client: change that one.
"""The blocking client: leases of channels, their descriptors and bridges."""

from __future__ import annotations

from collections.abc import Sequence

from dahdi_py.client.blocking_asker import Asker
from dahdi_py.client.channel import Channel
from dahdi_py.wire.framing import close_all
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.channels import (
    AllocateReply,
    AllocateRequest,
    AllocateSpanReply,
    AllocateSpanRequest,
    BridgeReply,
    BridgeRequest,
    Counters,
    CountersRequest,
    HandOverRequest,
    OpenReply,
    OpenRequest,
    ReclaimReply,
    ReclaimRequest,
    ReleaseRequest,
    RenewRequest,
)
from dahdi_py.wire.messages.common import Media, MediaRequest


class Leases(Asker):
    """Channels in this program's hands.

    Synchronization: external.
    """

    def allocate(
        self,
        *,
        group: str = "",
        span: str = "",
        timeslot: int = 0,
        exclusive: bool = False,
        open: bool = True,
        media: MediaRequest | None = None,
        label: str = "",
        exclude: Sequence[str] = (),
        detach_s: int = 0,
    ) -> Channel:
        """A lease of one channel of the group, of the span, or of the span's very timeslot.

        Args:
            exclusive: An incoming call for the timeslot does not move the lease.
            open: With its descriptor.
            media: How the descriptor is to behave; what is left out takes the span's default.
            exclude: With a group: not on these spans.
            detach_s: It outlives this client, and ends by itself after so long unless renewed, s.
        """
        request = AllocateRequest(
            group=group, span=span, timeslot=timeslot, exclusive=exclusive, open=open, media=media,
            label=label or self.label, exclude=list(exclude), detach_s=detach_s,
        )  # fmt: skip
        reply, fds = self._lease("Channels.Allocate", request, AllocateReply)
        self._tokens.began(reply.token, request.label)
        return self._channel(reply.token, reply.span, reply.timeslot, reply.media, reply.fd, fds)

    def allocate_span(
        self,
        span: str,
        *,
        open: bool = True,
        media: MediaRequest | None = None,
        label: str = "",
        detach_s: int = 0,
    ) -> list[Channel]:
        """Leases of every B-channel of the span, by timeslot, or of none."""
        request = AllocateSpanRequest(span=span, open=open, media=media, label=label or self.label, detach_s=detach_s)
        reply, fds = self._lease("Channels.AllocateSpan", request, AllocateSpanReply)
        rest: list[int | None] = [*fds, *[None] * (len(reply.leases) - len(fds))]
        taken = []
        for lease, fd in zip(reply.leases, rest, strict=True):
            self._tokens.began(lease.token, request.label)
            taken.append(Channel(lease.token, reply.span, lease.timeslot, reply.media, fd, self.release))
        return taken

    def open(self, token: str, *, media: MediaRequest | None = None) -> Channel:
        """The descriptor of a leased channel, or of a call's once its `call.media` event came; as often as wanted."""
        request = OpenRequest(token=token, media=media)
        reply, fds = self._call_fds("Channels.Open", request, OpenReply)
        return self._channel(token, reply.span, reply.timeslot, reply.media, reply.fd, fds)

    def _channel(
        self, token: str, span: str, timeslot: int, media: Media | None, at: int | None, fds: list[int]
    ) -> Channel:
        fd = fds.pop(at) if at is not None and at < len(fds) else None
        close_all(fds)
        return Channel(token, span, timeslot, media, fd, self.release)

    def release(self, token: str, cause: int = 16) -> None:
        """The lease has ended; a call on it is cleared with `cause` first."""
        self._tokens.ended(token)
        self._call("Channels.Release", ReleaseRequest(token=token, cause=cause), Empty)

    def reclaim(self, token: str, label: str = "") -> ReclaimReply:
        """An orphaned or handed-over lease, and its call, are this client's; its own it reclaims by itself."""
        request = ReclaimRequest(token=token, label=label or self.label)
        reply = self._call("Channels.Reclaim", request, ReclaimReply)
        self._tokens.began(token, request.label, reply.call)
        return reply

    def renew(self, token: str, detach_s: int) -> None:
        """The lease outlives this client and ends so many seconds from now; with 0 it ends with this client again."""
        self._call("Channels.Renew", RenewRequest(token=token, detach_s=detach_s), Empty)

    def hand_over(self, token: str, within_s: int = 10) -> None:
        """Another client may reclaim the lease, and its call, by its token within so many seconds.

        Till then it is this client's, which does not reclaim it any more when the daemon comes back: the other does.
        """
        self._call("Channels.HandOver", HandOverRequest(token=token, within_s=within_s), Empty)
        self._tokens.ended(token)

    def bridge(self, a: str, b: str) -> str:
        """The audio of two leased channels is joined both ways, until either lease ends; says where it is copied."""
        return self._call("Channels.Bridge", BridgeRequest(a=a, b=b), BridgeReply).where

    def unbridge(self, a: str, b: str) -> None:
        """The two channels are parted again."""
        self._call("Channels.Bridge", BridgeRequest(a=a, b=b, on=False), BridgeReply)

    def counters(self, token: str) -> Counters:
        """Over- and underruns of the leased channel's audio since it was opened."""
        return self._call("Channels.Counters", CountersRequest(token=token), Counters)
