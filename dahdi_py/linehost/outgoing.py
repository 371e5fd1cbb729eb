# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls we place: SETUP, what the far end answers, and another SETUP elsewhere where the first found no channel."""

from __future__ import annotations

import msgspec

from dahdi_py.core import cause as causes
from dahdi_py.core.call import CallPhase
from dahdi_py.core.q931 import in_band
from dahdi_py.core.terms import Node
from dahdi_py.errors import AllocationError, DahdiPyError, NoChannel, OutOfService, WrongCallState
from dahdi_py.ffi.libpri_commands import SetupRequest
from dahdi_py.ffi.libpri_events import (
    Alerting,
    Answered,
    CallEvent,
    CommandFailed,
    Ended,
    Proceeding,
    Progress,
    SetupAck,
)
from dahdi_py.linehost.calls import Calls
from dahdi_py.linehost.clock import utc, wall_offset
from dahdi_py.linehost.contention import Contention
from dahdi_py.linehost.line import BChannel, SpanLine
from dahdi_py.linehost.linecall import LineCall, OutgoingCall, messages
from dahdi_py.linehost.parties import bearer_codes, number_of, party_of
from dahdi_py.wire.messages.common import Bearer
from dahdi_py.wire.messages.host import Attempted, PlaceReply, PlaceRequest, Preempted, Progressed
from dahdi_py.wire.refusals import InvalidParameter


