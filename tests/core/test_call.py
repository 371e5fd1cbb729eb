# SPDX-License-Identifier: GPL-2.0-or-later
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dahdi_py.core.call import LATEST_CLAIM_S, Call, CallPhase, CallTimers
from dahdi_py.core.terms import Node
from dahdi_py.errors import WrongCallState

TIMERS = CallTimers(answer_s=180, proceed_s=60, claim_by_s=3)


def outgoing() -> Call:
    return Call("c", True, TIMERS, 100.0)


def incoming() -> Call:
    return Call("c", False, TIMERS, 100.0)


def test_an_outgoing_call_has_one_timer_a_phase() -> None:
    call = outgoing()
    assert call.deadline is None  # T303 is libpri's
    assert call.proceeding(101)
    assert call.deadline == 161
    assert call.alerting(102)
    assert call.deadline == 282
    assert call.answered()
    assert call.deadline is None
    assert (call.phase, call.expire(1e9)) == (CallPhase.ACTIVE, None)


def test_what_comes_late_or_twice_is_no_news() -> None:
    call = outgoing()
    assert call.alerting(101)
    assert not call.proceeding(102)
    assert not call.alerting(103)
    assert call.answered()
    assert not call.answered()
    call.progressed(104)
    assert call.phase is CallPhase.ACTIVE


@pytest.mark.parametrize(
    ("step", "cause", "word"),
    [(lambda c: c.proceeding(100), 102, "T310"), (lambda c: c.alerting(100), 19, "T301"),
     (lambda c: c.acknowledged(100, Node.CPE), 102, "T304")],
)  # fmt: skip
def test_each_timer_clears_with_its_cause(step: Callable[[Call], bool], cause: int, word: str) -> None:
    call = outgoing()
    assert step(call)
    assert call.deadline is not None
    assert call.expire(call.deadline - 0.01) is None
    expiry = call.expire(call.deadline)
    assert expiry is not None
    assert expiry.cause == cause
    assert word in expiry.reason


def test_progress_stops_t310() -> None:
    call = outgoing()
    call.proceeding(100)
    call.progressed(101)
    assert call.deadline == 281


def test_digits_give_the_far_end_more_time() -> None:
    call = outgoing()
    assert call.acknowledged(100, Node.NETWORK)
    assert call.deadline == 120
    assert not call.acknowledged(101, Node.NETWORK)
    call.send_digits(110)
    assert call.deadline == 140


def test_the_callers_own_limits_come_first() -> None:
    call = outgoing()
    call.limit(100, 10, 0)
    call.proceeding(101)
    call.alerting(102)
    assert call.deadline == 110
    expiry = call.expire(110)
    assert expiry is not None
    assert expiry.cause == 19
    call.answered()
    assert call.deadline is None


def test_a_detached_call_ends_in_any_phase() -> None:
    call = outgoing()
    call.limit(100, 0, 30)
    call.proceeding(101)
    call.answered()
    assert call.deadline == 130
    expiry = call.expire(130)
    assert expiry is not None
    assert expiry.cause == 16


def test_an_offer_is_refused_when_nobody_claims_it() -> None:
    call = incoming()
    assert call.deadline == 103
    expiry = call.expire(103)
    assert expiry is not None
    assert expiry.cause == 41


@given(st.floats(100, 104))
def test_a_held_offer_never_outlives_the_far_ends_t303(now: float) -> None:
    call = incoming()
    call.offer_again(now, 1.0)
    assert call.deadline is not None
    assert 103 <= call.deadline <= 100 + LATEST_CLAIM_S < 104


def test_an_incoming_call_goes_forward_only() -> None:
    call = incoming()
    for early in (call.alert, call.progress, call.answer):
        with pytest.raises(WrongCallState) as wrong:
            early()
        assert wrong.value.state == "offered"
    call.claim()
    assert (call.claimed, call.deadline) == (True, None)
    call.progress()
    call.alert()
    call.progress()
    with pytest.raises(WrongCallState):
        call.alert()
    call.answer()
    for late in (call.claim, call.alert, call.progress, call.answer):
        with pytest.raises(WrongCallState):
            late()


def test_an_outgoing_call_takes_no_answers_of_ours() -> None:
    call = outgoing()
    for operation in (call.claim, call.alert, call.progress, call.answer):
        with pytest.raises(WrongCallState, match="outgoing"):
            operation()


def test_tones_after_disconnect_do_not_last_for_ever() -> None:
    call = incoming()
    call.claim()
    call.clearing_in_band(200)
    assert call.deadline == 225
    expiry = call.expire(225)
    assert expiry is not None
    assert expiry.cause == 16
    call.clearing()
    assert call.expire(1e9) is None
    with pytest.raises(WrongCallState):
        call.send_digits(201)


STEPS: dict[str, Callable[[Call, float], object]] = {
    "acknowledged": lambda call, now: call.acknowledged(now, Node.CPE),
    "proceeding": lambda call, now: call.proceeding(now),
    "progressed": lambda call, now: call.progressed(now),
    "alerting": lambda call, now: call.alerting(now),
    "answered": lambda call, now: call.answered(),
    "claim": lambda call, now: call.claim(),
    "alert": lambda call, now: call.alert(),
    "progress": lambda call, now: call.progress(),
    "answer": lambda call, now: call.answer(),
    "digits": lambda call, now: call.send_digits(now),
    "clearing_in_band": lambda call, now: call.clearing_in_band(now),
    "clearing": lambda call, now: call.clearing(),
}


@given(st.booleans(), st.lists(st.sampled_from(sorted(STEPS)), max_size=12), st.integers(0, 20))
def test_phases_only_move_on_whatever_comes(out: bool, steps: list[str], hangup_after: int) -> None:
    call = Call("c", out, TIMERS, 0.0)
    if out:
        call.limit(0.0, 0, hangup_after)
    order = list(CallPhase)
    for now, step in enumerate(steps):
        before = call.phase
        try:
            STEPS[step](call, float(now))
        except WrongCallState:
            assert call.phase is before
        assert order.index(call.phase) >= order.index(before)
        if call.deadline is not None:
            assert call.expire(call.deadline) is not None
            assert call.deadline > 0
