# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from dahdi_py.core.clockplan import Timed, findings
from dahdi_py.core.terms import Node


def timed(number: int, priority: int, node: Node = Node.CPE, usable: bool = True, source: str = "") -> Timed:
    return Timed(f"s{number}", number, "te4", node, priority, usable, source)


def kinds(*spans: Timed) -> list[str]:
    return [one.kind for one in findings(spans)]


def test_a_sound_plan_has_no_findings() -> None:
    assert kinds(timed(1, 1, source="s1"), timed(2, 2, source="s1"), timed(3, 0, Node.NETWORK)) == []
    assert kinds(timed(1, 0, Node.NETWORK), timed(2, 0, Node.NETWORK)) == []
    assert kinds() == []


def test_user_sides_without_a_source_slip() -> None:
    (one,) = findings([timed(1, 0), timed(2, 0), timed(3, 0, Node.NETWORK)])
    assert (one.kind, one.card, one.spans) == ("no_source", "te4", ("s1", "s2"))
    assert one.text.startswith(
        "Card te4 takes its timing from no line, but span 1 (s1) and span 2 (s2) are on the user"
    )
    assert "span 1 (s1) is on the user side" in findings([timed(1, 0)])[0].text


def test_two_of_one_priority_are_named() -> None:
    (one,) = findings([timed(1, 1), timed(2, 1), timed(3, 2)])
    assert (one.kind, one.spans) == ("two_firsts", ("s1", "s2"))
    assert one.text.startswith("Span 1 (s1) and span 2 (s2) of card te4 all have timing = 1")
    assert kinds(timed(1, 1), timed(2, 2), timed(3, 2), timed(4, 2)) == ["same_priority"]


def test_each_card_has_a_plan_of_its_own() -> None:
    other = Timed("o1", 9, "other", Node.CPE, 1, True)
    assert kinds(timed(1, 1), other) == []


def test_a_network_side_is_no_source() -> None:
    (one,) = findings([timed(1, 1), timed(2, 2, Node.NETWORK)])
    assert (one.kind, one.spans) == ("network_source", ("s2",))


def test_a_source_that_gives_no_clock_is_said() -> None:
    (one,) = findings([timed(1, 1, usable=False), timed(2, 2)])
    assert (one.kind, one.spans) == ("source_in_alarm", ("s1",))
    assert one.text.endswith("span 2 (s2) is next in the plan.")
    (one,) = findings([timed(1, 1, usable=False), timed(2, 2, usable=False)])
    assert (one.kind, one.spans) == ("source_in_alarm", ("s1", "s2"))
    assert "its own oscillator" in one.text


def test_a_card_that_follows_another_than_the_first_is_said() -> None:
    (one,) = findings([timed(1, 1, source="s2"), timed(2, 2, source="s2")])
    assert (one.kind, one.spans) == ("fallen_back", ("s1",))
    assert one.text == "Card te4 takes its timing from s2 although span 1 (s1), the first in the plan, gives a clock."
