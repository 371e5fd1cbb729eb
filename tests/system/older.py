# SPDX-License-Identifier: GPL-2.0-or-later
"""A line host of protocol 1: today's, behind a filter that knows nothing but the words of that protocol.

`protocol-1.varlink` is the interface as it was. The filter refuses what a host of that time would not have understood,
and takes away from answers and events what it would not have said.
"""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

from dahdi_py.wire.framing import Reader, close_all, receive, send
from dahdi_py.wire.idl_parse import Struct, parse

PROTOCOL_1 = parse(Path(__file__).with_name("protocol-1.varlink").read_text())
_LIMIT = 64 * 1024 * 1024
# The data of events is no part of the interface's text; the members that came after protocol 1.
_NEW_IN_DATA = frozenset(
    ("emergency", "group", "who", "why", "since_ns", "overruns", "underruns", "held_until_ns", "hold_s", "returns")
)
_NEW_KINDS = frozenset(
    ("call.unclaimed", "call.preempted", "bridge.joined", "bridge.ended", "span.clock", "line.seconds")
)


class Older:
    """Listens where the daemon looks for the host, and speaks to the real one elsewhere.

    Attributes:
        refused: What was asked in words that protocol 1 does not have.
        missing: What was answered without a member that protocol 1 has.

    Synchronization: a thread for each direction of each connection; the lists only grow.
    """

    def __init__(self, listen: Path, host: Path) -> None:
        self.refused: list[str] = []
        self.missing: list[str] = []
        self._host = host
        self._open: list[socket.socket] = []
        listen.parent.mkdir(parents=True, exist_ok=True)
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(str(listen))
        self._server.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for sock in (self._server, *self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                far.connect(str(self._host))
                self._open += near, far
                asked: deque[str] = deque()
                lock = threading.Lock()
                for carry in (self._questions, self._answers):
                    threading.Thread(target=carry, args=(near, far, asked, lock), daemon=True).start()

    def _questions(self, near: socket.socket, far: socket.socket, asked: deque[str], lock: threading.Lock) -> None:
        for message, fds in _messages(near, far):
            name = message["method"].rpartition(".")[2]
            problem = _unknown_in_call(name, message.get("parameters", {}))
            if problem:
                # Answered here: in order, as long as nothing else is under way, which is enough for a failure.
                self.refused.append(problem)
                error = {"error": "org.varlink.service.InvalidParameter", "parameters": {"parameter": problem}}
                with lock:
                    _say(near, error, ())
            else:
                asked.append(name)
                _say(far, message, fds)
            close_all(fds)

    def _answers(self, near: socket.socket, far: socket.socket, asked: deque[str], lock: threading.Lock) -> None:
        for message, fds in _messages(far, near):
            name = asked[0] if message.get("continues") else asked.popleft()
            if "error" not in message:
                gives = PROTOCOL_1.methods[name].gives
                message["parameters"] = self._cut(gives, message.get("parameters", {}), name)
                if name == "Attach":
                    message["parameters"] |= {"protocol": 1, "version": "0.0.1"}
            with lock:
                _say(near, message, fds)
            close_all(fds)

    def _cut(self, kind: Struct, value: dict[str, Any], where: str) -> dict[str, Any]:
        """The value with the members of protocol 1 and no other."""
        cut: dict[str, Any] = {}
        for name, type_name in kind.members:
            if name in value:
                cut[name] = self._cut_type(type_name, value[name], f"{where}.{name}")
            elif not type_name.startswith("?"):
                self.missing.append(f"{where}.{name}")
        if isinstance(cut.get("data"), dict):
            cut["data"] = {key: each for key, each in cut["data"].items() if key not in _NEW_IN_DATA}
        return cut

    def _cut_type(self, type_name: str, value: Any, where: str) -> Any:
        plain = type_name.removeprefix("?")
        if value is None:
            return None
        if plain.startswith("[]"):
            cut = [self._cut_type(plain[2:], each, where) for each in value]
            return [each for each in cut if not (isinstance(each, dict) and each.get("kind") in _NEW_KINDS)]
        known = PROTOCOL_1.types.get(plain)
        return self._cut(known, value, where) if isinstance(known, Struct) else value


def _messages(source: socket.socket, drain: socket.socket) -> Any:
    """Each message that comes, with its descriptors; the other side learns of the end."""
    reader = Reader(_LIMIT)
    with suppress(OSError):
        while True:
            octets, fds = receive(source)
            if not octets:
                break
            for text in reader.feed(octets, fds):
                message = json.loads(text)
                yield message, reader.take(message.get("fds", 0))
    reader.close()
    with suppress(OSError):
        drain.shutdown(socket.SHUT_RDWR)


def _say(sock: socket.socket, message: dict[str, Any], fds: Any) -> None:
    octets = memoryview(json.dumps(message).encode() + b"\0")
    with suppress(OSError):  # the other side has died: its own thread sees that
        sent = send(sock, octets, fds)
        sock.sendall(octets[sent:])


def _unknown_in_call(name: str, parameters: dict[str, Any]) -> str:
    """What of the call protocol 1 does not know; empty if all is known."""
    method = PROTOCOL_1.methods.get(name)
    if method is None:
        return name
    return _unknown(method.takes, parameters, name)


def _unknown(kind: Struct, value: dict[str, Any], where: str) -> str:
    members = dict(kind.members)
    for name, each in value.items():
        if name not in members:
            return f"{where}.{name}"
        known = PROTOCOL_1.types.get(members[name].removeprefix("?"))
        if isinstance(known, Struct) and isinstance(each, dict):
            inner = _unknown(known, each, f"{where}.{name}")
            if inner:
                return inner
    return ""
