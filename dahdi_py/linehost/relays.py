# SPDX-License-Identifier: GPL-2.0-or-later
"""Channels relayed to clients that may not hold the device's own descriptor: a socket whose octets are the channel's.

While a channel is bridged its relay rests: the client hears nothing, and what it writes is thrown away in the end.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

from dahdi_py.backends.base import Media
from dahdi_py.core.lease import Lease
from dahdi_py.core.terms import Mode
from dahdi_py.errors import HardwareError
from dahdi_py.ffi.copier import Copier, relay_pair
from dahdi_py.linehost.line import BChannel

log = logging.getLogger("dahdi_py.linehost.relays")


@dataclass(eq=False, slots=True)
class _Relay:
    """Our end of a relayed channel's socket; `pair` 0 while it rests."""

    near: int
    pair: int = 0


class Relays:
    """Every relayed channel of the host.

    Args:
        copier: Gives what copies.
        bridged: Whether a channel's audio is joined with another's, so that its relay has to rest.

    Synchronization: the loop's thread.
    """

    def __init__(self, copier: Callable[[], Copier], bridged: Callable[[BChannel], bool]) -> None:
        self._copier = copier
        self._bridged = bridged
        self._relays: dict[BChannel, _Relay] = {}
        self._pairs: dict[int, BChannel] = {}

    def close(self) -> None:
        """No channel is relayed any more."""
        for channel in list(self._relays):
            self.end(channel)

    def open(self, lease: Lease, media: Media) -> tuple[int, Media]:
        """The client's end of a socket whose octets are the open channel's, yours to send and close, and what it is.

        An earlier one of this channel ends.

        Raises:
            HardwareError: No descriptor is left.
        """
        channel = cast(BChannel, lease.channel)
        real = channel.media
        assert real is not None
        near, far = relay_pair(real.chunk, media.depth)
        self.end(channel)
        self._relays[channel] = _Relay(near)
        try:
            if not self._bridged(channel):
                self._begin(channel)
        except BaseException:
            os.close(far)
            self.end(channel)
            raise
        return far, replace(real, depth=media.depth, medium="socket")

    def rest(self, channel: BChannel) -> None:
        """Nothing is copied between the channel and its client."""
        relay = self._relays.get(channel)
        if relay is not None and relay.pair:
            self._copier().part(relay.pair)
            self._pairs.pop(relay.pair, None)
            relay.pair = 0

    def resume(self, channel: BChannel) -> None:
        """The channel's client, if it has a relayed descriptor, hears and is heard again, from now on."""
        try:
            self._begin(channel)
        except HardwareError as error:  # what it holds reads as ended: it asks for another
            log.error("span %s timeslot %d is relayed no more: %s", channel.line.name, channel.timeslot, error)
            self.end(channel)

    def end(self, channel: BChannel) -> None:
        """The client's descriptor reads as ended, if it has one."""
        self.rest(channel)
        relay = self._relays.pop(channel, None)
        if relay is not None:
            os.close(relay.near)

    def ended(self, pair: int) -> None:
        """That pair's client closed its end, if it is a relay's."""
        channel = self._pairs.get(pair)
        if channel is not None:
            self.end(channel)

    def _begin(self, channel: BChannel) -> None:
        relay = self._relays.get(channel)
        if relay is None or relay.pair or channel.fd < 0 or channel.media is None:
            return
        chunk = 0 if channel.media.mode is Mode.HDLC else channel.media.chunk
        relay.pair = self._copier().join(channel.fd, chunk, relay.near, chunk)
        self._pairs[relay.pair] = channel
