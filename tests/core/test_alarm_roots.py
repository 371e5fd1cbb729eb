# SPDX-License-Identifier: GPL-2.0-or-later
"""One cause is one root: hosts hide spans, a card or an AIS upstream is one, a span hides what depends on it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dahdi_py.core import alarm_texts
from dahdi_py.core.alarm import CRITICAL, Capacity, Condition, Key
from dahdi_py.core.alarm_roots import correlate
from dahdi_py.core.config import Span
from dahdi_py.core.line_alarms import LineAlarms
from dahdi_py.core.terms import Alarms, LineType

RED = Alarms.RED | Alarms.LOS


def span(name: str, host: str = "a", card: str = "te4", carrier: str = "") -> Span:
    return Span(name=name, card=card, host=host, port="1", type=LineType.E1, number=1, carrier=carrier)


EAST, WEST, LONE = span("east"), span("west", carrier="Telia"), span("lone", "b", "te1")
CARDS = {"te4": [EAST, WEST], "te1": [LONE]}


def line(of: Span, bits: Alarms, *groups: Capacity) -> list[Condition]:
    return [alarm_texts.of_span(of, each, 10.0, 5, groups) for each in LineAlarms(10.0).feed(bits, 0.0)]


def roots(conditions: list[Condition]) -> dict[Key, Key | None]:
    return {one.key: one.under for one in correlate(conditions, CARDS)}


def test_a_failed_span_hides_its_far_end_d_channel_and_channels() -> None:
    found = roots(
        [
            *line(EAST, RED | Alarms.YELLOW),
            alarm_texts.of_dchannel(EAST, 1),
            alarm_texts.of_channel(EAST, 5, "quarantine", "", 1),
            alarm_texts.of_flapping(EAST, 3, 20.0, 1),
            alarm_texts.of_dchannel(WEST, 1),
        ]
    )
    receive = Key("span", "east", "receive")
    assert found == {
        receive: None, Key("span", "east", "transmit"): receive, Key("dchannel", "east"): receive,
        Key("channel", "east:5"): receive, Key("flapping", "east"): receive, Key("dchannel", "west"): None,
    }  # fmt: skip


def test_without_a_receive_failure_the_far_ends_hides_the_d_channel() -> None:
    found = roots([*line(EAST, Alarms.YELLOW), alarm_texts.of_dchannel(EAST, 1)])
    assert found[Key("dchannel", "east")] == Key("span", "east", "transmit")
    assert found[Key("span", "east", "transmit")] is None


def test_a_failure_that_is_being_cleared_hides_nothing() -> None:
    watched = LineAlarms(10.0)
    watched.feed(RED, 0.0)
    clearing = [alarm_texts.of_span(EAST, each, 10.0, 5) for each in watched.feed(Alarms.NONE, 1.0)]
    assert roots([*clearing, alarm_texts.of_dchannel(EAST, 1)])[Key("dchannel", "east")] is None


def test_a_host_that_is_down_hides_its_spans() -> None:
    down = alarm_texts.of_host("a", "", ["east"], 1)
    found = roots([down, *line(EAST, RED), alarm_texts.of_dchannel(WEST, 1), *line(LONE, RED)])
    assert found[Key("span", "east", "receive")] == Key("host", "a")
    assert found[Key("dchannel", "west")] == Key("host", "a")
    assert found[Key("span", "lone", "receive")] is None


def test_ais_on_every_span_of_a_card_is_one_root() -> None:
    left = Capacity("g", 0, 60)
    both = correlate([*line(EAST, Alarms.BLUE, left), *line(WEST, Alarms.BLUE, left)], CARDS)
    root = both[0]
    assert (root.kind, root.subject, root.words, root.severity) == ("card", "te4", ("AIS",), CRITICAL)
    assert "every span (east, west)" in root.text
    assert "call the carrier Telia" in root.next_check
    assert root.impact == str(left)
    assert {one.under for one in both[1:]} == {root.key}
    one_red = correlate([*line(EAST, Alarms.BLUE), *line(WEST, RED)], CARDS)
    assert all(one.under is None and one.kind == "span" for one in one_red)


def test_a_card_that_is_gone_is_one_root_and_a_single_span_is_its_own() -> None:
    both = correlate([*line(EAST, Alarms.ABSENT), *line(WEST, Alarms.ABSENT)], CARDS)
    assert both[0].words == ("ABSENT",)
    assert "seated" in both[0].text
    (alone,) = correlate(line(LONE, Alarms.ABSENT), CARDS)
    assert (alone.kind, alone.under) == ("span", None)


def test_spans_of_a_host_that_is_down_do_not_count_for_their_card() -> None:
    three = {"te4": [EAST, WEST, span("other", "b")]}
    down = alarm_texts.of_host("b", "", ["other"], 1)
    found = correlate([down, *line(EAST, Alarms.BLUE), *line(WEST, Alarms.BLUE)], three)
    assert found[0].kind == "card"
    two = {"te4": [EAST, span("other", "b")]}
    assert all(one.kind != "card" for one in correlate([down, *line(EAST, Alarms.BLUE)], two))


def test_what_was_correlated_before_is_correlated_anew() -> None:
    both = correlate([*line(EAST, Alarms.BLUE), *line(WEST, Alarms.BLUE)], CARDS)
    one = [each for each in both if each.subject in ("te4", "east")]
    assert [(each.kind, each.under) for each in correlate(one, CARDS)] == [("span", None)]


BITS = st.sampled_from(
    [Alarms.NONE, RED, Alarms.BLUE, Alarms.ABSENT, Alarms.YELLOW, Alarms.LOOPBACK, RED | Alarms.YELLOW]
)


@given(BITS, BITS, BITS, st.sets(st.sampled_from(["a", "b"])), st.sets(st.sampled_from([0, 1, 2])))
def test_nothing_is_lost_and_every_root_is_there(
    east: Alarms, west: Alarms, lone: Alarms, hosts: set[str], silent: set[int]
) -> None:
    given_ = [
        *line(EAST, east), *line(WEST, west), *line(LONE, lone), *(alarm_texts.of_host(h, "", ["x"], 1) for h in hosts),
        *(alarm_texts.of_dchannel((EAST, WEST, LONE)[at], 1) for at in silent),
    ]  # fmt: skip
    found = correlate(given_, CARDS)
    keys = {one.key for one in found}
    assert {one.key for one in given_} <= keys
    assert len(keys) == len(found)
    for one in found:
        assert one.under is None or one.under in keys
        seen = {one.key}
        under = one.under
        while under is not None:
            assert under not in seen, "nothing explains itself"
            seen.add(under)
            under = next(each.under for each in found if each.key == under)
