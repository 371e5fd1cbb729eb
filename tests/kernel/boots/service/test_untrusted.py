# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may hold the kernel's own descriptors and who may not: the same program as two users.

A descriptor of the kernel's reaches other channels. That is shown first, by a user who is trusted with it, so that the
refusals that follow prove something.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dahdi_py.ffi import dahdi_channel
from tests.service.conversation import DEEP, Conversation, converse
from tests.service.kernel import configuration
from tests.service.service import PATIENCE_S, Core, Follower, Service, running
from tests.service.talk import CHUNK, EVENT_PENDING, Talk

pytestmark = pytest.mark.timeout(400)
TRUSTED, STRANGER = 65533, 65534
SECRET = bytes(range(1, 65)) * (CHUNK // 64)

# A core of another user's: it places a call, gives back what it hears, and then tries to hear another call.
PROGRAM = r"""
import errno, fcntl, json, os, select, struct, sys
from dahdi_py.client import Client, MediaRequest
from dahdi_py.errors import DahdiPyError

SPECIFY, GETCONF, SETCONF, DIGITALMON = 0x4004DA26, 0xC00CDA0C, 0xC00CDA0D, 9  # user.h of DAHDI 2.11.1

def tell(**what):
    print(json.dumps(what), flush=True)

def number(action):
    try:
        action()
    except OSError as error:
        return error.errno
    return 0

def code(action):
    try:
        action()
    except DahdiPyError as error:
        return error.code
    return ""

client = Client(sys.argv[1], label="other user")
placed = client.place("2001", span="e1-user")
tell(call=placed.call)
sys.stdin.readline()
channel = client.open(placed.token, media=MediaRequest(chunk=1024, depth=32))
fd = channel.fileno()
tell(medium=channel.media.medium)
while sys.stdin not in select.select([fd, sys.stdin], [], [])[0]:
    try:
        os.write(fd, os.read(fd, 1024))
    except OSError as error:
        if error.errno not in (errno.EAGAIN, 500):
            raise
victim = json.loads(sys.stdin.readline())
def open_and_specify():
    other = os.open("/dev/dahdi/channel", os.O_RDWR)
    fcntl.ioctl(other, SPECIFY, struct.pack("i", victim["spare"]))
    os.close(other)
tell(
    setconf=number(lambda: fcntl.ioctl(fd, SETCONF, struct.pack("iii", 0, victim["channo"], DIGITALMON))),
    getconf=number(lambda: fcntl.ioctl(fd, GETCONF, bytearray(struct.pack("iii", victim["channo"], 0, 0)))),
    specify=number(lambda: fcntl.ioctl(fd, SPECIFY, struct.pack("i", victim["channo"]))),
    device=number(open_and_specify),
    open=code(lambda: client.open(victim["token"])),
    reclaim=code(lambda: client.reclaim(victim["token"])),
    bridge=code(lambda: client.bridge(placed.token, victim["token"])),
)
sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    access = f"[access]\ncore = [{TRUSTED}, {STRANGER}]\ntrusted_media = [{TRUSTED}]\n"
    with tempfile.TemporaryDirectory(prefix="dpy-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        with running(Path(name), configuration() + access) as service:
            yield service


@dataclass
class Other:
    """The other user's program, and the far end of its call."""

    process: subprocess.Popen[str]
    far: int

    def hears(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the program ended: {self.process.wait(30)}"
        return dict(json.loads(line))

    def say(self, **what: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()


@contextlib.contextmanager
def program(service: Service, uid: int, callee: Core, events: Follower) -> Iterator[tuple[Other, str]]:
    """The program run by that user, its call answered and its channel open; and what it was given."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, service.socket], user=uid, group=uid, extra_groups=[], cwd="/", text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        other = Other(process, -1)
        call = other.hears()["call"]
        offer = callee.offer()
        claimed = callee.client.claim(offer.call)
        callee.client.answer(offer.call)
        events.wait("call.answered", call)
        with contextlib.closing(callee.client.open(claimed.token, media=DEEP)) as channel:
            other.far = channel.fileno()
            other.say()
            yield other, other.hears()["medium"]
            callee.client.hangup(offer.call)
            events.wait("call.ended", call)
            other.say()
            assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.communicate()


def heard(sender: int, receiver: int, seconds: float) -> bool:
    """Whether the secret, sent over and over, comes out of the receiver within that time."""
    received = b""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        readable, writable, _ = select.select([receiver], [sender], [], 1)
        for fd in (*readable, *writable):
            try:
                if fd == sender:
                    os.write(sender, SECRET)
                else:
                    received = received[-4 * CHUNK :] + os.read(receiver, CHUNK)
            except OSError as error:
                if error.errno not in (errno.EAGAIN, EVENT_PENDING):
                    raise
        if SECRET[:64] * 4 in received:
            return True
    return False


def attack(other: Other, victim: Conversation, spare: int) -> dict[str, Any]:
    """What the program got of what it tried."""
    other.say(channo=dahdi_channel.channo(victim.near.fileno()), token=victim.near.token, spare=spare)
    return other.hears()


@pytest.mark.parametrize("uid", [TRUSTED, STRANGER])
def test_only_a_trusted_core_can_reach_another_channel(service: Service, uid: int) -> None:
    trusted = uid == TRUSTED
    with (
        Core(service, ("e1-user",)) as caller,
        Core(service, ("e1-network",)) as callee,
        Follower(service) as events,
        contextlib.closing(converse(caller, callee, events, "e1-user")) as victim,
        program(service, uid, callee, events) as (other, medium),
    ):
        assert medium == ("kernel" if trusted else "socket")
        with Talk([(other.far, None)]) as talk:
            talk.goes_on()
        spare = dahdi_channel.channo(victim.near.fileno()) - 5  # nobody's
        tried = attack(other, victim, spare)
        assert (tried["setconf"], tried["getconf"]) == ((0, 0) if trusted else (errno.ENOTTY, errno.ENOTTY))
        assert tried["specify"] == errno.ENOTTY  # once a channel's, a descriptor stays that channel's
        assert tried["device"] == errno.EACCES
        assert {tried["open"], tried["reclaim"], tried["bridge"]} == {"org.dahdipy.NotOwner"}
        assert heard(victim.far.fileno(), other.far, 10 if trusted else 3) is trusted
