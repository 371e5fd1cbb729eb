# SPDX-License-Identifier: GPL-2.0-or-later
"""One client's connection as a server sees it: its requests, and the order of their answers."""

from __future__ import annotations

import logging
import socket
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic

from dahdi_py.errors import DahdiPyError
from dahdi_py.wire.dispatch import Routes
from dahdi_py.wire.framing import (
    Reader,
    close_all,
    format_error,
    parse_call,
    receive,
    receive_octets,
)
from dahdi_py.wire.loop import Loop, Timer, turn
from dahdi_py.wire.output import Output
from dahdi_py.wire.peer import Hooks, Limits, Peer
from dahdi_py.wire.refusals import ProtocolError, VarlinkError
from dahdi_py.wire.request import Request
from dahdi_py.wire.turns import Turns

__all__ = ["Connection", "Request"]

log = logging.getLogger("dahdi_py.wire")


class Connection:
    """Reads one client's calls, has them handled, and sends the answers in order.

    Synchronization: external; only from the loop's thread.
    """

    def __init__(
        self,
        loop: Loop,
        sock: socket.socket,
        peer: Peer,
        routes: Routes,
        hooks: Hooks,
        limits: Limits,
        turns: Turns,
        on_closed: Callable[[Connection], None],
        receive_fds: bool,
    ) -> None:
        self.peer = peer
        self._loop = loop
        self._sock = sock
        self._routes = routes
        self._hooks = hooks
        self._limits = limits
        self._turns = turns
        self._user = turns.user(peer.uid)
        self._under_way = 0
        self._held = 0
        self._stream: Request | None = None
        self._on_closed = on_closed
        self._receive = receive if receive_fds else receive_octets
        self._reader = Reader(limits.request_octets, descriptors=256)
        self._inbox: deque[bytes] = deque()
        self._unanswered: deque[Request] = deque()
        self._partial_timer: Timer | None = None
        self._reading = True
        self._working = False
        self._due = False
        self._ending = False
        self._complained = False
        self._output = Output(
            loop,
            sock,
            octets=limits.output_octets,
            messages=limits.output_messages,
            on_overflow=self._overflow,
            on_broken=lambda _error: self._abandon(self.close),
            on_drained=self._drained,
        )
        loop.add_reader(sock.fileno(), self._readable)

    def _readable(self) -> None:
        try:
            data, fds = self._receive(self._sock)
        except (BlockingIOError, InterruptedError):
            return
        except ProtocolError as error:
            self._end(error)
            return
        except OSError:
            self.close()
            return
        if not data:
            if self._reader.partial:
                self._complain(ProtocolError("closed in the middle of a message"))
            self.close()
            return
        messages = self._reader.feed(data, fds)
        fresh = not self._inbox
        self._inbox.extend(messages)
        with turn:
            self._work(fresh=fresh)
            if self._reader.fault:
                self._end(self._reader.fault)
        if (self._reader.partial or self._partial_timer) and not self._ending:
            self._watch_partial(bool(messages))

    def _work(self, *, fresh: bool = False) -> None:
        """Calls are handled now, if it is nobody else's turn; else when the connection's has come."""
        if self._working:
            return
        if self._due:
            self._read_on(not self._inbox)
        elif self._inbox and self._turns.full():
            self._join(fresh=fresh)
        else:
            self._handle_some()

    def _join(self, *, fresh: bool = False) -> None:
        self._due = True
        self._turns.join(self.peer.uid, self, fresh=fresh)

    def take_turn(self) -> None:
        """Some of the client's calls are handled, if there are any."""
        self._due = False
        if not self.peer.closed:
            with turn:
                self._handle_some()

    def _handle_some(self) -> None:
        """Calls are handled until the turn is others', or the client has to read, or the owner to answer."""
        inbox = self._inbox
        if inbox:
            self._working = True
            left, until = self._turns.share()
            while inbox and left and self._may():
                left -= 1
                self._handle(inbox.popleft())
                now = monotonic()
                if now >= until:
                    left = 0
                self._turns.worked(now)
            self._working = False
            if inbox:
                output = self._output
                if not left or (output.queued and not output.waiting):
                    self._join()
                # Else it goes on once the client has read, or an owner answered.
        self._read_on(not inbox)

    def _may(self) -> bool:
        """Whether one more call may be handled, as far as this client's own answers are concerned."""
        output, limits = self._output, self._limits
        return (
            not output.waiting
            and output.queued + self._held < limits.turn_octets
            and len(self._unanswered) < limits.unanswered
            and self._turns.may(self._user, self._under_way)
        )

    def _read_on(self, on: bool) -> None:
        """More is read from the client only when what it said was handled."""
        if on != self._reading and not self._ending and not self.peer.closed:
            self._reading = on
            if on:
                self._loop.add_reader(self._sock.fileno(), self._readable)
            else:
                self._loop.remove_reader(self._sock.fileno())
            self._watch_partial(True)

    @property
    def waiting(self) -> bool:
        """Whether the client has to read before more can be sent."""
        return self._output.waiting

    def _handle(self, message: bytes) -> None:
        try:
            call = parse_call(message)
            fds = self._reader.take(call.fds) if call.fds else []
        except ProtocolError as error:
            self._end(error)
            return
        if self._stream is not None:
            close_all(fds)
            self._end(ProtocolError(f"{call.method} behind the stream of {self._stream.method}, which has not ended"))
            return
        request = Request(self, self.peer, call, fds)
        if not call.oneway:
            self._unanswered.append(request)
        try:
            route = self._routes.find(call.method)
            if self._hooks.authorize is not None:
                self._hooks.authorize(self.peer, route.interface, route.method)
            route.handler(request, route.parameters(call))
            if not request.answered:
                self._begun(request, stream=route.method.stream)
        except DahdiPyError as error:
            if isinstance(error, VarlinkError):
                self._complain(error)
            close_all(request.fds)
            request.fail(error)
        except Exception as error:
            close_all(request.fds)
            request.failed(error)

    def _begun(self, request: Request, *, stream: bool) -> None:
        if stream:
            self._stream = request
            return
        request.under_way = True
        if not self._under_way:
            self._user.busy += 1
        self._under_way += 1
        self._user.under_way += 1

    def completed(self, request: Request) -> None:
        """The request counts no more against what the client may have under way."""
        request.under_way = False
        self._under_way -= 1
        if not self._under_way:
            self._user.busy -= 1
        self._user.under_way -= 1

    def _complain(self, error: DahdiPyError) -> None:
        if not self._complained:
            self._complained = True
            # What a client wrote may be in it: neither long nor with lines of its own.
            log.warning("%r: %.300s", self.peer, "".join(sign if sign.isprintable() else "?" for sign in str(error)))

    def answer(self, request: Request, message: bytes, fds: Sequence[int], *, last: bool) -> None:
        """The answer is sent, once every earlier request has its last one; the descriptors are ours."""
        if request.answered:
            close_all(fds)
            if not self.peer.closed:
                log.error("%s was answered twice", request.method)
            return
        if last:
            request.answered = True
            if request.under_way:
                self.completed(request)
                if self._inbox and not self._working and not self._due:
                    # A flood goes on in its turn, not as soon as it is answered.
                    self._join()
            elif request is self._stream:
                self._stream = None
        if request.oneway or self.peer.closed:
            close_all(fds)
        elif self._unanswered[0] is not request:
            self._hold(request, message, fds)
        else:
            self._output.push(message, fds)
            if last and not self.peer.closed:
                self._unanswered.popleft()
                self._release_held()
        if last and self._inbox and not self._working:
            with turn:
                self._work()

    def _hold(self, request: Request, message: bytes, fds: Sequence[int]) -> None:
        if request.held is None:
            request.held = []
        request.held.append((message, fds))
        self._held += len(message)
        if self._held + self._output.queued > self._limits.output_octets:
            self._overflow()

    def _release_held(self) -> None:
        unanswered = self._unanswered
        while unanswered and unanswered[0].held is not None:
            request = unanswered[0]
            held, request.held = request.held or (), None
            for message, fds in held:
                self._held -= len(message)
                self._output.push(message, fds)
            if not request.answered or self.peer.closed:
                break
            unanswered.popleft()

    def _drained(self) -> None:
        if self._ending:
            self.close()
            return
        with turn:
            self._work()

    def _overflow(self) -> None:
        if self._ending or self.peer.closed:
            return
        log.warning("%r does not read: cut off with %d octets waiting", self.peer, self._output.queued + self._held)
        self._abandon(self._cut_off)

    def _cut_off(self) -> None:
        if self._hooks.on_overflow is not None and not self.peer.closed:
            try:
                self._hooks.on_overflow(self.peer)
            except Exception:
                log.exception("%r: its slowness could not be handled", self.peer)
        self.close()

    def _abandon(self, then: Callable[[], None]) -> None:
        """Nothing goes in or out any more; the end is told from the loop, never from inside an owner's `reply`."""
        self._ending = True
        self._inbox.clear()
        self._stop_reading()
        self._output.close()
        self._loop.call_later(0, then)

    def _stop_reading(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._sock.fileno())

    def _watch_partial(self, progressed: bool) -> None:
        """Half a message has its time while we read: who has to wait for us is not late."""
        waiting = self._reader.partial and self._reading and not self._ending
        if self._partial_timer is not None:
            if waiting and not progressed:
                return
            self._partial_timer.cancel()
            self._partial_timer = None
        if waiting:
            self._partial_timer = self._loop.call_later(self._limits.partial_s, self._partial_expired)

    def _partial_expired(self) -> None:
        self._partial_timer = None
        self._end(ProtocolError(f"half a message, and no more of it within {self._limits.partial_s:g} s"))

    def _end(self, error: DahdiPyError) -> None:
        """The client is told why, once, and the connection ends."""
        if self._ending or self.peer.closed:
            return
        self._complain(error)
        self._ending = True
        self._inbox.clear()
        self._stop_reading()
        self._output.push(format_error(error))
        self._output.flush()
        if not self._output.waiting:
            self.close()
        else:
            if self._partial_timer is not None:
                self._partial_timer.cancel()
            self._partial_timer = self._loop.call_later(self._limits.partial_s, self.close)

    def close(self) -> None:
        """The connection has ended, what was not sent is dropped, and the owner knows."""
        if self.peer.closed:
            return
        self.peer.closed = True
        if self._partial_timer is not None:
            self._partial_timer.cancel()
        self._inbox.clear()
        self._stop_reading()
        self._output.close()
        self._reader.close()
        for request in self._unanswered:
            for _, fds in request.held or ():
                close_all(fds)
        self._unanswered.clear()
        self._sock.close()
        self._on_closed(self)

    def flush(self) -> None:
        """What is queued is sent as far as the client has room."""
        self._output.flush()
