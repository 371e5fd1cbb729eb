# SPDX-License-Identifier: GPL-2.0-or-later
"""A call on a line: the pure call, and what its record needs."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import lru_cache
from typing import cast

import msgspec

from dahdi_py.backends.base import Missed
from dahdi_py.core.call import Call, CallTimers
from dahdi_py.core.cause import location_name
from dahdi_py.core.lease import Lease
from dahdi_py.core.q931 import RELEASE, RELEASE_COMPLETE, message_name
from dahdi_py.ffi.libpri_commands import SetupRequest
from dahdi_py.ffi.libpri_events import Moment
from dahdi_py.linehost.clock import wall_offset
from dahdi_py.linehost.line import BChannel, SpanLine
from dahdi_py.wire.messages.common import Bearer, Message, Owner, Party
from dahdi_py.wire.messages.host import CallState, Ended, Offered, PlaceRequest

NO_OWNER = Owner()


class LineCall(Call):
    """A call on a line.

    Attributes:
        handle: The pump's; another for each SETUP of an outgoing call.
        timeslot: Where it is, or was last.
        cause: We have cleared it, or its last SETUP, with this.
        lease: Its lease; None before it has a channel and after it lost it.
        media: The channel is agreed, and whoever owns the call was told.
        hung_up: We have told libpri to clear it.
        cleared_by: Who cleared it, as soon as that is known.
        error: The wire name of the error that its end is; empty for an end as calls have it.
        earlier: Messages of SETUPs before this one.
        emergency: It passes drains and hold-down, and is never pre-empted nor cleared by force.
        group: The trunk group it was placed in.
        waits_for: The only channel it can have, not yet free.
        unplaced: It is over here only, for want of a channel: the daemon has other routes for it.

    Synchronization: the loop's thread.
    """

    __slots__ = (
        "alerting_ns", "answered_at", "answered_ns", "attempt", "bearer", "called", "calling", "cause", "cleared_by",
        "correlation", "earlier", "emergency", "error", "group", "handle", "hung_up", "lease", "line", "media", "owner",
        "reason", "slot", "started_ns", "timeslot", "unplaced", "waits_for",
    )  # fmt: skip

    def __init__(
        self, call_id: str, outgoing: bool, timers: CallTimers, now: float, *, handle: int, line: SpanLine,
        called: Party, calling: Party, bearer: Bearer,
    ) -> None:  # fmt: skip
        super().__init__(call_id, outgoing, timers, now)
        self.handle = handle
        self.line = line
        self.called = called
        self.calling = calling
        self.bearer = bearer
        self.timeslot = 0
        self.lease: Lease | None = None
        self.owner = NO_OWNER
        self.correlation = ""
        self.attempt = 1
        self.started_ns = time.time_ns()
        self.alerting_ns = 0
        self.answered_ns = 0
        self.answered_at = 0
        self.media = False
        self.hung_up = False
        self.cause = 0
        self.cleared_by = ""
        self.reason = ""
        self.error = ""
        self.earlier: list[Message] = []
        self.emergency = False
        self.group = ""
        self.waits_for: BChannel | None = None
        self.unplaced = False
        self.slot = 0

    @property
    def detached(self) -> bool:
        """Whether it outlives whoever placed it, and ends by itself."""
        return False

    @property
    def parked(self) -> bool:
        """Whether it has lost its channel, and the far end has yet to name another."""
        return self.lease is not None and not self.lease.channel.timeslot

    @property
    def token(self) -> str:
        """Its lease's token; empty when it has none."""
        return self.lease.token if self.lease else ""

    def blame(self, cleared_by: str, reason: str = "") -> None:
        """Who cleared the call is known; the first to do so stands."""
        if not self.cleared_by:
            self.cleared_by = cleared_by
            self.reason = reason

    def state(self) -> CallState:
        """The call as the daemon is told it."""
        lease = self.lease
        return CallState(
            call=self.id, direction="outgoing" if self.outgoing else "incoming", phase=str(self.phase),
            span=self.line.name, timeslot=0 if self.parked else self.timeslot, token=self.token, called=self.called,
            calling=self.calling, bearer=self.bearer, started_ns=self.started_ns, claimed=self.claimed,
            answered_ns=self.answered_ns, attempt=self.attempt, correlation=self.correlation, media=self.media,
            orphaned=lease.orphaned if lease else False, detached=self.hangup_at is not None, owner=self.owner,
            emergency=self.emergency, group=self.group,
        )  # fmt: skip

    def record(
        self, cause: int, location: int | None, ended_at: int, moments: Iterable[Moment], missed: Missed
    ) -> Ended:
        """The call's record, whole.

        Args:
            ended_at: When it ended, ns on the monotonic clock.
            moments: Its messages since the last SETUP.
            missed: What its audio lost.
        """
        offset = wall_offset()
        return Ended(
            direction="outgoing" if self.outgoing else "incoming", called=self.called, calling=self.calling,
            bearer=self.bearer, span=self.line.name, timeslot=self.timeslot, attempt=self.attempt, cause=cause,
            location=location_name(location), cleared_by=self.cleared_by, reason=self.reason,
            started_ns=self.started_ns, alerting_ns=self.alerting_ns, answered_ns=self.answered_ns,
            ended_ns=ended_at + offset, duration_ns=ended_at - self.answered_at if self.answered_at else 0,
            messages=[*self.earlier, *messages(moments, offset)], correlation=self.correlation, owner=self.owner,
            emergency=self.emergency, group=self.group, overruns=missed.overruns, underruns=missed.underruns,
            error=self.error,
        )  # fmt: skip


