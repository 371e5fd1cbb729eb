# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of the backend contract that is about channels: opened by one at a time, exact, and clean for the next."""

import fcntl
import os

import pytest

from dahdi_py.backends.base import Media, OnOpened
from dahdi_py.core.terms import Mode, Timeslot
from dahdi_py.errors import DeviceBusy, HardwareError
from tests.backends.rig import Rig, dchannels, media_of, need, next_frame, opened, usual_line
from tests.backends.traffic import (
    CHUNK,
    MARK,
    exchange,
    fill,
    held_elsewhere,
    next_block,
    send_block,
    take_all,
    wait_readable,
)


class ChannelContract:
    """Inherit in a module that has the fixture `rig`."""

    def test_descriptors_are_non_blocking_and_close_on_exec(self, rig: Rig) -> None:
        with opened(rig, 1) as [pair], dchannels(rig) as frames:
            for fd in (*pair, *frames):
                assert not os.get_blocking(fd)
                assert fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC

    def test_every_octet_crosses_every_channel_both_ways(self, rig: Rig) -> None:
        with opened(rig, *usual_line(rig.kind).bchannels) as pairs:
            exchange(pairs, 1.0)

    def test_data_is_as_exact_as_voice(self, rig: Rig) -> None:
        with opened(rig, 1, mode=Mode.DATA) as pairs:
            exchange(pairs)

    @pytest.mark.parametrize(("chunk", "depth"), [(160, 8), (80, 8), (320, 6)])
    def test_a_descriptor_is_what_its_media_says(self, rig: Rig, chunk: int, depth: int) -> None:
        wanted = media_of(rig, chunk=chunk, depth=depth)
        takes = []
        for _ in range(5):  # what a line takes that cannot be held while we fill makes room for more: never each time
            fd, given = rig.backend.open_timeslot(rig.ports[0], Timeslot(1), wanted)
            assert (given.law, given.mode, given.chunk, given.depth) == (wanted.law, wanted.mode, chunk, depth)
            assert given.medium in ("socket", "kernel")
            assert [len(next_block(fd)) for _ in range(3)] == [chunk] * 3
            with rig.still():
                takes.append(fill(fd, bytes(chunk)))
            os.close(fd)
        assert depth - 2 <= min(takes) <= depth + 2, takes

    def test_overrun_keeps_the_oldest_blocks(self, rig: Rig) -> None:
        with opened(rig, 1, chunk=160, depth=8) as [(a, b)]:
            quiet = bytes([rig.kind.default_law.idle_octet]) * 160
            counts = []
            for _ in range(3):  # more may come while we take from a line that cannot be held: never each time
                for _ in range(40):  # what queues up at b first, also when a line that stood still lost half of it
                    send_block(a, quiet)
                for _ in range(20):
                    send_block(a, MARK)
                with rig.still():
                    queued = take_all(b)
                counts.append(len(queued))
                assert MARK[0] not in b"".join(queued[:8])
                for _ in range(20):  # what still waits at either end is gone before the next round
                    next_block(b)
            assert 6 <= min(counts) <= 10, counts

    def test_underrun_sends_idle_octets(self, rig: Rig) -> None:
        with opened(rig, 1) as [(a, b)]:
            send_block(a, MARK)
            received = b""
            while len(received.rpartition(MARK)[2]) < 1600 or MARK not in received:
                received += next_block(b)
            idle = received.rpartition(MARK)[2]
            assert idle == idle[:1] * len(idle)
            if rig.supports("law_idle"):
                assert idle[0] == rig.kind.default_law.idle_octet

    def test_a_timeslot_is_busy_while_it_is_open_anywhere(self, rig: Rig) -> None:
        port, wanted = rig.ports[0], media_of(rig)
        another = rig.another()
        fd, _ = rig.backend.open_timeslot(port, Timeslot(1), wanted)
        copy = os.dup(fd)
        for backend in (rig.backend, another):
            with pytest.raises(DeviceBusy) as caught:
                backend.open_timeslot(port, Timeslot(1), wanted)
        assert caught.value.driver
        os.close(fd)
        with pytest.raises(DeviceBusy):
            another.open_timeslot(port, Timeslot(1), wanted)
        with pytest.raises(DeviceBusy):
            another.prove_free(port, Timeslot(1))
        os.close(copy)
        another.prove_free(port, Timeslot(1))
        fd, _ = another.open_timeslot(port, Timeslot(1), wanted)
        os.close(fd)

    def test_a_timeslot_is_busy_while_another_process_holds_it(self, rig: Rig) -> None:
        port, wanted = rig.ports[0], media_of(rig)
        fd, _ = rig.backend.open_timeslot(port, Timeslot(1), wanted)
        with held_elsewhere(fd):
            os.close(fd)
            with pytest.raises(DeviceBusy):
                rig.backend.open_timeslot(port, Timeslot(1), wanted)
        with opened(rig, 1) as pairs:
            exchange(pairs, 0.2)

    def test_many_openings_and_proofs_are_under_way_at_once(self, rig: Rig) -> None:
        port, slots = rig.ports[0], usual_line(rig.kind).bchannels
        fds: dict[int, int] = {}
        refused: list[HardwareError | None] = []

        def opened(timeslot: int) -> OnOpened:
            def told(fd: int, media: Media | None, error: HardwareError | None) -> None:
                if error is None:
                    fds[timeslot] = fd
                refused.append(error)

            return told

        for timeslot in (*slots, Timeslot(99), slots[0]):
            rig.backend.begin_open(port, timeslot, media_of(rig), opened(timeslot))
        rig.backend.settle()
        assert sorted(fds) == sorted(slots)
        missing, busy = (error for error in refused if error)  # in the order they were asked for, on either backend
        assert (isinstance(missing, DeviceBusy), isinstance(busy, DeviceBusy)) == (False, True)

        proved: list[HardwareError | None] = []
        os.close(fds[slots[1]])
        for timeslot in slots[:2]:
            rig.backend.begin_proof(port, timeslot, proved.append)
        answers = rig.backend.answers_fd()
        while len(proved) < 2:
            assert answers is not None
            wait_readable(answers)
            rig.backend.answers()
        assert sorted(type(error).__name__ for error in proved) == ["DeviceBusy", "NoneType"]
        fds.pop(slots[1])
        for fd in fds.values():
            os.close(fd)

    def test_a_channel_can_be_opened_again_at_once(self, rig: Rig) -> None:
        for _ in range(50):
            with opened(rig, 1):
                pass

    def test_the_next_to_open_a_timeslot_gets_nothing_of_the_last(self, rig: Rig) -> None:
        for _ in range(10):
            with opened(rig, 1, chunk=80, depth=4) as [pair]:
                for fd in pair:
                    fill(fd, MARK[:80])
                for fd in pair:  # it is on the line both ways, and waits to be read and to be sent
                    while MARK[0] not in next_block(fd):
                        pass
                    fill(fd, MARK[:80])
            with opened(rig, 1, chunk=160, depth=8) as [pair]:
                for fd in pair * 12:
                    block = next_block(fd)
                    assert len(block) == 160
                    assert MARK[0] not in block

    def test_channels_outlive_the_backend_that_opened_them(self, rig: Rig) -> None:
        another = rig.another()
        deep = media_of(rig, chunk=CHUNK, depth=32)
        a, _ = another.open_timeslot(rig.ports[0], Timeslot(1), deep)
        another.close()
        b, _ = rig.backend.open_timeslot(rig.ports[1], Timeslot(1), deep)
        exchange([(a, b)], 0.2)
        os.close(a)
        os.close(b)

    def test_frames_cross_the_dchannel_with_their_fcs(self, rig: Rig) -> None:
        with dchannels(rig) as (a, b):
            for length in (3, 4, 30, 260):
                for sender, receiver in ((a, b), (b, a)):
                    frame = os.urandom(length)
                    send_block(sender, frame + b"\0\0")
                    received = next_frame(rig, receiver)
                    assert received[:-2] == frame
                    assert len(received) == length + 2

    def test_frames_keep_their_order(self, rig: Rig) -> None:
        with dchannels(rig) as (a, b):
            frames = [bytes([number]) * 20 for number in range(12)]
            for frame in frames:
                send_block(a, frame + b"\0\0")
            assert [next_frame(rig, b)[:-2] for _ in frames] == frames

    def test_a_dchannel_is_busy_while_it_is_open(self, rig: Rig) -> None:
        with dchannels(rig), pytest.raises(DeviceBusy):
            rig.backend.open_dchannel(rig.ports[0], rig.kind.default_dchannel)
        with dchannels(rig):
            pass

    def test_a_bchannel_carries_frames(self, rig: Rig) -> None:
        need(rig, "hdlc")
        with opened(rig, 1, mode=Mode.HDLC) as [(a, b)]:
            send_block(a, b"a frame on a B-channel" + b"\0\0")
            assert next_frame(rig, b)[:-2] == b"a frame on a B-channel"
