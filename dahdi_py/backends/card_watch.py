# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether the card is there, and the news it sends: behind one descriptor, for ever."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Sequence

import msgspec

from dahdi_py.backends.base import BackendEvent
from dahdi_py.backends.card_link import connect
from dahdi_py.ffi.timer import Timer
from dahdi_py.wire.framing import format_call, parse_reply
from dahdi_py.wire.messages.card import CardNews
from dahdi_py.wire.refusals import ProtocolError

_RETRY_FIRST_S = 0.05
_RETRY_LAST_S = 1.0
_RECEIVE_OCTETS = 32 * 1024


class CardWatch:
    """The card's `Monitor` stream; while there is no card, a timer that looks for it.

    The first `events` says `present` or `absent`; from then on each change does.

    Synchronization: one thread.
    """

    def __init__(self, path: str, deadline_s: float) -> None:
        self._path = path
        self._deadline_s = deadline_s
        self._sock: socket.socket | None = None
        self._partial = b""
        self._delay_s = _RETRY_FIRST_S
        self._known: str | None = None
        self._timer = Timer()
        self._epoll = select.epoll()
        self._epoll.register(self._timer.fileno(), select.EPOLLIN)
        self._timer.arm(0)

    def fileno(self) -> int:
        """Readable when `events` has something, or wants to look for the card."""
        return self._epoll.fileno()

    def close(self) -> None:
        """The stream, the timer and the descriptor are gone."""
        self._drop()
        self._timer.close()
        self._epoll.close()

    def events(self) -> Sequence[BackendEvent]:
        """What happened since the last call; never blocks."""
        self._timer.clear()
        found: list[BackendEvent] = []
        if self._sock is None:
            self._look(found)
        if self._sock is not None:
            self._read(self._sock, found)
        return found

    def _look(self, found: list[BackendEvent]) -> None:
        try:
            sock = connect(self._path, self._deadline_s)
        except OSError:
            self._away(found)
            return
        self._sock = sock
        self._partial = b""
        self._epoll.register(sock.fileno(), select.EPOLLIN)
        try:
            sock.sendall(format_call("org.dahdipy.Card.Monitor", None, more=True))
            sock.setblocking(False)
        except OSError:
            self._away(found)
            return
        self._delay_s = _RETRY_FIRST_S
        self._tell(found, "present")

    def _read(self, sock: socket.socket, found: list[BackendEvent]) -> None:
        ended = False
        try:
            while data := sock.recv(_RECEIVE_OCTETS):
                self._partial += data
            ended = True
        except BlockingIOError:
            pass
        except OSError:
            ended = True
        *messages, self._partial = self._partial.split(b"\0")
        for message in messages:
            try:
                news = msgspec.json.decode(parse_reply(message).parameters or b"", type=CardNews)
            except (msgspec.MsgspecError, ProtocolError):
                ended = True
                break
            found += [BackendEvent(port, "status") for port in news.ports]
        if ended:
            self._away(found)

    def _away(self, found: list[BackendEvent]) -> None:
        self._drop()
        self._tell(found, "absent")
        self._timer.arm(self._delay_s)
        self._delay_s = min(2 * self._delay_s, _RETRY_LAST_S)

    def _drop(self) -> None:
        if self._sock is not None:
            with contextlib.suppress(OSError):
                self._epoll.unregister(self._sock.fileno())
            self._sock.close()
            self._sock = None

    def _tell(self, found: list[BackendEvent], kind: str) -> None:
        if kind != self._known:
            self._known = kind
            found.append(BackendEvent(None, kind))