class IncomingCall(LineCall):
    """A call the far end placed.

    Attributes:
        offer: What the SETUP said.
        shown: The offer is out.
        proceeded: CALL PROCEEDING went out: a core claimed it before.
    """

    __slots__ = ("offer", "proceeded", "shown")

    def __init__(
        self, call_id: str, timers: CallTimers, now: float, *, handle: int, line: SpanLine, offer: Offered
    ) -> None:
        super().__init__(
            call_id, False, timers, now, handle=handle, line=line, called=offer.called, calling=offer.calling,
            bearer=offer.bearer,
        )  # fmt: skip
        self.offer = offer
        self.shown = False
        self.proceeded = False


class OutgoingCall(LineCall):
    """A call we placed.

    Attributes:
        request: What was asked for.
        setup: What the SETUP said.
        bound: On a lease the core had: this channel or none.
        tried: Channels the far end did not want.
        full: Spans on which it had no circuit for us.
        tried_again: The last of them was asked for twice.
        glared: Its SETUP named a channel that a call of the far end's has; it is being cleared, to be set up again.
    """

    __slots__ = ("bound", "full", "glared", "request", "setup", "tried", "tried_again")

    def __init__(
        self, request: PlaceRequest, timers: CallTimers, now: float, *, handle: int, line: SpanLine,
        bearer: Bearer, setup: SetupRequest,
    ) -> None:  # fmt: skip
        super().__init__(
            request.call, True, timers, now, handle=handle, line=line, called=request.called,
            calling=request.calling or Party(), bearer=bearer,
        )  # fmt: skip
        self.request = request
        self.setup = setup
        self.bound = bool(request.token)
        self.owner = request.owner
        self.correlation = request.correlation
        self.attempt = request.attempt
        self.emergency = request.emergency
        self.group = request.group
        self.tried: frozenset[BChannel] = frozenset()
        self.full: frozenset[SpanLine] = frozenset()
        self.tried_again = False
        self.glared = False

    @property
    def detached(self) -> bool:
        """Whether it outlives whoever placed it, and ends by itself."""
        return self.request.hangup_after_s > 0

    @property
    def exclusive(self) -> bool:
        """Whether the SETUP accepts no other channel."""
        return self.bound or self.request.exclusive


def messages(moments: Iterable[Moment], offset: int) -> list[Message]:
    """The messages as evidence, already as JSON: what does not change from call to call is made once.

    Args:
        offset: Wall clock less monotonic clock, ns.
    """
    told = [
        msgspec.Raw(
            b'%b%d,"monotonic_ns":%d}'
            % (_message_head(each.message_type, each.direction, each.cause, each.location), each.ns + offset, each.ns)
        )
        for each in moments
    ]
    return cast("list[Message]", told)


@lru_cache(maxsize=1024)
def _message_head(message_type: int, direction: str, cause: int | None, location: int | None) -> bytes:
    head = {
        "name": message_name(message_type), "sent": direction == "out", "cause": cause or 0,
        "location": location_name(location),
    }  # fmt: skip
    return msgspec.json.encode(head)[:-1] + b',"utc_ns":'


def release_unanswered(moments: Iterable[Moment]) -> bool:
    """Whether our RELEASE went out twice and nothing came back. Source: Q.931 5.3.3, second expiry of T308."""
    releases = 0
    for moment in moments:
        if moment.message_type == RELEASE:
            releases += moment.direction == "out"
        elif moment.message_type == RELEASE_COMPLETE:
            return False
    return releases >= 2
