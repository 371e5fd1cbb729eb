# SPDX-License-Identifier: GPL-2.0-or-later
from hypothesis import given
from hypothesis import strategies as st

from dahdi_py.core import alarm
from dahdi_py.core.terms import Alarms

ONE_BIT = st.sampled_from([bit for bit in Alarms if bit])


@given(st.integers(0, 1 << 20))
def test_every_alarm_word_a_driver_may_report_says_something(bits: int) -> None:
    condition = alarm.of_span("east", 3, Alarms(bits), 7)
    if not bits:
        assert condition is None
        return
    assert condition is not None
    assert condition.severity in alarm.SEVERITIES
    assert condition.words
    assert "3 (east)" in condition.text
    assert condition.text.endswith(".")


@given(ONE_BIT, ONE_BIT)
def test_the_worse_bit_speaks(one: Alarms, two: Alarms) -> None:
    ranks = [alarm.SEVERITIES.index(found.severity) for bits in (one, two) if (found := alarm.of_span("a", 1, bits, 0))]
    both = alarm.of_span("a", 1, one | two, 0)
    assert both is not None
    assert alarm.SEVERITIES.index(both.severity) == min(ranks)


def test_los_is_told_apart_from_lost_framing_and_from_ais() -> None:
    texts = []
    for bits in (Alarms.RED | Alarms.LOS, Alarms.RED | Alarms.LFA, Alarms.BLUE):
        condition = alarm.of_span("a", 1, bits, 0)
        assert condition is not None
        assert condition.severity == alarm.CRITICAL
        texts.append(condition.text)
    assert "no signal" in texts[0]
    assert "without framing" in texts[1]
    assert "upstream" in texts[2]


def test_the_worst_comes_first_and_among_equals_the_oldest() -> None:
    down = alarm.of_host("a", "died of signal 9", ["east", "west"], 5)
    older = alarm.of_host("b", "", [], 4)
    silent = alarm.of_dchannel("east", 1, 16, 1)
    full = alarm.of_ledger("/var/lib/dahdi-py", "database or disk is full", 3, 9)
    assert alarm.worst_first([full, silent, down, older]) == [older, down, silent, full]
    assert down.text == "Line host a is down and with it east, west: died of signal 9."
    assert "3 entries" in full.text
