# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon's two connections to one line host: commands on one, what happens on the other."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from dahdi_py import __version__
from dahdi_py.daemon.news import News, NewsReply
from dahdi_py.errors import DahdiPyError, HostUnavailable, NotFound, StaleToken, Timeout, Unreachable
from dahdi_py.wire.caller import Caller, OnReply
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.common import CursorRequest
from dahdi_py.wire.messages.host import (
    PROTOCOL,
    AttachReply,
    AttachRequest,
    CommitRequest,
    MonitorRequest,
    ReadyRequest,
)

LOG = logging.getLogger(__name__)

ANSWER_S = 2.0
"""A host that can do what it is asked has done it within this, however busy: another one is asked then."""
SILENT_S = 5.0
"""A host that says nothing for so long does not live, whatever its process does."""
SILENT = "does not answer"
_BEAT_S = 1.0
ATTACH_S = 5.0
"""A host that took the connection answers within this, or the connection is given up."""
_HELD_BACK = 1000
"""A host of protocol 1 tells nothing any more when twice as many events are not durable."""
_PEERCRED = struct.Struct("3i")


class Follower(Protocol):
    """Who wants to know what a link sees."""

    def attached(self, link: Link, state: AttachReply) -> CursorRequest | None:
        """The host obeys us and this is its state; the answer is the last event that is on our disk."""

    def happened(self, link: Link, start: int, events: list[News]) -> None:
        """Events, in order."""

    def lost(self, link: Link, problem: str) -> None:
        """The host does not obey us any more, or never did: `attached` may not have been called."""

    def silent(self, link: Link) -> None:
        """The host has not answered for long, or answers again: `link.silent` says which."""


