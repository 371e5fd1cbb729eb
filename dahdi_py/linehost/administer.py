# SPDX-License-Identifier: GPL-2.0-or-later
"""Channels locked, drained and unlocked, and what the far end is told of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable

from dahdi_py.core import cause as causes
from dahdi_py.core.terms import Administrative, Disabled
from dahdi_py.errors import ChannelBusy
from dahdi_py.ffi.libpri_events import Service
from dahdi_py.linehost.calls import Calls
from dahdi_py.linehost.line import BChannel, SpanLine
from dahdi_py.wire.messages.host import AdministerReply, AdministerRequest
from dahdi_py.wire.refusals import InvalidParameter

log = logging.getLogger("dahdi_py.linehost.administer")

IN_SERVICE, OUT_OF_SERVICE = 0, 2
"""Service status of SERVICE messages. Source: AT&T TR 41459; libpri's change status."""


class Administration:
    """Keeps the administrative state of every channel, ours and the far end's.

    Synchronization: the loop's thread.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._channels = calls.channels

    def administer(self, request: AdministerRequest) -> AdministerReply:
        """The channels are as asked, or on their way there.

        Raises:
            InvalidParameter: The state or a timeslot is none.
            ChannelBusy: One to be locked carries something, and not forced.
            NotFound: No such span.
        """
        line = self._channels.hunting.line(request.span)
        channels = _named(line, request.timeslots)
        try:
            state = Administrative(request.state)
        except ValueError:
            known = ", ".join(Administrative)
            raise InvalidParameter(f"state: {request.state!r}; expected {known}", parameter="state") from None
        if state is Administrative.LOCKED and not request.force:
            _require_idle(channels)
        for channel in channels:
            self._set(channel, state, request)
        self._calls.wake()
        busy = sum(channel.lease is not None or channel.pending is not None for channel in channels)
        return AdministerReply(far_end=_far_end(line), busy=busy)

    def _set(self, channel: BChannel, state: Administrative, request: AdministerRequest) -> None:
        before = channel.administrative, channel.drained
        emergency = self._clear(channel, request.why) if state is Administrative.LOCKED else False
        channel.administer(Administrative.SHUTTING_DOWN if emergency else state)
        unlocked = state is Administrative.UNLOCKED
        channel.who, channel.why = ("", "") if unlocked else (request.who, request.why)
        channel.since_ns = 0 if unlocked else request.since_ns or time.time_ns()
        if before != (channel.administrative, channel.drained):
            self.tell_far_end(channel)
        self._channels.tell(channel)
        if unlocked and channel.free:
            self._channels.on_free(channel)

    def _clear(self, channel: BChannel, why: str) -> bool:
        """What the channel carries is being cleared; whether it carries an emergency call, which stays."""
        lease = channel.lease
        if lease is None:
            return False
        call = self._calls.by_id.get(lease.call)
        if call is None:
            self._channels.end(lease, f"the channel was locked: {why}")
            return False
        if call.emergency:
            return True
        self._channels.void(lease)
        self._calls.hangup(call, causes.TEMPORARY_FAILURE, "operator", f"the channel was locked: {why}")
        return False

    # What the far end is told, and tells.

    def link_up(self, line: SpanLine) -> None:
        """The far end may have forgotten what it was told, or never have heard it: it is told again."""
        for channel in line.bchannels.values():
            if channel.said_locked or channel.administrative is Administrative.LOCKED:
                self.tell_far_end(channel)

    def tell_far_end(self, channel: BChannel) -> None:
        """The far end knows whether the channel is locked, where it can be told."""
        line = channel.line
        if not (line.says_service and line.link_up and line.dchannel >= 0):
            return
        locked = channel.administrative is Administrative.LOCKED
        channel.said_locked = channel.said_locked or locked
        self._calls.pump.service(line.dchannel, channel.timeslot, OUT_OF_SERVICE if locked else IN_SERVICE)
        self._calls.wake()

    def on_service(self, event: Service, line: SpanLine) -> None:
        """The far end took a channel (or all, None) out of service or back: calls that are up stay."""
        for channel in line.bchannels.values():
            out = event.status != IN_SERVICE
            if event.channel not in (None, channel.timeslot) or channel.remote_oos is out:
                continue
            channel.remote_oos = out
            word = "taken out of service" if out else "back in service"
            log.info("span %s timeslot %d: %s by the far end", line.name, channel.timeslot, word)
            if channel.blocked is Disabled.QUARANTINE:
                continue
            channel.block(Disabled.REMOTE_OOS if out else None)
            self._channels.tell(channel)
            if channel.free:
                self._channels.on_free(channel)


def _named(line: SpanLine, mask: int) -> list[BChannel]:
    if not mask:
        return list(line.bchannels.values())
    named = [channel for timeslot, channel in line.bchannels.items() if mask >> timeslot & 1]
    if len(named) != mask.bit_count():
        raise InvalidParameter(f"timeslots: not all of {mask:#x} are B-channels of {line.name}", parameter="timeslots")
    return named


def _require_idle(channels: Iterable[BChannel]) -> None:
    busy = [channel for channel in channels if channel.lease is not None]
    if busy:
        slots = ", ".join(str(channel.timeslot) for channel in busy)
        raise ChannelBusy(
            f"span {busy[0].line.name}: timeslots {slots} are busy: drain them first, or force",
            holder=busy[0].lease.token if busy[0].lease else "", cause=44,
        )  # fmt: skip


def _far_end(line: SpanLine) -> str:
    if not line.carries_calls:
        return "nothing"
    return "service" if line.says_service else "alternate"
