# SPDX-License-Identifier: GPL-2.0-or-later
"""A connection to the card's socket that asks, waits a bounded time, and connects again when it has to."""

from __future__ import annotations

import socket
import struct
from array import array
from typing import TypeVar

import msgspec

from dahdi_py.errors import DahdiPyError, DeviceGone, HardwareError, Unsupported, from_wire
from dahdi_py.wire.framing import close_all, format_call, parse_reply
from dahdi_py.wire.messages.card import CardRefused
from dahdi_py.wire.refusals import ProtocolError

_T = TypeVar("_T", bound=msgspec.Struct)
_RECEIVE_OCTETS = 32 * 1024
_ONE_DESCRIPTOR = socket.CMSG_SPACE(array("i").itemsize)


def connect(path: str, deadline_s: float) -> socket.socket:
    """A blocking connection whose every read and write ends after `deadline_s`.

    Raises:
        OSError: Nobody listens, or too many are waiting.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # A full backlog must not block: connect gives up at once.
        sock.setblocking(False)
        sock.connect(path)
        sock.setblocking(True)
        # The kernel keeps the deadline: one system call each way, where a Python timeout takes two.
        limit = struct.pack("ll", int(deadline_s), int(deadline_s % 1 * 1e6))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    except OSError:
        sock.close()
        raise
    return sock


class CardLink:
    """One request at a time to the card.

    Args:
        card: The card's name, for errors.
        deadline_s: A request without an answer by then is given up, and the connection with it.

    Synchronization: one thread.
    """

    def __init__(self, card: str, path: str, deadline_s: float) -> None:
        self._card = card
        self._path = path
        self._deadline_s = deadline_s
        self._sock: socket.socket | None = None

    def close(self) -> None:
        """The connection is gone; the next request makes another."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def ask(self, method: str, parameters: msgspec.Struct, reply: type[_T], span: str = "") -> _T:
        """The card's answer.

        Raises:
            DeviceGone: No card, or no answer in time.
            DahdiPyError: The card refused, by its own error.
        """
        octets, fds = self.exchange(format_call(f"org.dahdipy.Card.{method}", parameters), method, span)
        close_all(fds)
        return self.decode(octets, reply, method, span)

    def exchange(self, request: bytes, operation: str, span: str = "") -> tuple[bytes, list[int]]:
        """The octets of the reply to a formatted call, without their NUL, and the descriptors that came with it.

        Raises:
            DeviceGone: No card, or no answer in time.
        """
        again = self._sock is not None
        while True:
            try:
                sock = self._sock = self._sock or connect(self._path, self._deadline_s)
                sock.sendall(request)
                return self._receive(sock)
            except BlockingIOError:
                self.close()
                raise self.gone(operation, span, f"no answer within {self._deadline_s:g} s") from None
            except (OSError, EOFError):
                self.close()
                # A kept connection may belong to a card that has been restarted since.
                if not again:
                    raise self.gone(operation, span, f"no card answers on {self._path}") from None
                again = False

    def _receive(self, sock: socket.socket) -> tuple[bytes, list[int]]:
        data, ancillary, _, _ = sock.recvmsg(_RECEIVE_OCTETS, _ONE_DESCRIPTOR, socket.MSG_CMSG_CLOEXEC)
        fds: list[int] = []
        for _, _, content in ancillary:
            numbers = array("i")
            numbers.frombytes(content)
            fds.extend(numbers)
        try:
            while not data.endswith(b"\0"):
                if not (more := sock.recv(_RECEIVE_OCTETS)):
                    raise EOFError
                data += more
        except BaseException:
            close_all(fds)
            raise
        return data[:-1], fds

    def decode(self, octets: bytes, reply: type[_T], operation: str, span: str) -> _T:
        """The typed reply.

        Raises:
            DahdiPyError: It is an error.
            DeviceGone: It is no such reply: something else listens there.
        """
        try:
            message = parse_reply(octets)
            if message.error is None:
                return msgspec.json.decode(message.parameters or b"{}", type=reply)
            raise self._refusal(
                from_wire(message.error, msgspec.json.decode(message.parameters or b"{}")), operation, span
            )
        except (msgspec.MsgspecError, ProtocolError) as error:
            self.close()
            raise self.gone(operation, span, f"what answers on {self._path} is no card: {error}") from None

    def _refusal(self, error: DahdiPyError, operation: str, span: str) -> HardwareError:
        return error if isinstance(error, HardwareError) else _impossible(error, self._card, operation, span)

    def gone(self, operation: str, span: str, why: str) -> DahdiPyError:
        """The error for a card that is not there."""
        place = f" of port {span}" if span else ""
        return DeviceGone(f"card {self._card}: {operation}{place}: {why}", operation=operation, span=span, driver="sim")


def _impossible(error: DahdiPyError, card: str, operation: str, span: str) -> Unsupported:
    """The error for what no card could take, such as a timeslot of 99."""
    return Unsupported(f"card {card}: {error}", operation=operation, span=span, driver="sim")


def refusal_of(refused: CardRefused, card: str, operation: str, span: str) -> HardwareError:
    """Why the card did not do one of a batch."""
    fields = {"message": refused.message, "operation": operation, "span": span, "driver": "sim"}
    error = from_wire(refused.error, fields)
    return error if isinstance(error, HardwareError) else _impossible(error, card, operation, span)