class Link:
    """One host as the daemon reaches it.

    Attributes:
        name: The host's configured name.
        up: Commands may be given.
        silent: It is connected, and has not answered for long.
        state: What the host said on attaching; None while it is not attached.
        attached: Done when the first attempt to attach has come out, well or not.

    Synchronization: the loop's thread.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str, path: Path, epoch: int, follower: Follower) -> None:
        self.name = name
        self.path = path
        self.up = False
        self.silent = False
        self.draining = False
        self.state: AttachReply | None = None
        self.attached: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._epoch = epoch
        self._follower = follower
        self._commands: Caller | None = None
        self._monitor: Caller | None = None
        self._committed = 0
        self._received = 0
        self._reclaim_s: float | None = None
        self._overdue = 0

    @property
    def stalled(self) -> bool:
        """Whether it owes an answer that should have come by now: what it is asked next waits behind that."""
        return self._overdue > 0

    def connect(self) -> int | None:
        """The pid of the host that answers, who is being attached; None when nobody does."""
        try:
            sock, pid = connect(self.path)
        except Unreachable:
            return None
        self._commands = Caller(self._loop, sock, self._broken)
        request = AttachRequest(epoch=self._epoch, protocol=PROTOCOL, version=__version__)
        self._commands.call("org.dahdipy.Host.Attach", request, AttachReply, self._attached, timeout=ATTACH_S)
        return pid

    def call(
        self, method: str, params: msgspec.Struct, reply: type[msgspec.Struct], on_reply: OnReply,
        fds: Sequence[int] = (), late: OnReply | None = None,
    ) -> None:  # fmt: skip
        """The command is given, with descriptors that stay ours; `on_reply(reply, fds, error)` tells how it went.

        One that the host takes with it when it dies has failed with `HostUnavailable`.

        Args:
            late: The host has `ANSWER_S` to answer, else the command has failed with `HostUnavailable` too; what comes
                after that is told here. None waits for as long as the host lives.

        Raises:
            HostUnavailable: The host is not attached.
        """
        commands = self._commands
        if commands is None or not self.up:
            raise HostUnavailable(f"line host {self.name} is not connected", host=self.name)

        def answered(got: Any, sent: list[int], error: DahdiPyError | None) -> None:
            self._overdue += isinstance(error, Timeout)
            on_reply(got, sent, self._named(error))

        def answered_late(got: Any, sent: list[int], error: DahdiPyError | None) -> None:
            self._overdue -= 1
            if late is not None:
                late(got, sent, error)

        if late is None:
            commands.call(method, params, reply, answered, fds=fds)
        else:
            commands.call(method, params, reply, answered, fds=fds, timeout=ANSWER_S, late=answered_late)

    def _named(self, error: DahdiPyError | None) -> DahdiPyError | None:
        """Whose connection it was that ended a caller cannot know, nor that another host may do."""
        if isinstance(error, Timeout):
            return HostUnavailable(f"line host {self.name} {SILENT}", host=self.name)
        if isinstance(error, Unreachable):
            return HostUnavailable(f"line host {self.name} is gone: {error.message}", host=self.name)
        return error

    def tell(self, method: str, params: msgspec.Struct, reply: type[msgspec.Struct] = Empty) -> None:
        """The command is given, if there is a host; what goes wrong is only logged."""
        if self.up and self._commands is not None:
            self._commands.call(f"org.dahdipy.Host.{method}", params, reply, self._told)

    def ready(self, reclaim_s: float) -> None:
        """The host may offer calls: the daemon serves; what nobody has reclaimed in so many seconds the host ends."""
        self._reclaim_s = reclaim_s
        self._tell_ready()

    def _tell_ready(self) -> None:
        if self._reclaim_s is not None and self.state is not None:
            # A host of protocol 1 cannot end leases by itself (its daemon does), and refuses members it does not know.
            ends_by_itself = self.state.protocol >= 2
            self.tell("Ready", ReadyRequest(reclaim_s=self._reclaim_s) if ends_by_itself else ReadyRequest())

    def committed(self, start: int, n: int) -> None:
        """Events up to that one are durable; the host may forget them."""
        if self.state is not None and start == self.state.snapshot.start and n > self._committed:
            self._committed = n
            self.tell("Commit", CommitRequest(start=start, n=n))

    def received(self, start: int, n: int) -> None:
        """Events up to that one are here, though not on disk; the host keeps them, and goes on telling."""
        if self.state is None or start != self.state.snapshot.start or n <= self._received:
            return
        self._received = n
        if self.state.protocol >= 2:
            self.tell("Commit", CommitRequest(start=start, n=n, durable=False))
        elif n - self._committed >= _HELD_BACK:
            # It keeps only what it may not tell: better events in our memory alone than calls that nobody hears of.
            self.committed(start, n)

    def close(self) -> None:
        """Both connections are closed; the host goes on without us."""
        self.up = False
        for caller in (self._commands, self._monitor):
            if caller is not None:
                caller.close()
        self._commands = self._monitor = None
        self._overdue, self.silent = 0, False

    def _attached(self, reply: AttachReply | None, fds: list[int], error: DahdiPyError | None) -> None:
        if self._commands is None:
            return
        if reply is None:
            self._give_up(f"does not attach: {error}")
            return
        if reply.host != self.name:
            self._give_up(f"its socket is served by line host {reply.host!r}")
            return
        try:
            self._monitor = Caller(self._loop, self.path, self._broken)
        except DahdiPyError as problem:
            self._give_up(str(problem))
            return
        self.state = reply
        self.up = True
        self.draining = reply.draining
        self._committed = self._received = 0
        after = self._follower.attached(self, reply)
        self._monitor.call(
            "org.dahdipy.Host.Monitor", MonitorRequest(epoch=self._epoch, after=after), NewsReply, self._happened,
            more=True,
        )  # fmt: skip
        self._tell_ready()
        self._came_out()
        self._loop.call_later(_BEAT_S, self._ask, self._commands)

    def _ask(self, commands: Caller) -> None:
        """The host is asked for a sign of life: to forget what it has forgotten."""
        if commands is not self._commands or self.state is None:
            return

        def answered(reply: Any, fds: list[int], error: DahdiPyError | None) -> None:
            ended = isinstance(error, Unreachable) and not isinstance(error, Timeout)
            if ended or commands is not self._commands:
                return
            silent, self.silent = self.silent, isinstance(error, Timeout)
            if silent is not self.silent:
                self._follower.silent(self)
            if not self.silent:
                self._loop.call_later(_BEAT_S, self._ask, commands)

        request = CommitRequest(start=self.state.snapshot.start, n=self._committed)
        commands.call("org.dahdipy.Host.Commit", request, Empty, answered, timeout=SILENT_S, late=answered)

    def _came_out(self) -> None:
        if not self.attached.done():
            self.attached.set_result(None)

    def _happened(self, reply: NewsReply | None, fds: list[int], error: DahdiPyError | None) -> None:
        if reply is None:
            if self._monitor is not None and not self._monitor.closed:
                self._give_up(f"tells nothing any more: {error}")
        else:
            self._follower.happened(self, reply.start, reply.events)

    def _told(self, reply: Any, fds: list[int], error: DahdiPyError | None) -> None:
        # What has ended by itself meanwhile is no trouble.
        if error is not None and not isinstance(error, Unreachable | StaleToken | NotFound):
            LOG.warning("line host %s: %s", self.name, error)

    def _broken(self, error: DahdiPyError) -> None:
        self._give_up(error.message)

    def _give_up(self, problem: str) -> None:
        if self._commands is None:
            return
        self.close()
        self.state = None
        self._came_out()
        self._follower.lost(self, problem)


def connect(path: Path) -> tuple[socket.socket, int]:
    """A connection to who listens there, and its pid.

    Raises:
        Unreachable: Nobody does.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        sock.connect(str(path))
        pid, _, _ = _PEERCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEERCRED.size))
    except OSError as error:
        sock.close()
        raise Unreachable(f"nobody answers on {path}: {error.strerror}", path=str(path)) from None
    return sock, pid
