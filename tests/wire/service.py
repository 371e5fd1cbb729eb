# SPDX-License-Identifier: GPL-2.0-or-later
"""A small service for the tests: its interface, and a server of it on a loop in a thread."""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from dahdi_py.errors import ChannelBusy
from dahdi_py.wire.interface import Empty, Interface, Method, Record
from dahdi_py.wire.interface import Request as Parameters
from dahdi_py.wire.server import Peer, Request, Server
from tests.wire.waiting import PATIENCE_S

T = TypeVar("T")


class Echo(Parameters):
    """What to say back."""

    text: str
    times: int = 1


class Echoed(Record):
    """What was said, and how many descriptors came or go with it."""

    text: str
    count: int


class Count(Parameters):
    """How far to count."""

    upto: int


class Counted(Record):
    """A number."""

    n: int


class Told(Counted):
    """A number and a text."""

    text: str = ""


INTERFACE = Interface(
    "org.dahdipy.Test",
    "What the tests call.",
    (
        Method("Echo", Echo, Echoed, doc="Says it back."),
        Method("Later", Echo, Echoed, doc="Says it back when told to."),
        Method("Fail", Empty, Empty, doc="Fails on purpose."),
        Method("Crash", Empty, Empty, doc="Fails by accident."),
        Method("Pipe", Empty, Echoed, fds=True, doc="Both ends of a pipe."),
        Method("Follow", Count, Counted, stream=True, doc="Counts."),
        Method("Forever", Empty, Counted, stream=True, doc="Counts until told to stop, or cut off."),
    ),
)


def open_descriptors() -> int:
    """How many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))


class Service:
    """The server, its loop, and what its handlers saw."""

    def __init__(self, loop: asyncio.AbstractEventLoop, path: Path, **settings: Any) -> None:
        self.loop = loop
        self.path = path
        self.later: list[tuple[Request, Echo]] = []
        self.followers: list[Request] = []
        self.gone: list[Peer] = []
        self.slow: list[Peer] = []
        hooks = {"on_disconnect": self.gone.append, "on_overflow": self.slow.append}
        self.server = Server(loop, path, **(hooks | settings))
        names = [method.name for method in INTERFACE.methods]
        self.server.register(INTERFACE, {name: getattr(self, f"_{name.lower()}") for name in names})

    def _echo(self, request: Request, parameters: Echo) -> None:
        request.reply(Echoed(text=parameters.text * parameters.times, count=1))

    def _later(self, request: Request, parameters: Echo) -> None:
        self.later.append((request, parameters))

    def _fail(self, request: Request, parameters: Empty) -> None:
        raise ChannelBusy("timeslot 5 is taken", holder=42)

    def _crash(self, request: Request, parameters: Empty) -> None:
        raise LookupError("by accident")

    def _pipe(self, request: Request, parameters: Empty) -> None:
        request.reply(Echoed(text="pipe", count=2), fds=os.pipe())

    def _follow(self, request: Request, parameters: Count) -> None:
        for n in range(parameters.upto):
            request.reply(Counted(n=n), continues=n + 1 < parameters.upto)

    def _forever(self, request: Request, parameters: Empty) -> None:
        self.followers.append(request)
        request.reply(Counted(n=0), continues=True)

    def tell_followers(self, text: str, times: int) -> None:
        """Every follower is told so often."""

        def tell() -> None:
            for request in self.followers:
                for n in range(times):
                    request.reply(Told(n=n, text=text), continues=True)

        self.run(tell)

    def answer_later(self) -> None:
        """What waits is answered, the last asked first."""
        waiting, self.later = self.later, []
        for request, parameters in reversed(waiting):
            request.reply(Echoed(text=parameters.text, count=0))

    def run(self, work: Callable[[], T]) -> T:
        """What `work` gives, run on the loop."""
        done: Future[T] = Future()

        def call() -> None:
            try:
                done.set_result(work())
            except BaseException as error:
                done.set_exception(error)

        self.loop.call_soon_threadsafe(call)
        return done.result(PATIENCE_S)


@contextmanager
def serving(path: Path, **settings: Any) -> Iterator[Service]:
    """A service on a loop in a thread of its own, until the end of the block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        made: Future[Service] = Future()

        def make() -> None:
            try:
                made.set_result(Service(loop, path, **settings))
            except BaseException as error:
                made.set_exception(error)

        loop.call_soon_threadsafe(make)
        service = made.result(PATIENCE_S)
        yield service
        service.run(service.server.close)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE_S)
        loop.close()
