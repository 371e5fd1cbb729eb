# SPDX-License-Identifier: GPL-2.0-or-later
"""The line host: its parts joined, and the turn in which everything happens.

A turn begins with a wake-up (a D-channel readable, a deadline, requests of the daemon's), hands every event of the
pump to whoever it concerns, executes the commands that follow from them in one C call, and ends with one batch of
events to the daemon.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dahdi_py.backends.base import Backend
from dahdi_py.core import cause as causes
from dahdi_py.core.call import CallTimers
from dahdi_py.core.config import Config
from dahdi_py.core.hold_down import LONGEST_ALONE_S, LONGEST_S
from dahdi_py.core.lease import Lease, LeaseTable
from dahdi_py.ffi import libpri_events as ev
from dahdi_py.ffi.libpri import Pump, check_timers
from dahdi_py.linehost.administer import Administration
from dahdi_py.linehost.bridges import Bridges
from dahdi_py.linehost.calls import Calls
from dahdi_py.linehost.card import HostCard
from dahdi_py.linehost.channels import Channels
from dahdi_py.linehost.clock import read_wall_clock, utc
from dahdi_py.linehost.contention import Contention
from dahdi_py.linehost.device_events import DeviceEvents
from dahdi_py.linehost.incoming import Incoming
from dahdi_py.linehost.journal import Journal, JournalledCall
from dahdi_py.linehost.lease_ends import LeaseEnds
from dahdi_py.linehost.line import BChannel, SpanLine
from dahdi_py.linehost.linecall import NO_OWNER
from dahdi_py.linehost.lines import Lines
from dahdi_py.linehost.outbox import Outbox
from dahdi_py.linehost.outgoing import Outgoing
from dahdi_py.linehost.restarts import Restarts
from dahdi_py.linehost.seconds import Seconds
from dahdi_py.wire.loop import turn
from dahdi_py.wire.messages.common import Bearer
from dahdi_py.wire.messages.common import Lease as LeaseRecord
from dahdi_py.wire.messages.host import Ended, Snapshot, SpanState

log = logging.getLogger("dahdi_py.linehost")

STOP_S = 5.0
"""Calls get so long to be cleared when the host stops."""
AFTER_FAILURE_S = 0.25
"""So long the timer rests when something due failed: it may be due still."""


class LineHost:
    """Owns its spans' lines, D-channels, B-channels and calls.

    Args:
        make_backend: A backend for a card by its configured name.
        journal: Of this host; gives the start number.

    Attributes:
        done: Set when the host has nothing more to do.

    Raises:
        ConfigError: A span's timers are none that libpri can live with.

    Synchronization: the loop's thread; blocking backend calls run in one worker.
    """

    def __init__(self, name: str, config: Config, make_backend: Callable[[str], Backend], journal: Journal) -> None:
        spans = config.spans_of(name)
        for span in spans:
            check_timers(span.timers)
        self.name = name
        self.start = journal.start
        self.started_ns = time.time_ns()
        self.done = asyncio.Event()
        self.draining = False
        self.pump = Pump()
        self._journal = journal
        self._loop = asyncio.get_running_loop()
        self._worker = ThreadPoolExecutor(1, f"{name}-device")
        self._device_events = DeviceEvents()
        self.cards = {
            card: HostCard(card, make_backend(card), self._worker)
            for card in dict.fromkeys(span.card for span in spans)
        }
        self.lines = [
            SpanLine(span, self.cards[span.card], LONGEST_ALONE_S if config.is_alone(span.name) else LONGEST_S)
            for span in spans
        ]
        for line in self.lines:
            line.card.lines.append(line)
        self.outbox = Outbox(journal.start, self.wake)
        self.channels = Channels(
            self.lines, LeaseTable(name, journal.start), self.outbox, self._device_events
        )  # fmt: skip
        timers = CallTimers(
            answer_s=config.calls.answer_s, proceed_s=config.calls.proceed_s, claim_by_s=config.calls.claim_by_s,
            unclaimed_cause=config.calls.no_core_cause,
        )  # fmt: skip
        self.calls = Calls(self.channels, self.pump, self.outbox, journal, timers, self.wake)
        self.calls.on_none = self._idle
        contention = Contention(self.calls)
        self.outgoing = Outgoing(self.calls, contention)
        self.incoming = Incoming(self.calls, contention, self._name_call)
        self.incoming.freed = self.outgoing.freed
        self.restarts = Restarts(self.calls)
        self.restarts.on_cleared = self._cleared
        self._in_doubt: dict[BChannel, list[str]] = {}
        self.administration = Administration(self.calls)
        self.channels.on_deadline = self.wake
        self.channels.on_locked = self.administration.tell_far_end
        self.lease_ends = LeaseEnds(self.calls)
        self.bridges = Bridges(self.channels, self.outbox)
        self.bridges.on_copier = lambda copier: self._loop.add_reader(copier.fileno(), self._on_copier)
        self.seconds = Seconds(self.lines, self.outbox)
        self._follow = Lines(self.calls, self.restarts, self.administration, self.seconds, self._on_pump)
        self._timer: asyncio.TimerHandle | None = None
        self._armed = 0.0
        self._not_before = 0.0
        self._woken = False
        self._stopping = False
        self._call_prefix = f"{name}-{journal.start}-{secrets.token_hex(4)}-"
        self._call_count = 0
        self._handlers = self._handle_table()

    def _handle_table(self) -> dict[type[ev.Event], Callable[[Any], None]]:
        incoming, outgoing, calls = self.incoming, self.outgoing, self.calls
        lines, follow = self._follow.by_dchannel, self._follow
        return {
            ev.Ring: lambda event: incoming.on_ring(event, lines[event.dchannel]),
            ev.InfoReceived: incoming.on_digits,
            ev.KeypadDigits: incoming.on_digits,
            ev.SetupAck: outgoing.on_setup_ack,
            ev.Proceeding: outgoing.on_proceeding,
            ev.Progress: outgoing.on_progress,
            ev.Alerting: outgoing.on_alerting,
            ev.Answered: outgoing.on_answered,
            ev.CommandFailed: outgoing.on_failed,
            ev.HangupRequest: calls.on_hangup_request,
            ev.Ended: calls.on_ended,
            ev.Restart: lambda event: self.restarts.on_restart(event, lines[event.dchannel]),
            ev.RestartAck: lambda event: self.restarts.on_ack(event, lines[event.dchannel]),
            ev.Service: lambda event: self.administration.on_service(event, lines[event.dchannel]),
            ev.DChannelUp: lambda event: follow.link(lines[event.dchannel], True),
            ev.DChannelDown: lambda event: follow.link(lines[event.dchannel], False),
            ev.LinkReset: lambda event: follow.link_reset(event, lines[event.dchannel]),
            ev.ConfigError: lambda event: follow.echo(event, lines[event.dchannel]),
            ev.Error: lambda event: follow.complain(event, event.text),
            ev.ClockStep: lambda event: log.warning("the wall clock leapt by %.3f s", event.seconds),
            ev.Gone: lambda event: follow.dchannel_gone(lines[event.dchannel], event.errno),
            ev.DeviceEventPending: lambda event: follow.dchannel_event(lines[event.dchannel]),
        }

    # Life.

    def begin(self) -> None:
        """Cards are brought up and D-channels served; calls that died with the last start are accounted for."""
        self._loop.add_reader(self.pump.fileno(), self._on_pump)
        self._loop.add_reader(self._device_events.fileno(), self._device_events.drain)
        for lost in self._journal.lost:
            self._account_for(lost)
        for card in self.cards.values():
            card.start(self._follow)
        self.seconds.begin(time.monotonic())
        self._arm()

    def _account_for(self, lost: JournalledCall) -> None:
        record = Ended(
            direction="outgoing" if lost.outgoing else "incoming", called=lost.called, calling=lost.calling,
            bearer=Bearer(), span=lost.span, timeslot=lost.timeslot, attempt=1, cause=causes.TEMPORARY_FAILURE,
            location="", cleared_by="host", reason="line host died", started_ns=lost.started_ns, alerting_ns=0,
            answered_ns=lost.answered_ns, ended_ns=self.started_ns, duration_ns=0, messages=[],
            correlation=lost.correlation, owner=NO_OWNER, emergency=lost.emergency,
        )  # fmt: skip
        self.outbox.put("call.ended", record, span=lost.span, timeslot=lost.timeslot, call=lost.call)
        line = self.channels.lines.get(lost.span)
        channel = line.bchannels.get(lost.timeslot) if line else None
        if channel is None or not channel.line.carries_calls:  # no RESTART can clear what the configuration lost
            self._journal.ended(lost.call)
            return
        self._in_doubt.setdefault(channel, []).append(lost.call)
        self.restarts.request(channel)

    def _cleared(self, channel: BChannel) -> None:
        """What died on the channel with an earlier start needs no more care."""
        for call in self._in_doubt.pop(channel, ()):
            self._journal.ended(call)

    def drain(self, on: bool) -> None:
        """New calls are refused, or taken again; `host.drained` says when none is left."""
        if on == self.draining:
            return
        self.draining = self.outgoing.draining = self.incoming.draining = on
        if on:
            self.outbox.put("host.draining")
            self._idle()

    def _idle(self) -> None:
        if self.calls.by_id:
            return
        if self.draining:
            self.outbox.put("host.drained")
        if self._stopping:
            self.seconds.flush()
            self.wake()
            self._loop.call_soon(self.done.set)

    def stop(self, cause: int, reason: str) -> None:
        """Every call is being cleared; `done` is set when all are, or when they had their time."""
        if self._stopping:
            return
        self._stopping = True
        self.drain(True)
        for call in list(self.calls.by_id.values()):
            self.calls.hangup(call, cause, "host", reason)
        self._loop.call_later(STOP_S, self.done.set)
        self._idle()

    def end_when_idle(self) -> None:
        """New calls are refused, and the host ends with the last one."""
        self.drain(True)
        self._stopping = True
        self._idle()

    def stay(self) -> None:
        """The host takes calls again and goes on, if it was to end when idle."""
        self._stopping = False
        self.drain(False)

    async def close(self) -> None:
        """Everything of the host's own is closed."""
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self.pump.fileno())
        self._loop.remove_reader(self._device_events.fileno())
        for lease in self.channels.leases.all():
            self.channels.void(lease)
        for card in self.cards.values():
            await card.close()
        self._worker.shutdown(wait=False, cancel_futures=True)
        for line in self.lines:
            self._follow.close_dchannel(line)
        self.pump.close()
        self.bridges.close()
        self._device_events.close()
        self._journal.close()

    def snapshot(self) -> Snapshot:
        """Everything the host owns, true at the newest event."""
        return Snapshot(
            start=self.start,
            n=self.outbox.n,
            spans=[line.state() for line in self.lines],
            channels=[channel.state() for line in self.lines for channel in line.bchannels.values()],
            leases=[self._lease(lease) for lease in self.channels.leases.all()],
            calls=[call.state() for call in self.calls.by_id.values()],
        )

    def _lease(self, lease: Lease) -> LeaseRecord:
        return LeaseRecord(
            token=lease.token, span=lease.channel.span.name, timeslot=lease.channel.timeslot, owner=lease.owner,
            phase=str(lease.phase), call=lease.call, exclusive=lease.exclusive, orphaned=lease.orphaned,
            expires_ns=utc(int(lease.expires * 1e9)) if lease.expires is not None else 0, detached=lease.detached,
            group=lease.group, bridged=self.bridges.other(lease),
        )  # fmt: skip

    def lift_hold_down(self, span: str) -> SpanState:
        """The span is among the first choices for outgoing calls again.

        Raises:
            NotFound: This host has no such span.
        """
        line = self.channels.hunting.line(span)
        line.hold.lift()
        state = line.state()
        self.outbox.put("span.status", state, span=line.name)
        return state

    def _name_call(self) -> str:
        self._call_count += 1
        return f"{self._call_prefix}{self._call_count}"

    # The turn.

    def wake(self) -> None:
        """The turn that is under way, or a new one, executes what is queued."""
        if self._woken:
            return
        self._woken = True
        if turn.depth:
            turn.gathered.append(self)
        else:
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Queued commands are executed, and what follows from them."""
        self._run(self.pump.flush())

    def _on_pump(self) -> None:
        self._run(self.pump.turn())

    def _on_copier(self) -> None:
        self.bridges.on_news()
        self.outbox.flush()

    def _on_timer(self) -> None:
        self._timer = None
        now = time.monotonic()
        for part in (self.calls, self.channels, self.lease_ends, self.restarts, self.seconds):
            try:
                part.expire(now)
            except Exception:
                log.exception("not all that was due could be done")
                self._not_before = now + AFTER_FAILURE_S
        try:
            self._run(self.pump.turn())
        finally:
            self._arm()

    def _run(self, events: Iterable[ev.Event]) -> None:
        handlers = self._handlers
        read_wall_clock()
        with turn:
            self._woken = True
            try:
                while events:
                    for event in events:
                        handler = handlers.get(type(event))
                        if handler is None:
                            continue
                        try:
                            handler(event)
                        except Exception:
                            log.exception("%r could not be handled", event)
                    events = self.pump.flush()
                self.outbox.flush()
            finally:
                self._woken = False
                self._arm()

    def _arm(self) -> None:
        """The one timer fires no later than the first deadline; firing early costs less than moving it each turn."""
        first = min(
            self.pump.next_deadline() or math.inf, self.calls.deadlines.earliest, self.channels.deadlines.earliest,
            self.restarts.deadlines.earliest, self.lease_ends.deadlines.earliest, self.seconds.due,
        )  # fmt: skip
        first = max(first, self._not_before)
        if first == math.inf or (self._timer is not None and self._armed <= first):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._armed = first
        self._timer = self._loop.call_at(first, self._on_timer)
