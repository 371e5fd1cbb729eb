# SPDX-License-Identifier: GPL-2.0-or-later
"""A varlink server on a unix socket: interfaces, their handlers, and the clients' connections."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import dahdi_py
from dahdi_py.errors import AccessError
from dahdi_py.wire import idl, introspection
from dahdi_py.wire.connection import Connection
from dahdi_py.wire.dispatch import Handler, Routes
from dahdi_py.wire.framing import format_error
from dahdi_py.wire.interface import Interface, Method
from dahdi_py.wire.listener import Listener, credentials
from dahdi_py.wire.loop import Loop
from dahdi_py.wire.peer import Hooks, Limits, Peer
from dahdi_py.wire.request import Request
from dahdi_py.wire.turns import Turns

__all__ = ["Handler", "Limits", "Peer", "Request", "Server"]

log = logging.getLogger("dahdi_py.wire")


class Server:
    """Serves registered interfaces on a socket path until closed.

    A handler is called as `handler(request, parameters)` and answers by `request.reply` or `request.fail`, at once or
    later. A `DahdiPyError` it raises is the caller's answer; any other exception is logged with its trace and answered
    by `org.dahdipy.Failed`, and the server goes on.

    Args:
        loop: Where it lives.
        path: Of the socket; a lock file is made beside it.
        backlog: Clients that may wait to be accepted.
        mode: Of the socket.
        group: Gid the socket gets.
        limits: What it bears from its clients.
        authorize: Raises when the peer may not call the method.
        on_connect: Told of each new peer; may set `peer.data`.
        on_disconnect: Told when it is gone, whatever the reason.
        on_overflow: Told when a peer is cut off because it does not read, before `on_disconnect`.
        receive_fds: Calls may carry descriptors; else any that come are closed unseen.

    Raises:
        ConfigError: The path is too long, taken by something else, or may not be made.
        SocketBusy: Another process serves it.

    Synchronization: external; only from the loop's thread.
    """

    def __init__(
        self,
        loop: Loop,
        path: str | os.PathLike[str],
        *,
        backlog: int = 128,
        mode: int = 0o600,
        group: int | None = None,
        limits: Limits | None = None,
        authorize: Callable[[Peer, Interface, Method], None] | None = None,
        on_connect: Callable[[Peer], None] | None = None,
        on_disconnect: Callable[[Peer], None] | None = None,
        on_overflow: Callable[[Peer], None] | None = None,
        receive_fds: bool = False,
    ) -> None:
        self.path = Path(path)
        self._loop = loop
        self._limits = limits or Limits()
        self._hooks = Hooks(authorize, on_connect, on_disconnect, on_overflow)
        self._receive_fds = receive_fds
        self._routes = Routes()
        self._connections: dict[int, Connection] = {}
        self._turns = Turns(loop, self._limits)
        self._last_id = 0
        self._complained = False
        self._routes.add(introspection.INTERFACE, introspection.handlers(self._routes.interfaces, dahdi_py.__version__))
        self._routes.add(idl.ERRORS, {})
        self._listener = Listener(
            loop,
            self.path,
            backlog=backlog,
            mode=mode,
            group=group,
            on_connection=self._connected,
            on_exhausted=self._exhausted,
        )

    @property
    def exhausted_ns(self) -> int:
        """Since when clients are turned away because no descriptor is free (UTC); 0 when they are not."""
        return self._listener.exhausted_ns

    @property
    def peers(self) -> list[Peer]:
        """Who is connected now, oldest first."""
        return [connection.peer for connection in self._connections.values()]

    def register(self, interface: Interface, handlers: Mapping[str, Handler]) -> None:
        """Every method of the interface can be called.

        Raises:
            ValueError: A method has no handler, or a handler no method.
        """
        self._routes.add(interface, handlers)

    def _connected(self, sock: socket.socket) -> None:
        try:
            pid, uid, gid, groups = credentials(sock)
        except OSError:
            sock.close()
            return
        limits = self._limits
        if len(self._connections) >= limits.connections:
            self._turn_away(sock, pid, uid, f"{self.path} serves {limits.connections} connections already, its limit")
            return
        if sum(one.peer.uid == uid for one in self._connections.values()) >= limits.of_one_user:
            message = f"uid {uid} has {limits.of_one_user} connections to {self.path} already, the limit of one user"
            self._turn_away(sock, pid, uid, message)
            return
        if self._turns.user(uid).under_way >= limits.under_way_of_user:
            message = f"uid {uid} left {limits.under_way_of_user} requests to {self.path} that nobody has answered yet"
            self._turn_away(sock, pid, uid, message)
            return
        self._last_id += 1
        number = self._last_id
        peer = Peer(number, pid, uid, gid, groups, lambda: self._close_one(number))
        self._connections[number] = Connection(
            self._loop,
            sock,
            peer,
            self._routes,
            self._hooks,
            self._limits,
            self._turns,
            self._closed,
            self._receive_fds,
        )
        if self._hooks.on_connect is not None:
            try:
                self._hooks.on_connect(peer)
            except Exception:
                log.exception("%r could not be taken", peer)
                peer.close()

    def _turn_away(self, sock: socket.socket, pid: int, uid: int, message: str) -> None:
        if not self._complained:
            self._complained = True
            log.warning("%s: pid %d (uid %d) was turned away", message, pid, uid)
        with contextlib.suppress(OSError):
            sock.send(format_error(AccessError(message)))
        sock.close()

    def _exhausted(self) -> None:
        if not self._complained:
            self._complained = True
            log.error("%s: no descriptor is free, clients are turned away", self.path)

    def _close_one(self, number: int) -> None:
        if connection := self._connections.get(number):
            connection.close()

    def _closed(self, connection: Connection) -> None:
        del self._connections[connection.peer.id]
        self._complained = False
        if self._hooks.on_disconnect is not None:
            try:
                self._hooks.on_disconnect(connection.peer)
            except Exception:
                log.exception("%r: its end could not be handled", connection.peer)

    def stop_listening(self) -> None:
        """Nobody new can connect, and another process may serve the path; connections go on."""
        self._listener.close()

    def close(self) -> None:
        """Nobody is connected any more; what clients had room for was sent first."""
        self._listener.close()
        for connection in list(self._connections.values()):
            connection.flush()
            connection.close()
        self._turns.close()
