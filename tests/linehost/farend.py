# SPDX-License-Identifier: GPL-2.0-or-later
"""The other end of a cable under the test's own hand: libpri on the far port's D-channel, and frames of our making."""

import os
import select
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from dahdi_py.backends.base import LineConfig
from dahdi_py.backends.sim import SimBackend
from dahdi_py.core.terms import LineType, Node, SwitchType, Timeslot
from dahdi_py.ffi import libpri_events as ev
from dahdi_py.ffi.libpri import Pump
from dahdi_py.ffi.libpri_commands import SetupRequest
from tests.linehost.rig import PATIENCE_S, Controller, Process, Rig, span

E = TypeVar("E", bound=ev.Event)
R = TypeVar("R")
_FCS = b"\0\0"
_B_CHANNELS = tuple(Timeslot(t) for t in range(1, 32) if t != 16)


class FarEnd:
    """An E1's far end: `node` side on a port of the card."""

    def __init__(self, run: Path, port: int = 2, node: Node = Node.NETWORK) -> None:
        self.backend = SimBackend("sim", run / "card.sock")
        config = LineConfig(LineType.E1, bchannels=_B_CHANNELS, dchannel=Timeslot(16))
        self.backend.configure(str(port), config)
        self.backend.startup(str(port))
        self.fd = self.backend.open_dchannel(str(port), Timeslot(16))
        self.pump = Pump()
        self.dchannel = self.pump.add_dchannel(node, SwitchType.EUROISDN, fd=self.fd)
        self.pump.tap(self.dchannel)
        self.events: list[ev.Event] = []
        self._received = 0

    def close(self) -> None:
        self.pump.close()
        os.close(self.fd)
        self.backend.close()

    def run(self, seconds: float) -> None:
        """The far end lives for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            due = self.pump.next_deadline()
            pause = left if due is None else min(left, max(0.0, due - time.monotonic()))
            select.select([self.pump.fileno()], [], [], min(pause, 0.05))
            self.events += self.pump.turn()

    def until(self, what: Callable[[], R]) -> R:
        """The far end lives until that is true."""
        end = time.monotonic() + PATIENCE_S
        while not (result := what()):
            assert time.monotonic() < end, f"never came true: {what}"
            self.run(0.05)
        return result

    def wait(self, kind: type[E], count: int = 1) -> E:
        """The `count`th event of that type, come or to come."""
        end = time.monotonic() + PATIENCE_S
        while True:
            found = [event for event in self.events if isinstance(event, kind)]
            if len(found) >= count:
                return found[count - 1]
            seen = [event for event in self.events if not isinstance(event, ev.Frame)]
            assert time.monotonic() < end, f"no {kind.__name__} among {seen}"
            self.run(0.05)

    def setup(self, channel: int, *, exclusive: bool = False, number: str = "2001") -> int:
        handle = self.pump.new_handle()
        self.pump.setup(self.dchannel, handle, SetupRequest(ev.Number(number), channel, exclusive=exclusive))
        return handle

    def ended(self, handle: int) -> ev.Ended:
        end = time.monotonic() + PATIENCE_S
        while True:
            for event in self.events:
                if isinstance(event, ev.Ended) and event.handle == handle:
                    return event
            assert time.monotonic() < end, "the call never ended"
            self.run(0.05)

    def send(self, message: bytes) -> None:
        """A Q.931 message of our making goes out in the next I frame; libpri here knows nothing of it."""
        frames = [event for event in self.events if isinstance(event, ev.Frame) and not event.octets[2] & 1]
        mine = [frame.octets for frame in frames if frame.direction == "out"]
        theirs = [frame.octets for frame in frames if frame.direction == "in"]
        self._write((mine[-1][2] >> 1) + 1 if mine else 0, (theirs[-1][2] >> 1) + 1 if theirs else 0, message)

    def by_hand(self, until: Callable[[], bool], answer: Callable[[bytes], bytes]) -> list[bytes]:
        """Layer 2 by hand from here on, libpri no more: every I frame is acknowledged, and a new one answered.

        Returns:
            The Q.931 messages that came.
        """
        came: list[bytes] = []
        end = time.monotonic() + PATIENCE_S
        while not until():
            assert time.monotonic() < end, f"still not so after {came}"
            if not select.select([self.fd], [], [], 0.05)[0]:
                continue
            frame = os.read(self.fd, 512)[:-2]
            if frame[2] & 3 == 1 and frame[3] & 1:  # RR with P: we are here
                os.write(self.fd, bytes((0x00, 0x01, 0x01, self._received << 1 | 1)) + _FCS)
            if frame[2] & 1:
                continue
            repeated = frame[2] >> 1 != self._received
            if not repeated:
                self._received += 1
                came.append(frame[4:])
            os.write(self.fd, bytes((0x00, 0x01, 0x01, self._received << 1 | frame[3] & 1)) + _FCS)
            if not repeated and (reply := answer(frame[4:])):
                self._write(frame[3] >> 1, self._received, reply)
        return came

    def re_establish(self) -> None:
        """SABME on a link that is up: both ends count anew, what was on its way is lost. Source: Q.921 5.7."""
        os.write(self.fd, bytes((0x02, 0x01, 0x7F)) + _FCS)
        self._received = 0

    def take_over(self) -> None:
        """What libpri has received so far is where `by_hand` goes on."""
        frames = [event for event in self.events if isinstance(event, ev.Frame) and not event.octets[2] & 1]
        self._received = sum(frame.direction == "in" for frame in frames)

    def _write(self, send_number: int, receive_number: int, message: bytes) -> None:
        header = bytes((0x02, 0x01, send_number << 1, receive_number << 1))  # the network side's command
        os.write(self.fd, header + message + _FCS)

    def reference(self) -> bytes:
        """The call reference of the last message received, with the flag turned for our answer."""
        for event in reversed(self.events):
            if isinstance(event, ev.Frame) and event.direction == "in" and not event.octets[2] & 1:
                high, low = event.octets[6:8]
                return bytes((high ^ 0x80, low))
        raise AssertionError("no message was received")


def linked(rig: Rig) -> tuple[FarEnd, Process, Controller]:
    """Span a of a host is up against a far end under the test's hand; the far end, the host and its control."""
    rig.configure(span("a", 1, node="cpe"))
    rig.card()
    far = FarEnd(rig.run, 2, Node.NETWORK)
    process = rig.host()
    host = rig.control()
    far.wait(ev.DChannelUp)
    host.up("a", live=lambda: far.run(0.05))
    return far, process, host
