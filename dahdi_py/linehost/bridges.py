# SPDX-License-Identifier: GPL-2.0-or-later
"""Channels whose audio is joined: in the card or the kernel where both are, else copied here in C.

A bridge over two hosts has a part in each. One lends its channel: it gives a socket whose octets are the channel's. The
other copies between that and its own channel, and it alone tells of the bridge. Whichever ends first, the socket's end
tells the other.

While it is bridged, a channel's relay rests, and a client that holds the device's own descriptor keeps its hands off.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from dahdi_py.backends.base import Leg, Media
from dahdi_py.core.lease import Lease
from dahdi_py.core.terms import Mode
from dahdi_py.errors import ChannelBusy, HardwareError, LawMismatch, Unsupported
from dahdi_py.ffi.copier import Copier, relay_pair
from dahdi_py.linehost.channels import Channels
from dahdi_py.linehost.line import BChannel
from dahdi_py.linehost.outbox import Outbox
from dahdi_py.linehost.relays import Relays
from dahdi_py.wire.messages.host import BridgeEnded, BridgeJoined
from dahdi_py.wire.refusals import InvalidParameter

log = logging.getLogger("dahdi_py.linehost.bridges")

_LENT_DEPTH = 8
"""Blocks that a lent channel's socket holds each way."""


@dataclass(eq=False, slots=True)
class Bridge:
    """Two channels joined.

    Attributes:
        b: None for another host's, of which `foreign` is a descriptor.
        where: card, kernel, host: what copies.
        pair: The copier's, 0 when it does not copy.
        foreign: The other host's channel, or our end of what it got of ours; -1 within the host.
        lent: The other host copies, and tells of it.
    """

    a: BChannel
    token_a: str
    b: BChannel | None
    token_b: str
    where: str = "host"
    pair: int = 0
    foreign: int = -1
    lent: bool = False


