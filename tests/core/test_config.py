# SPDX-License-Identifier: GPL-2.0-or-later
"""The configuration file: what it makes of right files, and where it points in wrong ones."""

from __future__ import annotations

import contextlib
import copy
import tomllib
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dahdi_py.core.config_file import parse
from dahdi_py.core.terms import Law, LineType, Node
from dahdi_py.errors import ConfigError

EMBEDDED: dict[str, Any] = tomllib.loads(files("dahdi_py").joinpath("embedded.toml").read_text())


def test_the_packaged_default_is_two_cabled_pairs() -> None:
    config = parse(EMBEDDED)
    assert [(span.type, span.node) for span in config.spans] == [
        (LineType.E1, Node.CPE),
        (LineType.E1, Node.NETWORK),
        (LineType.T1, Node.CPE),
        (LineType.T1, Node.NETWORK),
    ]
    assert [span.number for span in config.spans] == [1, 2, 3, 4]
    assert [len(span.bchannels) for span in config.spans] == [30, 30, 23, 23]
    assert [span.used_law for span in config.spans] == [Law.ALAW, Law.ALAW, Law.MULAW, Law.MULAW]
    assert config.card("sim").cables == [(1, 2), (3, 4)]


def test_a_span_is_found_by_name_and_by_number() -> None:
    config = parse(EMBEDDED)
    assert config.span("t1-user") is config.span("3")
    assert config.span("nobody") is None


def test_numbers_are_given_around_those_that_are_taken() -> None:
    table = copy.deepcopy(EMBEDDED)
    table["spans"][3]["number"] = 1
    assert [span.number for span in parse(table).spans] == [2, 3, 4, 1]


def test_a_group_is_made_of_spans_and_timeslots() -> None:
    table = copy.deepcopy(EMBEDDED)
    table["groups"] = [
        {"name": "some", "spans": ["t1-user", "e1-user:1-3,17", "e1-user:5"]},
        {"name": "rest", "spans": ["*"], "exclude": ["e1-network", "t1-network"]},
    ]
    config = parse(table)
    assert config.members(config.groups[0]) == [
        ("t1-user", 0xFFFFFE & ~(1 << 24)),
        ("e1-user", 0b10_0000_0000_0010_1110),
    ]
    assert [member.span for member in config.members(config.groups[1])] == ["e1-user", "t1-user"]
    assert bin(config.members(config.groups[1])[0].mask).count("1") == 30


def test_a_span_is_alone_where_one_of_its_groups_has_no_other() -> None:
    table = copy.deepcopy(EMBEDDED)
    table["groups"] = [
        {"name": "pair", "spans": ["e1-user", "t1-user"]},
        {"name": "one", "spans": ["t1-user:1-3", "t1-user:5"]},
    ]
    config = parse(table)
    assert [config.is_alone(span.name) for span in config.spans] == [False, True, True, True]


def test_history_is_kept_under_the_circuit_or_the_name() -> None:
    table = copy.deepcopy(EMBEDDED)
    table["spans"][0]["circuit_id"] = "DE/4711"
    assert [span.circuit for span in parse(table).spans] == ["DE/4711", "e1-network", "t1-user", "t1-network"]


def test_groups_that_overflow_into_each_other_are_refused() -> None:
    table = copy.deepcopy(EMBEDDED)
    table["groups"][0]["overflow"], table["groups"][1]["overflow"] = "e1-network", "e1-user"
    with pytest.raises(ConfigError, match="e1-user -> e1-network -> e1-user"):
        parse(table)


