# SPDX-License-Identifier: GPL-2.0-or-later
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dahdi_py.core import alarm, alarm_texts
from dahdi_py.core.alarm import Capacity, Condition
from dahdi_py.core.config import Span
from dahdi_py.core.line_alarms import Failure, LineAlarms
from dahdi_py.core.terms import Alarms, LineType

EAST = Span(name="east", card="te4", host="a", port="1", type=LineType.E1, number=3)
ORDERED = Span(
    name="east", card="te4", host="a", port="1", type=LineType.E1, number=3, circuit_id="DE/4711", carrier="Telia",
    noc_phone="+46 8 555",
)  # fmt: skip
ONE_BIT = st.sampled_from([bit for bit in Alarms if bit and bit is not Alarms.RECOVER])


def of(bits: Alarms, *groups: Capacity, span: Span = EAST, clear_s: float = 10.0) -> list[Condition]:
    failures = LineAlarms(clear_s).feed(bits, 0.0)
    return [alarm_texts.of_span(span, failure, clear_s, 7, groups) for failure in failures]


@given(st.integers(0, 1 << 20))
def test_every_alarm_word_a_driver_may_report_says_something(bits: int) -> None:
    conditions = of(Alarms(bits))
    assert bool(conditions) == bool(bits)
    for condition in conditions:
        assert condition.severity in alarm.SEVERITIES
        assert condition.words
        assert condition.cause
        assert condition.next_check
        assert "3 (east)" in condition.text
        assert condition.text.endswith(".")


@given(ONE_BIT, ONE_BIT)
def test_the_worse_bit_ranks(one: Alarms, two: Alarms) -> None:
    ranks = [alarm.SEVERITIES.index(found.severity) for bits in (one, two) for found in of(bits)]
    both = [alarm.SEVERITIES.index(found.severity) for found in of(one | two)]
    assert min(both) == min(ranks)


def test_los_is_told_apart_from_lost_framing_and_from_ais() -> None:
    texts = []
    for bits in (Alarms.RED | Alarms.LOS, Alarms.RED | Alarms.LFA, Alarms.BLUE):
        (condition,) = of(bits)
        assert condition.severity == alarm.CRITICAL
        texts.append(condition.text)
    assert "no signal" in texts[0]
    assert "without framing" in texts[1]
    assert "upstream" in of(Alarms.BLUE)[0].cause


def test_whom_to_call_is_said_as_far_as_it_is_known() -> None:
    assert of(Alarms.BLUE)[0].next_check == "call the carrier"
    said = of(Alarms.BLUE, span=ORDERED)[0]
    assert said.next_check == "call the carrier Telia at +46 8 555, circuit DE/4711"
    assert said.next_check in said.text
    assert said.circuit == "DE/4711"
    assert of(Alarms.BLUE)[0].circuit == "east"


@pytest.mark.parametrize(
    ("groups", "severity"),
    [
        ([Capacity("g", 0, 60)], alarm.CRITICAL),
        ([Capacity("g", 40, 60, 50)], alarm.CRITICAL),
        ([Capacity("g", 29, 60)], alarm.MAJOR),
        ([Capacity("g", 30, 60)], alarm.MINOR),
        ([Capacity("g", 30, 60), Capacity("h", 10, 60)], alarm.MAJOR),
    ],
)
def test_the_severity_is_what_the_groups_have_left(groups: list[Capacity], severity: str) -> None:
    for condition in (*of(Alarms.RED, *groups), alarm_texts.of_dchannel(EAST, 1, groups)):
        assert condition.severity == severity
        assert f"group g has {groups[0].usable} of 60 channels left" in condition.impact


@given(st.integers(0, 99), st.integers(1, 99), st.integers(0, 99))
def test_less_is_never_less_severe(usable: int, total: int, minimum: int) -> None:
    more = Capacity("g", usable + 1, total, minimum)
    less = Capacity("g", usable, total, minimum)
    assert alarm.SEVERITIES.index(less.severity) <= alarm.SEVERITIES.index(more.severity)


def test_a_failure_that_is_being_cleared_is_a_warning_whatever_it_was() -> None:
    clearing = Failure("receive", Alarms.RECOVER, Alarms.NONE, Alarms.RED | Alarms.LOS)
    condition = alarm_texts.of_span(EAST, clearing, 10.0, 7, [Capacity("g", 0, 60)])
    assert condition.severity == alarm.WARNING
    assert condition.words == ("RED", "LOS")
    assert (condition.raw, condition.driver, condition.integrated) == (("REC",), (), ("RED", "LOS"))
    assert "10 s" in condition.text
    assert not condition.disables


def test_recovering_alone_is_a_warning() -> None:
    (condition,) = of(Alarms.RECOVER)
    assert (condition.severity, condition.words, condition.disables) == (alarm.WARNING, ("REC",), False)


def test_channels_say_why_they_are_out_of_use() -> None:
    held = alarm_texts.of_channel(EAST, 5, "quarantine", "pid 3 (pbx)", 1)
    assert "pid 3 (pbx) still holds" in held.text
    assert held.subject == "east:5"
    assert "RESTART" in alarm_texts.of_channel(EAST, 5, "quarantine", "", 1).text
    assert "far end took it out" in alarm_texts.of_channel(EAST, 5, "remote_oos", "", 1).text


def test_a_flapping_span_says_how_its_hold_down_is_ended() -> None:
    condition = alarm_texts.of_flapping(EAST, 4, 40.0, 1)
    assert "came back 4 times" in condition.text
    assert "dahdi-py spans up east --now" in condition.text


def test_the_worst_comes_first_and_among_equals_the_oldest() -> None:
    down = alarm_texts.of_host("a", "died of signal 9", ["east", "west"], 5, [Capacity("g", 0, 60)])
    older = alarm_texts.of_host("b", "", [], 4)
    silent = alarm_texts.of_dchannel(EAST, 1)
    full = alarm_texts.of_ledger("/var/lib/dahdi-py", "database or disk is full", 3, 9)
    crowded = alarm_texts.of_descriptors("/run/dahdi-py/control.sock", 10)
    failed = alarm_texts.of_emergency("112", 2, "no channel", 11)
    found = alarm.worst_first([crowded, full, silent, failed, down, older])
    assert found == [older, down, failed, silent, full, crowded]
    assert down.text == "Line host a is down and with it east, west: died of signal 9."
    assert "3 entries" in full.text
    assert "2 emergency calls" in failed.text
