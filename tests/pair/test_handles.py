# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever happens in whatever order: every call ends once, and a handle that has ended names nothing any more."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from dahdi_py.ffi.libpri_events import CallEvent, CommandFailed, Ended, Event, HangupRequest, Ring
from tests.pair.rig import SECOND, Pair, RawPeer, of_kind, only, request

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["place", "proceeding", "alerting", "answer", "hangup", "destroy", "turn", "wait", "notify"]),
        st.integers(0, 1),
        st.integers(0, 7),
    ),
    max_size=60,
)


class History:
    """What the pump has said of each handle, checked as it comes."""

    def __init__(self) -> None:
        self.live: dict[int, int] = {}
        self.ended: Counter[int] = Counter()
        self.failed_setups: set[int] = set()

    def take(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, CommandFailed):
                if event.command == "setup":
                    self.failed_setups.add(event.handle)
                    self.live.pop(event.handle)
            elif isinstance(event, CallEvent):
                assert event.handle not in self.ended, f"{event} after the end"
                if isinstance(event, Ring):
                    assert event.handle not in self.live
                    self.live[event.handle] = event.dchannel
                assert self.live[event.handle] == event.dchannel
                if isinstance(event, Ended):
                    self.ended[event.handle] += 1
                    del self.live[event.handle]


@settings(max_examples=150)
@given(STEPS)
def test_every_call_ends_exactly_once(steps: list[tuple[str, int, int]]) -> None:
    pair = Pair()
    pump, history = pair.pump, History()
    for step, side, pick in steps:
        chosen = list(history.live)[pick % len(history.live)] if history.live else 0
        if step == "place":
            handle = pump.new_handle()
            history.live[handle] = (pair.network, pair.cpe)[side]
            pump.setup(history.live[handle], handle, request(pick + 1))
        elif step == "turn":
            history.take(pump.turn())
        elif step == "wait":
            history.take(pump.advance(pick * SECOND))
        elif step == "notify":
            pump.notify(chosen, 0)
        else:
            getattr(pump, step)(chosen)
    history.take(pump.turn())
    for _ in range(3):
        for handle in list(history.live):
            pump.hangup(handle)
        history.take(pump.advance(60 * SECOND))
    assert history.live == {}
    assert set(history.ended.values()) <= {1}
    pair.assert_nothing_left()


def test_a_handle_that_has_ended_reaches_no_later_call() -> None:
    """libpri gives a freed record's address to the next call; a stale pointer would clear a stranger's call."""
    pair = Pair()
    old = pair.pump.new_handle()
    pair.pump.setup(pair.cpe, old, request())
    old_ring = only(Ring, pair.pump.turn()).handle
    assert len(pair.clear(old)) == 2
    for _ in range(200):
        handle, called = pair.answered(pair.cpe)
        for stale in (old, old_ring):
            for command in (pair.pump.hangup, pair.pump.answer, pair.pump.destroy):
                command(stale)
        failures = of_kind(CommandFailed, pair.pump.turn())
        assert [(failed.handle, failed.reason) for failed in failures] == (
            [(old, "stale_handle")] * 3 + [(old_ring, "stale_handle")] * 3
        )
        assert [moment.message_type for moment in pair.pump.timeline(handle)] == [0x05, 0x07, 0x0F]
        pair.pump.hangup(handle)
        assert only(HangupRequest, pair.pump.turn()).handle == called
        assert {end.handle for end in pair.clear(called)} == {handle, called}
        old, old_ring = handle, called
        pair.pump.advance(SECOND // 100)


def test_a_live_handle_cannot_be_given_twice() -> None:
    pair = Pair()
    handle, _ = pair.ring(pair.cpe)
    pair.pump.setup(pair.cpe, handle, request(2))
    assert only(CommandFailed, pair.pump.turn()).reason == "handle_in_use"
    assert len(pair.clear(handle)) == 2


def test_a_setup_on_a_link_that_is_down_fails_at_once() -> None:
    pair = Pair()
    pair.pump.part(pair.cpe)
    pair.pump.advance(60 * SECOND)
    handle = pair.pump.new_handle()
    pair.pump.setup(pair.cpe, handle, request())
    failed = only(CommandFailed, pair.pump.turn())
    assert (failed.handle, failed.command, failed.reason) == (handle, "setup", "dchannel_down")
    pair.pump.setup(99, handle, request())
    assert only(CommandFailed, pair.pump.turn()).reason == "no_dchannel"
    pair.assert_nothing_left()


def test_a_peer_that_shuts_its_window_is_not_sent_more_than_64_calls() -> None:
    """libpri would queue without bound. Source: Q.921 5.6.5 (peer receiver busy)."""
    peer = RawPeer()
    peer.inject(bytes((0x00, 0x01, 0x05, 0x01)))
    peer.pump.turn()
    for _ in range(80):
        peer.pump.setup(peer.dchannel, peer.pump.new_handle(), request())
    failures = of_kind(CommandFailed, peer.pump.turn())
    assert [failed.reason for failed in failures] == ["congested"] * 16
    for handle in range(1, 65):
        peer.pump.destroy(handle)
    assert len(of_kind(Ended, peer.pump.turn())) == 64
    peer.pump.setup(peer.dchannel, peer.pump.new_handle(), request())
    assert of_kind(CommandFailed, peer.pump.turn()) == []


def test_two_thousand_calls_leave_nothing() -> None:
    pair = Pair()
    for number in range(1000):
        caller, called = pair.answered((pair.cpe, pair.network)[number % 2], number % 15 + 1)
        pair.clear(caller, called)
        pair.pump.advance(SECOND // 100)
    for _ in range(1000):
        _, ring = pair.ring(pair.network)
        assert len(pair.clear(ring.handle)) == 2
        pair.pump.advance(SECOND // 100)
    assert of_kind(Ended, pair.pump.advance(60 * SECOND)) == []
    pair.assert_nothing_left()
