# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's B-channels: hunted, leased, opened, and proved free before anybody gets them again.

A lease that ends has its descriptor closed on our side and the channel opened anew at once: that succeeds only when no
other process holds it any more. Until then it is ``releasing``; after two seconds it is quarantined and whoever has
not let go is named.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

from dahdi_py.backends.base import Media
from dahdi_py.core.lease import Lease, LeaseTable, require_free
from dahdi_py.core.terms import Disabled, HuntOrder, Phase
from dahdi_py.core.trunkgroup import TrunkGroup
from dahdi_py.errors import ChannelBusy, DeviceBusy, HardwareError, NoChannel, NotFound, OutOfService
from dahdi_py.linehost.deadlines import Deadlines
from dahdi_py.linehost.device_events import DeviceEvents
from dahdi_py.linehost.line import BChannel, SpanLine
from dahdi_py.linehost.outbox import Outbox
from dahdi_py.wire.messages.host import LeaseEnded, Moved

log = logging.getLogger("dahdi_py.linehost.channels")

PATIENCE_S = 2.0
"""So long a lessee may still be closing its descriptor before it is complained about."""
RETRY_S = 1.0
_FIRST_RETRY_S = 0.01


class Channels:
    """Every B-channel of the host, and the leases on them.

    Args:
        now: The monotonic clock, s.

    Attributes:
        on_free: Told of each channel that no longer waits for anybody: free, or quarantined.

    Synchronization: the loop's thread.
    """

    def __init__(
        self, lines: Sequence[SpanLine], leases: LeaseTable, outbox: Outbox, device_events: DeviceEvents,
        now: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.lines = {line.name: line for line in lines}
        self.leases = leases
        self.deadlines: Deadlines[BChannel] = Deadlines()
        self.on_free: Callable[[BChannel], None] = lambda channel: None
        self._outbox = outbox
        self._device_events = device_events
        self._now = now
        self._groups: dict[tuple[tuple[str, ...], str], tuple[list[SpanLine], TrunkGroup]] = {}

    def line(self, name: str) -> SpanLine:
        """The span of that configured name.

        Raises:
            NotFound: This host has no such span.
        """
        line = self.lines.get(name)
        if line is None:
            raise NotFound(f"this host has no span {name!r}", kind="span", name=name)
        return line

    def channel(self, span: str, timeslot: int) -> BChannel:
        """The B-channel in that timeslot.

        Raises:
            NotFound: There is no such span, or no B-channel in that timeslot.
        """
        channel = self.line(span).bchannels.get(timeslot)
        if channel is None:
            message = f"span {span} has no B-channel in timeslot {timeslot}"
            raise NotFound(message, kind="channel", name=f"{span}:{timeslot}")
        return channel

    def hunt(
        self, spans: Sequence[str], order: str = "", *, calls: bool = False, tried: frozenset[BChannel] = frozenset()
    ) -> BChannel:
        """The next free channel of the spans.

        Args:
            order: A hunt order; empty for the first span's side.
            calls: Only spans with a D-channel will do.
            tried: Not these.

        Raises:
            NoChannel: All are busy.
            OutOfService: No span takes anything now.
        """
        lines, group = self._group(spans, order)
        free = [0 if calls and not line.carries_calls else line.channels.usable for line in lines]
        for channel in tried:
            if channel.line in lines:
                free[lines.index(channel.line)] &= ~(1 << channel.timeslot)
        found = group.hunt(free)
        if found is None:
            raise _none_free(lines, calls)
        return lines[found[0]].bchannels[found[1]]

    def _group(self, spans: Sequence[str], order: str) -> tuple[list[SpanLine], TrunkGroup]:
        key = (tuple(spans), order)
        known = self._groups.get(key)
        if known is None:
            lines = [self.line(name) for name in spans]
            if not lines:
                raise NotFound("no span was named", kind="span", name="")
            group = TrunkGroup(len(lines), HuntOrder(order) if order else lines[0].order)
            known = self._groups[key] = lines, group
        return known

    def open(self, lease: Lease, media: Media | None = None) -> tuple[int, Media]:
        """Our copy of the leased channel's descriptor, and what it is. It stays ours: send it, do not close it.

        Raises:
            DeviceBusy: Another process holds the timeslot; the channel is quarantined.
            DeviceGone: The card or span is not there.
        """
        channel = cast(BChannel, lease.channel)
        if channel.fd < 0:
            line = channel.line
            backend = line.card.backend
            wanted = media or line.default_media()
            try:
                channel.fd, channel.media = backend.open_timeslot(line.config.port, channel.timeslot, wanted)
            except DeviceBusy:
                channel.lessee = "a process that is no lessee of ours"
                lease.opened = True
                raise
            lease.opened = True
            if channel.media.medium == "kernel":
                self._device_events.watch(channel.fd, backend)
        assert channel.media is not None
        return channel.fd, channel.media

    def reserve(self, channel: BChannel, owner: Any, *, exclusive: bool = False, call: str = "") -> Lease:
        """The channel is leased.

        Raises:
            ChannelBusy: It is leased, or not proved free.
            OutOfService: It is disabled or locked.
        """
        return self.leases.reserve(channel, owner, exclusive=exclusive, call=call)

    def reserve_open(
        self, choose: Callable[[], BChannel], owner: Any, exclusive: bool, media: Callable[[SpanLine], Media]
    ) -> tuple[Lease, int, Media]:
        """A channel that `choose` gives is leased and open; one that another process holds is passed over.

        Raises:
            NoChannel: All are busy.
            ChannelBusy: The one chosen is.
        """
        first: BChannel | None = None
        while True:
            channel = choose()
            if channel is first:
                raise ChannelBusy(f"timeslot {channel.timeslot} of span {channel.line.name} is held open", cause=44)
            first = first or channel
            lease = self.reserve(channel, owner, exclusive=exclusive)
            try:
                return lease, *self.open(lease, media(channel.line))
            except DeviceBusy:
                self.end(lease)
            except HardwareError:
                self.end(lease)
                raise

    def move(self, lease: Lease, channel: BChannel) -> None:
        """The lease is on that channel; whoever holds it is told.

        Raises:
            ChannelBusy: That channel is not free.
            OutOfService: That channel is disabled or locked.
        """
        opened = lease.opened
        require_free(channel)
        left = cast(BChannel, self.leases.move(lease, channel))
        self._close(left)
        kind = "call.moved" if lease.call else "lease.moved"
        data = Moved(
            span=channel.line.name, timeslot=channel.timeslot, from_span=left.line.name, from_timeslot=left.timeslot
        )
        self._outbox.put(
            kind, data, span=channel.line.name, timeslot=channel.timeslot, call=lease.call, token=lease.token
        )
        self._left(left, lease, opened)

    def void(self, lease: Lease) -> None:
        """The token is stale and our descriptor closed; the channel stays busy while its call is cleared."""
        self.leases.void(lease)
        self._close(cast(BChannel, lease.channel))

    def end(self, lease: Lease, reason: str = "") -> None:
        """The lease is no more; with a reason its owner is told."""
        channel = cast(BChannel, self.leases.end(lease))
        self._close(channel)
        if reason:
            self._outbox.put(
                "lease.ended", LeaseEnded(reason=reason), span=channel.line.name, timeslot=channel.timeslot,
                token=lease.token,
            )  # fmt: skip
        self._left(channel, lease, lease.opened)

    def tell(self, channel: BChannel) -> None:
        """Whoever follows knows the channel's state."""
        self._outbox.put("channel.state", channel.state(), span=channel.line.name, timeslot=channel.timeslot)

    def restart_needed(self, channel: BChannel) -> None:
        """The channel takes nothing until RESTART is acknowledged."""
        channel.must_restart = True
        if channel.lease is None and channel.pending is None:
            channel.vacate(Phase.RESTARTING)
            self.tell(channel)

    def restarted(self, channel: BChannel) -> None:
        """RESTART was acknowledged."""
        channel.must_restart = False
        if channel.pending is Phase.RESTARTING:
            channel.vacate()
            self.tell(channel)
            self.on_free(channel)

    def expire(self, now: float) -> None:
        """Channels that were not free are tried again."""
        for channel in self.deadlines.expired(now):
            self._prove(channel)

    def _close(self, channel: BChannel) -> None:
        if channel.fd >= 0:
            if channel.media is not None and channel.media.medium == "kernel":
                self._device_events.forget(channel.fd)
            os.close(channel.fd)
            channel.fd = -1

    def _left(self, channel: BChannel, lease: Lease, opened: bool) -> None:
        """A channel without its lease: proved, restarted, or simply free."""
        if opened:
            channel.released = self._now()
            channel.complained = False
            channel.lessee = channel.lessee or _describe(lease.owner)
            self._prove(channel)
        elif channel.must_restart:
            channel.vacate(Phase.RESTARTING)
            self.tell(channel)
        else:
            self.on_free(channel)

    def _prove(self, channel: BChannel) -> None:
        line = channel.line
        backend = line.card.backend
        try:
            backend.prove_free(line.config.port, channel.timeslot)
        except DeviceBusy:
            self._still_held(channel)
            return
        except HardwareError as error:  # gone: nobody can hold what is not there
            log.info("timeslot %d of span %s: %s", channel.timeslot, line.name, error)
        was_held, channel.held = channel.held, False
        channel.lessee = ""
        channel.complained = False
        channel.blocked = None
        channel.vacate(Phase.RESTARTING if channel.must_restart else None)
        if was_held or channel.must_restart:
            self.tell(channel)
        if not channel.must_restart:
            self.on_free(channel)

    def _still_held(self, channel: BChannel) -> None:
        now = self._now()
        waited = now - channel.released
        if waited < PATIENCE_S:
            if not channel.held:
                channel.held = True
                self.tell(channel)
            self.deadlines.set(channel, min(now + max(_FIRST_RETRY_S, waited / 2), channel.released + PATIENCE_S))
            return
        if not channel.complained:
            channel.complained = True
            channel.block(Disabled.QUARANTINE)
            log.warning(
                "span %s timeslot %d is quarantined: its last lessee still holds it open: %s",
                channel.line.name, channel.timeslot, channel.lessee,
            )  # fmt: skip
            self.tell(channel)
            self.on_free(channel)
        self.deadlines.set(channel, now + RETRY_S)


def _describe(owner: Any) -> str:
    return f"pid {owner.pid} uid {owner.uid} {owner.label!r}"


def _none_free(lines: Sequence[SpanLine], calls: bool) -> NoChannel | OutOfService:
    names = ", ".join(line.name for line in lines)
    reasons = {line.channels.service for line in lines if line.carries_calls or not calls}
    if not reasons:
        return OutOfService(f"{names}: no D-channel, so no calls", reason="no_dchannel", cause=27)
    if None not in reasons:
        words = ", ".join(sorted(str(reason) for reason in reasons))
        return OutOfService(f"{names}: {words}", reason=words, cause=27)
    return NoChannel(f"{names}: every channel is busy", cause=34)
