# SPDX-License-Identifier: GPL-2.0-or-later
"""The client for programs that wait."""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import TracebackType
from typing import Self, TypeVar, Unpack

import msgspec

from dahdi_py.client.channel import Channel
from dahdi_py.client.event_stream import EventStream
from dahdi_py.client.offer_stream import OfferStream
from dahdi_py.client.requests import PlaceOptions, cursor_request, place_request
from dahdi_py.wire.blocking import Connection
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
from dahdi_py.wire.messages.events import MonitorReply, MonitorRequest
from dahdi_py.wire.messages.groups import Group, GroupList, GroupName, GroupReply
from dahdi_py.wire.messages.hosts import DrainRequest, Host, HostList
from dahdi_py.wire.messages.spans import Span, SpanList, SpanName, SpanReply
from dahdi_py.wire.places import client_socket

R = TypeVar("R", bound=msgspec.Struct)


class Client:
    """The control daemon, as a program that waits for each answer sees it.

    Leases and calls belong to the connection behind it. When that ends (`Unreachable`), the next call connects anew,
    and what was owned is orphaned for 30 s: `reclaim` takes it back by its token. Streams have connections of their
    own.

    Args:
        socket: The control socket; None takes the first that answers of the usual places.
        timeout: Seconds an answer may take; None waits for ever.
        label: How this program is named in lists and logs, at most 64 characters.

    Raises:
        Unreachable: No daemon answers; the message says how to start one.

    Synchronization: external; one call at a time.
    """

    def __init__(
        self, socket: str | os.PathLike[str] | None = None, *, timeout: float | None = 10.0, label: str = ""
    ) -> None:
        self.label = label
        self._socket = socket
        self._timeout = timeout
        self._connection = self._connect()

    def _connect(self) -> Connection:
        return Connection(client_socket().path if self._socket is None else self._socket, self._timeout)

    def _call_fds(self, method: str, request: msgspec.Struct | None, reply: type[R]) -> tuple[R, list[int]]:
        if self._connection.closed:
            self._connection = self._connect()
        return self._connection.call_fds(f"org.dahdipy.{method}", request, reply)

    def _call(self, method: str, request: msgspec.Struct | None, reply: type[R]) -> R:
        answer, fds = self._call_fds(method, request, reply)
        close_all(fds)
        return answer

    def status(self) -> Status:
        """What the daemon is, and whether all is well."""
        return self._call("Daemon.Status", None, Status)

    def stop_daemon(self, *, service: bool = False) -> None:
        """The daemon stops and calls go on; with `service` calls are cleared and hosts and cards end too."""
        self._call("Daemon.Stop", StopRequest(service=service), Empty)

    def spans(self) -> list[Span]:
        """Every span, by number."""
        return self._call("Spans.List", None, SpanList).spans

    def span(self, span: str) -> Span:
        """One span, by name or number."""
        return self._call("Spans.Get", SpanName(span=span), SpanReply).span

    def groups(self) -> list[Group]:
        """Every trunk group."""
        return self._call("Groups.List", None, GroupList).groups

    def group(self, group: str) -> Group:
        """One trunk group."""
        return self._call("Groups.Get", GroupName(group=group), GroupReply).group

    def alarms(self) -> list[Alarm]:
        """What is wrong now, worst first."""
        return self._call("Alarms.List", None, AlarmList).alarms

    def hosts(self) -> list[Host]:
        """Every line host."""
        return self._call("Hosts.List", None, HostList).hosts

    def drain(self, host: str, *, on: bool = True) -> None:
        """The host takes no new calls, or takes them again."""
        self._call("Hosts.Drain", DrainRequest(host=host, on=on), Empty)

    def channels(self, span: str = "") -> list[ChannelStatus]:
        """The state of every B-channel, or of one span's."""
        return self._call("Channels.List", ListRequest(span=span), ChannelList).channels

    def allocate(
        self,
        *,
        group: str = "",
        span: str = "",
        timeslot: int = 0,
        exclusive: bool = False,
        open: bool = True,
        media: MediaRequest | None = None,
        label: str = "",
    ) -> Channel:
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
        reply, fds = self._call_fds("Channels.Allocate", request, AllocateReply)
        return self._channel(reply.token, reply, fds)

    def open(self, token: str, *, media: MediaRequest | None = None) -> Channel:
        """The descriptor of a leased channel, or of a call's once its `call.media` event came; as often as wanted."""
        request = OpenRequest(token=token, media=media)
        reply, fds = self._call_fds("Channels.Open", request, OpenReply)
        return self._channel(token, reply, fds)

    def _channel(self, token: str, reply: AllocateReply | OpenReply, fds: list[int]) -> Channel:
        fd = fds.pop(reply.fd) if reply.fd is not None and reply.fd < len(fds) else None
        close_all(fds)
        return Channel(token, reply.span, reply.timeslot, reply.media, fd, self.release)

    def release(self, token: str, cause: int = 16) -> None:
        """The lease has ended; a call on it is cleared with `cause` first."""
        self._call("Channels.Release", ReleaseRequest(token=token, cause=cause), Empty)

    def reclaim(self, token: str, label: str = "") -> ReclaimReply:
        """An orphaned lease, and its call, are this client's."""
        request = ReclaimRequest(token=token, label=label or self.label)
        return self._call("Channels.Reclaim", request, ReclaimReply)

    def calls(self) -> list[Call]:
        """Calls now, oldest first."""
        return self._call("Calls.List", None, CallList).calls

    def call(self, call: str) -> Call:
        """One call, by its id."""
        return self._call("Calls.Get", CallName(call=call), CallReply).call

    def place(self, called: str | PartyRequest, **options: Unpack[PlaceOptions]) -> PlaceReply:
        """A call is on its way; what becomes of it is told by events (`PlaceOptions` has every argument)."""
        return self._call("Calls.Place", place_request(called, self.label, options), PlaceReply)

    def claim(self, call: str, label: str = "") -> ClaimReply:
        """The offered call is this client's; CALL PROCEEDING went out."""
        return self._call("Calls.Claim", ClaimRequest(call=call, label=label or self.label), ClaimReply)

    def decline(self, call: str) -> None:
        """The offer goes to the next core."""
        self._call("Calls.Decline", DeclineRequest(call=call), Empty)

    def alert(self, call: str, *, in_band: bool = False, token: str = "") -> None:
        """ALERTING went out; `in_band` says that ringback is in the channel."""
        self._call("Calls.Alert", StepRequest(call=call, in_band=in_band, token=token), Empty)

    def progress(self, call: str, *, in_band: bool = True, cause: int = 0, token: str = "") -> None:
        """PROGRESS went out, with a cause where there is one to tell."""
        request = ProgressRequest(call=call, in_band=in_band, cause=cause, token=token)
        self._call("Calls.Progress", request, Empty)

    def answer(self, call: str, *, token: str = "") -> None:
        """CONNECT went out."""
        self._call("Calls.Answer", StepRequest(call=call, token=token), Empty)

    def hangup(self, call: str, *, cause: int = 16, token: str = "", force: bool = False) -> None:
        """The call is being cleared, or was refused, with a Q.850 cause; `force` is an operator's."""
        request = HangupRequest(call=call, cause=cause, token=token, force=force)
        self._call("Calls.Hangup", request, Empty)

    def send_overlap(self, call: str, digits: str, *, token: str = "") -> None:
        """More digits of the called number went out."""
        self._call("Calls.SendOverlap", OverlapRequest(call=call, digits=digits, token=token), Empty)

    def send_keypad(self, call: str, digits: str, *, token: str = "") -> None:
        """Keypad digits went out."""
        self._call("Calls.SendKeypad", OverlapRequest(call=call, digits=digits, token=token), Empty)

    def history(self, *, limit: int = 20, call: str = "", span: str = "", number: str = "") -> list[CallRecord]:
        """Records of calls, newest first."""
        request = HistoryRequest(limit=limit, call=call, span=span, number=number)
        return self._call("Calls.History", request, HistoryReply).records

    def position(self) -> Cursor:
        """The cursor of the newest event."""
        return self._call("Events.Position", None, MonitorReply).cursor

    def events(
        self, *, kinds: Sequence[str] = (), span: str = "", call: str = "", after: Cursor | None = None
    ) -> EventStream:
        """Events that fit, from now or from a cursor; they are being collected when this returns.

        Args:
            kinds: Exact kinds, or prefixes ending in a dot such as `call.`; empty for all.
            after: Everything later than this first; a `gap` event when it is no longer kept.
        """
        request = MonitorRequest(kinds=list(kinds), span=span, call=call, after=cursor_request(after))
        connection = self._connect()
        return EventStream(connection, connection.stream("org.dahdipy.Events.Monitor", request, MonitorReply))

    def serve(
        self, *, groups: Sequence[str] = (), numbers: Sequence[str] = (), label: str = "", priority: int = 10
    ) -> OfferStream:
        """Incoming calls as they are offered, and offers as they are withdrawn; serving has begun when this returns.

        Args:
            groups: Only of these trunk groups; empty for all.
            numbers: Only for these called numbers: digits, `X` any digit, `2001-2009` a range, trailing `.` any rest.
            priority: Lower is offered first.
        """
        request = ServeRequest(groups=list(groups), numbers=list(numbers), label=label or self.label, priority=priority)
        connection = self._connect()
        return OfferStream(connection, connection.stream("org.dahdipy.Calls.Serve", request, ServeReply))

    def close(self) -> None:
        """The connection has ended: calls it owned are cleared, leases ended."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
