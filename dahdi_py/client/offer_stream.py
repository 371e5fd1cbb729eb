# SPDX-License-Identifier: GPL-2.0-or-later
"""Incoming calls as the blocking client gives them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import count
from types import TracebackType
from typing import Self

from dahdi_py.client.back_off import back_off_s, passes
from dahdi_py.errors import DahdiPyError, Unreachable
from dahdi_py.wire.blocking import Connection
from dahdi_py.wire.messages.calls import ServeReply


class OfferStream:
    """Offers and withdrawals as they come, until it is closed: then this core serves no more.

    Args:
        begin: Makes a connection that serves.
        revive: Called when the daemon is back, before serving begins again; None: a lost daemon is an error here.

    Raises (while iterating):
        Unreachable: The daemon is gone, and serving is not to begin again.

    Synchronization: external; `close` may be called from another thread and ends the iteration.
    """

    def __init__(
        self,
        begin: Callable[[], tuple[Connection, Iterator[ServeReply]]],
        revive: Callable[[], None] | None,
    ) -> None:
        self._start = begin
        self._revive = revive
        self._closed = threading.Event()
        self._begin()

    def _begin(self) -> None:
        self._connection, self._replies = self._start()
        next(self._replies)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ServeReply:
        while True:
            try:
                return next(self._replies)
            except Unreachable:
                if self._closed.is_set():
                    raise StopIteration from None
                if self._revive is None:
                    raise
                self._go_on(self._revive)

    def _go_on(self, revive: Callable[[], None]) -> None:
        for attempt in count():
            if self._closed.wait(back_off_s(attempt)):
                raise StopIteration
            try:
                revive()
                self._begin()
                return
            except DahdiPyError as error:
                if not passes(error):
                    raise

    def close(self) -> None:
        """Nothing more is offered here; calls that were claimed go on."""
        self._closed.set()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
