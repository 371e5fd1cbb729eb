# SPDX-License-Identifier: GPL-2.0-or-later
"""B-channels of the simulated line in virtual time: every octet, and DAHDI's manners at both ends of a descriptor."""

import os
import random
import socket
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dahdi_py.core.terms import Alarms, Law, LineType
from dahdi_py.errors import DeviceBusy, DeviceGone, HardwareError
from dahdi_py.ffi.line import Card
from tests.line.rig import IDLE, TICK_NS, Client, bchannels, clients, joined, settle

KINDS = pytest.mark.parametrize("kind", list(LineType))


@KINDS
@pytest.mark.parametrize("tick_ms", [1, 4, 8])
def test_every_timeslot_carries_every_octet_both_ways(kind: LineType, tick_ms: int) -> None:
    source = random.Random(1)
    with joined(kind, tick_ms) as card, ExitStack() as stack:
        card.configure(1, kind.timeslots, None, kind.default_law)
        card.configure(2, kind.timeslots, None, kind.default_law)
        ends = [stack.enter_context(clients(card, timeslot)) for timeslot in kind.timeslots]
        expected = []
        for pair in ends:
            for end in pair:
                octets = source.randbytes(8 * 160)
                assert end.write([octets[at : at + 160] for at in range(0, len(octets), 160)]) == []
                expected.append(octets)
        for _ in range(20):
            card.advance(10_000_000)
            for pair in ends:
                for end in pair:
                    end.read()
        received = [b"".join(end.received) for pair in ends for end in pair[::-1]]
        assert all(octets in seen for octets, seen in zip(expected, received, strict=True))
        assert card.status(1).underruns > 0


@KINDS
def test_octets_cross_without_a_gap_as_long_as_they_are_written(kind: LineType) -> None:
    source = random.Random(2)
    octets = source.randbytes(160 * 500)
    blocks = [octets[at : at + 160] for at in range(0, len(octets), 160)]
    with joined(kind) as card, clients(card, 1) as (a, b):
        while blocks:
            blocks = a.write(blocks)
            card.advance(TICK_NS)
            b.read()
        for _ in range(100):
            card.advance(TICK_NS)
            b.read()
        assert octets in b"".join(b.received)
        assert card.status(2).overruns == 0


@given(st.lists(st.integers(1, 700), min_size=1, max_size=4))
def test_writes_of_any_size_are_one_stream(sizes: list[int]) -> None:
    source = random.Random(3)
    with joined(LineType.E1) as card, clients(card, 7) as (a, b):
        writes = [source.randbytes(size) for size in sizes]
        assert a.write(writes) == []
        for _ in range(150):
            card.advance(TICK_NS)
            b.read()
        assert b"".join(writes) in b"".join(b.received)


@pytest.mark.parametrize("chunk", [8, 40, 160, 240, 1024])
def test_a_read_is_one_full_block(chunk: int) -> None:
    with joined(LineType.E1) as card, clients(card, 1, chunk=chunk) as (a, b):
        assert a.read() == []
        card.advance(chunk * 125_000)
        card.advance(TICK_NS)
        first = b.read()
        card.advance(chunk * 125_000 * 4)
        assert {len(block) for block in first + b.read()} == {chunk}


def test_a_second_gives_fifty_blocks() -> None:
    with joined(LineType.T1) as card, clients(card, 1) as (_, b):
        card.advance(40_000_000)
        b.read()
        b.received.clear()
        for _ in range(250):
            card.advance(TICK_NS)
            b.read()
        assert len(b.received) == 50


@pytest.mark.parametrize(("chunk", "depth"), [(160, 8), (160, 32), (80, 8), (320, 6), (1024, 8), (8192, 4)])
def test_a_writer_gets_as_far_as_the_depth(chunk: int, depth: int) -> None:
    with joined(LineType.E1) as card, clients(card, 1, chunk=chunk, depth=depth) as (a, _):
        left = a.write([bytes(chunk)] * 100)
        assert 100 - len(left) == depth
        card.advance(TICK_NS)
        assert len(a.write([bytes(chunk)] * 2)) == 1


