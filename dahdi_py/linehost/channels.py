# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's B-channels: hunted, leased, opened, and proved free before anybody gets them again.

A lease that ends has its descriptor closed on our side and the channel opened anew at once: that succeeds only when no
other process holds it any more. Until then it is ``releasing``; after two seconds it is quarantined and whoever has
not let go is named. A span that comes up has all its channels proved so: a lessee of an earlier start may hold them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

from dahdi_py.backends.base import Media, Missed
from dahdi_py.core.lease import Lease, LeaseTable
from dahdi_py.core.terms import Disabled, Phase
from dahdi_py.errors import ChannelBusy, DahdiPyError, DeviceBusy, HardwareError, NoChannel, NotFound
from dahdi_py.linehost.deadlines import Deadlines
from dahdi_py.linehost.device_events import DeviceEvents
from dahdi_py.linehost.hunting import Hunting
from dahdi_py.linehost.line import BChannel, SpanLine
from dahdi_py.linehost.outbox import Outbox
from dahdi_py.linehost.timeslots import OnOpen, Timeslots
from dahdi_py.wire.messages.host import LeaseEnded, Moved

log = logging.getLogger("dahdi_py.linehost.channels")

PATIENCE_S = 2.0
"""So long a lessee may still be closing its descriptor before it is complained about."""
RETRY_S = 1.0
_FIRST_RETRY_S = 0.01
_FROM_BEFORE = "a process that had it open when its span came up"


class _Opening:
    """A channel on its way to being leased and open; one that another process holds is passed over.

    An object, not closures that name each other: what a request leaves behind is freed at once, and not by collections
    of garbage in the middle of others.

    Synchronization: the loop's thread.
    """

    __slots__ = ("_channels", "_choose", "_done", "_exclusive", "_media", "_owner", "_tried")

    def __init__(
        self, channels: Channels, choose: Callable[[], BChannel], owner: Any, exclusive: bool,
        media: Callable[[SpanLine], Media], done: Callable[[Lease | None, DahdiPyError | None], None],
    ) -> None:  # fmt: skip
        self._channels = channels
        self._choose = choose
        self._owner = owner
        self._exclusive = exclusive
        self._media = media
        self._done = done
        self._tried: set[BChannel] = set()

    def attempt(self) -> None:
        try:
            channel = self._choose()
            if channel in self._tried:
                raise ChannelBusy(f"timeslot {channel.timeslot} of span {channel.line.name} is held open", cause=44)
            self._tried.add(channel)
            wanted = self._media(channel.line)  # what cannot be is refused before anything is leased
            lease = self._channels.reserve(channel, self._owner, exclusive=self._exclusive)
            self._channels.open(lease, partial(self._opened, lease), wanted)
        except DahdiPyError as error:
            self._done(None, error)

    def _opened(self, lease: Lease, error: DahdiPyError | None) -> None:
        if error is None:
            self._done(lease, None)
            return
        if self._channels.leases.holds(lease):
            self._channels.end(lease)
        if isinstance(error, DeviceBusy):
            self.attempt()
        else:
            self._done(None, error)


