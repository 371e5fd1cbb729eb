# SPDX-License-Identifier: GPL-2.0-or-later
"""A whole line host in this process and in virtual time, with pairs of spans cabled to each other, and its daemon.

Everything is the product's own but the card's timeslots, the wire between two D-channels, the clock, and the
connection to the daemon, whose commands reach the host's own handlers.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import socket
import tomllib
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from dahdi_py.core import config as configuration
from dahdi_py.core.config_file import parse
from dahdi_py.core.terms import Alarms, Timeslot
from dahdi_py.errors import DahdiPyError
from dahdi_py.ffi.libpri import Pump
from dahdi_py.linehost.control import Control
from dahdi_py.linehost.host import LineHost
from dahdi_py.linehost.journal import Journal
from dahdi_py.linehost.line import SpanLine
from dahdi_py.wire.framing import close_all
from dahdi_py.wire.messages import host as m
from tests.linehost.memory_card import MemoryCard

TIMESLOTS = (1, 2, 3)
"""Spans of so few channels that whatever is done meets what was done before."""
PAIRS = (("a", "b"), ("c", "d"))
"""Cabled spans: the user's side and the network's."""
SPANS = ("a", "b", "c", "d")
_DIRECTIONS = (*PAIRS, *(pair[::-1] for pair in PAIRS))

_CLEARING = (b"\x45", b"\x4d", b"\x5a")  # DISCONNECT, RELEASE, RELEASE COMPLETE. Source: Q.931 table 4-2.


def _config() -> str:
    ports = '"E1", "E1", "T1", "T1"'
    text = f'[[cards]]\nname = "memory"\nkind = "sim"\nports = [{ports}]\n[[hosts]]\nname = "h"\n'
    for number, name in enumerate(SPANS, 1):
        kind, switch = ("E1", "euroisdn") if name in PAIRS[0] else ("T1", "national")
        text += (
            f'[[spans]]\nname = "{name}"\ncard = "memory"\nport = "{number}"\nhost = "h"\ntype = "{kind}"\n'
            f'node = "{"cpe" if number % 2 else "network"}"\nswitch_type = "{switch}"\n'
        )
    return text


class Host(LineHost):
    """A line host whose clock is the test's; with the card of its last start it is the next."""

    def __init__(self, directory: Path, card: MemoryCard | None = None) -> None:
        self.card = card or MemoryCard(directory)
        super().__init__("h", parse(tomllib.loads(_config())), lambda name: self.card, Journal(directory / "h.journal"))
        self.now = self.pump.now
        self.calls.now = self.channels._now = self.restarts._now = self.lease_ends._now = self.now
        self._far: dict[str, socket.socket] = {}
        self.deaf: set[str] = set()
        self.advance(1)
        for lost in self._journal.lost:
            self._account_for(lost)
        for line in self.lines:
            self.bring_back(line)

    def wake(self) -> None:
        """Nothing to do: the test flushes after all it does."""

    def _arm(self) -> None:
        """Nothing to do: the test lets time pass."""

    # The lines.

    def bring_back(self, line: SpanLine) -> None:
        """The span is there, its line is good, and that is its D-channel."""
        self.card.absent.discard(line.config.port)
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        near.setblocking(False)
        far.setblocking(False)
        self._far[line.name] = far
        self._follow.line_status(line, Alarms.NONE)
        self._follow.line_up(line, near.detach())

    def take_away(self, line: SpanLine) -> None:
        """The span is not there any more."""
        self.card.take_away(line.config.port)
        self._far.pop(line.name).close()
        self._follow.line_lost(line, "the span is gone")

    def alarm(self, line: SpanLine, alarms: Alarms) -> None:
        """The span's line shows these alarms."""
        self._follow.line_status(line, alarms)

    def carry(self) -> None:
        """Everything that was queued or sent has arrived, and what follows from it."""
        self._run(self.pump.turn())
        for _ in range(1000):
            if not any(self._carry(*direction) for direction in _DIRECTIONS):
                return
            self._run(self.pump.turn())
        raise AssertionError("the ends never fall silent")

    def _carry(self, source: str, sink: str) -> bool:
        """Whether anything came from the one end; it is with the other, if that hears it."""
        if source not in self._far:
            return False
        carried = False
        with contextlib.suppress(BlockingIOError):
            while True:
                frame = self._far[source].recv(512)
                if not frame:
                    break
                carried = True
                if sink in self.deaf:
                    frame = _not_understood(frame)
                if sink in self._far:
                    self._far[sink].send(frame)
        return carried

    # The clock.

    def advance(self, seconds: float) -> None:
        """So much time has passed, with all that happens by itself meanwhile at its own instant."""
        end = self.now() + seconds
        for _ in range(20_000):
            due = self._due()
            if due > end:
                break
            self._advance(due)
            self.calls.expire(self.now())
            self.channels.expire(self.now())
            self.lease_ends.expire(self.now())
            self.restarts.expire(self.now())
            self.carry()
        else:
            raise AssertionError("deadlines come faster than time passes")
        self._advance(end)
        self.carry()

    def _advance(self, to: float) -> None:
        self._run(self.pump.advance(max(0, int((to - self.now()) * 1e9) + 1)))

    def _due(self) -> float:
        ours = (self.calls, self.channels, self.lease_ends, self.restarts)
        return min(self.pump.next_deadline() or math.inf, *(part.deadlines.earliest for part in ours))

    async def close(self) -> None:
        for far in self._far.values():
            far.close()
        await super().close()


