# SPDX-License-Identifier: GPL-2.0-or-later
"""Incoming calls as the blocking client gives them."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from dahdi_py.wire.blocking import Connection
from dahdi_py.wire.messages.calls import ServeReply


class OfferStream:
    """Offers and withdrawals as they come, until it is closed: then this core serves no more.

    Raises (while iterating):
        Unreachable: The daemon is gone.

    Synchronization: external; `close` may be called from another thread and ends its waiting.
    """

    def __init__(self, connection: Connection, replies: Iterator[ServeReply]) -> None:
        self._connection = connection
        self._replies = replies
        next(replies)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ServeReply:
        return next(self._replies)

    def close(self) -> None:
        """Nothing more is offered here; calls that were claimed go on."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
