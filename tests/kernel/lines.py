# SPDX-License-Identifier: GPL-2.0-or-later
"""Spans back to back, audio on them, and libpri at both ends of their D-channels."""

import itertools
import os
import random
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from dahdi_py.backends.base import Media
from dahdi_py.backends.kernel import KernelBackend
from dahdi_py.core.terms import LineType, Node, SwitchType, Timeslot
from dahdi_py.ffi import dahdi_channel
from dahdi_py.ffi.libpri import Pump
from dahdi_py.ffi.libpri_commands import SetupRequest
from dahdi_py.ffi.libpri_events import DChannelUp, DeviceEventPending, Event, HangupRequest, Number, Ring
from tests.backends.rig import usual_line

PATIENCE_S = 20.0
CHUNK = 800
KIND = TypeVar("KIND", bound=Event)

# A key is one digit to the kernel; 9 is for tests that make spans by hand, 1 and 2 for the service.
_keys = itertools.cycle(range(3, 9))


class Pair:
    """Two dynamic spans of one line type, back to back, configured and started."""

    def __init__(self, backend: KernelBackend, kind: LineType) -> None:
        key = next(_keys)
        self.backend = backend
        self.kind = kind
        self.config = usual_line(kind)
        self.ports = (f"loc/{key}:0", f"loc/{key}:1")
        self.descriptors: list[int] = []
        for port in self.ports:
            backend.configure(port, self.config)
        for port in self.ports:
            backend.startup(port)

    def media(self, **changes: object) -> Media:
        """What channels are opened as. Seconds deep: a guest on a busy host stands still for a while at times."""
        return Media(**{"law": self.config.law, "chunk": CHUNK, "depth": 32, **changes})  # type: ignore[arg-type]

    def open(self, end: int, timeslot: int, media: Media | None = None) -> int:
        """A B-channel's descriptor, closed at the latest with the pair."""
        fd, _ = self.backend.open_timeslot(self.ports[end], Timeslot(timeslot), media or self.media())
        self.descriptors.append(fd)
        return fd

    def open_dchannel(self, end: int) -> int:
        assert self.config.dchannel is not None
        fd = self.backend.open_dchannel(self.ports[end], self.config.dchannel)
        self.descriptors.append(fd)
        return fd

    def close(self, *fds: int) -> None:
        for fd in fds:
            self.descriptors.remove(fd)
            os.close(fd)

    def remove(self) -> None:
        self.close(*self.descriptors)
        for port in self.ports:
            self.backend.destroy(port)


MakePair = Callable[[LineType], Pair]


@dataclass
class End:
    """One end of a B-channel while octets cross it."""

    fd: int
    sent: bytes
    expected: bytes
    position: int = 0
    received: bytearray = field(default_factory=bytearray)

    @property
    def complete(self) -> bool:
        return self.expected in self.received

    def __str__(self) -> str:
        start = self.received.find(self.expected[:CHUNK])
        pairs = zip(self.expected, self.received[max(start, 0) :], strict=False)
        same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
        return f"{self.fd}: of {len(self.expected)} octets {same} came from octet {start} of {len(self.received)}"


def exchange(pairs: Iterable[tuple[int, int]], seconds: float, seed: int = 1) -> None:
    """Octets of all values cross every pair of descriptors both ways, complete, in order and unchanged."""
    source = random.Random(seed)
    length = int(seconds * 8000) // CHUNK * CHUNK
    ends: dict[int, End] = {}
    for left, right in pairs:
        one, other = source.randbytes(length), source.randbytes(length)
        ends[left], ends[right] = End(left, one, other), End(right, other, one)
    poller = select.epoll()
    for fd in ends:
        dahdi_channel.flush(fd, dahdi_channel.Flush.READ)
        poller.register(fd, select.EPOLLIN | select.EPOLLOUT | select.EPOLLPRI)
    deadline = time.monotonic() + seconds + PATIENCE_S
    waiting = set(ends)
    while waiting:
        assert time.monotonic() < deadline, f"ends without everything: {[str(ends[fd]) for fd in waiting]}"
        for fd, ready in poller.poll(1.0):
            assert not ready & ~(select.EPOLLIN | select.EPOLLOUT), f"descriptor {fd}: poll says {ready:#x}"
            if _move(ends[fd], ready, poller) and ends[fd].complete:
                waiting.discard(fd)
    poller.close()


