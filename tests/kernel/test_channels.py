# SPDX-License-Identifier: GPL-2.0-or-later
"""B-channels: what goes in at one end comes out at the other; who holds one holds it alone."""

import fcntl
import os
import socket
import struct
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dahdi_py.backends.base import Media
from dahdi_py.backends.kernel import KernelBackend
from dahdi_py.backends.kernel_gain import gain_table
from dahdi_py.core.terms import Law, LineType, Mode, Timeslot
from dahdi_py.errors import DeviceBusy, DeviceGone, HardwareError, Unsupported
from dahdi_py.ffi import dahdi, dahdi_channel
from tests.backends.rig import usual_line
from tests.kernel.lines import CHUNK, PATIENCE_S, MakePair, Pair, exchange, readable


def test_every_octet_crosses_every_channel_of_two_pairs_both_ways(make_pair: MakePair) -> None:
    pairs = [make_pair(kind) for kind in LineType]
    assert sorted(len(pair.config.bchannels) for pair in pairs) == [23, 30]
    ends = [(pair.open(0, slot), pair.open(1, slot)) for pair in pairs for slot in pair.config.bchannels]
    exchange(ends, seconds=3.0)


def test_a_timeslot_is_busy_until_the_last_copy_in_any_process_is_closed(pair: Pair) -> None:
    fd = pair.open(0, 1)
    with pytest.raises(DeviceBusy) as caught:
        pair.open(0, 1)
    assert (caught.value.span, caught.value.driver) == (pair.ports[0], "dahdi_dynamic_loc")

    ours, theirs = socket.socketpair()
    command = [sys.executable, "-I", "-c", HOLDER, str(theirs.fileno())]
    with ours, subprocess.Popen(command, pass_fds=[theirs.fileno()]) as holder:
        theirs.close()
        socket.send_fds(ours, [b"d"], [fd])
        assert ours.recv(1) == b"h"
        pair.close(fd)
        with pytest.raises(DeviceBusy):
            pair.open(0, 1)

        peer = pair.open(1, 1)
        os.write(peer, b"\x55" * CHUNK)
        assert ours.recv(1) == b"\x55"
        ours.close()
        assert holder.wait(PATIENCE_S) == 0
    again = pair.open(0, 1)
    exchange([(again, peer)], seconds=0.2)


# A client's process: takes a descriptor, reads until the peer is heard, keeps it until its parent lets go.
HOLDER = """
import os, select, socket, sys
parent = socket.socket(fileno=int(sys.argv[1]))
_, (fd,), _, _ = socket.recv_fds(parent, 1, 1)
parent.sendall(b"h")
block = b""
while b"\x55" not in block:
    select.select([fd], [], [], 20)
    block = os.read(fd, 800)
parent.sendall(b"\x55")
assert parent.recv(1) == b""
"""


def test_a_read_is_one_whole_block_and_nothing_more(pair: Pair) -> None:
    fd = pair.open(0, 1, pair.media(chunk=80, depth=4))
    for _ in range(5):
        readable(fd)
        assert len(os.read(fd, 4096)) == 80
    assert dahdi_channel.get_bufinfo(fd) == dahdi_channel.Buffers(policy=0, count=4, size=80)


def test_media_come_back_as_they_really_are(backend: KernelBackend, pair: Pair) -> None:
    asked = pair.media(mode=Mode.DATA, echo_canceller=True, gain_db=3.0, chunk=8192, depth=32)
    fd, got = backend.open_timeslot(pair.ports[0], Timeslot(1), asked)
    os.close(fd)
    assert (got.echo_canceller, got.gain_db, got.chunk, got.depth, got.medium) == (False, 0.0, 8192, 4, "kernel")


def test_gain_changes_what_is_received_by_the_laws_table(pair: Pair) -> None:
    loud = pair.open(0, 1, pair.media(gain_db=6.0))
    peer = pair.open(1, 1)
    table = gain_table(pair.media().law, 6.0)
    assert dahdi_channel.getgains(loud) == (table, table)
    block = bytes(range(200)) * 4
    for _ in range(4):
        os.write(peer, block)
    received = b""
    while block.translate(table) not in received:
        readable(loud)
        received += os.read(loud, CHUNK)
        assert len(received) < 100 * CHUNK


def test_a_voice_channel_gets_its_canceller_and_data_none(backend: KernelBackend, pair: Pair) -> None:
    fd, got = backend.open_timeslot(pair.ports[0], Timeslot(1), pair.media(echo_canceller=True))
    pair.descriptors.append(fd)
    assert got.echo_canceller
    assert canceller_of(pair, 1) == "MG2"


