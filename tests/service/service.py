# SPDX-License-Identifier: GPL-2.0-or-later
"""A whole service under test: its own directory and configuration, its processes killed and started at will."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self, TypeVar

from dahdi_py.client import CallRecord, Channel, Client, Event, Offer
from dahdi_py.errors import DahdiPyError

PATIENCE_S = 120.0
AnyService = TypeVar("AnyService", bound="Service")


def until(what: str, done: Callable[[], bool], found: Callable[[], object] = str) -> None:
    """Returns once `done` is true; fails after a generous limit, saying what it `found` instead."""
    limit = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < limit, f"not within {PATIENCE_S:.0f} s: {what}; {found()}"
        time.sleep(0.25)


class Service:
    """The processes of one configuration, started by its daemon."""

    def __init__(self, directory: Path, config: str) -> None:
        self.directory = directory
        self.socket = str(directory / "control.sock")
        self.config = directory / "config.toml"
        self.config.write_text(config)
        self.daemon: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """The daemon runs and answers, every host is up and every D-channel too."""
        self.spawn()
        until("the daemon answers and every D-channel is up", self._is_up, self.log)

    def spawn(self) -> None:
        """The daemon has been started."""
        environment = {**os.environ, "DAHDI_PY_SOCKET": self.socket}
        if os.environ.get("DAHDI_PY_KERNEL"):  # an emulated processor has no time to count branches
            environment = {key: value for key, value in environment.items() if not key.startswith("COVERAGE_")}
        with (self.directory / "daemon.log").open("ab") as log:
            self.daemon = subprocess.Popen(self.command(), env=environment, stdout=log, stderr=log)

    def command(self) -> list[str]:
        """What starts the daemon."""
        return [sys.executable, "-m", "dahdi_py.cli", "daemon", "--config", str(self.config)]

    def _is_up(self) -> bool:
        assert self.daemon is not None
        assert self.daemon.poll() is None, f"the daemon ended:\n{self.log()}"
        with suppress(DahdiPyError), self.client() as client:
            ready = client.status().ready and all(host.state == "up" for host in client.hosts())
            return ready and all(span.dchannel in ("up", "none") for span in client.spans())
        return False

    def log(self) -> str:
        """The last lines of every process's log."""
        logs = [self.directory / "daemon.log", *self.directory.glob("hosts/*.log"), *self.directory.glob("cards/*.log")]
        return "\n".join(f"== {path.name}\n" + "\n".join(path.read_text().splitlines()[-15:]) for path in logs)

    def client(self, label: str = "") -> Client:
        """A new connection to the daemon."""
        # What a restart does to a client is for the scenarios to show: none of them comes back by itself.
        return Client(self.socket, label=label, resume=False)

    def kill_daemon(self) -> None:
        """`kill -9`, and it is gone; hosts and cards are not its business any more."""
        assert self.daemon is not None
        self.daemon.send_signal(signal.SIGKILL)
        self.daemon.wait(PATIENCE_S)

    def host_pids(self) -> list[int]:
        """The line hosts' processes."""
        with self.client() as client:
            return [host.pid for host in client.hosts()]

    def stop(self) -> None:
        """Every process of the service has ended."""
        with suppress(DahdiPyError), self.client() as client:
            client.stop_daemon(service=True)
        if self.daemon is not None:
            try:
                self.daemon.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                raise AssertionError(f"the service did not stop:\n{self.log()}") from None


@contextmanager
def running(directory: Path, config: str) -> Iterator[Service]:
    """A service that is up, and stopped at the end of the block."""
    with running_as(Service(directory, config)) as service:
        yield service


@contextmanager
def running_as(service: AnyService) -> Iterator[AnyService]:
    """The service is up, and stopped at the end of the block."""
    try:
        service.start()
        yield service
    finally:
        service.stop()


class Follower:
    """What a stream gives, collected by a thread and looked for by the test."""

    def __init__(self, service: Service, kinds: tuple[str, ...] = ()) -> None:
        self._client = service.client()
        self._stream = self._client.events(kinds=kinds)
        self.seen: list[Event] = []
        self._queue: queue.Queue[Event] = queue.Queue()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        with suppress(DahdiPyError, OSError, ValueError):
            for event in self._stream:
                self._queue.put(event)

    def wait(self, kind: str, call: str = "") -> Event:
        """The first event of that kind (and call) that has come or comes."""
        limit = time.monotonic() + PATIENCE_S
        for event in self.seen:
            if event.kind == kind and call in ("", event.call):
                return event
        while True:
            try:
                event = self._queue.get(timeout=max(0.0, limit - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {kind} for {call or 'any call'}; seen: {self.kinds(call)}") from None
            self.seen.append(event)
            if event.kind == kind and call in ("", event.call):
                return event

    def kinds(self, call: str) -> list[str]:
        """What has happened to the call so far, in order."""
        return [event.kind for event in self.seen if call in ("", event.call)]

    def count(self, kind: str) -> int:
        """How many events of that kind have come so far."""
        while not self._queue.empty():
            self.seen.append(self._queue.get())
        return sum(event.kind == kind for event in self.seen)

    def close(self) -> None:
        """Nothing more is followed."""
        self._stream.close()
        self._client.close()
        self._thread.join(PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Core:
    """A switching core that takes calls of some groups or numbers; the test decides what becomes of each."""

    def __init__(self, service: Service, groups: tuple[str, ...] = (), numbers: tuple[str, ...] = ()) -> None:
        self.client = service.client("core")
        self._offers: queue.Queue[Offer] = queue.Queue()
        self._replies = self.client.serve(groups=groups, numbers=numbers)
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()

    def _take(self) -> None:
        with suppress(DahdiPyError, OSError, ValueError):
            for reply in self._replies:
                if reply.offer is not None:
                    self._offers.put(reply.offer)

    def offer(self) -> Offer:
        """The next incoming call."""
        try:
            return self._offers.get(timeout=PATIENCE_S)
        except queue.Empty:
            raise AssertionError("no call was offered") from None

    def answer(self, offer: Offer | None = None) -> tuple[Offer, Channel]:
        """The next incoming call, answered, with its channel."""
        taken = offer or self.offer()
        claimed = self.client.claim(taken.call)
        self.client.answer(taken.call)
        return taken, self.client.open(claimed.token)

    def close(self) -> None:
        """It serves no more, and its calls are cleared."""
        self._replies.close()
        self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def closed_record(client: Client, call: str) -> CallRecord:
    """The call's record once it is closed."""
    found: list[CallRecord] = []

    def is_closed() -> bool:
        found[:] = client.history(call=call)
        return bool(found) and found[0].state == "closed"

    until(f"the record of {call} is closed", is_closed)
    return found[0]


def service_used(service: Service) -> int:
    """Channels in use now."""
    with service.client() as client:
        return client.status().channels_used
