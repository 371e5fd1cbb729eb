# SPDX-License-Identifier: GPL-2.0-or-later
"""Device events of open B-channels: one that is not read makes every read and write of its clients fail (errno 500)."""

from __future__ import annotations

import logging
import select

from dahdi_py.backends.base import Backend

log = logging.getLogger("dahdi_py.linehost.device_events")


class DeviceEvents:
    """All our copies of kernel descriptors, watched for POLLPRI alone behind one descriptor.

    Synchronization: the loop's thread.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._backends: dict[int, Backend] = {}

    def fileno(self) -> int:
        """Readable when `drain` has something to do."""
        return self._epoll.fileno()

    def watch(self, fd: int, backend: Backend) -> None:
        """The descriptor's events will be drained."""
        self._epoll.register(fd, select.EPOLLPRI)
        self._backends[fd] = backend

    def forget(self, fd: int) -> None:
        """The descriptor is about to be closed: other processes' copies would keep it watched."""
        if self._backends.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def drain(self) -> None:
        """No watched descriptor has an event pending; one in error is watched no more."""
        for fd, ready in self._epoll.poll(0):
            backend = self._backends.get(fd)
            if backend is None:
                continue
            if ready & (select.EPOLLERR | select.EPOLLHUP):
                self.forget(fd)
                continue
            events = backend.drain_channel(fd)
            if events:
                log.debug("descriptor %d: %s", fd, ", ".join(events))

    def close(self) -> None:
        """Nothing is watched any more."""
        self._epoll.close()
