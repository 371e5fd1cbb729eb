# SPDX-License-Identifier: GPL-2.0-or-later
"""Events as the blocking client gives them."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from dahdi_py.wire.blocking import Connection
from dahdi_py.wire.messages.common import Cursor
from dahdi_py.wire.messages.events import Event, MonitorReply


class EventStream:
    """Events in order, for ever.

    Attributes:
        cursor: The last event given; a later stream resumes after it.

    Raises (while iterating):
        Unreachable: The daemon is gone, or cut us off because we were slow: resume from `cursor`.

    Synchronization: external.
    """

    def __init__(self, connection: Connection, batches: Iterator[MonitorReply]) -> None:
        self._connection = connection
        self._batches = batches
        first = next(batches)
        self.cursor = first.cursor
        self._waiting = iter(first.events)
        self._after = first.cursor

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        while True:
            for event in self._waiting:
                self.cursor = Cursor(epoch=event.epoch, n=event.n)
                return event
            self.cursor = self._after
            batch = next(self._batches)
            self._waiting, self._after = iter(batch.events), batch.cursor

    def close(self) -> None:
        """The stream has ended."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
