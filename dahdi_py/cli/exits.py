# SPDX-License-Identifier: GPL-2.0-or-later
"""Exit codes: one class of error, one code, mapped here and nowhere else."""

from __future__ import annotations

from dahdi_py import errors
from dahdi_py.wire.refusals import VarlinkError

OK = 0
FAILED = 1
USAGE = 2
NOT_FOUND = 3
BUSY = 4
REFUSED = 5
UNREACHABLE = 6
FINDINGS = 7

_CODES: tuple[tuple[type[errors.DahdiPyError], int], ...] = (
    (errors.NotFound, NOT_FOUND),
    (errors.AllocationError, BUSY),
    (errors.DeviceBusy, BUSY),
    (errors.AccessError, REFUSED),
    (errors.DevicePermission, REFUSED),
    (errors.Unsupported, REFUSED),
    (errors.WrongCallState, REFUSED),
    (errors.Unreachable, UNREACHABLE),
    (VarlinkError, USAGE),
)

# Q.850: the far end or the network had no channel or was busy.
_BUSY_CAUSES = frozenset({17, 34, 44})
# Q.850: the two normal ends of a call that was answered.
_NORMAL_CAUSES = frozenset({16, 31})


def of_error(error: errors.DahdiPyError) -> int:
    """The exit code for this error; 1 for what has no code of its own."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAILED)


def of_call(answered: bool, cause: int) -> int:
    """The exit code of a finished call: 0 answered and cleared normally, 4 busy or no channel, else 1.

    Args:
        cause: Q.850 value, 0 for none.
    """
    if cause in _BUSY_CAUSES:
        return BUSY
    return OK if answered and cause in _NORMAL_CAUSES else FAILED
