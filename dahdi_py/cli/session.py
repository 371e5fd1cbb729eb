# SPDX-License-Identifier: GPL-2.0-or-later
"""What one command has with the daemon: which socket, one connection, streams on connections of their own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import click
import msgspec

from dahdi_py.cli.output import note
from dahdi_py.wire.blocking import Connection
from dahdi_py.wire.framing import close_all
from dahdi_py.wire.messages.events import Event, MonitorReply, MonitorRequest
from dahdi_py.wire.places import Place, client_socket

R = TypeVar("R", bound=msgspec.Struct)

_TIMEOUT_S = 10.0


@dataclass
class Session:
    """The daemon that this command talks to, found when first asked.

    Attributes:
        socket: The control socket; empty: the first that answers of the usual places.
        json: Results are printed as JSON.
        timeout_s: How long an answer may take, s.

    Synchronization: one thread.
    """

    socket: str = ""
    json: bool = False
    timeout_s: float = _TIMEOUT_S
    _path: str = field(default="", repr=False)
    _connection: Connection | None = field(default=None, repr=False)

    def ask(self, method: str, request: msgspec.Struct, reply: type[R]) -> R:
        """The daemon's answer.

        Raises:
            DahdiPyError: It refused, or nobody answers.
        """
        return self._connected().call(method, request, reply)

    def raw_call(self, method: str, parameters: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """The answer's parameters as they stand on the wire, and the number of descriptors with it, closed by now."""
        request = cast(msgspec.Struct, parameters)
        reply, descriptors = self._connected().call_fds(method, request, cast(type[msgspec.Struct], dict))
        close_all(descriptors)
        return cast(dict[str, Any], reply), len(descriptors)

    def follow(self, request: MonitorRequest) -> Iterator[Event]:
        """Events as they come; when this returns, the daemon has begun to send them."""
        batches = Connection(self._found(), self.timeout_s).stream("org.dahdipy.Events.Monitor", request, MonitorReply)
        first = next(batches)
        return (event for batch in _after(first, batches) for event in batch.events)

    def hurried(self, timeout_s: float) -> Session:
        """The same session for somebody who will not wait long.

        Args:
            timeout_s: How long an answer may take, s.
        """
        return Session(self.socket, self.json, timeout_s)

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = Connection(self._found(), self.timeout_s)
        return self._connection

    def _found(self) -> str:
        if not self._path:
            place = Place(Path(self.socket), True) if self.socket else client_socket()
            if not place.system and sys.stderr.isatty():
                note(f"service at {place.path}")
            self._path = str(place.path)
        return self._path


def _after(first: MonitorReply, rest: Iterator[MonitorReply]) -> Iterator[MonitorReply]:
    yield first
    yield from rest


pass_session = click.make_pass_decorator(Session, ensure=True)
