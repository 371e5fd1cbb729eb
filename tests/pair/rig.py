# SPDX-License-Identifier: GPL-2.0-or-later
"""Two ends for the pair ring: libpri against libpri, and libpri against a script of raw frames."""

from collections.abc import Iterable
from typing import TypeVar

from dahdi_py.core.terms import Node, SwitchType
from dahdi_py.ffi.libpri import Pump
from dahdi_py.ffi.libpri_commands import SetupRequest
from dahdi_py.ffi.libpri_events import Answered, Ended, Event, Number, Ring

SECOND = 1_000_000_000
KIND = TypeVar("KIND", bound=Event)


def of_kind(kind: type[KIND], events: Iterable[Event]) -> list[KIND]:
    return [event for event in events if isinstance(event, kind)]


def only(kind: type[KIND], events: Iterable[Event]) -> KIND:
    events = list(events)
    found = of_kind(kind, events)
    assert len(found) == 1, f"{len(found)} of {kind.__name__} in {events}"
    return found[0]


def request(channel: int = 1, called: str = "2001") -> SetupRequest:
    return SetupRequest(Number(called, plan=1, type=2), channel)


class Pair:
    """A network side and a user side joined in memory, in virtual time; both links are up."""

    def __init__(self, switch_type: SwitchType = SwitchType.EUROISDN) -> None:
        self.pump = Pump(virtual=True)
        self.network = self.pump.add_dchannel(Node.NETWORK, switch_type)
        self.cpe = self.pump.add_dchannel(Node.CPE, switch_type)
        self.pump.join(self.network, self.cpe)
        self.up = self.pump.turn()

    def ring(self, caller: int, what: SetupRequest | None = None) -> tuple[int, Ring]:
        """SETUP from D-channel `caller`: the caller's handle and what the other end saw."""
        handle = self.pump.new_handle()
        self.pump.setup(caller, handle, what or request())
        return handle, only(Ring, self.pump.turn())

    def answered(self, caller: int, channel: int = 1) -> tuple[int, int]:
        """A call in the active state: the handles of caller and called end."""
        handle, ring = self.ring(caller, request(channel))
        self.pump.answer(ring.handle)
        assert only(Answered, self.pump.turn()).handle == handle
        return handle, ring.handle

    def clear(self, *handles: int) -> list[Ended]:
        """Hang up each handle, turn by turn, and return how the calls ended."""
        ended: list[Ended] = []
        for handle in handles:
            self.pump.hangup(handle)
            ended += of_kind(Ended, self.pump.turn())
        return ended

    def assert_nothing_left(self) -> None:
        for dchannel in (self.network, self.cpe):
            assert "Total active-calls:0 " in self.pump.info(dchannel)


class RawPeer:
    """A libpri D-channel whose far end is this script: LAPD by hand, so that it can be wrong on purpose."""

    def __init__(self, node: Node = Node.CPE, switch_type: SwitchType = SwitchType.EUROISDN) -> None:
        self.pump = Pump(virtual=True)
        self.dchannel = self.pump.add_dchannel(node, switch_type)
        # C/R of the peer's commands: the network's are 1, the user's 0 (Q.921 3.3.2).
        self._command = 0x02 if node is Node.CPE else 0x00
        self._sent = self._received = 0
        self._aside: list[Event] = []
        self.inject(bytes((self._response, 0x01, 0x73)))
        self.pump.turn()
        self.replies()
        self._aside.clear()

    def begin(self, *, answers: bool = False) -> None:
        """The link begins anew with our SABME, or with UA to theirs."""
        self._sent = self._received = 0
        self.inject(bytes((self._response, 0x01, 0x73)) if answers else bytes((self._command, 0x01, 0x7F)))
        self._aside += self.pump.turn()

    @property
    def _response(self) -> int:
        return self._command ^ 0x02

    def inject(self, frame: bytes) -> None:
        self.pump.inject(self.dchannel, frame)

    def information(self, message: bytes, *, address: int | None = None, received: int | None = None) -> bytes:
        """The next I frame in sequence with `message` in it."""
        number = self._sent
        self._sent = (self._sent + 1) % 128
        acknowledged = self._received if received is None else received
        return bytes((self._command if address is None else address, 0x01, number << 1, acknowledged << 1)) + message

    def say(self, message: bytes) -> list[Event]:
        """Send `message` in an I frame; return what libpri's side has reported since the last message."""
        self.inject(self.information(message))
        events, self._aside = self._aside + self.pump.turn(), []
        return events

    def replies(self) -> list[bytes]:
        """The messages libpri has sent in I frames since the last call, each acknowledged."""
        messages = []
        for frame in self.pump.take_sent(self.dchannel):
            if not frame[2] & 1:
                self._received = (frame[2] >> 1) + 1 & 127
                messages.append(frame[4:])
        self.inject(bytes((self._response, 0x01, 0x01, self._received << 1)))
        self._aside += self.pump.turn()
        return messages

    def counted(self) -> dict[str, int]:
        """The guard's counters that are not zero."""
        counters = self.pump.counters(self.dchannel)
        return {name: value for name, value in counters.items() if value and name.startswith(("drop_", "neutral_"))}


BEARER = bytes.fromhex("04038090a3")
CHANNEL_1 = bytes.fromhex("1803a98381")
CALLED = bytes.fromhex("7005a132303031")


def message(kind: int, reference: int, *elements: bytes, flag: bool = False) -> bytes:
    """A Q.931 message with a call reference of two octets."""
    return bytes((0x08, 0x02, reference >> 8 | (0x80 if flag else 0), reference & 0xFF, kind)) + b"".join(elements)


def setup(reference: int) -> bytes:
    return message(0x05, reference, BEARER, CHANNEL_1, CALLED)
