# SPDX-License-Identifier: GPL-2.0-or-later
"""A B-channel in a core's hands: its lease and its descriptor."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from dahdi_py.wire.messages.common import Media

# ELAST of the kernel's driver: an event is pending, which the line host takes off within a moment.
_EVENT_PENDING = 500


class Medium:
    """A leased channel and the descriptor of its octets, non-blocking.

    One read gives one whole block of `media.chunk` octets, one write takes one; the descriptor tells nothing about the
    end of the lease, events do.

    Attributes:
        token: Of the lease.
        span: Name of the span.
        timeslot: Position in its frame.
        media: How the descriptor behaves; None where none was asked for.

    Synchronization: external.
    """

    def __init__(self, token: str, span: str, timeslot: int, media: Media | None, fd: int | None) -> None:
        self.token = token
        self.span = span
        self.timeslot = timeslot
        self.media = media
        self._fd = fd

    def fileno(self) -> int:
        """The descriptor.

        Raises:
            ValueError: There is none, or it is closed.
        """
        if self._fd is None:
            raise ValueError(f"{self} has no open descriptor")
        return self._fd

    @property
    def closed(self) -> bool:
        """Whether there is no descriptor here, any more or at all."""
        return self._fd is None

    def read(self) -> bytes:
        """One block as received from the line; empty when the descriptor has reached its end.

        Raises:
            BlockingIOError: None has come yet.
        """
        size = self.media.chunk if self.media is not None else 160
        while True:
            try:
                return os.read(self.fileno(), size)
            except OSError as error:
                if error.errno != _EVENT_PENDING:
                    raise

    def write(self, block: bytes) -> int:
        """The octets taken for the line.

        Raises:
            BlockingIOError: As many blocks wait as may.
        """
        while True:
            try:
                return os.write(self.fileno(), block)
            except OSError as error:
                if error.errno != _EVENT_PENDING:
                    raise

    def detach(self) -> int:
        """The descriptor, which is the caller's to close from now on."""
        fd = self.fileno()
        self._fd = None
        return fd

    def close(self) -> None:
        """Our descriptor is closed; the lease goes on."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __str__(self) -> str:
        return f"{self.span} timeslot {self.timeslot} ({self.token})"

    def __del__(self) -> None:
        self.close()


class Channel(Medium):
    """A channel of the blocking client; as a context manager it is released at the end of the block."""

    def __init__(
        self,
        token: str,
        span: str,
        timeslot: int,
        media: Media | None,
        fd: int | None,
        release: Callable[[str, int], None],
    ) -> None:
        super().__init__(token, span, timeslot, media, fd)
        self._release = release

    def release(self, cause: int = 16) -> None:
        """The descriptor is closed and the lease has ended; a call on it is cleared with `cause` first."""
        self.close()
        self._release(self.token, cause)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class AsyncChannel(Medium):
    """A channel of the asyncio client; as a context manager it is released at the end of the block."""

    def __init__(
        self,
        token: str,
        span: str,
        timeslot: int,
        media: Media | None,
        fd: int | None,
        release: Callable[[str, int], Awaitable[None]],
    ) -> None:
        super().__init__(token, span, timeslot, media, fd)
        self._release = release

    async def release(self, cause: int = 16) -> None:
        """The descriptor is closed and the lease has ended; a call on it is cleared with `cause` first."""
        self.close()
        await self._release(self.token, cause)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.release()
