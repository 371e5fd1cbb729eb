# SPDX-License-Identifier: GPL-2.0-or-later
"""Configuring writes what differs and nothing else, on spans of one's own and of others."""

import dataclasses
import os
import subprocess
import sys

import pytest

from dahdi_py.backends.base import LineConfig
from dahdi_py.backends.kernel import KernelBackend
from dahdi_py.core.config import Dynamic
from dahdi_py.core.terms import Alarms, Framing, Law, LineType, Timeslot
from dahdi_py.errors import DeviceBusy, DeviceGone, HardwareError, Unsupported
from dahdi_py.ffi import dahdi
from tests.backends.rig import usual_line
from tests.kernel.lines import MakePair, Pair, exchange

SETTINGS = ["framing", "coding", "build_out", "timing", "law"]


def test_a_new_span_is_created_once_and_then_left_alone(backend: KernelBackend) -> None:
    config = usual_line(LineType.T1)
    assert list(backend.configure("loc/9:0", config)) == ["created", *SETTINGS, "channels"]
    assert list(backend.configure("loc/9:0", config)) == []
    backend.destroy("loc/9:0")
    assert list(backend.configure("loc/9:0", config)) == ["created", *SETTINGS, "channels"]
    backend.destroy("loc/9:0")
    with pytest.raises(DeviceGone):
        backend.status("loc/9:0")


def test_only_the_difference_is_written(backend: KernelBackend, pair: Pair) -> None:
    port, config = pair.ports[0], pair.config
    other_framing = Framing.CAS if pair.kind is LineType.E1 else Framing.D4
    assert list(backend.configure(port, dataclasses.replace(config, framing=other_framing))) == ["framing"]
    other_law = Law.MULAW if config.law is Law.ALAW else Law.ALAW
    changed = dataclasses.replace(config, framing=other_framing, law=other_law)
    assert list(backend.configure(port, changed)) == ["law"]
    fewer = dataclasses.replace(changed, bchannels=(*config.bchannels[:-1],), dchannel=config.bchannels[-1])
    assert list(backend.configure(port, fewer)) == ["channels"]
    assert list(backend.configure(port, fewer)) == []


def test_a_difference_waits_while_channels_are_open_unless_forced(backend: KernelBackend, pair: Pair) -> None:
    port = pair.ports[0]
    fd, peer = pair.open(0, 1), pair.open(1, 1)
    swapped = dataclasses.replace(pair.config, bchannels=pair.config.bchannels[:-1], dchannel=pair.config.bchannels[-1])
    with pytest.raises(DeviceBusy, match="changing channels needs the span closed, and channels ") as caught:
        backend.configure(port, swapped)
    assert len(caught.value.channels) == 1
    assert list(backend.configure(port, pair.config)) == []
    exchange([(fd, peer)], seconds=0.1)
    assert list(backend.configure(port, swapped, force=True)) == ["channels"]


def test_spans_that_exist_are_adopted() -> None:
    """A host started again: what can be compared is, what cannot is written once more."""
    first, second = KernelBackend("first"), KernelBackend("second")
    pair = Pair(first, LineType.E1)
    assert pair.ports[0] in [span.port for span in second.spans()]
    first.close()
    assert list(second.configure(pair.ports[0], pair.config)) == ["framing", "coding", "crc4", *SETTINGS[2:]]
    assert list(second.configure(pair.ports[0], pair.config)) == []
    pair.backend = second
    pair.remove()
    second.close()


def test_adopting_leaves_open_channels_alone() -> None:
    """Descriptors in clients' hands outlive the host; the next one must not disturb them."""
    first, second = KernelBackend("first"), KernelBackend("second")
    pair = Pair(first, LineType.T1)
    ends = [(pair.open(0, 1), pair.open(1, 1))]
    first.close()
    for port in pair.ports:
        assert list(second.configure(port, pair.config)) == []
        second.startup(port)
    exchange(ends, seconds=0.2)
    pair.backend = second
    pair.close(*pair.descriptors)
    # Now that nothing is open, what cannot be read back is written.
    assert list(second.configure(pair.ports[0], pair.config)) == SETTINGS
    pair.remove()
    second.close()


def test_another_process_is_refused_with_our_pid_while_we_own_the_span(pair: Pair) -> None:
    command = [sys.executable, "-c", ADOPT, pair.ports[0]]
    other = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert f"span {pair.ports[0]} belongs to process {os.getpid()} (/run/lock/dahdi-py-span-loc-" in other.stderr
    pair.backend.close()
    assert subprocess.run(command, timeout=60, check=False).returncode == 0


ADOPT = """
import sys
from dahdi_py.backends.kernel import KernelBackend
KernelBackend("other").startup(sys.argv[1])
"""


