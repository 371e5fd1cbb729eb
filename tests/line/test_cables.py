# SPDX-License-Identifier: GPL-2.0-or-later
"""What is done to a cable, in virtual time: what arrives at the far end, bit by bit."""

import itertools
import math
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from dahdi_py.core.terms import Alarms, Coding, Framing, LineType
from dahdi_py.errors import DeviceGone, HardwareError
from dahdi_py.ffi.line import Card
from dahdi_py.ffi.line_types import Fault
from tests.line.rig import TICK_NS, Client, clients, joined, settle

KINDS = pytest.mark.parametrize("kind", list(LineType))
PATTERN = bytes(range(256)) * 40


class Carried:
    """One timeslot with a known stream from port 1 to port 2."""

    def __init__(self, card: Card, near: Client, far: Client) -> None:
        self.card = card
        self.near = near
        self.far = far
        self.sent = 0

    def run(self, ms: int) -> bytes:
        """What arrived in so many ms."""
        seen = len(self.far.received)
        for _ in range(ms // 4):
            while self.near.write([PATTERN[self.sent % 256 :][:160]]) == []:
                self.sent += 160
            self.card.advance(TICK_NS)
            self.far.read()
        return b"".join(self.far.received[seen:])


@contextmanager
def carried(card: Card) -> Iterator[Carried]:
    """Timeslot 1 in full flow."""
    with clients(card, 1) as (near, far):
        flow = Carried(card, near, far)
        flow.run(200)
        yield flow


def wrong_steps(octets: bytes) -> int:
    """How often the stream does not go on as it should."""
    return sum((b - a) % 256 != 1 for a, b in itertools.pairwise(octets))


def wrong_bits(octets: bytes) -> int:
    """Bits that are not as sent, for a stream without slips."""
    phase = min(range(256), key=lambda at: _difference(octets[:512], at))
    return _difference(octets, phase)


def _difference(octets: bytes, phase: int) -> int:
    return sum((octet ^ (phase + at) % 256).bit_count() for at, octet in enumerate(octets))


@KINDS
def test_a_good_cable_changes_nothing(kind: LineType) -> None:
    with joined(kind) as card, carried(card) as flow:
        assert wrong_steps(flow.run(4000)) == 0
        status = card.faults(2)
        assert status is not None
        assert status.errors == 0
        assert card.status(2).level_db == 0


@KINDS
def test_a_cut_one_way_is_loss_of_signal_at_that_end_until_it_is_over(kind: LineType) -> None:
    with joined(kind) as card:
        card.advance(1_000_000_000)
        card.fault(2, Fault.CUT, 1, duration_ms=500)
        card.advance(100_000_000)
        assert Alarms.LOS in card.status(2).alarms
        assert card.status(2).level_db is None
        # The other end is told that it is not heard.
        assert card.status(1).alarms == Alarms.YELLOW
        settle(card)
        card.fault(1, Fault.CUT, 1, outward=True)
        card.advance(100_000_000)
        assert Alarms.LOS in card.status(2).alarms
        card.fault(1, Fault.CUT, 0, outward=True)
        settle(card)


@KINDS
@pytest.mark.parametrize("rate", [1e-2, 1e-3, 1e-4, 1e-6])
def test_bit_errors_come_at_their_rate(kind: LineType, rate: float) -> None:
    bits_a_second = 2_048_000 if kind is LineType.E1 else 1_544_000
    with Card([kind, kind]) as card:
        card.cable(1, 2)
        card.run_port(1, True)
        card.run_port(2, True)
        card.fault(2, Fault.BIT_ERRORS, rate)
        card.advance(40_000_000_000)
        status = card.faults(2)
        assert status is not None
        expected = rate * 40 * bits_a_second
        # Six standard deviations of a binomial count.
        assert abs(status.errors - expected) < 6 * math.sqrt(expected)


def test_bit_errors_fall_on_every_bit_alike() -> None:
    with joined(LineType.E1) as card, carried(card) as flow:
        card.fault(2, Fault.BIT_ERRORS, 1e-3)
        octets = flow.run(20_000)
        expected = 1e-3 * 8 * len(octets)
        assert abs(wrong_bits(octets) - expected) < 6 * math.sqrt(expected)


def test_a_rate_of_one_in_a_thousand_million_is_kept_over_hours() -> None:
    with Card([LineType.E1, LineType.E1], 8) as card:
        card.cable(1, 2)
        card.run_port(1, True)
        card.run_port(2, True)
        for seed in range(40):
            card.seed(2, seed)
            card.fault(2, Fault.BIT_ERRORS, 1e-9)
            card.advance(25_000_000_000)
        status = card.faults(2)
        assert status is not None
        assert 0 <= status.errors <= 15  # 2.05 expected


def test_the_same_seed_gives_the_same_errors() -> None:
    def errors(seed: int) -> bytes:
        with joined(LineType.T1) as card, carried(card) as flow:
            card.seed(2, seed)
            card.fault(2, Fault.BIT_ERRORS, 1e-3)
            return flow.run(2000)

    assert errors(7) == errors(7) != errors(8)


def test_a_burst_ends_by_itself() -> None:
    with joined(LineType.E1) as card, carried(card) as flow:
        card.fault(2, Fault.BURST, 0.1, duration_ms=40)
        assert wrong_bits(flow.run(200)) > 100
        assert wrong_steps(flow.run(400)) == 0


@KINDS
def test_crc_errors_are_one_payload_bit_a_block(kind: LineType) -> None:
    with joined(kind) as card:
        before, told = card.status(2).line.crc, card.status(1).line.ebit
        card.fault(2, Fault.CRC, 5)
        block_ms = 1 if kind is LineType.E1 else 3
        card.advance(6 * block_ms * 1_000_000 + TICK_NS)
        status = card.faults(2)
        assert status is not None
        assert (status.crc, status.errors, card.status(2).line.crc) == (0, 5, before + 5)
        card.advance(TICK_NS)
        # The far end says so on E1: E bits. Source: G.704 2.3.3.4
        assert card.status(1).line.ebit - told == (5 if kind is LineType.E1 else 0)


@KINDS
def test_framing_errors_leave_every_timeslot_as_it_was(kind: LineType) -> None:
    with joined(kind) as card, ExitStack() as stack:
        pairs = [stack.enter_context(clients(card, slot)) for slot in kind.timeslots if slot != kind.default_dchannel]
        source = random.Random(5)
        sent = [source.randbytes(160) for _ in pairs]
        for (near, _), octets in zip(pairs, sent, strict=True):
            assert near.write([octets]) == []
        before = card.status(2).line.fas
        card.fault(2, Fault.FRAMING, 1)
        card.advance(60_000_000)
        for (_, far), octets in zip(pairs, sent, strict=True):
            far.read()
            assert octets in b"".join(far.received)
        status = card.faults(2)
        assert status is not None
        assert (status.framing, status.errors, card.status(2).line.fas) == (0, 1, before + 1)
        assert not card.status(2).alarms


@KINDS
def test_framing_errors_in_a_row_are_loss_of_frame_until_it_is_found_again(kind: LineType) -> None:
    """Source: G.706 4.1.1 (three in a row), T1.231 (two of four framing bits)."""
    with joined(kind) as card:
        card.fault(2, Fault.FRAMING, 4)
        card.advance(24_000_000)
        assert card.status(2).line.severe > 0
        card.advance(2_000_000_000)
        assert card.status(2).line.reframes == 2
        settle(card)


@KINDS
def test_violations_of_the_line_code_change_no_bit(kind: LineType) -> None:
    with joined(kind) as card, carried(card) as flow:
        before = card.status(2).line
        card.fault(2, Fault.VIOLATIONS, 300)
        assert wrong_steps(flow.run(400)) == 0
        after = card.status(2).line
        assert (after.violations, after.crc, after.fas) == (before.violations + 300, before.crc, before.fas)


@pytest.mark.parametrize(
    ("kind", "framing", "one", "other"),
    [
        (LineType.T1, Framing.ESF, Coding.B8ZS, Coding.AMI),
        (LineType.T1, Framing.ESF, Coding.AMI, Coding.B8ZS),
        (LineType.E1, Framing.CCS, Coding.HDB3, Coding.AMI),
    ],
)
def test_ends_of_different_line_codes_count_violations_where_there_are_zeros(
    kind: LineType, framing: Framing, one: Coding, other: Coding
) -> None:
    """Source: G.703 annex A (substitutions), T1.231 (zeros that a code never sends count too)."""
    with joined(kind) as card, clients(card, 1) as (near, far), clients(card, 2) as (near_2, _):
        card.frame(1, framing, one, False)
        card.frame(2, framing, other, False)
        settle(card)
        before = card.status(2).line.violations
        for end in (near, near_2):
            end.write([bytes(160)] * 4)
        card.advance(100_000_000)
        far.read()
        assert card.status(2).line.violations > before
        card.frame(2, framing, one, False)
        settle(card)
        before = card.status(2).line.violations
        near.write([bytes(160)] * 4)
        card.advance(100_000_000)
        assert card.status(2).line.violations == before


def test_a_flap_is_so_many_losses_of_signal() -> None:
    with joined(LineType.E1) as card:
        card.advance(1_000_000_000)
        card.fault(2, Fault.FLAP, 3, duration_ms=400)
        losses, before = 0, True
        for _ in range(600):
            card.advance(TICK_NS)
            signal = card.status(2).level_db is not None
            losses += before and not signal
            before = signal
        assert (losses, before) == (3, True)


@pytest.mark.parametrize(("kind", "frame"), [(LineType.E1, 256), (LineType.T1, 193)])
@pytest.mark.parametrize("octets", [1, 80])
def test_a_delay_is_that_many_bits(kind: LineType, frame: int, octets: int) -> None:
    bits = frame * octets
    with joined(kind) as card, clients(card, 1) as (near, far):
        card.fault(2, Fault.DELAY, bits)
        card.advance(40_000_000)
        far.read()
        far.received.clear()
        near.write([b"\x11" * 160])
        card.advance(80_000_000)
        far.read()
        got = b"".join(far.received)
        card.fault(2, Fault.DELAY, 0)
        card.advance(40_000_000)
        far.read()
        far.received.clear()
        near.write([b"\x11" * 160])
        card.advance(80_000_000)
        far.read()
        assert got.index(b"\x11") - b"".join(far.received).index(b"\x11") == octets


def test_the_level_fades_with_build_out_and_cable_until_there_is_no_signal() -> None:
    with joined(LineType.T1) as card:
        card.build_out(1, 7.5)
        card.fault(2, Fault.LOSS, 12.25)
        card.advance(TICK_NS)
        assert card.status(2).level_db == -19.75
        assert card.status(1).level_db == 0
        card.fault(2, Fault.LOSS, 27.4)
        card.advance(TICK_NS)
        assert card.status(2).level_db == -34.9
        card.fault(2, Fault.LOSS, 27.5)  # 35 dB below nominal: G.775 4.2
        card.advance(100_000_000)
        assert card.status(2).level_db is None
        assert Alarms.LOS in card.status(2).alarms


def test_all_ones_reach_every_timeslot() -> None:
    with joined(LineType.E1) as card, carried(card) as flow:
        card.fault(2, Fault.AIS, 1)
        flow.run(100)
        assert set(flow.run(200)) == {0xFF}
        assert Alarms.BLUE in card.status(2).alarms
        assert Alarms.YELLOW in card.status(1).alarms


def test_a_cable_that_is_pulled_takes_its_faults_with_it() -> None:
    with joined(LineType.E1) as card:
        card.fault(2, Fault.BIT_ERRORS, 1e-2)
        card.uncable(1)
        assert card.faults(2) is None
        with pytest.raises(DeviceGone, match="no cable is plugged in"):
            card.fault(2, Fault.CUT, 1)
        card.cable(1, 2)
        status = card.faults(2)
        assert status is not None
        assert status.bit_error_rate == 0


@pytest.mark.parametrize(
    ("fault", "value"),
    [
        (Fault.BIT_ERRORS, 0.6),
        (Fault.BIT_ERRORS, -1e-3),
        (Fault.BIT_ERRORS, math.nan),
        (Fault.BURST, 2.0),
        (Fault.DELAY, -1),
        (Fault.DELAY, 1e12),
        (Fault.LOSS, 101),
        (Fault.CRC, -1),
        (Fault.FLAP, 3),
    ],
)
def test_what_a_line_cannot_have_is_refused(fault: Fault, value: float) -> None:
    with joined(LineType.E1) as card, pytest.raises(HardwareError, match="out of range"):
        card.fault(1, fault, value)
