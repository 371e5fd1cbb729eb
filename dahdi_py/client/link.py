# SPDX-License-Identifier: GPL-2.0-or-later
"""The asyncio client's connections: one for calls that comes back when it was lost, and one a stream."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from itertools import count
from typing import Any, TypeVar

import msgspec

from dahdi_py.client.back_off import back_off_s
from dahdi_py.errors import DahdiPyError, Timeout, Unreachable
from dahdi_py.wire.caller import Caller
from dahdi_py.wire.framing import close_all
from dahdi_py.wire.places import client_socket

R = TypeVar("R", bound=msgspec.Struct)
Unwanted = Callable[[Any], None]
"""Told of a reply whose caller has gone away."""


_STREAM_DEPTH = 256


class Link:
    """A connection to the daemon that is made again, with back-off, whenever it was lost.

    Args:
        socket: The control socket; None looks in the usual places each time.
        timeout: Seconds a call may take, waiting for the connection included; None waits for ever.
        on_restored: Runs after a lost connection was made again, before anything else is called on it.

    Synchronization: external; only on the loop it was opened on.
    """

    def __init__(
        self,
        socket: str | os.PathLike[str] | None,
        timeout: float | None,
        on_restored: Callable[[], Awaitable[None]],
    ) -> None:
        self._socket = socket
        self._timeout = timeout
        self._on_restored = on_restored
        self._caller: Caller | None = None
        self._usable = asyncio.Event()
        self._restoring: asyncio.Task[None] | None = None
        self._streams: set[Caller] = set()
        self.closed = False

    def open(self) -> None:
        """The daemon is connected.

        Raises:
            Unreachable: It is not there; nothing goes on trying.
        """
        self._caller = self._connect(self._lost)
        self._usable.set()

    def _connect(self, on_close: Callable[[DahdiPyError], None]) -> Caller:
        path = client_socket().path if self._socket is None else self._socket
        return Caller(asyncio.get_running_loop(), path, on_close)

    def _lost(self, _error: DahdiPyError) -> None:
        self._usable.clear()
        self._caller = None
        if not self.closed and self._restoring is None:
            self._restoring = asyncio.get_running_loop().create_task(self._restore())

    async def _restore(self) -> None:
        try:
            for attempt in count():
                await asyncio.sleep(back_off_s(attempt))
                try:
                    self._caller = self._connect(self._lost)
                    await self._on_restored()
                except DahdiPyError:
                    self._drop()
                    continue
                if self._caller is not None:
                    self._usable.set()
                    return
        finally:
            self._restoring = None

    def _drop(self) -> None:
        if self._caller is not None:
            self._caller.close()
            self._caller = None

    async def call(
        self,
        method: str,
        request: msgspec.Struct | None,
        reply_type: type[R],
        *,
        unwanted: Unwanted | None = None,
        restoring: bool = False,
    ) -> tuple[R, list[int]]:
        """The method's answer and the descriptors that came with it.

        Args:
            unwanted: Told of the answer when the caller has given up by then; its descriptors are closed.
            restoring: Use the connection though it is not wholly restored yet.

        Raises:
            DahdiPyError: The daemon's answer was an error.
            Unreachable: The connection ended before the answer came.
            Timeout: No answer in time.
        """
        answer: asyncio.Future[tuple[R, list[int]]] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._timeout):
                if not restoring:
                    await self._usable.wait()
                if self.closed or self._caller is None:
                    raise Unreachable("this client is closed")
                self._caller.call(f"org.dahdipy.{method}", request, reply_type, partial(_settle, answer, unwanted))
                return await answer
        except TimeoutError:
            _abandon(answer, unwanted)
            raise Timeout(f"the daemon did not answer {method} within {self._timeout:g} s") from None
        except asyncio.CancelledError:
            _abandon(answer, unwanted)
            raise

    async def stream(self, method: str, request: msgspec.Struct, reply_type: type[R]) -> AsyncIterator[R]:
        """The method's answers as they come, on a connection of their own.

        Not read faster than the consumer takes them: who is slow is cut off by the daemon, not fed from memory.

        Raises:
            DahdiPyError: The daemon's answer was an error.
            Unreachable: The connection ended.
        """
        waiting: deque[tuple[R | None, DahdiPyError | None]] = deque()
        news = asyncio.Event()

        def take(reply: R | None, fds: list[int], error: DahdiPyError | None) -> None:
            close_all(fds)
            waiting.append((reply, error))
            news.set()
            if len(waiting) >= _STREAM_DEPTH:
                caller.pause()

        caller = self._connect(lambda error: take(None, [], error))
        self._streams.add(caller)
        try:
            caller.call(f"org.dahdipy.{method}", request, reply_type, take, more=True)
            while True:
                while waiting:
                    reply, error = waiting.popleft()
                    if error is not None:
                        raise error
                    assert reply is not None
                    yield reply
                news.clear()
                caller.resume()
                await news.wait()
        finally:
            self._streams.discard(caller)
            caller.close()

    async def pause(self, attempt: int) -> None:
        """Returns when it is time to try a lost stream again."""
        await asyncio.sleep(back_off_s(attempt))

    async def close(self) -> None:
        """Every connection has ended; calls under way have failed with `Unreachable`."""
        self.closed = True
        self._usable.set()
        if self._restoring is not None:
            self._restoring.cancel()
            await asyncio.wait([self._restoring])
        self._drop()
        for caller in list(self._streams):
            caller.close()


def _abandon(answer: asyncio.Future[Any], unwanted: Unwanted | None) -> None:
    """The answer is nobody's: one that has come already, as `_settle` finds it when it comes later."""
    if answer.done() and not answer.cancelled() and answer.exception() is None:
        reply, fds = answer.result()
        close_all(fds)
        if unwanted is not None:
            unwanted(reply)


def _settle(
    answer: asyncio.Future[Any], unwanted: Unwanted | None, reply: Any, fds: list[int], error: DahdiPyError | None
) -> None:
    if answer.done():
        close_all(fds)
        if reply is not None and unwanted is not None:
            unwanted(reply)
    elif error is not None:
        answer.set_exception(error)
    else:
        answer.set_result((reply, fds))
