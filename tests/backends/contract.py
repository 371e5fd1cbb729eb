# SPDX-License-Identifier: GPL-2.0-or-later
"""The contract of `dahdi_py.backends.base`, as tests: written once, run on every backend.

To run it on a backend, write a test module with a fixture `rig` that gives a `Rig`, and a class that inherits the
tests::

    @pytest.fixture(params=list(LineType))
    def rig(request) -> Iterator[Rig]: ...

    class TestKernel(BackendContract): ...

The rig's two ports are joined, configured as `usual_line` says, started, without alarms; nothing on them is open. What
only some backends can do is asked by `rig.supports`:

- ``cut``: `rig.cut` interrupts the line, `rig.join` joins it again.
- ``restart``: `rig.lose_card` and `rig.return_card` take the card away and bring it back.
- ``law_idle``: underrun sends the idle octet of the media's law (else: the same octet for ever).
- ``hdlc``: a B-channel's descriptor can carry frames.
- ``busy_elsewhere``: a shutdown is refused for channels that another process opened.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Protocol

import pytest

from dahdi_py.backends.base import Backend, LineConfig, Media, OnOpened
from dahdi_py.core.terms import Alarms, Coding, Framing, LineType, Mode, Timeslot
from dahdi_py.errors import DeviceBusy, DeviceGone, HardwareError, Unsupported
from tests.backends.traffic import (
    CHUNK,
    PATIENCE_S,
    exchange,
    fill,
    held_elsewhere,
    next_block,
    send_block,
    take_all,
    wait_readable,
)

MARK = b"\x5a" * 160


class Rig(Protocol):
    """Two joined ports of one backend."""

    backend: Backend
    kind: LineType
    ports: tuple[str, str]

    def another(self) -> Backend:
        """A second backend on the same card, as another process would have it; closed with the rig."""

    def supports(self, what: str) -> bool: ...

    def cut(self) -> None: ...

    def join(self) -> None: ...

    def lose_card(self) -> None: ...

    def return_card(self) -> None: ...


def usual_line(kind: LineType) -> LineConfig:
    """A PRI line: every timeslot but the D-channel's is a B-channel."""
    e1 = kind is LineType.E1
    return LineConfig(
        kind,
        framing=Framing.CCS if e1 else Framing.ESF,
        coding=Coding.HDB3 if e1 else Coding.B8ZS,
        crc4=True if e1 else None,
        timing=0,
        build_out=0,
        law=kind.default_law,
        bchannels=tuple(Timeslot(slot) for slot in kind.timeslots if slot != kind.default_dchannel),
        dchannel=kind.default_dchannel,
    )


def need(rig: Rig, what: str) -> None:
    if not rig.supports(what):
        pytest.skip(f"the backend does not claim {what}")


@contextmanager
def opened(rig: Rig, *timeslots: int, **media: object) -> Iterator[list[tuple[int, int]]]:
    """Both ends of these B-channels, closed afterwards; seconds deep, so that a pause of ours loses nothing."""
    wanted = media_of(rig, **{"chunk": CHUNK, "depth": 32, **media})
    fds: list[tuple[int, int]] = []
    try:
        for timeslot in timeslots:
            a, b = (rig.backend.open_timeslot(port, Timeslot(timeslot), wanted)[0] for port in rig.ports)
            fds.append((a, b))
        yield fds
    finally:
        for pair in fds:
            for fd in pair:
                os.close(fd)


def media_of(rig: Rig, **changes: object) -> Media:
    return replace(Media(rig.kind.default_law), **changes)  # type: ignore[arg-type]


@contextmanager
def dchannels(rig: Rig) -> Iterator[tuple[int, int]]:
    a, b = (rig.backend.open_dchannel(port, rig.kind.default_dchannel) for port in rig.ports)
    try:
        yield a, b
    finally:
        os.close(a)
        os.close(b)


def seek(sender: int, receiver: int, block: bytes) -> None:
    """What goes into one descriptor comes out of the other, among what else there is."""
    deadline = time.monotonic() + PATIENCE_S
    while block not in (found := next_block(receiver)) and block[:40] not in found:
        assert time.monotonic() < deadline, "it did not arrive"
        with suppress(BlockingIOError):
            os.write(sender, block)


