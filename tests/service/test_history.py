# SPDX-License-Identifier: GPL-2.0-or-later
"""The checker of histories finds what it is for: each test plants one violation, beside a history that has none."""

from __future__ import annotations

import math

from tests.service.history import Operation, Result, violations


def op(
    client: str, name: str, token: str, invoked: float, completed: float, result: Result = "ok", place: str = "a:1"
) -> Operation:
    return Operation(client, name, f"h/1/{token}", place, invoked, completed, result)


CLEAN = [
    op("c1", "allocate", "1", 0, 1),
    op("c1", "open", "1", 2, 3),
    op("c1", "release", "1", 4, 8),
    op("c2", "allocate", "2", 5, 7),  # c1 asked at 4; from then on it may have gone
    op("c1", "open", "1", 9, 10, "stale"),
    op("c2", "release", "2", 20, math.inf, "unanswered"),
    op("c3", "allocate", "3", 21, 22),
]


def test_what_can_have_happened_is_no_violation() -> None:
    assert violations(CLEAN, {"c2": 25}) == []


def test_two_owners_at_once() -> None:
    (wrong,) = violations([*CLEAN, op("c4", "allocate", "4", 22, 23)], {})
    assert "a:1 had two owners: c3 by h/1/3" in wrong


def test_a_dead_client_owns_nothing_and_a_paused_one_does() -> None:
    history = [op("c1", "allocate", "1", 0, 1), op("c2", "allocate", "2", 5, 6)]
    assert violations(history, {"c1": 4}) == []
    assert len(violations(history, {})) == 1
    assert len(violations(history, {"c1": 7})) == 1


def test_a_token_used_after_its_end_succeeded() -> None:
    (wrong,) = violations([*CLEAN, op("c1", "open", "1", 9, 10)], {})
    assert "c1 could open h/1/1 at 9" in wrong


def test_a_use_on_its_way_when_the_end_came_is_none() -> None:
    assert violations([*CLEAN, op("c1", "open", "1", 7, 10)], {}) == []


def test_a_stale_token_stays_stale() -> None:
    history = [
        op("c1", "allocate", "1", 0, 1),
        op("c2", "open", "1", 10, 11, "stale"),
        op("c2", "open", "1", 12, 13),
    ]
    assert "c2 could open h/1/1 at 12" in violations(history, {"c1": 5})[0]


def test_a_dead_clients_token_used_when_another_has_the_channel() -> None:
    history = [op("c1", "allocate", "1", 0, 1), op("c2", "allocate", "2", 5, 6), op("c3", "open", "1", 7, 8)]
    assert len(violations(history, {"c1": 4})) == 1


def test_a_lease_lost_by_a_client_that_lives() -> None:
    history = [op("c1", "allocate", "1", 0, 1), op("c1", "open", "1", 2, 3, "stale")]
    assert "c1 lost h/1/1" in violations(history, {})[0]
    assert violations(history, {"c1": 2.5}) == []


def test_a_token_given_twice_and_tokens_that_shrink() -> None:
    assert "given twice" in violations([*CLEAN, op("c4", "allocate", "3", 30, 31, place="a:2")], {"c3": 24})[0]
    (wrong,) = violations([op("c1", "allocate", "5", 0, 1), op("c2", "allocate", "4", 2, 3, place="a:2")], {})
    assert "h/1/4 does not grow" in wrong
    crossed = [op("c1", "allocate", "5", 0, 4), op("c2", "allocate", "4", 2, 3, place="a:2")]
    assert violations(crossed, {}) == []


def test_a_token_nobody_was_given() -> None:
    assert "which was never given" in violations([op("c1", "release", "9", 0, 1)], {})[0]