class Channels:
    """Every B-channel of the host, and the leases on them.

    Args:
        now: The monotonic clock, s.

    Attributes:
        on_free: Told of each channel that no longer waits for anybody: free, or quarantined.
        on_end: Told of each lease that is no more, or whose token is stale.
        on_locked: Told of each channel that was shutting down and is empty now.
        on_deadline: Told that there may be an earlier deadline than before.

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
        self.on_end: Callable[[Lease], None] = lambda lease: None
        self.on_locked: Callable[[BChannel], None] = lambda channel: None
        self.on_deadline: Callable[[], None] = lambda: None
        self._outbox = outbox
        self._now = now
        self.hunting = Hunting(self.lines, now)
        self._timeslots = Timeslots(leases, device_events, self._proved)

    def before_close(self, told: Callable[[BChannel], None]) -> None:
        """So each channel is announced whose descriptor is about to be closed on our side."""
        self._timeslots.on_close = told

    def channel(self, span: str, timeslot: int) -> BChannel:
        """The B-channel in that timeslot.

        Raises:
            NotFound: There is no such span, or no B-channel in that timeslot.
        """
        channel = self.hunting.line(span).bchannels.get(timeslot)
        if channel is None:
            message = f"span {span} has no B-channel in timeslot {timeslot}"
            raise NotFound(message, kind="channel", name=f"{span}:{timeslot}")
        return channel

    def prove_free(self, line: SpanLine) -> None:
        """No channel of the span is given out before it is proved that nobody holds it, whoever had it before.

        Leases die with their host, the descriptors handed out under them do not.
        """
        for channel in line.bchannels.values():
            if channel.lease is None and channel.pending is not Phase.RELEASING:
                channel.vacate(Phase.RELEASING)
                self._ask_whether_free(channel, _FROM_BEFORE)

    def open(self, lease: Lease, done: OnOpen, media: Media | None = None) -> None:
        """The leased channel has our copy of its descriptor, and `done` knows, or why it has none: now or later.

        The copy stays ours: send it, do not close it.
        """
        self._timeslots.open(lease, done, media)

    def hunt(
        self, spans: Sequence[str], order: str = "", *, calls: bool = False, tried: frozenset[BChannel] = frozenset(),
        masks: Sequence[int] = (), spare: int = 0, emergency: bool = False, own: BChannel | None = None,
    ) -> BChannel:  # fmt: skip
        """The next free channel of the spans, as `Hunting.hunt`; those being proved are waited for before none is.

        Raises:
            NoChannel: All are busy, or the rest is reserved.
            OutOfService: No span takes anything now.
        """
        hunt = partial(
            self.hunting.hunt, spans, order, calls=calls, tried=tried, masks=masks, spare=spare, emergency=emergency,
            own=own,
        )  # fmt: skip
        try:
            return hunt()
        except NoChannel:
            if not self._timeslots.settle(map(self.hunting.line, spans)):
                raise
        return hunt()

    def settle(self, channel: BChannel) -> None:
        """The channel is not on its way to being free: it is, or somebody holds it still."""
        if channel.proving:
            self._timeslots.settle([channel.line])

    def reserve(
        self, channel: BChannel, owner: Any, *, exclusive: bool = False, call: str = "", emergency: bool = False
    ) -> Lease:
        """The channel is leased.

        Raises:
            ChannelBusy: It is leased, or not proved free.
            OutOfService: It is disabled or locked.
        """
        self.settle(channel)
        return self.leases.reserve(channel, owner, exclusive=exclusive, call=call, emergency=emergency)

    def reserve_open(
        self, choose: Callable[[], BChannel], owner: Any, exclusive: bool, media: Callable[[SpanLine], Media],
        done: Callable[[Lease | None, DahdiPyError | None], None],
    ) -> None:  # fmt: skip
        """A channel that `choose` gives is leased and open, and `done` knows it: now or when the card has answered.

        One that another process holds is passed over.
        """
        _Opening(self, choose, owner, exclusive, media, done).attempt()

    def move(self, lease: Lease, channel: BChannel, *, emergency: bool = False) -> None:
        """The lease is on that channel; whoever holds it is told.

        Raises:
            ChannelBusy: That channel is not free.
            OutOfService: That channel is disabled or locked.
        """
        opened = lease.opened
        self._moved(lease, cast(BChannel, self.leases.move(lease, channel, emergency=emergency)), opened)

    def park(self, lease: Lease) -> None:
        """The lease is on no channel, timeslot 0, until it is moved to one; whoever holds it is told."""
        opened = lease.opened
        channel = cast(BChannel, lease.channel)
        self._moved(lease, cast(BChannel, self.leases.park(lease, channel.line.nowhere())), opened)

    def _moved(self, lease: Lease, left: BChannel, opened: bool) -> None:
        channel = cast(BChannel, lease.channel)
        self._timeslots.close(left)
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
        lease.missed = self.missed(lease) if lease.call else None
        self.leases.void(lease)
        self.on_end(lease)
        self._timeslots.close(cast(BChannel, lease.channel))

    def end(self, lease: Lease, reason: str = "") -> None:
        """The lease is no more; with a reason its owner is told."""
        channel = cast(BChannel, self.leases.end(lease))
        self.on_end(lease)
        self._timeslots.close(channel)
        if reason:
            self._outbox.put(
                "lease.ended", LeaseEnded(reason=reason), span=channel.line.name, timeslot=channel.timeslot,
                token=lease.token,
            )  # fmt: skip
        self._left(channel, lease, lease.opened)

    def missed(self, lease: Lease) -> Missed:
        """What the lessee's descriptor missed since it was opened; nothing is known of one that is not open."""
        channel = cast(BChannel, lease.channel)
        if channel.fd < 0:
            return lease.missed or Missed()
        line = channel.line
        try:
            return line.card.backend.missed(line.config.port, channel.timeslot)
        except HardwareError as error:
            log.info("timeslot %d of span %s: %s", channel.timeslot, line.name, error)
            return Missed()

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
            self._emptied(channel)

    def expire(self, now: float) -> None:
        """Channels that were not free are tried again."""
        for channel in self.deadlines.expired(now):
            self._timeslots.prove(channel)

    def _left(self, channel: BChannel, lease: Lease, opened: bool) -> None:
        """A channel without its lease: proved, restarted, or simply free."""
        if opened:
            self._ask_whether_free(channel, channel.lessee or _describe(lease.owner))
        elif channel.must_restart:
            channel.vacate(Phase.RESTARTING)
            self.tell(channel)
        else:
            self._emptied(channel)

    def _ask_whether_free(self, channel: BChannel, lessee: str) -> None:
        channel.released = self._now()
        channel.complained = False
        channel.lessee = lessee
        self._timeslots.prove(channel)

    def _emptied(self, channel: BChannel) -> None:
        """A channel that carries nothing any more; one that was shutting down is locked by that."""
        if channel.drained:
            self.tell(channel)
            self.on_locked(channel)
        self.on_free(channel)

    def _proved(self, channel: BChannel, error: HardwareError | None) -> None:
        if channel.lease is not None:  # a proof frees nothing that somebody has
            return
        busy = isinstance(error, DeviceBusy)
        if error is not None and not busy and not channel.held:
            log.info("timeslot %d of span %s: %s", channel.timeslot, channel.line.name, error)
        # No answer is no proof. But a span that is gone takes what was open along, and is proved when it comes back.
        if busy or (error is not None and channel.line.ready):
            self._not_proved(channel)
            return
        was_held, channel.held = channel.held, False
        channel.lessee = ""
        channel.complained = False
        channel.blocked = Disabled.REMOTE_OOS if channel.remote_oos else None
        channel.vacate(Phase.RESTARTING if channel.must_restart else None)
        if was_held or channel.must_restart:
            self.tell(channel)
        if not channel.must_restart:
            self._emptied(channel)

    def _not_proved(self, channel: BChannel) -> None:
        now = self._now()
        waited = now - channel.released
        if waited < PATIENCE_S:
            retry = min(now + max(_FIRST_RETRY_S, waited / 2), channel.released + PATIENCE_S)
            if not channel.held:
                channel.held = True
                self.tell(channel)
        else:
            retry = now + RETRY_S
            if not channel.complained:
                self._quarantine(channel)
        self.deadlines.set(channel, retry)
        self.on_deadline()

    def _quarantine(self, channel: BChannel) -> None:
        channel.held = channel.complained = True
        channel.block(Disabled.QUARANTINE)
        log.warning(
            "span %s timeslot %d is quarantined: it is not proved free of its last lessee: %s",
            channel.line.name, channel.timeslot, channel.lessee,
        )  # fmt: skip
        self.tell(channel)
        self.on_free(channel)


def _describe(owner: Any) -> str:
    return f"pid {owner.pid} uid {owner.uid} {owner.label!r}"
