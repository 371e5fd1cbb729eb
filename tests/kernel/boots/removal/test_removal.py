# SPDX-License-Identifier: GPL-2.0-or-later
"""A span pulled out with calls up. In a boot of its own: the kernel does not survive this twice."""

import os
import select
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dahdi_py.backends.base import BackendEvent
from dahdi_py.backends.kernel import KernelBackend
from dahdi_py.core.terms import Alarms, LineType
from dahdi_py.errors import DeviceGone
from dahdi_py.ffi.libpri_events import Answered, Gone
from tests.kernel.lines import CHUNK, Dchannels, MakePair, exchange, readable


@pytest.mark.timeout(180)
def test_a_span_pulled_out_with_calls_up_is_absent_and_its_peer_red(
    backend: KernelBackend, make_pair: MakePair
) -> None:
    pair, bystander = make_pair(LineType.T1), make_pair(LineType.E1)
    quiet = [(bystander.open(0, slot), bystander.open(1, slot)) for slot in (1, 2, 3)]
    dchannels = Dchannels(pair)
    dchannels.both_up()
    slots = pair.config.bchannels
    for slot in slots:
        dchannels.call(slot)
    dchannels.wait(Answered, len(slots))
    ends = [(pair.open(0, slot), pair.open(1, slot)) for slot in slots]
    exchange(ends, seconds=0.3)

    lost = [right for _, right in ends]
    # Nothing else may touch the span meanwhile, a failing test's tidying up neither: the kernel would spin for ever.
    with ThreadPoolExecutor() as worker:
        removal = worker.submit(pull_out, pair.ports[1])
        for fd in lost:
            readable(fd, select.POLLPRI)
            assert "removed" in backend.drain_channel(fd)
        exchange(quiet, seconds=0.3)
    removal.result()
    with pytest.raises(OSError, match="No such device"):
        os.read(lost[0], CHUNK)
    assert backend.drain_channel(lost[0]) == ["removed"]

    seen: list[BackendEvent] = []
    while BackendEvent(pair.ports[1], "absent") not in seen:
        readable(backend.event_fd())
        seen += backend.events()
    with pytest.raises(DeviceGone):
        backend.status(pair.ports[1])
    red = ends[0][0]
    while "alarm" not in backend.drain_channel(red):
        readable(red, select.POLLPRI)
    assert backend.status(pair.ports[0]).alarms & (Alarms.RED | Alarms.YELLOW)

    # libpri is told by the device, and goes on for the spans that are left.
    gone = dchannels.wait(Gone)
    assert [event.dchannel for event in gone] == [dchannels.numbers[1]]

    dchannels.detach(1)
    pair.close(*[fd for end in ends for fd in end])
    with pytest.raises(DeviceGone, match="its number was taken away"):
        backend.configure(pair.ports[1], pair.config)
    put_back(pair.ports[1])
    while BackendEvent(pair.ports[1], "present") not in seen:
        readable(backend.event_fd())
        seen += backend.events()
    assert backend.configure(pair.ports[1], pair.config) == ["channels"]
    backend.startup(pair.ports[1])
    exchange([(pair.open(0, slot), pair.open(1, slot)) for slot in slots], seconds=0.3)
    exchange(quiet, seconds=0.3)
    dchannels.attach(1)
    dchannels.close()


def pull_out(port: str) -> None:
    """What the kernel does when a card is pulled: its span is unassigned, whoever has it open."""
    (device_of(port) / "unassign_span").write_text("1")


def put_back(port: str) -> None:
    """What udev or an operator does when it is there again."""
    (device_of(port) / "auto_assign").write_text("1")


def device_of(port: str) -> Path:
    devices = Path("/sys/bus/dahdi_devices/devices").iterdir()
    return next(device for device in devices if (device / "hardware_id").read_text().strip() == f"DYN/{port}")
