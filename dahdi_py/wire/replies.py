# SPDX-License-Identifier: GPL-2.0-or-later
"""The caller's side of a connection: reaching the server, and what it answered."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from dahdi_py.errors import DahdiPyError, Unreachable, from_wire
from dahdi_py.wire.framing import UNDECODABLE, ReplyMessage
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.listener import check_path
from dahdi_py.wire.refusals import ProtocolError

R = TypeVar("R")


_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def _decoder(reply_type: Any) -> msgspec.json.Decoder[Any]:
    decoder = _decoders.get(reply_type)
    if decoder is None:
        decoder = _decoders[reply_type] = msgspec.json.Decoder(reply_type)
    return decoder


def decode_reply(method: str, reply: ReplyMessage, reply_type: type[R]) -> R:
    """The reply's parameters, typed; members this version does not know are ignored.

    Raises:
        ProtocolError: They do not fit the type.
    """
    if issubclass(reply_type, Empty):
        return reply_type()
    try:
        decoded: R = _decoder(reply_type).decode(reply.parameters)
    except UNDECODABLE as error:
        raise ProtocolError(f"the answer to {method} is not what this version expects: {error}") from None
    return decoded


def decode_error(reply: ReplyMessage) -> DahdiPyError:
    """The error that the reply carries, with its fields."""
    try:
        parameters = msgspec.json.decode(reply.parameters)
    except UNDECODABLE:
        parameters = None
    return from_wire(reply.error or "", parameters if isinstance(parameters, dict) else None)


def connect(path: str | os.PathLike[str], timeout: float | None = None) -> socket.socket:
    """A socket connected to the server at `path`.

    Args:
        timeout: Seconds to wait for a server with a full backlog; None does not wait.

    Raises:
        ConfigError: The path is too long for a socket.
        Unreachable: No socket, nobody listens, or not permitted: the message says what to do.
    """
    name = os.fspath(path)
    check_path(Path(name))
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    sock.settimeout(timeout or 0.0)
    try:
        sock.connect(name)
    except OSError as error:
        sock.close()
        raise Unreachable(_why_not(name, error), path=name) from None
    except BaseException:
        sock.close()
        raise
    return sock


def _why_not(name: str, error: OSError) -> str:
    if isinstance(error, BlockingIOError | TimeoutError):
        return f"the service on {name} is too busy to take a connection: try again"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return f"there is no socket {name}: the service is not running, or runs elsewhere"
    if error.errno == errno.ECONNREFUSED:
        return f"nobody listens on {name}: the service has ended and left its socket; start it again"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"uid {os.geteuid()} may not connect to {name}: ask for membership of the group that owns it"
    return f"cannot connect to {name}: {error.strerror}"
