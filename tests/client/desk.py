# SPDX-License-Identifier: GPL-2.0-or-later
"""A daemon's socket without a daemon behind it: it notes what is asked, and answers as a test decides."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect as types

from dahdi_py.wire import idl
from dahdi_py.wire.interface import Empty, Interface, Method
from dahdi_py.wire.messages.calls import ServeReply
from dahdi_py.wire.messages.common import Cursor
from dahdi_py.wire.messages.events import Event, MonitorReply, MonitorRequest
from dahdi_py.wire.server import Limits, Peer, Request, Server
from tests.wire.waiting import PATIENCE_S

_NO_CORES = ("Host", "Card", "Sim")
"""Between the service's own processes, or for who practises on a simulated line: the clients have none of them."""
PUBLIC = [one for one in idl.interfaces() if one.methods and one.name.rpartition(".")[2] not in _NO_CORES]


def sample(kind: types.Type) -> Any:
    """The plainest value of a type."""
    if isinstance(kind, types.StructType):
        return {field.encode_name: sample(field.type) for field in kind.fields if field.required}
    plain: dict[type[types.Type], Any] = {
        types.StrType: "x",
        types.IntType: 1,
        types.FloatType: 0.5,
        types.BoolType: True,
        types.ListType: [],
        types.DictType: {},
        types.UnionType: None,
    }
    return plain[type(kind)]


class Desk:
    """The socket, what was asked at it, and answers of the tests' own.

    Attributes:
        asked: Every call, in order: connection, method, parameters.
        answers: By method, who answers instead of the plain sample.
        events: Every event so far; `publish` adds one and tells who follows.
        limits: Of the server, from the next opening on.
    """

    def __init__(self, path: Path, epoch: int = 1) -> None:
        self.path = path
        self.epoch = epoch
        self.asked: list[tuple[int, str, Any]] = []
        self.answers: dict[str, Callable[[Request, Any], None]] = {}
        self.events: list[Event] = []
        self.limits = Limits(output_octets=100_000)
        self._followers: list[Request] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    @contextmanager
    def open(self) -> Iterator["Desk"]:
        """Clients are served until the end of the block; it may be opened again."""
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        try:
            self._server: Server = self.run(self._serve)
            yield self
            self.run(self._server.close)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(PATIENCE_S)

    def close(self) -> None:
        """It will not be opened again."""
        self._loop.close()

    def _serve(self) -> Server:
        self._followers.clear()
        server = Server(self._loop, self.path, limits=self.limits)
        for interface in PUBLIC:
            handlers = {method.name: partial(self._take, interface, method) for method in interface.methods}
            server.register(interface, handlers)
        return server

    def run(self, work: Callable[[], Any]) -> Any:
        """What `work` gives, run on the desk's loop."""

        async def call() -> Any:
            return work()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(PATIENCE_S)

    def _take(self, interface: Interface, method: Method, request: Request, parameters: Any) -> None:
        name = f"{interface.name.rpartition('.')[2]}.{method.name}"
        self.asked.append((request.peer.id, name, parameters))
        if name in self.answers:
            self.answers[name](request, parameters)
        elif name == "Events.Monitor":
            self._follow(request, parameters)
        elif name == "Events.Position":
            request.reply(MonitorReply(cursor=self._cursor()))
        elif name == "Calls.Serve":
            request.reply(ServeReply(), continues=True)
        elif method.reply is Empty:
            request.reply(Empty())
        else:
            request.reply(msgspec.convert(sample(types.type_info(method.reply)), method.reply), continues=method.stream)

    def _cursor(self) -> Cursor:
        return Cursor(epoch=self.epoch, n=len(self.events))

    def _follow(self, request: Request, parameters: MonitorRequest) -> None:
        after = parameters.after
        missed = [] if after is None else [event for event in self.events if event.n > after.n]
        first = self._cursor() if after is None else Cursor(epoch=after.epoch, n=after.n)
        request.reply(MonitorReply(cursor=first), continues=True)
        if missed:
            request.reply(MonitorReply(cursor=self._cursor(), events=missed), continues=True)
        self._followers.append(request)

    def publish(self, kind: str, **members: Any) -> None:
        """The event has happened; who follows is told."""

        def tell() -> None:
            event = Event(epoch=self.epoch, n=len(self.events) + 1, utc_ns=0, kind=kind, **members)
            self.events.append(event)
            for follower in self._followers:
                follower.reply(MonitorReply(cursor=self._cursor(), events=[event]), continues=True)

        self.run(tell)

    def peers(self) -> list[Peer]:
        """Who is connected now."""
        return self.run(lambda: self._server.peers)  # type: ignore[no-any-return]

    def reclaimed(self) -> list[str]:
        """The tokens that were asked for again."""
        return [parameters.token for _, method, parameters in self.asked if method == "Channels.Reclaim"]

    def methods(self) -> list[str]:
        """What was asked, by method alone."""
        return [method for _, method, _ in self.asked]


def a_pair() -> tuple[int, socket.socket]:
    """A channel's two ends: the descriptor to be handed out, and the line's side."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    theirs.settimeout(PATIENCE_S)
    return ours.detach(), theirs
