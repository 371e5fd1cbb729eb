# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls of the far end's: a channel for each SETUP, held while no daemon serves, offered, claimed, answered."""

from __future__ import annotations

import time
from collections.abc import Callable

from dahdi_py.core import cause as causes
from dahdi_py.core.call import CallPhase
from dahdi_py.core.q931 import IN_BAND_NOW
from dahdi_py.core.terms import Phase
from dahdi_py.errors import AllocationError, NotFound
from dahdi_py.ffi.libpri_events import InfoReceived, KeypadDigits, Ring
from dahdi_py.linehost.calls import Calls
from dahdi_py.linehost.clock import utc
from dahdi_py.linehost.contention import Contention
from dahdi_py.linehost.line import BChannel, SpanLine
from dahdi_py.linehost.linecall import NO_OWNER, IncomingCall, OutgoingCall
from dahdi_py.linehost.parties import bearer_of, party_of
from dahdi_py.wire.messages.common import Owner
from dahdi_py.wire.messages.host import ClaimReply, Digits, Offered, Progressed

HELD_OFFER_S = 1.0
"""A held offer may still be claimed for so long once a daemon serves."""


class _Refused(Exception):
    """No channel for this SETUP: the cause, and why."""

    def __init__(self, cause: int, reason: str) -> None:
        super().__init__(reason)
        self.cause = cause
        self.reason = reason


class _Waits(Exception):
    """The only channel this SETUP can have is about to be free."""

    def __init__(self, channel: BChannel) -> None:
        super().__init__()
        self.channel = channel


