# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import fcntl
import os
import select
import socket
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from dahdi_py.errors import ChannelBusy, HardwareError
from dahdi_py.ffi.copier import BACKLOG, CHUNK_MAX, Copier

PATIENCE_S = 20.0


Pair = Callable[[], tuple[socket.socket, socket.socket]]


@pytest.fixture
def pair(copier: Copier) -> Iterator[Pair]:
    """Makes pairs of sockets; closed when nothing copies any more."""
    made: list[socket.socket] = []

    def make() -> tuple[socket.socket, socket.socket]:
        ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        made.extend(ends)
        for end in ends:
            end.setblocking(False)
        return ends

    yield make
    for sock in made:
        sock.close()


@pytest.fixture
def copier() -> Iterator[Copier]:
    made = Copier()
    yield made
    made.close()


def read(sock: socket.socket) -> bytes:
    assert select.select([sock], [], [], PATIENCE_S)[0], "nothing comes"
    return sock.recv(65536)


def wait_ended(copier: Copier) -> list[int]:
    assert select.select([copier.fileno()], [], [], PATIENCE_S)[0], "nothing ends"
    return copier.ended()


def test_what_comes_on_one_goes_to_the_other_both_ways(copier: Copier, pair: Pair) -> None:
    (far_a, a), (far_b, b) = pair(), pair()
    number = copier.join(a.fileno(), 160, b.fileno(), 160)
    for at in range(50):
        far_a.send(bytes([at]) * 160)
        assert read(far_b) == bytes([at]) * 160
        far_b.send(bytes([200 - at]) * 160)
        assert read(far_a) == bytes([200 - at]) * 160
    there, back = copier.part(number)
    assert (there, back) == ((8000, 0), (8000, 0))
    far_a.send(b"x" * 160)
    assert not select.select([far_b], [], [], 0.1)[0]
    assert a.recv(200) == b"x" * 160, "it is the caller's again"


def test_blocks_are_cut_to_what_the_other_side_takes(copier: Copier, pair: Pair) -> None:
    (far_a, a), (far_b, b) = pair(), pair()
    copier.join(a.fileno(), 240, b.fileno(), 80)
    far_a.send(bytes(range(240)))
    assert b"".join(read(far_b) for _ in range(3)) == bytes(range(240))
    for _ in range(3):
        far_b.send(b"y" * 80)
    assert read(far_a) == b"y" * 240
    far_a.send(b"z" * CHUNK_MAX)
    took = b""
    while len(took) < CHUNK_MAX - 80:
        took += read(far_b)
    assert set(took) == {ord("z")}


def test_who_writes_more_than_is_taken_has_to_wait_and_loses_nothing(copier: Copier, pair: Pair) -> None:
    (far_a, a), (far_b, b) = pair(), pair()
    for sock in (far_a, b):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    number = copier.join(a.fileno(), 160, b.fileno(), 160)
    blocks = [at.to_bytes(2) * 80 for at in range(200)]
    received, waited = [], 0
    for block in blocks:
        while True:
            try:
                far_a.send(block)
                break
            except BlockingIOError:
                waited += 1
                received.append(read(far_b))
    while len(received) < len(blocks):
        received.append(read(far_b))
    assert received == blocks
    assert waited
    there, _ = copier.part(number)
    assert (there.octets, there.dropped) == (200 * 160, 0)


def test_who_waits_for_the_other_side_hears_on_and_may_end(copier: Copier, pair: Pair) -> None:
    (far_a, a), (far_b, b) = pair(), pair()
    b.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    number = copier.join(a.fileno(), 160, b.fileno(), 160)
    with suppress(BlockingIOError):
        for _ in range(1000):
            far_a.send(bytes(160))
    far_b.send(b"x" * 160)
    assert read(far_a) == b"x" * 160
    far_a.close()
    assert wait_ended(copier) == [number]
    copier.part(number)


@pytest.mark.parametrize("side", [0, 1])
def test_a_side_that_ends_ends_the_pair_once(copier: Copier, pair: Pair, side: int) -> None:
    ends = pair(), pair()
    number = copier.join(ends[0][1].fileno(), 160, ends[1][1].fileno(), 160)
    ends[side][0].close()
    assert wait_ended(copier) == [number]
    assert copier.ended() == []
    copier.part(number)
    assert copier.part(number) == ((0, 0), (0, 0))


def test_a_joined_descriptor_is_not_joined_again_until_it_is_parted(copier: Copier, pair: Pair) -> None:
    (_fa, a), (_fb, b), (_fc, c) = pair(), pair(), pair()
    number = copier.join(a.fileno(), 160, b.fileno(), 160)
    with pytest.raises(ChannelBusy, match="joined already"):
        copier.join(c.fileno(), 160, b.fileno(), 160)
    copier.part(number)
    copier.join(c.fileno(), 160, b.fileno(), 160)


