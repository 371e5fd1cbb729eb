# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of the backend contract that only those with the capability ``bridge`` claim: joining two channels.

The far ends of the joined channels are the other port's timeslots of the same numbers: what one far end writes the
other hears, through the line, the joint and the line again.
"""

import os
from collections.abc import Callable

import pytest

from dahdi_py.backends.base import Leg
from dahdi_py.core.terms import Mode, Timeslot
from dahdi_py.errors import HardwareError, Unsupported
from tests.backends.rig import Rig, media_of, opened, usual_line
from tests.backends.traffic import exchange, fill, next_block, send_block, take_all

A, B = 1, 2
CHUNK, DEPTH = 500, 32
"""Queues as long as a test on a slow machine needs to lose nothing."""
OLD, NEW, OWN = b"\x11" * CHUNK, b"\x77" * CHUNK, b"\x55" * CHUNK


def leg(rig: Rig, port: int, timeslot: int, fd: int) -> Leg:
    return Leg(rig.ports[port], Timeslot(timeslot), fd, media_of(rig, chunk=CHUNK, depth=DEPTH))


def heard(fd: int, wanted: Callable[[bytes], bool]) -> bytes:
    """All that is read until it is as wanted."""
    received = b""
    while not wanted(received):
        received += next_block(fd)
        assert len(received) < 400_000, "it never comes"
    return received


class BridgeContract:
    """Inherit beside `SpanContract` and `ChannelContract`."""

    def test_it_claims_to_join_channels(self, rig: Rig) -> None:
        assert "bridge" in rig.backend.capabilities()

    def test_joined_channels_send_what_the_other_receives(self, rig: Rig) -> None:
        with opened(rig, A, B, chunk=CHUNK, depth=DEPTH) as [(near_a, far_a), (near_b, far_b)]:
            a, b = leg(rig, 0, A, near_a), leg(rig, 0, B, near_b)
            rig.backend.join(a, b)
            exchange([(far_a, far_b)], 1.0, chunk=CHUNK)
            rig.backend.part(a, b)
            for fd in (near_a, near_b, far_a, far_b):
                take_all(fd)
            exchange([(near_a, far_a), (near_b, far_b)], 0.5, chunk=CHUNK)

    def test_channels_of_two_spans_are_joined(self, rig: Rig) -> None:
        with opened(rig, A, B, chunk=CHUNK, depth=DEPTH) as [(near_a, far_a), (far_b, near_b)]:
            a, b = leg(rig, 0, A, near_a), leg(rig, 1, B, near_b)
            rig.backend.join(a, b)
            exchange([(far_a, far_b)], 0.5, chunk=CHUNK)
            rig.backend.part(a, b)

    def test_many_are_joined_at_once(self, rig: Rig) -> None:
        timeslots = usual_line(rig.kind).bchannels[:8]
        with opened(rig, *timeslots, chunk=CHUNK, depth=DEPTH) as pairs:
            legs = [leg(rig, 0, timeslot, near) for timeslot, (near, _) in zip(timeslots, pairs, strict=True)]
            for a, b in zip(legs[::2], legs[1::2], strict=True):
                rig.backend.join(a, b)
            far = [far for _, far in pairs]
            exchange(zip(far[::2], far[1::2], strict=True), 0.5, chunk=CHUNK)
            for a, b in zip(legs[::2], legs[1::2], strict=True):
                rig.backend.part(a, b)

    def test_what_a_client_writes_meanwhile_is_never_sent(self, rig: Rig) -> None:
        with opened(rig, A, B, chunk=CHUNK, depth=DEPTH) as [(near_a, far_a), (near_b, far_b)]:
            a, b = leg(rig, 0, A, near_a), leg(rig, 0, B, near_b)
            rig.backend.join(a, b)
            assert fill(near_a, OLD) >= 6
            send_block(far_b, NEW)
            during = heard(far_a, lambda octets: NEW[0] in octets)
            rig.backend.part(a, b)
            send_block(near_a, OWN)
            after = heard(far_a, lambda octets: OWN[0] in octets)
            assert OLD[0] not in during + after

    def test_nothing_that_came_meanwhile_is_read_afterwards(self, rig: Rig) -> None:
        with opened(rig, A, B, chunk=CHUNK, depth=DEPTH) as [(near_a, far_a), (near_b, far_b)]:
            a, b = leg(rig, 0, A, near_a), leg(rig, 0, B, near_b)
            rig.backend.join(a, b)
            send_block(far_a, OLD)
            heard(far_b, lambda octets: octets.count(OLD[:1]) == len(OLD))
            rig.backend.part(a, b)
            send_block(far_a, NEW)
            assert OLD[0] not in heard(near_a, lambda octets: NEW[0] in octets)

    def test_parting_twice_is_no_more_than_once(self, rig: Rig) -> None:
        with opened(rig, A, B, chunk=CHUNK, depth=DEPTH) as [(near_a, _), (near_b, _)]:
            a, b = leg(rig, 0, A, near_a), leg(rig, 0, B, near_b)
            rig.backend.join(a, b)
            for _ in range(2):
                rig.backend.part(a, b)

    def test_the_next_lessee_hears_nothing_of_the_last_bridge(self, rig: Rig) -> None:
        with opened(rig, A, chunk=CHUNK, depth=DEPTH) as [(near_a, far_a)]:
            with opened(rig, B, chunk=CHUNK, depth=DEPTH) as [(near_b, far_b)]:
                a, b = leg(rig, 0, A, near_a), leg(rig, 0, B, near_b)
                rig.backend.join(a, b)
                exchange([(far_a, far_b)], 0.2, chunk=CHUNK)
                send_block(far_a, OLD)
                rig.backend.part(a, b)
            take_all(far_a)
            with opened(rig, B, chunk=CHUNK, depth=DEPTH) as [(next_near, next_far)]:
                send_block(next_far, NEW)  # the last lessee's channel must not send this
                send_block(far_a, OLD)
                assert OLD[0] not in heard(next_near, lambda octets: NEW[0] in octets)
                for _ in range(3):
                    assert NEW[0] not in next_block(far_a)
                exchange([(next_near, next_far), (near_a, far_a)], 0.2, chunk=CHUNK)

    def test_frames_are_not_joined(self, rig: Rig) -> None:
        with opened(rig, A, mode=Mode.HDLC) as [(near_a, _)], opened(rig, B, mode=Mode.HDLC) as [(near_b, _)]:
            frames = media_of(rig, mode=Mode.HDLC)
            a, b = (leg(rig, 0, at, fd)._replace(media=frames) for at, fd in ((A, near_a), (B, near_b)))
            with pytest.raises(Unsupported) as caught:
                rig.backend.join(a, b)
            assert caught.value.span == rig.ports[0]

    def test_a_channel_is_not_joined_with_nothing(self, rig: Rig) -> None:
        with opened(rig, A, B, chunk=CHUNK, depth=DEPTH) as [(near_a, far_a), (near_b, far_b)]:
            closed = os.dup(near_b)
            os.close(closed)
            gone = leg(rig, 0, 9, closed)
            with pytest.raises(HardwareError):
                rig.backend.join(leg(rig, 0, A, near_a), gone)
            exchange([(near_a, far_a), (near_b, far_b)], 0.2, chunk=CHUNK)
