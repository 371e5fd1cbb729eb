# SPDX-License-Identifier: GPL-2.0-or-later
"""A whole service in a private directory: daemon, line host and simulated card, each in its own process."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from dahdi_py.client import Channel, Client, Offer
from dahdi_py.errors import DahdiPyError
from tests.daemon.process import PATIENCE_S, DaemonProcess, Listener, eventually

__all__ = ["Conversation", "Listener", "Service", "eventually"]


class Service:
    """The embedded default, or one with lines added to its sections; `end` leaves nothing of it.

    Synchronization: one thread.
    """

    def __init__(self, run: Path, **sections: str) -> None:
        config = (files("dahdi_py") / "embedded.toml").read_text()
        for name, lines in sections.items():
            head = f"[{name}]\n"
            config = config.replace(head, head + lines + "\n") if head in config else f"{head}{lines}\n\n{config}"
        self.run = run
        self.daemon = DaemonProcess(run, config)

    @property
    def socket(self) -> Path:
        return self.daemon.socket

    def client(self, label: str = "") -> Client:
        return Client(self.socket, label=label)

    def start(self) -> Service:
        self.daemon.start()
        self.wait_for_lines()
        # Lines that came up late have alarms, which last longer than what was wrong.
        with self.client() as client:
            eventually(lambda: not client.alarms())
        return self

    def wait_for_lines(self) -> None:
        with self.client() as client:
            eventually(
                lambda: all(span.state == "ok" for span in client.spans()),
                f"spans: {[(span.name, span.state) for span in client.spans()]}",
            )

    def host_pid(self) -> int:
        with self.client() as client:
            return client.hosts()[0].pid

    def processes(self) -> dict[int, str]:
        """Every process of the service by pid, with its command line."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if str(self.run) in command and not (entry / "stat").read_text().rpartition(")")[2].startswith(" Z"):
                    found[int(entry.name)] = command
        return found

    def end(self) -> None:
        with suppress(DahdiPyError), self.client() as client:
            client.stop_daemon(service=True)
            assert self.daemon.process is not None
            self.daemon.process.wait(PATIENCE_S)
        self.daemon.end()
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def place_and_answer(caller: Client, callee: Client, span: str, number: str = "2001") -> tuple[str, str, str, str]:
    """A call is up: the caller's call id and token, the callee's call id and token."""
    offers = callee.serve(numbers=[number])
    placed = caller.place(number, span=span)
    offer: Offer | None = None
    while offer is None:
        offer = next(offers).offer
    claimed = callee.claim(offer.call)
    callee.answer(offer.call)
    eventually(lambda: all(call.phase == "active" for call in caller.calls()))
    return placed.call, placed.token, offer.call, claimed.token


class Conversation:
    """Numbered blocks that one end keeps sending and the other keeps reading.

    Synchronization: two threads of its own; `check` when they have ended.
    """

    def __init__(self, near: Channel, far: Channel, seconds: float) -> None:
        self._near = near
        self._far = far
        self._blocks = [self._block(number) for number in range(int(seconds * 50))]
        self.received = bytearray()
        self._sent = threading.Event()
        self._threads = [threading.Thread(target=one) for one in (self._send, self._receive)]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _block(number: int) -> bytes:
        # No octet is the law's idle octet, so what the line fills in is told apart.
        return bytes(1 + (number * 7 + at * 3 + (at * number) // 5) % 200 for at in range(156)) + number.to_bytes(4)

    def _send(self) -> None:
        for block in self._blocks:
            while True:
                try:
                    assert self._near.write(block) == len(block)
                    break
                except BlockingIOError:
                    select.select([], [self._near.fileno()], [], 1.0)
        self._sent.set()

    def _receive(self) -> None:
        """Until the last block has come out, or no more comes for long after it went in."""
        limit = None
        while limit is None or time.monotonic() < limit:
            if select.select([self._far.fileno()], [], [], 0.1)[0]:
                with suppress(BlockingIOError):
                    self.received += self._far.read()
            if limit is None and self._sent.is_set():
                limit = time.monotonic() + PATIENCE_S
            if self._blocks[-1] in self.received[-2000:]:
                return

    def halfway(self) -> None:
        """Half of it has come out."""
        half = len(self._blocks) // 2
        eventually(lambda: self._blocks[half] in bytes(self.received), "the audio does not come through")

    def check(self) -> None:
        """All came out at the other end, complete and in order."""
        for thread in self._threads:
            thread.join(60)
        at = 0
        for number, block in enumerate(self._blocks):
            found = self.received.find(block, at)
            assert found >= 0, f"block {number} of {len(self._blocks)} is lost or out of order"
            at = found + len(block)
