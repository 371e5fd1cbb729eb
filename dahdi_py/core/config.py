# SPDX-License-Identifier: GPL-2.0-or-later
"""The configuration file as types, checked as a whole: every error names its place and what would be right."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, get_args, get_type_hints

import msgspec

from dahdi_py.core.terms import Coding, Framing, HuntOrder, Law, LineType, Node, SwitchType, Timeslot
from dahdi_py.errors import ConfigError

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,31}$")]
"""A configured name: a letter, then letters, digits, `_`, `-`; at most 32 characters."""
CauseValue = Annotated[int, msgspec.Meta(ge=1, le=127)]


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file; unknown keys are refused."""


class Service(_Section, frozen=True):
    """What the service is called, where it keeps its state, who starts what.

    Attributes:
        supervisor: `daemon` starts hosts and cards that do not answer; `systemd` leaves that to units.
        state: State directory; empty for the place's default.
        journal: Write records and events to disk (off only for measuring).
        linger_s: Without a daemon for so long a host drains and ends, s.
    """

    name: Name = "dahdi-py"
    supervisor: str = "daemon"
    state: str = ""
    journal: bool = True
    linger_s: Annotated[float, msgspec.Meta(ge=1, le=86400)] = 900.0


class Access(_Section, frozen=True):
    """Who may do what, by uid or user name and gid or `@group` name; root and group `dahdi` operate always.

    Attributes:
        trusted_media: Uids or user names that may hold kernel descriptors.
    """

    view: list[int | str] = []
    core: list[int | str] = []
    tech: list[int | str] = []
    operate: list[int | str] = []
    trusted_media: list[int | str] = []


class Calls(_Section, frozen=True):
    """What calls do when nobody says.

    Attributes:
        unserved_cause: Cause for a number that no core serves (1, unallocated).
        no_core_cause: Cause when no core serves at all, or no daemon is there (41, temporary failure).
        offer_s: Time a core has to claim an offer before the next one gets it, s.
        claim_by_s: An offer nobody claimed is refused by then, s (below T303, 4 s).
        reclaim_s: Orphaned leases end so long after the daemon is ready, s.
        answer_s: T301: an outgoing call rings at most so long, s. Source: Q.931 9.2.
        proceed_s: T310: after CALL PROCEEDING something must come, s. Source: Q.931 9.2.
    """

    unserved_cause: CauseValue = 1
    no_core_cause: CauseValue = 41
    offer_s: Annotated[float, msgspec.Meta(gt=0, le=3)] = 1.0
    claim_by_s: Annotated[float, msgspec.Meta(gt=0, le=3.5)] = 3.0
    reclaim_s: Annotated[float, msgspec.Meta(gt=0, le=600)] = 30.0
    answer_s: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 180.0
    proceed_s: Annotated[float, msgspec.Meta(ge=1, le=600)] = 60.0


class Dynamic(_Section, frozen=True):
    """A dynamic span that the card creates or adopts: driver (loc, eth), address, channel count, timing priority."""

    driver: str
    address: str
    channels: Annotated[int, msgspec.Meta(ge=1, le=255)]
    timing: int = 0


class Card(_Section, frozen=True):
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


class Host(_Section, frozen=True):
    """A line host: the process that owns signalling groups on spans of these cards."""

    name: Name


