# SPDX-License-Identifier: GPL-2.0-or-later
"""The client for asyncio programs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import suppress
from itertools import count
from types import TracebackType
from typing import Any, Self

import msgspec

from dahdi_py.client.aio_asker import R
from dahdi_py.client.aio_calls import AsyncCalls
from dahdi_py.client.aio_leases import AsyncLeases
from dahdi_py.client.aio_state import AsyncState
from dahdi_py.client.back_off import back_off_s, passes
from dahdi_py.client.link import Link
from dahdi_py.client.requests import cursor_request, give_back
from dahdi_py.client.tokens import GONE, Tokens
from dahdi_py.errors import AccessError, DahdiPyError, Timeout, Unreachable
from dahdi_py.wire.framing import close_all
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.calls import ServeReply, ServeRequest
from dahdi_py.wire.messages.channels import ReclaimReply, ReclaimRequest
from dahdi_py.wire.messages.common import Cursor
from dahdi_py.wire.messages.daemon import Status
from dahdi_py.wire.messages.events import Event, MonitorReply, MonitorRequest


class AsyncClient(AsyncState, AsyncLeases, AsyncCalls):
    """The control daemon, as an asyncio program sees it: any number of calls at once.

    When the daemon goes away, calls under way fail with `Unreachable`; then the client connects again with back-off,
    reclaims every lease and call it owns, and goes on with its streams where they were. Calls made meanwhile wait for
    that within their timeout. A lease that cannot be reclaimed yet (its line host is not back) is tried again; it is
    forgotten when it has ended or is another's.

    An answer that does not come in time is a `Timeout`: the connection and everything owned live on. The late answer
    is thrown away; a lease or call that it brings is given back, as it is when the task that asked was cancelled.

        async with AsyncClient(label="my core") as client:
            async for served in client.serve(numbers=["2001-2009"]):
                ...

    Args:
        socket: The control socket; None takes the first that answers of the usual places.
        timeout: Seconds an answer may take; None waits for ever.
        label: How this program is named in lists and logs, at most 64 characters.
        resume: Whether streams go on over a lost daemon; else they raise `Unreachable`.

    Synchronization: external; only on the loop it was opened on.
    """

    def __init__(
        self,
        socket: str | os.PathLike[str] | None = None,
        *,
        timeout: float | None = 10.0,
        label: str = "",
        resume: bool = True,
    ) -> None:
        self.label = label
        self._resume = resume
        self._tokens = Tokens()
        self._link = Link(socket, timeout, self._restored)
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._link.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Every connection has ended: calls that were owned are cleared, leases ended."""
        for task in self._tasks:
            task.cancel()
        await self._link.close()

    async def _call(self, method: str, request: msgspec.Struct | None, reply: type[R]) -> R:
        answer, fds = await self._link.call(method, request, reply)
        close_all(fds)
        return answer

    async def _call_fds(self, method: str, request: msgspec.Struct, reply: type[R]) -> tuple[R, list[int]]:
        return await self._link.call(method, request, reply)

    async def _lease(self, method: str, request: msgspec.Struct, reply: type[R]) -> tuple[R, list[int]]:
        # An answer that comes after its caller has given up is a lease nobody knows of: give it back.
        return await self._link.call(method, request, reply, unwanted=self._give_back)

    def _give_back(self, reply: Any) -> None:
        for method, request in give_back(reply):
            self._go_on(self._ask_unwatched(method, request))

    async def _ask_unwatched(self, method: str, request: msgspec.Struct) -> None:
        with suppress(DahdiPyError):
            await self._call(method, request, Empty)

    def _go_on(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _restored(self) -> None:
        waiting = await self._reclaim(self._tokens.held())
        if waiting:
            self._go_on(self._reclaim_later(waiting))

    async def _reclaim(self, leases: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Those that could not be reclaimed yet; what has ended meanwhile is forgotten."""
        waiting: list[tuple[str, str]] = []
        for n, (token, label) in enumerate(leases):
            if (token, label) not in self._tokens.held():
                continue
            request = ReclaimRequest(token=token, label=label)
            try:
                await self._link.call("Channels.Reclaim", request, ReclaimReply, restoring=True)
            except GONE:
                self._tokens.ended(token)
            except Timeout:
                return waiting + leases[n:]  # the others would wait as long
            except Unreachable:
                raise
            except AccessError:
                waiting.append((token, label))
                # Who is turned away hears so in place of its first answer, and is cut off: before others ask.
                with suppress(Timeout):
                    await self._link.call("Daemon.Status", None, Status, restoring=True)
            except DahdiPyError:
                waiting.append((token, label))
        return waiting

    async def _reclaim_later(self, leases: list[tuple[str, str]]) -> None:
        # A connection that is lost meanwhile ends this: the next one begins with all that is owned.
        with suppress(DahdiPyError):
            for attempt in count():
                await asyncio.sleep(back_off_s(attempt))
                leases = await self._reclaim(leases)
                if not leases:
                    return

    async def snapshot(self) -> MonitorReply:
        """The whole state and its cursor: with the events after it, exactly what is."""
        request = MonitorRequest(snapshot=True)
        async for reply in self._link.stream("Events.Monitor", request, MonitorReply):
            return reply
        raise Unreachable("the daemon ended the stream before its first reply")

    async def events(
        self,
        *,
        kinds: Sequence[str] = (),
        span: str = "",
        call: str = "",
        group: str = "",
        after: Cursor | None = None,
    ) -> AsyncGenerator[Event, None]:
        """Events that fit, from now or from a cursor, for ever; none is missed or given twice over a lost connection.

        Args:
            kinds: Exact kinds, or prefixes ending in a dot such as `call.`; empty for all.
            after: Everything later than this first; a `gap` event when it is no longer kept.
        """
        attempt, begun = 0, False
        while not self._link.closed:
            request = MonitorRequest(kinds=list(kinds), span=span, call=call, group=group, after=cursor_request(after))
            try:
                async for reply in self._link.stream("Events.Monitor", request, MonitorReply):
                    attempt, begun = 0, True
                    for event in reply.events:
                        self._tokens.happened(event)
                        after = Cursor(epoch=event.epoch, n=event.n)
                        yield event
                    after = reply.cursor
            except (Unreachable, AccessError) as error:
                if not (self._resume and passes(error) and (begun or isinstance(error, Unreachable))):
                    raise
                await self._link.pause(attempt)
                attempt += 1

    async def serve(
        self,
        *,
        groups: Sequence[str] = (),
        numbers: Sequence[str] = (),
        label: str = "",
        priority: int = 10,
        sharing: str = "share",
    ) -> AsyncGenerator[ServeReply, None]:
        """Incoming calls as they are offered, and offers as they are withdrawn, for ever.

        The first reply has neither: serving has begun, and so again after a lost connection.

        Args:
            groups: Only of these trunk groups; empty for all.
            numbers: Only for these called numbers: digits, `X` any digit, `2001-2009` a range, trailing `.` any rest.
            priority: Lower is offered first.
            sharing: `share`: cores of one priority take turns; `fork`: each call goes to all that fork at once.
        """
        request = ServeRequest(
            groups=list(groups), numbers=list(numbers), label=label or self.label, priority=priority, sharing=sharing
        )
        attempt, begun = 0, False
        while not self._link.closed:
            try:
                async for reply in self._link.stream("Calls.Serve", request, ServeReply):
                    attempt, begun = 0, True
                    yield reply
            except (Unreachable, AccessError) as error:
                if not (self._resume and passes(error) and (begun or isinstance(error, Unreachable))):
                    raise
                await self._link.pause(attempt)
                attempt += 1
