# SPDX-License-Identifier: GPL-2.0-or-later
"""A card whose timeslots are socket pairs in this process: busy for as long as any copy of a descriptor is open."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from pathlib import Path

from dahdi_py.backends.base import Media, Missed, OnOpened, OnProved
from dahdi_py.backends.sim import SimBackend
from dahdi_py.core.terms import Timeslot
from dahdi_py.errors import DeviceBusy, DeviceGone, HardwareError

Place = tuple[str, int]
"""Port and timeslot."""


class MemoryCard(SimBackend):
    """Answers at once, or when it is told to where it is slow; its spans are the test's to take away.

    Attributes:
        slow: Ports whose timeslots are opened and proved free only by `answer` or `settle`.
        absent: Ports that are not there.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__("memory", directory / "no.card")
        self._directory = directory
        self.slow: set[str] = set()
        self.absent: set[str] = set()
        self._ours: dict[Place, socket.socket] = {}
        self._asked: deque[tuple[str, Callable[[], None]]] = deque()

    def outlive_its_host(self) -> MemoryCard:
        """The card as the host's next start finds it: what anybody has open stays open, nobody hears the answers."""
        card = MemoryCard(self._directory)
        card.slow, card._ours, self._ours = self.slow, self._ours, {}
        self._asked.clear()
        return card

    def held(self, port: str, timeslot: int) -> bool:
        """Whether any process has the timeslot open: its descriptors read as ended once all are closed."""
        ours = self._ours.get((port, timeslot))
        if ours is None:
            return False
        try:
            ended = not ours.recv(1024)
        except BlockingIOError:
            return True
        assert ended, "nobody writes to a timeslot here"
        self._ours.pop((port, timeslot)).close()
        return False

    def take_away(self, port: str) -> None:
        """The span is gone, and what was open of it reads as ended."""
        self.absent.add(port)
        for place in [place for place in self._ours if place[0] == port]:
            self._ours.pop(place).close()

    def answer(self, port: str = "") -> None:
        """Everything that was asked of the port is answered; of every port without one."""
        for _ in range(len(self._asked)):
            of, act = self._asked.popleft()
            if port in ("", of):
                act()
            else:
                self._asked.append((of, act))

    def begin_open(self, port: str, timeslot: Timeslot, media: Media, done: OnOpened) -> None:
        def act() -> None:
            problem = self._problem("open", port, timeslot)
            if problem is not None:
                done(-1, None, problem)
                return
            theirs, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours.setblocking(False)
            theirs.setblocking(False)
            self._ours[port, timeslot] = ours
            done(theirs.detach(), media, None)

        self._ask(port, act)

    def begin_proof(self, port: str, timeslot: Timeslot, done: OnProved) -> None:
        self._ask(port, lambda: done(self._problem("prove free", port, timeslot)))

    def settle(self) -> None:
        while self._asked:
            self.answer()

    def missed(self, port: str, timeslot: Timeslot) -> Missed:
        return Missed()

    def close(self) -> None:
        self.settle()
        for ours in self._ours.values():
            ours.close()
        super().close()

    def _ask(self, port: str, act: Callable[[], None]) -> None:
        if port in self.slow:
            self._asked.append((port, act))
        else:
            act()

    def _problem(self, operation: str, port: str, timeslot: Timeslot) -> HardwareError | None:
        place = f"{operation} timeslot {timeslot} of port {port}"
        if port in self.absent:
            return DeviceGone(f"{place}: it is gone", operation=operation, span=port, driver="memory")
        if self.held(port, timeslot):
            return DeviceBusy(f"{place}: it is held open", operation=operation, span=port, driver="memory")
        return None
