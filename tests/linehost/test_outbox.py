# SPDX-License-Identifier: GPL-2.0-or-later
import msgspec
from hypothesis import given
from hypothesis import strategies as st

from dahdi_py.linehost.outbox import WINDOW, Outbox
from dahdi_py.wire.messages.host import HostEvent, MonitorReply


class Follower:
    """Takes batches as a daemon would find them on the wire."""

    def __init__(self) -> None:
        self.batches: list[MonitorReply] = []

    def __call__(self, reply: MonitorReply) -> None:
        self.batches.append(msgspec.json.decode(msgspec.json.encode(reply), type=MonitorReply))

    @property
    def events(self) -> list[HostEvent]:
        return [event for batch in self.batches for event in batch.events]


def outbox(keep: int = 1000) -> Outbox:
    return Outbox(4, lambda: None, keep)


def test_a_follower_gets_what_is_kept_then_what_happens() -> None:
    box, follower = outbox(), Follower()
    box.put("one", {"x": 1}, span="a", timeslot=3, call="c", token="t")
    box.follow(follower, 0)
    box.put("two")
    box.flush()
    box.flush()
    assert [(event.n, event.kind) for event in follower.events] == [(1, "one"), (2, "two")]
    assert follower.batches[0].start == 4
    first = follower.events[0]
    assert (first.span, first.timeslot, first.call, first.token, first.data) == ("a", 3, "c", "t", {"x": 1})
    assert first.utc_ns > 10**18


def test_a_follower_that_is_up_to_date_hears_so_at_once() -> None:
    box, follower = outbox(), Follower()
    box.put("one")
    box.follow(follower, 1)
    assert [batch.events for batch in follower.batches] == [[]]


def test_what_is_committed_is_forgotten_and_the_rest_kept_for_the_next() -> None:
    box = outbox()
    for _ in range(5):
        box.put("event")
    box.commit(3)
    assert len(box) == 2
    follower = Follower()
    box.follow(follower, 0)
    box.flush()
    assert [event.n for event in follower.events] == [4, 5]
    box.leave()
    box.put("later")
    box.flush()
    assert len(follower.events) == 2
    again = Follower()
    box.follow(again, 5)
    box.flush()
    assert [event.n for event in again.events] == [6]


def test_a_follower_that_does_not_commit_is_waited_for() -> None:
    box, follower = outbox(10_000), Follower()
    box.follow(follower, 0)
    for _ in range(3 * WINDOW):
        box.put("event")
    box.flush()
    assert len(follower.events) == WINDOW
    box.commit(WINDOW)
    box.flush()
    assert [event.n for event in follower.events] == list(range(1, 2 * WINDOW + 1))


def test_what_a_follower_has_but_not_on_disk_is_kept_and_holds_nothing_up() -> None:
    box, follower = outbox(10_000), Follower()
    box.follow(follower, 0)
    for received in range(0, 3 * WINDOW, WINDOW):
        for _ in range(WINDOW):
            box.put("event")
        box.flush()
        assert len(follower.events) == received + WINDOW
        box.commit(box.n, durable=False)
    assert len(box) == 3 * WINDOW
    again = Follower()
    box.leave()
    box.follow(again, 0)
    box.flush()
    assert [event.n for event in again.events] == list(range(1, WINDOW + 1))
    box.commit(3 * WINDOW)
    assert len(box) == 0


def test_the_oldest_events_go_first_and_evidence_last() -> None:
    box, follower = outbox(keep=8), Follower()
    for number in range(12):
        box.put("call.ended" if number % 2 else "span.status")
    assert len(box) <= 8
    box.follow(follower, 0)
    box.flush()
    kinds = [event.kind for event in follower.events]
    assert kinds.count("call.ended") == 6
    lost = sum(event.data["count"] for event in follower.events if event.kind == "outbox.lost")
    assert lost == 12 - sum(kind != "outbox.lost" for kind in kinds)


@given(st.integers(2, 20), st.lists(st.sampled_from(["put", "evidence", "commit"]), max_size=120))
def test_numbers_grow_without_gap_but_where_it_is_said(keep: int, steps: list[str]) -> None:
    box, committed = outbox(keep), 0
    for step in steps:
        if step == "commit":
            committed = box.n
            box.commit(committed)
        else:
            box.put("call.ended" if step == "evidence" else "event")
        assert len(box) <= keep
    follower = Follower()
    box.follow(follower, committed)
    box.flush()
    numbers = [event.n for event in follower.events]
    assert numbers == sorted(set(numbers))
    lost = sum(event.data["count"] for event in follower.events if event.kind == "outbox.lost")
    there = sum(event.kind != "outbox.lost" for event in follower.events)
    assert there + lost == box.n - committed


def test_seconds_are_the_first_to_go_and_leave_no_gap_in_what_happened() -> None:
    box, follower = outbox(40), Follower()
    for n in range(30):
        box.put("event" if n % 3 else "line.seconds")
    for _ in range(20):
        box.put("event")
    box.follow(follower, 0)
    box.flush()
    kinds = [event.kind for event in follower.events]
    assert kinds.count("event") == 40
    assert kinds.count("outbox.lost") == 0
    assert kinds.count("line.seconds") == 0
    box.put("line.seconds")
    box.put("last")
    box.forget_seconds()
    box.flush()
    assert follower.events[-1].kind == "last"
