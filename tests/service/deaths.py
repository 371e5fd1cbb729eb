# SPDX-License-Identifier: GPL-2.0-or-later
"""A service whose daemon is killed again and again, while calls talk and a client leases channels."""

from __future__ import annotations

import os
import random
import select
import sqlite3
import threading
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Self

from dahdi_py.client import Client
from dahdi_py.errors import AllocationError, DahdiPyError, HostUnavailable, NotFound, StaleToken, Unreachable
from tests.daemon.process import Client as Plain
from tests.service.conversation import Conversation, converse
from tests.service.history import Operation, Result, violations
from tests.service.service import PATIENCE_S, Core, Follower, Service, service_used, until

CALLS = 2
BUSY_SPANS = ("t1-user", "t1-network")
HELD_AT_MOST = 3
_IDLE = frozenset((0xD5, 0xFF, 0x7F))
_CHUNK = 1024
_REFUSED = (AllocationError, HostUnavailable)
"""Who asks a host that has not answered in time for a channel gets none; what it gives later is given back for them."""


class Murmur:
    """Every end of every call says one octet of its own and hears nothing but its partner's, until the block ends.

    It bears what a loaded machine loses, which `Talk` does not.
    """

    def __init__(self, calls: list[Conversation]) -> None:
        self._pairs: dict[int, tuple[int, int]] = {}
        for number, call in enumerate(calls):
            near, far = (os.dup(fd) for fd in call.fds)
            self._pairs[near] = (2 * number + 1, 2 * number + 2)
            self._pairs[far] = (2 * number + 2, 2 * number + 1)
        self._heard = dict.fromkeys(self._pairs, 0)
        self._wrong = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="murmur")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for fd in self._pairs:
            os.close(fd)

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            for fd, (says, hears) in self._pairs.items():
                try:
                    if select.select([], [fd], [], 0)[1]:
                        os.write(fd, bytes((says,)) * _CHUNK)
                    while select.select([fd], [], [], 0)[0]:
                        heard = set(block := os.read(fd, _CHUNK)) - _IDLE
                        self._heard[fd] += block.count(hears)
                        if heard - {hears}:
                            self._wrong = f"descriptor {fd} heard {heard} instead of {hears}"
                except BlockingIOError:
                    pass
                except OSError as error:
                    self._wrong = f"descriptor {fd}: {error}"

    def goes_on(self, octets: int = 400) -> None:
        """Every end has heard so much more from now on, and never anything else."""
        goal = {fd: heard + octets for fd, heard in self._heard.items()}
        limit = time.monotonic() + PATIENCE_S
        while any(self._heard[fd] < goal[fd] for fd in goal) and not self._wrong:
            assert time.monotonic() < limit, f"silence: {self._heard} instead of {goal}"
            self._stop.wait(0.02)
        assert not self._wrong, self._wrong


class Busy:
    """A client that allocates, releases and places without a pause, and comes back to what it had.

    Attributes:
        told: What it asked and heard, for the checker of histories.

    Synchronization: `run` in a thread of its own; `come_back` when the daemon serves again.
    """

    def __init__(self, service: Service, seed: int) -> None:
        self._service = service
        self._random = random.Random(seed)
        self._held: list[str] = []
        self._leaving = ""
        self._again = threading.Event()
        self._alone = threading.Event()
        self._stop = False
        self.told: list[Operation] = []
        self.problem = ""
        self._thread = threading.Thread(target=self._run, name="busy")
        self._thread.start()
        self._again.set()

    def _run(self) -> None:
        while not self._stop:
            self._again.wait(PATIENCE_S)
            self._again.clear()
            try:
                with Plain(self._service.socket, PATIENCE_S) as client:
                    self._reclaim(client)
                    self._alone.clear()
                    while not self._stop:
                        self._step(client)
                    for token in list(self._held):
                        self._release(client, token)
            except Unreachable:
                self._alone.set()
            except Exception as error:
                self.problem = repr(error)
                raise

    def _reclaim(self, client: Plain) -> None:
        for token in list(self._held):
            try:
                client.reclaim(token)
            except StaleToken:
                assert token == self._leaving, f"the lease {token} is lost"
                self._held.remove(token)

    def _step(self, client: Plain) -> None:
        dice = self._random.random()
        if dice < 0.05:
            self._place(client)
        elif len(self._held) < HELD_AT_MOST and (not self._held or dice < 0.55):
            invoked = time.monotonic_ns()
            with suppress(*_REFUSED):
                # One that is not exclusive makes way for an incoming SETUP, and the checker knows of no such moves.
                reply = client.allocate(span=self._random.choice(BUSY_SPANS), exclusive=True)
                self._held.append(reply.token)
                self._write("allocate", reply.token, f"{reply.span}:{reply.timeslot}", invoked, "ok")
        else:
            self._release(client, self._random.choice(self._held))

    def _place(self, client: Plain) -> None:
        with suppress(*_REFUSED):
            placed = client.place("9999", span=self._random.choice(BUSY_SPANS))
            with suppress(NotFound):  # who serves nobody refuses it at once
                client.hangup(placed.call)

    def _release(self, client: Plain, token: str) -> None:
        invoked = time.monotonic_ns()
        self._leaving = token
        try:
            client.release(token)
        except Unreachable:
            self._write("release", token, "", invoked, "unanswered")
            raise
        self._held.remove(token)
        self._write("release", token, "", invoked, "ok")

    def _write(self, name: str, token: str, place: str, invoked: int, result: Result) -> None:
        completed = float("inf") if result == "unanswered" else time.monotonic_ns()
        self.told.append(Operation("busy", name, token, place, invoked, completed, result))

    def come_back(self) -> None:
        """It takes up what it had, if it has seen the daemon's death."""
        if self._alone.is_set():
            self._again.set()
        assert not self.problem, self.problem

    def end(self) -> None:
        """It has released what it had."""
        self._stop = True
        self._again.set()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        assert not self.problem, self.problem