def _move(end: End, ready: int, poller: select.epoll) -> bool:
    """All that there is room for each way; whether enough was received that it may be all."""
    with suppress(BlockingIOError):
        while ready & select.EPOLLOUT and end.position < len(end.sent):
            end.position += os.write(end.fd, end.sent[end.position : end.position + CHUNK])
        if end.position == len(end.sent):
            poller.modify(end.fd, select.EPOLLIN | select.EPOLLPRI)
    with suppress(BlockingIOError):
        while ready & select.EPOLLIN:
            end.received += os.read(end.fd, CHUNK)
    return len(end.received) >= len(end.expected)


def readable(fd: int, mask: int = select.POLLIN, patience_s: float = PATIENCE_S) -> int:
    """What poll reports for a descriptor once one bit of `mask` is among it."""
    poller = select.poll()
    poller.register(fd, mask)
    found = poller.poll(patience_s * 1000)
    assert found, f"descriptor {fd} stayed quiet for {patience_s} s"
    return found[0][1]


class Dchannels:
    """libpri at both ends of a pair, network side on its first span, user side on the second; both answer and clear."""

    def __init__(self, pair: Pair) -> None:
        switch = SwitchType.EUROISDN if pair.kind is LineType.E1 else SwitchType.NATIONAL
        self.pair = pair
        self.pump = Pump()
        self.numbers: list[int] = []
        self.descriptors = [pair.open_dchannel(end) for end in (0, 1)]
        for node, fd in zip((Node.NETWORK, Node.CPE), self.descriptors, strict=True):
            self.numbers.append(self.pump.add_dchannel(node, switch, fd=fd))
        self.drained: list[str] = []

    def turn(self) -> list[Event]:
        """One wake-up of a line host: wait for the pump, drain the device where it says so."""
        deadline = self.pump.next_deadline()
        wait_s = 1.0 if deadline is None else min(1.0, max(0.0, deadline - self.pump.now()))
        select.select([self.pump.fileno()], [], [], wait_s)
        events: list[Event] = []
        while fresh := self.pump.turn() if not events else self.pump.flush():
            events += fresh
            for event in fresh:
                self._answer(event)
        return events

    def _answer(self, event: Event) -> None:
        if isinstance(event, DeviceEventPending):
            fd = self.descriptors[self.numbers.index(event.dchannel)]
            self.drained += self.pair.backend.drain_channel(fd)
            self.pump.kick(event.dchannel)
        elif isinstance(event, Ring):
            self.pump.answer(event.handle)
        elif isinstance(event, HangupRequest):
            self.pump.hangup(event.handle)

    def until(self, done: Callable[[list[Event]], bool], what: str) -> list[Event]:
        """Turn until what has happened since satisfies `done`."""
        deadline = time.monotonic() + PATIENCE_S
        events: list[Event] = []
        while not done(events):
            assert time.monotonic() < deadline, f"no {what}; got {events}"
            events += self.turn()
        return events

    def both_up(self) -> None:
        both = set(self.numbers)
        self.until(lambda events: {event.dchannel for event in of_kind(DChannelUp, events)} == both, "link")

    def wait(self, kind: type[KIND], count: int = 1) -> list[KIND]:
        """That many events of a kind; what else comes meanwhile is not returned."""
        events = self.until(lambda events: len(of_kind(kind, events)) >= count, f"{count} {kind.__name__}")
        return of_kind(kind, events)

    def call(self, channel: int) -> int:
        """A SETUP from the user side is queued; its handle."""
        handle = self.pump.new_handle()
        layer1 = 0x23 if self.pair.kind is LineType.E1 else 0x22
        self.pump.setup(
            self.numbers[1],
            handle,
            SetupRequest(Number("2001", plan=1, type=2), channel, exclusive=True, layer1=layer1),
        )
        return handle

    def detach(self, end: int) -> None:
        """The end's span is free; libpri goes on without a line."""
        self.pump.detach_fd(self.numbers[end])
        self.pair.close(self.descriptors[end])

    def attach(self, end: int) -> None:
        self.descriptors[end] = self.pair.open_dchannel(end)
        self.pump.attach_fd(self.numbers[end], self.descriptors[end])

    def close(self) -> None:
        for end in (0, 1):
            self.detach(end)
        self.pump.close()


def of_kind(kind: type[KIND], events: Iterable[Event]) -> list[KIND]:
    return [event for event in events if isinstance(event, kind)]


def as_stranger(code: str) -> str:
    """What a program prints that is run by a user without any rights."""
    leave = "import os\nos.setgroups([])\nos.setgid(65534)\nos.setuid(65534)\n"
    run = subprocess.run([sys.executable, "-c", leave + code], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()
