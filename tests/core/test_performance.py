# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from dahdi_py.core import far_end_reports
from dahdi_py.core.performance_bins import (
    DAY_S,
    DAYS,
    DEFAULT_THRESHOLDS,
    ERRORED,
    QUARTER_S,
    QUARTERS,
    TOTAL,
    Bin,
    Completeness,
    Crossing,
    Errored,
    History,
    HistoryState,
    thresholds,
)
from dahdi_py.core.performance_norms import THRESHOLD_PARAMETERS, End, Norm, parameters
from dahdi_py.core.performance_second import DEFECTS, LineKind, Second, counted, line_kind
from dahdi_py.core.terms import Alarms, LineType
from tests.core import performance_oracle as oracle
from tests.core.performance_oracle import Seen
from tests.core.performance_rig import BEGIN, E1, NO_LIMITS, T1, assert_like, fed, lives, row, second, shown


@settings(max_examples=200, deadline=None)
@given(lives())
def test_an_e1_is_counted_as_the_standards_say(seconds: list[Seen]) -> None:
    history = fed(seconds)
    heard = [one for one in seconds if not one.framing]
    for length in (QUARTER_S, DAY_S):
        near = oracle.figures(seconds, length, oracle.e1_severe, oracle.e1_mib, "UAS")
        assert_like(history, near, length, End.NEAR, Norm.RFC4805)
        near = oracle.figures(seconds, length, oracle.g826_severe, oracle.g826, "UAS")
        assert_like(history, near, length, End.NEAR, Norm.G826)
        far = oracle.figures(heard, length, oracle.far_severe, oracle.g826_far, "UAS")
        assert_like(history, far, length, End.FAR, Norm.G826)
    total = shown(history, TOTAL, seconds[0].at, End.NEAR, Norm.RFC4805)
    assert total["UAS"] == sum(oracle.unavailable(seconds, oracle.e1_severe))
    assert total["DM"] == oracle.degraded_minutes(_known(seconds, history), oracle.e1_severe, 2_048_000)


def _known(seconds: list[Seen], history: History) -> list[Seen]:
    """Without those at the end of which it is not known yet whether they are available."""
    waiting = history.state.measures[f"{End.NEAR} {Norm.RFC4805}"].pending
    return seconds[: len(seconds) - len(waiting)] if waiting else seconds


@settings(max_examples=200, deadline=None)
@given(lives())
def test_a_t1_has_line_and_path_apart(seconds: list[Seen]) -> None:
    history = fed(seconds, T1)
    path = oracle.figures(seconds, QUARTER_S, oracle.t1_severe, oracle.t1_path, "UAS-P")
    assert_like(history, path, QUARTER_S, End.NEAR, Norm.T1_231)
    always = oracle.figures(seconds, QUARTER_S, lambda one: False, oracle.t1_line, "never")
    for start, counts in always.items():
        del counts["never"]
        got = shown(history, QUARTER_S, start, End.NEAR, Norm.T1_231)
        assert {name: got[name] for name in counts} == counts


@settings(max_examples=60, deadline=None)
@given(lives(), st.integers(1, 60))
def test_what_was_written_down_goes_on_as_if_nothing_had_happened(seconds: list[Seen], every: int) -> None:
    whole = fed(seconds)
    history = History(NO_LIMITS)
    kept: dict[tuple[int, int], bytes] = {}
    for n, one in enumerate(seconds):
        history.feed(second(one), E1)
        for key in history.gone:
            kept.pop(key, None)
        kept.update({key: msgspec.json.encode(history.bins[key]) for key in history.changed})
        history.changed.clear()
        history.gone.clear()
        if n % every == 0:
            state = msgspec.json.decode(msgspec.json.encode(history.state), type=HistoryState)
            bins = [msgspec.json.decode(octets, type=Bin) for octets in kept.values()]
            errored = msgspec.json.decode(msgspec.json.encode(history.errored), type=list[Errored])
            history = History(NO_LIMITS, state, bins, errored)
    assert history.bins == whole.bins
    assert history.errored == whole.errored
    assert history.state == whole.state


def test_unavailable_time_that_begins_before_a_bins_end_is_taken_back_from_it() -> None:
    edge = BEGIN + QUARTER_S
    history = History(NO_LIMITS)
    for one in row(edge - 6, 9, los=1):
        history.feed(second(one), E1)
    before = shown(history, QUARTER_S, BEGIN, End.NEAR, Norm.RFC4805)
    assert (before["SES"], before["UAS"]) == (6, 0)
    history.feed(second(Seen(edge + 3, los=True)), E1)
    before = shown(history, QUARTER_S, BEGIN, End.NEAR, Norm.RFC4805)
    after = shown(history, QUARTER_S, edge, End.NEAR, Norm.RFC4805)
    assert (before["ES"], before["SES"], before["LES"], before["UAS"]) == (0, 0, 0, 6)
    assert (after["ES"], after["SES"], after["UAS"]) == (0, 0, 4)


