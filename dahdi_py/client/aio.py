# SPDX-License-Identifier: GPL-2.0-or-later
"""The client for asyncio programs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import msgspec

from dahdi_py.client.channel import AsyncChannel
from dahdi_py.client.link import Link
from dahdi_py.client.requests import PlaceOptions, cursor_request, place_request
from dahdi_py.client.tokens import Tokens
from dahdi_py.errors import AccessError, DahdiPyError, HostUnavailable, NotFound, Unreachable
from dahdi_py.wire.framing import close_all
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.alarms import Alarm, AlarmList
from dahdi_py.wire.messages.calls import (
    Call,
    CallList,
    CallName,
    CallRecord,
    CallReply,
    ClaimReply,
    ClaimRequest,
    DeclineRequest,
    HangupRequest,
    HistoryReply,
    HistoryRequest,
    OverlapRequest,
    PlaceReply,
    ProgressRequest,
    ServeReply,
    ServeRequest,
    StepRequest,
)
from dahdi_py.wire.messages.channels import (
    AllocateReply,
    AllocateRequest,
    ChannelList,
    ListRequest,
    OpenReply,
    OpenRequest,
    ReclaimReply,
    ReclaimRequest,
    ReleaseRequest,
)
from dahdi_py.wire.messages.channels import Channel as ChannelStatus
from dahdi_py.wire.messages.common import Cursor, MediaRequest, PartyRequest
from dahdi_py.wire.messages.daemon import Status, StopRequest
from dahdi_py.wire.messages.events import Event, MonitorReply, MonitorRequest
from dahdi_py.wire.messages.groups import Group, GroupList, GroupName, GroupReply
from dahdi_py.wire.messages.hosts import DrainRequest, Host, HostList
from dahdi_py.wire.messages.spans import Span, SpanList, SpanName, SpanReply

R = TypeVar("R", bound=msgspec.Struct)

_RECLAIM_S = 30.0
"""How long a daemon keeps orphaned leases for their owners, s."""
_RECLAIM_EVERY_S = 0.5


class AsyncClient:
    """The control daemon, as an asyncio program sees it: any number of calls at once.

    When the daemon goes away, calls under way fail with `Unreachable`; then the client connects again with back-off,
    reclaims every lease and call it owns, and goes on with its streams where they were. Calls made meanwhile wait for
    that within their timeout.

        async with AsyncClient(label="my core") as client:
            async for served in client.serve(numbers=["2001-2009"]):
                ...

    Args:
        socket: The control socket; None takes the first that answers of the usual places.
        timeout: Seconds an answer may take; None waits for ever.
        label: How this program is named in lists and logs, at most 64 characters.

    Synchronization: external; only on the loop it was opened on.
    """

    def __init__(
        self, socket: str | os.PathLike[str] | None = None, *, timeout: float | None = 10.0, label: str = ""
    ) -> None:
        self.label = label
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

    async def _lease(self, method: str, request: msgspec.Struct, reply: type[R]) -> tuple[R, list[int]]:
        # An answer that comes after its caller has given up is a lease nobody knows of: give it back.
        return await self._link.call(method, request, reply, unwanted=self._give_back)

    def _give_back(self, reply: Any) -> None:
        self._go_on(self._release_unwanted(reply.token))

    async def _release_unwanted(self, token: str) -> None:
        with suppress(DahdiPyError):
            await self.release(token)

    def _go_on(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _restored(self) -> None:
        waiting = await self._reclaim(self._tokens.held())
        if waiting:
            self._go_on(self._reclaim_later(waiting))

    async def _reclaim(self, leases: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """The leases whose line host the daemon has not reached yet."""
        waiting = []
        for token, label in leases:
            request = ReclaimRequest(token=token, label=label)
            try:
                await self._link.call("Channels.Reclaim", request, ReclaimReply, restoring=True)
            except HostUnavailable:
                waiting.append((token, label))
            except (AccessError, NotFound):
                self._tokens.ended(token)
        return waiting

    async def _reclaim_later(self, leases: list[tuple[str, str]]) -> None:
        with suppress(DahdiPyError):
            for _ in range(round(_RECLAIM_S / _RECLAIM_EVERY_S)):
                await asyncio.sleep(_RECLAIM_EVERY_S)
                leases = await self._reclaim(leases)
                if not leases:
                    return

    async def status(self) -> Status:
        """What the daemon is, and whether all is well."""
        return await self._call("Daemon.Status", None, Status)

    async def stop_daemon(self, *, service: bool = False) -> None:
        """The daemon stops and calls go on; with `service` calls are cleared and hosts and cards end too."""
        await self._call("Daemon.Stop", StopRequest(service=service), Empty)

    async def spans(self) -> list[Span]:
        """Every span, by number."""
        return (await self._call("Spans.List", None, SpanList)).spans

    async def span(self, span: str) -> Span:
        """One span, by name or number."""
        return (await self._call("Spans.Get", SpanName(span=span), SpanReply)).span

    async def groups(self) -> list[Group]:
        """Every trunk group."""
        return (await self._call("Groups.List", None, GroupList)).groups

    async def group(self, group: str) -> Group:
        """One trunk group."""
        return (await self._call("Groups.Get", GroupName(group=group), GroupReply)).group

    async def alarms(self) -> list[Alarm]:
        """What is wrong now, worst first."""
        return (await self._call("Alarms.List", None, AlarmList)).alarms

    async def hosts(self) -> list[Host]:
        """Every line host."""
        return (await self._call("Hosts.List", None, HostList)).hosts

    async def drain(self, host: str, *, on: bool = True) -> None:
        """The host takes no new calls, or takes them again."""
        await self._call("Hosts.Drain", DrainRequest(host=host, on=on), Empty)

    async def channels(self, span: str = "") -> list[ChannelStatus]:
        """The state of every B-channel, or of one span's."""
        return (await self._call("Channels.List", ListRequest(span=span), ChannelList)).channels

    async def allocate(
        self,
        *,
        group: str = "",
        span: str = "",
        timeslot: int = 0,
        exclusive: bool = False,
        open: bool = True,
        media: MediaRequest | None = None,
        label: str = "",
    ) -> AsyncChannel:
        """A lease of one channel of the group, of the span, or of the span's very timeslot.

        Args:
            exclusive: An incoming call for the timeslot does not move the lease.
            open: With its descriptor.
            media: How the descriptor is to behave; what is left out takes the span's default.
        """
        request = AllocateRequest(
            group=group,
            span=span,
            timeslot=timeslot,
            exclusive=exclusive,
            open=open,
            media=media,
            label=label or self.label,
        )
        reply, fds = await self._lease("Channels.Allocate", request, AllocateReply)
        self._tokens.began(reply.token, request.label)
        return self._channel(reply.token, reply, fds)

    async def open(self, token: str, *, media: MediaRequest | None = None) -> AsyncChannel:
        """The descriptor of a leased channel, or of a call's once its `call.media` event came; as often as wanted."""
        request = OpenRequest(token=token, media=media)
        reply, fds = await self._link.call("Channels.Open", request, OpenReply)
        return self._channel(token, reply, fds)

    def _channel(self, token: str, reply: AllocateReply | OpenReply, fds: list[int]) -> AsyncChannel:
        fd = fds.pop(reply.fd) if reply.fd is not None and reply.fd < len(fds) else None
        close_all(fds)
        return AsyncChannel(token, reply.span, reply.timeslot, reply.media, fd, self.release)

    async def release(self, token: str, cause: int = 16) -> None:
        """The lease has ended; a call on it is cleared with `cause` first."""
        self._tokens.ended(token)
        await self._call("Channels.Release", ReleaseRequest(token=token, cause=cause), Empty)

    async def reclaim(self, token: str, label: str = "") -> ReclaimReply:
        """An orphaned lease, and its call, are this client's; its own it reclaims by itself."""
        request = ReclaimRequest(token=token, label=label or self.label)
        reply = await self._call("Channels.Reclaim", request, ReclaimReply)
        self._tokens.began(token, request.label, reply.call)
        return reply

    async def calls(self) -> list[Call]:
        """Calls now, oldest first."""
        return (await self._call("Calls.List", None, CallList)).calls

    async def call(self, call: str) -> Call:
        """One call, by its id."""
        return (await self._call("Calls.Get", CallName(call=call), CallReply)).call

    async def place(self, called: str | PartyRequest, **options: Unpack[PlaceOptions]) -> PlaceReply:
        """A call is on its way; what becomes of it is told by events (`PlaceOptions` has every argument)."""
        request = place_request(called, self.label, options)
        reply, fds = await self._lease("Calls.Place", request, PlaceReply)
        close_all(fds)
        self._tokens.began(reply.token, request.label, reply.call)
        return reply

    async def claim(self, call: str, label: str = "") -> ClaimReply:
        """The offered call is this client's; CALL PROCEEDING went out."""
        request = ClaimRequest(call=call, label=label or self.label)
        reply, fds = await self._lease("Calls.Claim", request, ClaimReply)
        close_all(fds)
        self._tokens.began(reply.token, request.label, call)
        return reply

    async def decline(self, call: str) -> None:
        """The offer goes to the next core."""
        await self._call("Calls.Decline", DeclineRequest(call=call), Empty)

    async def alert(self, call: str, *, in_band: bool = False, token: str = "") -> None:
        """ALERTING went out; `in_band` says that ringback is in the channel."""
        await self._call("Calls.Alert", StepRequest(call=call, in_band=in_band, token=token), Empty)

    async def progress(self, call: str, *, in_band: bool = True, cause: int = 0, token: str = "") -> None:
        """PROGRESS went out, with a cause where there is one to tell."""
        request = ProgressRequest(call=call, in_band=in_band, cause=cause, token=token)
        await self._call("Calls.Progress", request, Empty)

    async def answer(self, call: str, *, token: str = "") -> None:
        """CONNECT went out."""
        await self._call("Calls.Answer", StepRequest(call=call, token=token), Empty)

    async def hangup(self, call: str, *, cause: int = 16, token: str = "", force: bool = False) -> None:
        """The call is being cleared, or was refused, with a Q.850 cause; `force` is an operator's."""
        request = HangupRequest(call=call, cause=cause, token=token, force=force)
        await self._call("Calls.Hangup", request, Empty)
        self._tokens.call_ended(call)

    async def send_overlap(self, call: str, digits: str, *, token: str = "") -> None:
        """More digits of the called number went out."""
        await self._call("Calls.SendOverlap", OverlapRequest(call=call, digits=digits, token=token), Empty)

    async def send_keypad(self, call: str, digits: str, *, token: str = "") -> None:
        """Keypad digits went out."""
        await self._call("Calls.SendKeypad", OverlapRequest(call=call, digits=digits, token=token), Empty)

    async def history(self, *, limit: int = 20, call: str = "", span: str = "", number: str = "") -> list[CallRecord]:
        """Records of calls, newest first."""
        request = HistoryRequest(limit=limit, call=call, span=span, number=number)
        return (await self._call("Calls.History", request, HistoryReply)).records

    async def position(self) -> Cursor:
        """The cursor of the newest event."""
        return (await self._call("Events.Position", None, MonitorReply)).cursor

    async def events(
        self, *, kinds: Sequence[str] = (), span: str = "", call: str = "", after: Cursor | None = None
    ) -> AsyncGenerator[Event, None]:
        """Events that fit, from now or from a cursor, for ever; none is missed or given twice over a lost connection.

        Args:
            kinds: Exact kinds, or prefixes ending in a dot such as `call.`; empty for all.
            after: Everything later than this first; a `gap` event when it is no longer kept.
        """
        attempt = 0
        while not self._link.closed:
            request = MonitorRequest(kinds=list(kinds), span=span, call=call, after=cursor_request(after))
            try:
                async for reply in self._link.stream("Events.Monitor", request, MonitorReply):
                    attempt = 0
                    for event in reply.events:
                        self._tokens.happened(event)
                        after = Cursor(epoch=event.epoch, n=event.n)
                        yield event
                    after = reply.cursor
            except Unreachable:
                await self._link.pause(attempt)
                attempt += 1

    async def serve(
        self, *, groups: Sequence[str] = (), numbers: Sequence[str] = (), label: str = "", priority: int = 10
    ) -> AsyncGenerator[ServeReply, None]:
        """Incoming calls as they are offered, and offers as they are withdrawn, for ever.

        The first reply has neither: serving has begun, and so again after a lost connection.

        Args:
            groups: Only of these trunk groups; empty for all.
            numbers: Only for these called numbers: digits, `X` any digit, `2001-2009` a range, trailing `.` any rest.
            priority: Lower is offered first.
        """
        request = ServeRequest(groups=list(groups), numbers=list(numbers), label=label or self.label, priority=priority)
        attempt = 0
        while not self._link.closed:
            try:
                async for reply in self._link.stream("Calls.Serve", request, ServeReply):
                    attempt = 0
                    yield reply
            except Unreachable:
                await self._link.pause(attempt)
                attempt += 1