def _not_understood(frame: bytes) -> bytes:
    """A clearing message in an I frame is none that the other end knows; all else arrives as it is."""
    discriminator, reference = frame[4:5], frame[5:6]
    at = 6 + (reference[0] & 0xF) if reference else 0
    if frame[2] & 1 == 0 and discriminator == b"\x08" and frame[at : at + 1] in _CLEARING:
        return frame[:4] + b"\x4f" + frame[5:]  # a discriminator of nobody's: to be ignored. Source: Q.931 5.8.1.
    return frame


class Asked:
    """A command on its way, and what came of it; descriptors are copies, as the other process gets them."""

    def __init__(self, peer: Any) -> None:
        self.peer = peer
        self.fds: list[int] = []
        self.reply_with: Any = None
        self.error: DahdiPyError | None = None
        self.answered = False

    def reply(self, reply: Any, *, fds: Sequence[int] = (), close_fds: bool = False, continues: bool = False) -> None:
        assert continues or not self.answered, "answered twice"
        self.answered = True
        self.reply_with = reply
        self.fds += [os.dup(fd) for fd in fds]
        if close_fds:
            close_all(fds)

    def fail(self, error: DahdiPyError) -> None:
        assert not self.answered, "answered twice"
        self.answered = True
        self.error = error


class Monitored(Asked):
    """The stream of a host's events."""

    def __init__(self, peer: Any) -> None:
        super().__init__(peer)
        self.events: list[m.HostEvent] = []

    def reply(self, reply: Any, *, fds: Sequence[int] = (), close_fds: bool = False, continues: bool = False) -> None:
        self.events += [msgspec.json.decode(octets, type=m.HostEvent) for octets in reply.events]


class Service:
    """The host and the daemon that controls it; the daemon may die and another come.

    Attributes:
        up: Whether a daemon is there.
    """

    def __init__(self, directory: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._directory = directory
        self._begin()
        self._epoch = 0
        self._peers = 0
        self._controller: Any = None
        self._monitor: Monitored
        self.up = False
        self.return_daemon(0)

    def _begin(self, card: MemoryCard | None = None) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("dahdi_py.linehost.host.Pump", lambda: Pump(virtual=True))
            few = property(lambda span: tuple(map(Timeslot, TIMESLOTS)))
            patch.setattr(configuration.Span, "bchannels", few)
            self.host, self._control = self._loop.run_until_complete(_begin(self._directory, card))
        self._handlers = self._control.handlers()

    def restart_host(self) -> None:
        """The host was killed and has started again, and the daemon that is there controls it."""
        card = self.host.card.outlive_its_host()
        self._loop.run_until_complete(self.host.close())
        self._begin(card)
        if self.up:
            self.return_daemon(0)

    def ask(self, method: str, parameters: Any) -> Asked:
        """The daemon has sent the command; a refusal that comes at once is raised.

        Raises:
            DahdiPyError: The host's refusal.
        """
        asked = Asked(self._controller)
        self._handlers[method](cast(Any, asked), parameters)
        if asked.error is not None:
            raise asked.error
        return asked

    def news(self) -> list[m.HostEvent]:
        """Every event since the last time; the host may forget them."""
        self.host.outbox.flush()
        events, self._monitor.events = self._monitor.events, []
        if events and self.up:
            self.ask("Commit", m.CommitRequest(start=self.host.start, n=events[-1].n))
        return events

    def kill_daemon(self) -> None:
        """The daemon is gone; what happens is kept for the next."""
        self.up = False
        self._loop.run_until_complete(self._disconnect())

    async def _disconnect(self) -> None:
        self._control.disconnected(self._monitor.peer)
        self._control.disconnected(self._controller)

    def return_daemon(self, reclaim_s: float) -> m.Snapshot:
        """The next daemon is there and has all that happened; owners have so long to reclaim their leases."""
        self._epoch += 1
        self._controller = self._peer()
        attach = self.ask("Attach", m.AttachRequest(epoch=self._epoch, protocol=2, version="test"))
        self._monitor = Monitored(self._peer())
        self._handlers["Monitor"](cast(Any, self._monitor), m.MonitorRequest(epoch=self._epoch))
        self.up = True
        self.ask("Ready", m.ReadyRequest(reclaim_s=reclaim_s))
        return cast(m.Snapshot, attach.reply_with.snapshot)

    def _peer(self) -> Any:
        self._peers += 1
        return SimpleNamespace(id=self._peers, pid=1, closed=False, close=lambda: None)

    def close(self) -> None:
        self._loop.run_until_complete(self.host.close())
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()


async def _begin(directory: Path, card: MemoryCard | None) -> tuple[Host, Control]:
    host = Host(directory, card)
    return host, Control(host, 600)