def _set(section: str, index: int, **values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda table: table[section][index].update(values)


WRONG: list[tuple[Callable[[dict[str, Any]], object], str, str]] = [
    (_set("spans", 2, framing="ccs"), "spans[2].framing", "expected d4 or esf"),
    (_set("spans", 2, framing="foo"), "spans[2].framing", "d4, esf, cas, ccs"),
    (_set("spans", 0, coding="b8zs"), "spans[0].coding", "expected ami or hdb3"),
    (_set("spans", 2, fraiming="esf"), "spans[2].fraiming", "did you mean 'framing'?"),
    (_set("spans", 1, timing="first"), "spans[1].timing", "expected `int`"),
    (_set("spans", 0, name="1x"), "spans[0].name", "matching"),
    (_set("spans", 1, name="e1-user"), "spans[1].name", "used twice"),
    (_set("spans", 1, port="1"), "spans[1].port", "already belongs to span 'e1-user'"),
    (_set("spans", 1, port="9"), "spans[1].port", "ports 1-4"),
    (_set("spans", 1, port="3"), "spans[1].type", "is T1"),
    (_set("spans", 3, dchannel=25), "spans[3].dchannel", "expected 0-24"),
    (_set("spans", 0, host="nowhere"), "spans[0].host", "known: sim"),
    (_set("cards", 0, cables=[[1, 9]]), "cards[0].cables[0]", "ports are 1-4"),
    (_set("cards", 0, cables=[[1, 2], [2, 3]]), "cards[0].cables[1]", "already has a cable"),
    (_set("cards", 0, kind="zaptel"), "cards[0].kind", "expected sim or dahdi"),
    (_set("groups", 0, spans=["zz"]), "groups[0].spans[0]", "known: e1-network"),
    (_set("groups", 0, spans=[]), "groups[0].spans", "at least one span"),
    (_set("groups", 0, spans=["e1-user:31-33"]), "groups[0].spans[0]", "timeslot 32 of span e1-user is no B-channel"),
    (_set("groups", 0, spans=["e1-user:16"]), "groups[0].spans[0]", "timeslot 16"),
    (_set("groups", 0, spans=["e1-user:"]), "groups[0].spans[0]", "expected such as e1-user:1-10,12"),
    (_set("groups", 0, spans=["e1-user:9-1"]), "groups[0].spans[0]", "names no timeslots"),
    (_set("groups", 0, spans=["*"], exclude=["zz"]), "groups[0].exclude[0]", "known: e1-network"),
    (_set("groups", 0, overflow="zz"), "groups[0].overflow", "known: e1-network"),
    (_set("groups", 0, overflow="e1-user"), "groups[0].overflow", "e1-user -> e1-user"),
    (_set("groups", 0, hunt="upwards"), "groups[0].hunt", "least_recently_used"),
    (_set("groups", 0, minimum=31), "groups[0].minimum", "more than the 30 channels"),
    (_set("groups", 0, answer_ratio=101), "groups[0].answer_ratio", "<= 100"),
    (_set("spans", 0, noc_phone="1\n2"), "spans[0].noc_phone", "matching"),
    (_set("spans", 1, circuit_id="e1-user"), "spans[1].circuit_id", "already belongs to span 'e1-user'"),
    (lambda table: table.update(alarms={"clear_t1_s": -1}), "alarms.clear_t1_s", ">= 0"),
    (lambda table: table.update(alarms={"clear_s": 1}), "alarms.clear_s", "did you mean"),
    (lambda table: table.update(alarms={"flap_count": 1}), "alarms.flap_count", ">= 2"),
    (lambda table: table.update(limits=[{"who": "*"}]), "limits[0]", "limits nothing"),
    (lambda table: table.update(limits=[{"who": 3, "group": "zz", "max_channels": 1}]), "limits[0].group", "known"),
    (lambda table: table.update(calls={"emergency": ["11A"]}), "calls.emergency[0]", "is no number pattern"),
    (lambda table: table.update(performance={"day": {"XS": 1}}), "performance.day", "no parameter is called 'XS'"),
    (lambda table: table.update(performance={"quarters": {}}), "performance.quarters", "did you mean 'quarter'?"),
    (lambda table: table["spans"][2].pop("card"), "spans[2].card", "is missing"),
    (lambda table: table.update(span=[]), "span", "did you mean 'spans'?"),
    (lambda table: table.update(calls={"offer_s": 9}), "calls.offer_s", "<= 3.0"),
    (lambda table: table["service"].update(supervisor="init"), "service.supervisor", "daemon or systemd"),
]


@pytest.mark.parametrize(("change", "where", "says"), WRONG, ids=[f"{where}: {says}" for _, where, says in WRONG])
def test_a_wrong_file_is_refused_with_its_place_and_what_would_be_right(
    change: Callable[[dict[str, Any]], object], where: str, says: str
) -> None:
    table = copy.deepcopy(EMBEDDED)
    change(table)
    with pytest.raises(ConfigError) as refused:
        parse(table)
    assert refused.value.where == where
    assert str(refused.value).startswith(where)
    assert says in str(refused.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(
        ["service", "access", "calls", "alarms", "cards", "hosts", "spans", "groups", "limits", "performance", "x"]
    ),
    VALUES,
)
def test_no_content_of_a_section_gets_past_as_anything_but_a_config_error(section: str, value: Any) -> None:
    with contextlib.suppress(ConfigError):
        parse({**EMBEDDED, section: value})
