# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands that open channels: answered when the card has opened them, many under way at once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, cast

from dahdi_py.backends import base
from dahdi_py.core.lease import Lease
from dahdi_py.core.terms import HuntOrder, Law, Mode
from dahdi_py.errors import DahdiPyError
from dahdi_py.linehost.host import LineHost
from dahdi_py.linehost.line import BChannel, SpanLine
from dahdi_py.wire.framing import close_all
from dahdi_py.wire.messages import host as messages
from dahdi_py.wire.messages.common import Media, MediaRequest
from dahdi_py.wire.refusals import InvalidParameter
from dahdi_py.wire.server import Handler, Request

log = logging.getLogger("dahdi_py.linehost.leasing")

_ORDERS = frozenset(("", *HuntOrder))


class Leasing:
    """Answers the controller's commands that open channels.

    Synchronization: the loop's thread.
    """

    def __init__(self, host: LineHost) -> None:
        self._channels = host.channels
        self._bridges = host.bridges
        self._ends = host.lease_ends

    def handlers(self) -> dict[str, Handler]:
        """By method name."""
        return {
            "Reserve": self._reserve, "ReserveSpan": self._reserve_span, "Open": self._open, "Bridge": self._bridge,
        }  # fmt: skip

    def _reserve(self, request: Request, wants: messages.ReserveRequest) -> None:
        if wants.order not in _ORDERS:
            raise InvalidParameter(f"order: {wants.order!r}; expected {', '.join(HuntOrder)}", parameter="order")
        choose = self._chooser(wants)
        if not wants.open:
            lease = self._channels.reserve(choose(), wants.owner, exclusive=wants.exclusive)
            self._mark(lease, wants.group, wants.detach_s)
            request.reply(messages.ReserveReply(token=lease.token, **_place(lease)))
            return

        def opened(lease: Lease | None, error: DahdiPyError | None) -> None:
            if lease is None:
                request.fail(error or DahdiPyError("no answer"))
                return
            self._mark(lease, wants.group, wants.detach_s)
            try:
                fd, media = self._handed_out(lease, wants.relay, wants.media)
                reply = messages.ReserveReply(token=lease.token, media=media, fd=0, **_place(lease))
                request.reply(reply, fds=(fd,), close_fds=wants.relay)
            except (DahdiPyError, OSError) as problem:
                self._channels.end(lease)
                request.fail(_told_of(problem))

        def choose_for_somebody() -> BChannel:
            # A lease made for a controller that is gone would be nobody's to end.
            if request.peer.closed:
                raise DahdiPyError("who asked for the channel is gone")
            return choose()

        def media(line: SpanLine) -> base.Media:
            return _wanted(wants.media, line.default_media())

        self._channels.reserve_open(choose_for_somebody, wants.owner, wants.exclusive, media, opened)

    def _chooser(self, wants: messages.ReserveRequest) -> Callable[[], BChannel]:
        channels = self._channels
        if not wants.timeslot:
            return lambda: channels.hunt(wants.spans, wants.order, masks=wants.masks, spare=wants.spare)
        if len(wants.spans) != 1:
            raise InvalidParameter("spans: a timeslot needs its one span", parameter="spans")
        return lambda: channels.channel(wants.spans[0], wants.timeslot)

    def _mark(self, lease: Lease, group: str, detach_s: float) -> None:
        lease.group = group
        if detach_s > 0:
            self._ends.detach(lease, detach_s)

    def _handed_out(self, lease: Lease, relay: bool, asked: MediaRequest | None) -> tuple[int, Media]:
        """The descriptor that the owner of an open channel gets, and what it is.

        Raises:
            StaleToken: The lease has ended since its channel was opened, so the channel may be another's.
        """
        self._channels.leases.find(lease.token)
        channel = cast(BChannel, lease.channel)
        if relay:
            fd, media = self._bridges.relays.open(lease, _wanted(asked, channel.line.default_media()))
            return fd, _told(media)
        assert channel.media is not None
        return channel.fd, _told(channel.media)

    def _reserve_span(self, request: Request, wants: messages.ReserveSpanRequest) -> None:
        channels = self._channels
        line = channels.hunting.line(wants.span)
        media = _wanted(wants.media, line.default_media())
        leases: list[Lease] = []
        try:
            for channel in line.bchannels.values():
                leases.append(channels.reserve(channel, wants.owner, exclusive=wants.exclusive))
        except DahdiPyError:
            self._end(leases)
            raise
        if not wants.open:
            self._reply_span(request, wants, leases)
            return
        waiting = set(leases)
        problems: list[DahdiPyError] = []

        def opened(lease: Lease, error: DahdiPyError | None) -> None:
            waiting.discard(lease)
            if error is not None:
                problems.append(error)
            if waiting:
                return
            if problems:
                self._end(leases)
                request.fail(problems[0])
            else:
                self._reply_span(request, wants, leases)

        for lease in leases:
            channels.open(lease, lambda error, lease=lease: opened(lease, error), media)  # type: ignore[misc]

    def _reply_span(self, request: Request, wants: messages.ReserveSpanRequest, leases: list[Lease]) -> None:
        fds: list[int] = []
        media: Media | None = None
        try:
            for lease in leases if wants.open else ():
                fd, media = self._handed_out(lease, wants.relay, wants.media)
                fds.append(fd)
        except (DahdiPyError, OSError) as problem:
            self._end(leases)
            if wants.relay:
                close_all(fds)
            request.fail(_told_of(problem))
            return
        for lease in leases:
            self._mark(lease, "", wants.detach_s)
        reply = messages.ReserveSpanReply(
            span=wants.span, tokens=[lease.token for lease in leases], media=media,
            timeslots=[int(lease.channel.timeslot) for lease in leases],
        )  # fmt: skip
        try:
            request.reply(reply, fds=fds, close_fds=wants.relay)
        except OSError as problem:
            self._end(leases)
            request.fail(_told_of(problem))

    def _end(self, leases: list[Lease]) -> None:
        for lease in leases:
            if self._channels.leases.holds(lease):
                self._channels.end(lease)

    def _open(self, request: Request, wants: messages.OpenRequest) -> None:
        lease = self._channels.leases.find(wants.token)

        def opened(error: DahdiPyError | None) -> None:
            try:
                if error is not None:
                    raise error
                fd, media = self._handed_out(lease, wants.relay, wants.media)
                request.reply(messages.OpenReply(media=media, **_place(lease)), fds=(fd,), close_fds=wants.relay)
            except (DahdiPyError, OSError) as problem:
                request.fail(_told_of(problem))

        line = cast(BChannel, lease.channel).line
        self._channels.open(lease, opened, _wanted(wants.media, line.default_media()))

    def _bridge(self, request: Request, wants: messages.BridgeRequest) -> None:
        fds, request.fds = request.fds, []
        leases = self._channels.leases
        try:
            lease = leases.find(wants.a)
            if not wants.on:
                request.reply(messages.BridgeReply(where=self._bridges.part(lease, wants.b)))
                return
            foreign = wants.fd is not None
            if foreign and (wants.fd != 0 or len(fds) != 1):
                raise InvalidParameter("fd: the other channel's descriptor has to come along", parameter="fd")
            other = None if foreign or wants.lend else leases.find(wants.b)
            kept, fds = fds, []
        finally:
            close_all(fds)

        def ready(error: DahdiPyError | None) -> None:
            brought, kept[:] = list(kept), []
            try:
                if error is not None:
                    raise error
                self._join(request, wants, lease, other, brought)
            except (DahdiPyError, OSError) as problem:
                request.fail(_told_of(problem))
            finally:
                close_all(brought)

        def first(error: DahdiPyError | None) -> None:
            if error is not None or other is None:
                ready(error)
            else:
                self._channels.open(other, ready)

        self._channels.open(lease, first)

    def _join(
        self, request: Request, wants: messages.BridgeRequest, lease: Lease, other: Lease | None, brought: list[int]
    ) -> None:
        """The open channel is bridged as asked; a descriptor that is taken is no more among those `brought`."""
        if other is not None:
            request.reply(messages.BridgeReply(where=self._bridges.join(lease, other)))
        elif wants.lend:
            fd, media = self._bridges.lend(lease, wants.b)
            lent = messages.BridgeReply(where="host", law=str(media.law), chunk=media.chunk, fd=0)
            request.reply(lent, fds=(fd,), close_fds=True)
        else:
            self._bridges.join_foreign(lease, wants.b, brought[0], wants.law, wants.chunk)
            brought.clear()
            request.reply(messages.BridgeReply(where="host"))


