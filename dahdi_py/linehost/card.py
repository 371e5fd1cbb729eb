# SPDX-License-Identifier: GPL-2.0-or-later
"""A card as its host keeps it: spans brought up, their status read, and brought up again when the card comes back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Protocol, TypeVar

from dahdi_py.backends.base import Backend, SpanInfo
from dahdi_py.core.terms import Alarms, Timeslot
from dahdi_py.errors import DahdiPyError, DeviceGone, HardwareError
from dahdi_py.linehost.line import SpanLine
from dahdi_py.wire.loop import turn

log = logging.getLogger("dahdi_py.linehost.card")

FIRST_RETRY_S = 0.5
LAST_RETRY_S = 10.0

T = TypeVar("T")


class Follower(Protocol):
    """Whoever is told what becomes of a card's spans."""

    def line_up(self, line: SpanLine, fd: int) -> None:
        """The span is started; `fd` is its D-channel's descriptor, ours to close, or -1 when it has none."""

    def line_lost(self, line: SpanLine, reason: str) -> None:
        """The span is no longer there."""

    def line_status(self, line: SpanLine, alarms: Alarms) -> None:
        """The span shows these alarms."""

    def line_problem(self, line: SpanLine) -> None:
        """Why the span cannot be brought up is known, or another reason than before."""


class HostCard:
    """One card's spans, as far as this host has them.

    Args:
        backend: The card.
        worker: Runs what may block; one thread.

    Synchronization: the loop's thread.
    """

    def __init__(self, name: str, backend: Backend, worker: Executor) -> None:
        self.name = name
        self.driver = backend.driver
        self.backend = backend
        self.lines: list[SpanLine] = []
        self._owner: Follower
        self._worker = worker
        self._busy: dict[SpanLine, asyncio.Task[None]] = {}
        self._complaints: dict[SpanLine, str] = {}
        self._starting: asyncio.Task[None] | None = None

    def start(self, owner: Follower) -> None:
        """The spans are being brought up, and the card's events followed; `owner` is told what becomes of them."""
        self._owner = owner
        loop = asyncio.get_running_loop()
        loop.add_reader(self.backend.event_fd(), self._on_events)
        answers = self.backend.answers_fd()
        if answers is not None:
            loop.add_reader(answers, self._on_answers)
        self._starting = loop.create_task(self._start())

    async def _start(self) -> None:
        # Every line first, then the D-channels: one whose far end is ours as well finds it listening.
        for line in self.lines:
            with contextlib.suppress(DahdiPyError):
                await self._configure(line)
        self._starting = None
        for line in self.lines:
            self.bring_up(line)

    async def close(self) -> None:
        """Nothing is tried any more, and the backend is closed; spans and channels stay as they are."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self.backend.event_fd())
        answers = self.backend.answers_fd()
        if answers is not None:
            loop.remove_reader(answers)
        tasks = [*self._busy.values(), *([self._starting] if self._starting else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.backend.close()

    def bring_up(self, line: SpanLine) -> None:
        """The span is being configured and started, for as long as that takes; once at a time."""
        if not line.ready and self._starting is None and line not in self._busy:
            self._busy[line] = asyncio.get_running_loop().create_task(self._bring_up(line))

    async def _bring_up(self, line: SpanLine) -> None:
        try:
            delay = FIRST_RETRY_S
            while True:
                try:
                    await self._once(line)
                    break
                except DahdiPyError as error:
                    self._complain(line, str(error))
                await asyncio.sleep(delay)
                delay = min(delay * 2, LAST_RETRY_S)
        finally:
            del self._busy[line]

    async def _once(self, line: SpanLine) -> None:
        await self._configure(line)
        port = line.config.port
        line.info = self._info(port)
        dchannel = line.config.dchannel_timeslot
        fd = self.backend.open_dchannel(port, Timeslot(dchannel)) if dchannel else -1
        line.ready = True
        self._complaints.pop(line, None)
        line.problem = ""
        self._owner.line_up(line, fd)
        self.read_status(line)

    async def _configure(self, line: SpanLine) -> None:
        port = line.config.port
        written = await self._blocking(lambda: self.backend.configure(port, line.line_config()))
        if written:
            log.info("span %s: wrote %s", line.name, ", ".join(written))
        info = self._info(port)
        if info is None or not info.started:
            await self._blocking(lambda: self.backend.startup(port))

    def _info(self, port: str) -> SpanInfo | None:
        return next((info for info in self.backend.spans() if info.port == port), None)

    def _complain(self, line: SpanLine, message: str) -> None:
        if self._complaints.get(line) != message:
            self._complaints[line] = message
            log.warning("span %s cannot be brought up yet: %s", line.name, message)
            if not line.ready:
                line.problem = message
                self._owner.line_problem(line)

    async def _blocking(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, function)

    def lost(self, line: SpanLine, reason: str) -> None:
        """The span is gone; it is brought up again as soon as that works."""
        if line.ready:
            line.ready = False
            log.warning("span %s: %s", line.name, reason)
            self._owner.line_lost(line, reason)
        self.bring_up(line)

    def read_status(self, line: SpanLine) -> None:
        """The owner knows the span's alarms as they are now."""
        try:
            line.status = self.backend.status(line.config.port)
        except DeviceGone as error:
            self.lost(line, str(error))
        except HardwareError as error:
            self._complain(line, str(error))
        else:
            self._owner.line_status(line, line.status.alarms)

    def _on_answers(self) -> None:
        with turn:
            self.backend.answers()

    def _on_events(self) -> None:
        for event in self.backend.events():
            for line in self._concerned(event.port):
                if event.kind == "status" and line.ready:
                    self.read_status(line)
                elif event.kind == "absent":
                    self.lost(line, f"port {line.config.port} of card {self.name} is gone")
                elif event.kind == "present":
                    self.bring_up(line)

    def _concerned(self, port: str | None) -> Sequence[SpanLine]:
        return [line for line in self.lines if port is None or line.config.port == port]
