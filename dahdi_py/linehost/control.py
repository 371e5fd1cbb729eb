# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Host` as the line host answers it: one controller at a time, the one with the highest epoch."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from typing import Any

import dahdi_py
from dahdi_py.errors import AccessError
from dahdi_py.linehost.host import LineHost
from dahdi_py.linehost.leasing import Leasing
from dahdi_py.linehost.linecall import IncomingCall, LineCall
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import host as messages
from dahdi_py.wire.refusals import InvalidParameter
from dahdi_py.wire.server import Handler, Peer, Request

log = logging.getLogger("dahdi_py.linehost.control")

_DONE = Empty()


class Control:
    """Obeys the controller, and knows what to do without one.

    Args:
        linger_s: Without a controller for so long, the host drains and ends.

    Attributes:
        epoch: The controller's; a lower one is refused.

    Synchronization: the loop's thread.
    """

    def __init__(self, host: LineHost, linger_s: float) -> None:
        self._host = host
        self._linger_s = linger_s
        self.epoch = 0
        self._controller: Peer | None = None
        self._monitor: Peer | None = None
        self._alone: asyncio.TimerHandle | None = None
        self._drained_alone = False
        self._begin_alone()

    def handlers(self) -> dict[str, Handler]:
        """The interface's methods."""
        commands: dict[str, Callable[[Any], Any]] = {
            "Commit": self._commit,
            "Ready": self._ready,
            "Release": self._release,
            "Assign": self._assign,
            "Place": self._host.outgoing.place,
            "Claim": self._claim,
            "Alert": self._alert,
            "Progress": self._progress,
            "Answer": self._answer,
            "Hangup": self._hangup,
            "SendDigits": self._send_digits,
            "Renew": self._renew,
            "Administer": self._host.administration.administer,
            "Unclaim": self._unclaim,
            "Counters": self._counters,
            "LiftHoldDown": lambda asked: self._host.lift_hold_down(asked.span),
            "Drain": self._drain,
            "Stop": self._stop,
        }
        handlers: dict[str, Handler] = {name: self._obeyed(command) for name, command in commands.items()}
        handlers.update({name: self._controlled(handler) for name, handler in Leasing(self._host).handlers().items()})
        handlers.update(Attach=self._attach, Monitor=self._follow)
        return handlers

    def _controlled(self, handler: Handler) -> Handler:
        def handle(request: Request, parameters: Any) -> None:
            if request.peer is not self._controller:
                raise self._stranger()
            handler(request, parameters)

        return handle

    def _obeyed(self, command: Callable[[Any], Any]) -> Handler:
        def handle(request: Request, parameters: Any) -> None:
            if request.peer is not self._controller:
                raise self._stranger()
            request.reply(command(parameters) or _DONE)

        return handle

    def _stranger(self) -> AccessError:
        return AccessError(f"this connection does not control the line host: Attach with an epoch above {self.epoch}")

    # Who controls.

    def _attach(self, request: Request, parameters: messages.AttachRequest) -> None:
        if parameters.epoch < self.epoch:
            raise AccessError(f"a controller of epoch {self.epoch} has come since {parameters.epoch}")
        self.epoch = parameters.epoch
        self._host.incoming.serve(False)
        old, self._controller = self._controller, request.peer
        if old is not request.peer:
            self._host.lease_ends.daemon_lost()
            self._host.outgoing.stay()
            self._host.seconds.wanted = parameters.protocol >= 2
            if not self._host.seconds.wanted:
                self._host.outbox.forget_seconds()
            log.info("controlled by pid %d, epoch %d, version %s", request.peer.pid, self.epoch, parameters.version)
            for peer in (old, self._monitor):
                if peer is not None:
                    peer.close()
        if self._alone is not None:
            self._alone.cancel()
            self._alone = None
        if self._drained_alone:
            self._drained_alone = False
            self._host.stay()
        host = self._host
        request.reply(
            messages.AttachReply(
                host=host.name, protocol=messages.PROTOCOL, version=dahdi_py.__version__, pid=os.getpid(),
                started_ns=host.started_ns, draining=host.draining, snapshot=host.snapshot(),
            )
        )  # fmt: skip

    def disconnected(self, peer: Peer) -> None:
        """A connection has ended; without its controller the host goes on alone."""
        if peer is self._monitor:
            self._monitor = None
            self._host.outbox.leave()
        if peer is self._controller:
            self._controller = None
            self._host.incoming.serve(False)
            self._host.lease_ends.daemon_lost()
            self._begin_alone()

    def _begin_alone(self) -> None:
        self._alone = asyncio.get_running_loop().call_later(self._linger_s, self._alone_too_long)

    def _alone_too_long(self) -> None:
        log.warning("no controller for %g s: draining, then ending", self._linger_s)
        self._drained_alone = True
        self._host.end_when_idle()

    def _follow(self, request: Request, parameters: messages.MonitorRequest) -> None:
        if self._controller is None or parameters.epoch != self.epoch:
            raise self._stranger()
        if self._monitor is not None and self._monitor is not request.peer:
            self._monitor.close()
        self._monitor = request.peer
        after = parameters.after
        known = after is not None and after.epoch == self._host.start
        self._host.outbox.follow(
            lambda reply: request.reply(reply, continues=True), after.n if after is not None and known else 0
        )

    def _commit(self, parameters: messages.CommitRequest) -> None:
        if parameters.start == self._host.start:
            self._host.outbox.commit(parameters.n, parameters.durable)

    def _ready(self, parameters: messages.ReadyRequest) -> None:
        self._host.incoming.serve(True)
        if parameters.reclaim_s > 0:
            self._host.lease_ends.await_owners(parameters.reclaim_s)

    # Leases.

    def _renew(self, parameters: messages.RenewRequest) -> None:
        self._host.lease_ends.detach(self._host.channels.leases.find(parameters.token), parameters.detach_s)

    def _unclaim(self, parameters: messages.UnclaimRequest) -> None:
        self._host.incoming.unclaim(self._host.calls.find(parameters.call, IncomingCall), parameters.offer_s)

    def _counters(self, parameters: messages.TokenRequest) -> messages.CountersReply:
        missed = self._host.channels.missed(self._host.channels.leases.find(parameters.token))
        return messages.CountersReply(overruns=missed.overruns, underruns=missed.underruns)

    def _release(self, parameters: messages.ReleaseRequest) -> None:
        channels = self._host.channels
        lease = channels.leases.find(parameters.token)
        call = self._host.calls.by_id.get(lease.call)
        if call is None:
            channels.end(lease)
            return
        channels.void(lease)
        self._host.calls.hangup(call, _cause(parameters.cause), parameters.cleared_by, parameters.reason)

    def _assign(self, parameters: messages.AssignRequest) -> None:
        lease = self._host.channels.leases.find(parameters.token)
        self._host.lease_ends.assign(lease, parameters.owner, parameters.orphaned, parameters.expires_s)

    # Calls.

    def _claim(self, parameters: messages.ClaimRequest) -> messages.ClaimReply:
        call = self._host.calls.find(parameters.call, IncomingCall)
        return self._host.incoming.claim(call, parameters.owner, parameters.group)

    def _alert(self, parameters: messages.CallRequest) -> None:
        self._host.incoming.alert(self._host.calls.find(parameters.call, IncomingCall), parameters.in_band)

    def _progress(self, parameters: messages.CallRequest) -> None:
        call = self._host.calls.find(parameters.call, IncomingCall)
        self._host.incoming.progress(call, parameters.in_band, _cause(parameters.cause, none=True))

    def _answer(self, parameters: messages.CallRequest) -> None:
        self._host.incoming.answer(self._host.calls.find(parameters.call, IncomingCall))

    def _hangup(self, parameters: messages.HangupRequest) -> None:
        call = self._host.calls.find(parameters.call, LineCall)
        self._host.calls.hangup(call, _cause(parameters.cause), parameters.cleared_by, parameters.reason)

    def _send_digits(self, parameters: messages.DigitsRequest) -> None:
        if parameters.how not in ("overlap", "keypad"):
            raise InvalidParameter(f"how: {parameters.how!r}; expected overlap or keypad", parameter="how")
        if not 1 <= len(parameters.digits) <= 32 or not parameters.digits.isascii():
            raise InvalidParameter("digits: 1 to 32 digits of IA5 text", parameter="digits")
        call = self._host.calls.find(parameters.call, LineCall)
        self._host.calls.send_digits(call, parameters.digits, parameters.how, parameters.emergency)

    def _drain(self, parameters: messages.DrainRequest) -> None:
        self._host.drain(parameters.on)

    def _stop(self, parameters: messages.StopRequest) -> None:
        self._host.stop(_cause(parameters.cause), parameters.reason)


def _cause(value: int, *, none: bool = False) -> int:
    if not (0 if none else 1) <= value <= 127:
        raise InvalidParameter(f"cause: {value} is none of 1-127", parameter="cause")
    return value
