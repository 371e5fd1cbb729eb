# SPDX-License-Identifier: GPL-2.0-or-later
"""The configuration file, checked as a whole: every error names its place and what would be right."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, get_args, get_type_hints

import msgspec

from dahdi_py.core.config import (
    Access,
    Alarms,
    Calls,
    Card,
    Config,
    Dynamic,
    Group,
    Host,
    Limit,
    Performance,
    Section,
    Service,
    Span,
    wrong,
)
from dahdi_py.core.numbers import NumberPattern
from dahdi_py.core.performance_norms import THRESHOLD_PARAMETERS
from dahdi_py.core.terms import Coding, Framing, LineType
from dahdi_py.errors import ConfigError


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


def _unique(kind: str, names: list[str]) -> set[str]:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise wrong(f"{kind}[{index}].name", f"{name!r} is used twice; each of {kind} needs a name of its own")
    return set(names)


def _known(where: str, name: str, names: set[str], kind: str) -> None:
    if name not in names:
        known = ", ".join(sorted(names)) or "none is configured"
        raise wrong(where, f"no {kind} is called {name!r}; known: {known}")


def _check(config: Config) -> None:
    if config.service.supervisor not in ("daemon", "systemd"):
        raise wrong("service.supervisor", f"{config.service.supervisor!r}; expected daemon or systemd")
    cards = _unique("cards", [card.name for card in config.cards])
    hosts = _unique("hosts", [host.name for host in config.hosts])
    spans = _unique("spans", [span.name for span in config.spans])
    _unique("groups", [group.name for group in config.groups])
    for index, card in enumerate(config.cards):
        _check_card(f"cards[{index}]", card)
    places: dict[tuple[str, str], str] = {}
    circuits: dict[str, str] = {}
    numbers: dict[int | None, str] = {}
    for index, span in enumerate(config.spans):
        where = f"spans[{index}]"
        _known(f"{where}.card", span.card, cards, "card")
        _known(f"{where}.host", span.host, hosts, "host")
        _check_span(where, span, config.card(span.card))
        if (other := places.setdefault((span.card, span.port), span.name)) != span.name:
            raise wrong(f"{where}.port", f"port {span.port} of card {span.card} already belongs to span {other!r}")
        if (other := circuits.setdefault(span.circuit, span.name)) != span.name:
            raise wrong(f"{where}.circuit_id", f"circuit {span.circuit!r} already belongs to span {other!r}")
        if (other := numbers.setdefault(span.number, span.name)) != span.name:
            raise wrong(f"{where}.number", f"number {span.number} already belongs to span {other!r}")
    groups = {group.name: group for group in config.groups}
    for index, group in enumerate(config.groups):
        _check_group(f"groups[{index}]", group, config, spans, groups)
    for index, limit in enumerate(config.limits):
        if limit.group:
            _known(f"limits[{index}].group", limit.group, set(groups), "group")
        if limit.max_channels is None and limit.calls_per_minute is None:
            raise wrong(f"limits[{index}]", "limits nothing; expected max_channels or calls_per_minute")
    for name in ("quarter", "day"):
        for parameter in getattr(config.performance, name):
            _known(f"performance.{name}", parameter, set(THRESHOLD_PARAMETERS), "parameter")
    for at, text in enumerate(config.calls.emergency):
        try:
            NumberPattern.parse(text)
        except ConfigError as error:
            raise wrong(f"calls.emergency[{at}]", error.message.partition(": ")[2]) from None


def _check_group(where: str, group: Group, config: Config, spans: set[str], groups: Mapping[str, Group]) -> None:
    for at, name in enumerate(group.exclude):
        _known(f"{where}.exclude[{at}]", name, spans, "span")
    try:
        members = config.members(group)
    except ConfigError as error:
        raise wrong(f"{where}.{error.where}", error.message.partition(": ")[2]) from None
    if not members:
        raise wrong(f"{where}.spans", "a group needs at least one span")
    if group.minimum > (total := sum(mask.bit_count() for _, mask in members)):
        raise wrong(f"{where}.minimum", f"{group.minimum} is more than the {total} channels that the group has")
    seen = [group.name]
    while group.overflow is not None:
        _known(f"{where}.overflow", group.overflow, set(groups), "group")
        if group.overflow in seen:
            raise wrong(
                f"{where}.overflow", f"leads back to {group.overflow!r}: {' -> '.join([*seen, group.overflow])}"
            )
        seen.append(group.overflow)
        group = groups[group.overflow]


def _check_card(where: str, card: Card) -> None:
    if card.kind not in ("sim", "dahdi"):
        raise wrong(f"{where}.kind", f"{card.kind!r}; expected sim or dahdi")
    if card.kind == "sim" and not card.ports:
        raise wrong(f"{where}.ports", 'a sim card needs its ports, such as ["E1", "E1"]')
    used: set[int] = set()
    for index, pair in enumerate(card.cables):
        for port in pair:
            if not 1 <= port <= len(card.ports):
                raise wrong(f"{where}.cables[{index}]", f"port {port} does not exist; ports are 1-{len(card.ports)}")
            if port in used:
                raise wrong(f"{where}.cables[{index}]", f"port {port} already has a cable")
            used.add(port)


def _check_span(where: str, span: Span, card: Card) -> None:
    framings = (Framing.CAS, Framing.CCS) if span.type is LineType.E1 else (Framing.D4, Framing.ESF)
    codings = (Coding.AMI, Coding.HDB3) if span.type is LineType.E1 else (Coding.AMI, Coding.B8ZS)
    if span.framing is not None and span.framing not in framings:
        raise wrong(f"{where}.framing", f"{span.framing} is not a framing of {span.type}; expected {_or(framings)}")
    if span.coding is not None and span.coding not in codings:
        raise wrong(f"{where}.coding", f"{span.coding} is not a coding of {span.type}; expected {_or(codings)}")
    if span.dchannel_timeslot and span.dchannel_timeslot not in span.type.timeslots:
        last = span.type.timeslots[-1]
        raise wrong(f"{where}.dchannel", f"timeslot {span.dchannel} does not exist on {span.type}; expected 0-{last}")
    if card.kind == "sim":
        if not span.port.isdigit() or not 1 <= int(span.port) <= len(card.ports):
            raise wrong(f"{where}.port", f"{span.port!r}; card {card.name} has ports 1-{len(card.ports)}")
        if card.ports[int(span.port) - 1] is not span.type:
            raise wrong(f"{where}.type", f"port {span.port} of card {card.name} is {card.ports[int(span.port) - 1]}")


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
        return wrong(place, f"unknown key; {hint}known keys: {', '.join(known)}")
    if missing := re.search(r"missing required field `(.+)`", text):
        place = f"{where}.{missing.group(1)}" if where else missing.group(1)
        return wrong(place, "is missing and has no default")
    key = re.sub(r"\[\d+\]$", "", where.rpartition(".")[2])
    choices = _choices(section, key)
    return wrong(where or "file", text[0].lower() + text[1:] + (f"; expected one of {choices}" if choices else ""))


def _section_of(where: str) -> type[Section] | None:
    sections: dict[str, type[Section]] = {
        "service": Service, "access": Access, "calls": Calls, "alarms": Alarms, "cards": Card, "hosts": Host,
        "spans": Span, "groups": Group, "limits": Limit, "performance": Performance,
    }  # fmt: skip
    if not where:
        return Config
    if ".dynamic[" in where:
        return Dynamic
    return sections.get(re.split(r"[.\[]", where)[0])


def _choices(section: type[Section] | None, key: str) -> str:
    hint = get_type_hints(section).get(key) if section else None
    for kind in (hint, *get_args(hint)):
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            return ", ".join(str(member) for member in kind)
    return ""
