# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's spans as they come and go: D-channels attached, alarms and links told, what is lost accounted for."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable

from dahdi_py.core import cause as causes
from dahdi_py.core.terms import Alarms
from dahdi_py.ffi import libpri_events as ev
from dahdi_py.linehost.administer import Administration
from dahdi_py.linehost.calls import Calls
from dahdi_py.linehost.line import SpanLine
from dahdi_py.linehost.restarts import Restarts
from dahdi_py.linehost.seconds import Seconds
from dahdi_py.wire.messages.host import ClockSeen

log = logging.getLogger("dahdi_py.linehost.lines")

COUNTERS_S = 10.0
"""News of counters alone is told this often at most."""
COMPLAINT_S = 60.0
"""What libpri complains about again and again is logged this often, a span."""

# Responses of either side, F=0. Source: Q.921 3.3.2 (C/R), 3.6.8.
_DM_FROM_USER, _DM_FROM_NETWORK = b"\x02\x01\x0f", b"\x00\x01\x0f"


class Lines:
    """Follows the host's spans.

    Args:
        run: Runs a turn of the pump.

    Attributes:
        by_dchannel: The spans by the pump's number of their D-channel.

    Synchronization: the loop's thread.
    """

    def __init__(
        self, calls: Calls, restarts: Restarts, administration: Administration, seconds: Seconds,
        run: Callable[[], None],
    ) -> None:  # fmt: skip
        self._calls = calls
        self._channels = calls.channels
        self._outbox = calls.outbox
        self._pump = calls.pump
        self._restarts = restarts
        self._administration = administration
        self._seconds = seconds
        self._run = run
        self.by_dchannel: dict[int, SpanLine] = {}
        self._counters_told: dict[SpanLine, float] = {}
        self._complained: dict[tuple[int, str], float] = {}

    def line_up(self, line: SpanLine, fd: int) -> None:
        """The span is started: its channels are being proved free; its D-channel's link comes up by itself."""
        self._channels.prove_free(line)
        if fd >= 0:
            self.close_dchannel(line)
            line.dchannel_fd = fd
            if line.dchannel < 0:
                span = line.config
                line.dchannel = self._pump.add_dchannel(span.node, span.switch_type, fd=fd, timers=span.timers)
                self.by_dchannel[line.dchannel] = line
            else:
                self._pump.attach_fd(line.dchannel, fd)
                # What either end believes of the link is from before the line was gone; a message sent in that belief
                # would be lost. An unsolicited DM makes libpri establish it anew. Source: Q.921 5.8.7.
                self._pump.inject(line.dchannel, _DM_FROM_USER if line.network else _DM_FROM_NETWORK)
        self._run()

    def line_lost(self, line: SpanLine, reason: str) -> None:
        """The span is gone: its calls are over, its leases ended, its descriptors closed."""
        self.link(line, False)
        self.close_dchannel(line)
        self.line_status(line, Alarms.ABSENT)
        self._calls.drop_line(line, causes.DESTINATION_OUT_OF_ORDER, reason)
        for channel in line.bchannels.values():
            if channel.lease is not None:
                self._channels.end(channel.lease, reason)
        self._calls.wake()

    def line_status(self, line: SpanLine, alarms: Alarms) -> None:
        """News of alarms is told at once, news of counters now and then."""
        now = time.monotonic()
        self._seconds.saw(line, alarms)
        was = line.sync_name
        if line.saw_source():
            log.info("span %s: timing source is %s", line.name, line.sync_name or "its own oscillator, or not known")
            self._outbox.put("span.clock", ClockSeen(source=line.sync_name, was=was), span=line.name)
        if line.saw_alarms(alarms):
            log.info("span %s: alarms %s", line.name, " ".join(alarms.words()) or "none")
        elif now - self._counters_told.get(line, 0.0) < COUNTERS_S or line.status == line.told:
            return
        self._counters_told[line] = now
        line.told = line.status
        self._outbox.put("span.status", line.state(), span=line.name)

    def line_problem(self, line: SpanLine) -> None:
        """Why the span is not there is told."""
        self._outbox.put("span.status", line.state(), span=line.name)

    def link(self, line: SpanLine, up: bool) -> None:
        """The D-channel's link is up or down."""
        if line.saw_link(up):
            log.info("span %s: D-channel %s", line.name, "up" if up else "down")
            self._outbox.put("dchannel.up" if up else "dchannel.down", span=line.name)
            self._restarts.link_changed(line)
            if up:
                self._administration.link_up(line)
                if line.hold.until:
                    self._outbox.put("span.status", line.state(), span=line.name)

    def link_reset(self, event: ev.LinkReset, line: SpanLine) -> None:
        """The far end re-established the link: what was on its way may be lost, and is sent again."""
        self.complain(event, "the far end re-established the link")
        self._restarts.link_changed(line)
        self._administration.link_up(line)

    def echo(self, event: ev.ConfigError, line: SpanLine) -> None:
        """The D-channel hears itself, or an end that takes itself for the same side; told once, while the link is down.

        On a loop the link polls itself and is content. Where a message of ours came back it is established anew, which
        takes a far end.
        """
        self.complain(event, event.text)
        if event.echo and line.link_up:
            self._pump.inject(line.dchannel, _DM_FROM_USER if line.network else _DM_FROM_NETWORK)
        elif line.saw_echo():
            self._outbox.put("span.status", line.state(), span=line.name)

    def close_dchannel(self, line: SpanLine) -> None:
        """The pump reads the D-channel no more, and our descriptor of it is closed."""
        if line.dchannel_fd >= 0:
            if line.dchannel >= 0:
                self._pump.detach_fd(line.dchannel)
            os.close(line.dchannel_fd)
            line.dchannel_fd = -1

    def dchannel_gone(self, line: SpanLine, errno: int) -> None:
        """The D-channel's descriptor is no more; the span is brought up anew."""
        self.close_dchannel(line)
        line.card.lost(line, f"its D-channel is gone: {os.strerror(errno) if errno else 'end of file'}")

    def dchannel_event(self, line: SpanLine) -> None:
        """The D-channel's device events are read, and frames flow again."""
        if line.dchannel_fd >= 0:
            line.card.backend.drain_channel(line.dchannel_fd)
            line.card.read_status(line)
        if line.dchannel_fd >= 0:
            self._pump.kick(line.dchannel)

    def complain(self, event: ev.Event, text: str) -> None:
        """The log has it, once in a while."""
        now = time.monotonic()
        line = self.by_dchannel.get(event.dchannel)
        key = (event.dchannel, text[:40])
        if now - self._complained.get(key, -COMPLAINT_S) >= COMPLAINT_S:
            if len(self._complained) > 1000:
                self._complained.clear()
            self._complained[key] = now
            log.warning("span %s: %s", line.name if line else "?", text)