@pytest.mark.parametrize(("chunk", "depth"), [(160, 2), (160, 4), (40, 3)])
def test_a_depth_below_what_the_kernel_can_hold_is_told(chunk: int, depth: int) -> None:
    with joined(LineType.E1) as card:
        fd, given_depth = card.open_timeslot(1, 1, IDLE, chunk=chunk, depth=depth)
        client = Client(fd)
        taken = 100 - len(client.write([bytes(chunk)] * 100))
        assert depth <= given_depth == taken <= 8
        client.close()


@pytest.mark.parametrize(
    "media", [{"chunk": 0}, {"chunk": 8193}, {"depth": 1}, {"depth": 33}, {"chunk": 4096, "depth": 9}]
)
def test_an_impossible_descriptor_is_refused(media: dict[str, Any]) -> None:
    with joined(LineType.E1) as card, pytest.raises(HardwareError, match="out of range"):
        card.open_timeslot(1, 1, IDLE, **media)


def test_overrun_keeps_the_oldest_and_counts_the_rest() -> None:
    with joined(LineType.E1) as card, clients(card, 1) as (a, b):
        blocks = [bytes([number]) * 160 for number in range(1, 21)]
        left = blocks
        while left:
            left = a.write(left)
            card.advance(TICK_NS)
        card.advance(1_000_000_000)
        before = card.status(2).overruns
        queued = b.read()
        assert queued == blocks[:8]
        assert before >= 12
        card.advance(40_000_000)
        assert set(b.read()) == {bytes([IDLE]) * 160}


def test_underrun_is_the_idle_octet_of_the_law_asked_for_and_is_counted() -> None:
    with joined(LineType.E1) as card:
        a, _ = card.open_timeslot(1, 1, Law.MULAW.idle_octet)
        b, _ = card.open_timeslot(2, 1, Law.ALAW.idle_octet)
        card.advance(40_000_000)
        assert os.read(b, 160) == bytes([0xFF]) * 160
        assert os.read(a, 160) == bytes([0xD5]) * 160
        assert card.status(1).underruns == 320
        os.close(a)
        card.advance(80_000_000)
        assert os.read(b, 160) == bytes([0xFF]) * 160
        while (block := os.read(b, 160)) == bytes([0xFF]) * 160:
            pass
        assert set(block) == {0xFF, 0xD5} or set(block) == {0xD5}, "a closed timeslot idles in the port's law"
        assert card.status(1).underruns == 320
        os.close(b)


def test_a_timeslot_is_busy_until_every_copy_is_closed_and_free_at_once_then() -> None:
    with joined(LineType.E1) as card:
        fd, _ = card.open_timeslot(1, 1, IDLE)
        copy = os.dup(fd)
        os.close(fd)
        with pytest.raises(DeviceBusy) as caught:
            card.open_timeslot(1, 1, IDLE)
        assert (caught.value.driver, caught.value.span) == ("sim", "port 1 timeslot 1")
        assert card.held(1) == [1]
        os.close(copy)
        assert card.held(1) == []
        fd, _ = card.open_timeslot(1, 1, IDLE)
        os.close(fd)


def test_what_was_queued_is_gone_when_the_last_copy_is_closed() -> None:
    with joined(LineType.E1) as card:
        fd, _ = card.open_timeslot(1, 1, IDLE)
        os.write(fd, b"\x11" * 160)
        os.close(fd)
        with clients(card, 1) as (_, b):
            card.advance(100_000_000)
            b.read()
            assert 0x11 not in b"".join(b.received)


def test_an_empty_write_stops_nothing() -> None:
    with joined(LineType.E1) as card, clients(card, 1) as (a, b):
        os.write(a.fd, b"")
        os.write(a.fd, b"\x11" * 160)
        card.advance(100_000_000)
        b.read()
        assert b"".join(b.received).count(0x11) == 160


def test_a_client_that_cannot_be_read_from_any_more_goes_on_receiving() -> None:
    with joined(LineType.E1) as card, clients(card, 1) as (a, b):
        with socket.socket(fileno=os.dup(a.fd)) as end:
            end.shutdown(socket.SHUT_WR)
        b.write([b"\x22" * 160])
        card.advance(100_000_000)
        assert b"\x22" * 160 in b"".join(a.read())