def test_what_cannot_be_joined_is_refused(copier: Copier, pair: Pair) -> None:
    _, a = pair()
    with pytest.raises(HardwareError):
        copier.join(a.fileno(), 0, a.fileno(), 160)
    with pytest.raises(HardwareError), open(os.devnull) as null:
        copier.join(a.fileno(), 160, null.fileno(), 160)


def test_many_pairs_come_and_go(copier: Copier, pair: Pair) -> None:
    for _ in range(10):
        made = [(pair(), pair()) for _ in range(30)]
        numbers = [copier.join(a.fileno(), 160, b.fileno(), 160) for (_, a), (_, b) in made]
        for at, (number, ((far_a, a), (far_b, b))) in enumerate(zip(numbers, made, strict=True)):
            far_a.send(b"m" * 160)
            if at % 3:
                assert read(far_b) == b"m" * 160
            copier.part(number)
            for sock in (far_a, a, far_b, b):
                sock.close()


def test_what_waits_when_they_are_joined_is_thrown_away(copier: Copier, pair: Pair) -> None:
    (far_a, a), (far_b, b) = pair(), pair()
    for _ in range(5):
        far_a.send(b"o" * 160)
        far_b.send(b"o" * 160)
    copier.join(a.fileno(), 160, b.fileno(), 160)
    far_a.send(b"n" * 160)
    far_b.send(b"n" * 160)
    assert (read(far_a), read(far_b)) == (b"n" * 160, b"n" * 160)


def test_frames_are_copied_one_by_one(copier: Copier, pair: Pair) -> None:
    (far_a, a), (far_b, b) = pair(), pair()
    copier.join(a.fileno(), 0, b.fileno(), 0)
    for length in (1, 5, 400, CHUNK_MAX):
        far_a.send(b"f" * length)
        assert read(far_b) == b"f" * length
    with pytest.raises(HardwareError):
        copier.join(a.fileno(), 0, b.fileno(), 160)
    with pytest.raises(HardwareError):
        copier.join(a.fileno(), 0, b.fileno(), 0, live=True)


def test_a_write_of_nothing_is_no_end(copier: Copier, pair: Pair) -> None:
    (far_a, a), (far_b, b) = pair(), pair()
    copier.join(a.fileno(), 160, b.fileno(), 160)
    far_a.send(b"")
    far_a.send(b"w" * 160)
    assert read(far_b) == b"w" * 160
    assert copier.ended() == []


def test_no_more_live_blocks_wait_for_the_line_than_the_backlog(copier: Copier, pair: Pair) -> None:
    (far_a, a), (far_b, b) = pair(), pair()
    number = copier.join(a.fileno(), 160, b.fileno(), 160, live=True)
    for at in range(12):
        far_a.send(bytes([at]) * 160)
        # One at a time: the other direction says when it was copied.
        far_b.send(bytes([at]) * 160)
        assert read(far_a)[0] == at
    for at in range(12, 14):
        wait_taken(far_a)
        waiting = [read(far_b)[0] for _ in range(BACKLOG)]
        assert waiting == sorted(waiting)
        assert not select.select([far_b], [], [], 0.1)[0], "no more than the backlog waits"
        for _ in range(BACKLOG):
            far_a.send(bytes([at]) * 160)
        wait_taken(far_a)
    there, _ = copier.part(number)
    assert there.dropped >= 8


def wait_taken(sock: socket.socket) -> None:
    """What was sent on the socket has been read."""
    unread = bytearray(4)
    for _ in range(int(PATIENCE_S * 1000)):
        fcntl.ioctl(sock, termios.TIOCOUTQ, unread)
        if not int.from_bytes(unread, sys.byteorder):
            return
        select.select([], [], [], 0.001)
    raise AssertionError("nobody reads it")


def test_of_live_octets_that_piled_up_only_the_newest_are_copied(copier: Copier, pair: Pair) -> None:
    """One large read stands for many small ones that the copier was kept from."""
    (far_a, a), (far_b, b) = pair(), pair()
    number = copier.join(a.fileno(), 160, b.fileno(), 160, live=True)
    far_a.send(b"".join(bytes([at]) * 160 for at in range(10)))
    assert [read(far_b)[0] for _ in range(BACKLOG)] == [10 - BACKLOG + at for at in range(BACKLOG)]
    there, _ = copier.part(number)
    assert (there.octets, there.dropped) == (160 * BACKLOG, 10 - BACKLOG)