class Outgoing:
    """Places calls and follows the far end's answers.

    Attributes:
        draining: New calls are refused.

    Synchronization: the loop's thread.
    """

    def __init__(self, calls: Calls, contention: Contention) -> None:
        self._calls = calls
        self._channels = calls.channels
        self._contention = contention
        self.draining = False
        calls.retry = self._again

    def place(self, request: PlaceRequest) -> PlaceReply:
        """SETUP is on its way on a hunted channel, or on the very one of the lease.

        Raises:
            InvalidParameter: A number, name or bearer cannot be sent, or the id is in use.
            NoChannel, OutOfService: No channel of the spans can carry it.
            StaleToken: The lease has ended.
            WrongCallState: The lease carries a call already.
        """
        calls = self._calls
        if self.draining and not request.emergency:
            raise OutOfService("the line host takes no new calls", reason="draining", cause=41)
        if request.call in calls.by_id or not request.call:
            raise InvalidParameter(f"call: {request.call!r} is no new id", parameter="call")
        try:
            channel = self._channel_for(request)
        except NoChannel:
            victim = self._victim(request) if request.preempt else None
            if victim is None:
                raise
            return self._preempt(request, victim)
        call = self._new_call(request, channel)
        self._begin(call, channel)
        return PlaceReply(token=call.token, span=call.line.name, timeslot=call.timeslot)

    def _new_call(self, request: PlaceRequest, channel: BChannel) -> OutgoingCall:
        calls = self._calls
        setup, bearer = _setup(request, channel.line)
        handle = calls.pump.new_handle()
        now = calls.now()
        call = OutgoingCall(request, calls.timers, now, handle=handle, line=channel.line, bearer=bearer, setup=setup)
        call.timeslot = channel.timeslot
        call.limit(now, request.answer_timeout_s, request.hangup_after_s)
        return call

    def _begin(self, call: OutgoingCall, channel: BChannel) -> None:
        """The call has its channel, and SETUP is on its way."""
        calls, request = self._calls, call.request
        self._send(call, channel)
        if request.token:
            call.lease = self._channels.leases.find(request.token)
            call.lease.call = call.id
        else:
            call.lease = self._channels.reserve(
                channel, request.owner, exclusive=True, call=call.id, emergency=request.emergency
            )
            call.lease.group = request.group
        call.line, call.timeslot = channel.line, channel.timeslot
        calls.add(call)
        calls.journal(call)
        self._tell_attempt(call)

    # A lesser call makes room.

    def _victim(self, request: PlaceRequest) -> LineCall | None:
        """The youngest call on the channels asked for that is no emergency; None when there is none."""
        only = dict(zip(request.spans, request.masks or [-1] * len(request.spans), strict=True))
        lesser = [
            call
            for call in self._calls.by_id.values()
            if call.lease is not None
            and call.id != request.call
            and not (call.emergency or call.hung_up or call.parked)
            and only.get(call.line.name, 0) >> call.timeslot & 1
            and not call.line.channels.service
            and call.line.bchannels[call.timeslot].waiting is None
        ]
        return max(lesser, key=lambda call: call.started_ns, default=None)

    def _preempt(self, request: PlaceRequest, victim: LineCall) -> PlaceReply:
        channel = victim.line.bchannels[victim.timeslot]
        call = self._new_call(request, channel)
        self._calls.add(call)
        self._make_way(call, victim)
        return PlaceReply(token="", span=channel.line.name, timeslot=channel.timeslot)

    def _make_way(self, call: OutgoingCall, victim: LineCall) -> None:
        reason = f"pre-empted for call {call.id}"
        channel = victim.line.bchannels[victim.timeslot]
        channel.waiting, call.waits_for = call, channel
        self._calls.tell("call.preempted", victim, Preempted(by=call.id, reason=reason))
        self._calls.hangup(victim, causes.PREEMPTION, "host", reason)

    def freed(self, call: OutgoingCall, channel: BChannel) -> None:
        """The channel that the call waited for is free; or it cannot have that: then another call has to make way."""
        request = call.request
        call.waits_for = None
        try:
            # One that is free on a span that has gone down meanwhile is none.
            found = channel if channel.free and not channel.disabled else self._channel_for(request)
        except AllocationError as error:
            victim = self._victim(request)
            if victim is not None:
                self._make_way(call, victim)
            else:
                call.unplaced = request.elsewhere
                self._calls.drop(call, causes.NO_CHANNEL, "host", str(error))
            return
        try:
            self._begin(call, found)
        except DahdiPyError as error:
            self._calls.drop(call, causes.TEMPORARY_FAILURE, "host", str(error))

    def _hunt(
        self, request: PlaceRequest, tried: frozenset[BChannel] = frozenset(), own: BChannel | None = None
    ) -> BChannel:
        return self._channels.hunt(
            request.spans, request.order, calls=True, tried=tried, masks=request.masks, spare=request.spare,
            emergency=request.emergency, own=own,
        )  # fmt: skip

    def _channel_for(self, request: PlaceRequest) -> BChannel:
        if not request.token:
            return self._hunt(request)
        lease = self._channels.leases.find(request.token)
        if lease.call:
            message = f"the lease {request.token} carries the call {lease.call} already"
            raise WrongCallState(message, call=lease.call, state=str(lease.phase), operation="place")
        channel = self._channels.channel(lease.channel.span.name, lease.channel.timeslot)
        reason = channel.line.channels.service or ("" if channel.line.carries_calls else "no_dchannel")
        if reason:
            raise OutOfService(f"span {channel.line.name} is disabled: {reason}", reason=str(reason), cause=27)
        return channel

    def _send(self, call: OutgoingCall, channel: BChannel) -> None:
        setup = msgspec.structs.replace(call.setup, channel=channel.timeslot, exclusive=call.exclusive)
        try:
            self._calls.pump.setup(channel.line.dchannel, call.handle, setup)
        except ValueError as error:
            field = str(error).partition(":")[0]
            raise InvalidParameter(str(error), parameter=field) from None
        self._calls.wake()

    def _tell_attempt(self, call: OutgoingCall) -> None:
        attempt = Attempted(
            attempt=call.attempt, called=call.called, calling=call.calling, bearer=call.bearer,
            correlation=call.correlation, owner=call.owner, emergency=call.emergency, group=call.group,
        )  # fmt: skip
        self._calls.tell("call.attempt", call, attempt)

    def _again(self, call: OutgoingCall, event: Ended) -> bool:
        """Another SETUP, where this one failed for want of a channel and the core has not noticed yet."""
        glared, call.glared = call.glared, False
        refused = event.cleared_by == "peer" and event.cause in causes.RETRY_ELSEWHERE
        if call.hung_up or call.bound or call.lease is None:
            return False
        if not glared and not (refused and call.phase is CallPhase.SETUP and not call.cleared_by):
            return False
        if refused and event.cause == causes.NO_CHANNEL:
            call.full |= {call.line}
        if self._may_try(call) and self._elsewhere(call):
            self._set_up_again(call, event)
            self._send(call, call.line.bchannels[call.timeslot])
            self._calls.settle(call)
            self._tell_attempt(call)
            return True
        victim = self._victim(call.request) if call.request.preempt else None
        if victim is not None:
            self._set_up_again(call, event)
            self._calls.lose_channel(call)
            self._make_way(call, victim)
            return True
        if glared:
            call.blame("peer", f"glare: the far end took timeslot {call.timeslot} at the same moment")
        call.unplaced = call.request.elsewhere
        return False

    def _set_up_again(self, call: OutgoingCall, event: Ended) -> None:
        """The call is as before its first SETUP, but for the evidence of those that failed."""
        call.earlier += messages(event.timeline, wall_offset())
        call.attempt += 1
        call.again()
        self._calls.rename(call, self._calls.pump.new_handle())

    def _may_try(self, call: OutgoingCall) -> bool:
        """Whether another SETUP is not one more than there are channels: glare alone would find no end."""
        lines = self._channels.lines
        most = sum(len(lines[name].bchannels) for name in call.request.spans)
        return call.attempt - call.request.attempt < most

    def _elsewhere(self, call: OutgoingCall) -> bool:
        """The call is on another channel; where none is free, once more on the same, if it still has that.

        The far end may have refused that one for a call that is over by now, such as one of ours that lost glare. A
        span where it had no circuit at all is the last choice, behind those of other hosts too: there may be one again,
        or it meant only that channel.
        """
        hasty = call.request.elsewhere and not call.request.thorough
        own = None if call.parked else call.line.bchannels[call.timeslot]
        if own is not None:
            call.tried |= {own}
        full = {channel for line in call.full for channel in line.bchannels.values()}
        for tried in (call.tried | full,) if hasty else (call.tried | full, call.tried):
            try:
                self._calls.moved(call, self._hunt(call.request, tried, own))
            except AllocationError:
                continue
            return True
        if call.parked or call.tried_again or call.line.channels.service or (hasty and call.line in call.full):
            return False
        call.tried_again = True
        return True

    def stay(self) -> None:
        """The daemon that had other routes for our calls is gone, and with it the routes: what ends here has ended."""
        for call in self._calls.by_id.values():
            if isinstance(call, OutgoingCall) and call.request.elsewhere:
                call.request = msgspec.structs.replace(call.request, elsewhere=False)

    def on_failed(self, event: CommandFailed) -> None:
        """A SETUP never left: its call has no `Ended`."""
        call = self._calls.by_handle.get(event.handle)
        if call is not None and event.command == "setup":
            call.unplaced = isinstance(call, OutgoingCall) and call.request.elsewhere and not call.hung_up
            cause = causes.DESTINATION_OUT_OF_ORDER if event.reason == "dchannel_down" else causes.TEMPORARY_FAILURE
            self._calls.drop(call, cause, "line", f"SETUP could not be sent: {event.reason}")

    # What the far end answers.

    def _answering(self, event: CallEvent) -> OutgoingCall | None:
        """The call, on the channel that the far end has named."""
        call = self._calls.by_handle.get(event.handle)
        if not isinstance(call, OutgoingCall) or call.hung_up or call.glared:
            return None
        named = event.channel or (call.timeslot if call.parked else None)
        if named is not None and (named != call.timeslot or call.parked) and not self._follow(call, named):
            return None
        return call

    def _follow(self, call: OutgoingCall, timeslot: int) -> bool:
        """The call is on the channel that the far end gave it; else it is cleared. Source: Q.931 5.1.2."""
        channel = call.line.bchannels.get(timeslot)
        if channel is not None and not channel.free and not self._contention.make_room(channel):
            ours = self._contention.outgoing_at_setup(channel)
            if ours is not None and ours is not call:
                self._contention.yield_channel(ours)
        try:
            if channel is None:
                raise AllocationError("there is no such B-channel")
            self._calls.moved(call, channel)
        except AllocationError as error:
            if channel is not None and not call.bound and call.phase is CallPhase.SETUP and self._may_try(call):
                # Each end gave a call of the other's this channel: set up again, both will see what is free.
                self._contention.set_up_again(call, causes.CHANNEL_UNACCEPTABLE)
                return False
            reason = f"the far end chose timeslot {timeslot}: {error}"
            self._calls.hangup(call, causes.CHANNEL_UNACCEPTABLE, "host", reason)
            return False
        return True

    def on_setup_ack(self, event: SetupAck) -> None:
        """SETUP ACKNOWLEDGE came: digits are awaited."""
        call = self._answering(event)
        if call is not None and call.acknowledged(self._calls.now(), Node(call.line.config.node)):
            self._calls.settle(call)

    def on_proceeding(self, event: Proceeding) -> None:
        """CALL PROCEEDING came."""
        call = self._answering(event)
        if call is not None and call.proceeding(self._calls.now()):
            self._calls.settle(call)
            self._step("call.proceeding", call, event)

    def on_progress(self, event: Progress) -> None:
        """PROGRESS came."""
        call = self._answering(event)
        if call is not None:
            call.progressed(self._calls.now())
            self._calls.settle(call)
            self._step("call.progress", call, event, cause=event.cause or 0)

    def on_alerting(self, event: Alerting) -> None:
        """ALERTING came: the channel is agreed."""
        call = self._answering(event)
        if call is not None and call.alerting(self._calls.now()):
            call.alerting_ns = utc(event.ns)
            self._calls.settle(call)
            self._step("call.alerting", call, event)
            self._calls.tell_media(call)

    def on_answered(self, event: Answered) -> None:
        """CONNECT came."""
        call = self._answering(event)
        if call is not None and call.answered():
            call.answered_at = event.ns
            call.answered_ns = utc(event.ns)
            if call.emergency:
                # One that dies after this was connected: after a crash nobody needs to be alarmed.
                self._calls.journal(call)
            self._calls.settle(call)
            self._calls.tell_media(call)
            connected = party_of(event.connected, event.connected_name) if event.connected else None
            data = Progressed(in_band=in_band(event.progress), progress=max(event.progress, default=0),
                              connected=connected)  # fmt: skip
            self._calls.tell("call.answered", call, data, event.ns)

    def _step(self, kind: str, call: OutgoingCall, event: Proceeding | Progress | Alerting, cause: int = 0) -> None:
        audio = in_band(event.progress)
        progress = max(event.progress, default=0)
        self._calls.tell(kind, call, Progressed(in_band=audio, progress=progress, cause=cause), event.ns)
        if audio:
            call.in_band = True
            self._calls.tell_media(call)


def _setup(request: PlaceRequest, line: SpanLine) -> tuple[SetupRequest, Bearer]:
    """The SETUP but for its channel, and the bearer as it goes out."""
    called = number_of(request.called, "called", presented=False)
    calling = number_of(request.calling, "calling", presented=True) if request.calling else None
    redirecting = number_of(request.redirecting, "redirecting", presented=True) if request.redirecting else None
    if called is None and not request.keypad:
        raise InvalidParameter("called.number: is empty and there are no keypad digits", parameter="called.number")
    capability, layer1, bearer = bearer_codes(request.bearer or Bearer(), line.config.used_law)
    setup = SetupRequest(
        called, 0, capability=capability, layer1=layer1, complete=request.sending_complete, calling=calling,
        calling_name=request.calling.name if request.calling else "", redirecting=redirecting,
        redirecting_name=request.redirecting.name if request.redirecting else "", keypad=request.keypad,
        user_user=request.user_user,
    )  # fmt: skip
    return setup, bearer
