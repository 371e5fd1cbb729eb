# SPDX-License-Identifier: GPL-2.0-or-later
"""RESTART of channels in doubt, one at a time a D-channel: libpri keeps a single record of it."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable

from dahdi_py.core import cause as causes
from dahdi_py.ffi.libpri_events import Restart, RestartAck
from dahdi_py.linehost.calls import Calls
from dahdi_py.linehost.deadlines import Deadlines
from dahdi_py.linehost.line import BChannel, SpanLine

log = logging.getLogger("dahdi_py.linehost.restarts")

T316_S = 30.0
"""How long RESTART ACKNOWLEDGE may take before it is the next channel's turn. Source: Q.931 9.2 (2 minutes at most)."""


class _Queue:
    """One D-channel's channels in doubt; the first is being restarted while `waiting`."""

    __slots__ = ("channels", "line", "slot", "waiting")

    def __init__(self, line: SpanLine) -> None:
        self.line = line
        self.channels: deque[BChannel] = deque()
        self.waiting = False
        self.slot = 0


class Restarts:
    """Sends RESTART for channels that need it until each is acknowledged, and obeys the far end's.

    Attributes:
        on_cleared: Told of each channel whose RESTART was acknowledged.

    Synchronization: the loop's thread.
    """

    def __init__(self, calls: Calls, now: Callable[[], float] = time.monotonic) -> None:
        self._calls = calls
        self._channels = calls.channels
        self._now = now
        self._queues = {line: _Queue(line) for line in calls.channels.lines.values()}
        self.deadlines: Deadlines[_Queue] = Deadlines()
        self.on_cleared: Callable[[BChannel], None] = lambda channel: None
        calls.restart_needed = self.request

    def request(self, channel: BChannel) -> None:
        """The channel is restarted as soon as its D-channel is up and it is its turn; until then nobody gets it."""
        queue = self._queues[channel.line]
        self._channels.restart_needed(channel)
        if channel not in queue.channels:
            queue.channels.append(channel)
        self._next(queue)

    def link_changed(self, line: SpanLine) -> None:
        """The D-channel went up or down: what was under way starts anew."""
        queue = self._queues[line]
        queue.waiting = False
        self.deadlines.set(queue, None)
        self._next(queue)

    def expire(self, now: float) -> None:
        """A RESTART without acknowledgement makes room for the next and is tried again after all others."""
        for queue in self.deadlines.expired(now):
            queue.waiting = False
            log.warning("span %s: RESTART of timeslot %d is not acknowledged", queue.line.name,
                        queue.channels[0].timeslot)  # fmt: skip
            queue.channels.rotate(-1)
            self._next(queue)

    def on_ack(self, event: RestartAck, line: SpanLine) -> None:
        """RESTART ACKNOWLEDGE came; some switches do not say of which channel."""
        queue = self._queues[line]
        if not queue.waiting or event.channel not in (None, queue.channels[0].timeslot):
            return
        queue.waiting = False
        self.deadlines.set(queue, None)
        channel = queue.channels.popleft()
        self.on_cleared(channel)
        self._channels.restarted(channel)
        self._next(queue)

    def on_restart(self, event: Restart, line: SpanLine) -> None:
        """The far end restarted a channel, or all: their calls are over, their leases ended. Source: Q.931 5.5.2."""
        for channel in list(line.bchannels.values()):
            if event.channel not in (None, channel.timeslot):
                continue
            lease = channel.lease
            if lease is None:
                continue
            call = self._calls.by_id.get(lease.call)
            if call is not None:
                self._calls.drop(call, causes.TEMPORARY_FAILURE, "peer", "the far end restarted the channel")
            else:
                self._channels.end(lease, "the far end restarted the channel")

    def _next(self, queue: _Queue) -> None:
        if queue.waiting or not queue.channels or not queue.line.link_up:
            return
        queue.waiting = True
        self._calls.pump.restart(queue.line.dchannel, queue.channels[0].timeslot)
        self._calls.wake()
        self.deadlines.set(queue, self._now() + T316_S)
