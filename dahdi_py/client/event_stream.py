# SPDX-License-Identifier: GPL-2.0-or-later
"""Events as the blocking client gives them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import count
from types import TracebackType
from typing import Self

from dahdi_py.client.back_off import back_off_s, passes
from dahdi_py.errors import DahdiPyError, Unreachable
from dahdi_py.wire.blocking import Connection
from dahdi_py.wire.messages.common import Cursor
from dahdi_py.wire.messages.events import Event, MonitorReply


class EventStream:
    """Events in order, for ever; over a lost connection none is missed or given twice.

    Args:
        follow: Makes a connection that streams what is later than a cursor (None: than now).
        happened: Told of each event before it is given.
        revive: Called when the daemon is back, before the stream goes on; None: a lost daemon is an error here.

    Attributes:
        cursor: The last event given; a later stream resumes after it.

    Raises (while iterating):
        Unreachable: The daemon is gone, or cut us off because we were slow, and the stream is not to go on.

    Synchronization: external; `close` may be called from another thread and ends the iteration.
    """

    def __init__(
        self,
        follow: Callable[[Cursor | None], tuple[Connection, Iterator[MonitorReply]]],
        after: Cursor | None,
        happened: Callable[[Event], None],
        revive: Callable[[], None] | None,
    ) -> None:
        self._follow = follow
        self._happened = happened
        self._revive = revive
        self._closed = threading.Event()
        self._begin(after)

    def _begin(self, after: Cursor | None) -> None:
        self._connection, self._batches = self._follow(after)
        first = next(self._batches)
        self.cursor = first.cursor
        self._waiting = iter(first.events)
        self._after = first.cursor

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        while True:
            for event in self._waiting:
                self.cursor = Cursor(epoch=event.epoch, n=event.n)
                self._happened(event)
                return event
            self.cursor = self._after
            try:
                batch = next(self._batches)
            except Unreachable:
                if self._closed.is_set():
                    raise StopIteration from None
                if self._revive is None:
                    raise
                self._go_on(self._revive)
                continue
            self._waiting, self._after = iter(batch.events), batch.cursor

    def _go_on(self, revive: Callable[[], None]) -> None:
        for attempt in count():
            if self._closed.wait(back_off_s(attempt)):
                raise StopIteration
            try:
                revive()
                self._begin(self.cursor)
                return
            except DahdiPyError as error:
                if not passes(error):
                    raise

    def close(self) -> None:
        """The stream has ended."""
        self._closed.set()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
