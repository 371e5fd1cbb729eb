# SPDX-License-Identifier: GPL-2.0-or-later
"""Channels whose audio is joined: within a card, over two cards, with another host's."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from dahdi_py.errors import ChannelBusy, LawMismatch, StaleToken, Unsupported
from dahdi_py.wire.messages import host as m
from dahdi_py.wire.messages.common import MediaRequest
from dahdi_py.wire.refusals import InvalidParameter
from tests.backends.traffic import exchange, next_block, take_all
from tests.linehost.rig import Controller, Rig, heard, pair, wait_for

A, B, C = 1, 2, 3
"""Timeslots of the cabled spans: a's are joined, b's are their far ends."""

LONG = MediaRequest(chunk=500, depth=32)
"""Blocks as large as a slow machine needs to lose nothing."""


@pytest.fixture
def host(rig: Rig) -> Controller:
    """A host with two cabled spans, and two more of the other law, up."""
    rig.configure(pair() + pair(kind="T1", first=3, prefix="t"), ports="E1,E1,T1,T1")
    rig.card()
    rig.host()
    controller = rig.control()
    controller.up("a", "b", "ta", "tb")
    return controller


@contextmanager
def leased(host: Controller, *places: tuple[str, int]) -> Iterator[list[tuple[str, int]]]:
    """Leases of these channels, with descriptors: (token, descriptor) each."""
    found: list[tuple[str, int]] = []
    try:
        for name, timeslot in places:
            reply, [fd] = host.reserve_fds(name, timeslot=timeslot, media=LONG)
            found.append((reply.token, fd))
        yield found
    finally:
        for token, fd in found:
            with suppress(StaleToken):
                host.release(token)
            os.close(fd)


def bridge(host: Controller, a: str, b: str, on: bool = True) -> str:
    return host.call("Bridge", m.BridgeRequest(a=a, b=b, on=on), m.BridgeReply).where


def bridged(host: Controller) -> dict[str, str]:
    return {lease.token: lease.bridged for lease in host.snapshot().leases if lease.bridged}


def test_two_channels_of_a_card_are_joined_in_the_card(host: Controller) -> None:
    places = (("a", A), ("a", B), ("b", A), ("b", B))
    with leased(host, *places) as [(a, near_a), (b, near_b), (_, far_a), (_, far_b)]:
        assert bridge(host, a, b) == "card"
        joined = host.wait("bridge.joined")
        assert (joined.token, joined.data) == (a, {"a": a, "b": b, "where": "card"})
        assert bridged(host) == {a: b, b: a}
        exchange([(far_a, far_b)], 0.5, chunk=LONG.chunk)
        assert bridge(host, a, b, on=False) == "card"
        assert host.wait("bridge.ended").data == {"a": a, "b": b, "reason": ""}
        assert bridged(host) == {}
        for fd in (near_a, near_b, far_a, far_b):
            take_all(fd)
        exchange([(near_a, far_a), (near_b, far_b)], 0.5, chunk=LONG.chunk)


def test_parting_what_is_not_joined_does_nothing(host: Controller) -> None:
    with leased(host, ("a", A), ("a", B), ("a", C)) as [(a, _), (b, _), (c, _)]:
        assert bridge(host, a, b, on=False) == ""
        bridge(host, a, b)
        with pytest.raises(InvalidParameter, match=f"{a} is bridged with {b}, not {c}"):
            bridge(host, a, c, on=False)
        assert bridged(host) == {a: b, b: a}
        bridge(host, b, a, on=False)
        assert bridge(host, a, b, on=False) == ""
        host.wait("bridge.ended")
        again = bridge(host, a, b)
        assert again
        bridge(host, a, b, on=False)
        wait_for(lambda: len(host.find("bridge.ended")) > 1)
        assert len(host.find("bridge.ended")) == 2


def test_what_cannot_be_joined_is_refused_by_name(host: Controller) -> None:
    with leased(host, ("a", A), ("a", B), ("a", C), ("ta", A)) as [(a, _), (b, _), (c, _), (t, _)]:
        with pytest.raises(LawMismatch) as laws:
            bridge(host, a, t)
        assert {laws.value.a, laws.value.b} == {"alaw", "mulaw"}
        with pytest.raises(InvalidParameter, match="with itself"):
            bridge(host, a, a)
        frames, [fd] = host.reserve_fds("a", timeslot=9, media=MediaRequest(mode="hdlc"))
        os.close(fd)
        with pytest.raises(Unsupported, match="carries frames"):
            bridge(host, a, frames.token)
        with pytest.raises(StaleToken):
            bridge(host, a, "h/1/9999")
        bridge(host, a, b)
        for one, other in ((a, c), (c, b), (a, b), (b, a)):
            with pytest.raises(ChannelBusy, match="bridged already"):
                bridge(host, one, other)
        assert bridged(host) == {a: b, b: a}


@pytest.mark.parametrize("which", [0, 1])
def test_the_end_of_either_lease_parts(host: Controller, which: int) -> None:
    places = (("a", A), ("a", B), ("b", A), ("b", B))
    with leased(host, *places) as [*near, (_, far_a), (_, far_b)]:
        bridge(host, near[0][0], near[1][0])
        exchange([(far_a, far_b)], 0.2, chunk=LONG.chunk)
        gone, stays = near[which], near[1 - which]
        host.release(gone[0])
        ended = host.wait("bridge.ended")
        assert ended.data["reason"] == f"the lease {gone[0]} ended or moved"
        assert bridged(host) == {}
        far = (far_a, far_b)[1 - which]
        take_all(far)
        take_all(stays[1])
        exchange([(stays[1], far)], 0.3, chunk=LONG.chunk)


def test_calls_of_two_spans_are_joined_until_either_is_hung_up(host: Controller) -> None:
    first = host.active("c1", "a")
    second = host.active("c2", "a")
    tokens = {call.call: call.token for call in host.snapshot().calls}
    assert bridge(host, tokens["c1"], tokens["c2"]) == "card"
    _, far_first = host.open_fds(tokens[first], media=LONG)
    _, far_second = host.open_fds(tokens[second], media=LONG)
    os.write(far_first, b"\x3c" * 160)
    assert heard(far_second, b"\x3c" * 160)
    host.hangup(second)
    assert host.wait("bridge.ended").data["a"] == tokens["c1"]
    host.ended("c2")
    assert bridged(host) == {}
    for fd in (far_first, far_second):
        os.close(fd)
    host.hangup("c1")
    host.ended("c1")


def test_a_host_that_drains_keeps_its_bridges_and_one_that_stops_ends_them(host: Controller, rig: Rig) -> None:
    first = host.active("c1", "a")
    second = host.active("c2", "a")
    tokens = {call.call: call.token for call in host.snapshot().calls}
    bridge(host, tokens["c1"], tokens["c2"])
    host.do("Drain", m.DrainRequest())
    _, far_first = host.open_fds(tokens[first], media=LONG)
    _, far_second = host.open_fds(tokens[second], media=LONG)
    os.write(far_first, b"\x3c" * 160)
    assert heard(far_second, b"\x3c" * 160)
    host.do("Stop", m.StopRequest(cause=16, reason="test"))
    assert host.wait("bridge.ended").data["a"] == tokens["c1"]
    assert rig.processes[-1].wait() == 0
    os.close(far_first)
    os.close(far_second)


def test_a_card_that_dies_ends_what_it_joined(host: Controller, rig: Rig) -> None:
    with leased(host, ("a", A), ("a", B)) as [(a, near_a), (b, _)]:
        bridge(host, a, b)
        rig.processes[0].kill()
        assert host.wait("bridge.ended").data["reason"].endswith("ended or moved")
        host.wait("lease.ended", token=a)
        host.wait("lease.ended", token=b)
        assert bridged(host) == {}
        assert to_the_end(near_a)[-1] == b""


def to_the_end(fd: int) -> list[bytes]:
    """What is left to read, up to the end of it."""
    blocks: list[bytes] = []
    while not blocks or blocks[-1]:
        blocks.append(next_block(fd))
    return blocks