class Incoming:
    """Takes calls from the line to whoever claims them.

    Args:
        name_call: Gives each call its globally unique id.

    Attributes:
        serving: A daemon is there and ready: offers flow.
        draining: New calls are refused.
        freed: Told of a call of ours that waited for a channel, when that is free or quarantined.

    Synchronization: the loop's thread.
    """

    def __init__(self, calls: Calls, contention: Contention, name_call: Callable[[], str]) -> None:
        self._calls = calls
        self._channels = calls.channels
        self._contention = contention
        self._name_call = name_call
        self.serving = False
        self.draining = False
        self.freed: Callable[[OutgoingCall, BChannel], None] = lambda call, channel: None
        calls.channels.on_free = self._on_free

    def on_ring(self, event: Ring, line: SpanLine) -> None:
        """SETUP came: it gets a channel and is offered, or held, or refused."""
        offer = _offer(event, line)
        now = self._calls.now()
        call = IncomingCall(
            self._name_call(), self._calls.timers, now, handle=event.handle, line=line, offer=offer
        )  # fmt: skip
        self._calls.add(call)
        if self.draining:
            self._calls.hangup(call, self._calls.timers.unclaimed_cause, "host", "the line host takes no new calls")
            return
        try:
            self._take(call, self._choose(line, event.channel, event.exclusive))
        except _Waits as waits:
            call.waits_for = waits.channel
            waits.channel.waiting = call
        except _Refused as refusal:
            self._calls.hangup(call, refusal.cause, "host", refusal.reason)

    def _take(self, call: IncomingCall, channel: BChannel) -> None:
        try:
            call.lease = self._channels.reserve(channel, call.owner, exclusive=True, call=call.id)
        except AllocationError as error:
            raise _Refused(causes.CHANNEL_NOT_AVAILABLE, str(error)) from None
        call.timeslot = channel.timeslot
        self._calls.settle(call)
        self._calls.journal(call)
        if self.serving:
            self._show(call)

    def _choose(self, line: SpanLine, timeslot: int | None, exclusive: bool) -> BChannel:
        """The channel for a SETUP. Source: Q.931 5.2.3.1."""
        if timeslot is None:
            return self._alternate(line)
        channel = line.bchannels.get(timeslot)
        if channel is None:
            raise _Refused(causes.CHANNEL_DOES_NOT_EXIST, f"timeslot {timeslot} is no B-channel")
        self._channels.settle(channel)
        if channel.free or (self._taken_from_ours(channel, exclusive) and channel.free):
            return channel
        if exclusive:
            if _about_to_be_free(channel):
                raise _Waits(channel)
            why = channel.disabled or channel.phase or channel.administrative
            raise _Refused(causes.CHANNEL_NOT_AVAILABLE, f"timeslot {timeslot}, which alone would do, is {why}")
        return self._alternate(line)

    def _alternate(self, line: SpanLine) -> BChannel:
        try:
            return self._channels.hunt([line.name], calls=True)
        except AllocationError as error:
            for channel in line.bchannels.values():
                if _about_to_be_free(channel):
                    raise _Waits(channel) from None
            raise _Refused(causes.NO_CHANNEL, str(error)) from None

    def _taken_from_ours(self, channel: BChannel, exclusive: bool) -> bool:
        """What we had on the channel is elsewhere now: a bare lease, or the loser of glare."""
        lease = channel.lease
        if lease is None or channel.disabled:
            return False
        if not lease.call:
            # A client's copy of the descriptor keeps the channel busy: not worth disturbing it where another will do.
            return (exclusive or not lease.opened) and self._contention.make_room(channel)
        ours = self._contention.outgoing_at_setup(channel)
        if ours is None:
            return False
        if self._contention.far_end_wins(ours, exclusive):
            self._contention.yield_channel(ours)
            return True
        if exclusive:
            raise _Refused(causes.NO_CHANNEL, f"glare: our call has timeslot {channel.timeslot}")
        return False

    def _on_free(self, channel: BChannel) -> None:
        call, channel.waiting = channel.waiting, None
        if call is None:
            return
        if isinstance(call, OutgoingCall):
            self.freed(call, channel)
            return
        call.waits_for = None
        if call.hung_up or not isinstance(call, IncomingCall):
            return
        try:
            self._take(call, channel)
        except _Refused as refusal:
            self._calls.hangup(call, refusal.cause, "host", refusal.reason)

    def serve(self, serving: bool) -> None:
        """A daemon is ready: every call that nobody claimed is offered (again); or none is there."""
        self.serving = serving
        if not serving:
            return
        now = self._calls.now()
        for call in self._calls.by_id.values():
            if isinstance(call, IncomingCall) and call.phase is CallPhase.OFFERED and call.lease is not None:
                call.offer_again(now, HELD_OFFER_S)
                self._calls.settle(call)
                self._show(call)

    def _show(self, call: IncomingCall) -> None:
        call.shown = True
        self._calls.tell("call.offered", call, call.offer)

    def on_digits(self, event: InfoReceived | KeypadDigits) -> None:
        """Digits came in a message."""
        call = self._calls.by_handle.get(event.handle)
        if call is not None and event.digits:
            how = "overlap" if isinstance(event, InfoReceived) else "keypad"
            self._calls.tell("call.digits", call, Digits(digits=event.digits, how=how), event.ns)

    # What the core does.

    def claim(self, call: IncomingCall, owner: Owner, group: str = "") -> ClaimReply:
        """CALL PROCEEDING goes out with the channel, which is agreed with it.

        Raises:
            WrongCallState: It is claimed already, or over.
        """
        call.claim()
        lease = call.lease
        assert lease is not None
        call.owner = lease.owner = owner
        call.group = group
        self._calls.settle(call)
        if not call.proceeded:
            call.proceeded = True
            self._calls.pump.proceeding(call.handle, call.timeslot)
            self._calls.wake()
        self._calls.tell_media(call)
        return ClaimReply(token=lease.token, span=call.line.name, timeslot=call.timeslot)

    def unclaim(self, call: IncomingCall, offer_s: float) -> None:
        """The core that had the call is gone: it is an offer again, for so long at most.

        Raises:
            WrongCallState: It is not claimed, or answered already.
        """
        lease = call.lease
        if lease is None:
            raise NotFound(f"call {call.id} has no channel any more", kind="call", name=call.id)
        call.unclaim(self._calls.now(), offer_s)
        call.owner = lease.owner = NO_OWNER
        call.media = False
        self._calls.settle(call)
        self._calls.tell("call.unclaimed", call)

    def alert(self, call: IncomingCall, in_band: bool) -> None:
        """ALERTING goes out, unless it did for another core before.

        Raises:
            WrongCallState: It is not claimed, or alerting already.
        """
        call.alert()
        self._calls.settle(call)
        if not call.alerting_ns:
            call.alerting_ns = time.time_ns()
            self._calls.pump.alerting(call.handle, call.timeslot, in_band=in_band)
            self._calls.wake()
        self._step("call.alerting", call, in_band)

    def progress(self, call: IncomingCall, in_band: bool, cause: int) -> None:
        """PROGRESS goes out.

        Raises:
            WrongCallState: It is not claimed, or answered.
        """
        call.progress()
        self._calls.pump.progress(call.handle, call.timeslot, in_band=in_band, cause=cause)
        self._calls.wake()
        self._step("call.progress", call, in_band, cause)

    def answer(self, call: IncomingCall) -> None:
        """CONNECT goes out.

        Raises:
            WrongCallState: It is not claimed, or answered already.
        """
        call.answer()
        call.answered_at = time.monotonic_ns()
        call.answered_ns = utc(call.answered_at)
        self._calls.settle(call)
        self._calls.pump.answer(call.handle, call.timeslot)
        self._calls.wake()
        self._step("call.answered", call, True)

    def _step(self, kind: str, call: IncomingCall, in_band: bool, cause: int = 0) -> None:
        progress = IN_BAND_NOW if in_band and kind != "call.answered" else 0
        self._calls.tell(kind, call, Progressed(in_band=in_band, progress=progress, cause=cause))


def _about_to_be_free(channel: BChannel) -> bool:
    """Whether the channel's last call is being cleared and nobody waits for it yet."""
    return channel.phase is Phase.RELEASING and not channel.blocked and channel.waiting is None


def _offer(event: Ring, line: SpanLine) -> Offered:
    bearer = bearer_of(event.capability, event.layer1)
    return Offered(
        called=party_of(event.called),
        calling=party_of(event.calling, event.calling_name),
        bearer=bearer,
        law=bearer.layer1 or str(line.config.used_law),
        bchannel=event.channel or 0,
        exclusive=event.exclusive,
        redirecting=party_of(event.redirecting, event.redirecting_name) if event.redirecting else None,
        sending_complete=event.complete,
        progress=max(event.progress, default=0),
        user_user=event.user_user,
        keypad=event.keypad,
    )
