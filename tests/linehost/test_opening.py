# SPDX-License-Identifier: GPL-2.0-or-later
"""Channels whose opening is under way while something happens to their lease, their card or their client."""

import os
import select
import signal
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from dahdi_py.backends.base import Media
from dahdi_py.backends.sim import SimBackend
from dahdi_py.core.terms import Law, Timeslot
from dahdi_py.wire.blocking import Connection
from dahdi_py.wire.framing import Reader, ReplyMessage, close_all, format_call, parse_reply, receive
from dahdi_py.wire.messages import card, host_leases
from dahdi_py.wire.messages import host as m
from dahdi_py.wire.messages.common import Party
from tests.linehost.rig import PATIENCE_S, Controller, Process, Rig, owner, pair, wait_for

_GONE = {"org.dahdipy.DeviceGone", "org.dahdipy.StaleToken"}
"""The card gave up first, or the lease ended first."""


class Pipeline:
    """Commands on a controller's connection, any number ahead of their answers."""

    def __init__(self, controller: Controller) -> None:
        self._sock = socket.socket(fileno=os.dup(controller._commands.fileno()))
        self._reader = Reader()
        self._replies: list[ReplyMessage] = []

    def ask(self, method: str, parameters: Any) -> None:
        self._sock.sendall(format_call(f"org.dahdipy.Host.{method}", parameters))

    def ask_at_once(self, **calls: Any) -> None:
        """The calls, by method, reach the host together: it answers none before it has seen all.

        So it is only in one turn of the host's server, which has to be a long one (`Rig.host`).
        """
        self._sock.sendall(b"".join(format_call(f"org.dahdipy.Host.{name}", each) for name, each in calls.items()))

    def reserve(self, count: int, **more: Any) -> None:
        for _ in range(count):
            self.ask("Reserve", m.ReserveRequest(spans=["a"], owner=owner(), **more))

    def answers(self, count: int) -> list[ReplyMessage]:
        """The next answers; descriptors that come with them are closed."""
        while len(self._replies) < count:
            assert select.select([self._sock], [], [], PATIENCE_S)[0], "no answer"
            data, fds = receive(self._sock)
            close_all(fds)
            assert data, "closed"
            self._replies += map(parse_reply, self._reader.feed(data))
        taken, self._replies = self._replies[:count], self._replies[count:]
        return taken

    def close(self) -> None:
        self._sock.close()


class Stage:
    """A host whose card can be stopped."""

    def __init__(self, rig: Rig, turn_s: float | None = None) -> None:
        rig.configure(pair())
        self.rig = rig
        self.card: Process = rig.card()
        rig.host(turn_s=turn_s)
        self.controller = rig.control()
        self.controller.up("a", "b")
        self.pipeline = Pipeline(self.controller)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        os.kill(self.card.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.card.pid, signal.SIGCONT)

    def held(self) -> list[int]:
        """The timeslots of port 1 that anybody has open, but for the D-channel."""
        with closing(Connection(self.rig.run / "card.sock", PATIENCE_S)) as connection:
            request = card.CardPortRequest(port="1")
            status = connection.call("org.dahdipy.Card.Status", request, card.CardStatus)
        return [timeslot for timeslot in status.held if timeslot != 16]

    def channel(self, timeslot: int) -> m.ChannelState:
        return self.controller.channel("a", timeslot)


@pytest.fixture
def stage(rig: Rig) -> Iterator[Stage]:
    stage = Stage(rig)
    yield stage
    stage.pipeline.close()


def test_a_span_of_reservations_at_once_is_answered_in_order(stage: Stage) -> None:
    stage.pipeline.reserve(31)
    *had, refused = stage.pipeline.answers(31)
    assert [answer.error for answer in had] == [None] * 30
    assert [answer.fds for answer in had] == [1] * 30
    assert refused.error == "org.dahdipy.NoChannel"
    counters = [int(lease.token.split("/")[2]) for lease in stage.controller.snapshot().leases]
    assert counters == sorted(counters)


def test_what_was_released_can_be_had_at_once_though_its_proof_is_under_way(stage: Stage) -> None:
    leases = [stage.controller.reserve("a") for _ in range(30)]
    for lease in leases:
        stage.pipeline.ask("Release", m.ReleaseRequest(token=lease.token))
    stage.pipeline.reserve(30)
    stage.pipeline.ask("Release", m.ReleaseRequest(token="h/1/999"))
    *good, stale = stage.pipeline.answers(61)
    assert {answer.error for answer in good} == {None}
    assert stale.error == "org.dahdipy.StaleToken"


