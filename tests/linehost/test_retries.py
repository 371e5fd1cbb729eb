# SPDX-License-Identifier: GPL-2.0-or-later
"""A call of ours that the far end has no channel for: which one is tried next, and what becomes of it in the end."""

from collections.abc import Iterator

import pytest

from dahdi_py.core.terms import Node
from dahdi_py.errors import NotFound
from dahdi_py.ffi import libpri_events as ev
from tests.linehost.farend import FarEnd
from tests.linehost.rig import Controller, Rig, span, wait_for

ONE = [1 << 1]
"""Only timeslot 1."""


class TwoLines:
    """A host with spans a and c, and the far end of each."""

    def __init__(self, rig: Rig, timers: str = "{}") -> None:
        rig.configure(
            span("a", 1, node="cpe", timers=timers) + span("c", 3, node="cpe", timers=timers), ports="E1,E1,E1,E1"
        )
        rig.card()
        self.fars = {"a": FarEnd(rig.run, 2, Node.NETWORK), "c": FarEnd(rig.run, 4, Node.NETWORK)}
        rig.host()
        self.host: Controller = rig.control()
        for far in self.fars.values():
            far.wait(ev.DChannelUp)
        self.host.up("a", "c", live=self.live)

    def live(self) -> None:
        """Both far ends live for a moment."""
        for far in self.fars.values():
            far.run(0.02)

    def refuse(self, name: str, cause: int, count: int = 1) -> ev.Ring:
        """The far end of that span refuses its `count`th call."""
        ring = self.ring(name, count)
        self.fars[name].pump.hangup(ring.handle, cause)
        return ring

    def ring(self, name: str, count: int = 1) -> ev.Ring:
        """That call, as it comes; both far ends live meanwhile."""

        def rung() -> list[ev.Ring]:
            self.live()
            return [event for event in self.fars[name].events if isinstance(event, ev.Ring)][count - 1 :]

        return wait_for(rung)[0]

    def answered(self, name: str, call: str, count: int = 1) -> None:
        """The far end of that span answers its `count`th call."""
        far = self.fars[name]
        ring = self.ring(name, count)
        far.pump.answer(ring.handle, ring.channel or 0)
        far.until(lambda: self.host.find("call.answered", call=call))

    def close(self) -> None:
        for far in self.fars.values():
            far.close()


@pytest.fixture
def lines(rig: Rig) -> Iterator[TwoLines]:
    two = TwoLines(rig)
    yield two
    two.close()


def attempts(host: Controller, call: str) -> list[tuple[str, int]]:
    """Where SETUP went: span and number."""
    return [(event.span, event.data["attempt"]) for event in host.find("call.attempt", call=call)]


def test_where_the_far_end_has_no_circuit_the_other_span_is_next(lines: TwoLines) -> None:
    lines.host.place("c1", "a", "c", order="ascending")
    lines.refuse("a", 34)
    lines.answered("c", "c1")
    assert attempts(lines.host, "c1") == [("a", 1), ("c", 2)]


def test_a_span_without_a_circuit_is_the_last_choice_and_no_lost_one(lines: TwoLines) -> None:
    lines.host.place("c1", "a", "c", order="ascending", masks=[0b110, 0b10])
    lines.refuse("a", 34)
    lines.refuse("c", 44)
    lines.answered("a", "c1", 2)
    assert attempts(lines.host, "c1") == [("a", 1), ("c", 2), ("a", 3)]


def test_where_one_channel_is_not_available_the_next_of_the_span_is(lines: TwoLines) -> None:
    lines.host.place("c1", "a", "c", order="ascending")
    lines.refuse("a", 44)
    lines.answered("a", "c1", 2)
    assert attempts(lines.host, "c1") == [("a", 1), ("a", 2)]


def test_a_call_is_not_lost_while_a_channel_is_free(lines: TwoLines) -> None:
    """The far end has locked 12 channels, and the call takes none but the one it asks for."""
    lines.host.place("c1", "a", exclusive=True, order="ascending")
    channels = {lines.refuse("a", 44, count).channel for count in range(1, 13)}
    lines.answered("a", "c1", 13)
    assert channels == set(range(1, 13))
    assert lines.host.find("call.answered", call="c1")[0].timeslot == 13


