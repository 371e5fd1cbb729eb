# SPDX-License-Identifier: GPL-2.0-or-later
"""A connection for those who wait: one call, one answer."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from time import monotonic
from types import TracebackType
from typing import NoReturn, TypeVar

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


class Connection:
    """A connection to a server; each call waits for its answer.

    After `Timeout` or another `Unreachable` the connection is closed, since what comes next could not be told apart.

    Args:
        path: The server's socket.
        timeout: Seconds a call may take; None waits for ever, 0 is not allowed.

    Raises:
        Unreachable: Nobody listens there; the message says what to do.

    Synchronization: external; one call at a time. `close` may be called from another thread, and wakes who waits.
    """

    def __init__(self, path: str | os.PathLike[str], timeout: float | None = 10.0) -> None:
        self.path = os.fspath(path)
        self._timeout = timeout
        self._sock: socket.socket | None = connect(path, timeout or 60.0)
        self._sock.settimeout(timeout)
        self._reader = Reader(REPLY_LIMIT)
        self._inbox: deque[bytes] = deque()
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
        self, method: str, parameters: Parameters, reply_type: type[R], fds: Sequence[int] = ()
    ) -> tuple[R, list[int]]:
        """The method's answer and the descriptors that came with it; they are the caller's to close."""
        self._send(format_call(method, parameters, fds=len(fds)), fds)
        return self._decoded(method, self._receive(method, self._timeout), reply_type)

    def stream(self, method: str, parameters: Parameters, reply_type: type[R]) -> Generator[R, None, None]:
        """The method's answers as they come, for ever; the first must come within the timeout.

        The call is made at once. The connection is the stream's alone, and closed when the iterator is.
        """
        self._send(format_call(method, parameters, more=True), ())
        self._streaming = True
        return self._answers(method, reply_type)

    def _answers(self, method: str, reply_type: type[R]) -> Generator[R, None, None]:
        timeout = self._timeout
        try:
            while True:
                message = self._receive(method, timeout)
                timeout = None
                reply, fds = self._decoded(method, message, reply_type)
                close_all(fds)
                yield reply
                if not message.continues:
                    self._streaming = False
                    return
        finally:
            if self._streaming:
                self.close()

    def _decoded(self, method: str, message: ReplyMessage, reply_type: type[R]) -> tuple[R, list[int]]:
        fds: list[int] = []
        try:
            with self._borrow():
                fds = self._reader.take(message.fds)
            if message.error is not None:
                self._streaming = False
                raise decode_error(message)
            return decode_reply(method, message, reply_type), fds
        except DahdiPyError:
            close_all(fds)
            raise

    def _send(self, message: bytes, fds: Sequence[int]) -> None:
        with self._borrow() as sock:
            if self._streaming:
                raise ValueError("this connection carries a stream: calls need another")
            try:
                rest = memoryview(message)[send(sock, message, fds) :]
                if rest:
                    sock.sendall(rest)
            except TimeoutError as error:
                self._fail(error, "the call")
            except OSError:
                # Who closes on us may have said why: that is waiting to be read.
                return

    def _receive(self, method: str, timeout: float | None) -> ReplyMessage:
        deadline = None if timeout is None else monotonic() + timeout
        with self._borrow() as sock:
            try:
                while not self._inbox:
                    sock.settimeout(None if deadline is None else max(0.001, deadline - monotonic()))
                    data, fds = receive(sock)
                    if not data:
                        raise ConnectionResetError(0, "closed by the other side")
                    self._inbox.extend(self._reader.feed(data, fds))
                    if self._reader.fault and not self._inbox:
                        raise self._reader.fault
                return parse_reply(self._inbox.popleft())
            except OSError as error:
                self._fail(error, method)
            except ProtocolError:
                self.close()
                raise

    def _fail(self, error: OSError, what: str) -> NoReturn:
        self.close()
        if isinstance(error, TimeoutError):
            raise Timeout(f"{self.path} did not answer {what} in time", path=self.path) from None
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
