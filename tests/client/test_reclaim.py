# SPDX-License-Identifier: GPL-2.0-or-later
"""Both clients keep what they own until it has ended: what cannot be reclaimed at once is tried again."""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from dahdi_py.client import AsyncClient, Client
from dahdi_py.errors import (
    AccessError,
    DahdiPyError,
    HostUnavailable,
    NotFound,
    NotOwner,
    RoleMissing,
    StaleToken,
    Unreachable,
)
from dahdi_py.wire.messages.channels import AllocateReply, ReclaimReply, ReclaimRequest
from dahdi_py.wire.peer import Limits
from dahdi_py.wire.server import Request
from tests.client.desk import Desk
from tests.wire.waiting import PATIENCE_S, wait_for

PASSING: list[DahdiPyError] = [
    HostUnavailable("line host a is not connected", host="a"),
    AccessError("uid 0 has 512 connections already"),
    RoleMissing("the configuration is being read", role="core", setting="access"),
    DahdiPyError("it failed inside the service"),
]
FINAL: list[DahdiPyError] = [
    StaleToken("ended meanwhile", token="a/1/1"),
    NotOwner("it is another's"),
    NotFound("no line host a", kind="host", name="a"),
]


@pytest.fixture
def desk(run_dir: Path) -> Iterator[Desk]:
    """Each lease at it has a token of its own."""
    desk = Desk(run_dir / "control.sock")
    numbers = iter(range(1, 1000))
    desk.answers["Channels.Allocate"] = lambda request, _: request.reply(
        AllocateReply(token=f"a/1/{next(numbers)}", span="east", timeslot=1)
    )
    with closing(desk):
        yield desk


def refusing(desk: Desk, error: DahdiPyError, times: int) -> None:
    """So many reclaims are answered with the error, the later ones well."""
    left = times

    def reclaim(request: Request, _: ReclaimRequest) -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            raise error
        request.reply(ReclaimReply(span="east", timeslot=1, phase="reserved", call=""))

    desk.answers["Channels.Reclaim"] = reclaim


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(3 * PATIENCE_S):
            await work()

    asyncio.run(main())


