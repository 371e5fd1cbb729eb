# SPDX-License-Identifier: GPL-2.0-or-later
"""The configuration as types; `config_file` reads and checks the file."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec

from dahdi_py.core.terms import Coding, Framing, HuntOrder, Law, LineType, Node, SwitchType, Timeslot
from dahdi_py.errors import ConfigError

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,31}$")]
"""A configured name: a letter, then letters, digits, `_`, `-`; at most 32 characters."""
Label = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f\x7f]{0,64}$")]
"""Words for people: no control characters, at most 64."""
CauseValue = Annotated[int, msgspec.Meta(ge=1, le=127)]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file; unknown keys are refused."""


class Service(Section, frozen=True):
    """What the service is called, where it keeps its state, who starts what.

    Attributes:
        supervisor: `daemon` starts hosts and cards that do not answer; `systemd` leaves that to units.
        state: State directory; empty for the place's default.
        journal: Write records and events to disk (off only for measuring).
        audit: With the journal, keep who asked for what and what came of it.
        linger_s: Without a daemon for so long a host drains and ends, s.
        keep_calls_days: Records of calls that began earlier are removed, days; 0 keeps all.
    """

    name: Name = "dahdi-py"
    supervisor: str = "daemon"
    state: str = ""
    journal: bool = True
    audit: bool = True
    linger_s: Annotated[float, msgspec.Meta(ge=1, le=86400)] = 900.0
    keep_calls_days: Annotated[int, msgspec.Meta(ge=0, le=36_500)] = 0


class Access(Section, frozen=True):
    """Who may do what, by uid or user name and gid or `@group` name; root and group `dahdi` operate always.

    Attributes:
        trusted_media: Uids or user names that may hold kernel descriptors.
    """

    view: list[int | str] = []
    core: list[int | str] = []
    tech: list[int | str] = []
    operate: list[int | str] = []
    trusted_media: list[int | str] = []


class Calls(Section, frozen=True):
    """What calls do when nobody says.

    Attributes:
        unserved_cause: Cause for a number that no core serves, or that every core declined (1, unallocated).
        no_core_cause: Cause when no core serves at all or none claimed the call in time, or no daemon is there (41,
            temporary failure).
        offer_s: Time a core has to claim an offer before the next one gets it, s.
        claim_by_s: An offer nobody claimed is refused by then, s (below T303, 4 s).
        reclaim_s: Orphaned leases end so long after the daemon is ready, s.
        answer_s: T301: an outgoing call rings at most so long, s. Source: Q.931 9.2.
        proceed_s: T310: after CALL PROCEEDING something must come, s. Source: Q.931 9.2.
        keep_active_s: An active call whose core died waits so long to be reclaimed, s; 0 clears it at once (31).
        emergency: Number patterns of emergency calls: they pass quotas, rate limits, drains, reserved channels and
            hold-down, are never pre-empted nor cleared by force, and one that fails is a critical alarm.
        preemption: Whether an emergency call (or one placed with `preempt`) may clear a lesser one for its channel.
    """

    unserved_cause: CauseValue = 1
    no_core_cause: CauseValue = 41
    offer_s: Annotated[float, msgspec.Meta(gt=0, le=3)] = 1.0
    claim_by_s: Annotated[float, msgspec.Meta(gt=0, le=3.5)] = 3.0
    reclaim_s: Annotated[float, msgspec.Meta(gt=0, le=600)] = 30.0
    answer_s: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 180.0
    proceed_s: Annotated[float, msgspec.Meta(ge=1, le=600)] = 60.0
    keep_active_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0.0
    emergency: list[str] = []
    preemption: bool = False


class Alarms(Section, frozen=True):
    """How alarms are reported; whether calls are taken follows the driver at once whatever stands here.

    Attributes:
        clear_t1_s, clear_e1_s: A span's alarm ends when the line has been good for so long, s. Source: T1.231 6.1.2.
        flap_window_s, flap_count: An alarm that was raised so often within so long is flapping.
        all_busy_s: A trunk group whose usable channels have all been busy for so long is an alarm, s; 0: never.
        no_core_s: A group that cores served, or that got a call, and that none has served for so long is an alarm, s;
            0: never.
        answer_window_s, answer_calls: A group's answer ratio is of the outgoing calls that ended within so long, when
            they were so many at least.
    """

    clear_t1_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 10.0
    clear_e1_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0.0
    flap_window_s: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 900.0
    flap_count: Annotated[int, msgspec.Meta(ge=2, le=1000)] = 3
    all_busy_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 60.0
    no_core_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 30.0
    answer_window_s: Annotated[float, msgspec.Meta(ge=10, le=86_400)] = 900.0
    answer_calls: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 20


