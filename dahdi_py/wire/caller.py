# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls on a long-lived connection from an event loop: many at once, answered by callback."""

from __future__ import annotations

import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

from dahdi_py.errors import DahdiPyError, Timeout, Unreachable
from dahdi_py.wire.framing import REPLY_LIMIT, Parameters, Reader, close_all, format_call, parse_reply, receive
from dahdi_py.wire.loop import Loop, Timer, turn
from dahdi_py.wire.output import Output
from dahdi_py.wire.refusals import ProtocolError
from dahdi_py.wire.replies import connect, decode_error, decode_reply

OnReply = Callable[[Any, list[int], DahdiPyError | None], None]
"""Takes the reply (None with an error), its descriptors (the callee's to close), and the error."""

log = logging.getLogger("dahdi_py.wire")

_OUTPUT_OCTETS = 256 * 1024 * 1024
"""Above what clients may have under way to a server that does not read: a user 1,024 of 64 KiB at most (`Limits`)."""
_OUTPUT_MESSAGES = 1_000_000


class _Pending:
    __slots__ = ("deadline", "late", "method", "on_reply", "reply_type")

    def __init__(
        self, method: str, reply_type: type[Any], on_reply: OnReply, deadline: float | None, late: OnReply | None
    ) -> None:  # fmt: skip
        self.method = method
        self.reply_type = reply_type
        self.on_reply: OnReply | None = on_reply
        self.deadline = deadline
        self.late = late


