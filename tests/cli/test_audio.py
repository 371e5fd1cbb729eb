# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo's own check of audio can fail: each kind of damage is seen."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator

import pytest

from dahdi_py.cli.audio import AudioDiffers, Direction, exchange

OCTETS = 4000
IDLE = b"\xd5" * 160


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    with near, far:
        yield near, far


def test_what_goes_in_comes_out_both_ways(line: tuple[socket.socket, socket.socket]) -> None:
    near, far = line
    near.send(IDLE)
    ways = [
        Direction("there", near.fileno(), far.fileno(), OCTETS, 160, 0),
        Direction("back", far.fileno(), near.fileno(), OCTETS + 7, 160, 99),
    ]
    exchange(ways, 20)
    assert [way.received for way in ways] == [OCTETS, OCTETS + 7]


def damaged(damage: Callable[[list[bytes]], list[bytes]], line: tuple[socket.socket, socket.socket]) -> None:
    """Direction 1's blocks are collected, damaged, and fed to a reader of the same pattern."""
    near, far = line
    writer = Direction("there", near.fileno(), far.fileno(), 800, 160, 0)
    blocks = []
    while writer.pending:
        writer.write()
        blocks.append(os.read(far.fileno(), 160))
    for block in damage(blocks):
        near.send(block)
    reader = Direction("there", near.fileno(), far.fileno(), 800, 160, 0)
    for _ in damage(blocks):
        reader.read()
    assert reader.complete


def test_idle_octets_between_are_no_damage(line: tuple[socket.socket, socket.socket]) -> None:
    damaged(lambda blocks: [IDLE, blocks[0], IDLE, *blocks[1:]], line)


@pytest.mark.parametrize(
    "damage",
    [
        lambda blocks: blocks[1:],
        lambda blocks: [blocks[0], *blocks[2:], blocks[1]],
        lambda blocks: [blocks[0], blocks[0], *blocks[1:]],
        lambda blocks: [blocks[0][1:], *blocks[1:]],
        lambda blocks: [bytes([blocks[0][0] ^ 1]) + blocks[0][1:], *blocks[1:]],
    ],
    ids=["lost", "swapped", "twice", "octet lost", "bit turned"],
)
def test_damage_is_seen(
    damage: Callable[[list[bytes]], list[bytes]], line: tuple[socket.socket, socket.socket]
) -> None:
    with pytest.raises(AudioDiffers, match="went in"):
        damaged(damage, line)


def test_silence_is_no_success(line: tuple[socket.socket, socket.socket]) -> None:
    near, _ = line
    other, silent = socket.socketpair()
    with other, silent:
        way = Direction("there", near.fileno(), silent.fileno(), 1600, 160, 0)
        with pytest.raises(AudioDiffers, match="not all audio"):
            exchange([way], 0.2)
