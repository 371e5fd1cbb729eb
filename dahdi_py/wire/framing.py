# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages on a stream socket: JSON ended by NUL, with descriptors beside them.

A message that carries descriptors says `"fds": n`. The kernel delivers descriptors with the first octet of their
`sendmsg`, which on a stream may come in one read with earlier messages; so received descriptors form a queue, and each
message takes its n from the front.
"""

from __future__ import annotations

import os
import socket
from array import array
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import msgspec

from dahdi_py.errors import DahdiPyError
from dahdi_py.wire.refusals import ProtocolError, TooLarge

REQUEST_LIMIT = 64 * 1024
"""Octets of the largest request a server takes."""
REPLY_LIMIT = 64 * 1024 * 1024
"""Octets of the largest reply a client takes."""
DESCRIPTOR_LIMIT = 253
"""Descriptors one message can carry. Source: Linux SCM_MAX_FD."""

# 64 KiB stays below malloc's threshold for mapping memory, so a read maps and unmaps nothing.
_RECEIVE_OCTETS = 64 * 1024
# As a plain number: the enumeration's `&` costs more than the rest of a read.
_CTRUNC = int(socket.MSG_CTRUNC)
_CLOEXEC = int(socket.MSG_CMSG_CLOEXEC)
_ANCILLARY_OCTETS = socket.CMSG_SPACE(DESCRIPTOR_LIMIT * array("i").itemsize)

Parameters = msgspec.Struct | msgspec.Raw | Mapping[str, Any] | None
"""Of a call: typed, as JSON text, or by name."""
Count = Annotated[int, msgspec.Meta(ge=0, le=DESCRIPTOR_LIMIT)]

NO_PARAMETERS = msgspec.Raw(b"{}")
"""The parameters of a message that has none."""


class CallMessage(msgspec.Struct, frozen=True, gc=False):
    """A call as it stands on the wire, its parameters not yet decoded."""

    method: str
    parameters: msgspec.Raw = NO_PARAMETERS
    more: bool = False
    oneway: bool = False
    fds: Count = 0


class ReplyMessage(msgspec.Struct, frozen=True, gc=False):
    """A reply as it stands on the wire, its parameters not yet decoded."""

    parameters: msgspec.Raw = NO_PARAMETERS
    error: str | None = None
    continues: bool = False
    fds: Count = 0


_encoder = msgspec.json.Encoder()
_decode_call = msgspec.json.Decoder(CallMessage).decode
_decode_reply = msgspec.json.Decoder(ReplyMessage).decode

UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises on octets that are no JSON text, or not of the type."""


def parse_call(message: bytes) -> CallMessage:
    """The call in these octets.

    Raises:
        ProtocolError: It is no JSON text, or no varlink call.
    """
    try:
        return _decode_call(message)
    except UNDECODABLE as error:
        raise ProtocolError(f"not a varlink call: {_reason(error)}") from None


def parse_reply(message: bytes) -> ReplyMessage:
    """The reply in these octets.

    Raises:
        ProtocolError: It is no JSON text, or no varlink reply.
    """
    try:
        return _decode_reply(message)
    except UNDECODABLE as error:
        raise ProtocolError(f"not a varlink reply: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def format_call(
    method: str,
    parameters: Parameters,
    *,
    more: bool = False,
    oneway: bool = False,
    fds: int = 0,
) -> bytes:
    """A call, ended by NUL.

    Raises:
        ValueError: More descriptors than a message can carry.
    """
    parts = [b'{"method":', _encoder.encode(method)]
    if parameters is not None:
        parts += b',"parameters":', _encoder.encode(parameters)
    if more:
        parts.append(b',"more":true')
    if oneway:
        parts.append(b',"oneway":true')
    if fds:
        parts.append(_carried(fds))
    parts.append(b"}\0")
    return b"".join(parts)


def format_reply(parameters: msgspec.Struct | msgspec.Raw, *, continues: bool = False, fds: int = 0) -> bytes:
    """A reply, ended by NUL.

    Raises:
        ValueError: More descriptors than a message can carry.
    """
    if not fds and not continues:
        return b'{"parameters":%b}\0' % _encoder.encode(parameters)
    return b'{"parameters":%b%b%b}\0' % (
        _encoder.encode(parameters),
        b',"continues":true' if continues else b"",
        _carried(fds) if fds else b"",
    )