def test_a_call_that_finds_no_channel_is_given_up_when_there_are_other_routes(lines: TwoLines) -> None:
    lines.host.place("c1", "a", masks=ONE, elsewhere=True)
    lines.refuse("a", 44)
    lines.refuse("a", 44, 2)  # once more, as its last call there may be over by now
    lines.fars["a"].until(lambda: lines.host.find("call.unplaced", call="c1"))
    told = lines.host.wait("call.unplaced", call="c1")
    assert (told.span, told.data["cause"], told.data["cleared_by"], told.data["attempt"]) == ("a", 44, "peer", 2)
    assert [message["name"] for message in told.data["messages"]].count("SETUP") == 2
    assert not lines.host.find("call.ended")
    snapshot = lines.host.snapshot()
    assert (snapshot.calls, snapshot.leases) == ([], [])
    # It may come back, numbered on.
    lines.host.place("c1", "c", attempt=3)
    lines.answered("c", "c1")
    assert attempts(lines.host, "c1") == [("a", 1), ("a", 2), ("c", 3)]


def test_with_other_routes_a_span_without_a_circuit_is_left_at_once(lines: TwoLines) -> None:
    lines.host.place("c1", "a", elsewhere=True)
    lines.refuse("a", 34)
    lines.fars["a"].until(lambda: lines.host.find("call.unplaced", call="c1"))
    lines.host.place("c1", "a", elsewhere=True, thorough=True, attempt=2)
    lines.refuse("a", 34, 2)
    lines.answered("a", "c1", 3)
    assert attempts(lines.host, "c1") == [("a", 1), ("a", 2), ("a", 3)]


def test_the_daemon_that_had_other_routes_is_gone(rig: Rig, lines: TwoLines) -> None:
    lines.host.place("c1", "a", masks=ONE, elsewhere=True)
    lines.fars["a"].wait(ev.Ring)
    next_one = rig.control(epoch=2)
    lines.refuse("a", 44)
    lines.refuse("a", 44, 2)
    lines.fars["a"].until(lambda: next_one.find("call.ended", call="c1"))
    assert not next_one.find("call.unplaced")


def test_a_call_that_was_hung_up_has_ended_wherever_else_it_could_go(lines: TwoLines) -> None:
    lines.host.place("c1", "a", elsewhere=True)
    lines.fars["a"].wait(ev.Ring)
    lines.host.hangup("c1")
    lines.fars["a"].until(lambda: lines.host.find("call.ended", call="c1"))
    assert lines.host.ended("c1")["cleared_by"] == "core"
    with pytest.raises(NotFound):
        lines.host.hangup("c1")


def test_a_call_on_a_lease_is_not_given_up_but_ends(lines: TwoLines) -> None:
    lease = lines.host.reserve("a", timeslot=3, open=False)
    lines.host.place("c1", token=lease.token)
    lines.refuse("a", 34)
    lines.fars["a"].until(lambda: lines.host.find("call.ended", call="c1"))
    assert attempts(lines.host, "c1") == [("a", 1)]


def lesser_calls(lines: TwoLines) -> None:
    """A call is up on each of the two channels that there are; the younger one on c."""
    for name in ("a", "c"):
        lines.host.place(f"on-{name}", name, masks=ONE)
        lines.answered(name, f"on-{name}")


def test_an_emergency_call_does_not_wait_for_a_span_that_went_down(lines: TwoLines) -> None:
    lesser_calls(lines)
    lines.host.place("e1", "a", "c", masks=[*ONE, *ONE], emergency=True, preempt=True)
    lines.host.wait("call.preempted", call="on-c", by="e1")
    lines.fars.pop("c").close()  # it never confirms the release
    lines.fars["a"].until(lambda: lines.host.find("call.preempted", call="on-a"))
    lines.fars["a"].pump.hangup(lines.fars["a"].wait(ev.HangupRequest).handle)
    lines.answered("a", "e1", 2)
    assert not lines.host.find("call.ended", call="e1")


def test_an_emergency_call_that_is_refused_everywhere_takes_a_lesser_ones_channel(lines: TwoLines) -> None:
    lines.host.place("on-a", "a", masks=ONE)
    lines.answered("a", "on-a")
    lines.host.place("e1", "a", "c", masks=[*ONE, *ONE], order="ascending", emergency=True, preempt=True)
    lines.refuse("c", 44)
    lines.refuse("c", 44, 2)
    lines.fars["c"].until(lambda: lines.host.find("call.preempted", call="on-a"))
    lines.fars["a"].pump.hangup(lines.fars["a"].wait(ev.HangupRequest).handle)
    lines.answered("a", "e1", 2)
    assert attempts(lines.host, "e1") == [("c", 1), ("c", 2), ("a", 3)]
    assert {lease.call: lease.span for lease in lines.host.snapshot().leases} == {"e1": "a"}