class Bridges:
    """Every bridge of the host, and the relays that rest meanwhile.

    Attributes:
        relays: Channels relayed to their clients.
        on_copier: Told of the copier when it is made, so that its news is listened to.

    Synchronization: the loop's thread.
    """

    def __init__(self, channels: Channels, outbox: Outbox) -> None:
        self._channels = channels
        self._outbox = outbox
        self._copier: Copier | None = None
        self._bridges: dict[BChannel, Bridge] = {}
        self._pairs: dict[int, Bridge] = {}
        self.relays = Relays(self._copying, self._bridges.__contains__)
        self.on_copier: Callable[[Copier], None] = lambda copier: None
        channels.before_close(self._closing)

    def _copying(self) -> Copier:
        if self._copier is None:
            self._copier = Copier()
            self.on_copier(self._copier)
        return self._copier

    def close(self) -> None:
        """Nothing is joined any more."""
        for bridge in set(self._bridges.values()):
            self._end(bridge, "the line host ends")
        self.relays.close()
        if self._copier is not None:
            self._copier.close()

    def other(self, lease: Lease) -> str:
        """The token of the lease whose audio is joined with this one's; empty for none."""
        bridge = self._bridges.get(cast(BChannel, lease.channel))
        if bridge is None:
            return ""
        return bridge.token_b if bridge.token_a == lease.token else bridge.token_a

    # Joining.

    def join(self, lease: Lease, other: Lease) -> str:
        """The audio of both open channels is joined, both ways; where it is copied is returned: card, kernel, host.

        Raises:
            InvalidParameter: They are one channel.
            LawMismatch: Their laws differ: nothing is transcoded.
            ChannelBusy: One is bridged already.
            Unsupported: One carries frames.
            StaleToken: One lease has ended.
        """
        if lease is other:
            raise InvalidParameter("b: a channel cannot be bridged with itself", parameter="b")
        a, media_a = self._ready(lease)
        b, media_b = self._ready(other)
        _require_one_law(media_a.law, media_b.law)
        bridge = Bridge(a, lease.token, b, other.token)
        self._rested(bridge, lambda: self._connect(bridge, b, media_a, media_b))
        return bridge.where

    def join_foreign(self, lease: Lease, token: str, fd: int, law: str, chunk: int) -> None:
        """The open channel's audio is joined with another host's, whose descriptor is ours to close from now on.

        Args:
            token: Of the other host's lease.

        Raises:
            LawMismatch, ChannelBusy, Unsupported, StaleToken: As `join`; the descriptor stays the caller's.
        """
        a, media = self._ready(lease)
        _require_one_law(media.law, law)
        bridge = Bridge(a, lease.token, None, token, foreign=fd)
        self._rested(bridge, lambda: self._copy(bridge, media.chunk, fd, chunk))

    def lend(self, lease: Lease, token: str) -> tuple[int, Media]:
        """Another host may join the channel's audio with its own: a socket for it, yours to send and close.

        When that is closed the channel has its own audio again.

        Args:
            token: Of the other host's lease.

        Raises:
            ChannelBusy, Unsupported, StaleToken: As `join`.
        """
        a, media = self._ready(lease)
        near, far = relay_pair(media.chunk, _LENT_DEPTH)
        bridge = Bridge(a, lease.token, None, token, foreign=near, lent=True)
        try:
            self._rested(bridge, lambda: self._copy(bridge, media.chunk, near, media.chunk))
        except BaseException:
            os.close(near)
            os.close(far)
            raise
        return far, media

    def _ready(self, lease: Lease) -> tuple[BChannel, Media]:
        self._channels.leases.find(lease.token)  # it may have ended while the other was opened
        channel = cast(BChannel, lease.channel)
        if channel in self._bridges:
            raise ChannelBusy(f"the channel of lease {lease.token} is bridged already: part it first", cause=44)
        media = channel.media
        if channel.fd < 0 or media is None:
            raise ChannelBusy(f"the channel of lease {lease.token} is not open", cause=44)
        if media.mode is Mode.HDLC:
            raise Unsupported(f"the channel of lease {lease.token} carries frames, which are not bridged",
                              operation="bridge")  # fmt: skip
        return channel, media

    def _rested(self, bridge: Bridge, connect: Callable[[], None]) -> None:
        """The bridge is made while its channels' relays rest, and kept; when it cannot be made they go on."""
        channels = [channel for channel in (bridge.a, bridge.b) if channel is not None]
        for channel in channels:
            self.relays.rest(channel)
        try:
            connect()
        except BaseException:
            for channel in channels:
                self.relays.resume(channel)
            raise
        for channel in channels:
            self._bridges[channel] = bridge
        if not bridge.lent:
            self._tell("bridge.joined", bridge, BridgeJoined(a=bridge.token_a, b=bridge.token_b, where=bridge.where))

    def _connect(self, bridge: Bridge, b: BChannel, media_a: Media, media_b: Media) -> None:
        card = bridge.a.line.card
        in_kernel = media_a.medium == media_b.medium == "kernel"
        if (card is b.line.card or in_kernel) and "bridge" in card.backend.capabilities():
            try:
                card.backend.join(_leg(bridge.a), _leg(b))
            except HardwareError as error:
                log.info("%s and %s are joined here, not by the driver: %s", bridge.token_a, bridge.token_b, error)
            else:
                bridge.where = "kernel" if in_kernel else "card"
                return
        self._copy(bridge, media_a.chunk, b.fd, media_b.chunk)

    def _copy(self, bridge: Bridge, chunk: int, fd: int, other_chunk: int) -> None:
        bridge.pair = self._copying().join(bridge.a.fd, chunk, fd, other_chunk, live=True)
        self._pairs[bridge.pair] = bridge

    # Parting.

    def part(self, lease: Lease, token: str) -> str:
        """The channel's audio is its owner's again; where it was copied is returned, empty if it was not bridged.

        Raises:
            InvalidParameter: It is bridged with another lease than that one.
        """
        bridge = self._bridges.get(cast(BChannel, lease.channel))
        if bridge is None:
            return ""
        if self.other(lease) != token:
            raise InvalidParameter(f"b: {lease.token} is bridged with {self.other(lease)}, not {token}", parameter="b")
        self._end(bridge)
        return bridge.where

    def on_news(self) -> None:
        """Pairs that ended by themselves are parted: the other host's channel is gone, or a client closed its relay."""
        for pair in self._copying().ended():
            bridge = self._pairs.get(pair)
            if bridge is not None:
                self._end(bridge, "the audio of one of its channels ended")
            else:
                self.relays.ended(pair)

    def _closing(self, channel: BChannel) -> None:
        """Our copy of the channel's descriptor is about to be closed."""
        bridge = self._bridges.get(channel)
        if bridge is not None:
            token = bridge.token_a if channel is bridge.a else bridge.token_b
            self._end(bridge, f"the lease {token} ended or moved", channel)
        self.relays.end(channel)

    def _end(self, bridge: Bridge, reason: str = "", closing: BChannel | None = None) -> None:
        if bridge.pair:
            there, back = self._copying().part(bridge.pair)
            self._pairs.pop(bridge.pair, None)
            log.info("bridge of %s ended: %d octets one way, %d the other, %d blocks dropped",
                     bridge.token_a, there.octets, back.octets, there.dropped + back.dropped)  # fmt: skip
        elif bridge.b is not None:
            try:
                bridge.a.line.card.backend.part(_leg(bridge.a), _leg(bridge.b))
            except HardwareError as error:
                log.info("bridge of %s: %s", bridge.token_a, error)
        if bridge.foreign >= 0:
            os.close(bridge.foreign)
        for channel in (bridge.a, bridge.b):
            if channel is not None:
                del self._bridges[channel]
                if channel is not closing:
                    self.relays.resume(channel)
        if not bridge.lent:
            self._tell("bridge.ended", bridge, BridgeEnded(a=bridge.token_a, b=bridge.token_b, reason=reason))

    def _tell(self, kind: str, bridge: Bridge, data: BridgeJoined | BridgeEnded) -> None:
        at = bridge.a
        self._outbox.put(kind, data, span=at.line.name, timeslot=at.timeslot, token=bridge.token_a)


def _leg(channel: BChannel) -> Leg:
    assert channel.media is not None
    return Leg(channel.line.config.port, channel.timeslot, channel.fd, channel.media)


def _require_one_law(a: str, b: str) -> None:
    if a != b:
        raise LawMismatch(f"one channel is {a}, the other {b}: nothing is transcoded", a=str(a), b=str(b))
