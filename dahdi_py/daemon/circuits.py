# SPDX-License-Identifier: GPL-2.0-or-later
"""A span, its B-channels, the leases and calls on them, as the daemon knows each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dahdi_py.core import config
from dahdi_py.core.channelmap import Use, channel_map
from dahdi_py.core.terms import Disabled, out_of_service
from dahdi_py.daemon.clients import Client
from dahdi_py.wire.messages.common import Bearer, Message, Owner, Party
from dahdi_py.wire.messages.common import Lease as LeaseRecord
from dahdi_py.wire.messages.host import CallState, Offered, SpanState

NOBODY = Owner()
"""The owner of what no client has taken."""


@dataclass(slots=True)
class Channel:
    """A B-channel; `disabled` is what is wrong with it alone, empty for nothing (Span.disabled has the rest).

    Attributes:
        lessee: Quarantined: who still holds its descriptor.
        idle_since: Grows with every end of a use; 0 before the first.
        groups: Names of the trunk groups it is in.
    """

    span: str
    timeslot: int
    administrative: str = "unlocked"
    disabled: str = ""
    phase: str = ""
    token: str = ""
    call: str = ""
    who: str = ""
    why: str = ""
    since_ns: int = 0
    lessee: str = ""
    idle_since: int = 0
    groups: tuple[str, ...] = ()

    @property
    def free(self) -> bool:
        """Whether it can be leased, its span's state apart."""
        return not self.busy and self.usable

    @property
    def usable(self) -> bool:
        """Whether it carries a call or could, its span's state apart."""
        return not self.disabled and self.administrative == "unlocked"

    @property
    def busy(self) -> bool:
        """Whether somebody uses it or it is not free again yet."""
        return bool(self.phase or self.token)


@dataclass(slots=True)
class Lease:
    """A reservation; `client` is the connection it belongs to, None when that is gone or was the last daemon's.

    Attributes:
        detached: It outlives its client, and its host ends it.
        expires_ns: UTC when its host ends it, ns; 0 for never.
        bridged: The token of the lease whose audio is joined with it; empty for none.
        given_until: Till then (monotonic, s) whoever shows its token may take it, though its client is there.
    """

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
    group: str = ""
    detached: bool = False
    expires_ns: int = 0
    given_until: float = 0.0
    bridged: str = ""

    def detach(self, seconds: int, now_ns: int) -> None:
        """It outlives its client and ends so many seconds from now; with 0 it ends with its client."""
        self.detached = seconds > 0
        self.expires_ns = now_ns + seconds * 1_000_000_000 if seconds else 0


@dataclass(slots=True)
class Call:
    """A call that is up, or on its way up or down; `client` as with a lease.

    Attributes:
        detached: It outlives its client; its host hangs it up in time.
        offered: Incoming: all that its SETUP said.
        emergency: It is never pre-empted nor cleared by force.
        group: The trunk group it was placed in.
        alerted: ALERTING went out: the caller hears it ring.
        offered_as: Incoming: by serving connection that has the offer, the group it is offered as a call of.
        came_by: Incoming: the group it was claimed as a call of.
        left_by: Pid and uid of each core that claimed it and died before it answered.
        earlier: Messages of SETUPs on hosts that it is not on any more.
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
    emergency: bool = False
    group: str = ""
    alerted: bool = False
    left_by: set[tuple[int, int]] = field(default_factory=set)
    offered_as: dict[int, str] = field(default_factory=dict)
    came_by: str = ""
    earlier: list[Message] = field(default_factory=list)


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
        if out_of_service(self.state.alarms):
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
        return sum(one.usable for one in self.channels.values())

    @property
    def kernel(self) -> bool:
        """Whether its descriptors are the kernel's."""
        return self.state is not None and self.state.kernel


def lease_of(host: str, one: LeaseRecord) -> Lease:
    """The lease as its host has it, nobody's client's."""
    lease = Lease(
        one.token, host, one.span, one.timeslot, one.owner, one.phase, one.call, one.exclusive, one.orphaned, None,
        one.group, one.detached, one.expires_ns,
    )  # fmt: skip
    lease.bridged = one.bridged
    return lease


def call_of(host: str, up: CallState, before: Call | None) -> Call:
    """The call as its host has it, nobody's client's; `before` as it was known."""
    call = Call(
        up.call, host, up.direction, up.phase, up.span, up.timeslot, up.called, up.calling, up.bearer, up.started_ns,
        up.token, up.answered_ns, up.attempt, up.correlation, up.claimed, up.media, up.orphaned, up.owner,
    )  # fmt: skip
    call.detached, call.emergency = up.detached, up.emergency
    if up.direction == "incoming":
        call.came_by = up.group or (before.came_by if before is not None else "")
    else:
        call.group = up.group
    return call


def map_of(span: Span, calls: Mapping[str, Call]) -> str:
    """The span's channel map."""
    uses = {timeslot: _use(span, channel, calls) for timeslot, channel in span.channels.items()}
    return channel_map(span.config.type.timeslots[-1], span.config.dchannel_timeslot, uses)


def _use(span: Span, channel: Channel, calls: Mapping[str, Call]) -> Use:
    call = calls.get(channel.call)
    return Use(
        str(span.disabled or channel.disabled), channel.administrative, channel.phase, channel.busy,
        call.direction if call is not None else "",
    )  # fmt: skip
