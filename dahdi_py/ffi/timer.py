# SPDX-License-Identifier: GPL-2.0-or-later
"""A timer that is a descriptor, for who waits on descriptors without an event loop."""

from __future__ import annotations

import contextlib
import os

from dahdi_py.ffi._line import lib


class Timer:
    """Disarmed. Synchronization: one thread."""

    def __init__(self) -> None:
        self._fd = lib.timer_new()
        if self._fd < 0:
            raise OSError(-self._fd, os.strerror(-self._fd))

    def fileno(self) -> int:
        """Readable once the time has come, until `clear`."""
        return self._fd

    def arm(self, delay_s: float) -> None:
        """The time comes once, `delay_s` seconds from now."""
        lib.timer_arm(self._fd, int(delay_s * 1e9))

    def clear(self) -> None:
        """The descriptor is not readable until the timer is armed again."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._fd, 8)

    def close(self) -> None:
        """The descriptor is gone; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
