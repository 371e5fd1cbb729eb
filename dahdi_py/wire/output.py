# SPDX-License-Identifier: GPL-2.0-or-later
"""What waits to be sent on one connection."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Sequence

from dahdi_py.wire.framing import DESCRIPTOR_LIMIT, close_all, send
from dahdi_py.wire.loop import Loop, turn

_JOIN_OCTETS = 64 * 1024


class Output:
    """Sends messages in order, as many in one call as it can carry, with their descriptors.

    Attributes:
        waiting: The receiver has to read before more can be sent.
        queued: Octets not yet sent.

    Args:
        octets: What may wait for a receiver that does not read; above it `on_overflow` is called.
        messages: The same, in messages.
        on_overflow: The receiver is too slow.
        on_broken: The socket failed; nothing more can be sent.
        on_drained: Everything that had waited for the receiver was sent.

    Synchronization: external; only from the loop's thread.
    """

    __slots__ = (
        "_closed",
        "_gathered",
        "_loop",
        "_messages",
        "_octets",
        "_on_broken",
        "_on_drained",
        "_on_overflow",
        "_queue",
        "_sock",
        "queued",
        "waiting",
    )

    def __init__(
        self,
        loop: Loop,
        sock: socket.socket,
        *,
        octets: int,
        messages: int,
        on_overflow: Callable[[], None],
        on_broken: Callable[[OSError], None],
        on_drained: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._sock = sock
        self._octets = octets
        self._messages = messages
        self._on_overflow = on_overflow
        self._on_broken = on_broken
        self._on_drained = on_drained
        self._queue: deque[tuple[bytes | memoryview, Sequence[int]]] = deque()
        self.queued = 0
        self.waiting = False
        self._gathered = False
        self._closed = False

    def push(self, message: bytes, fds: Sequence[int] = ()) -> None:
        """The message is sent, at the latest when the receiver has read what came before; then `fds` are closed."""
        if self._closed:
            close_all(fds)
            return
        self._queue.append((message, fds))
        self.queued += len(message)
        if self.waiting:
            if self.queued > self._octets or len(self._queue) > self._messages:
                self._on_overflow()
        elif not turn.depth:
            self.flush()
        elif not self._gathered:
            self._gathered = True
            turn.gathered.append(self)

    def flush(self) -> None:
        """Everything is sent that the receiver has room for."""
        self._gathered = False
        queue = self._queue
        try:
            while queue:
                data, fds = queue.popleft()
                if queue and len(data) < _JOIN_OCTETS:
                    data, fds = self._join(data, fds)
                try:
                    sent = send(self._sock, data, fds)
                except OSError:
                    queue.appendleft((data, fds))
                    raise
                if fds:
                    close_all(fds)
                self.queued -= sent
                if sent < len(data):
                    queue.appendleft((memoryview(data)[sent:], ()))
        except (BlockingIOError, InterruptedError):
            self._wait()
        except OSError as error:
            self.close()
            self._on_broken(error)

    def _join(self, first: bytes | memoryview, fds: Sequence[int]) -> tuple[bytes | memoryview, Sequence[int]]:
        """As many messages as one call may carry, with all their descriptors: the receiver has them in order."""
        queue = self._queue
        parts, size, carried = [first], len(first), list(fds)
        while queue and size < _JOIN_OCTETS and len(carried) + len(queue[0][1]) <= DESCRIPTOR_LIMIT:
            message, more = queue.popleft()
            parts.append(message)
            size += len(message)
            carried += more
        return b"".join(parts), carried

    def _wait(self) -> None:
        if not self.waiting:
            self.waiting = True
            self._loop.add_writer(self._sock.fileno(), self._writable)

    def _writable(self) -> None:
        self.flush()
        if self.waiting and not self._queue and not self._closed:
            self._loop.remove_writer(self._sock.fileno())
            self.waiting = False
            self._on_drained()

    def close(self) -> None:
        """What was not sent is dropped, its descriptors closed; the socket itself stays the owner's."""
        if self._closed:
            return
        self._closed = True
        if self.waiting:
            self._loop.remove_writer(self._sock.fileno())
        for _, fds in self._queue:
            close_all(fds)
        self._queue.clear()
        self.queued = 0