def test_unavailable_time_that_ends_before_a_bins_end_gives_the_seconds_back() -> None:
    edge = BEGIN + QUARTER_S
    history = fed([*row(edge - 30, 25, ais=1), *row(edge - 5, 9, crc=1)])
    assert shown(history, QUARTER_S, BEGIN, End.NEAR, Norm.RFC4805)["UAS"] == 30
    history.feed(second(Seen(edge + 4, crc=1)), E1)
    before = shown(history, QUARTER_S, BEGIN, End.NEAR, Norm.RFC4805)
    after = shown(history, QUARTER_S, edge, End.NEAR, Norm.RFC4805)
    assert (before["UAS"], before["ES"], before["PCV"]) == (25, 5, 5)
    assert (after["UAS"], after["ES"], after["PCV"]) == (0, 5, 5)


def test_the_limits_of_the_norms_differ() -> None:
    history = fed([Seen(BEGIN, crc=300), Seen(BEGIN + 1, crc=831), Seen(BEGIN + 2, crc=832), Seen(BEGIN + 3, crc=299)])
    assert shown(history, QUARTER_S, BEGIN, End.NEAR, Norm.RFC4805)["SES"] == 1
    g826 = shown(history, QUARTER_S, BEGIN, End.NEAR, Norm.G826)
    assert (g826["SES"], g826["BBE"], g826["ES"]) == (3, 299, 4)
    history = fed([Seen(BEGIN, crc=319, bpv=1544), Seen(BEGIN + 1, crc=320)], T1)
    t1 = shown(history, QUARTER_S, BEGIN, End.NEAR, Norm.T1_231)
    assert (t1["SES-P"], t1["SES-L"], t1["ES-P"], t1["ES-L"]) == (1, 1, 2, 1)


def judged(kind: LineKind, norm: Norm, **counts: int) -> dict[str, int]:
    history = History(NO_LIMITS)
    history.feed(Second(at=BEGIN, counts=counts), kind)
    return shown(history, QUARTER_S, BEGIN, End.NEAR, norm)


def test_lines_without_a_checksum_go_by_frames_and_violations() -> None:
    assert judged(LineKind.D4, Norm.RFC4805, fas=1, bpv=0)["SES"] == 1
    assert judged(LineKind.D4, Norm.RFC4805, fas=0, bpv=1543) == {
        "ES": 1, "SES": 0, "SEFS": 0, "PCV": 0, "LCV": 1543, "LES": 1, "DM": 0, "UAS": 0,
    }  # fmt: skip
    assert judged(LineKind.D4, Norm.RFC4805, fas=0, cv=1544)["SES"] == 1
    assert judged(LineKind.D4, Norm.T1_231, fas=7)["SES-P"] == 0
    assert judged(LineKind.D4, Norm.T1_231, fas=8)["SES-P"] == 1
    assert judged(LineKind.E1, Norm.RFC4805, fas=5, bpv=2047)["SES"] == 0
    assert judged(LineKind.E1, Norm.RFC4805, fas=5, bpv=2048)["SES"] == 1
    assert judged(LineKind.E1, Norm.G826, fas=5) == {"ES": 1, "SES": 0, "UAS": 0}


def test_what_is_not_counted_is_not_told_and_what_may_be_more_is_marked() -> None:
    history = History(NO_LIMITS)
    history.feed(Second(at=BEGIN), E1)
    one = history.bins[QUARTER_S, BEGIN]
    near = one.figures["near RFC 4805"]
    assert set(near.counts) == {"ES", "SES", "SEFS", "UAS"}
    assert {"ES", "SES", "UAS"} <= near.estimated
    assert "SEFS" not in near.estimated
    assert set(one.figures["near G.826"].counts) == {"ES", "SES", "UAS"}
    assert set(one.figures["far RFC 4805"].counts) == {"ES", "SES", "UAS"}
    sound = {"crc": 0, "ebit": 0, "bpv": 0, "slips": 0}
    history = History(NO_LIMITS)
    history.feed(Second(at=BEGIN, counts=sound), E1)
    assert [figures.estimated for figures in history.bins[QUARTER_S, BEGIN].figures.values()] == [set()] * 4
    low = frozenset({"crc", "bpv", "ebit", DEFECTS})
    history = History(NO_LIMITS)
    history.feed(Second(at=BEGIN, counts=sound | {"errored_seconds": 1}, estimated=low), E1)
    one = history.bins[QUARTER_S, BEGIN]
    for key in ("near RFC 4805", "near G.826"):
        assert one.figures[key].counts["ES"] == 1
        assert "ES" not in one.figures[key].estimated
        assert {"SES", "UAS"} <= one.figures[key].estimated


