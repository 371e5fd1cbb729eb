# SPDX-License-Identifier: GPL-2.0-or-later
"""A span as its host runs it: configuration, card, D-channel, alarms, B-channels."""

from __future__ import annotations

import time
from dataclasses import fields
from typing import TYPE_CHECKING

from dahdi_py.backends.base import Counters, LineConfig, Media, SpanInfo, SpanStatus
from dahdi_py.core import config
from dahdi_py.core.channel import Channel, SpanChannels
from dahdi_py.core.terms import Alarms, Disabled, Mode, Node, Timeslot
from dahdi_py.core.trunkgroup import default_order
from dahdi_py.wire.messages.host import ChannelState, SpanState

if TYPE_CHECKING:
    from dahdi_py.linehost.card import HostCard
    from dahdi_py.linehost.linecall import IncomingCall


_COUNTERS = tuple(field.name for field in fields(Counters))


class BChannel(Channel):
    """A B-channel and the host's one copy of its descriptor.

    Attributes:
        fd: Our copy while a lease has it open, else -1.
        media: What the open descriptor is.
        released: When its last lease ended (s, monotonic), while that is not proved.
        held: Somebody still holds a descriptor after its last lease.
        complained: For so long that he was named for it.
        lessee: Who that was.
        must_restart: RESTART has to be acknowledged before it is used again.
        waiting: An incoming call that can have only this channel, as soon as it is proved free.

    Synchronization: one thread.
    """

    __slots__ = ("complained", "fd", "held", "lessee", "line", "media", "must_restart", "released", "slot", "waiting")

    def __init__(self, line: SpanLine, timeslot: Timeslot) -> None:
        super().__init__(line.channels, timeslot)
        self.line = line
        self.fd = -1
        self.media: Media | None = None
        self.slot = 0
        self.released = 0.0
        self.held = False
        self.complained = False
        self.lessee = ""
        self.must_restart = False
        self.waiting: IncomingCall | None = None

    def state(self) -> ChannelState:
        """The channel in X.731 words."""
        lease = self.lease
        return ChannelState(
            span=self.span.name, timeslot=self.timeslot, administrative=str(self.administrative),
            disabled=str(self.disabled or ""), phase=str(self.phase or ""), token=lease.token if lease else "",
            call=lease.call if lease else "", lessee=self.lessee if self.complained else "",
        )  # fmt: skip


class SpanLine:
    """One configured span of this host.

    Attributes:
        dchannel: The pump's number of its D-channel; -1 while it has none.
        dchannel_fd: The descriptor the pump reads; -1 while there is none.
        ready: The card has the span configured and started.
        status: As last read; `told` as the daemon last heard it.

    Synchronization: one thread.
    """

    def __init__(self, span: config.Span, card: HostCard) -> None:
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
        self.alarms = Alarms.ABSENT
        self.info: SpanInfo | None = None
        self.status: SpanStatus | None = None
        self.told: SpanStatus | None = None
        self.since_ns = self.dchannel_since_ns = time.time_ns()
        self._settle()

    @property
    def carries_calls(self) -> bool:
        """Whether it has a D-channel at all."""
        return bool(self.config.dchannel_timeslot)

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
        return Media(law=self.config.used_law, mode=Mode.VOICE)

    def saw_alarms(self, alarms: Alarms) -> bool:
        """The line shows these alarms; returns whether that is news."""
        if alarms == self.alarms:
            return False
        self.alarms = alarms
        self.since_ns = time.time_ns()
        self._settle()
        return True

    def saw_link(self, up: bool) -> bool:
        """The D-channel's link is up or down; returns whether that is news."""
        if up == self.link_up:
            return False
        self.link_up = up
        self.dchannel_since_ns = time.time_ns()
        self._settle()
        return True

    def _settle(self) -> None:
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
            sync_source=status.sync_source if status else None, kernel=info.kernel if info else False,
        )  # fmt: skip


def _word(setting: str | None) -> str | None:
    return None if setting is None else str(setting)