def await_status(rig: Rig, good: Callable[[], bool]) -> None:
    """Wait for news until the status is as wanted."""
    for _ in range(100):
        if good():
            return
        wait_readable(rig.backend.event_fd())
        rig.backend.events()
    raise AssertionError("the status did not become as wanted")


def free(rig: Rig, port: str) -> bool:
    return not rig.backend.status(port).alarms.out_of_service


class BackendContract:
    """Inherit in a module that has the fixture `rig`."""

    def test_spans_are_listed_as_they_are(self, rig: Rig) -> None:
        spans = {span.port: span for span in rig.backend.spans()}
        for port in rig.ports:
            span = spans[port]
            assert span.timeslots == len(rig.kind.timeslots)
            assert span.type in (rig.kind, None)
            assert span.driver
            assert span.name

    def test_a_line_that_is_as_asked_is_not_written(self, rig: Rig) -> None:
        with opened(rig, 1):
            for port in rig.ports:
                assert not rig.backend.configure(port, usual_line(rig.kind))

    def test_a_difference_is_not_written_while_a_channel_is_open(self, rig: Rig) -> None:
        port, line = rig.ports[0], usual_line(rig.kind)
        other = replace(line, bchannels=line.bchannels[1:], dchannel=line.bchannels[0])
        with opened(rig, 2) as [pair]:
            with pytest.raises(DeviceBusy):
                rig.backend.configure(port, other)
            exchange([pair], 0.2)
        assert rig.backend.configure(port, other)
        assert rig.backend.configure(port, line)

    def test_configuring_one_span_leaves_the_other_alone(self, rig: Rig) -> None:
        line = usual_line(rig.kind)
        fd, _ = rig.backend.open_timeslot(rig.ports[1], Timeslot(1), media_of(rig))
        rig.backend.configure(rig.ports[0], replace(line, dchannel=None))
        rig.backend.configure(rig.ports[0], line)
        next_block(fd)
        with pytest.raises(DeviceBusy):
            rig.backend.open_timeslot(rig.ports[1], Timeslot(1), media_of(rig))
        os.close(fd)

    def test_an_impossible_line_is_refused(self, rig: Rig) -> None:
        other = LineType.T1 if rig.kind is LineType.E1 else LineType.E1
        with pytest.raises(HardwareError) as caught:
            rig.backend.configure(rig.ports[0], usual_line(other))
        assert caught.value.span == rig.ports[0]
        assert caught.value.driver

    def test_joined_and_started_spans_have_no_alarm(self, rig: Rig) -> None:
        for port in rig.ports:
            status = rig.backend.status(port)
            assert free(rig, port), status.alarms.words()
            assert all(count is None or count >= 0 for count in vars_of(status.counters))

    def test_what_does_not_exist_is_gone(self, rig: Rig) -> None:
        with pytest.raises(DeviceGone):
            rig.backend.status("no/such:9")
        with pytest.raises(DeviceGone):
            rig.backend.open_timeslot("no/such:9", Timeslot(1), media_of(rig))
        with pytest.raises(HardwareError):
            rig.backend.open_timeslot(rig.ports[0], Timeslot(99), media_of(rig))

    def test_what_the_driver_cannot_do_is_unsupported(self, rig: Rig) -> None:
        can = rig.backend.capabilities()
        for mode, capability in (("local", "local_loop"), ("line", "line_loop"), ("payload", "payload_loop")):
            if capability not in can:
                with pytest.raises(Unsupported) as caught:
                    rig.backend.maintenance(rig.ports[0], mode)
                assert (caught.value.span, bool(caught.value.operation)) == (rig.ports[0], True)

    @pytest.mark.parametrize(("mode", "looped"), [("local", 0), ("line", 1), ("payload", 1)])
    def test_a_loop_brings_back_what_went_in_until_it_is_ended(self, rig: Rig, mode: str, looped: int) -> None:
        if f"{mode}_loop" not in rig.backend.capabilities():
            with pytest.raises(Unsupported):
                rig.backend.maintenance(rig.ports[0], mode)
            return
        with opened(rig, 1) as [pair]:
            rig.backend.maintenance(rig.ports[0], mode)
            await_status(rig, lambda: bool(rig.backend.status(rig.ports[0]).alarms & Alarms.LOOPBACK))
            await_status(rig, lambda: not rig.backend.status(rig.ports[looped]).alarms & Alarms.RED)
            seek(pair[looped], pair[looped], MARK)
            rig.backend.maintenance(rig.ports[0], None)
            await_status(rig, lambda: all(free(rig, port) for port in rig.ports))
            seek(pair[0], pair[1], b"\x3c" * 160)

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
        fd, given = rig.backend.open_timeslot(rig.ports[0], Timeslot(1), wanted)
        assert (given.law, given.mode, given.chunk, given.depth) == (wanted.law, wanted.mode, chunk, depth)
        assert given.medium in ("socket", "kernel")
        assert [len(next_block(fd)) for _ in range(3)] == [chunk] * 3
        taken = fill(fd, bytes(chunk))
        assert depth - 2 <= taken <= depth + 2
        os.close(fd)

    def test_overrun_keeps_the_oldest_blocks(self, rig: Rig) -> None:
        with opened(rig, 1, chunk=160, depth=8) as [(a, b)]:
            quiet = bytes([rig.kind.default_law.idle_octet]) * 160
            for _ in range(20):  # what queues up at b first
                send_block(a, quiet)
            for _ in range(20):
                send_block(a, MARK)
            queued = take_all(b)
            assert 6 <= len(queued) <= 10
            assert MARK[0] not in b"".join(queued[:8])

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

    def test_a_span_with_open_channels_is_not_shut_down(self, rig: Rig) -> None:
        with opened(rig, 1) as pairs:
            with pytest.raises(DeviceBusy):
                rig.backend.shutdown(rig.ports[0])
            exchange(pairs, 0.2)
        if rig.supports("busy_elsewhere"):
            fd, _ = rig.another().open_timeslot(rig.ports[0], Timeslot(1), media_of(rig))
            with pytest.raises(DeviceBusy):
                rig.backend.shutdown(rig.ports[0])
            os.close(fd)

    def test_a_span_comes_back_from_shutdown(self, rig: Rig) -> None:
        rig.backend.shutdown(rig.ports[0])
        rig.backend.configure(rig.ports[0], usual_line(rig.kind))
        rig.backend.startup(rig.ports[0])
        await_status(rig, lambda: all(free(rig, port) for port in rig.ports))
        with opened(rig, 1) as pairs:
            exchange(pairs, 0.2)

    def test_a_cut_line_raises_alarms_that_a_joined_one_clears(self, rig: Rig) -> None:
        need(rig, "cut")
        rig.cut()
        await_status(rig, lambda: not any(free(rig, port) for port in rig.ports))
        rig.join()
        await_status(rig, lambda: all(free(rig, port) for port in rig.ports))

    def test_a_lost_card_is_told_and_so_is_its_return(self, rig: Rig) -> None:
        need(rig, "restart")
        kinds: list[str] = []
        rig.backend.events()
        rig.lose_card()
        await_kind(rig, "absent", kinds)
        with pytest.raises(DeviceGone):
            rig.backend.spans()
        with pytest.raises(DeviceGone):
            rig.backend.status(rig.ports[0])
        rig.return_card()
        await_kind(rig, "present", kinds)
        assert kinds.index("absent") < kinds.index("present")
        for port in rig.ports:
            rig.backend.configure(port, usual_line(rig.kind))
            rig.backend.startup(port)
        await_status(rig, lambda: all(free(rig, port) for port in rig.ports))
        with opened(rig, 1) as pairs:
            exchange(pairs, 0.2)


def await_kind(rig: Rig, kind: str, kinds: list[str]) -> None:
    while kind not in kinds:
        wait_readable(rig.backend.event_fd())
        kinds += [event.kind for event in rig.backend.events()]


def next_frame(rig: Rig, fd: int) -> bytes:
    """The next frame; device events that stand before it are drained, as every client of a D-channel does."""
    while True:
        try:
            return next_block(fd)
        except OSError:
            assert rig.backend.drain_channel(fd)


def vars_of(counters: object) -> list[int | None]:
    return [getattr(counters, name) for name in counters.__slots__]  # type: ignore[attr-defined]