@given(
    st.sampled_from(LineKind),
    st.dictionaries(st.sampled_from(["crc", "ebit", "fas", "bpv", "slips"]), st.just(1)),
    st.sampled_from([0, 0xFFFF, None]),
)
def test_every_figure_is_a_parameter_that_is_told(kind: LineKind, counts: dict[str, int], report: int | None) -> None:
    history = History(NO_LIMITS)
    counts |= far_end_reports.counts(report) if report is not None and kind is LineKind.ESF else {}
    history.feed(Second(at=BEGIN, counts=counts), kind)
    known = parameters(kind)
    for key, figures in history.bins[QUARTER_S, BEGIN].figures.items():
        names = next(names for (end, norm), names in known.items() if f"{end} {norm}" == key)
        assert figures.counts.keys() <= set(names)
        assert figures.estimated <= set(names)
    assert set(DEFAULT_THRESHOLDS[QUARTER_S]) <= THRESHOLD_PARAMETERS


def test_a_threshold_is_reached_once_a_bin_and_parameter() -> None:
    history = History(thresholds({"ES": 3, "BBE": 0}, {"ES": 5}))
    crossings = [c for one in row(BEGIN, 10, crc=1) for c in history.feed(second(one), E1)]
    day = BEGIN - BEGIN % DAY_S
    assert crossings == [
        Crossing(Norm.G826, "ES", BEGIN, QUARTER_S, 3, 3), Crossing(Norm.G826, "ES", day, DAY_S, 5, 5),
    ]  # fmt: skip
    assert history.bins[QUARTER_S, BEGIN].crossed == ["ES"]
    later = [c for one in row(BEGIN + QUARTER_S, 4, crc=1) for c in history.feed(second(one), E1)]
    assert [(c.parameter, c.start) for c in later] == [("ES", BEGIN + QUARTER_S)]


def test_slips_and_a_t1s_parameters_have_thresholds_too() -> None:
    history = History(thresholds({}, {}))
    crossings = history.feed(second(Seen(BEGIN, slips=1)), E1)
    assert [(c.norm, c.parameter) for c in crossings] == [(Norm.RFC4805, "CSS")]
    history = History(thresholds({}, {}))
    crossings = [c for one in row(BEGIN, 12, los=1) for c in history.feed(second(one), T1)]
    assert {(c.norm, c.parameter) for c in crossings} == {
        (Norm.T1_231, "UAS-P"), (Norm.T1_231, "SES-L"),
    }  # fmt: skip


def test_a_bin_says_how_far_it_can_be_trusted() -> None:
    history = fed(row(BEGIN, QUARTER_S))
    whole = history.bins[QUARTER_S, BEGIN]
    now = BEGIN + QUARTER_S
    assert whole.completeness(End.NEAR, now - 1, now) is Completeness.COMPLETE
    current = fed(row(BEGIN, 100)).bins[QUARTER_S, BEGIN]
    assert current.completeness(End.NEAR, BEGIN + 99, BEGIN + 105) is Completeness.COMPLETE
    assert current.completeness(End.NEAR, BEGIN + 99, BEGIN + 500) is Completeness.PARTIAL
    assert current.completeness(End.NEAR, BEGIN + 99, now + 60) is Completeness.PARTIAL
    holed = fed([*row(BEGIN, 10), *row(BEGIN + 20, 10)]).bins[QUARTER_S, BEGIN]
    assert holed.completeness(End.NEAR, BEGIN + 29, BEGIN + 31) is Completeness.PARTIAL
    deaf = fed(row(BEGIN, 10, los=1)).bins[QUARTER_S, BEGIN]
    assert deaf.completeness(End.NEAR, BEGIN + 9, BEGIN + 10) is Completeness.COMPLETE
    assert deaf.completeness(End.FAR, BEGIN + 9, BEGIN + 10) is Completeness.PARTIAL
    history.feed(Second(at=now, suspect="counter_reset"), E1)
    assert history.bins[QUARTER_S, now].completeness(End.NEAR, now, now) is Completeness.SUSPECT


def test_a_clock_that_was_set_back_leaves_no_future_and_marks_what_it_repeats() -> None:
    history = fed([*row(BEGIN, 20, crc=1), *row(BEGIN + QUARTER_S, 5, crc=1)])
    history.changed.clear()
    history.feed(second(Seen(BEGIN + 10)), E1)
    assert history.gone == {(QUARTER_S, BEGIN + QUARTER_S)}
    assert history.bins[QUARTER_S, BEGIN].reasons == {"clock_step"}
    assert history.starts(QUARTER_S) == [BEGIN]
    assert [one.first for one in history.errored] == [BEGIN]
    assert shown(history, TOTAL, BEGIN, End.NEAR, Norm.RFC4805)["ES"] == 25


