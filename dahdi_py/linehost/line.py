# SPDX-License-Identifier: GPL-2.0-or-later
"""A span as its host runs it: configuration, card, D-channel, alarms, B-channels."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING

from dahdi_py.backends.base import Counters, LineConfig, Media, SpanInfo, SpanStatus
from dahdi_py.core import config
from dahdi_py.core.channel import Channel, SpanChannels
from dahdi_py.core.hold_down import LONGEST_S, HoldDown
from dahdi_py.core.terms import Alarms, Disabled, Mode, Node, Phase, Timeslot
from dahdi_py.core.trunkgroup import default_order
from dahdi_py.errors import DahdiPyError
from dahdi_py.ffi.libpri import SERVICE_SWITCHES
from dahdi_py.linehost.clock import utc
from dahdi_py.wire.messages.host import ChannelState, SpanState

if TYPE_CHECKING:
    from dahdi_py.linehost.card import HostCard
    from dahdi_py.linehost.linecall import LineCall


_COUNTERS = tuple(field.name for field in fields(Counters))


class BChannel(Channel):
    """A B-channel and the host's one copy of its descriptor.

    Attributes:
        fd: Our copy while a lease has it open, else -1.
        media: What the open descriptor is.
        opening: Who waits for it to be opened; None while nobody does.
        proving: It is being proved free.
        released: When its last lease ended (s, monotonic), while that is not proved.
        held: It could not be proved free at once, and whoever follows knows that it is ``releasing``.
        complained: For so long that he was named for it.
        lessee: Who that was.
        remote_oos: The far end took it out of service.
        must_restart: RESTART has to be acknowledged before it is used again.
        said_locked: The far end was told so once, and may believe it still.
        who, why, since_ns: By whom it was locked or drained, for what reason, and when (UTC); empty when unlocked.
        waiting: A call that can have only this channel, as soon as it is proved free.

    Synchronization: one thread.
    """

    __slots__ = (
        "complained", "fd", "held", "lessee", "line", "media", "must_restart", "opening", "proving", "released",
        "remote_oos", "said_locked", "since_ns", "slot", "waiting", "who", "why",
    )  # fmt: skip

    def __init__(self, line: SpanLine, timeslot: Timeslot, span: SpanChannels | None = None) -> None:
        super().__init__(span or line.channels, timeslot)
        self.line = line
        self.fd = -1
        self.media: Media | None = None
        self.opening: list[Callable[[DahdiPyError | None], None]] | None = None
        self.proving = False
        self.slot = 0
        self.released = 0.0
        self.held = False
        self.complained = False
        self.lessee = ""
        self.must_restart = False
        self.remote_oos = False
        self.said_locked = False
        self.waiting: LineCall | None = None
        self.who = self.why = ""
        self.since_ns = 0

    def state(self) -> ChannelState:
        """The channel in X.731 words; one that is only just being proved free is idle to who follows."""
        lease = self.lease
        phase = None if self.pending is Phase.RELEASING and not self.held else self.phase
        return ChannelState(
            span=self.span.name, timeslot=self.timeslot, administrative=str(self.administrative),
            disabled=str(self.disabled or ""), phase=str(phase or ""), token=lease.token if lease else "",
            call=lease.call if lease else "", lessee=self.lessee if self.complained else "", who=self.who,
            why=self.why, since_ns=self.since_ns,
        )  # fmt: skip


class SpanLine:
    """One configured span of this host.

    Args:
        longest_s: It is held down so long at most.

    Attributes:
        dchannel: The pump's number of its D-channel; -1 while it has none.
        dchannel_fd: The descriptor the pump reads; -1 while there is none.
        ready: The card has the span configured and started.
        echo: Since the link went down its D-channel heard what only its own side says.
        problem: Why it cannot be brought up; empty when it can.
        hold: It came back into service only just now: outgoing calls prefer others until then.
        status: As last read; `told` as the daemon last heard it.
        sync_name: The span of the card that is its timing source; empty for none, or one that is not known.

    Synchronization: one thread.
    """

    def __init__(self, span: config.Span, card: HostCard, longest_s: float = LONGEST_S) -> None:
        self.config = span
        self.name = span.name
        self.card = card
        self.network = span.node is Node.NETWORK
        self.order = default_order(span.node)
        self.channels = SpanChannels(span.name)
        self.bchannels = {int(t): BChannel(self, t) for t in span.bchannels}
        self.dchannel = -1
        self.dchannel_fd = -1
        self.ready = False
        self.link_up = False
        self.echo = False
        self.problem = ""
        self.alarms = Alarms.ABSENT
        self.info: SpanInfo | None = None
        self.status: SpanStatus | None = None
        self.told: SpanStatus | None = None
        self.since_ns = self.dchannel_since_ns = time.time_ns()
        self.sync_name = ""
        self.sync_since_ns = time.time_ns()
        self.hold = HoldDown(span.hold_down_s, longest_s)
        self._was_up = False
        self._media = Media(law=span.used_law, mode=Mode.VOICE)
        self._settle()

    @property
    def says_service(self) -> bool:
        """Whether the far end is told by SERVICE what is locked. Source: AT&T TR 41459, NI-2 SR-4994."""
        return self.carries_calls and self.config.switch_type in SERVICE_SWITCHES

    @property
    def carries_calls(self) -> bool:
        """Whether it has a D-channel at all."""
        return bool(self.config.dchannel_timeslot)

    def nowhere(self) -> BChannel:
        """Stands for no channel of the span yet: timeslot 0."""
        return BChannel(self, Timeslot(0), SpanChannels(self.name))

    def line_config(self) -> LineConfig:
        """What its line should be."""
        span = self.config
        return LineConfig(
            type=span.type, framing=span.framing, coding=span.coding, crc4=span.crc4, timing=span.timing,
            build_out=span.build_out, law=span.used_law, bchannels=span.bchannels,
            dchannel=span.dchannel_timeslot or None,
        )  # fmt: skip

    def default_media(self) -> Media:
        """A B-channel's descriptor when nobody asked for anything else."""
        return self._media

    def saw_alarms(self, alarms: Alarms) -> bool:
        """The line shows these alarms; returns whether that is news."""
        if alarms == self.alarms:
            return False
        self.alarms = alarms
        self.since_ns = time.time_ns()
        self._settle()
        return True

    def saw_source(self) -> bool:
        """The timing source is as the status says; returns whether that is news."""
        source = self.status.sync_source if self.status else None
        name = ""
        if source:
            known = (line.name for line in self.card.lines if line.info is not None and line.info.number == source)
            name = next(known, f"number {source}")
        if name == self.sync_name:
            return False
        self.sync_name = name
        self.sync_since_ns = time.time_ns()
        return True

    def saw_link(self, up: bool) -> bool:
        """The D-channel's link is up or down; returns whether that is news."""
        if up == self.link_up:
            return False
        self.link_up = up
        self.echo = False
        self.dchannel_since_ns = time.time_ns()
        self._settle()
        return True

    def saw_echo(self) -> bool:
        """Its D-channel heard what only its own side says; returns whether that is news worth telling."""
        news = not self.echo and not self.link_up
        self.echo = self.echo or news
        return news

    def _settle(self) -> None:
        before = self.channels.service
        self._judge()
        # The first time up is no return.
        if before is not None and self.channels.service is None:
            if self._was_up:
                self.hold.returned(time.monotonic())
            self._was_up = True
        elif before is None and self.channels.service is not None:
            self.hold.went(time.monotonic())

    def _judge(self) -> None:
        if self.alarms.out_of_service:
            self.channels.service = Disabled.SPAN_ALARM
        elif self.carries_calls and not self.link_up:
            self.channels.service = Disabled.DCHANNEL_DOWN
        else:
            self.channels.service = None

    def state(self) -> SpanState:
        """The span as the daemon is told it."""
        span, info, status = self.config, self.info, self.status
        counters = {name: getattr(status.counters, name) for name in _COUNTERS} if status else {}
        dchannel = "none" if not self.carries_calls else "up" if self.link_up else "down"
        return SpanState(
            name=span.name, number=span.number or 0, card=span.card, port=span.port,
            driver=info.driver if info else self.card.driver, description=info.description if info else "",
            type=str(span.type), framing=_word(info.framing if info else span.framing),
            coding=_word(info.coding if info else span.coding), crc4=info.crc4 if info else span.crc4,
            timing=info.timing if info else span.timing, switch_type=str(span.switch_type), node=str(span.node),
            law=str(span.used_law), dchannel_timeslot=span.dchannel_timeslot, alarms=int(self.alarms),
            words=self.alarms.words(), dchannel=dchannel, since_ns=self.since_ns,
            dchannel_since_ns=self.dchannel_since_ns, counters=counters,
            sync_source=self._sync_source(), kernel=info.kernel if info else False,
            sync_name=self.sync_name, sync_since_ns=self.sync_since_ns,
            held_until_ns=utc(int(self.hold.until * 1e9)) if self.hold.until else 0, hold_s=self.hold.length_s,
            returns=self.hold.returns, dchannel_echo=self.echo, problem=self.problem,
        )  # fmt: skip

    def _sync_source(self) -> int | None:
        """The span that the clock comes from: this one by its configured number, others as the driver counts them."""
        source = self.status.sync_source if self.status else None
        ours = source and self.info is not None and source == self.info.number
        return self.config.number if ours else source


def _word(setting: str | None) -> str | None:
    return None if setting is None else str(setting)
