# SPDX-License-Identifier: GPL-2.0-or-later
"""A T1's far end, as it reports itself: by T1.231 and RFC 4805."""

from __future__ import annotations

import dataclasses

from hypothesis import given, settings
from hypothesis import strategies as st

from dahdi_py.core.performance_bins import QUARTER_S, History
from dahdi_py.core.performance_norms import End, Norm, parameters
from dahdi_py.core.performance_second import LineKind, Second
from dahdi_py.core.terms import Alarms
from tests.core import performance_oracle as oracle
from tests.core.performance_oracle import Seen
from tests.core.performance_rig import BEGIN, NO_LIMITS, T1, assert_like, fed, lives, row, shown

_REPORTS = st.sampled_from([None, "", "", "", "G1", "G2", "G5 LV", "G6", "SE", "SL", "G1 LV FE", "G3 SL", "G4"])


@st.composite
def reported(draw: st.DrawFn) -> list[Seen]:
    """Seconds of an ESF line, with what its far end reports in each."""
    seconds: list[Seen] = []
    for one in draw(lives()):
        # Runs of it, so that unavailable time begins and ends.
        report = draw(_REPORTS) if not seconds or draw(st.integers(0, 9)) == 0 else seconds[-1].report
        seconds.append(dataclasses.replace(one, report=report))
    return seconds


@settings(max_examples=200, deadline=None)
@given(reported())
def test_a_t1s_far_end_is_counted_as_it_reports(seconds: list[Seen]) -> None:
    history = fed(seconds, T1)
    told = [one for one in seconds if one.report is not None]
    path = oracle.figures(told, QUARTER_S, oracle.t1_far_severe, oracle.t1_far, "UAS-PFE")
    assert_like(history, path, QUARTER_S, End.FAR, Norm.T1_231)
    line = oracle.figures(told, QUARTER_S, lambda one: False, lambda one: {"ES-LFE": "LV" in str(one.report)}, "never")
    for start, counts in line.items():
        assert shown(history, QUARTER_S, start, End.FAR, Norm.T1_231)["ES-LFE"] == counts["ES-LFE"]
    known = [one for one in seconds if one.report is not None or not one.framing]
    mib = oracle.figures(known, QUARTER_S, oracle.t1_far_severe, oracle.t1_far_mib, "UAS")
    for start, counts in mib.items():
        got = shown(history, QUARTER_S, start, End.FAR, Norm.RFC4805)
        assert {name: got.get(name, 0) for name in counts} == dict(counts), (start - BEGIN, counts)


def test_a_t1s_far_end_without_reports_is_known_by_its_rai_alone() -> None:
    history = fed([*row(BEGIN, 5), *row(BEGIN + 5, 3, rai=1)], T1)
    assert shown(history, QUARTER_S, BEGIN, End.FAR, Norm.RFC4805) == {"ES": 3, "SES": 3, "UAS": 0}
    known = history.bins[QUARTER_S, BEGIN].figures
    assert known["far RFC 4805"].estimated >= {"ES", "SES", "UAS"}
    assert "far T1.231" not in known
    assert (End.FAR, Norm.T1_231) not in parameters(LineKind.D4)


def silent(at: int, defects: Alarms) -> Second:
    """A second without the report that there might have been."""
    return Second(at=at, counts={"crc": 0, "far_reports": 0}, defects=int(defects))


def test_a_far_end_that_reports_says_by_rai_that_it_has_no_frames_and_else_nothing() -> None:
    history = History(NO_LIMITS)
    for n, defects in enumerate([Alarms.NONE, Alarms.YELLOW, Alarms.YELLOW, Alarms.RED | Alarms.LOS, Alarms.NONE]):
        history.feed(silent(BEGIN + n, defects), T1)
    far = shown(history, QUARTER_S, BEGIN, End.FAR, Norm.T1_231)
    assert (far["ES-PFE"], far["SES-PFE"], far["SEFS-PFE"], far["CV-PFE"]) == (2, 2, 2, 0)
    one = history.bins[QUARTER_S, BEGIN]
    assert one.seen[End.FAR] == 2
    assert one.figures["far RFC 4805"].estimated == set()


def test_errors_told_in_ranges_are_estimates() -> None:
    history = fed([Seen(BEGIN, report="G1")], T1)
    one = history.bins[QUARTER_S, BEGIN]
    assert one.figures["far RFC 4805"].estimated == one.figures["far T1.231"].estimated == set()
    history = fed([Seen(BEGIN, report="G2")], T1)
    one = history.bins[QUARTER_S, BEGIN]
    assert one.figures["far RFC 4805"].estimated == {"PCV", "DM"}
    assert one.figures["far T1.231"].estimated == {"CV-PFE"}
