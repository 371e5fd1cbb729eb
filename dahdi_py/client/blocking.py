# SPDX-License-Identifier: GPL-2.0-or-later
"""The client for programs that wait."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

import msgspec

from dahdi_py.client.blocking_asker import R
from dahdi_py.client.blocking_calls import Calls
from dahdi_py.client.blocking_leases import Leases
from dahdi_py.client.blocking_link import BlockingLink
from dahdi_py.client.blocking_state import State
from dahdi_py.client.event_stream import EventStream
from dahdi_py.client.offer_stream import OfferStream
from dahdi_py.client.requests import cursor_request
from dahdi_py.client.tokens import Tokens
from dahdi_py.wire.blocking import Connection
from dahdi_py.wire.framing import close_all
from dahdi_py.wire.messages.calls import ServeReply, ServeRequest
from dahdi_py.wire.messages.common import Cursor
from dahdi_py.wire.messages.events import MonitorReply, MonitorRequest
from dahdi_py.wire.places import client_socket


class Client(State, Leases, Calls):
    """The control daemon, as a program that waits for each answer sees it.

    Leases and calls belong to the connection behind it. When that ends, the call under way fails with `Unreachable`;
    the next one connects anew and first reclaims every lease and call that is owned. Streams have connections of their
    own; they go on where they were when the daemon is back, and reclaim what is owned at once. A lease that cannot be
    reclaimed yet (its line host is not back, the daemon has too many connections) is tried again, by a thread too;
    it is forgotten when it has ended or is another's.

    An answer that does not come in time is a `Timeout`: the connection and everything owned live on. The late answer
    is thrown away; a lease or call that it brings is given back.

    Args:
        socket: The control socket; None takes the first that answers of the usual places.
        timeout: Seconds an answer may take; None waits for ever.
        label: How this program is named in lists and logs, at most 64 characters.
        resume: Whether streams go on over a lost daemon; else they raise `Unreachable`.

    Raises:
        Unreachable: No daemon answers; the message says how to start one.

    Synchronization: any thread may call; one call at a time is under way, the others wait.
    """

    def __init__(
        self,
        socket: str | os.PathLike[str] | None = None,
        *,
        timeout: float | None = 10.0,
        label: str = "",
        resume: bool = True,
    ) -> None:
        self.label = label
        self._socket = socket
        self._timeout = timeout
        self._resume = resume
        self._tokens = Tokens()
        self._link = BlockingLink(self._connect, self._tokens)

    def _connect(self) -> Connection:
        return Connection(client_socket().path if self._socket is None else self._socket, self._timeout)

    def _call_fds(self, method: str, request: msgspec.Struct | None, reply: type[R]) -> tuple[R, list[int]]:
        return self._link.call(method, request, reply)

    def _lease(self, method: str, request: msgspec.Struct, reply: type[R]) -> tuple[R, list[int]]:
        return self._link.call(method, request, reply, lease=True)

    def _call(self, method: str, request: msgspec.Struct | None, reply: type[R]) -> R:
        answer, fds = self._link.call(method, request, reply)
        close_all(fds)
        return answer

    def snapshot(self) -> MonitorReply:
        """The whole state and its cursor: with the events after it, exactly what is."""
        with self._connect() as connection:
            return next(connection.stream("org.dahdipy.Events.Monitor", MonitorRequest(snapshot=True), MonitorReply))

    def events(
        self,
        *,
        kinds: Sequence[str] = (),
        span: str = "",
        call: str = "",
        group: str = "",
        after: Cursor | None = None,
    ) -> EventStream:
        """Events that fit, from now or from a cursor; they are being collected when this returns.

        Args:
            kinds: Exact kinds, or prefixes ending in a dot such as `call.`; empty for all.
            after: Everything later than this first; a `gap` event when it is no longer kept.
        """

        def follow(cursor: Cursor | None) -> tuple[Connection, Iterator[MonitorReply]]:
            request = MonitorRequest(
                kinds=list(kinds), span=span, call=call, group=group, after=cursor_request(cursor)
            )  # fmt: skip
            connection = self._connect()
            return connection, connection.stream("org.dahdipy.Events.Monitor", request, MonitorReply)

        return EventStream(follow, after, self._tokens.happened, self._link.revive if self._resume else None)

    def serve(
        self,
        *,
        groups: Sequence[str] = (),
        numbers: Sequence[str] = (),
        label: str = "",
        priority: int = 10,
        sharing: str = "share",
    ) -> OfferStream:
        """Incoming calls as they are offered, and offers as they are withdrawn; serving has begun when this returns.

        Args:
            groups: Only of these trunk groups; empty for all.
            numbers: Only for these called numbers: digits, `X` any digit, `2001-2009` a range, trailing `.` any rest.
            priority: Lower is offered first.
            sharing: `share`: cores of one priority take turns; `fork`: each call goes to all that fork at once.
        """
        request = ServeRequest(
            groups=list(groups), numbers=list(numbers), label=label or self.label, priority=priority, sharing=sharing
        )

        def begin() -> tuple[Connection, Iterator[ServeReply]]:
            connection = self._connect()
            return connection, connection.stream("org.dahdipy.Calls.Serve", request, ServeReply)

        return OfferStream(begin, self._link.revive if self._resume else None)

    def close(self) -> None:
        """The connection has ended: calls it owned are cleared, leases ended."""
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
