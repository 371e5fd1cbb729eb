# SPDX-License-Identifier: GPL-2.0-or-later
"""The asyncio client: a lost daemon costs the calls under way, and nothing else."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dahdi_py.client import AsyncClient
from dahdi_py.errors import HostUnavailable, StaleToken, Timeout, Unreachable
from dahdi_py.wire.messages.calls import ClaimReply, PlaceReply
from dahdi_py.wire.messages.channels import AllocateReply, ReclaimReply, ReclaimRequest
from dahdi_py.wire.messages.common import Media
from dahdi_py.wire.server import Request
from tests.client.desk import Desk, a_pair
from tests.wire.waiting import PATIENCE_S, wait_for


@pytest.fixture
def desk(run_dir: Path) -> Iterator[Desk]:
    desk = Desk(run_dir / "control.sock")
    with closing(desk):
        yield desk


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(3 * PATIENCE_S):
            await work()

    asyncio.run(main())


async def happened(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(wait_for, condition)


async def back(client: AsyncClient) -> None:
    """The client has seen its daemon go and come back."""
    while True:
        try:
            await client.status()
            return
        except Unreachable:
            continue


def _leases(desk: Desk) -> None:
    """Each lease and call at the desk gets a token of its own."""
    numbers = iter(range(1, 1000))
    desk.answers["Channels.Allocate"] = lambda request, _: request.reply(
        AllocateReply(token=f"a/1/{next(numbers)}", span="east", timeslot=1)
    )
    desk.answers["Calls.Place"] = lambda request, _: request.reply(
        PlaceReply(call="placed", token=f"a/1/{next(numbers)}", span="east", timeslot=1)
    )
    desk.answers["Calls.Claim"] = lambda request, _: request.reply(
        ClaimReply(token=f"a/1/{next(numbers)}", span="east", timeslot=1)
    )


def _reclaimed(desk: Desk) -> list[str]:
    return [parameters.token for _, method, parameters in desk.asked if method == "Channels.Reclaim"]


def test_many_calls_go_at_once(desk: Desk) -> None:
    async def work() -> None:
        with desk.open():
            async with AsyncClient(desk.path) as client:
                assert len(await asyncio.gather(*(client.status() for _ in range(100)))) == 100

    run(work)


def test_a_channel_carries_octets_and_is_released_at_the_end(desk: Desk) -> None:
    descriptor, line = a_pair()
    reply = AllocateReply(token="a/1/7", span="east", timeslot=5, media=Media(chunk=4), fd=0)
    desk.answers["Channels.Allocate"] = lambda request, _: request.reply(reply, fds=(descriptor,))

    async def work() -> None:
        with line, desk.open():
            async with AsyncClient(desk.path) as client:
                async with await client.allocate(group="all") as channel:
                    line.send(b"abcd")
                    assert channel.read() == b"abcd"
                assert channel.closed
                assert line.recv(10) == b""
        assert desk.methods() == ["Channels.Allocate", "Channels.Release"]

    run(work)


def test_nobody_there_is_told_on_entering(desk: Desk) -> None:
    async def work() -> None:
        with pytest.raises(Unreachable, match="no socket"):
            async with AsyncClient(desk.path):
                pass

    run(work)


def test_after_a_lost_daemon_what_is_owned_is_reclaimed_before_anything_else(desk: Desk) -> None:
    _leases(desk)

    async def work() -> None:
        with desk.open():
            client = AsyncClient(desk.path, label="core")
            await client.__aenter__()
            held = await client.allocate(group="all")
            released = await client.allocate(group="all")
            await released.release()
            placed = await client.place("2001", group="all")
            claimed = await client.claim("incoming")
            desk.answers["Daemon.Status"] = lambda request, _: None
            waiting = asyncio.create_task(client.status())
            await happened(lambda: "Daemon.Status" in desk.methods())
        with pytest.raises(Unreachable, match="ended"):
            await waiting
        del desk.answers["Daemon.Status"]
        desk.asked.clear()
        meanwhile = asyncio.create_task(client.spans())
        await asyncio.sleep(0)
        with desk.open():
            await meanwhile
            assert desk.methods() == ["Channels.Reclaim"] * 3 + ["Spans.List"]
            assert _reclaimed(desk) == [held.token, placed.token, claimed.token]
            assert {parameters.label for _, _, parameters in desk.asked[:3]} == {"core"}
            await client.close()

    run(work)


def test_what_has_ended_is_not_reclaimed(desk: Desk) -> None:
    _leases(desk)

    async def work() -> None:
        with desk.open():
            client = AsyncClient(desk.path)
            await client.__aenter__()
            events = client.events()
            told = asyncio.create_task(anext(events))
            await happened(lambda: "Events.Monitor" in desk.methods())
            hung_up = await client.claim("hung up")
            await client.hangup("hung up")
            ended = await client.claim("ended")
            desk.publish("call.ended", call="ended", token=ended.token)
            await told
            await client.hand_over((await client.claim("given away")).token)
            kept = await client.claim("kept")
            desk.asked.clear()
        with desk.open():
            await back(client)
            assert _reclaimed(desk) == [kept.token]
            assert hung_up.token not in _reclaimed(desk)
            await events.aclose()
            await client.close()

    run(work)


def test_a_stale_lease_is_forgotten_and_one_of_an_absent_host_is_tried_again(desk: Desk) -> None:
    _leases(desk)
    away = 2

    def reclaim(request: Request, parameters: ReclaimRequest) -> None:
        nonlocal away
        if parameters.token == "a/1/1":
            raise StaleToken("ended meanwhile", token=parameters.token)
        if away:
            away -= 1
            raise HostUnavailable("line host a is not connected", host="a")
        request.reply(ReclaimReply(span="east", timeslot=1, phase="active", call=""))

    desk.answers["Channels.Reclaim"] = reclaim

    async def work() -> None:
        with desk.open():
            client = AsyncClient(desk.path)
            await client.__aenter__()
            await client.allocate(group="all")
            await client.allocate(group="all")
        with desk.open():
            await back(client)
            await happened(lambda: len(_reclaimed(desk)) == 4)
            assert _reclaimed(desk) == ["a/1/1", "a/1/2", "a/1/2", "a/1/2"]
            desk.asked.clear()
        with desk.open():
            await back(client)
            assert _reclaimed(desk) == ["a/1/2"]
            await client.close()

    run(work)


def test_events_go_on_where_they_were_over_a_restart(desk: Desk) -> None:
    async def work() -> None:
        with desk.open():
            client = AsyncClient(desk.path)
            await client.__aenter__()
            events = client.events()
            first = asyncio.create_task(anext(events))
            await happened(lambda: "Events.Monitor" in desk.methods())
            for n in range(3):
                desk.publish("call.ended", call=str(n))
            assert (await first).call == "0"
            assert (await anext(events)).call == "1"
        with desk.open():
            desk.publish("call.ended", call="3")
            assert [(await anext(events)).call for _ in range(2)] == ["2", "3"]
            desk.publish("call.ended", call="4")
            assert (await anext(events)).call == "4"
            await events.aclose()
            await client.close()

    run(work)


def test_serving_begins_again_after_a_restart(desk: Desk) -> None:
    async def work() -> None:
        with desk.open():
            client = AsyncClient(desk.path)
            await client.__aenter__()
            served = client.serve(numbers=["2001"])
            assert (await anext(served)).offer is None
        with desk.open():
            assert (await anext(served)).offer is None
            assert desk.methods().count("Calls.Serve") == 2
            await served.aclose()
            await client.close()

    run(work)


def test_who_is_slow_is_not_fed_from_memory_and_misses_nothing(desk: Desk) -> None:
    async def work() -> None:
        with desk.open():
            async with AsyncClient(desk.path) as client:
                events = client.events()
                first = asyncio.create_task(anext(events))
                await happened(lambda: "Events.Monitor" in desk.methods())
                count = 3000
                for n in range(count):
                    await asyncio.to_thread(desk.publish, "call.ended", call=f"{n}", data={"pad": "x" * 500})
                assert (await first).call == "0"
                got = [(await anext(events)).call for _ in range(count - 1)]
                assert got == [str(n) for n in range(1, count)]
                assert desk.methods().count("Events.Monitor") > 1  # it was cut off, and resumed
                await events.aclose()

    run(work)


def test_a_lease_whose_asker_has_given_up_is_given_back(desk: Desk) -> None:
    waiting: list[Request] = []
    desk.answers["Channels.Allocate"] = lambda request, _: waiting.append(request)

    async def work() -> None:
        descriptor, line = a_pair()
        with line, desk.open():
            async with AsyncClient(desk.path, timeout=0.2) as client:
                with pytest.raises(Timeout, match=r"did not answer Channels\.Allocate within 0\.2 s"):
                    await client.allocate(group="all")
                await happened(lambda: len(waiting) == 1)
                (request,) = waiting
                reply = AllocateReply(token="a/1/9", span="east", timeslot=1, fd=0)
                desk.run(lambda: request.reply(reply, fds=(descriptor,)))
                await happened(lambda: "Channels.Release" in desk.methods())
                assert desk.asked[-1][2].token == "a/1/9"
                assert line.recv(1) == b""

    run(work)


def test_closing_ends_streams_and_refuses_calls(desk: Desk) -> None:
    async def work() -> None:
        with desk.open():
            client = AsyncClient(desk.path)
            await client.__aenter__()
            collected: list[Any] = []

            async def follow() -> None:
                async for event in client.events():
                    collected.append(event)

            task = asyncio.create_task(follow())
            await happened(lambda: "Events.Monitor" in desk.methods())
            await client.close()
            await task
            with pytest.raises(Unreachable, match="client is closed"):
                await client.status()
            await client.close()

    run(work)


def test_closing_while_the_daemon_is_away_stops_trying(desk: Desk) -> None:
    async def work() -> None:
        with desk.open():
            client = AsyncClient(desk.path)
            await client.__aenter__()
        waiting = asyncio.create_task(client.status())
        await asyncio.sleep(0)
        await client.close()
        with pytest.raises(Unreachable):
            await waiting
        assert len(asyncio.all_tasks()) == 1

    run(work)
