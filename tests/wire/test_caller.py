# SPDX-License-Identifier: GPL-2.0-or-later
"""The caller on a loop: many calls at once, answers by callback, every call ends once."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dahdi_py.errors import ChannelBusy, DahdiPyError, Timeout, Unreachable
from dahdi_py.wire.caller import Caller
from dahdi_py.wire.framing import close_all
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.loop import turn
from dahdi_py.wire.refusals import ProtocolError
from tests.wire.service import Count, Counted, Echo, Echoed, Service, open_descriptors, serving
from tests.wire.waiting import PATIENCE_S, wait_for

Answer = tuple[Any, list[int], DahdiPyError | None]


class Answers:
    """Collects answers; `wait` returns when so many have come."""

    def __init__(self) -> None:
        self.got: list[Answer] = []
        self._news = asyncio.Event()

    def take(self, reply: Any, fds: list[int], error: DahdiPyError | None) -> None:
        self.got.append((reply, fds, error))
        self._news.set()

    async def wait(self, count: int) -> list[Answer]:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.got) < count:
                self._news.clear()
                await self._news.wait()
        return self.got


async def answer_later(service: Service, count: int) -> None:
    """What so many asked is answered: the service may read it only after the caller has given up."""
    await asyncio.to_thread(wait_for, lambda: len(service.later) == count)
    await asyncio.to_thread(service.run, service.answer_later)


@pytest.fixture
def service(run_dir: Path) -> Iterator[Service]:
    with serving(run_dir / "s") as service:
        yield service


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await work()

    asyncio.run(main())


def test_many_calls_are_under_way_and_each_is_answered(service: Service) -> None:
    async def work() -> None:
        caller = Caller(asyncio.get_running_loop(), service.path)
        answers = Answers()
        with turn:
            for n in range(2000):
                caller.call("org.dahdipy.Test.Echo", Echo(text=str(n)), Echoed, answers.take)
        assert caller.outstanding == 2000
        got = await answers.wait(2000)
        assert [reply.text for reply, _, _ in got] == [str(n) for n in range(2000)]
        assert caller.outstanding == 0
        caller.close()

    run(work)


def test_errors_descriptors_and_streams_arrive(service: Service) -> None:
    async def work() -> None:
        caller = Caller(asyncio.get_running_loop(), service.path)
        answers = Answers()
        caller.call("org.dahdipy.Test.Fail", None, Empty, answers.take)
        caller.call("org.dahdipy.Test.Pipe", None, Echoed, answers.take)
        caller.call("org.dahdipy.Test.Follow", Count(upto=3), Counted, answers.take, more=True)
        caller.call("org.dahdipy.Test.Echo", Echo(text="last"), Echoed, answers.take)
        failed, piped, *counted, last = await answers.wait(6)
        assert isinstance(failed[2], ChannelBusy)
        assert len(piped[1]) == 2
        close_all(piped[1])
        assert [reply.n for reply, _, _ in counted] == [0, 1, 2]
        assert last[0].text == "last"
        caller.close()

    run(work)


def test_a_late_answer_is_swallowed_and_the_order_kept(service: Service) -> None:
    async def work() -> None:
        caller = Caller(asyncio.get_running_loop(), service.path)
        answers = Answers()
        caller.call("org.dahdipy.Test.Later", Echo(text="late"), Echoed, answers.take, timeout=0.05)
        caller.call("org.dahdipy.Test.Echo", Echo(text="patient"), Echoed, answers.take, timeout=PATIENCE_S)
        ((reply, _, error),) = await answers.wait(1)
        assert reply is None
        assert isinstance(error, Timeout)
        assert "Test.Later" in str(error)
        await answer_later(service, 1)
        _, (reply, _, error) = await answers.wait(2)
        assert reply.text == "patient"
        assert error is None
        caller.close()
        assert len(answers.got) == 2

    run(work)


def test_who_wants_a_late_answer_gets_it_or_the_end_of_the_connection(service: Service) -> None:
    async def work() -> None:
        caller = Caller(asyncio.get_running_loop(), service.path)
        answers, late = Answers(), Answers()
        for text in ("a", "b"):
            request = Echo(text=text)
            caller.call("org.dahdipy.Test.Later", request, Echoed, answers.take, timeout=0.05, late=late.take)
        assert all(isinstance(error, Timeout) for _, _, error in await answers.wait(2))
        await answer_later(service, 2)
        assert (await late.wait(1))[0][0].text == "a"
        caller.close()
        assert len(late.got) == 2
        assert len(answers.got) == 2

    run(work)


def test_the_nearest_deadline_counts_whatever_the_order_of_calls(service: Service) -> None:
    async def work() -> None:
        caller = Caller(asyncio.get_running_loop(), service.path)
        slow, quick = Answers(), Answers()
        caller.call("org.dahdipy.Test.Later", Echo(text="a"), Echoed, slow.take, timeout=3600)
        caller.call("org.dahdipy.Test.Later", Echo(text="b"), Echoed, quick.take, timeout=0.02)
        caller.call("org.dahdipy.Test.Later", Echo(text="c"), Echoed, quick.take, timeout=0.04)
        assert all(isinstance(error, Timeout) for _, _, error in await quick.wait(2))
        assert not slow.got
        caller.close()
        assert isinstance(slow.got[0][2], Unreachable)

    run(work)


def test_the_end_of_the_server_fails_every_call_once_then_tells(service: Service) -> None:
    async def work() -> None:
        ended: list[str] = []
        closed = asyncio.Event()

        def on_close(error: DahdiPyError) -> None:
            ended.append(f"closed after {len(answers.got)}")
            closed.set()

        caller = Caller(asyncio.get_running_loop(), service.path, on_close)
        answers = Answers()
        for _ in range(3):
            caller.call("org.dahdipy.Test.Later", Echo(text="a"), Echoed, answers.take, timeout=PATIENCE_S)
        echoed = Answers()
        caller.call("org.dahdipy.Test.Later", Echo(text="b"), Echoed, echoed.take)
        await asyncio.to_thread(service.run, service.server.close)
        await asyncio.wait_for(closed.wait(), PATIENCE_S)
        assert [type(error) for _, _, error in answers.got] == [Unreachable] * 3
        assert ended == ["closed after 3"]
        caller.call("org.dahdipy.Test.Echo", Echo(text="a"), Echoed, answers.take)
        assert isinstance(answers.got[3][2], Unreachable)
        caller.close()
        assert ended == ["closed after 3"]

    run(work)


def test_closing_fails_calls_and_tells_nobody_else(service: Service) -> None:
    async def work() -> None:
        before = open_descriptors()
        ended: list[DahdiPyError] = []
        caller = Caller(asyncio.get_running_loop(), service.path, ended.append)
        answers = Answers()
        caller.call("org.dahdipy.Test.Later", Echo(text="a"), Echoed, answers.take)
        caller.close()
        caller.close()
        assert [type(error) for _, _, error in answers.got] == [Unreachable]
        assert ended == []
        # The server's side, in the same process, goes in its own time.
        await asyncio.to_thread(wait_for, lambda: open_descriptors() == before)

    run(work)


def test_nobody_there_is_told_at_once(run_dir: Path) -> None:
    async def work() -> None:
        before = open_descriptors()
        with pytest.raises(Unreachable, match="no socket"):
            Caller(asyncio.get_running_loop(), run_dir / "none")
        assert open_descriptors() == before

    run(work)


def test_reading_can_pause(service: Service) -> None:
    async def work() -> None:
        caller = Caller(asyncio.get_running_loop(), service.path)
        answers = Answers()
        caller.pause()
        caller.call("org.dahdipy.Test.Echo", Echo(text="a"), Echoed, answers.take)
        other = Caller(asyncio.get_running_loop(), service.path)
        witness = Answers()
        for _ in range(3):
            other.call("org.dahdipy.Test.Echo", Echo(text="b"), Echoed, witness.take)
        await witness.wait(3)
        assert not answers.got
        caller.resume()
        await answers.wait(1)
        caller.close()
        other.close()

    run(work)


@pytest.mark.parametrize(
    ("octets", "error"),
    [
        (b"nonsense\0", Unreachable),
        (b'{"parameters":{"text":1,"count":1}}\0', ProtocolError),
        (b'{"parameters":{"text":"a","count":1},"fds":1}\0', Unreachable),
    ],
)
def test_odd_answers_are_named_errors(octets: bytes, error: type[DahdiPyError]) -> None:
    async def work() -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            caller = Caller(asyncio.get_running_loop(), ours)
            answers = Answers()
            caller.call("a.b.C", None, Echoed, answers.take)
            theirs.sendall(octets)
            ((_, _, got),) = await answers.wait(1)
            assert type(got) is error
            caller.close()

    run(work)


def test_an_answer_nobody_asked_for_ends_the_connection_and_leaks_nothing() -> None:
    async def work() -> None:
        before = open_descriptors()
        ended: asyncio.Future[DahdiPyError] = asyncio.get_running_loop().create_future()
        ours, theirs = socket.socketpair()
        with theirs:
            caller = Caller(asyncio.get_running_loop(), ours, ended.set_result)
            reading, writing = os.pipe()
            socket.send_fds(theirs, [b'{"fds":2}\0{"half":'], [reading, writing])
            os.close(reading)
            os.close(writing)
            error = await asyncio.wait_for(ended, PATIENCE_S)
            assert "answered what nobody asked" in str(error)
            assert caller.closed
        assert open_descriptors() == before

    run(work)


def test_descriptors_of_an_unwanted_answer_are_closed(service: Service) -> None:
    async def work() -> None:
        caller = Caller(asyncio.get_running_loop(), service.path)
        answers = Answers()
        caller.call("org.dahdipy.Test.Echo", Echo(text="a"), Echoed, answers.take)
        await answers.wait(1)
        before = open_descriptors()
        caller.call("org.dahdipy.Test.Later", Echo(text="a"), Echoed, answers.take, timeout=0.01)
        caller.call("org.dahdipy.Test.Pipe", None, Count, answers.take)  # not the type that comes
        await answers.wait(2)
        await answer_later(service, 1)
        await answers.wait(3)
        assert isinstance(answers.got[2][2], ProtocolError)
        # The server closes its own copies once they are sent.
        await asyncio.to_thread(wait_for, lambda: open_descriptors() == before)
        caller.close()

    run(work)


def test_calls_carry_descriptors(run_dir: Path) -> None:
    async def work() -> None:
        reading, writing = os.pipe()
        with serving(run_dir / "s", receive_fds=True) as service:
            caller = Caller(asyncio.get_running_loop(), service.path)
            answers = Answers()
            caller.call("org.dahdipy.Test.Later", Echo(text="a"), Echoed, answers.take, fds=(writing,))
            os.close(writing)
            await asyncio.to_thread(wait_for, lambda: len(service.later) == 1)
            request, _ = service.later[0]
            os.write(request.fds[0], b"passed")
            assert os.read(reading, 10) == b"passed"
            close_all(request.fds)
            assert os.read(reading, 10) == b""
            service.run(partial(request.reply, Echoed(text="b", count=1)))
            await answers.wait(1)
            caller.close()
        os.close(reading)

    run(work)