def test_the_next_to_open_a_channel_finds_every_setting_as_it_was(backend: KernelBackend, pair: Pair) -> None:
    """Whatever the last one did with the kernel's own descriptor, by the backend and by himself."""
    timeslot, wanted = 1, pair.media(gain_db=6.0, echo_canceller=True, chunk=80, depth=4)
    fresh = pair.open(0, timeslot, Media(pair.kind.default_law))
    usual = settings_of(fresh)
    assert usual.gains == (IDENTITY, IDENTITY)
    assert usual.conference == (0, 0)
    pair.close(fresh)
    other = Law.MULAW if pair.config.law is Law.ALAW else Law.ALAW
    for mode in Mode:
        fd = pair.open(0, timeslot, replace(wanted, mode=mode, law=other))
        if mode is Mode.VOICE:
            fcntl.ioctl(fd, SETCONF, struct.pack("iii", 0, dahdi_channel.channo(fd) + 1, DIGITALMON))
            fcntl.ioctl(fd, SETLINEAR, struct.pack("i", 1))
            dahdi_channel.setgains(fd, bytes(256), bytes(256))
            assert settings_of(fd) != usual
        dahdi_channel.loopback(fd, True)
        dahdi_channel.buffer_events(fd, True)
        pair.close(fd)
        fd = pair.open(0, timeslot, Media(pair.kind.default_law))
        assert settings_of(fd) == usual, mode
        # The kernel keeps this one from the last holder, unless it is told anew: missed blocks would be events.
        for _ in range(10):
            readable(fd)
            os.read(fd, 160)
        time.sleep(0.5)
        assert backend.drain_channel(fd) == []
        pair.close(fd)
        fd, peer = pair.open(0, timeslot), pair.open(1, timeslot)
        exchange([(fd, peer)], seconds=0.3)  # not looped, not linear, not another channel's
        pair.close(fd, peer)


IDENTITY = bytes(range(256))
# Source: user.h of DAHDI 2.11.1.
GETCONF, SETCONF, SETLINEAR, DIGITALMON = 0xC00CDA0C, 0xC00CDA0D, 0x4004DA28, 9


@dataclass(frozen=True)
class Settings:
    """What the kernel says of an open channel."""

    law: str
    gains: tuple[bytes, bytes]
    buffers: dahdi_channel.Buffers
    conference: tuple[int, int]


def settings_of(fd: int) -> Settings:
    control = dahdi.open_control()
    params = dahdi.get_params(control, dahdi_channel.channo(fd))
    os.close(control)
    _, number, mode = struct.unpack("iii", fcntl.ioctl(fd, GETCONF, struct.pack("iii", 0, 0, 0)))
    return Settings(str(params.law), dahdi_channel.getgains(fd), dahdi_channel.get_bufinfo(fd), (number, mode))


def canceller_of(pair: Pair, timeslot: int) -> str:
    """The canceller attached to a channel of the pair's first span, as sysfs names it."""
    number = next(span.number for span in pair.backend.spans() if span.port == pair.ports[0])
    return Path(f"/sys/bus/dahdi_channels/devices/dahdi!chan!{number:03}!{timeslot:03}/ec_factory").read_text().strip()


def test_an_unknown_canceller_is_unsupported() -> None:
    backend = KernelBackend("kernel", canceller="nosuch")
    pair = Pair(backend, LineType.T1)
    with pytest.raises(Unsupported, match="no such echo canceller"):
        pair.open(0, 1, pair.media(echo_canceller=True))
    pair.open(0, 1)  # what failed left nothing open
    pair.remove()
    backend.close()


def test_a_channel_that_is_not_there_or_not_configured_is_refused_by_name(backend: KernelBackend, pair: Pair) -> None:
    last = pair.kind.timeslots[-1]
    with pytest.raises(Unsupported, match=f"timeslot {last + 1} is none of 1-{last}"):
        backend.open_timeslot(pair.ports[0], Timeslot(last + 1), pair.media())
    with pytest.raises(DeviceGone, match="the kernel has no such span"):
        backend.open_timeslot("loc/0:0", Timeslot(1), pair.media())
    backend.shutdown(pair.ports[0])
    with pytest.raises(HardwareError, match="not configured"):
        backend.open_timeslot(pair.ports[0], Timeslot(1), pair.media())
    backend.startup(pair.ports[0])
    exchange([(pair.open(0, 1), pair.open(1, 1))], seconds=0.1)


def test_the_kernel_says_its_version_and_what_a_channel_is(pair: Pair) -> None:
    fd = pair.open(0, 2)
    control = dahdi.open_control()
    try:
        assert dahdi.getversion(control).version.startswith("2.")
        channo = dahdi_channel.channo(fd)
        params = dahdi.get_params(control, channo)
        assert (params.position, params.law) == (2, usual_line(pair.kind).law)
        assert params.signalling == dahdi.Signalling.CLEAR
    finally:
        os.close(control)


def test_a_channel_loops_back_what_it_receives(pair: Pair) -> None:
    near, far = pair.open(0, 1), pair.open(1, 1)
    dahdi_channel.loopback(far, True)
    block = bytes(range(200)) * 4
    received = b""
    for _ in range(8):
        os.write(near, block)
    while block not in received:
        readable(near)
        received += os.read(near, CHUNK)
        assert len(received) < 100 * CHUNK


def test_writing_can_be_waited_for(pair: Pair) -> None:
    fd = pair.open(0, 1)
    os.write(fd, bytes(CHUNK))
    os.set_blocking(fd, True)
    dahdi_channel.drain_writes(fd)
    dahdi_channel.flush(fd, dahdi_channel.Flush.READ | dahdi_channel.Flush.WRITE)