def test_a_span_of_another_size_is_not_made_again_but_refused(make_pair: MakePair) -> None:
    pair = make_pair(LineType.T1)
    port = pair.ports[0]
    pair.backend.close()
    wider = KernelBackend("wider", [Dynamic(driver="loc", address=port.partition("/")[2], channels=31)])
    with pytest.raises(Unsupported, match="it exists with 24 channels, not 31: destroy it first"):
        wider.configure(port, usual_line(LineType.E1))
    wider.close()


def test_a_span_has_the_channels_that_the_card_says(backend: KernelBackend) -> None:
    small = KernelBackend("small", [Dynamic(driver="loc", address="9:0", channels=5)])
    config = LineConfig(LineType.E1, bchannels=(Timeslot(1), Timeslot(5)))
    assert list(small.configure("loc/9:0", config)) == ["created", "channels"]
    assert [(span.type, span.timeslots) for span in small.spans()] == [(None, 5)]
    small.destroy("loc/9:0")
    small.close()


def test_a_span_is_reached_by_number_and_by_place_too(pair: Pair) -> None:
    info = next(span for span in pair.backend.spans() if span.port == pair.ports[1])
    pair.backend.close()
    for port in (str(info.number), f"@{info.name}", f"@{info.name}:1"):
        named = KernelBackend("named")
        named.configure(port, pair.config)
        assert [span.number for span in named.spans() if span.port == port] == [info.number]
        assert named.status(port).port == port
        named.close()
    with pytest.raises(DeviceGone, match="the kernel has no such span"):
        pair.backend.configure("@nowhere:1", pair.config)


def test_what_the_driver_cannot_be_is_unsupported(backend: KernelBackend, pair: Pair) -> None:
    with pytest.raises(
        Unsupported, match=r"span nosuch/1 \(dahdi\): DYNAMIC_CREATE of nosuch/1: the driver is not there"
    ):
        backend.configure("nosuch/1", pair.config)
    last = pair.kind.timeslots[-1]
    with pytest.raises(Unsupported, match=f"the span has timeslots 1-{last}, not {last + 1}"):
        backend.configure(pair.ports[0], LineConfig(pair.kind, bchannels=(Timeslot(last + 1),)))
    with pytest.raises(Unsupported, match="MAINT") as caught:
        backend.maintenance(pair.ports[0], "local")
    assert (caught.value.operation, caught.value.span, caught.value.driver) == (
        "MAINT",
        pair.ports[0],
        "dahdi_dynamic_loc",
    )
    with pytest.raises(Unsupported, match="no loop is called 'sideways'"):
        backend.maintenance(pair.ports[0], "sideways")
    with pytest.raises(Unsupported, match="a real span cannot be destroyed"):
        backend.destroy("1")
    with pytest.raises(HardwareError, match="File name too long"):
        backend.configure("loc/" + "9" * 40, pair.config)


def test_a_dynamic_span_says_none_where_its_driver_keeps_nothing(backend: KernelBackend, pair: Pair) -> None:
    info = next(span for span in backend.spans() if span.port == pair.ports[0])
    assert (info.type, info.timeslots, info.driver) == (pair.kind, len(pair.kind.timeslots), "dahdi_dynamic_loc")
    assert (info.framing, info.coding, info.crc4, info.timing, info.build_out) == (None,) * 5
    assert info.started
    status = backend.status(pair.ports[0])
    assert status.alarms is Alarms.NONE
    assert status.counters.bpv is None
    assert status.counters.slips is None
    assert backend.capabilities() == {"dynamic", "bridge"}


def test_a_span_with_open_channels_is_neither_stopped_nor_destroyed(backend: KernelBackend, pair: Pair) -> None:
    fd, peer = pair.open(0, 1), pair.open(1, 1)
    with pytest.raises(DeviceBusy, match="1 channels are open"):
        backend.shutdown(pair.ports[0])
    with pytest.raises(DeviceBusy):
        backend.destroy(pair.ports[0])
    exchange([(fd, peer)], seconds=0.1)


def test_line_settings_are_accepted_by_the_kernel(pair: Pair) -> None:
    """SPANCONFIG of a combination the span's driver does not know is refused as such."""
    control = dahdi.open_control()
    number = next(span.number for span in pair.backend.spans() if span.port == pair.ports[0]) or 0
    try:
        dahdi.spanconfig(control, number, dahdi.Line.ESF | dahdi.Line.B8ZS, build_out=1, sync=2)
        with pytest.raises(DeviceGone, match="no such span"):
            dahdi.spanconfig(control, 127, dahdi.Line.ESF, build_out=0, sync=0)
    finally:
        os.close(control)
