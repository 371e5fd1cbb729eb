# SPDX-License-Identifier: GPL-2.0-or-later
"""A span, its B-channels, the leases and calls on them, as the daemon knows each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dahdi_py.core import config
from dahdi_py.core.terms import Alarms, Disabled, Phase
from dahdi_py.daemon.clients import Client
from dahdi_py.wire.messages.common import Bearer, Owner, Party
from dahdi_py.wire.messages.host import Offered, SpanState

NOBODY = Owner()
"""The owner of what no client has taken."""


@dataclass(slots=True)
class Channel:
    """A B-channel; `disabled` is what is wrong with it alone, empty for nothing (Span.disabled has the rest)."""

    span: str
    timeslot: int
    administrative: str = "unlocked"
    disabled: str = ""
    phase: str = ""
    token: str = ""
    call: str = ""

    @property
    def busy(self) -> bool:
        """Whether somebody uses it or it is not free again yet."""
        return bool(self.phase or self.token)


@dataclass(slots=True)
class Lease:
    """A reservation; `client` is the connection it belongs to, None when that is gone or was the last daemon's."""

    token: str
    host: str
    span: str
    timeslot: int
    owner: Owner = NOBODY
    phase: str = "reserved"
    call: str = ""
    exclusive: bool = False
    orphaned: bool = False
    client: Client | None = None


@dataclass(slots=True)
class Call:
    """A call that is up, or on its way up or down; `client` as with a lease.

    Attributes:
        detached: It outlives its client; its host hangs it up in time.
        offered: Incoming: all that its SETUP said.
    """

    call: str
    host: str
    direction: str
    phase: str
    span: str
    timeslot: int
    called: Party
    calling: Party
    bearer: Bearer
    started_ns: int
    token: str = ""
    answered_ns: int = 0
    attempt: int = 1
    correlation: str = ""
    claimed: bool = False
    media: bool = False
    orphaned: bool = False
    owner: Owner = NOBODY
    client: Client | None = None
    detached: bool = False
    offered: Offered | None = None


@dataclass(slots=True)
class Span:
    """A configured span, and what its host says about it; `state` None while no host ever said anything."""

    config: config.Span
    state: SpanState | None = None
    host_up: bool = False
    since_ns: int = 0
    channels: dict[int, Channel] = field(default_factory=dict)
    groups: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its configured name."""
        return self.config.name

    @property
    def disabled(self) -> str:
        """Why none of its channels takes a new call; empty when they do."""
        if not self.host_up or self.state is None:
            return Disabled.HOST_DOWN
        if Alarms(self.state.alarms).out_of_service:
            return Disabled.SPAN_ALARM
        return Disabled.DCHANNEL_DOWN if self.state.dchannel == "down" else ""

    @property
    def used(self) -> int:
        """B-channels in use."""
        return sum(channel.busy for channel in self.channels.values())

    @property
    def usable(self) -> int:
        """B-channels that carry a call or could."""
        if self.disabled:
            return 0
        return sum(not one.disabled and one.administrative == "unlocked" for one in self.channels.values())

    @property
    def kernel(self) -> bool:
        """Whether its descriptors are the kernel's."""
        return self.state is not None and self.state.kernel


def channel_map(span: Span, calls: Mapping[str, Call]) -> str:
    """One character a timeslot from 1, as `wire.messages.spans.Span` says."""
    last = span.config.type.timeslots[-1]
    return "".join(_sign(span, timeslot, calls) for timeslot in range(1, last + 1))


def _sign(span: Span, timeslot: int, calls: Mapping[str, Call]) -> str:
    if timeslot == span.config.dchannel_timeslot:
        return "D"
    channel = span.channels.get(timeslot)
    if channel is None:
        return "-"
    if channel.disabled == Disabled.QUARANTINE:
        return "q"
    if channel.phase in (Phase.RELEASING, Phase.RESTARTING):
        return "r"
    if channel.busy:
        call = calls.get(channel.call)
        return "a" if call is None else call.direction[0]
    if channel.administrative != "unlocked":
        return "m"
    return "x" if channel.disabled or span.disabled else "."
