# SPDX-License-Identifier: GPL-2.0-or-later
"""Who a server's clients are, and what it bears from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dahdi_py.wire.framing import REQUEST_LIMIT
from dahdi_py.wire.interface import Interface, Method


@dataclass(frozen=True, slots=True)
class Limits:
    """What one server bears from its clients.

    Attributes:
        connections: At once.
        of_one_user: Connections at once of one uid, so that no user takes them all.
        at_a_turn: Requests of one connection that are handled before every other has its turn: clients that flood delay
            the others by so many, however many they are (see `Turns`).
        turn_s: Seconds after which a turn ends, whatever its requests cost.
        turn_octets: Of answers of one connection that wait to be sent; no more is handled until they are fewer.
        under_way: Requests of one connection, or of all those of one user that have several, which others answer (a
            line host); no more of them are handled until some are answered, so that others' stand behind no more.
        under_way_of_user: The same, of all connections of one uid together, those too that left before they were
            answered; a user that has so many cannot connect.
        request_octets: Of the largest request.
        partial_s: How long half a message may wait for the rest, seconds.
        unanswered: Requests of one connection without an answer; no more are read until some are answered.
        output_octets: What may wait for a client that does not read; then it is cut off.
        output_messages: The same, in messages.
    """

    connections: int = 1024
    of_one_user: int = 512
    at_a_turn: int = 16
    turn_s: float = 0.002
    turn_octets: int = 64 * 1024
    under_way: int = 64
    under_way_of_user: int = 1024
    request_octets: int = REQUEST_LIMIT
    partial_s: float = 10.0
    unanswered: int = 1024
    output_octets: int = 8 * 1024 * 1024
    output_messages: int = 10_000


class Peer:
    """Who is at the other end, as the kernel says.

    Attributes:
        id: Number of the connection in this server, from 1.
        groups: Every group of the process, by SO_PEERGROUPS.
        data: The owner's, for whatever it keeps about the connection.
        closed: The connection has ended.

    Synchronization: external.
    """

    __slots__ = ("_close", "closed", "data", "gid", "groups", "id", "pid", "uid")

    def __init__(
        self, number: int, pid: int, uid: int, gid: int, groups: frozenset[int], close: Callable[[], None]
    ) -> None:
        self.id = number
        self.pid = pid
        self.uid = uid
        self.gid = gid
        self.groups = groups
        self.data: Any = None
        self.closed = False
        self._close = close

    def close(self) -> None:
        """The connection ends now; `on_disconnect` is called."""
        self._close()

    def __repr__(self) -> str:
        return f"connection {self.id} (pid {self.pid}, uid {self.uid})"


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a server's owner wants to be asked and told."""

    authorize: Callable[[Peer, Interface, Method], None] | None = None
    on_connect: Callable[[Peer], None] | None = None
    on_disconnect: Callable[[Peer], None] | None = None
    on_overflow: Callable[[Peer], None] | None = None
