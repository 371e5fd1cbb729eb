# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may not open the device is told who may."""

import os
from pathlib import Path

from tests.kernel.lines import as_stranger

ATTEMPT = """
from dahdi_py.backends.kernel import KernelBackend
from dahdi_py.errors import DevicePermission
try:
    print(KernelBackend("card").spans())
except DevicePermission as error:
    print(error.code, error)
"""


def test_a_stranger_is_told_that_only_root_may() -> None:
    assert as_stranger(ATTEMPT) == (
        "org.dahdipy.DevicePermission may not open /dev/dahdi/ctl: only root may; give it to group dahdi with mode 0660"
        " (udev rules of package dahdi), or run as root"
    )


def test_a_stranger_is_told_which_group_may() -> None:
    control = Path("/dev/dahdi/ctl")
    before = control.stat()
    os.chown(control, 0, 20)
    control.chmod(0o660)
    try:
        assert as_stranger(ATTEMPT).endswith("may not open /dev/dahdi/ctl: run as root or as a member of group dialout")
    finally:
        control.chmod(before.st_mode & 0o777)
        os.chown(control, 0, 0)
