# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's default: a new span has no number until somebody gives it one."""

import os
import subprocess
from pathlib import Path

import pytest

from dahdi_py.backends.kernel import KernelBackend
from dahdi_py.core.terms import LineType, Timeslot
from dahdi_py.errors import DeviceGone
from dahdi_py.ffi import dahdi
from tests.backends.rig import usual_line
from tests.kernel.lines import MakePair, as_stranger, exchange


@pytest.fixture(autouse=True)
def unassigning_module() -> None:
    subprocess.run(["modprobe", "dahdi", "auto_assign_spans=0"], check=True)
    assert Path("/sys/module/dahdi/parameters/auto_assign_spans").read_text().strip() == "0"


def test_a_span_made_here_is_given_a_number(backend: KernelBackend, make_pair: MakePair) -> None:
    assert list(backend.configure("loc/9:0", usual_line(LineType.T1)))[:2] == ["created", "assigned"]
    assert backend.configure("loc/9:0", usual_line(LineType.T1)) == []
    backend.destroy("loc/9:0")
    pair = make_pair(LineType.E1)
    exchange([(pair.open(0, 1), pair.open(1, 1))], seconds=0.2)


def test_a_span_that_waits_for_a_number_is_listed_without_one_and_then_adopted(backend: KernelBackend) -> None:
    control = dahdi.open_control()
    assert dahdi.dynamic_create(control, "loc", "9:0", 24) == 0
    os.close(control)
    waiting = [(span.port, span.number, span.type, span.timeslots) for span in backend.spans()]
    assert waiting == [("loc/9:0", None, None, 0)]
    with pytest.raises(DeviceGone, match="the span has no number"):
        backend.status("loc/9:0")
    assert backend.configure("loc/9:0", usual_line(LineType.T1))[0] == "assigned"
    fd = backend.open_dchannel("loc/9:0", Timeslot(24))
    os.close(fd)
    backend.destroy("loc/9:0")


def test_without_root_nobody_can_and_the_message_says_who() -> None:
    control = dahdi.open_control()
    dahdi.dynamic_create(control, "loc", "9:0", 24)
    node = Path("/dev/dahdi/ctl")
    node.chmod(0o666)
    said = as_stranger(ATTEMPT)
    node.chmod(0o600)
    dahdi.dynamic_destroy(control, "loc", "9:0")
    os.close(control)
    assert "has no span number and only root may give it one: run dahdi_span_assignments auto as root" in said


ATTEMPT = """
from dahdi_py.backends.base import LineConfig
from dahdi_py.backends.kernel import KernelBackend
from dahdi_py.core.terms import LineType
from dahdi_py.errors import DevicePermission
try:
    KernelBackend("card").configure("loc/9:0", LineConfig(LineType.T1))
except DevicePermission as error:
    print(error)
"""
