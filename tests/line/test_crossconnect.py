# SPDX-License-Identifier: GPL-2.0-or-later
"""Timeslots joined in the card, in virtual time: every octet, one tick later, and nothing left when they part."""

import os
import random

import pytest

from dahdi_py.core.terms import LineType
from dahdi_py.errors import DeviceBusy, DeviceGone, HardwareError
from tests.line.rig import IDLE, TICK_NS, clients, joined

A, B = (1, 1), (1, 2)
"""Port 1's timeslots 1 and 2; their far ends are port 2's."""
OCTETS = random.Random(3).randbytes(160 * 6)
BLOCKS = [OCTETS[at : at + 160] for at in range(0, len(OCTETS), 160)]
TICK = TICK_NS // 1_000_000 * 8
"""Octets of a tick."""
STORED = 2
"""Octets that wait in the elastic stores of both lines, half full."""


def test_each_sends_what_the_other_receives_one_tick_later() -> None:
    with (
        joined(LineType.E1) as card,
        clients(card, 1, chunk=TICK) as (near_a, far_a),
        clients(card, 2, chunk=TICK) as (near_b, far_b),
    ):
        card.join(A, B)
        far_a.write(BLOCKS)
        far_b.write(BLOCKS[::-1])
        for _ in range(len(OCTETS) // TICK + 3):
            card.advance(TICK_NS)
            for end in (far_a, far_b, near_a, near_b):
                end.read()
        for end, sent in ((far_b, OCTETS), (far_a, b"".join(BLOCKS[::-1]))):
            heard = b"".join(end.received)
            began = heard.index(sent[:40])
            assert TICK <= began <= TICK + STORED
            assert heard[: began + len(sent)] == bytes([IDLE]) * began + sent
        assert near_a.received == near_b.received == [], "their clients hear nothing"


def test_nothing_is_missed_meanwhile_and_nothing_left_afterwards() -> None:
    with joined(LineType.T1) as card, clients(card, 1) as (near_a, far_a), clients(card, 2) as (near_b, far_b):
        card.advance(TICK_NS * 50)
        before = card.missed(*A), card.missed(*B)
        card.join(A, B)
        near_a.write([b"w" * 160] * 5)
        near_b.write([b"w" * 100])
        far_a.write([b"h" * 160])
        for _ in range(40):
            card.advance(TICK_NS)
            far_a.read()
            far_b.read()
        assert (card.missed(*A), card.missed(*B)) == before
        card.part(*B)
        for end in (near_a, near_b, far_a, far_b):
            end.read()
            end.received.clear()
        near_a.write([b"o" * 160])
        far_b.write([b"o" * 160])
        for _ in range(30):
            card.advance(TICK_NS)
            for end in (near_a, near_b, far_a, far_b):
                end.read()
        assert b"o" * 160 in b"".join(far_a.received)
        assert b"o" * 160 in b"".join(near_b.received)
        for end in (near_a, near_b, far_a, far_b):
            assert not {ord("w"), ord("h")} & set(b"".join(end.received))


def test_a_line_that_stands_still_is_idle_at_the_other_end() -> None:
    with joined(LineType.E1) as card, clients(card, 1) as (_, far_a), clients(card, 2) as (_, far_b):
        card.join(A, B)
        far_a.write([b"x" * 160] * 4)
        card.advance(TICK_NS * 10)
        card.uncable(1)
        card.run_port(1, False)
        card.advance(TICK_NS * 10)
        card.run_port(1, True)
        card.cable(1, 2)
        far_b.read()
        far_b.received.clear()
        card.run_port(2, False)
        card.advance(TICK_NS * 10)
        card.run_port(2, True)
        card.advance(TICK_NS * 10)
        tail = b"".join(far_b.read())[-160:]
        assert ord("x") not in tail, "the last octets are not repeated"


@pytest.mark.parametrize("which", [0, 1])
def test_closing_either_parts_them(which: int) -> None:
    with joined(LineType.E1) as card, clients(card, 1) as (near_a, far_a), clients(card, 2) as (near_b, far_b):
        card.join(A, B)
        gone, stays, far = (near_a, near_b, far_b) if which == 0 else (near_b, near_a, far_a)
        os.close(gone.fd)
        card.advance(TICK_NS)
        gone.fd, _ = card.open_timeslot(1, 1 + which, IDLE)
        (far_a if which == 0 else far_b).write([b"n" * 160])
        stays.write([b"o" * 160])
        for _ in range(30):
            card.advance(TICK_NS)
            far.read()
            gone.read()
        assert b"o" * 160 in b"".join(far.received)
        assert ord("n") not in b"".join(far.received), "the next holder is heard by nobody else"
        assert b"n" * 160 in b"".join(gone.received)


def test_what_cannot_be_joined_is_refused() -> None:
    with joined(LineType.E1) as card, clients(card, 1), clients(card, 2), clients(card, 3, hdlc=True):
        for a, b, error in (
            (A, A, HardwareError),
            (A, (1, 3), DeviceGone),  # frames
            (A, (1, 4), DeviceGone),  # not open
            (A, (1, 99), DeviceGone),
            (A, (9, 1), DeviceGone),
            ((0, 1), A, DeviceGone),
        ):
            with pytest.raises(error):
                card.join(a, b)
        card.join(A, B)
        for a, b in ((A, B), (B, A), (A, (2, 1)), ((2, 2), B)):
            with pytest.raises(DeviceBusy):
                card.join(a, b)
        card.part(*A)
        card.part(*B)
        card.part(1, 5)
        with pytest.raises(DeviceGone):
            card.part(9, 1)
        card.join(B, A)


def test_a_card_that_ends_with_joined_timeslots_leaves_nothing() -> None:
    with joined(LineType.E1) as card, clients(card, 1) as (near, _), clients(card, 2):
        card.join(A, B)
        card.close()
        assert os.read(near.fd, 10) == b""
