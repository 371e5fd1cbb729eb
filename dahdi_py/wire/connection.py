# SPDX-License-Identifier: GPL-2.0-or-later
"""One client's connection as a server sees it: its requests, and the order of their answers."""

from __future__ import annotations

import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec

import msgspec

from dahdi_py.errors import DahdiPyError
from dahdi_py.wire.dispatch import Routes
from dahdi_py.wire.framing import (
    CallMessage,
    Reader,
    close_all,
    format_error,
    format_reply,
    parse_call,
    receive,
    receive_octets,
)
from dahdi_py.wire.loop import Loop, Timer, turn
from dahdi_py.wire.output import Output
from dahdi_py.wire.peer import Hooks, Limits, Peer, Turns
from dahdi_py.wire.refusals import ProtocolError, VarlinkError

log = logging.getLogger("dahdi_py.wire")

Arguments = ParamSpec("Arguments")


class Request:
    """A call to be answered, now or later; answers go out in the order of the calls.

    Attributes:
        fds: Descriptors that came with the call; the handler's to close.
        more: The caller takes more than one reply.
        on_answer: Told of the last reply, or of the error.

    Synchronization: external; only from the loop's thread.
    """

    __slots__ = ("_connection", "answered", "fds", "held", "method", "more", "on_answer", "oneway", "peer")

    def __init__(self, connection: Connection, peer: Peer, call: CallMessage, fds: list[int]) -> None:
        self._connection = connection
        self.peer = peer
        self.method = call.method
        self.more = call.more
        self.oneway = call.oneway
        self.fds = fds
        self.answered = False
        self.held: list[tuple[bytes, Sequence[int]]] | None = None
        self.on_answer: Callable[[Any, DahdiPyError | None], None] | None = None

    def reply(
        self,
        parameters: msgspec.Struct | msgspec.Raw,
        *,
        fds: Sequence[int] = (),
        continues: bool = False,
        close_fds: bool = True,
    ) -> None:
        """The caller is answered; with `continues` there is more to come.

        Args:
            parameters: The reply, or its JSON text.
            fds: Descriptors that go with it.
            close_fds: Ours are closed once sent, also when the caller is gone; else they stay whose they are.
        """
        if fds and not close_fds:
            fds = [os.dup(fd) for fd in fds]
        try:
            message = format_reply(parameters, continues=continues, fds=len(fds))
        except BaseException:
            close_all(fds)
            raise
        if not continues:
            self._tell(parameters, None)
        self._connection.answer(self, message, fds, last=not continues)

    @property
    def waiting(self) -> bool:
        """Whether the caller has to read before more can be sent: who has much to say does so when it has."""
        return self._connection.waiting

    def fail(self, error: DahdiPyError) -> None:
        """The caller gets the error; there is no more to come."""
        self._tell(None, error)
        self._connection.answer(self, format_error(error), (), last=True)

    def guard(self, later: Callable[Arguments, None]) -> Callable[Arguments, None]:
        """What is called later to answer; whatever it raises is the answer, so that no caller waits for ever."""

        def guarded(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
            try:
                later(*args, **kwargs)
            except Exception as error:
                self.failed(error)

        return guarded

    def failed(self, error: Exception) -> None:
        """The caller gets what was raised, unless it was answered; what nobody foresaw is logged with its trace."""
        if not isinstance(error, DahdiPyError):
            log.error("%s from %r failed", self.method, self.peer, exc_info=error)
            error = DahdiPyError(f"{self.method} failed inside the service; its log has the trace")
        if not self.answered:
            self.fail(error)

    def _tell(self, parameters: Any, error: DahdiPyError | None) -> None:
        # Once, also when what is told raises: the answer goes out all the same.
        told, self.on_answer = self.on_answer, None
        if told is not None:
            told(parameters, error)


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
        self._on_closed = on_closed
        self._receive = receive if receive_fds else receive_octets
        self._reader = Reader(limits.request_octets, descriptors=256)
        self._inbox: deque[bytes] = deque()
        self._unanswered: deque[Request] = deque()
        self._partial_timer: Timer | None = None
        self._reading = True
        self._working = False
        self._turn_due = False
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
        self._inbox.extend(messages)
        with turn:
            self._work()
            if self._reader.fault:
                self._end(self._reader.fault)
        if (self._reader.partial or self._partial_timer) and not self._ending:
            self._watch_partial(bool(messages))

    def _work(self) -> None:
        """Calls are handled until the turn is others', or the client has to read, or the owner to answer."""
        if self._working or self._turn_due:
            return
        self._working = True
        inbox, unanswered, output, most = self._inbox, self._unanswered, self._output, self._limits.unanswered
        left = self._turns.share(self._limits.at_a_turn)
        while inbox and left and not output.waiting and len(unanswered) < most:
            left -= 1
            self._handle(inbox.popleft())
        self._working = False
        if inbox and not left:
            self._turn_due = True
            self._turns.due += 1
            self._loop.call_later(0, self._next_turn)
        if bool(inbox) == self._reading and not self._ending and not self.peer.closed:
            self._reading = not inbox
            if inbox:
                self._loop.remove_reader(self._sock.fileno())
            else:
                self._loop.add_reader(self._sock.fileno(), self._readable)
            self._watch_partial(True)

    def _next_turn(self) -> None:
        self._turn_due = False
        self._turns.due -= 1
        if not self.peer.closed:
            with turn:
                self._work()

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
        request = Request(self, self.peer, call, fds)
        if not call.oneway:
            self._unanswered.append(request)
        try:
            route = self._routes.find(call.method)
            if self._hooks.authorize is not None:
                self._hooks.authorize(self.peer, route.interface, route.method)
            route.handler(request, route.parameters(call))
        except DahdiPyError as error:
            if isinstance(error, VarlinkError):
                self._complain(error)
            close_all(request.fds)
            request.fail(error)
        except Exception as error:
            close_all(request.fds)
            request.failed(error)

    def _complain(self, error: DahdiPyError) -> None:
        if not self._complained:
            self._complained = True
            # What a client wrote may be in it: neither long nor with lines of its own.
            log.warning("%r: %.300s", self.peer, "".join(sign if sign.isprintable() else "?" for sign in str(error)))

    def answer(self, request: Request, message: bytes, fds: Sequence[int], *, last: bool) -> None:
        """The answer is sent, once every earlier request has its last one; the descriptors are ours."""
        if request.answered or request.oneway or self.peer.closed:
            close_all(fds)
            if request.answered and not self.peer.closed:
                log.error("%s was answered twice", request.method)
            return
        request.answered = last
        unanswered = self._unanswered
        if unanswered[0] is not request:
            if request.held is None:
                request.held = []
            request.held.append((message, fds))
            return
        self._output.push(message, fds)
        if last and not self.peer.closed:
            unanswered.popleft()
            if unanswered or (self._inbox and not self._working):
                self._release_held()

    def _release_held(self) -> None:
        unanswered = self._unanswered
        while unanswered and unanswered[0].held is not None:
            request = unanswered[0]
            held, request.held = request.held or (), None
            for message, fds in held:
                self._output.push(message, fds)
            if not request.answered or self.peer.closed:
                break
            unanswered.popleft()
        if self._inbox and not self._working:
            with turn:
                self._work()

    def _drained(self) -> None:
        if self._ending:
            self.close()
            return
        with turn:
            self._work()

    def _overflow(self) -> None:
        if self._ending or self.peer.closed:
            return
        log.warning("%r does not read: cut off with %d octets waiting", self.peer, self._output.queued)
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
