# SPDX-License-Identifier: GPL-2.0-or-later
"""A connection for those who wait: one call, one answer."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from time import monotonic
from types import TracebackType
from typing import Any, NamedTuple, NoReturn, TypeVar

from dahdi_py.errors import DahdiPyError, Timeout, Unreachable
from dahdi_py.wire.framing import (
    REPLY_LIMIT,
    Parameters,
    Reader,
    ReplyMessage,
    close_all,
    format_call,
    parse_reply,
    receive,
    send,
)
from dahdi_py.wire.refusals import ProtocolError
from dahdi_py.wire.replies import connect, decode_error, decode_reply

R = TypeVar("R")


class _Owed(NamedTuple):
    """An answer that is still to come, and who is told of it when its asker has given up by then."""

    method: str
    reply_type: type[Any]
    unwanted: Callable[[Any], None] | None


class Connection:
    """A connection to a server; each call waits for its answer.

    After `Timeout` the connection goes on, and what it owns lives: answers come in order, so the late one is swallowed
    when it comes, before that of the next call or by `settle`. After any other `Unreachable` it is closed.

    Args:
        path: The server's socket.
        timeout: Seconds a call may take; None waits for ever, 0 is not allowed.

    Attributes:
        timeout: The same, for the next call.

    Raises:
        Unreachable: Nobody listens there; the message says what to do.

    Synchronization: external; one call at a time. `close` may be called from another thread, and wakes who waits.
    """

    def __init__(self, path: str | os.PathLike[str], timeout: float | None = 10.0) -> None:
        self.path = os.fspath(path)
        self.timeout = timeout
        self._sock: socket.socket | None = connect(path, timeout or 60.0)
        self._sock.settimeout(timeout)
        self._reader = Reader(REPLY_LIMIT)
        self._inbox: deque[bytes] = deque()
        self._owed: deque[_Owed] = deque()
        self._unsent = memoryview(b"")
        self._streaming = False
        self._borrowing = threading.Lock()
        self._borrowers = 0

    @property
    def closed(self) -> bool:
        """Whether the connection has ended."""
        return self._sock is None

    def fileno(self) -> int:
        """The socket's descriptor; readable when a stream has something to give, or the server is gone."""
        return self._socket().fileno()

    def _socket(self) -> socket.socket:
        if self._sock is None:
            raise Unreachable(f"the connection to {self.path} is closed", path=self.path)
        return self._sock

    @contextlib.contextmanager
    def _borrow(self) -> Iterator[socket.socket]:
        """The socket, to wait on; it stays open meanwhile, whoever closes the connection.

        Its number must not be another's as long as somebody polls it: poll looks the number up again when it wakes.
        """
        with self._borrowing:
            sock = self._socket()
            self._borrowers += 1
        try:
            yield sock
        finally:
            with self._borrowing:
                self._borrowers -= 1
                closed = self._sock is not sock and not self._borrowers
            if closed:
                self._drop(sock)

    def _drop(self, sock: socket.socket) -> None:
        sock.close()
        self._reader.close()
        self._inbox.clear()

    def call(self, method: str, parameters: Parameters, reply_type: type[R], fds: Sequence[int] = ()) -> R:
        """The method's answer.

        Args:
            fds: Sent with the call; they stay the caller's.

        Raises:
            DahdiPyError: The server's answer was an error, as the class of its name.
            Unreachable: The connection ended.
            Timeout: No answer in time.
        """
        reply, received = self.call_fds(method, parameters, reply_type, fds)
        close_all(received)
        return reply

    def call_fds(
        self,
        method: str,
        parameters: Parameters,
        reply_type: type[R],
        fds: Sequence[int] = (),
        unwanted: Callable[[R], None] | None = None,
    ) -> tuple[R, list[int]]:
        """The method's answer and the descriptors that came with it; they are the caller's to close.

        Args:
            unwanted: Told of the answer when it comes after `Timeout`; its descriptors are closed. It may not call.
        """
        mine = _Owed(method, reply_type, unwanted)
        deadline = self._deadline()
        self._send(mine, format_call(method, parameters, fds=len(fds)), fds, deadline)
        return self._decoded(method, self._first(mine, deadline), reply_type)

    def settle(self) -> bool:
        """Late answers that are here have been swallowed; returns whether more are to come."""
        with contextlib.suppress(Timeout):
            with self._borrow() as sock:
                self._push(sock, "what was asked", monotonic())
            while self._owed:
                self._swallow("what was asked", monotonic())
        return bool(self._owed)

    @property
    def owing(self) -> bool:
        """Whether late answers are still to come."""
        return bool(self._owed)

    def stream(self, method: str, parameters: Parameters, reply_type: type[R]) -> Generator[R, None, None]:
        """The method's answers as they come, for ever; the first must come within the timeout.

        The call is made at once. The connection is the stream's alone, and closed when the iterator is.
        """
        mine = _Owed(method, reply_type, None)
        deadline = self._deadline()
        self._send(mine, format_call(method, parameters, more=True), (), deadline)
        self._streaming = True
        return self._answers(mine)

    def _answers(self, mine: _Owed) -> Generator[Any, None, None]:
        try:
            message = self._first(mine, self._deadline())
            while True:
                self._streaming = message.error is None
                reply, fds = self._decoded(mine.method, message, mine.reply_type)
                close_all(fds)
                yield reply
                if not message.continues:
                    self._streaming = False
                    return
                message = self._receive(mine.method, None)
        finally:
            if self._streaming:
                self.close()

    def _deadline(self) -> float | None:
        return None if self.timeout is None else monotonic() + self.timeout

    def _first(self, mine: _Owed, deadline: float | None) -> ReplyMessage:
        """The first answer to that call, once the late ones before it are swallowed."""
        while self._owed[0] is not mine:
            self._swallow(mine.method, deadline)
        message = self._receive(mine.method, deadline)
        self._owed.popleft()
        return message

    def _swallow(self, waiting: str, deadline: float | None) -> None:
        message = self._receive(waiting, deadline)
        late = self._owed.popleft()
        with contextlib.suppress(DahdiPyError):
            reply, fds = self._decoded(late.method, message, late.reply_type)
            close_all(fds)
            if late.unwanted is not None:
                late.unwanted(reply)

    def _decoded(self, method: str, message: ReplyMessage, reply_type: type[R]) -> tuple[R, list[int]]:
        fds: list[int] = []
        try:
            with self._borrow():
                fds = self._reader.take(message.fds)
            if message.error is not None:
                raise decode_error(message)
            return decode_reply(method, message, reply_type), fds
        except DahdiPyError:
            close_all(fds)
            raise

    def _send(self, mine: _Owed, message: bytes, fds: Sequence[int], deadline: float | None) -> None:
        with self._borrow() as sock:
            if self._streaming:
                raise ValueError("this connection carries a stream: calls need another")
            self._push(sock, mine.method, deadline)
            try:
                sock.settimeout(_left(deadline))
                self._unsent = memoryview(message)[send(sock, message, fds) :]
            except TimeoutError:
                raise self._late(mine.method) from None  # nothing of it went out: no answer is owed
            except OSError:
                pass  # Who closes on us may have said why: that is waiting to be read.
            self._owed.append(mine)
            self._push(sock, mine.method, deadline)

    def _push(self, sock: socket.socket, waiting: str, deadline: float | None) -> None:
        """The rest of what was begun has gone out."""
        try:
            while self._unsent:
                sock.settimeout(_left(deadline))
                self._unsent = self._unsent[sock.send(self._unsent) :]
        except TimeoutError:
            raise self._late(waiting) from None
        except OSError:
            self._unsent = memoryview(b"")

    def _receive(self, method: str, deadline: float | None) -> ReplyMessage:
        with self._borrow() as sock:
            try:
                while not self._inbox:
                    sock.settimeout(_left(deadline))
                    data, fds = receive(sock)
                    if not data:
                        raise ConnectionResetError(0, "closed by the other side")
                    self._inbox.extend(self._reader.feed(data, fds))
                    if self._reader.fault and not self._inbox:
                        raise self._reader.fault
                return parse_reply(self._inbox.popleft())
            except TimeoutError:
                raise self._late(method) from None
            except OSError as error:
                self._fail(error)
            except ProtocolError:
                self.close()
                raise

    def _late(self, what: str) -> Timeout:
        return Timeout(f"{self.path} did not answer {what} in time", path=self.path)

    def _fail(self, error: OSError) -> NoReturn:
        self.close()
        reason = error.strerror or str(error)
        raise Unreachable(f"the connection to {self.path} ended: {reason}", path=self.path) from None

    def close(self) -> None:
        """The connection has ended; leases and calls it owned are orphaned or cleared by the server."""
        with self._borrowing:
            sock, self._sock = self._sock, None
            borrowed = self._borrowers > 0
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # wakes another thread that waits
            if not borrowed:
                self._drop(sock)

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _left(deadline: float | None) -> float | None:
    # Zero would not be a timeout but a non-blocking socket, with an error of its own.
    return None if deadline is None else max(0.001, deadline - monotonic())
