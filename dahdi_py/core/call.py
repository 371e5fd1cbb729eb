# SPDX-License-Identifier: GPL-2.0-or-later
"""A call's phases, what may be done in each, and the timers that libpri does not have.

Phases only move on: offered or setup, proceeding, alerting, active, releasing. Each has at most one deadline.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dahdi_py.core import cause
from dahdi_py.core.terms import Node, Phase
from dahdi_py.errors import WrongCallState


class CallPhase(StrEnum):
    """How far a call has come."""

    OFFERED = "offered"
    SETUP = "setup"
    PROCEEDING = "proceeding"
    ALERTING = "alerting"
    ACTIVE = "active"
    RELEASING = "releasing"


CHANNEL_PHASE = {
    CallPhase.OFFERED: Phase.SETUP,
    CallPhase.SETUP: Phase.SETUP,
    CallPhase.PROCEEDING: Phase.SETUP,
    CallPhase.ALERTING: Phase.ALERTING,
    CallPhase.ACTIVE: Phase.ACTIVE,
    CallPhase.RELEASING: Phase.RELEASING,
}
"""What a call's channel is doing in each of its phases."""

_RANK = {phase: rank for rank, phase in enumerate(CallPhase)}


@dataclass(frozen=True, slots=True)
class CallTimers:
    """How long a call may stay where it is, s.

    Attributes:
        answer_s: T301, ringing. Source: Q.931 9.2, at least 3 minutes.
        proceed_s: T310, after CALL PROCEEDING. Source: Q.931 9.2, 10 s network, 30-120 s user.
        claim_by_s: Until an offer is refused that nobody claimed; below the far end's T303 (4 s).
        overlap_user_s: T304 of the user side. Source: Q.931 table 9-2.
        overlap_network_s: T304 of the network side. Source: Q.931 table 9-1.
        in_band_s: How long tones after DISCONNECT may be listened to; below the far end's T306 or T305 (30 s).
        unclaimed_cause: With which cause such an offer is refused.
    """

    answer_s: float = 180.0
    proceed_s: float = 60.0
    claim_by_s: float = 3.0
    overlap_user_s: float = 30.0
    overlap_network_s: float = 20.0
    in_band_s: float = 25.0
    unclaimed_cause: int = cause.TEMPORARY_FAILURE


LATEST_CLAIM_S = 3.8
"""However late a held SETUP is offered, it is refused before the far end's T303 runs out (4 s, Q.931 9.2)."""


@dataclass(frozen=True, slots=True)
class Expiry:
    """A deadline has passed: clear the call with this cause, for this reason."""

    cause: int
    reason: str


