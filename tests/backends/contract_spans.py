# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of the backend contract that is about whole spans: listed, configured, looped, shut down, in alarm, lost."""

import os
from dataclasses import replace

import pytest

from dahdi_py.core.terms import Alarms, LineType, Timeslot
from dahdi_py.errors import DeviceBusy, DeviceGone, HardwareError, Unsupported
from tests.backends.rig import Rig, await_kind, await_status, free, media_of, need, opened, usual_line
from tests.backends.traffic import MARK, exchange, next_block, seek


class SpanContract:
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


def vars_of(counters: object) -> list[int | None]:
    return [getattr(counters, name) for name in counters.__slots__]  # type: ignore[attr-defined]
