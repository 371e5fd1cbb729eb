# SPDX-License-Identifier: GPL-2.0-or-later
"""Timeslots of leased channels: opened, closed, and proved free, as many at once as a turn wants."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import cast

from dahdi_py.backends.base import Backend, Media
from dahdi_py.core.lease import Lease, LeaseTable
from dahdi_py.errors import ChannelBusy, DahdiPyError, DeviceBusy, HardwareError, StaleToken
from dahdi_py.linehost.device_events import DeviceEvents
from dahdi_py.linehost.line import BChannel, SpanLine

OnOpen = Callable[[DahdiPyError | None], None]
"""Told that the leased channel is open, or why not."""


class Timeslots:
    """Opens channels' timeslots and proves them free, without waiting for the card.

    While an opening is under way its lease may end or move; the descriptor that comes then is closed unseen, and only
    then is the timeslot proved free.

    Args:
        proved: Told of each channel that is free now, or of the error if it is not.

    Attributes:
        on_close: Told of each channel whose descriptor is about to be closed on our side.

    Synchronization: the loop's thread.
    """

    def __init__(
        self, leases: LeaseTable, device_events: DeviceEvents, proved: Callable[[BChannel, HardwareError | None], None]
    ) -> None:
        self.on_close: Callable[[BChannel], None] = lambda channel: None
        self._leases = leases
        self._device_events = device_events
        self._proved = proved
        self._proofs: dict[Backend, int] = {}

    def open(self, lease: Lease, done: OnOpen, media: Media | None = None) -> None:
        """The leased channel has our copy of its descriptor and `done` knows: now, or when the card has answered.

        A lease that has ended opens nothing: its channel may be another's.
        """
        if not self._leases.holds(lease):
            done(StaleToken(f"the lease {lease.token} has ended", token=lease.token))
            return
        channel = cast(BChannel, lease.channel)
        if not channel.timeslot:
            whose = f"the far end has yet to say which channel of span {channel.line.name} it is"
            done(ChannelBusy(whose, cause=44))
            return
        if channel.fd >= 0:
            done(None)
            return
        if channel.opening is not None:
            channel.opening.append(done)
            return
        channel.opening = [done]
        lease.opened = True
        line = channel.line

        def opened(fd: int, given: Media | None, error: HardwareError | None) -> None:
            waiting, channel.opening = channel.opening or [], None
            if channel.lease is lease and self._leases.holds(lease):
                self._take(channel, lease, fd, given, error)
                for one in waiting:
                    one(error)
                return
            if fd >= 0:
                os.close(fd)
            if channel.lease is not lease:
                self.prove(channel)
            for one in waiting:
                self.open(lease, one, media)

        line.card.backend.begin_open(line.config.port, channel.timeslot, media or line.default_media(), opened)

    def _take(self, channel: BChannel, lease: Lease, fd: int, given: Media | None, error: HardwareError | None) -> None:
        if error is None:
            channel.fd, channel.media = fd, given
            if given is not None and given.medium == "kernel":
                self._device_events.watch(fd, channel.line.card.backend)
        elif isinstance(error, DeviceBusy):
            channel.lessee = "a process that is no lessee of ours"
        else:
            lease.opened = False

    def close(self, channel: BChannel) -> None:
        """Our copy of the channel's descriptor is closed."""
        if channel.fd >= 0:
            self.on_close(channel)
            if channel.media is not None and channel.media.medium == "kernel":
                self._device_events.forget(channel.fd)
            os.close(channel.fd)
            channel.fd = -1

    def prove(self, channel: BChannel) -> None:
        """Who is told of proofs knows whether the channel without a lease is free: now, or soon."""
        if channel.opening is not None:
            return
        line = channel.line
        backend = line.card.backend
        channel.proving = True
        self._proofs[backend] = self._proofs.get(backend, 0) + 1

        def proved(error: HardwareError | None) -> None:
            channel.proving = False
            self._proofs[backend] -= 1
            if not self._proofs[backend]:
                del self._proofs[backend]
            self._proved(channel, error)

        backend.begin_proof(line.config.port, channel.timeslot, proved)

    def settle(self, lines: Iterable[SpanLine]) -> bool:
        """Nothing is being proved any more on the cards of these spans; whether anything was. Others' are let be."""
        proving = {line.card.backend for line in lines} & self._proofs.keys()
        for backend in proving:
            backend.settle()
        return bool(proving)