def _lock(stage: Stage) -> None:
    request = host_leases.AdministerRequest(
        span="a", timeslots=1 << 5, state="locked", force=True, who="test", why="test"
    )
    stage.pipeline.ask("Administer", request)
    stage.controller.wait("lease.ended")


def test_a_lease_that_ends_while_its_channel_is_being_opened_leaves_nothing_open(stage: Stage) -> None:
    with stage.stopped():
        stage.pipeline.reserve(1, timeslot=5)
        _lock(stage)
    assert stage.pipeline.answers(2)[0].error in _GONE
    wait_for(lambda: not stage.channel(5).phase)
    assert stage.held() == []
    unlock = host_leases.AdministerRequest(span="a", timeslots=1 << 5, state="unlocked", who="test", why="test")
    stage.controller.call("Administer", unlock, host_leases.AdministerReply)
    assert stage.controller.reserve("a", timeslot=5).timeslot == 5


def test_a_card_that_dies_meanwhile_fails_every_opening_and_keeps_no_lease(stage: Stage) -> None:
    os.kill(stage.card.pid, signal.SIGSTOP)
    stage.pipeline.reserve(20)
    # What is asked behind them is done once they are under way: those that come after the card's end are refused.
    behind = host_leases.AdministerRequest(span="b", timeslots=1 << 1, state="unlocked")
    stage.pipeline.ask("Administer", behind)
    stage.controller.wait("channel.state", span="b", timeslot=1)
    stage.card.kill()
    *opened, done = stage.pipeline.answers(21)
    assert done.error is None
    assert {answer.error for answer in opened} <= _GONE
    assert stage.controller.snapshot().leases == []
    stage.card = stage.rig.card()
    stage.controller.up("a", "b")
    stage.pipeline.reserve(30)
    assert {answer.error for answer in stage.pipeline.answers(30)} == {None}


def test_a_setup_that_wants_the_channel_meanwhile_moves_the_lease(stage: Stage) -> None:
    with stage.stopped():
        stage.pipeline.ask(
            "Place",
            m.PlaceRequest(call="c1", owner=owner(), called=Party(number="1"), spans=["b"], masks=[1 << 5]),
        )
        stage.pipeline.reserve(1, timeslot=5)
        wait_for(lambda: stage.controller.find("call.attempt", call="c1"))
    placed, reserved = stage.pipeline.answers(2)
    assert (placed.error, reserved.error) == (None, None)
    offered = stage.controller.wait("call.offered", span="a")
    lease = next(lease for lease in stage.controller.snapshot().leases if not lease.call)
    assert lease.timeslot != offered.timeslot
    wait_for(lambda: stage.held() == [lease.timeslot])
    stage.controller.release(lease.token)
    wait_for(lambda: stage.held() == [])


def test_a_controller_that_dies_meanwhile_leaves_leases_that_the_next_one_sees(stage: Stage) -> None:
    with stage.stopped():
        stage.pipeline.reserve(5)
        next_one = stage.rig.control(epoch=2)
    leases = next_one.snapshot().leases
    assert all(lease.orphaned for lease in leases)
    for lease in leases:
        next_one.release(lease.token)
    wait_for(lambda: stage.held() == [])
    assert len({next_one.reserve("a").timeslot for _ in range(30)}) == 30


def test_no_channel_is_tried_instead_for_a_controller_that_is_gone(stage: Stage) -> None:
    """Its leases waited for their owner as it went; one made later would wait for ever."""
    with closing(SimBackend("sim", stage.rig.run / "card.sock")) as stranger:
        held, _ = stranger.open_timeslot("1", Timeslot(5), Media(Law.ALAW))
        with stage.stopped():
            stage.pipeline.reserve(1, masks=[1 << 5 | 1 << 6], order="ascending")
            next_one = stage.rig.control(epoch=2)
            [lease] = next_one.hello.snapshot.leases
        wait_for(lambda: lease.token not in {each.token for each in next_one.snapshot().leases})
        assert (next_one.snapshot().leases, stage.held()) == ([], [5])
        os.close(held)
    wait_for(lambda: not next_one.channel("a", 5).phase)