class Dynamic(Section, frozen=True):
    """A dynamic span that the card creates or adopts: driver (loc, eth), address, channel count, timing priority."""

    driver: str
    address: str
    channels: Annotated[int, msgspec.Meta(ge=1, le=255)]
    timing: int = 0


class Card(Section, frozen=True):
    """A card: `sim` (its own process) or `dahdi` (the kernel's spans).

    Attributes:
        ports: sim: the line type of each port, from port 1.
        cables: sim: pairs of ports joined.
        dynamic: dahdi: dynamic spans to create or adopt; their port is `driver/address`.
    """

    name: Name
    kind: str
    ports: list[LineType] = []
    cables: list[tuple[int, int]] = []
    dynamic: list[Dynamic] = []


class Host(Section, frozen=True):
    """A line host: the process that owns signalling groups on spans of these cards."""

    name: Name


class Span(Section, frozen=True):
    """A span: where it is, how its line is, what its D-channel speaks.

    Attributes:
        number: For showing; from its place in the file when left out.
        port: sim: the port number; dahdi: span number, `@location`, or dynamic `driver/address`.
        dchannel: Timeslot of the D-channel; 0 for none; the line's usual one when left out.
        timers: libpri timers by name (T200, T309, N200, ...), ms or counts.
        symmetric: Glare by Q.931 Annex D.3 instead of 5.7; left out: for QSIG only.
        hold_down_s: After it comes back into service the span is the last choice for outgoing calls so long, s; when it
            fails again, twice as long each time, at most 15 min. 0: never.
        circuit_id: The carrier's name for it: alarms and records are kept under it, whatever name and number it gets.
        carrier, noc_phone: Whom to call about it.
    """

    name: Name
    card: Name
    host: Name
    port: str
    type: LineType
    number: Annotated[int, msgspec.Meta(ge=1, le=9999)] | None = None
    framing: Framing | None = None
    coding: Coding | None = None
    crc4: bool | None = None
    timing: Annotated[int, msgspec.Meta(ge=0, le=255)] = 0
    build_out: Annotated[int, msgspec.Meta(ge=0, le=7)] = 0
    switch_type: SwitchType = SwitchType.EUROISDN
    node: Node = Node.CPE
    law: Law | None = None
    dchannel: Annotated[int, msgspec.Meta(ge=0, le=31)] | None = None
    timers: dict[str, Annotated[int, msgspec.Meta(ge=1, le=600_000)]] = {}
    circuit_id: Label = ""
    carrier: Label = ""
    noc_phone: Label = ""
    symmetric: bool | None = None
    hold_down_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 5.0

    @property
    def circuit(self) -> str:
        """What its history is kept under: the carrier's name for it, else its own."""
        return self.circuit_id or self.name

    @property
    def symmetric_glare(self) -> bool:
        """Whether both sides are equal when they take one channel at the same moment. Source: Q.931 5.7, D.3."""
        return self.switch_type is SwitchType.QSIG if self.symmetric is None else self.symmetric

    @property
    def dchannel_timeslot(self) -> Timeslot:
        """The D-channel's timeslot, 0 for none."""
        return self.type.default_dchannel if self.dchannel is None else Timeslot(self.dchannel)

    @property
    def bchannels(self) -> tuple[Timeslot, ...]:
        """Every timeslot that carries calls, ascending."""
        return tuple(Timeslot(t) for t in self.type.timeslots if t != self.dchannel_timeslot)

    @property
    def used_law(self) -> Law:
        """The law in force."""
        return self.law or self.type.default_law


class Group(Section, frozen=True):
    """A trunk group: B-channels that are hunted together, of any spans and hosts.

    Attributes:
        spans: Span names, each alone or with timeslots (`west:1-10,12`); `*` for every span.
        exclude: Span names that `*` does not mean.
        hunt: Left out: each side from its own end.
        overflow: The group that is tried when this one has nothing free.
        reserve_last: So many channels are kept for emergency calls and clients named in `priority`.
        priority: Uids, user names or `@group` names that may use the reserved channels.
        max_channels: So many leases at most at a time.
        calls_per_minute: So many calls placed a minute at most (a burst of a sixth of it passes at once).
        minimum: Fewer usable channels than these are an alarm.
        answer_ratio: Less than so many percent of outgoing calls answered are an alarm; 0: never.
        no_incoming_minutes: So long without an incoming call is an alarm, min; 0: never.
    """

    name: Name
    spans: list[str]
    exclude: list[Name] = []
    hunt: HuntOrder | None = None
    overflow: Name | None = None
    reserve_last: Annotated[int, msgspec.Meta(ge=0, le=4096)] = 0
    priority: list[int | str] = []
    max_channels: Annotated[int, msgspec.Meta(ge=0, le=65_536)] | None = None
    calls_per_minute: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] | None = None
    minimum: Annotated[int, msgspec.Meta(ge=0, le=65_536)] = 0
    answer_ratio: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    no_incoming_minutes: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 0