class Call:
    """One call: its phase and its deadline.

    Attributes:
        deadline: When `expire` wants to be asked, s on the monotonic clock; None when nothing runs.
        hangup_at: Detached: it is cleared then, whatever its phase.
        answer_by: Outgoing: the caller wants it answered by then.
        claimed: Incoming: a core has it.
        in_band: Audio of the far end is in the channel before the answer.

    Synchronization: one thread.
    """

    __slots__ = (
        "answer_by", "claimed", "deadline", "hangup_at", "id", "in_band", "outgoing", "overlap", "phase", "started",
        "timers",
    )  # fmt: skip

    def __init__(self, call_id: str, outgoing: bool, timers: CallTimers, now: float) -> None:
        self.id = call_id
        self.outgoing = outgoing
        self.timers = timers
        self.started = now
        self.phase = CallPhase.SETUP if outgoing else CallPhase.OFFERED
        self.claimed = False
        self.in_band = False
        self.overlap = False
        self.hangup_at: float | None = None
        self.answer_by: float | None = None
        self.deadline: float | None = None if outgoing else now + timers.claim_by_s

    def limit(self, now: float, answer_timeout_s: int, hangup_after_s: int) -> None:
        """The caller's own limits hold, counted from now; 0 is none."""
        self.answer_by = now + answer_timeout_s if answer_timeout_s else None
        self.hangup_at = now + hangup_after_s if hangup_after_s else None
        self._wait(None)

    def offer_again(self, now: float, offer_s: float) -> None:
        """A held offer may be claimed for a little longer, but never beyond the far end's patience."""
        latest = self.started + LATEST_CLAIM_S
        self.deadline = min(latest, max(self.started + self.timers.claim_by_s, now + offer_s))

    # The far end's answers to our SETUP. Each returns whether it is news.

    def acknowledged(self, now: float, node: Node) -> bool:
        """SETUP ACKNOWLEDGE came: it waits for digits."""
        if not self.outgoing or self.phase is not CallPhase.SETUP or self.overlap:
            return False
        self.overlap = True
        timers = self.timers
        self._wait(now + (timers.overlap_network_s if node is Node.NETWORK else timers.overlap_user_s))
        return True

    def proceeding(self, now: float) -> bool:
        """CALL PROCEEDING came."""
        if not self.outgoing or self.phase is not CallPhase.SETUP:
            return False
        self.phase = CallPhase.PROCEEDING
        self._wait(now + self.timers.proceed_s)
        return True

    def progressed(self, now: float) -> None:
        """PROGRESS came: T310 no longer runs, but a call does not wait for ever. Source: Q.931 table 9-2."""
        if self.outgoing and self.phase in (CallPhase.SETUP, CallPhase.PROCEEDING):
            self.phase = CallPhase.PROCEEDING
            self._wait(now + self.timers.answer_s)

    def alerting(self, now: float) -> bool:
        """ALERTING came."""
        if not self.outgoing or _RANK[self.phase] >= _RANK[CallPhase.ALERTING]:
            return False
        self.phase = CallPhase.ALERTING
        self._wait(now + self.timers.answer_s)
        return True

    def answered(self) -> bool:
        """CONNECT came."""
        if not self.outgoing or _RANK[self.phase] >= _RANK[CallPhase.ACTIVE]:
            return False
        self.phase = CallPhase.ACTIVE
        self.answer_by = None
        self._wait(None)
        return True

    # Our answers to the far end's SETUP.

    def claim(self) -> None:
        """A core has the call.

        Raises:
            WrongCallState: It is claimed already, or over.
        """
        if self.phase is not CallPhase.OFFERED:
            raise self._wrong("claim")
        self.claimed = True
        self.phase = CallPhase.PROCEEDING
        self._wait(None)

    def unclaim(self, now: float, offer_s: float) -> None:
        """The core that claimed the call is gone before it answered: it is an offer again, for `offer_s` at most.

        Raises:
            WrongCallState: It is not claimed, or answered.
        """
        self._require("unclaim", CallPhase.PROCEEDING, CallPhase.ALERTING)
        self.claimed = False
        self.phase = CallPhase.OFFERED
        self._wait(now + offer_s)

    def alert(self) -> None:
        """ALERTING goes out."""
        self._require("alert", CallPhase.PROCEEDING)
        self.phase = CallPhase.ALERTING

    def progress(self) -> None:
        """PROGRESS goes out."""
        self._require("progress", CallPhase.PROCEEDING, CallPhase.ALERTING)

    def answer(self) -> None:
        """CONNECT goes out."""
        self._require("answer", CallPhase.PROCEEDING, CallPhase.ALERTING)
        self.phase = CallPhase.ACTIVE

    # Either way.

    def send_digits(self, now: float) -> None:
        """Digits go out; the far end's patience for more begins anew."""
        if self.phase in (CallPhase.OFFERED, CallPhase.RELEASING):
            raise self._wrong("send digits")
        if self.overlap and self.phase is CallPhase.SETUP:
            self._wait(now + self.timers.overlap_user_s)

    def clearing_in_band(self, now: float) -> None:
        """The far end clears, with tones that may be listened to for a while."""
        self.phase = CallPhase.RELEASING
        self._wait(now + self.timers.in_band_s)

    def clearing(self) -> None:
        """Our clearing message is out; libpri's timers hold from here on (T305, T308)."""
        self.phase = CallPhase.RELEASING
        self.hangup_at = self.answer_by = self.deadline = None

    def again(self) -> None:
        """Another SETUP of the same call goes out on another channel."""
        self.phase = CallPhase.SETUP
        self.overlap = False
        self.in_band = False
        self._wait(None)

    def expire(self, now: float) -> Expiry | None:
        """Why the call is to be cleared now; None when no deadline has passed."""
        if self.deadline is None or now < self.deadline:
            return None
        if self.hangup_at is not None and now >= self.hangup_at:
            return Expiry(cause.NORMAL_CLEARING, "the detached call's time is up")
        if self.answer_by is not None and now >= self.answer_by:
            return Expiry(cause.NO_ANSWER, "not answered in the time the caller gave")
        if self.phase is CallPhase.OFFERED:
            return Expiry(self.timers.unclaimed_cause, "no core claimed the call")
        if self.phase is CallPhase.SETUP:
            return Expiry(cause.TIMER_EXPIRY, "T304: no answer to the digits")
        if self.phase is CallPhase.PROCEEDING:
            return Expiry(cause.TIMER_EXPIRY, "T310: nothing came after CALL PROCEEDING")
        if self.phase is CallPhase.ALERTING:
            return Expiry(cause.NO_ANSWER, "T301: nobody answered")
        return Expiry(cause.NORMAL_CLEARING, "the far end's tones after DISCONNECT lasted too long")

    def _wait(self, deadline: float | None) -> None:
        for other in (self.answer_by, self.hangup_at):
            if other is not None and (deadline is None or other < deadline):
                deadline = other
        self.deadline = deadline

    def _require(self, operation: str, *phases: CallPhase) -> None:
        if self.outgoing or self.phase not in phases:
            raise self._wrong(operation)

    def _wrong(self, operation: str) -> WrongCallState:
        direction = "outgoing" if self.outgoing else "incoming"
        return WrongCallState(
            f"{operation}: the {direction} call {self.id} is {self.phase}",
            call=self.id, state=str(self.phase), operation=operation,
        )  # fmt: skip
