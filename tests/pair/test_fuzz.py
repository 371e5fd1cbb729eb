# SPDX-License-Identifier: GPL-2.0-or-later
"""Mutated frames in sequence, so that they reach layer 3: no crash, no record kept, no call of others lost."""

import random

import pytest

from dahdi_py.core.terms import Node, SwitchType
from dahdi_py.ffi.libpri_events import CallEvent, DChannelDown, Ended, Event, LinkReset, Ring
from tests.pair.rig import BEARER, CALLED, CHANNEL_1, SECOND, RawPeer, message, of_kind, only, setup

FRAMES = 10_000
SEEDS = [
    setup(0x11),
    message(
        0x05, 0x12, BEARER, CHANNEL_1, bytes.fromhex("6c0b2181") + b"212555012", CALLED, bytes.fromhex("7e0304") + b"hi"
    ),
    message(0x05, 0x13, BEARER, bytes.fromhex("1c12919f8b0100a10c02010106072a8648ce15000402"), CHANNEL_1, CALLED),
    message(0x01, 0x11, bytes.fromhex("1e028188")),
    message(0x45, 0x11, bytes.fromhex("08028290")),
    message(0x4D, 0x11, bytes.fromhex("08028290")),
    message(0x5A, 0x11),
    message(0x7D, 0x11, bytes.fromhex("080280e1"), bytes.fromhex("14010a")),
    message(0x46, 0, bytes.fromhex("1803a98385"), bytes.fromhex("790180")),
    message(0x62, 0x11, bytes.fromhex("1c0a9fa1070201010201220500")),
    message(0x7B, 0x11, bytes.fromhex("7002a131")),
    message(0x6E, 0x11, bytes.fromhex("2701f9")),
]


def mutate(dice: random.Random, octets: bytes) -> bytes:
    mutated = bytearray(octets)
    for _ in range(dice.choice((0, 1, 1, 2, 4))):
        at = dice.randrange(len(mutated)) if mutated else 0
        what = dice.randrange(4)
        if what == 0 and mutated:
            mutated[at] = dice.randrange(256)
        elif what == 1 and mutated:
            mutated[at] ^= 1 << dice.randrange(8)
        elif what == 2:
            del mutated[at : at + dice.randrange(1, 8)]
        else:
            mutated[at:at] = dice.randbytes(dice.randrange(1, 12))
    return bytes(mutated)


class Answering:
    """Hangs up or answers what the peer places, as it comes."""

    def __init__(self, peer: RawPeer, dice: random.Random, own: int) -> None:
        self.peer, self.dice, self.own = peer, dice, own
        self.live: set[int] = set()

    def take(self, events: list[Event]) -> None:
        assert of_kind(DChannelDown, events) == []
        assert of_kind(LinkReset, events) == []
        for event in events:
            if isinstance(event, Ring):
                self.live.add(event.handle)
                if self.dice.random() < 0.5:
                    self.peer.pump.answer(event.handle)
            elif isinstance(event, Ended):
                assert event.handle != self.own
                self.live.remove(event.handle)
            elif isinstance(event, CallEvent):
                assert event.handle in self.live | {self.own}
        if len(self.live) > 8:
            self.peer.pump.hangup(self.live.copy().pop())


@pytest.mark.parametrize("node", list(Node))
@pytest.mark.parametrize("switch_type", [SwitchType.EUROISDN, SwitchType.NATIONAL])
def test_mutated_messages(node: Node, switch_type: SwitchType) -> None:
    dice = random.Random(f"{node} {switch_type}")
    peer = RawPeer(node, switch_type)
    own = only(Ring, peer.say(setup(0x6001))).handle
    peer.pump.answer(own)
    peer.pump.turn()
    peer.say(message(0x0F, 0x6001))
    answering = Answering(peer, dice, own)
    for number in range(FRAMES):
        answering.take(peer.say(mutate(dice, dice.choice(SEEDS))))
        peer.replies()
        if number % 50 == 0:
            answering.take(peer.pump.advance(SECOND // 2))
            peer.replies()
    assert peer.pump.dchannel_state(peer.dchannel) == "up"
    assert peer.pump.timeline(own)
    for handle in [*answering.live, own]:
        peer.pump.hangup(handle)
    ended = of_kind(Ended, peer.say(b"") + peer.pump.advance(120 * SECOND))
    assert {end.handle for end in ended} == answering.live | {own}
    assert "Total active-calls:0 " in peer.pump.info(peer.dchannel)


def test_mutated_frames_outside_of_any_sequence() -> None:
    dice = random.Random(1)
    peer = RawPeer()
    for _ in range(FRAMES):
        whole = bytes((2, 1, dice.randrange(256), dice.randrange(256))) + dice.choice(SEEDS)
        peer.inject(mutate(dice, whole))
        peer.pump.turn()
    peer.pump.advance(300 * SECOND)
    assert "Total active-calls:0 " in peer.pump.info(peer.dchannel)
