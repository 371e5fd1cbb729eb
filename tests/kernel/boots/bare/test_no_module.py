# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine on which nobody has loaded DAHDI, and then somebody does, with Debian's default. Runs first here."""

import subprocess

import pytest

from dahdi_py.backends.kernel import KernelBackend
from dahdi_py.core.terms import LineType, Timeslot
from dahdi_py.errors import DeviceGone
from tests.backends.rig import usual_line


def test_without_the_module_every_operation_says_what_to_do_and_with_it_all_work() -> None:
    backend = KernelBackend("card")
    config = usual_line(LineType.T1)
    for operation in (
        backend.spans,
        lambda: backend.configure("loc/1:0", config),
        lambda: backend.startup("1"),
        lambda: backend.status("1"),
        lambda: backend.open_dchannel("loc/1:0", Timeslot(24)),
    ):
        with pytest.raises(
            DeviceGone, match=r"no DAHDI: .*ctl is not there; modprobe dahdi \(Debian: apt install dahdi"
        ):
            operation()

    subprocess.run(["modprobe", "dahdi", "auto_assign_spans=0"], check=True)
    assert backend.spans() == []
    assert "created" in backend.configure("loc/1:0", config)
    backend.destroy("loc/1:0")
    backend.close()
