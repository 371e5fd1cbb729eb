# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may not open the device is told who may."""

import os
import subprocess
import sys
from pathlib import Path

ATTEMPT = """
import os, sys
from pathlib import Path
from dahdi_py.backends.kernel import KernelBackend
from dahdi_py.errors import DevicePermission
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
try:
    print(KernelBackend("card").spans())
except DevicePermission as error:
    print(error.code, error)
"""


def attempt() -> str:
    run = subprocess.run([sys.executable, "-c", ATTEMPT], capture_output=True, text=True, timeout=60, check=True)
    return run.stdout.strip()


def test_a_stranger_is_told_that_only_root_may() -> None:
    assert attempt() == (
        "org.dahdipy.DevicePermission may not open /dev/dahdi/ctl: only root may; give it to group dahdi with mode 0660"
        " (udev rules of package dahdi), or run as root"
    )


def test_a_stranger_is_told_which_group_may() -> None:
    control = Path("/dev/dahdi/ctl")
    before = control.stat()
    os.chown(control, 0, 20)
    control.chmod(0o660)
    try:
        assert attempt().endswith("may not open /dev/dahdi/ctl: run as root or as a member of group dialout")
    finally:
        control.chmod(before.st_mode & 0o777)
        os.chown(control, 0, 0)
