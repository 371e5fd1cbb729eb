# SPDX-License-Identifier: GPL-2.0-or-later
"""What an errno of DAHDI means: the only place that decides."""

from __future__ import annotations

import errno
import grp
import os
from pathlib import Path

from dahdi_py.errors import DeviceBusy, DeviceGone, DevicePermission, HardwareError, Unsupported

EVENT_PENDING = 500
"""A read or write failed because an event waits on the channel; no errno.h has a name for it."""

_MEANING: dict[int, type[HardwareError]] = {
    errno.ENODEV: DeviceGone,
    errno.EBUSY: DeviceBusy,
    errno.EACCES: DevicePermission,
    errno.EPERM: DevicePermission,
    errno.ENOSYS: Unsupported,
    errno.ENOTTY: Unsupported,
    errno.EOPNOTSUPP: Unsupported,
}

# The same errno says something else here. Source: DAHDI 2.11.1 dahdi-base.c, tried on a running kernel.
_MEANING_HERE: dict[tuple[str, int], tuple[type[HardwareError], str]] = {
    ("SPANSTAT", errno.EINVAL): (DeviceGone, "no such span"),
    ("MAINT", errno.EINVAL): (DeviceGone, "no such span"),
    ("SPANCONFIG", errno.ENXIO): (DeviceGone, "no such span"),
    ("SPANCONFIG", errno.EINVAL): (Unsupported, "the span cannot have this framing or coding"),
    ("STARTUP", errno.ENXIO): (DeviceGone, "no such span"),
    ("SHUTDOWN", errno.ENXIO): (DeviceGone, "no such span"),
    ("GET_PARAMS", errno.EINVAL): (DeviceGone, "no such channel"),
    ("SPECIFY", errno.EINVAL): (DeviceGone, "no such channel"),
    ("SPECIFY", errno.ENXIO): (HardwareError, "the channel is not configured, or its driver is going away"),
    ("SETCONF", errno.EINVAL): (Unsupported, "it carries no voice, or there is no such channel"),
    ("ATTACH_ECHOCAN", errno.EINVAL): (Unsupported, "no such echo canceller"),
    ("DYNAMIC_CREATE", errno.EINVAL): (Unsupported, "the driver is not there or refuses the address or channel count"),
    ("DYNAMIC_DESTROY", errno.EINVAL): (DeviceGone, "no such dynamic span"),
}


def failure(operation: str, number: int, subject: str) -> HardwareError:
    """The error that says which operation failed on what, and why.

    Args:
        operation: The ioctl, such as ``SPANSTAT``.
        number: A positive errno.
        subject: What it was asked of, such as ``span 3``.
    """
    kind, why = _MEANING_HERE.get((operation, number), (None, ""))
    if kind is None:
        kind = _MEANING.get(number, HardwareError)
        why = "an event is pending" if number == EVENT_PENDING else os.strerror(number)
    return kind(f"{operation} of {subject}: {why}", operation=operation, errno=number)


def checked(result: int, operation: str, subject: str) -> int:
    """What a C function returned, unless that is -errno.

    Raises:
        HardwareError: Of the kind that the errno means.
    """
    if result < 0:
        raise failure(operation, -result, subject)
    return result


def open_node(node: Path) -> int:
    """A non-blocking, close-on-exec descriptor of a device node.

    Raises:
        DeviceGone: The node or what is behind it is not there.
        DevicePermission: The message says who may.
    """
    try:
        return os.open(node, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise open_failure(node, error.errno or 0) from None


def open_failure(node: Path, number: int) -> HardwareError:
    """The error of a device node that could not be opened, with what to do about it."""
    fields = {"operation": "open", "errno": number}
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
        return DeviceGone(f"no DAHDI: {node} is not there; modprobe dahdi (Debian: apt install dahdi-dkms)", **fields)
    if number in (errno.EACCES, errno.EPERM):
        return DevicePermission(f"may not open {node}: {_who_may(node)}", **fields)
    return failure("open", number, str(node))


def _who_may(node: Path) -> str:
    try:
        status = node.stat()
        group = grp.getgrgid(status.st_gid).gr_name
    except (OSError, KeyError):
        return "run as root or as a member of group dahdi"
    if status.st_mode & 0o060 == 0o060 and status.st_gid != 0:
        return f"run as root or as a member of group {group}"
    return "only root may; give it to group dahdi with mode 0660 (udev rules of package dahdi), or run as root"