def test_unconfigured_and_missing_timeslots_are_gone() -> None:
    with joined(LineType.T1) as card:
        for port, timeslot in ((1, 24), (1, 0), (1, 25), (1, -1), (3, 1), (0, 1)):
            with pytest.raises(DeviceGone):
                card.open_timeslot(port, timeslot, IDLE)
        with pytest.raises(DeviceGone):
            card.open_dchannel(1, 1)


def test_an_open_timeslot_keeps_its_kind_unless_forced() -> None:
    with joined(LineType.E1) as card, clients(card, 1) as (a, _):
        others = [slot for slot in bchannels(LineType.E1) if slot != 1]
        with pytest.raises(DeviceBusy):
            card.configure(1, others, 16, Law.ALAW)
        card.configure(1, bchannels(LineType.E1), 16, Law.MULAW)
        card.configure(1, others, 16, Law.ALAW, force=True)
        assert os.read(a.fd, 160) == b""


def test_a_pulled_cable_is_loss_of_signal_at_both_ends_and_ones_for_the_clients() -> None:
    with joined(LineType.E1) as card, clients(card, 1) as (a, b):
        card.advance(TICK_NS)
        assert [card.status(port).alarms for port in (1, 2)] == [Alarms.NONE, Alarms.NONE]
        assert os.eventfd_read(card.news_fd()) > 0
        card.uncable(2)
        assert card.cabled_to(1) is None
        card.advance(TICK_NS)
        assert [card.status(port).alarms for port in (1, 2)] == [Alarms.RED | Alarms.LOS] * 2
        assert os.eventfd_read(card.news_fd()) > 0
        card.advance(100_000_000)
        assert [set(end.read()[-1]) for end in (a, b)] == [{0xFF}, {0xFF}]
        card.cable(1, 2)
        settle(card)
        assert os.eventfd_read(card.news_fd()) > 0


@KINDS
def test_a_line_of_nothing_but_zero_octets_is_still_a_signal(kind: LineType) -> None:
    with joined(kind) as card, ExitStack() as stack:
        card.configure(1, kind.timeslots, None, kind.default_law)
        for timeslot in kind.timeslots:
            client = card.open_timeslot(1, timeslot, 0)[0]
            stack.callback(os.close, client)
        card.advance(100_000_000)
        assert card.status(2).alarms is Alarms.NONE


def test_a_stopped_port_sends_no_signal() -> None:
    with joined(LineType.T1) as card:
        card.run_port(1, False)
        card.advance(TICK_NS)
        assert card.status(2).alarms == Alarms.RED | Alarms.LOS
        assert card.status(1).alarms == Alarms.RED | Alarms.NOTOPEN
        card.run_port(1, True)
        settle(card)


def test_cables_join_free_ports_of_one_type() -> None:
    with Card([LineType.E1, LineType.E1, LineType.T1, LineType.E1]) as card:
        card.cable(1, 4)
        assert [card.cabled_to(port) for port in (1, 2, 3, 4)] == [4, None, None, 1]
        for a, b in ((1, 2), (2, 4), (2, 3), (2, 2), (2, 5)):
            with pytest.raises(HardwareError):
                card.cable(a, b)
        with pytest.raises(HardwareError):
            card.uncable(2)


@pytest.mark.parametrize(("ports", "tick_ms"), [(0, 4), (129, 4), (2, 0), (2, 9)])
def test_an_impossible_card_is_refused(ports: int, tick_ms: int) -> None:
    with pytest.raises(HardwareError):
        Card([LineType.E1] * ports, tick_ms)


def test_time_passes_in_whole_ticks() -> None:
    with joined(LineType.E1) as card, clients(card, 1):
        card.advance(TICK_NS - 1)
        assert card.status(1).underruns == 0
        card.advance(1)
        assert card.status(1).underruns == 32


def test_time_cannot_be_given_to_a_card_whose_clock_runs() -> None:
    with joined(LineType.E1) as card:
        card.start_clock()
        with pytest.raises(DeviceBusy):
            card.advance(TICK_NS)
        with pytest.raises(DeviceBusy):
            card.start_clock()
        card.stop_clock()
        card.stop_clock()
        card.advance(TICK_NS)