def _told_of(problem: DahdiPyError | OSError) -> DahdiPyError:
    """What the caller is told: want of descriptors or memory in this process is no error of its own."""
    if isinstance(problem, DahdiPyError):
        return problem
    log.error("a channel cannot be handed out: %s", problem)
    return DahdiPyError(f"the line host cannot hand out the channel: {problem.strerror or problem}")


def _place(lease: Lease) -> dict[str, Any]:
    return {"span": lease.channel.span.name, "timeslot": int(lease.channel.timeslot)}


_MOST_GAIN_DB = 24
"""What a law's quietest octets can be raised by and still be told apart."""


def _wanted(asked: MediaRequest | None, default: base.Media) -> base.Media:
    """A client's wish over the span's default.

    Raises:
        InvalidParameter: A word or number is none of what there is.
    """
    if asked is None:
        return default
    try:
        law = Law(asked.law) if asked.law else default.law
        mode = Mode(asked.mode)
    except ValueError as error:
        raise InvalidParameter(f"media: {error}", parameter="media") from None
    if not 8 <= asked.chunk <= 8192 or not 2 <= asked.depth <= 32:
        raise InvalidParameter("media: chunk is 8-8192 octets, depth 2-32 blocks", parameter="media")
    if not -_MOST_GAIN_DB <= asked.gain_db <= _MOST_GAIN_DB:
        raise InvalidParameter(f"media: gain_db is -{_MOST_GAIN_DB} to {_MOST_GAIN_DB} dB", parameter="media")
    if mode is not Mode.VOICE:
        return base.Media(law=law, mode=mode, chunk=asked.chunk, depth=asked.depth)
    return base.Media(
        law=law, mode=mode, echo_canceller=asked.echo_canceller, gain_db=asked.gain_db, chunk=asked.chunk,
        depth=asked.depth,
    )  # fmt: skip


def _told(media: base.Media) -> Media:
    return Media(
        law=str(media.law), mode=str(media.mode), echo_canceller=media.echo_canceller, gain_db=media.gain_db,
        chunk=media.chunk, depth=media.depth, medium=media.medium,
    )  # fmt: skip
