# SPDX-License-Identifier: GPL-2.0-or-later
"""The backend contract on the kernel."""

import os
import select
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import pytest

from dahdi_py.backends.base import BackendEvent
from dahdi_py.backends.kernel import KernelBackend
from dahdi_py.core.terms import Alarms, LineType, Mode
from dahdi_py.errors import DeviceGone
from dahdi_py.ffi import dahdi
from tests.backends.contract_bridge import BridgeContract
from tests.backends.contract_channels import ChannelContract
from tests.backends.contract_spans import SpanContract
from tests.backends.rig import Rig, await_kind, dchannels, media_of, next_frame, opened, usual_line
from tests.backends.traffic import exchange, send_block
from tests.kernel.lines import Pair, readable

IN_STEP = b"in step"


class KernelRig:
    """Two `loc` spans back to back."""

    def __init__(self, kind: LineType) -> None:
        self.kind = kind
        self.backend = KernelBackend("kernel")
        self._pair = Pair(self.backend, kind)
        self.ports = self._pair.ports
        self._others: list[KernelBackend] = []

    def another(self) -> KernelBackend:
        self._others.append(KernelBackend("another"))
        return self._others[-1]

    def supports(self, what: str) -> bool:
        return what == "busy_elsewhere"

    def cut(self) -> None:
        """The far span is gone, which is all that interrupts this line."""
        control = dahdi.open_control()
        dahdi.dynamic_destroy(control, *self.ports[1].split("/"))
        os.close(control)

    def join(self) -> None:
        self.backend.configure(self.ports[1], usual_line(self.kind))
        self.backend.startup(self.ports[1])

    lose_card, return_card = cut, join

    def still(self) -> AbstractContextManager[None]:
        """Nobody holds the kernel's tick."""
        return nullcontext()

    def close(self) -> None:
        self._pair.remove()
        for backend in (self.backend, *self._others):
            backend.close()


@pytest.fixture(params=list(LineType))
def rig(request: pytest.FixtureRequest) -> Iterator[KernelRig]:
    made = KernelRig(request.param)
    yield made
    made.close()


class TestKernel(SpanContract, ChannelContract, BridgeContract):
    """The contract on the kernel; what a `loc` line does otherwise is told anew."""

    def test_a_cut_line_raises_alarms_that_a_joined_one_clears(self, rig: Rig) -> None:
        """The end that is left is in alarm within two seconds, and its open channels are told at once."""
        near = rig.ports[0]
        fd, _ = rig.backend.open_timeslot(near, usual_line(rig.kind).bchannels[0], media_of(rig))
        dchannel = rig.backend.open_dchannel(near, rig.kind.default_dchannel)
        rig.backend.drain_channel(dchannel)
        rig.cut()
        readable(fd, select.POLLPRI)
        assert rig.backend.status(near).alarms & Alarms.RED
        with pytest.raises(OSError, match="Errno 500"):
            os.read(fd, 160)
        assert rig.backend.drain_channel(fd) == ["alarm"]
        assert rig.backend.drain_channel(fd) == []
        assert "alarm" in rig.backend.drain_channel(dchannel)

        rig.join()
        readable(fd, select.POLLPRI)
        assert rig.backend.drain_channel(fd) == ["no_alarm"]
        assert rig.backend.status(near).alarms is Alarms.NONE
        os.close(fd)
        os.close(dchannel)

    def test_a_lost_card_is_told_and_so_is_its_return(self, rig: Rig) -> None:
        """A span can go alone; the others stay."""
        events: list[BackendEvent] = []
        rig.lose_card()
        while BackendEvent(rig.ports[1], "absent") not in events:
            readable(rig.backend.event_fd())
            events += rig.backend.events()
        with pytest.raises(DeviceGone, match="the kernel has no such span"):
            rig.backend.status(rig.ports[1])
        assert rig.ports[1] not in [span.port for span in rig.backend.spans()]
        rig.return_card()
        kinds: list[str] = []
        await_kind(rig, "present", kinds)
        with opened(rig, 1) as pairs:
            exchange(pairs, 0.2)

    def test_frames_cross_the_dchannel_with_their_fcs(self, rig: Rig) -> None:
        with in_step(rig) as (a, b):
            for length in (3, 4, 30, 260):
                for sender, receiver in ((a, b), (b, a)):
                    frame = os.urandom(length)
                    send_block(sender, frame + b"\0\0")
                    received = next_behind_step(rig, receiver)
                    assert (received[:-2], len(received)) == (frame, length + 2)

    def test_frames_keep_their_order(self, rig: Rig) -> None:
        with in_step(rig) as (a, b):
            frames = [bytes([number]) * 20 for number in range(12)]
            for frame in frames:
                send_block(a, frame + b"\0\0")
            assert [next_behind_step(rig, b)[:-2] for _ in frames] == frames

    def test_a_bchannel_carries_frames(self, rig: Rig) -> None:
        with opened(rig, 1, mode=Mode.HDLC) as [(a, b)]:
            send_until_heard(rig, a, b, b"a frame on a B-channel")


@contextmanager
def in_step(rig: Rig) -> Iterator[tuple[int, int]]:
    """Both D-channels, each of which has heard the other: a frame sent before the first flag was seen is lost."""
    with dchannels(rig) as (a, b):
        send_until_heard(rig, a, b, IN_STEP)
        send_until_heard(rig, b, a, IN_STEP)
        yield a, b


def next_behind_step(rig: Rig, fd: int) -> bytes:
    """The next frame that is the test's: one that a slow machine took long to carry was sent again, and comes twice."""
    while (received := next_frame(rig, fd))[:-2] == IN_STEP:
        pass
    return received


def send_until_heard(rig: Rig, sender: int, receiver: int, frame: bytes) -> None:
    """The frame is sent until it arrives, once."""
    poller = select.poll()
    poller.register(receiver, select.POLLIN | select.POLLPRI)
    for _ in range(20):
        os.write(sender, frame + b"\0\0")
        ready = poller.poll(1000)
        while ready and ready[0][1] & select.POLLPRI:
            rig.backend.drain_channel(receiver)
            ready = poller.poll(1000)
        if ready:
            assert os.read(receiver, 2048)[:-2] == frame
            return
    raise AssertionError("no frame was heard")
