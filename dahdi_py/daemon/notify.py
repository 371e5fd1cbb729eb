# SPDX-License-Identifier: GPL-2.0-or-later
"""Telling systemd how the daemon does, when it asked. Source: sd_notify(3)."""

from __future__ import annotations

import contextlib
import os
import socket


class Notify:
    """Sends states to the manager that started this process; does nothing when there is none.

    Attributes:
        watchdog_s: How often the manager wants to hear of us at the least, s; 0 when it does not.

    Synchronization: external.
    """

    def __init__(self) -> None:
        # Taken out of the environment: what the daemon starts is not the service's main process.
        address = os.environ.pop("NOTIFY_SOCKET", "")
        interval_us = os.environ.pop("WATCHDOG_USEC", "0")
        pid = os.environ.pop("WATCHDOG_PID", "")
        ours = not pid or pid == str(os.getpid())
        self.watchdog_s = int(interval_us) / 1e6 if address and ours and interval_us.isdigit() else 0.0
        self._address = "\0" + address[1:] if address.startswith("@") else address

    def tell(self, **states: str | int) -> None:
        """The manager knows, such as `READY=1`, `STATUS=…`."""
        if not self._address:
            return
        message = "\n".join(f"{name}={value}" for name, value in states.items())
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(message.encode(), self._address)
