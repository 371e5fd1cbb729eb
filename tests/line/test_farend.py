# SPDX-License-Identifier: GPL-2.0-or-later
"""A far end that obeys loop codes, in-band and on the data link, and nothing else. Source: T1.403 9.3."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dahdi_py.core.terms import Alarms, Coding, Framing, LineType
from dahdi_py.errors import DeviceBusy, DeviceGone, Unsupported
from dahdi_py.ffi.line import Card
from dahdi_py.ffi.line_types import FarEnd, FarEndStatus, Fault, InbandCode, Loop, Order
from tests.line.rig import IDLE, Client, settle
from tests.line.test_loops import STREAM

SECOND = 1_000_000_000
# As the standard's table writes them: 0xxxxxx0 11111111. Source: T1.403, ESF data link codewords.
CSU_LINE_UP, CSU_LINE_DOWN = 0b00001110_11111111, 0b00111000_11111111
PAYLOAD_UP, PAYLOAD_DOWN = 0b00010100_11111111, 0b00110010_11111111
NIU_UP, NIU_DOWN = 0b00010010_11111111, 0b00100100_11111111


@contextmanager
def facing(kind: FarEnd, framing: Framing = Framing.ESF) -> Iterator[Card]:
    """Port 1 with that far end, in frame."""
    with Card([LineType.T1, LineType.T1]) as card:
        card.frame(1, framing, Coding.B8ZS, False)
        card.configure(1, LineType.T1.timeslots, None, LineType.T1.default_law)
        card.run_port(1, True)
        card.far_end(1, kind)
        settle(card, of=1)
        yield card


def seen(card: Card) -> FarEndStatus:
    status = card.far_end_status(1)
    assert status is not None
    return status


@pytest.mark.parametrize("framing", [Framing.ESF, Framing.D4])
@pytest.mark.parametrize(
    ("kind", "up", "down"),
    [(FarEnd.CSU, InbandCode.CSU_UP, InbandCode.CSU_DOWN), (FarEnd.NIU, InbandCode.NIU_UP, InbandCode.NIU_DOWN)],
)
def test_an_in_band_code_of_five_seconds_is_obeyed(
    framing: Framing, kind: FarEnd, up: InbandCode, down: InbandCode
) -> None:
    with facing(kind, framing) as card:
        card.send_code(1, up, 4_900)
        card.advance(7 * SECOND)
        assert seen(card)[:4] == (kind, Loop.NONE, Order.NONE, 0)
        card.send_code(1, up, 5_100)
        card.advance(7 * SECOND)
        assert seen(card)[:4] == (kind, Loop.LINE, Order.INBAND, 1)
        card.send_code(1, down, 5_100)
        card.advance(7 * SECOND)
        assert seen(card)[:4] == (kind, Loop.NONE, Order.INBAND, 2)


def test_an_in_band_code_is_obeyed_on_a_bad_line() -> None:
    """Source: T1.403 9.3.1.1 (a code is recognized at an error rate of 1e-3)."""
    with facing(FarEnd.CSU) as card:
        card.fault(1, Fault.BIT_ERRORS, 1e-3, outward=True)
        card.send_code(1, InbandCode.CSU_UP, 6_000)
        card.advance(7 * SECOND)
        assert seen(card).loop is Loop.LINE


def test_a_code_that_clients_write_past_the_framing_bits_is_obeyed() -> None:
    code = bytes(int("00001" * 8, 2) >> 8 * at & 0xFF for at in range(4, -1, -1))
    with facing(FarEnd.CSU) as card:
        ends = [Client(card.open_timeslot(1, slot, IDLE)[0]) for slot in LineType.T1.timeslots]
        # Octet n of the code in timeslot n, on and on: frame by frame it moves on by 24 octets of five.
        blocks = [bytes(code[(slot + 24 * frame) % 5] for frame in range(160)) for slot in range(24)]
        for _ in range(320):
            for end, block in zip(ends, blocks, strict=True):
                end.write([block])
            card.advance(20_000_000)
        assert seen(card)[:4] == (FarEnd.CSU, Loop.LINE, Order.INBAND, 1)
        for end in ends:
            end.close()


@pytest.mark.parametrize("kind", [FarEnd.CSU, FarEnd.NIU])
def test_another_ones_codes_mean_nothing(kind: FarEnd) -> None:
    with facing(kind) as card:
        for code in (InbandCode.NIU_UP, InbandCode.CSU_DOWN) if kind is FarEnd.CSU else (InbandCode.CSU_UP,):
            card.send_code(1, code, 6_000)
            card.advance(7 * SECOND)
        card.send_codeword(1, NIU_UP if kind is FarEnd.CSU else CSU_LINE_UP, 25)
        card.advance(SECOND)
        assert seen(card)[:4] == (kind, Loop.NONE, Order.NONE, 0)


@pytest.mark.parametrize(
    ("kind", "up", "loop", "down"),
    [
        (FarEnd.CSU, CSU_LINE_UP, Loop.LINE, CSU_LINE_DOWN),
        (FarEnd.CSU, PAYLOAD_UP, Loop.PAYLOAD, PAYLOAD_DOWN),
        (FarEnd.NIU, NIU_UP, Loop.LINE, NIU_DOWN),
    ],
)
def test_a_codeword_on_the_data_link_is_obeyed(kind: FarEnd, up: int, loop: Loop, down: int) -> None:
    with facing(kind) as card:
        card.send_codeword(1, up, 25)
        card.advance(SECOND)
        assert seen(card)[:4] == (kind, loop, Order.FDL, 1)
        settle(card, of=1)
        card.send_codeword(1, down, 25)
        card.advance(SECOND)
        assert seen(card)[:4] == (kind, Loop.NONE, Order.FDL, 2)


@pytest.mark.parametrize("codeword", [CSU_LINE_UP, PAYLOAD_UP])
def test_what_is_sent_into_its_loop_comes_back(codeword: int) -> None:
    with facing(FarEnd.CSU) as card:
        client = Client(card.open_timeslot(1, 5, IDLE)[0])
        card.send_codeword(1, codeword, 25)
        card.advance(2 * SECOND)
        client.read()
        client.received.clear()
        assert client.write(STREAM) == []
        for _ in range(6):
            card.advance(40_000_000)
            client.read()
        assert b"".join(STREAM) in b"".join(client.received)
        os.close(client.fd)


def test_a_far_end_has_the_lines_clock_and_framing() -> None:
    with facing(FarEnd.CSU, Framing.D4) as card:
        card.clock(1, 77.0)
        card.advance(20 * SECOND)
        assert card.status(1).slips == 0
        card.frame(1, Framing.ESF, Coding.B8ZS, False)
        settle(card, of=1)


def test_a_far_end_is_plugged_where_there_is_no_cable_and_taken_away_again() -> None:
    with facing(FarEnd.NIU) as card:
        with pytest.raises(DeviceBusy):
            card.far_end(1, FarEnd.CSU)
        with pytest.raises(DeviceBusy):
            card.cable(1, 2)
        with pytest.raises(DeviceGone):
            card.uncable(1)
        card.far_end(1, FarEnd.NONE)
        card.advance(100_000_000)
        assert Alarms.LOS in card.status(1).alarms
        assert card.far_end_status(1) is None
        with pytest.raises(DeviceGone):
            card.far_end(1, FarEnd.NONE)
        card.cable(1, 2)


def test_an_e1_has_no_loop_codes_and_d4_no_data_link() -> None:
    with Card([LineType.E1, LineType.T1]) as card:
        card.frame(2, Framing.D4, Coding.AMI, False)
        with pytest.raises(Unsupported):
            card.far_end(1, FarEnd.CSU)
        with pytest.raises(Unsupported):
            card.send_code(1, InbandCode.CSU_UP, 1000)
        with pytest.raises(Unsupported):
            card.send_codeword(2, CSU_LINE_UP, 10)