def _carried(fds: int) -> bytes:
    if fds > DESCRIPTOR_LIMIT:
        raise ValueError(f"{fds} descriptors: a message carries at most {DESCRIPTOR_LIMIT}")
    return b',"fds":%d' % fds


def format_error(error: DahdiPyError) -> bytes:
    """An error reply, ended by NUL; a field JSON has no form for becomes its text."""
    parameters = msgspec.json.encode(error.parameters(), enc_hook=str)
    return b'{"error":%b,"parameters":%b}\0' % (_encoder.encode(error.code), parameters)


def receive(sock: socket.socket, flags: int = 0) -> tuple[bytes, list[int]]:
    """What one read gives: octets (none at the end of the stream) and the descriptors that came with them.

    Args:
        flags: As `recvmsg` takes them.

    Raises:
        ProtocolError: Descriptors were lost, for want of free numbers in this process.
        OSError: As `recvmsg`.
    """
    data, ancillary, seen, _ = sock.recvmsg(_RECEIVE_OCTETS, _ANCILLARY_OCTETS, _CLOEXEC | flags)
    fds: list[int] = []
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers = array("i")
            numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
            fds.extend(numbers)
    if seen & _CTRUNC:
        close_all(fds)
        raise ProtocolError("descriptors were lost on receiving: this process has too many open")
    return data, fds


def receive_octets(sock: socket.socket) -> tuple[bytes, Sequence[int]]:
    """As `receive`, for who expects no descriptors: the kernel closes any that come."""
    return sock.recv(_RECEIVE_OCTETS), ()


def send(sock: socket.socket, data: bytes | memoryview, fds: Sequence[int] = ()) -> int:
    """The number of octets sent; the descriptors go with the first of them."""
    if not fds:
        return sock.send(data)
    return sock.sendmsg((data,), ((socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", fds)),))


def close_all(fds: Iterable[int]) -> None:
    """The descriptors are closed."""
    for fd in fds:
        os.close(fd)


class Reader:
    """Cuts what is received into messages, and gives each its descriptors.

    After a `fault` (a message above the limit, more descriptors than any message claims) nothing more is read: what
    follows cannot be told apart.

    Args:
        limit: Octets of the largest message.
        descriptors: How many may wait for the message that takes them.

    Synchronization: external.
    """

    def __init__(self, limit: int = REQUEST_LIMIT, descriptors: int = 4 * DESCRIPTOR_LIMIT) -> None:
        self.fault: ProtocolError | None = None
        self._limit = limit
        self._descriptors = descriptors
        self._chunks: list[bytes] = []
        self._partial = 0
        self._fds: deque[int] = deque()

    @property
    def partial(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._partial > 0

    def feed(self, data: bytes, fds: Sequence[int] = ()) -> list[bytes]:
        """The messages these octets complete, without their NUL, in order."""
        if fds:
            self._fds.extend(fds)
            if len(self._fds) > self._descriptors:
                self.fault = ProtocolError(f"more than {self._descriptors} descriptors that no message takes")
        if self.fault:
            return []
        messages = data.split(b"\0")
        tail = messages.pop()
        if self._chunks and messages:
            messages[0] = b"".join([*self._chunks, messages[0]])
            self._chunks.clear()
            self._partial = 0
        if tail:
            self._chunks.append(tail)
            self._partial += len(tail)
        if self._partial > self._limit:
            self._overrun()
        for place, message in enumerate(messages):
            if len(message) > self._limit:
                self._overrun()
                return messages[:place]
        return messages

    def _overrun(self) -> None:
        self.fault = TooLarge(f"a message of more than {self._limit} octets", limit=self._limit)
        self._chunks.clear()

    def take(self, count: int) -> list[int]:
        """The next message's descriptors; they are the caller's to close.

        Raises:
            ProtocolError: Fewer have come than the message says.
        """
        if not count:
            return []
        if count > len(self._fds):
            raise ProtocolError(f"a message says it carries {count} descriptors and {len(self._fds)} came")
        return [self._fds.popleft() for _ in range(count)]

    def close(self) -> None:
        """Descriptors that no message took are closed."""
        fds, self._fds = self._fds, deque()
        close_all(fds)
