# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dahdi_py.core.numbers import NumberPattern
from dahdi_py.core.offers import Action, Offer, Offers, Refuse, Rules, Withdraw

RULES = Rules(offer_s=1.0, claim_by_s=3.0, unserved_cause=1, no_core_cause=41)


def offers_with(*cores: int, rules: Rules = RULES) -> Offers:
    offers = Offers(rules)
    for core in cores:
        offers.join(core, (), (), 10, 0.0)
    return offers


def test_the_call_goes_round_and_is_refused_by_the_last_moment() -> None:
    offers = offers_with(1, 2)
    assert offers.offered("c", ("g",), "2001", 0.0, 10.0) == [Offer("c", 1, "g")]
    assert offers.next_deadline() == 11.0
    assert offers.feed(11.0) == [Withdraw("c", 1, "timed out"), Offer("c", 2, "g")]
    assert offers.feed(12.0) == []
    assert offers.next_deadline() == 13.0
    assert offers.feed(13.0) == [Withdraw("c", 2, "timed out"), Refuse("c", 41, "no core claimed the call")]
    assert offers.next_deadline() is None


def test_equals_take_turns_and_priority_goes_first() -> None:
    offers = offers_with(1, 2)
    offers.join(3, (), (), 5, 0.0)
    firsts = [offers.offered(f"c{i}", (), "1", 0.0, 0.0)[0] for i in range(3)]
    assert [first.core for first in firsts if isinstance(first, Offer)] == [3, 3, 3]
    offers.leave(3, 0.0)
    seconds = [offers.offered(f"d{i}", (), "1", 0.0, 0.0)[0] for i in range(4)]
    turns = [second.core for second in seconds if isinstance(second, Offer)]
    assert sorted(turns[:2]) == [1, 2]
    assert turns[:2] == turns[2:]


def test_who_is_refused_with_what() -> None:
    offers = Offers(RULES)
    assert offers.offered("a", ("g",), "7", 0.0, 0.0) == [Refuse("a", 41, "no core serves")]
    offers.join(1, ("other",), (), 10, 0.0)
    assert offers.offered("b", ("g",), "7", 0.0, 0.0) == [Refuse("b", 41, "no core serves")]
    offers.join(2, ("g",), (NumberPattern.parse("2001-2009"),), 10, 0.0)
    assert offers.offered("c", ("g",), "7", 0.0, 0.0) == [Refuse("c", 1, "no core serves number '7'")]
    assert offers.offered("d", ("x", "g"), "2005", 0.0, 0.0) == [Offer("d", 2, "g")]
    assert offers.leave(2, 0.5) == [Refuse("d", 41, "no core serves")]


def test_a_declined_call_goes_on_at_once() -> None:
    offers = offers_with(1, 2)
    offers.offered("c", (), "1", 0.0, 0.0)
    assert offers.decline("c", [2], 0.1) == []
    assert offers.decline("c", [1], 0.2) == [Withdraw("c", 1, "declined"), Refuse("c", 1, "every core declined it")]


def test_one_that_declined_and_one_that_was_silent_are_no_unserved_number() -> None:
    offers = Offers(RULES)
    for core in (1, 2):
        offers.join(core, (), (), core, 0.0)
    offers.offered("c", ("g",), "7", 0.0, 0.0)
    assert offers.decline("c", [1], 0.2) == [Withdraw("c", 1, "declined"), Offer("c", 2, "g")]
    assert offers.feed(3.0) == [Withdraw("c", 2, "timed out"), Refuse("c", 41, "no core claimed the call")]


def test_a_core_that_dies_hands_its_offers_on() -> None:
    offers = offers_with(1, 2)
    offers.offered("c", (), "1", 0.0, 0.0)
    assert offers.leave(1, 0.1) == [Offer("c", 2, "")]
    assert offers.taken("c") == [Withdraw("c", 2, "claimed")]
    assert offers.feed(9.0) == []


def test_after_a_restart_calls_wait_for_the_cores_to_come_back() -> None:
    offers = Offers(Rules(grace_until=2.0))
    assert offers.offered("a", (), "1", 0.5, 0.0) == []
    assert offers.offered("b", (), "1", 2.5, 0.0) == []
    assert offers.next_deadline() == 0.5
    assert offers.feed(0.5) == [Refuse("b", 41, "no core serves")]
    assert offers.join(1, (), (), 10, 1.0) == [Offer("a", 1, "")]
    assert offers.offered("c", (), "1", 0.0, 1.0) == [Offer("c", 1, "")]
    assert offers.leave(1, 1.5) == []
    assert sorted(str(action) for action in offers.feed(2.0)) == [
        str(Refuse("a", 41, "no core serves")),
        str(Refuse("c", 41, "no core serves")),
    ]


def test_a_late_core_gets_what_the_last_one_sits_on() -> None:
    offers = offers_with(1)
    offers.offered("c", (), "1", 0.0, 0.0)
    offers.feed(1.0)
    assert offers.join(2, (), (), 10, 1.5) == [Withdraw("c", 1, "timed out"), Offer("c", 2, "")]


