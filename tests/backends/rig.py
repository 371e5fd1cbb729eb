# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the backend contract run on: two joined ports of any backend, opened and waited for.

The contract of `dahdi_py.backends.base` is written once and run on every backend. To run it on one, write a test module
with a fixture `rig` that gives a `Rig`, and a class that inherits the tests of `contract_spans` and of
`contract_channels`, and those of `contract_bridge` if the backend has that capability::

    @pytest.fixture(params=list(LineType))
    def rig(request) -> Iterator[Rig]: ...

    class TestKernel(SpanContract, ChannelContract): ...

The rig's two ports are joined, configured as `usual_line` says, started, without alarms; nothing on them is open. What
only some backends can do is asked by `rig.supports`:

- ``cut``: `rig.cut` interrupts the line, `rig.join` joins it again.
- ``restart``: `rig.lose_card` and `rig.return_card` take the card away and bring it back.
- ``law_idle``: underrun sends the idle octet of the media's law (else: the same octet for ever).
- ``hdlc``: a B-channel's descriptor can carry frames.
- ``busy_elsewhere``: a shutdown is refused for channels that another process opened.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Protocol

import pytest

from dahdi_py.backends.base import Backend, LineConfig, Media
from dahdi_py.core.terms import Coding, Framing, LineType, Timeslot
from tests.backends.traffic import CHUNK, next_block, wait_readable


class Rig(Protocol):
    """Two joined ports of one backend."""

    backend: Backend
    kind: LineType
    ports: tuple[str, str]

    def another(self) -> Backend:
        """A second backend on the same card, as another process would have it; closed with the rig."""

    def supports(self, what: str) -> bool: ...

    def cut(self) -> None: ...

    def join(self) -> None: ...

    def lose_card(self) -> None: ...

    def return_card(self) -> None: ...

    def still(self) -> AbstractContextManager[None]:
        """Nothing moves on the line meanwhile, where that can be had."""


def usual_line(kind: LineType) -> LineConfig:
    """A PRI line: every timeslot but the D-channel's is a B-channel."""
    e1 = kind is LineType.E1
    return LineConfig(
        kind,
        framing=Framing.CCS if e1 else Framing.ESF,
        coding=Coding.HDB3 if e1 else Coding.B8ZS,
        crc4=True if e1 else None,
        timing=0,
        build_out=0,
        law=kind.default_law,
        bchannels=tuple(Timeslot(slot) for slot in kind.timeslots if slot != kind.default_dchannel),
        dchannel=kind.default_dchannel,
    )


def need(rig: Rig, what: str) -> None:
    if not rig.supports(what):
        pytest.skip(f"the backend does not claim {what}")


@contextmanager
def opened(rig: Rig, *timeslots: int, **media: object) -> Iterator[list[tuple[int, int]]]:
    """Both ends of these B-channels, closed afterwards; seconds deep, so that a pause of ours loses nothing."""
    wanted = media_of(rig, **{"chunk": CHUNK, "depth": 32, **media})
    fds: list[tuple[int, int]] = []
    try:
        for timeslot in timeslots:
            a, b = (rig.backend.open_timeslot(port, Timeslot(timeslot), wanted)[0] for port in rig.ports)
            fds.append((a, b))
        yield fds
    finally:
        for pair in fds:
            for fd in pair:
                os.close(fd)


def media_of(rig: Rig, **changes: object) -> Media:
    return replace(Media(rig.kind.default_law), **changes)  # type: ignore[arg-type]


@contextmanager
def dchannels(rig: Rig) -> Iterator[tuple[int, int]]:
    a, b = (rig.backend.open_dchannel(port, rig.kind.default_dchannel) for port in rig.ports)
    try:
        yield a, b
    finally:
        os.close(a)
        os.close(b)


def await_status(rig: Rig, good: Callable[[], bool]) -> None:
    """Wait for news until the status is as wanted."""
    for _ in range(100):
        if good():
            return
        wait_readable(rig.backend.event_fd())
        rig.backend.events()
    raise AssertionError("the status did not become as wanted")


def free(rig: Rig, port: str) -> bool:
    return not rig.backend.status(port).alarms.out_of_service


def await_kind(rig: Rig, kind: str, kinds: list[str]) -> None:
    while kind not in kinds:
        wait_readable(rig.backend.event_fd())
        kinds += [event.kind for event in rig.backend.events()]


def next_frame(rig: Rig, fd: int) -> bytes:
    """The next frame; device events that stand before it are drained, as every client of a D-channel does."""
    while True:
        try:
            return next_block(fd)
        except OSError:
            assert rig.backend.drain_channel(fd)