class Member(NamedTuple):
    """A span of a trunk group, and which of its timeslots belong to it: bit t for timeslot t."""

    span: str
    mask: int


class Limit(Section, frozen=True):
    """What one client may hold and place, against fraud and runaways.

    Attributes:
        who: A uid, user name or `@group` name; `*` is each user that no other limit names. Counted per uid.
        group: Only in this trunk group; empty for all together.
        max_channels: So many leases at most at a time.
        calls_per_minute: So many calls placed a minute at most (a burst of a sixth of it passes at once).
    """

    who: int | str
    group: str = ""
    max_channels: Annotated[int, msgspec.Meta(ge=0, le=65_536)] | None = None
    calls_per_minute: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] | None = None


class Performance(Section, frozen=True):
    """Thresholds of performance figures, by parameter: reached, each is an event once in a quarter hour or day.

    A T1's parameters are T1.231's (`ES-P`, `SES-L`, ...), an E1's G.826's (`ES`, `SES`, `UAS`, `BBE`) and `CSS`. What
    is left out has its default; 0 disables.
    """

    quarter: dict[str, Annotated[int, msgspec.Meta(ge=0)]] = {}
    day: dict[str, Annotated[int, msgspec.Meta(ge=0)]] = {}


class Config(Section, frozen=True):
    """The whole file."""

    service: Service = Service()
    access: Access = Access()
    calls: Calls = Calls()
    performance: Performance = Performance()
    alarms: Alarms = Alarms()
    cards: list[Card] = []
    hosts: list[Host] = []
    spans: list[Span] = []
    groups: list[Group] = []
    limits: list[Limit] = []

    def span(self, name: str) -> Span | None:
        """The span of that configured name, or of that shown number."""
        for span in self.spans:
            if span.name == name or str(span.number) == name:
                return span
        return None

    def members(self, group: Group) -> list[Member]:
        """The group's spans in order, with their timeslots.

        Raises:
            ConfigError: `where` is the entry, relative to the group.
        """
        found: dict[str, int] = {}
        for at, entry in enumerate(group.spans):
            name, colon, slots = entry.partition(":")
            if name == "*" and not colon:
                for span in self.spans:
                    if span.name not in group.exclude:
                        found[span.name] = _mask_of(span)
                continue
            one = next((span for span in self.spans if span.name == name), None)
            if one is None:
                known = ", ".join(sorted(span.name for span in self.spans)) or "none is configured"
                raise wrong(f"spans[{at}]", f"no span is called {name!r}; known: {known}")
            mask = _parse_timeslots(f"spans[{at}]", slots, one) if colon else _mask_of(one)
            found[name] = found.get(name, 0) | mask
        return [Member(name, mask) for name, mask in found.items()]

    def spans_of(self, host: str) -> list[Span]:
        """The spans a line host owns."""
        return [span for span in self.spans if span.host == host]

    def is_alone(self, span: str) -> bool:
        """Whether a trunk group of the span has no other span, or it is in none."""
        own = [members for group in self.groups if span in dict(members := self.members(group))]
        return not own or any(len(members) == 1 for members in own)

    def card(self, name: str) -> Card:
        """The card of that name (a checked configuration has it)."""
        return next(card for card in self.cards if card.name == name)


def wrong(where: str, message: str) -> ConfigError:
    """The error for a setting: its place, and what would be right."""
    return ConfigError(f"{where}: {message}", where=where)


def _mask_of(span: Span) -> int:
    return sum(1 << timeslot for timeslot in span.bchannels)


def _parse_timeslots(where: str, text: str, span: Span) -> int:
    """Timeslots such as ``1-10,12`` as a bit mask."""
    mask = 0
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdecimal() or not (last or first).isdecimal():
            raise wrong(where, f"{text!r} names no timeslots; expected such as {span.name}:1-10,12")
        for timeslot in range(int(first), int(last or first) + 1):
            if timeslot not in span.bchannels:
                raise wrong(where, f"timeslot {timeslot} of span {span.name} is no B-channel")
            mask |= 1 << timeslot
    if not mask:
        raise wrong(where, f"{text!r} names no timeslots; expected such as {span.name}:1-10,12")
    return mask