class Span(_Section, frozen=True):
    """A span: where it is, how its line is, what its D-channel speaks.

    Attributes:
        number: For showing; from its place in the file when left out.
        port: sim: the port number; dahdi: span number, `@location`, or dynamic `driver/address`.
        dchannel: Timeslot of the D-channel; 0 for none; the line's usual one when left out.
        timers: libpri timers by name (T200, T309, N200, ...), ms or counts.
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
    circuit_id: str = ""

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


class Group(_Section, frozen=True):
    """A trunk group: spans whose B-channels are hunted together; no `hunt`: each side from its own end."""

    name: Name
    spans: list[Name]
    hunt: HuntOrder | None = None


class Config(_Section, frozen=True):
    """The whole file."""

    service: Service = Service()
    access: Access = Access()
    calls: Calls = Calls()
    cards: list[Card] = []
    hosts: list[Host] = []
    spans: list[Span] = []
    groups: list[Group] = []

    def span(self, name: str) -> Span | None:
        """The span of that configured name, or of that shown number."""
        for span in self.spans:
            if span.name == name or str(span.number) == name:
                return span
        return None

    def spans_of(self, host: str) -> list[Span]:
        """The spans a line host owns."""
        return [span for span in self.spans if span.host == host]

    def card(self, name: str) -> Card:
        """The card of that name (a checked configuration has it)."""
        return next(card for card in self.cards if card.name == name)


def parse(table: Mapping[str, Any]) -> Config:
    """The checked configuration of a parsed TOML file, every span numbered.

    Raises:
        ConfigError: With `where` (such as ``spans[2].framing``) and what would be right.
    """
    try:
        config = msgspec.convert(table, Config)
    except msgspec.ValidationError as error:
        raise _explain(str(error), table) from None
    config = _numbered(config)
    _check(config)
    return config


def _numbered(config: Config) -> Config:
    taken = {span.number for span in config.spans if span.number is not None}
    free = (n for n in range(1, 10_000) if n not in taken)
    spans = [s if s.number is not None else msgspec.structs.replace(s, number=next(free)) for s in config.spans]
    return msgspec.structs.replace(config, spans=spans)


def _wrong(where: str, message: str) -> ConfigError:
    return ConfigError(f"{where}: {message}", where=where)


def _unique(kind: str, names: list[str]) -> set[str]:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise _wrong(f"{kind}[{index}].name", f"{name!r} is used twice; each of {kind} needs a name of its own")
    return set(names)


def _known(where: str, name: str, names: set[str], kind: str) -> None:
    if name not in names:
        known = ", ".join(sorted(names)) or "none is configured"
        raise _wrong(where, f"no {kind} is called {name!r}; known: {known}")


def _check(config: Config) -> None:
    if config.service.supervisor not in ("daemon", "systemd"):
        raise _wrong("service.supervisor", f"{config.service.supervisor!r}; expected daemon or systemd")
    cards = _unique("cards", [card.name for card in config.cards])
    hosts = _unique("hosts", [host.name for host in config.hosts])
    spans = _unique("spans", [span.name for span in config.spans])
    _unique("groups", [group.name for group in config.groups])
    for index, card in enumerate(config.cards):
        _check_card(f"cards[{index}]", card)
    places: dict[tuple[str, str], str] = {}
    numbers: dict[int | None, str] = {}
    for index, span in enumerate(config.spans):
        where = f"spans[{index}]"
        _known(f"{where}.card", span.card, cards, "card")
        _known(f"{where}.host", span.host, hosts, "host")
        _check_span(where, span, config.card(span.card))
        if (other := places.setdefault((span.card, span.port), span.name)) != span.name:
            raise _wrong(f"{where}.port", f"port {span.port} of card {span.card} already belongs to span {other!r}")
        if (other := numbers.setdefault(span.number, span.name)) != span.name:
            raise _wrong(f"{where}.number", f"number {span.number} already belongs to span {other!r}")
    for index, group in enumerate(config.groups):
        if not group.spans:
            raise _wrong(f"groups[{index}].spans", "a group needs at least one span")
        for at, name in enumerate(group.spans):
            _known(f"groups[{index}].spans[{at}]", name, spans, "span")


def _check_card(where: str, card: Card) -> None:
    if card.kind not in ("sim", "dahdi"):
        raise _wrong(f"{where}.kind", f"{card.kind!r}; expected sim or dahdi")
    if card.kind == "sim" and not card.ports:
        raise _wrong(f"{where}.ports", 'a sim card needs its ports, such as ["E1", "E1"]')
    used: set[int] = set()
    for index, pair in enumerate(card.cables):
        for port in pair:
            if not 1 <= port <= len(card.ports):
                raise _wrong(f"{where}.cables[{index}]", f"port {port} does not exist; ports are 1-{len(card.ports)}")
            if port in used:
                raise _wrong(f"{where}.cables[{index}]", f"port {port} already has a cable")
            used.add(port)


def _check_span(where: str, span: Span, card: Card) -> None:
    framings = (Framing.CAS, Framing.CCS) if span.type is LineType.E1 else (Framing.D4, Framing.ESF)
    codings = (Coding.AMI, Coding.HDB3) if span.type is LineType.E1 else (Coding.AMI, Coding.B8ZS)
    if span.framing is not None and span.framing not in framings:
        raise _wrong(f"{where}.framing", f"{span.framing} is not a framing of {span.type}; expected {_or(framings)}")
    if span.coding is not None and span.coding not in codings:
        raise _wrong(f"{where}.coding", f"{span.coding} is not a coding of {span.type}; expected {_or(codings)}")
    if span.dchannel_timeslot and span.dchannel_timeslot not in span.type.timeslots:
        last = span.type.timeslots[-1]
        raise _wrong(f"{where}.dchannel", f"timeslot {span.dchannel} does not exist on {span.type}; expected 0-{last}")
    if card.kind == "sim":
        if not span.port.isdigit() or not 1 <= int(span.port) <= len(card.ports):
            raise _wrong(f"{where}.port", f"{span.port!r}; card {card.name} has ports 1-{len(card.ports)}")
        if card.ports[int(span.port) - 1] is not span.type:
            raise _wrong(f"{where}.type", f"port {span.port} of card {card.name} is {card.ports[int(span.port) - 1]}")


def _or(words: tuple[str, ...]) -> str:
    return " or ".join(words)


def _explain(message: str, table: Mapping[str, Any]) -> ConfigError:
    """Msgspec's message in our form: `place: what is wrong; what would be right`."""
    text, _, path = message.partition(" - at `$")
    where = path.rstrip("`").lstrip(".").replace("[...]", "[?]")
    section = _section_of(where)
    if unknown := re.search(r"unknown field `(.+)`", text):
        key = unknown.group(1)
        known = sorted(section.__struct_fields__) if section else []
        near = difflib.get_close_matches(key, known, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        place = f"{where}.{key}" if where else key
        return _wrong(place, f"unknown key; {hint}known keys: {', '.join(known)}")
    if missing := re.search(r"missing required field `(.+)`", text):
        place = f"{where}.{missing.group(1)}" if where else missing.group(1)
        return _wrong(place, "is missing and has no default")
    key = re.sub(r"\[\d+\]$", "", where.rpartition(".")[2])
    choices = _choices(section, key)
    return _wrong(where or "file", text[0].lower() + text[1:] + (f"; expected one of {choices}" if choices else ""))


def _section_of(where: str) -> type[_Section] | None:
    sections: dict[str, type[_Section]] = {
        "service": Service, "access": Access, "calls": Calls, "cards": Card, "hosts": Host, "spans": Span,
        "groups": Group,
    }  # fmt: skip
    if not where:
        return Config
    if ".dynamic[" in where:
        return Dynamic
    return sections.get(re.split(r"[.\[]", where)[0])


def _choices(section: type[_Section] | None, key: str) -> str:
    hint = get_type_hints(section).get(key) if section else None
    for kind in (hint, *get_args(hint)):
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            return ", ".join(str(member) for member in kind)
    return ""