def test_cores_that_fork_are_asked_together_and_the_first_claim_wins() -> None:
    offers = offers_with(1)
    for core in (2, 3):
        offers.join(core, (), (), 10, 0.0, forks=True)
    offers.join(4, (), (), 20, 0.0, forks=True)
    assert offers.offered("a", (), "1", 0.0, 0.0) == [Offer("a", 1, "")]
    assert offers.feed(1.0) == [Withdraw("a", 1, "timed out"), Offer("a", 2, ""), Offer("a", 3, "")]
    assert offers.decline("a", [2], 1.1) == [Withdraw("a", 2, "declined")]
    assert offers.holders("a") == {3}
    assert offers.leave(3, 1.2) == [Offer("a", 4, "")]
    offers.join(3, (), (), 10, 1.2, forks=True)
    assert offers.offered("b", (), "1", 0.0, 2.0) == [Offer("b", 3, ""), Offer("b", 2, "")]
    assert offers.taken("b") == [Withdraw("b", 2, "claimed"), Withdraw("b", 3, "claimed")]
    assert offers.offered("c", (), "1", 0.0, 2.0) == [Offer("c", 1, "")]


def test_the_call_of_a_core_that_died_goes_to_the_others_only() -> None:
    offers = offers_with(1, 2)
    assert offers.offered_again("c", ("g",), "1", 0.5, 10.0, [1]) == [Offer("c", 2, "g")]
    assert offers.feed(11.0) == []
    died = Refuse("c", 41, "its core died, and no other one took it")
    assert offers.feed(12.5) == [Withdraw("c", 2, "timed out"), died]
    assert offers.offered_again("d", (), "1", 0.0, 20.0, [1, 2]) == [
        Refuse("d", 41, "its core died, and no other one took it")
    ]


class Traffic(RuleBasedStateMachine):
    """Any order of cores and calls: who has an offer, and one claim, end or refusal that closes it for all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.offers = Offers(RULES)
        self.now = 0.0
        self.cores: dict[int, tuple[int, bool]] = {}
        self.next_core = 0
        self.open: dict[str, float] = {}
        self.count = 0
        self.holders: dict[str, set[int]] = {}
        self.asked: dict[str, set[int]] = {}

    def see(self, actions: list[Action]) -> None:
        for action in actions:
            assert action.call in self.open
            holders = self.holders.setdefault(action.call, set())
            if isinstance(action, Offer):
                assert action.core in self.cores
                assert action.core not in self.asked[action.call]
                holders.add(action.core)
                self.asked[action.call].add(action.core)
                # Several have it only when all of them fork, and are of one priority.
                assert len(holders) == 1 or {self.cores[core] for core in holders} == {
                    (self.cores[action.core][0], True)
                }
            elif isinstance(action, Withdraw):
                holders.remove(action.core)
            else:
                assert not holders
                assert action.cause in (1, 41)
                del self.open[action.call]

    def offered(self) -> str:
        self.count += 1
        self.open[f"c{self.count}"] = self.now
        self.asked[f"c{self.count}"] = set()
        return f"c{self.count}"

    @rule(priority=st.integers(0, 2), numbers=st.sampled_from([(), ("2.",), ("3XX",)]), forks=st.booleans())
    def join(self, priority: int, numbers: tuple[str, ...], forks: bool) -> None:
        self.next_core += 1
        self.cores[self.next_core] = (priority, forks)
        patterns = tuple(NumberPattern.parse(text) for text in numbers)
        self.see(self.offers.join(self.next_core, (), patterns, priority, self.now, forks=forks))

    @precondition(lambda self: self.cores)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        core = data.draw(st.sampled_from(sorted(self.cores)))
        del self.cores[core]
        for holders in self.holders.values():
            holders.discard(core)
        self.see(self.offers.leave(core, self.now))

    @rule(number=st.sampled_from(["200", "301", "9"]))
    def call(self, number: str) -> None:
        self.see(self.offers.offered(self.offered(), ("g",), number, 0.0, self.now))

    @precondition(lambda self: self.cores)
    @rule(number=st.sampled_from(["200", "301"]), age=st.floats(0.0, 2.9), data=st.data())
    def call_again(self, number: str, age: float, data: st.DataObject) -> None:
        call, dead = self.offered(), data.draw(st.sampled_from(sorted(self.cores)))
        self.asked[call].add(dead)
        actions = self.offers.offered_again(call, ("g",), number, age, self.now, [dead])
        assert all(not isinstance(one, Refuse) or one.cause == 41 for one in actions)
        self.see(actions)

    @precondition(lambda self: any(self.holders.values()))
    @rule(data=st.data(), how=st.sampled_from(["taken", "ended", "declined"]))
    def act(self, data: st.DataObject, how: str) -> None:
        call = data.draw(st.sampled_from(sorted(call for call, holders in self.holders.items() if holders)))
        if how == "declined":
            self.see(self.offers.decline(call, [data.draw(st.sampled_from(sorted(self.holders[call])))], self.now))
        else:
            self.see(self.offers.taken(call) if how == "taken" else self.offers.ended(call, "cleared"))
            assert not self.holders[call]
            del self.open[call]

    @rule(seconds=st.floats(0.0, 4.0))
    def time(self, seconds: float) -> None:
        until = self.now + seconds
        while (due := self.offers.next_deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.see(self.offers.feed(self.now))
        self.now = until

    @invariant()
    def nothing_waits_past_its_time(self) -> None:
        assert all(self.now < began + RULES.claim_by_s for began in self.open.values())
        for call, holders in self.holders.items():
            assert self.offers.holders(call) == holders
            assert (call in self.offers) == (call in self.open)


TestTraffic = Traffic.TestCase
Traffic.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