class Deaths:
    """One service, its calls, and how often its daemon has died.

    Attributes:
        ready_s: How long each new daemon took until it served, from its start.

    Synchronization: one thread.
    """

    def __init__(self, service: Service, seed: int) -> None:
        self.service = service
        self.ready_s: list[float] = []
        self._random = random.Random(seed)
        self._client: Client | None = None

    def run(self, kills: int) -> None:
        """The daemon has been killed so often; every time calls and leases were there again."""
        service = self.service
        with Core(service, ("e1-user",)) as caller, Core(service, ("e1-network",)) as callee:
            with Follower(service) as events:
                calls = [converse(caller, callee, events, "e1-user") for _ in range(CALLS)]
            hosts = service.host_pids()
            busy = Busy(service, self._random.getrandbits(32))
            try:
                with Murmur(calls) as murmur:
                    for number in range(kills):
                        self._kill_and_wait(number)
                        self._check(calls)
                        busy.come_back()
                        murmur.goes_on()
                assert service.host_pids() == hosts
            finally:
                busy.end()
        self._close(calls)
        wrong = violations(busy.told, {})
        assert not wrong, "\n".join(wrong[:20])
        until("nothing is left", lambda: service_used(service) == 0)

    def _kill_and_wait(self, number: int) -> None:
        """Killed at any moment of its life, its start included; the next one serves."""
        service = self.service
        time.sleep(self._random.uniform(0, 0.2))  # the random point
        service.kill_daemon()
        if self._client is not None:
            self._client.close()
        if number % 4 == 3:
            service.spawn()
            time.sleep(self._random.uniform(0, 0.8))
            service.kill_daemon()
        began = time.monotonic()
        service.spawn()
        self._client = ready(service)
        self.ready_s.append(time.monotonic() - began)

    def _check(self, calls: list[Conversation]) -> None:
        """Every call is there and its owner's; no channel is listed twice; the files are whole."""
        client = self._client
        assert client is not None
        for call in calls:
            assert client.reclaim(call.near.token).call == call.placed
            assert client.reclaim(call.far.token).call == call.offered
        up = {each.call: each.phase for each in client.calls()}
        assert all(up[end] == "active" for call in calls for end in (call.placed, call.offered)), up
        places = [(channel.span, channel.timeslot) for channel in client.channels()]
        tokens = [channel.token for channel in client.channels() if channel.token]
        assert (len(places), len(tokens)) == (len(set(places)), len(set(tokens)))
        for name in ("ledger.db", "events.db"):
            assert intact(self.service.directory / "state" / name)

    def _close(self, calls: list[Conversation]) -> None:
        assert self._client is not None
        for call in calls:
            self._client.hangup(call.placed)
            call.close()
        until("the calls are over", lambda: not self._client or not self._client.calls())
        self._client.close()


def ready(service: Service) -> Client:
    """A connection to the daemon as soon as it serves with every host."""
    limit = time.monotonic() + PATIENCE_S
    while True:
        with suppress(DahdiPyError), ExitStack() as unless_ready:
            client = unless_ready.enter_context(service.client("core"))
            if client.status().ready and all(host.state == "up" for host in client.hosts()):
                unless_ready.pop_all()
                return client
        assert time.monotonic() < limit, f"no daemon serves: {service.log()}"
        time.sleep(0.005)


def intact(path: Path) -> bool:
    """Whether SQLite finds nothing wrong with the file."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=PATIENCE_S)) as database:
        return database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
