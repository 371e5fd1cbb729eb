# SPDX-License-Identifier: GPL-2.0-or-later
"""Every call of the host: found by id and handle, cleared, timed, ended once, recorded."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

from dahdi_py.backends.base import Missed
from dahdi_py.core import cause as causes
from dahdi_py.core.call import CHANNEL_PHASE, CallTimers
from dahdi_py.errors import NotFound
from dahdi_py.ffi.libpri import Pump
from dahdi_py.ffi.libpri_events import Ended, HangupRequest, Moment
from dahdi_py.linehost.channels import Channels
from dahdi_py.linehost.deadlines import Deadlines
from dahdi_py.linehost.journal import Journal, JournalledCall
from dahdi_py.linehost.line import BChannel, SpanLine
from dahdi_py.linehost.linecall import LineCall, OutgoingCall, release_unanswered
from dahdi_py.linehost.outbox import Outbox
from dahdi_py.wire.messages.common import dialled
from dahdi_py.wire.messages.host import HangupSeen

log = logging.getLogger("dahdi_py.linehost.calls")

Kind = TypeVar("Kind", bound=LineCall)


class Calls:
    """The calls that are up, being set up or being cleared.

    Args:
        timers: What libpri does not time.
        wake: Called when commands wait for the end of the turn.
        now: The monotonic clock, s.

    Attributes:
        retry: Asked when an outgoing call's SETUP has failed: True if another one is under way.
        restart_needed: Told of a channel whose release the far end never confirmed.
        on_none: Called when the last call is over.

    Synchronization: the loop's thread.
    """

    def __init__(
        self, channels: Channels, pump: Pump, outbox: Outbox, journal: Journal, timers: CallTimers,
        wake: Callable[[], None], now: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.channels = channels
        self.pump = pump
        self.outbox = outbox
        self.timers = timers
        self.now = now
        self.deadlines: Deadlines[LineCall] = Deadlines()
        self.by_id: dict[str, LineCall] = {}
        self.by_handle: dict[int, LineCall] = {}
        self.retry: Callable[[OutgoingCall, Ended], bool] = lambda call, event: False
        self.restart_needed: Callable[[BChannel], None] = channels.restart_needed
        self.on_none: Callable[[], None] = lambda: None
        self.wake = wake
        self._journal = journal

    def find(self, call_id: str, kind: type[Kind]) -> Kind:
        """The call of that id.

        Raises:
            NotFound: It is over, or never was, or goes the other way.
        """
        call = self.by_id.get(call_id)
        if not isinstance(call, kind):
            raise NotFound(f"no such call: {call_id}", kind="call", name=call_id)
        return call

    def add(self, call: LineCall) -> None:
        """The call is known, and will be after a crash."""
        self.by_id[call.id] = call
        self.by_handle[call.handle] = call
        self.settle(call)

    def journal(self, call: LineCall) -> None:
        """The call has a channel that a crash would leave in doubt."""
        self._journal.began(
            JournalledCall(
                call.id, call.line.name, call.timeslot, call.outgoing, call.called, call.calling, call.correlation,
                call.started_ns, call.emergency, call.answered_ns,
            )
        )  # fmt: skip

    def settle(self, call: LineCall) -> None:
        """The call's deadline is watched and its channel shows what it does."""
        self.deadlines.set(call, call.deadline)
        if call.lease is not None:
            call.lease.phase = CHANNEL_PHASE[call.phase]

    def tell(self, kind: str, call: LineCall, data: object = None, monotonic_ns: int = 0) -> None:
        """Whoever follows knows a step of the call."""
        self.outbox.put(
            kind, data, span=call.line.name, timeslot=call.timeslot, call=call.id, token=call.token,
            monotonic_ns=monotonic_ns,
        )  # fmt: skip

    def tell_media(self, call: LineCall) -> None:
        """The channel is agreed; said once."""
        if not call.media:
            call.media = True
            self.tell("call.media", call)

    def moved(self, call: LineCall, channel: BChannel) -> None:
        """The call's lease is on that channel."""
        assert call.lease is not None
        self.channels.move(call.lease, channel, emergency=call.emergency)
        call.line, call.timeslot = channel.line, channel.timeslot
        self.journal(call)

    def hangup(self, call: LineCall, cause: int, cleared_by: str, reason: str = "") -> None:
        """The call is being cleared, or refused when it was only offered; once is enough."""
        call.blame(cleared_by, reason)
        call.cause = call.cause or cause
        if call.outgoing and call.waits_for is not None:
            self.drop(call, cause, cleared_by, reason)
        elif not call.hung_up:
            call.hung_up = True
            self.pump.hangup(call.handle, cause)
            call.clearing()
            self.settle(call)
            self.wake()

    def send_digits(self, call: LineCall, digits: str, how: str, emergency: bool) -> None:
        """Digits are on their way in a message; those of the called number are part of it.

        Raises:
            WrongCallState: The call is not claimed yet, or being cleared.
        """
        call.send_digits(self.now())
        self.settle(call)
        if how == "overlap" and call.outgoing:
            call.called = dialled(call.called, digits)
            call.emergency = call.emergency or emergency
            self.journal(call)
        send = self.pump.information if how == "overlap" else self.pump.keypad
        send(call.handle, digits)
        self.wake()

    def drop(self, call: LineCall, cause: int, cleared_by: str, reason: str) -> None:
        """The call is over now, without a word to the far end."""
        call.blame(cleared_by, reason)
        moments = self.pump.timeline(call.handle)
        self.pump.destroy(call.handle)
        self.wake()
        self._finish(call, cause, None, time.monotonic_ns(), moments)

    def drop_line(self, line: SpanLine, cause: int, reason: str) -> None:
        """Every call of the span is over now: the card is gone."""
        for call in [call for call in self.by_id.values() if call.line is line]:
            self.drop(call, cause, "line", reason)

    def expire(self, now: float) -> None:
        """Calls that waited too long are cleared."""
        for call in self.deadlines.expired(now):
            expiry = call.expire(now)
            if expiry is None:
                self.deadlines.set(call, call.deadline)
            else:
                self.hangup(call, expiry.cause, "host", expiry.reason)

    def on_hangup_request(self, event: HangupRequest) -> None:
        """DISCONNECT came. With tones to hear the call waits for the core, else it is over in this turn."""
        call = self.by_handle.get(event.handle)
        if call is None:
            return
        call.blame("peer")
        cause = event.cause or causes.NORMAL_CLEARING
        seen = HangupSeen(cause=cause, location=causes.location_name(event.location), in_band=event.in_band)
        self.tell("call.hangup", call, seen, event.ns)
        if event.in_band and not call.hung_up:
            call.clearing_in_band(self.now())
            self.settle(call)
            self.tell_media(call)
        else:
            self.hangup(call, cause, "peer")

    def on_ended(self, event: Ended) -> None:
        """The call is over, unless it is an outgoing one that goes on with another SETUP."""
        call = self.by_handle.get(event.handle)
        if call is None:
            return
        if isinstance(call, OutgoingCall) and self.retry(call, event):
            return
        if event.cleared_by == "peer":
            call.blame("peer")
        else:
            call.blame("line", "a protocol timer or the signalling link ended it")
        self._finish(call, event.cause or call.cause, event.location, event.ns, event.timeline)

    def rename(self, call: LineCall, handle: int) -> None:
        """The call goes on under another handle."""
        self.by_handle.pop(call.handle, None)
        call.handle = handle
        self.by_handle[handle] = call

    def lose_channel(self, call: LineCall) -> None:
        """The call has no channel any more, whatever becomes of it."""
        if call.lease is not None:
            lease, call.lease = call.lease, None
            self.channels.end(lease)

    def _finish(
        self, call: LineCall, cause: int, location: int | None, ended_at: int, moments: Sequence[Moment]
    ) -> None:
        self.by_handle.pop(call.handle, None)
        del self.by_id[call.id]
        self.deadlines.set(call, None)
        missed = self.channels.missed(call.lease) if call.lease is not None else Missed()
        # What the core has hung up has ended, wherever else it could have gone.
        kind = "call.unplaced" if call.unplaced and not call.hung_up else "call.ended"
        self.tell(kind, call, call.record(cause, location, ended_at, moments, missed), ended_at)
        self._journal.ended(call.id)
        if call.waits_for is not None:
            call.waits_for.waiting = None
        if call.lease is not None:
            channel = cast(BChannel, call.lease.channel)
            channel.must_restart = channel.must_restart or release_unanswered(moments)
            self.lose_channel(call)
            if channel.must_restart and channel.timeslot:
                self.restart_needed(channel)
                if channel.waiting is not None and channel.waiting.outgoing:
                    # Not for as long as the far end does not answer: a call of ours can have another.
                    self.channels.on_free(channel)
        if not self.by_id:
            self.on_none()