def test_seconds_that_wait_when_the_clock_is_set_back_are_of_no_bin_to_come() -> None:
    history = fed([*row(BEGIN, 20), *row(BEGIN + QUARTER_S, 5, los=1)])
    history.feed(second(Seen(BEGIN + 10)), E1)
    assert history.starts(QUARTER_S) == [BEGIN]
    assert "ES" in history.bins[QUARTER_S, BEGIN].figures["near G.826"].counts
    assert shown(history, QUARTER_S, BEGIN, End.NEAR, Norm.G826)["ES"] == 0
    assert shown(history, TOTAL, BEGIN, End.NEAR, Norm.G826)["ES"] == 5


def test_a_clock_that_began_in_the_future_moves_the_beginning_of_all() -> None:
    history = fed(row(BEGIN + 10 * DAY_S, 5, crc=1))
    history.feed(second(Seen(BEGIN, crc=1)), E1)
    assert history.starts(TOTAL) == [BEGIN]
    assert history.gone == {
        (TOTAL, BEGIN + 10 * DAY_S), (QUARTER_S, BEGIN + 10 * DAY_S),
        (DAY_S, (BEGIN + 10 * DAY_S) // DAY_S * DAY_S),
    }  # fmt: skip
    assert history.errored == [Errored(BEGIN, 1, {"crc": 1}, 0)]
    assert shown(history, TOTAL, BEGIN, End.NEAR, Norm.RFC4805)["ES"] == 6
    assert history.changed <= set(history.bins)
    assert (TOTAL, BEGIN) in history.changed


def test_no_more_is_kept_than_was_promised() -> None:
    history = History(NO_LIMITS)
    for n in range(200):
        history.feed(second(Seen(BEGIN + n * QUARTER_S, crc=1)), E1)
    for n in range(40):
        history.feed(second(Seen(BEGIN + (n + 3) * DAY_S, crc=1)), E1)
    assert len(history.starts(QUARTER_S)) == QUARTERS + 1
    assert len(history.starts(DAY_S)) == DAYS + 1
    assert len(history.starts(TOTAL)) == 1
    assert len(history.errored) == ERRORED
    assert history.view(QUARTER_S, 0) is None
    assert not history.gone & set(history.bins)


def test_what_the_far_end_reports_is_no_errored_second_of_ours() -> None:
    assert fed([Seen(BEGIN, report="G6 SE LV"), Seen(BEGIN + 1, report="G1")], T1).errored == []


def test_errored_seconds_in_a_row_are_one_entry() -> None:
    history = fed([*row(BEGIN, 3, crc=2), *row(BEGIN + 3, 2), *row(BEGIN + 5, 2, los=1), Seen(BEGIN + 7, crc=1)])
    assert history.errored == [
        Errored(BEGIN, 3, {"crc": 6}, 0), Errored(BEGIN + 5, 2, {}, int(Alarms.RED | Alarms.LOS)),
        Errored(BEGIN + 7, 1, {"crc": 1}, 0),
    ]  # fmt: skip


def test_counters_that_run_backwards_or_wild_do_no_harm() -> None:
    before = {"crc": 100, "bpv": 5, "slips": None, "ebit": 7}
    assert counted(before, {"crc": 103, "bpv": 5, "slips": None, "ebit": None}, 1.0) == ({"crc": 3, "bpv": 0}, False)
    assert counted(before, {"crc": 2, "bpv": 6}, 1.0) == ({"crc": 0, "bpv": 1}, True)
    assert counted(before, {"crc": 4_294_967_295, "bpv": 5}, 1.0) == ({"crc": 0, "bpv": 0}, True)
    assert counted({}, {"crc": 900_000}, 1.0) == ({"crc": 0}, False)
    assert counted(before, {"crc": 2100, "bpv": 5}, 1.0) == ({"crc": 2000, "bpv": 0}, False)


@given(st.dictionaries(st.sampled_from(["crc", "bpv", "slips"]), st.integers(0, 2**32) | st.none()),
       st.dictionaries(st.sampled_from(["crc", "bpv", "slips"]), st.integers(0, 2**32) | st.none()),
       st.floats(0.01, 10))  # fmt: skip
def test_no_second_counts_less_than_nothing_or_more_than_a_line_carries(
    before: dict[str, int | None], now: dict[str, int | None], elapsed_s: float
) -> None:
    counts, _ = counted(before, now, elapsed_s)
    assert set(counts) == {name for name, value in now.items() if value is not None}
    assert all(0 <= count <= 2_048_000 * (elapsed_s + 1) for count in counts.values())


def test_kinds_of_lines() -> None:
    assert line_kind(LineType.T1, "d4", None) is LineKind.D4
    assert line_kind(LineType.T1, None, None) is LineKind.ESF
    assert line_kind(LineType.E1, "ccs", False) is LineKind.E1
    assert line_kind(LineType.E1, "ccs", None) is LineKind.E1_CRC
