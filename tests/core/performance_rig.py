# SPDX-License-Identifier: GPL-2.0-or-later
"""Lives of lines, second by second, and what a history makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from dahdi_py.core import far_end_reports
from dahdi_py.core.far_end_reports import Report
from dahdi_py.core.performance_bins import DAY_S, DEFAULT_THRESHOLDS, QUARTER_S, History, thresholds
from dahdi_py.core.performance_norms import End, Norm
from dahdi_py.core.performance_second import LineKind, Second
from dahdi_py.core.terms import Alarms
from tests.core.performance_oracle import Seen

NO_LIMITS = thresholds(dict.fromkeys(DEFAULT_THRESHOLDS[QUARTER_S], 0), dict.fromkeys(DEFAULT_THRESHOLDS[DAY_S], 0))
BEGIN = 1_795_600_800  # a quarter hour's beginning
E1, T1 = LineKind.E1_CRC, LineKind.ESF


def second(one: Seen) -> Second:
    defects = Alarms.NONE
    for seen, alarms in (
        (one.los, Alarms.RED | Alarms.LOS), (one.lof, Alarms.RED | Alarms.LFA), (one.ais, Alarms.BLUE),
        (one.rai, Alarms.YELLOW),
    ):  # fmt: skip
        if seen:
            defects |= alarms
    counts = {"crc": one.crc, "ebit": one.ebit, "bpv": one.bpv, "slips": one.slips}
    if one.report is not None:
        counts |= far_end_reports.counts(sum(Report[bit] for bit in one.report.split()))
    return Second(at=one.at, counts=counts, defects=int(defects))


def fed(seconds: Sequence[Seen], kind: LineKind = E1) -> History:
    history = History(NO_LIMITS)
    for one in seconds:
        history.feed(second(one), kind)
    return history


def shown(history: History, length: int, start: int, end: End, norm: Norm) -> dict[str, int]:
    one = history.view(length, start)
    assert one is not None
    return one.figures[f"{end} {norm}"].counts


def assert_like(
    history: History, expected: Mapping[int, Mapping[str, int]], length: int, end: End, norm: Norm
) -> None:  # fmt: skip
    for start, counts in expected.items():
        got = shown(history, length, start, end, norm)
        assert {name: got[name] for name in counts} == counts, (start - BEGIN, end, norm)


_KINDS = st.sampled_from(
    ["clean"] * 4 + ["es", "bes", "ses", "g826", "los", "lof", "ais", "rai", "febe", "slip", "bpv"]
)
_LENGTHS = st.one_of(st.integers(1, 12), st.integers(9, 11), st.integers(1, 200))
_GAPS = st.sampled_from([0] * 9 + [1, 30, 900])
_RUNS = st.lists(st.tuples(_KINDS, _LENGTHS, _GAPS), min_size=1, max_size=25)
_SECONDS: dict[str, dict[str, Any]] = {
    "clean": {}, "es": {"crc": 1}, "bes": {"crc": 319}, "ses": {"crc": 832}, "g826": {"crc": 300}, "los": {"los": True},
    "lof": {"lof": True}, "ais": {"ais": True}, "rai": {"rai": True, "ebit": 3}, "febe": {"ebit": 832},
    "slip": {"slips": 1}, "bpv": {"bpv": 1544},
}  # fmt: skip


@st.composite
def lives(draw: st.DrawFn) -> list[Seen]:
    """Seconds of a line, some of them missing, over several bins."""
    at = BEGIN + draw(st.integers(QUARTER_S - 40, QUARTER_S - 1))
    seconds = []
    for kind, length, gap in draw(_RUNS):
        at += gap
        for _ in range(length):
            seconds.append(Seen(at, **_SECONDS[kind]))
            at += 1
    return seconds


def row(at: int, count: int, **what: Any) -> list[Seen]:
    return [Seen(at + n, **what) for n in range(count)]
