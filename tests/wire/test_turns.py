# SPDX-License-Identifier: GPL-2.0-or-later
"""Turns go round the users, and each user's connections; who asks now and then goes first."""

from collections.abc import Callable

import pytest

from dahdi_py.wire.peer import Limits
from dahdi_py.wire.turns import Turns


class Steps:
    """A loop that runs what is due when it is told to."""

    def __init__(self) -> None:
        self.due: list[Callable[[], None]] = []

    def call_later(self, delay: float, callback: Callable[[], None], /) -> "Steps":
        self.due.append(callback)
        return self

    def cancel(self) -> None:
        raise AssertionError("nobody cancels a round")

    def add_reader(self, fd: int, callback: Callable[[], None], /) -> None:
        raise AssertionError("turns watch nothing")

    add_writer = add_reader

    def remove_reader(self, fd: int, /) -> bool:
        raise AssertionError("turns watch nothing")

    remove_writer = remove_reader

    def step(self) -> None:
        due, self.due = self.due, []
        for callback in due:
            callback()


class Talker:
    """A connection that always has something more to say."""

    def __init__(self, turns: Turns, name: str, uid: int, order: list[str]) -> None:
        self._turns, self.name, self.uid, self._order = turns, name, uid, order
        turns.join(uid, self)

    def take_turn(self) -> None:
        self._order.append(self.name)
        self._turns.join(self.uid, self)


@pytest.mark.parametrize("turn_s", [0.0, 3600.0])
def test_a_user_with_many_connections_has_as_many_turns_as_one_with_one(turn_s: float) -> None:
    loop, order = Steps(), list[str]()
    turns = Turns(loop, Limits(turn_s=turn_s))
    for n in range(5):
        Talker(turns, f"a{n}", 1, order)
    Talker(turns, "b", 2, order)
    while len(order) < 12:
        loop.step()
    assert order[:12] == ["a0", "b", "a1", "b", "a2", "b", "a3", "b", "a4", "b", "a0", "b"]


def test_a_round_ends_when_its_time_is_over_and_goes_on_when_the_loop_has_looked() -> None:
    loop, order = Steps(), list[str]()
    turns = Turns(loop, Limits(turn_s=0.0))
    for n in range(3):
        Talker(turns, str(n), 1, order)
    loop.step()
    assert order == ["0"]
    loop.step()
    assert order == ["0", "1"]


def test_who_asks_now_and_then_stands_behind_few_turns_of_its_users_flood_which_goes_on() -> None:
    loop, order = Steps(), list[str]()
    turns = Turns(loop, Limits(turn_s=0.0))
    for n in range(8):
        Talker(turns, str(n), 1, order)

    class Calm:
        def take_turn(self) -> None:
            order.append("calm")
            turns.join(1, self, fresh=True)

    loop.step()
    turns.join(1, Calm(), fresh=True)
    for _ in range(8):
        loop.step()
    assert order == ["0", "calm", "1", "calm", "2", "calm", "3", "calm", "4"]