async def happened(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(wait_for, condition)


def back(client: Client) -> None:
    """The client has seen its daemon go and come back."""
    for _ in range(2):
        with suppress(Unreachable):
            client.status()


async def async_back(client: AsyncClient) -> None:
    while True:
        try:
            await client.status()
            return
        except Unreachable:
            continue


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
def test_the_next_call_reclaims_what_could_not_be_reclaimed_before(desk: Desk, error: DahdiPyError) -> None:
    with desk.open():
        client = Client(desk.path)
        client.allocate(group="all", open=False)
    refusing(desk, error, times=1)
    with desk.open(), client:
        back(client)
        client.spans()
        assert desk.reclaimed() == ["a/1/1", "a/1/1"]
        client.spans()
        assert desk.reclaimed() == ["a/1/1", "a/1/1"]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
def test_what_could_not_be_reclaimed_is_tried_again_though_nobody_calls(desk: Desk, error: DahdiPyError) -> None:
    with desk.open():
        client = Client(desk.path)
        client.allocate(group="all", open=False)
        events = client.events()
    refusing(desk, error, times=3)
    with desk.open(), client, events:
        desk.publish("daemon.ready")
        assert next(events).kind == "daemon.ready"  # the stream has come back, and reclaimed what it could
        wait_for(lambda: len(desk.reclaimed()) == 4)
        client.spans()
        assert desk.reclaimed() == ["a/1/1"] * 4


@pytest.mark.parametrize("error", FINAL, ids=lambda error: type(error).__name__)
def test_what_has_ended_is_forgotten(desk: Desk, error: DahdiPyError) -> None:
    with desk.open():
        client = Client(desk.path)
        client.allocate(group="all", open=False)
    refusing(desk, error, times=1)
    with desk.open():
        back(client)
    with desk.open(), client:
        back(client)
        assert desk.reclaimed() == ["a/1/1"]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
def test_the_asyncio_client_tries_again(desk: Desk, error: DahdiPyError) -> None:
    async def work() -> None:
        with desk.open():
            client = AsyncClient(desk.path)
            await client.__aenter__()
            await client.allocate(group="all", open=False)
        refusing(desk, error, times=3)
        with desk.open():
            await async_back(client)
            await happened(lambda: len(desk.reclaimed()) == 4)
            await client.close()

    run(work)


@pytest.mark.parametrize("error", FINAL, ids=lambda error: type(error).__name__)
def test_the_asyncio_client_forgets_what_has_ended(desk: Desk, error: DahdiPyError) -> None:
    async def work() -> None:
        with desk.open():
            client = AsyncClient(desk.path)
            await client.__aenter__()
            await client.allocate(group="all", open=False)
        refusing(desk, error, times=1)
        with desk.open():
            await async_back(client)
        with desk.open():
            await async_back(client)
            assert desk.reclaimed() == ["a/1/1"]
            await client.close()

    run(work)


def test_what_is_given_back_meanwhile_is_not_reclaimed(desk: Desk) -> None:
    with desk.open():
        client = Client(desk.path)
        given_back = client.allocate(group="all", open=False)
        kept = client.allocate(group="all", open=False)
    refusing(desk, PASSING[0], times=1000)
    with desk.open(), client:
        back(client)
        given_back.release()
        desk.asked.clear()
        wait_for(lambda: len(desk.reclaimed()) > 1)
        assert set(desk.reclaimed()) == {kept.token}


def _crowd(path: Path) -> list[socket.socket]:
    """Every connection that the desk bears."""
    crowd = []
    for _ in range(3):
        crowd.append(socket.socket(socket.AF_UNIX))
        crowd[-1].connect(str(path))
    return crowd


def test_who_is_turned_away_reclaims_when_there_is_room(desk: Desk) -> None:
    with desk.open():
        client = Client(desk.path)
        tokens = [client.allocate(group="all", open=False).token for _ in range(2)]
        events = client.events()
    desk.limits = Limits(of_one_user=3)
    with desk.open(), client, events:
        crowd = _crowd(desk.path)
        wait_for(lambda: len(desk.peers()) == 3)
        for _ in range(4):
            with pytest.raises((Unreachable, AccessError)):
                client.status()
        for sock in crowd:
            sock.close()
        desk.publish("daemon.ready")
        assert next(events).kind == "daemon.ready"
        wait_for(lambda: set(tokens) <= set(desk.reclaimed()))
        client.status()


def test_the_asyncio_client_turned_away_reclaims_when_there_is_room(desk: Desk) -> None:
    async def work() -> None:
        with desk.open():
            client = AsyncClient(desk.path)
            await client.__aenter__()
            token = (await client.allocate(group="all", open=False)).token
            events = client.events()
            first = asyncio.create_task(anext(events))
            await happened(lambda: "Events.Monitor" in desk.methods())
            desk.publish("call.ended", call="1")
            assert (await first).call == "1"
            following = asyncio.create_task(anext(events))
        desk.limits = Limits(of_one_user=3)
        with desk.open():
            crowd = _crowd(desk.path)
            meanwhile = asyncio.create_task(async_back(client))
            await asyncio.sleep(0.5)  # long enough to be turned away; whether it is, decides nothing
            for sock in crowd:
                sock.close()
            await meanwhile
            assert token in desk.reclaimed()
            desk.publish("call.ended", call="2")
            assert (await following).call == "2"
            await events.aclose()
            await client.close()

    run(work)


class Frozen:
    """Reclaims at the desk wait until it thaws; then all are answered, those that come later at once."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._waiting: list[Request] | None = []
        desk.answers["Channels.Reclaim"] = self._reclaim

    def _reclaim(self, request: Request, _: ReclaimRequest) -> None:
        if self._waiting is None:
            request.reply(ReclaimReply(span="east", timeslot=1, phase="reserved", call=""))
        else:
            self._waiting.append(request)

    def thaw(self) -> None:
        def answer() -> None:
            waiting, self._waiting = self._waiting or [], None
            for request in waiting:
                request.reply(ReclaimReply(span="east", timeslot=1, phase="reserved", call=""))

        self._desk.run(answer)

    def reclaimed_by_one(self, tokens: set[str]) -> bool:
        """All were asked for again, and by one connection, which has not been given up meanwhile."""
        peers = {peer for peer, method, _ in self._desk.asked if method == "Channels.Reclaim"}
        assert len(peers) <= 1
        return set(self._desk.reclaimed()) == tokens


def test_a_reclaim_that_takes_too_long_costs_nothing_that_is_owned(desk: Desk) -> None:
    with desk.open():
        client = Client(desk.path)
        tokens = {client.allocate(group="all", open=False).token for _ in range(3)}
        client._timeout = 0.2  # not before: who has to wait for a lease is to get it
    frozen = Frozen(desk)
    with desk.open(), client:
        back(client)
        wait_for(lambda: bool(desk.reclaimed()))
        frozen.thaw()
        wait_for(lambda: frozen.reclaimed_by_one(tokens))


def test_a_reclaim_that_takes_too_long_costs_the_asyncio_client_nothing(desk: Desk) -> None:
    async def work() -> None:
        with desk.open():
            client = AsyncClient(desk.path)
            await client.__aenter__()
            tokens = {(await client.allocate(group="all", open=False)).token for _ in range(3)}
            client._link._timeout = 0.2  # not before: who has to wait for a lease is to get it
        frozen = Frozen(desk)
        with desk.open():
            await happened(lambda: len(desk.reclaimed()) > 1)  # the first took too long
            frozen.thaw()
            await happened(lambda: frozen.reclaimed_by_one(tokens))
            await client.close()

    run(work)
