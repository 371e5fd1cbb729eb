# SPDX-License-Identifier: GPL-2.0-or-later
"""What the whole service must do between a channel's last lessee and its next, on whatever card.

A module that runs it gives the fixture `lines`: a running `Service` and pairs of spans cabled to each other.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from dahdi_py.client import ChannelStatus, Media, MediaRequest
from dahdi_py.errors import OutOfService
from tests.service.conversation import Lines, converse
from tests.service.service import PATIENCE_S, Core, Follower, Service, service_used, until
from tests.service.talk import CHUNK, EVENT_PENDING

MARK = 0x5A
MARKED = MediaRequest(mode="data", gain_db=6.0, echo_canceller=True, chunk=CHUNK, depth=4)
"""As unlike the default as a descriptor can be."""


class LeaseScenarios:
    """What every service does when a channel changes hands.

    Synchronization: one thread; each test leaves the service idle.
    """

    def test_a_channel_that_is_not_let_go_is_quarantined_and_its_last_lessee_named(self, lines: Lines) -> None:
        user, network = lines.pairs[0]
        service = lines.service
        with Core(service, (user,)) as callee, Core(service, (network,)) as caller, Follower(service) as events:
            with lessee(service, user, 1) as (victim, fd):
                os.kill(victim, signal.SIGKILL)  # dead, but its descriptor lives on in our hands
                until("it is quarantined", lambda: channel_of(service, user, 1).disabled == "quarantine", service.log)
                assert channel_of(service, user, 1).lessee == f"pid {victim} uid {os.geteuid()} 'careless'"
                with pytest.raises(OutOfService, match="quarantine"):
                    callee.client.allocate(span=user, timeslot=1)
                asked = caller.client.allocate(span=network, timeslot=1, open=False)
                alone = caller.client.place("2001", token=asked.token)
                assert events.wait("call.ended", alone.call).data["cause"] == 44
                preferred = caller.client.place("2001", span=network)  # the network side hunts from below: timeslot 1
                assert preferred.timeslot == 1
                offer, channel = callee.answer()
                assert offer.timeslot != 1
                assert events.wait("call.moved", preferred.call).data["timeslot"] == offer.timeslot
                caller.client.hangup(preferred.call)
                events.wait("call.ended", offer.call)
                channel.close()
                assert channel_of(service, user, 1).disabled == "quarantine"
                os.close(fd)
            until("it is idle again", lambda: channel_of(service, user, 1).usage == "idle", service.log)
            assert not channel_of(service, user, 1).disabled
            again = caller.client.place("2001", span=network)
            offer, channel = callee.answer()
            assert (again.timeslot, offer.timeslot) == (1, 1)
            caller.client.hangup(again.call)
            events.wait("call.ended", offer.call)
            channel.close()

    def test_the_next_lessee_gets_nothing_of_the_last(self, lines: Lines) -> None:
        user, network = lines.pairs[0]
        service = lines.service
        usual = {end: service_media(service, end) for end in (user, network)}
        with Core(service, (user,)) as caller, Core(service, (network,)) as callee, Follower(service) as events:
            for _ in range(3):
                first = converse(caller, callee, events, user, MARKED)
                timeslot = first.near.timeslot
                for fd in first.fds:  # it crosses both ways, and fills what waits to be sent and to be read
                    fill(*first.fds)
                    while MARK not in next_octets(fd):
                        fill(*first.fds)
                fill(*first.fds)
                caller.client.hangup(first.placed)
                events.wait("call.ended", first.placed)
                events.wait("call.ended", first.offered)
                first.close()
                until("both are idle", lambda: service_used(service) == 0, service.log)

                asked = caller.client.allocate(span=user, timeslot=timeslot, open=False)
                placed = caller.client.place("2001", token=asked.token)
                offer, far = callee.answer()
                events.wait("call.answered", placed.call)
                near = caller.client.open(asked.token)
                assert (near.timeslot, far.timeslot) == (timeslot, timeslot)
                assert (near.media, far.media) == (usual[user], usual[network])
                for fd in (near.fileno(), far.fileno()) * 20:
                    assert MARK not in next_octets(fd)
                caller.client.hangup(placed.call)
                events.wait("call.ended", offer.call)
                near.close()
                far.close()


@contextlib.contextmanager
def lessee(service: Service, span: str, timeslot: int) -> Iterator[tuple[int, int]]:
    """A client in a process of its own with that channel's descriptor, of which we have a copy: its pid, our copy."""
    ours, theirs = socket.socketpair()
    code = (
        "import socket, sys, time\n"
        "from dahdi_py.client import Client\n"
        "client = Client(sys.argv[1], label='careless')\n"
        "channel = client.allocate(span=sys.argv[2], timeslot=int(sys.argv[3]))\n"
        "socket.send_fds(socket.socket(fileno=int(sys.argv[4])), [b'f'], [channel.fileno()])\n"
        "time.sleep(600)\n"
    )
    arguments = [service.socket, span, str(timeslot), str(theirs.fileno())]
    child = subprocess.Popen([sys.executable, "-c", code, *arguments], pass_fds=[theirs.fileno()])
    try:
        theirs.close()
        _, (fd,), _, _ = socket.recv_fds(ours, 1, 1)
        yield child.pid, fd
    finally:
        child.kill()
        child.wait(30)
        ours.close()


def fill(*fds: int) -> None:
    """Each descriptor has as many marked blocks to send as it takes."""
    for fd in fds:
        try:
            while True:
                os.write(fd, bytes([MARK]) * CHUNK)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, EVENT_PENDING):
                raise


def next_octets(fd: int) -> bytes:
    """The next block that comes."""
    while True:
        assert select.select([fd], [], [], PATIENCE_S)[0], "nothing comes"
        with contextlib.suppress(BlockingIOError):
            try:
                return os.read(fd, 8192)
            except OSError as error:
                if error.errno != EVENT_PENDING:
                    raise


def channel_of(service: Service, span: str, timeslot: int) -> ChannelStatus:
    """The channel as the service shows it."""
    with service.client() as client:
        return next(channel for channel in client.channels(span) if channel.timeslot == timeslot)


def service_media(service: Service, span: str) -> Media | None:
    """What a channel of the span is when nobody asks for anything."""
    with service.client() as client, client.allocate(span=span) as channel:
        return channel.media
