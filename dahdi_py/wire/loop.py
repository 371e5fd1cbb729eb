# SPDX-License-Identifier: GPL-2.0-or-later
"""What the wire asks of an event loop, and the turn within which output is gathered."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Protocol


class Timer(Protocol):
    """A callback that has not run yet."""

    def cancel(self) -> None:
        """The callback will not run."""


class Loop(Protocol):
    """An event loop as the wire uses it; asyncio's is one."""

    def add_reader(self, fd: int, callback: Callable[[], None], /) -> None:
        """The callback runs whenever `fd` is readable."""

    def remove_reader(self, fd: int, /) -> bool:
        """`fd` is not watched for reading any more."""

    def add_writer(self, fd: int, callback: Callable[[], None], /) -> None:
        """The callback runs whenever `fd` is writable."""

    def remove_writer(self, fd: int, /) -> bool:
        """`fd` is not watched for writing any more."""

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Timer:
        """The callback runs once, `delay` seconds from now."""


class Flushable(Protocol):
    """Something that has gathered output."""

    def flush(self) -> None:
        """What was gathered is sent."""


class Turn(threading.local):
    """Gathers output while it is entered; each connection's is sent once, when the outermost turn ends.

    Every wake-up of a connection is a turn. Owners enter one where a single wake-up of theirs publishes much::

        with turn:
            for event in events:
                publish(event)

    Outside any turn output is sent at once.

    Synchronization: none required (one a thread).
    """

    depth = 0

    def __init__(self) -> None:
        self.gathered: list[Flushable] = []

    def __enter__(self) -> Turn:
        self.depth += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.depth -= 1
        if not self.depth and self.gathered:
            gathered, self.gathered = self.gathered, []
            for output in gathered:
                output.flush()


turn = Turn()
"""The turn of this thread."""
