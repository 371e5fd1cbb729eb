# SPDX-License-Identifier: GPL-2.0-or-later
"""Channels relayed to clients that may not hold the device's own descriptor."""

import os
from collections.abc import Iterator

import pytest

from dahdi_py.wire.messages import host as m
from dahdi_py.wire.messages.common import MediaRequest
from tests.backends.traffic import next_block, send_block, take_all
from tests.linehost.rig import Controller, Rig, heard, pair, wait_for

LONG = MediaRequest(chunk=500, depth=32)
"""Queues as long as a test on a slow machine needs to lose nothing."""
OLD, NEW, MARK = b"\x11" * LONG.chunk, b"\x77" * LONG.chunk, b"\x3c" * LONG.chunk


@pytest.fixture
def host(rig: Rig) -> Controller:
    rig.configure(pair())
    rig.card()
    rig.host()
    controller = rig.control()
    controller.up("a", "b")
    return controller


@pytest.fixture
def leg(host: Controller) -> Iterator[tuple[str, int, int]]:
    """A relayed channel: its token, its client's descriptor, the far end's."""
    reply, [near] = host.reserve_fds("a", timeslot=1, relay=True, media=LONG)
    assert reply.media is not None
    assert reply.media.medium == "socket"
    _, [far] = host.reserve_fds("b", timeslot=1, media=LONG)
    yield reply.token, near, far
    os.close(near)
    os.close(far)


def test_a_relay_carries_both_ways(leg: tuple[str, int, int]) -> None:
    _, near, far = leg
    send_block(near, MARK)
    assert heard(far, MARK[:100])
    send_block(far, NEW)
    assert heard(near, NEW[:100])


def test_a_relay_rests_while_its_channel_is_bridged(host: Controller, leg: tuple[str, int, int]) -> None:
    token, near, far = leg
    other, [other_near] = host.reserve_fds("a", timeslot=2, media=LONG)
    _, [other_far] = host.reserve_fds("b", timeslot=2, media=LONG)
    host.call("Bridge", m.BridgeRequest(a=token, b=other.token), m.BridgeReply)
    take_all(near)
    send_block(near, OLD)
    send_block(far, OLD)
    send_block(other_far, MARK)
    during = b""
    while MARK[0] not in during:
        during += next_block(far)
    assert OLD[0] not in during, "what a client writes to a bridged channel is not sent"
    assert take_all(near) == [], "nor does it hear anything"
    across = b""
    while across.count(OLD[:1]) < len(OLD):
        across += next_block(other_far)
    host.call("Bridge", m.BridgeRequest(a=token, b=other.token, on=False), m.BridgeReply)
    send_block(near, NEW)
    send_block(far, NEW)
    for fd in (near, far):
        after = b""
        while NEW[0] not in after:
            after += next_block(fd)
        assert OLD[0] not in after, "nothing of the bridge's time comes later"
    os.close(other_near)
    os.close(other_far)


def test_frames_are_relayed_whole(host: Controller) -> None:
    frames = MediaRequest(mode="hdlc")
    _, [near] = host.reserve_fds("a", timeslot=1, relay=True, media=frames)
    _, [far] = host.reserve_fds("b", timeslot=1, media=frames)
    for sender, receiver in ((near, far), (far, near)):
        for frame in (b"short", b"another frame", bytes(range(200))):
            send_block(sender, frame + b"\0\0")
            assert next_block(receiver)[:-2] == frame
    os.close(near)
    os.close(far)


def test_a_client_that_opens_again_gets_a_relay_of_its_own(host: Controller, leg: tuple[str, int, int]) -> None:
    token, near, far = leg
    _, again = host.open_fds(token, relay=True, media=LONG)
    assert wait_for(lambda: ended(near))
    send_block(again, MARK)
    assert heard(far, MARK[:100])
    os.close(again)
    # Nobody reads it now; the channel stays leased, and can be opened again.
    _, third = host.open_fds(token, relay=True, media=LONG)
    send_block(far, NEW)
    assert heard(third, NEW[:100])
    os.close(third)


def ended(fd: int) -> bool:
    """Whether the descriptor reads as ended, all that came before it taken."""
    try:
        return next_block(fd) == b""
    except ConnectionResetError:
        return True


def test_an_empty_write_is_no_end(leg: tuple[str, int, int]) -> None:
    _, near, far = leg
    os.write(near, b"")
    send_block(near, MARK)
    assert heard(far, MARK[:100])


def test_a_relay_ends_with_its_lease(host: Controller, leg: tuple[str, int, int]) -> None:
    token, near, _ = leg
    host.release(token)
    assert wait_for(lambda: ended(near))
