# SPDX-License-Identifier: GPL-2.0-or-later
"""An answer that comes when its asker has given up costs nothing that is owned, and leaves nothing behind."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dahdi_py.client import AsyncClient, Client
from dahdi_py.errors import Timeout, Unreachable
from dahdi_py.wire.messages.calls import ClaimReply, HangupRequest, PlaceReply
from dahdi_py.wire.messages.channels import AllocateReply, AllocateSpanReply, ReleaseRequest, SpanLease
from dahdi_py.wire.server import Request
from tests.client.desk import Desk, a_pair
from tests.wire.service import open_descriptors
from tests.wire.waiting import PATIENCE_S, wait_for

Given = list[tuple[str, msgspec.Struct]]

PLACED = PlaceReply(call="c", token="a/1/1", span="east", timeslot=1)
WAITING = PlaceReply(call="c", token="", span="", timeslot=0)
CLAIMED = ClaimReply(token="a/1/1", span="east", timeslot=1)
ALLOCATED = AllocateReply(token="a/1/1", span="east", timeslot=1)
WHOLE = AllocateSpanReply(
    span="east", leases=[SpanLease(token="a/1/1", timeslot=1), SpanLease(token="a/1/2", timeslot=2)], media=None
)
RELEASED: Given = [("Channels.Release", ReleaseRequest(token="a/1/1"))]
CASES: list[tuple[str, str, msgspec.Struct, tuple[str, ...], Given]] = [
    ("Calls.Place", "place", PLACED, ("2001",), [("Calls.Hangup", HangupRequest(call="c", token="a/1/1"))]),
    ("Calls.Place", "place", WAITING, ("2001",), [("Calls.Hangup", HangupRequest(call="c"))]),
    ("Calls.Claim", "claim", CLAIMED, ("c",), RELEASED),
    ("Channels.Allocate", "allocate", ALLOCATED, (), RELEASED),
    (
        "Channels.AllocateSpan",
        "allocate_span",
        WHOLE,
        ("east",),
        [*RELEASED, ("Channels.Release", ReleaseRequest(token="a/1/2"))],
    ),
]
EACH = pytest.mark.parametrize(("method", "name", "reply", "arguments", "given_back"), CASES)


@pytest.fixture
def desk(run_dir: Path) -> Iterator[Desk]:
    desk = Desk(run_dir / "control.sock")
    with closing(desk), desk.open():
        yield desk


class Held:
    """Calls of one method at the desk, which wait for their answer."""

    def __init__(self, desk: Desk, method: str) -> None:
        self._desk = desk
        self._requests: list[Request] = []
        desk.answers[method] = lambda request, _: self._requests.append(request)

    def arrived(self) -> None:
        """One is there."""
        wait_for(lambda: bool(self._requests))

    def answer(self, reply: msgspec.Struct, fds: tuple[int, ...] = ()) -> None:
        """The first has its answer."""
        self._desk.run(lambda: self._requests.pop(0).reply(reply, fds=fds))


def given(desk: Desk) -> Given:
    return [(name, what) for _, name, what in desk.asked if name in ("Calls.Hangup", "Channels.Release")]


@EACH
def test_what_a_late_answer_brings_is_given_back(
    desk: Desk, method: str, name: str, reply: msgspec.Struct, arguments: tuple[str, ...], given_back: Given
) -> None:
    held = Held(desk, method)
    with Client(desk.path, timeout=0.2) as client:
        with pytest.raises(Timeout, match=method):
            getattr(client, name)(*arguments)
        held.arrived()
        held.answer(reply)
        wait_for(lambda: given(desk) == given_back)
        assert len({peer for peer, _, _ in desk.asked}) == 1


@EACH
def test_what_comes_for_a_cancelled_task_is_given_back(
    desk: Desk, method: str, name: str, reply: msgspec.Struct, arguments: tuple[str, ...], given_back: Given
) -> None:
    held = Held(desk, method)

    async def work(client: AsyncClient) -> None:
        asking = asyncio.create_task(getattr(client, name)(*arguments))
        await asyncio.to_thread(held.arrived)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        held.answer(reply)
        await asyncio.to_thread(wait_for, lambda: given(desk) == given_back)

    run(desk, work)


@EACH
def test_what_came_in_the_turn_in_which_its_task_was_cancelled_is_given_back(
    desk: Desk, method: str, name: str, reply: msgspec.Struct, arguments: tuple[str, ...], given_back: Given
) -> None:
    held = Held(desk, method)

    async def work(client: AsyncClient) -> None:
        loop = asyncio.get_running_loop()
        asking = loop.create_task(getattr(client, name)(*arguments))
        await asyncio.to_thread(held.arrived)
        held.answer(reply)
        # The loop finds the answer and, in the same turn, that the task is cancelled: it reads before it runs this.
        loop.call_soon(lambda: loop.call_soon(asking.cancel))
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.to_thread(wait_for, lambda: given(desk) == given_back)

    run(desk, work)


def run(desk: Desk, work: Callable[[AsyncClient], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(3 * PATIENCE_S), AsyncClient(desk.path, timeout=PATIENCE_S) as client:
            await work(client)

    asyncio.run(main())


def test_a_late_answer_costs_nothing_that_is_owned(desk: Desk) -> None:
    held = Held(desk, "Channels.Counters")
    with Client(desk.path) as client:
        lease = client.allocate(group="all", open=False)
        client._link._connection.timeout = 0.2  # not before: who has to wait for a lease is to get it
        for _ in range(2):
            with pytest.raises(Timeout):
                client.counters(lease.token)
        held.arrived()
        del desk.answers["Channels.Counters"]
        for _ in range(2):
            held.answer(ALLOCATED)  # of no matter what type
        wait_for(lambda: _answered(client))
        assert desk.reclaimed() == []
        assert len(desk.peers()) == 1
        assert len({peer for peer, _, _ in desk.asked}) == 1


def _answered(client: Client) -> bool:
    with suppress(Timeout):
        client.status()
        return True
    return False


def test_the_descriptor_of_a_late_lease_is_closed(desk: Desk) -> None:
    held = Held(desk, "Channels.Allocate")
    descriptor, line = a_pair()
    with line, Client(desk.path, timeout=0.2) as client:
        with pytest.raises(Timeout):
            client.allocate(group="all")
        held.arrived()
        before = open_descriptors()
        held.answer(AllocateReply(token="a/1/1", span="east", timeslot=1, fd=0), (descriptor,))
        assert line.recv(1) == b""
        wait_for(lambda: given(desk) == RELEASED)
        wait_for(lambda: open_descriptors() == before - 1)


def test_closing_by_another_thread_while_answers_are_late_ends_all(desk: Desk) -> None:
    held = Held(desk, "Channels.Allocate")
    client = Client(desk.path, timeout=0.2)
    with pytest.raises(Timeout):
        client.allocate(group="all")
    held.arrived()
    client.close()
    wait_for(lambda: not desk.peers())
    wait_for(lambda: not any(thread.name == "dahdi-py client" for thread in threading.enumerate()))
    with pytest.raises(Unreachable, match="client is closed"):
        client.status()
    assert not desk.peers()
