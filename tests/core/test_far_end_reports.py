# SPDX-License-Identifier: GPL-2.0-or-later
"""Which report of the far end is told in which second."""

from __future__ import annotations

import random

import pytest

from dahdi_py.core.far_end_reports import WAIT, FarEnd, Report, Reports, counts

NOTHING = {"far_crc": 0, "far_severe": 0, "far_fas": 0, "far_bpv": 0, "far_slips": 0}
SILENT = {"far_reports": 0}


class Card:
    """Reports as a card tells them: how many, and the last eight."""

    def __init__(self) -> None:
        self.words: list[int] = []

    def hear(self, *words: int) -> Reports:
        self.words += words
        return Reports(len(self.words), tuple((self.words[::-1] + [0] * 8)[:8]))


def crc(told: dict[str, int]) -> int | None:
    return told.get("far_crc")


@pytest.mark.parametrize(
    ("report", "told"),
    [
        (Report(0), {}),
        (Report.G1, {"far_crc": 1}),
        (Report.G2, {"far_crc": 5}),
        (Report.G3, {"far_crc": 10}),
        (Report.G4, {"far_crc": 100}),
        (Report.G5, {"far_crc": 319}),
        (Report.G6, {"far_crc": 333}),
        (Report.SE | Report.LV, {"far_severe": 1, "far_bpv": 1}),
        (Report.FE | Report.SL | Report.LB, {"far_fas": 1, "far_slips": 1}),
    ],
)
def test_a_range_is_told_by_the_number_that_stands_for_it(report: Report, told: dict[str, int]) -> None:
    """Source: T1.231 (CV-PFE)."""
    assert counts(report | 3) == NOTHING | told


def test_a_report_is_told_a_second_four_seconds_later() -> None:
    card = Card()
    far = FarEnd(card.hear())
    told = [far.second(card.hear(word)) for word in [Report.G1, 0, Report.G2, 0, 0, 0, 0]]
    assert told[: WAIT - 1] == [SILENT] * (WAIT - 1)
    assert [crc(one) for one in told[WAIT - 1 :]] == [1, 0, 5, 0]


def test_messages_that_come_late_together_or_make_up_for_lost_ones_change_nothing() -> None:
    chance = random.Random(3)
    words = [int(chance.choice([0, 0, Report.G1, Report.G2, Report.SE])) for _ in range(2000)]
    card = Card()
    far = FarEnd(card.hear())
    told = []
    heard, reports = 0, card.hear()
    for second in range(len(words)):
        # Up to three messages in a row are lost; the next one has all that is not known.
        if second + 1 - heard == 4 or chance.random() < 0.6:
            reports = card.hear(*words[heard : second + 1])
            heard = second + 1
        told.append(far.second(reports))
    flowing = next(n for n, one in enumerate(told) if one != SILENT)
    assert flowing < 2 * WAIT
    assert told[flowing:] == [counts(word) for word in words[: len(told) - flowing]]


def test_what_is_not_reported_is_not_told_and_it_begins_again() -> None:
    card = Card()
    far = FarEnd(card.hear())
    for _ in range(10):
        reports = card.hear(0)
        far.second(reports)
    silent = [far.second(reports) for _ in range(6)]
    assert silent == [NOTHING] * (WAIT - 1) + [SILENT] * 3
    # Behind an alarm the first message has four seconds.
    told = [far.second(card.hear(Report.SE, Report.SE, Report.SE, Report.SE))]
    told += [far.second(card.hear(0)) for _ in range(5)]
    assert [one["far_severe"] for one in told] == [1, 1, 1, 1, 0, 0]


def test_a_far_end_with_a_faster_clock_is_caught_up_with() -> None:
    """Of two seconds in one the worse is told; what waits does not grow."""
    card = Card()
    far = FarEnd(card.hear())
    told = [far.second(card.hear(Report.G1, Report.G2)) for _ in range(50)]
    assert [crc(one) for one in told[-10:]] == [5] * 10
    told = [far.second(card.hear(0)) for _ in range(12)]
    assert crc(told[-1]) == 0


def test_however_much_is_reported_no_more_waits_than_some_seconds() -> None:
    """Eight seconds in each of ours; what is told is never older than three times four."""
    card = Card()
    far = FarEnd(card.hear())
    for _ in range(1000):
        far.second(card.hear(*[Report.G1] * 8))
    told = [far.second(card.hear(0)) for _ in range(3 * WAIT)]
    assert crc(told[-1]) == 0


def test_seconds_that_we_missed_are_left_out_and_what_makes_up_for_lost_messages_stays() -> None:
    card = Card()
    far = FarEnd(card.hear())
    for _ in range(WAIT):
        far.second(card.hear(0))
    assert crc(far.second(card.hear(Report.G4, 0, 0), seconds=3)) == 0
    assert crc(far.second(card.hear(0))) == 100
    late = card.hear(*[0] * 8)
    far.second(late, seconds=12)
    assert [far.second(late) for _ in range(WAIT)] == [NOTHING] * (WAIT - 1) + [SILENT]


def test_what_was_reported_while_nobody_wanted_it_is_of_the_past() -> None:
    card = Card()
    far = FarEnd(None)
    for begun in range(2):
        told = [far.second(card.hear(Report.G5)) for _ in range(WAIT)]
        assert told == [SILENT] * WAIT, begun
        assert crc(far.second(card.hear(0))) == 319
        card.hear(Report.SE, Report.SE)
        assert far.second(None) == {}


def test_a_card_that_begins_anew_and_a_line_without_reports() -> None:
    card = Card()
    far = FarEnd(card.hear(*[0] * 100))
    for _ in range(WAIT):
        far.second(card.hear(0))
    card = Card()
    told = [far.second(card.hear(Report.SE)) for _ in range(WAIT + 1)]
    assert told[-1]["far_severe"] == 1
    assert FarEnd(None).second(None) == {}
    assert FarEnd(None).second(Reports(0, (0,) * 8)) == SILENT
