# SPDX-License-Identifier: GPL-2.0-or-later
"""A core that is not trusted with the kernel's descriptors: it gets sockets, and by them no other channel."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dahdi_py.client import Channel, Client, MediaRequest
from tests.backends.traffic import next_block, send_block, take_all
from tests.linehost.rig import heard
from tests.service.kernel import configuration
from tests.service.service import Service, running

NOBODY = 65534
SETCONF, CHANNO = 0xC00CDA0D, 0x8004DA22
"""Source: DAHDI user.h, DAHDI_SETCONF and DAHDI_CHANNO."""
DIGITAL_MONITOR = 9
DEEP = MediaRequest(chunk=500, depth=32)
OLD, NEW, MARK, SECRET = (bytes([octet]) * 500 for octet in (0x11, 0x77, 0x3C, 0x5E))


@pytest.fixture
def service() -> Iterator[Service]:
    with (
        tempfile.TemporaryDirectory(prefix="dpy-", dir="/tmp") as directory,
        running(Path(directory), configuration() + f"[access]\ncore = [{NOBODY}]\n") as service,
    ):
        service.directory.chmod(0o755)
        yield service


@contextmanager
def untrusted(service: Service) -> Iterator[Client]:
    """A client of nobody's: whose it is the kernel tells when it connects."""
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        client = service.client("untrusted")
    finally:
        os.seteuid(0)
        os.setegid(0)
    with client:
        yield client


def leased(client: Client, span: str, timeslot: int) -> Channel:
    return client.allocate(span=span, timeslot=timeslot, media=DEEP)


@pytest.mark.timeout(200)
def test_an_untrusted_core_hears_its_own_channel_and_no_other(service: Service) -> None:
    with (
        untrusted(service) as core,
        service.client() as root,
        leased(core, "e1-user", 1) as near,
        leased(root, "e1-network", 1) as far,
        leased(root, "e1-user", 3) as other,
        leased(root, "e1-network", 3) as other_far,
    ):
        assert near.media is not None
        assert near.media.medium == "socket"
        assert other.media is not None
        assert other.media.medium == "kernel"
        number = struct.unpack("i", fcntl.ioctl(other.fileno(), CHANNO, bytes(4)))[0]
        for request, argument in ((CHANNO, bytes(4)), (SETCONF, struct.pack("iii", 0, number, DIGITAL_MONITOR))):
            with pytest.raises(OSError, match="ioctl") as refused:
                fcntl.ioctl(near.fileno(), request, argument)
            assert refused.value.errno == errno.ENOTTY
        for _ in range(4):
            send_block(other_far.fileno(), SECRET)
        send_block(far.fileno(), MARK)
        heard_here = b""
        while MARK[0] not in heard_here:
            heard_here += next_block(near.fileno())
        assert heard(other.fileno(), SECRET[:200])
        heard_here += b"".join(take_all(near.fileno()))
        assert SECRET[0] not in heard_here
        send_block(near.fileno(), NEW)
        assert heard(far.fileno(), NEW[:200])


@pytest.mark.timeout(200)
def test_relayed_channels_are_joined_in_the_kernel_and_rest_meanwhile(service: Service) -> None:
    with (
        untrusted(service) as core,
        service.client() as root,
        leased(core, "e1-user", 1) as a,
        leased(core, "e1-user", 2) as b,
        leased(root, "e1-network", 1) as far_a,
        leased(root, "e1-network", 2) as far_b,
    ):
        assert core.bridge(a.token, b.token) == "kernel"
        take_all(a.fileno())
        send_block(a.fileno(), OLD)
        send_block(far_a.fileno(), OLD)
        send_block(far_b.fileno(), MARK)
        during = b""
        while MARK[0] not in during:
            during += next_block(far_a.fileno())
        assert OLD[0] not in during, "what a client writes to a bridged channel is not sent"
        while during.count(OLD[:1]) < len(OLD):
            during += next_block(far_b.fileno())
        assert take_all(a.fileno()) == [], "its client hears nothing"
        core.unbridge(a.token, b.token)
        for sender, receiver in ((a, far_a), (far_a, a), (b, far_b), (far_b, b)):
            send_block(sender.fileno(), NEW)
            after = b""
            while NEW[0] not in after:
                after += next_block(receiver.fileno())
            assert OLD[0] not in after


@pytest.mark.timeout(200)
def test_what_the_kernel_does_not_join_the_host_copies(service: Service) -> None:
    """It connects voice only; nothing of a data channel's octets is changed here either."""
    data = MediaRequest(mode="data", chunk=500, depth=32)
    with (
        service.client() as root,
        root.allocate(span="e1-user", timeslot=1, media=data) as a,
        root.allocate(span="e1-user", timeslot=2, media=data) as b,
        root.allocate(span="e1-network", timeslot=1, media=data) as far_a,
        root.allocate(span="e1-network", timeslot=2, media=data) as far_b,
    ):
        assert root.bridge(a.token, b.token) == "host"
        for sender, receiver in ((far_a, far_b), (far_b, far_a)):
            send_block(sender.fileno(), MARK)
            came = b""
            while came.count(MARK[:1]) < len(MARK):
                came += next_block(receiver.fileno())
        root.unbridge(a.token, b.token)
        send_block(far_a.fileno(), NEW)
        assert heard(a.fileno(), NEW[:200])
        send_block(b.fileno(), NEW)
        assert heard(far_b.fileno(), NEW[:200])
