# SPDX-License-Identifier: GPL-2.0-or-later
"""Alarms: the status tells them each second, open channels have the event at once."""

import os
import select
import time

import pytest

from dahdi_py.backends.base import BackendEvent, Media
from dahdi_py.backends.kernel import KernelBackend
from dahdi_py.core.terms import Alarms, Law, LineType, Timeslot
from dahdi_py.errors import DeviceGone
from dahdi_py.ffi import dahdi
from tests.kernel.lines import PATIENCE_S, MakePair, exchange, line_config, readable


def test_status_is_due_each_second(backend: KernelBackend) -> None:
    readable(backend.event_fd())
    assert backend.events() == [BackendEvent(None, "status")]
    assert backend.events() == ()


def test_losing_the_peer_is_red_and_finding_it_again_is_not(backend: KernelBackend) -> None:
    config = line_config(LineType.T1)
    for port in ("loc/9:0", "loc/9:1"):
        backend.configure(port, config)
        backend.startup(port)
    fd, _ = backend.open_timeslot("loc/9:0", Timeslot(1), Media(config.law or Law.MULAW))
    dchannel = backend.open_dchannel("loc/9:0", Timeslot(24))
    backend.drain_channel(dchannel)
    assert backend.status("loc/9:0").alarms is Alarms.NONE

    backend.destroy("loc/9:1")
    readable(fd, select.POLLPRI)
    assert backend.status("loc/9:0").alarms & Alarms.RED
    with pytest.raises(OSError, match="Errno 500"):
        os.read(fd, 160)
    assert backend.drain_channel(fd) == ["alarm"]
    assert backend.drain_channel(fd) == []
    assert "alarm" in backend.drain_channel(dchannel)

    backend.configure("loc/9:1", config)
    readable(fd, select.POLLPRI)
    assert backend.drain_channel(fd) == ["no_alarm"]
    assert backend.status("loc/9:0").alarms is Alarms.NONE
    for descriptor in (fd, dchannel):
        os.close(descriptor)
    for port in ("loc/9:0", "loc/9:1"):
        backend.destroy(port)


def test_a_span_that_went_is_absent_until_it_is_back(backend: KernelBackend, make_pair: MakePair) -> None:
    pair = make_pair(LineType.E1)
    port = pair.ports[1]
    control = dahdi.open_control()
    dahdi.dynamic_destroy(control, *port.split("/"))
    os.close(control)
    events_until(backend, BackendEvent(port, "absent"))
    with pytest.raises(DeviceGone, match="the kernel has no such span"):
        backend.status(port)
    backend.configure(port, pair.config)
    events_until(backend, BackendEvent(port, "present"))
    backend.startup(port)
    exchange([(pair.open(0, 1), pair.open(1, 1))], seconds=0.1)


def events_until(backend: KernelBackend, wanted: BackendEvent) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while wanted not in backend.events():
        assert time.monotonic() < deadline
        readable(backend.event_fd())