class Caller:
    """A connection to a server, on which any number of calls may be under way.

    Args:
        loop: Where it lives.
        target: The server's path, or a connected socket, which becomes the caller's.
        on_close: Told once when the connection has ended without `close`, after every call under way has failed.

    Raises:
        Unreachable: Nobody listens there.

    Synchronization: external; only from the loop's thread.
    """

    def __init__(
        self,
        loop: Loop,
        target: str | os.PathLike[str] | socket.socket,
        on_close: Callable[[DahdiPyError], None] | None = None,
    ) -> None:
        self._loop = loop
        self.path = "" if isinstance(target, socket.socket) else os.fspath(target)
        self._sock = target if isinstance(target, socket.socket) else connect(target)
        self._sock.setblocking(False)
        self._on_close = on_close
        self._reader = Reader(REPLY_LIMIT)
        self._pending: deque[_Pending] = deque()
        self._timer: Timer | None = None
        self._timer_due = 0.0
        self.closed = False
        self._reading = True
        self._output = Output(
            loop,
            self._sock,
            octets=_OUTPUT_OCTETS,
            messages=_OUTPUT_MESSAGES,
            on_overflow=lambda: self._broken(OSError(0, "it does not read")),
            on_broken=self._broken,
            on_drained=lambda: None,
        )
        loop.add_reader(self._sock.fileno(), self._readable)

    @property
    def _name(self) -> str:
        return self.path or "the other side"

    @property
    def outstanding(self) -> int:
        """Calls under way."""
        return len(self._pending)

    def _unreachable(self, reason: str) -> Unreachable:
        return Unreachable(f"the connection to {self._name} ended: {reason}", path=self.path)

    def call(
        self,
        method: str,
        parameters: Parameters,
        reply_type: type[Any],
        on_reply: OnReply,
        *,
        more: bool = False,
        fds: Sequence[int] = (),
        timeout: float | None = None,
        late: OnReply | None = None,
    ) -> None:
        """The call is on its way; `on_reply(reply, fds, error)` is called once, with `more` for each reply.

        Args:
            method: Qualified name.
            fds: Sent with the call; they stay the caller's.
            timeout: Seconds until `on_reply` gets `Timeout`; None waits as long as the connection lives. With `more`
                it is the time to the first reply.
            late: Gets what comes after `Timeout`, the end of the connection too; None: it is swallowed.
        """
        if self.closed:
            # Now: there may be no loop any more.
            on_reply(None, [], self._unreachable("closed"))
            return
        deadline = None if timeout is None else monotonic() + timeout
        self._pending.append(_Pending(method, reply_type, on_reply, deadline, late))
        if deadline is not None and (self._timer is None or deadline < self._timer_due):
            self._arm(deadline)
        message = format_call(method, parameters, more=more, fds=len(fds))
        self._output.push(message, [os.dup(fd) for fd in fds])

    def _readable(self) -> None:
        try:
            data, fds = receive(self._sock)
        except (BlockingIOError, InterruptedError):
            return
        except ProtocolError as error:
            self._lost(error)
            return
        except OSError as error:
            self._lost(self._unreachable(error.strerror or str(error)))
            return
        if not data:
            self._lost(self._unreachable("closed by the other side"))
            return
        with turn:
            for message in self._reader.feed(data, fds):
                self._answered(message)
            if self._reader.fault:
                self._lost(self._reader.fault)

    def _answered(self, message: bytes) -> None:
        if self.closed:
            return
        try:
            reply = parse_reply(message)
            fds = self._reader.take(reply.fds)
            if not self._pending:
                close_all(fds)
                raise ProtocolError(f"{self._name} answered what nobody asked")
        except ProtocolError as error:
            self._lost(error)
            return
        pending = self._pending[0]
        pending.deadline = None
        if not reply.continues:
            self._pending.popleft()
        if pending.on_reply is None:
            close_all(fds)
            return
        if reply.error is not None:
            close_all(fds)
            _tell(pending.on_reply, None, [], decode_error(reply))
            return
        try:
            decoded = decode_reply(pending.method, reply, pending.reply_type)
        except ProtocolError as error:
            close_all(fds)
            _tell(pending.on_reply, None, [], error)
            return
        _tell(pending.on_reply, decoded, fds, None)

    def _arm(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = due
        self._timer = self._loop.call_later(max(0.0, due - monotonic()), self._check_deadlines)

    def _check_deadlines(self) -> None:
        self._timer = None
        now = monotonic()
        late = [one for one in self._pending if one.deadline is not None and one.deadline <= now]
        due = [one.deadline for one in self._pending if one.deadline is not None and one.deadline > now]
        if due:
            self._arm(min(due))
        with turn:
            for one in late:
                # Its place in the order stays.
                on_reply, one.on_reply, one.deadline = one.on_reply, one.late, None
                if on_reply is not None:
                    late_by = f"{self._name} did not answer {one.method} in time"
                    _tell(on_reply, None, [], Timeout(late_by, path=self.path))

    def _broken(self, error: OSError) -> None:
        # Told from the loop, never from inside `call`.
        reason = self._unreachable(error.strerror or str(error))
        self._loop.call_later(0, lambda: self._lost(reason))

    def _lost(self, error: DahdiPyError) -> None:
        if self.closed:
            return
        self._end(error)
        if self._on_close is not None:
            self._on_close(error)

    def pause(self) -> None:
        """Nothing more is read until `resume`: what comes waits at the other side."""
        if self._reading and not self.closed:
            self._reading = False
            self._loop.remove_reader(self._sock.fileno())

    def resume(self) -> None:
        """Reading goes on."""
        if not self._reading and not self.closed:
            self._reading = True
            self._loop.add_reader(self._sock.fileno(), self._readable)

    def close(self) -> None:
        """The connection has ended; calls under way have failed with `Unreachable`."""
        if not self.closed:
            self._output.flush()
            self._end(self._unreachable("closed here"))

    def _end(self, error: DahdiPyError) -> None:
        if self.closed:
            return
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._reading:
            self._loop.remove_reader(self._sock.fileno())
        self._output.close()
        self._reader.close()
        self._sock.close()
        reason = error if isinstance(error, Unreachable) else self._unreachable(error.message)
        pending, self._pending = self._pending, deque()
        with turn:
            for one in pending:
                if one.on_reply is not None:
                    _tell(one.on_reply, None, [], reason)


def _tell(on_reply: OnReply, reply: Any, fds: list[int], error: DahdiPyError | None) -> None:
    """It is told; what it raises is logged, and the answers that came with this one still find who waits for them."""
    try:
        on_reply(reply, fds, error)
    except Exception:
        log.exception("an answer could not be taken")
