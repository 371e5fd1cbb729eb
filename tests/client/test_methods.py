# SPDX-License-Identifier: GPL-2.0-or-later
"""Each method of the public interfaces is a method of both clients, and sends what it is given."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dahdi_py.client import AsyncClient, BearerRequest, Client, CursorRequest, MediaRequest, PartyRequest
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import channels, groups, hosts, spans
from dahdi_py.wire.messages.alarms import INTERFACE as ALARMS
from dahdi_py.wire.messages.alarms import AcknowledgeRequest, ClearRequest
from dahdi_py.wire.messages.alarms import HistoryRequest as AlarmHistoryRequest
from dahdi_py.wire.messages.calls import (
    CallName,
    ClaimRequest,
    DeclineRequest,
    HangupRequest,
    HistoryRequest,
    OverlapRequest,
    PlaceRequest,
    ProgressRequest,
    ServeRequest,
    StepRequest,
)
from dahdi_py.wire.messages.channels import AllocateRequest, ListRequest, OpenRequest, ReclaimRequest, ReleaseRequest
from dahdi_py.wire.messages.daemon import AuditRequest, StopRequest
from dahdi_py.wire.messages.events import MonitorRequest
from dahdi_py.wire.messages.groups import GroupName
from dahdi_py.wire.messages.hosts import DrainRequest
from dahdi_py.wire.messages.performance import PerformanceRequest
from dahdi_py.wire.messages.spans import SpanName
from scripts import write_blocking_client
from tests.client.desk import PUBLIC, Desk

_MEDIA = MediaRequest(mode="data")
_PARTY = PartyRequest(number="99", presentation="restricted")

# What a client is asked for, and what must arrive; the client's label is "core".
_CALLS: list[tuple[Callable[[Any], Any], str, msgspec.Struct]] = [
    (lambda c: c.status(), "Daemon.Status", Empty()),
    (lambda c: c.stop_daemon(service=True), "Daemon.Stop", StopRequest(service=True)),
    (lambda c: c.spans(), "Spans.List", Empty()),
    (lambda c: c.span("east"), "Spans.Get", SpanName(span="east")),
    (
        lambda c: c.performance("east", intervals=4, norm="G.826"),
        "Spans.Performance",
        PerformanceRequest(span="east", intervals=4, norm="G.826"),
    ),
    (lambda c: c.clock(), "Spans.Clock", Empty()),
    (lambda c: c.groups(), "Groups.List", Empty()),
    (lambda c: c.group("all"), "Groups.Get", GroupName(group="all")),
    (lambda c: c.alarms(), "Alarms.List", Empty()),
    (lambda c: c.hosts(), "Hosts.List", Empty()),
    (
        lambda c: c.alarm_history(limit=5, span="1", kind="span"),
        "Alarms.History",
        AlarmHistoryRequest(limit=5, span="1", kind="span"),
    ),
    (
        lambda c: c.acknowledge_alarm(7, "ticket", on=False),
        "Alarms.Acknowledge",
        AcknowledgeRequest(id=7, note="ticket", on=False),
    ),
    (lambda c: c.lift_hold_down("east"), "Spans.LiftHoldDown", spans.LiftRequest(span="east")),
    (lambda c: c.clear_alarm("emergency", "c"), "Alarms.Clear", ClearRequest(kind="emergency", subject="c")),
    (
        lambda c: c.audit(limit=5, uid=3, action="allocate", refused=True),
        "Daemon.Audit",
        AuditRequest(limit=5, uid=3, action="allocate", refused=True),
    ),
    (
        lambda c: c.administer_channel("east", 5, "locked", "cable work", force=True),
        "Channels.Administer",
        channels.AdministerRequest(span="east", timeslot=5, state="locked", reason="cable work", force=True),
    ),
    (
        lambda c: c.administer_span("east", "unlocked"),
        "Spans.Administer",
        spans.AdministerRequest(span="east", state="unlocked"),
    ),
    (
        lambda c: c.administer_group("g", "shutting_down", "move"),
        "Groups.Administer",
        groups.AdministerRequest(group="g", state="shutting_down", reason="move"),
    ),
    (
        lambda c: c.administer_host("a", "locked", "upgrade"),
        "Hosts.Administer",
        hosts.AdministerRequest(host="a", state="locked", reason="upgrade"),
    ),
    (lambda c: c.drain("a", on=False), "Hosts.Drain", DrainRequest(host="a", on=False)),
    (lambda c: c.channels("1"), "Channels.List", ListRequest(span="1")),
    (
        lambda c: c.allocate(span="1", timeslot=5, exclusive=True, open=False, media=_MEDIA),
        "Channels.Allocate",
        AllocateRequest(span="1", timeslot=5, exclusive=True, open=False, media=_MEDIA, label="core"),
    ),
    (lambda c: c.allocate(group="g", label="own"), "Channels.Allocate", AllocateRequest(group="g", label="own")),
    (lambda c: c.open("t", media=_MEDIA), "Channels.Open", OpenRequest(token="t", media=_MEDIA)),
    (
        lambda c: c.allocate(group="g", exclude=["1"], detach_s=60),
        "Channels.Allocate",
        AllocateRequest(group="g", exclude=["1"], detach_s=60, label="core"),
    ),
    (
        lambda c: c.allocate_span("1", open=False, detach_s=60),
        "Channels.AllocateSpan",
        channels.AllocateSpanRequest(span="1", open=False, detach_s=60, label="core"),
    ),
    (lambda c: c.renew("t", 30), "Channels.Renew", channels.RenewRequest(token="t", detach_s=30)),
    (lambda c: c.hand_over("t"), "Channels.HandOver", channels.HandOverRequest(token="t", within_s=10)),
    (lambda c: c.bridge("t", "u"), "Channels.Bridge", channels.BridgeRequest(a="t", b="u")),
    (lambda c: c.unbridge("t", "u"), "Channels.Bridge", channels.BridgeRequest(a="t", b="u", on=False)),
    (lambda c: c.counters("t"), "Channels.Counters", channels.CountersRequest(token="t")),
    (lambda c: c.release("t", 17), "Channels.Release", ReleaseRequest(token="t", cause=17)),
    (lambda c: c.reclaim("t"), "Channels.Reclaim", ReclaimRequest(token="t", label="core")),
    (lambda c: c.calls(), "Calls.List", Empty()),
    (lambda c: c.call("c"), "Calls.Get", CallName(call="c")),
    (
        lambda c: c.place("2001", span="1", correlation="x"),
        "Calls.Place",
        PlaceRequest(called=PartyRequest(number="2001"), span="1", correlation="x", label="core"),
    ),
    (
        lambda c: c.place(
            _PARTY,
            group="g",
            token="t",
            calling="1",
            redirecting=_PARTY,
            bearer=BearerRequest(capability="unrestricted_digital"),
            sending_complete=False,
            exclusive=True,
            user_user="u",
            keypad="k",
            label="own",
            answer_timeout_s=30,
            detach_s=60,
            exclude=["1"],
            preempt=True,
        ),
        "Calls.Place",
        PlaceRequest(
            called=_PARTY,
            group="g",
            token="t",
            calling=PartyRequest(number="1"),
            redirecting=_PARTY,
            bearer=BearerRequest(capability="unrestricted_digital"),
            sending_complete=False,
            exclusive=True,
            user_user="u",
            keypad="k",
            label="own",
            answer_timeout_s=30,
            detach_s=60,
            exclude=["1"],
            preempt=True,
        ),
    ),
    (lambda c: c.claim("c"), "Calls.Claim", ClaimRequest(call="c", label="core")),
    (lambda c: c.decline("c"), "Calls.Decline", DeclineRequest(call="c")),
    (lambda c: c.alert("c", in_band=True), "Calls.Alert", StepRequest(call="c", in_band=True)),
    (lambda c: c.progress("c", cause=1), "Calls.Progress", ProgressRequest(call="c", cause=1)),
    (lambda c: c.answer("c", token="t"), "Calls.Answer", StepRequest(call="c", token="t")),
    (
        lambda c: c.hangup("c", cause=17, token="t", force=True),
        "Calls.Hangup",
        HangupRequest(call="c", cause=17, token="t", force=True),
    ),
    (lambda c: c.send_overlap("c", "12"), "Calls.SendOverlap", OverlapRequest(call="c", digits="12")),
    (lambda c: c.send_keypad("c", "#1"), "Calls.SendKeypad", OverlapRequest(call="c", digits="#1")),
    (lambda c: c.history(number="5"), "Calls.History", HistoryRequest(number="5")),
    (lambda c: c.position(), "Events.Position", Empty()),
]
_STREAMS: list[tuple[Callable[[Any], Any], str, msgspec.Struct]] = [
    (
        lambda c: c.events(kinds=["call."], span="1", call="c", group="g", after=CursorRequest(epoch=1, n=0)),
        "Events.Monitor",
        MonitorRequest(kinds=["call."], span="1", call="c", group="g", after=CursorRequest(epoch=1, n=0)),
    ),
    (
        lambda c: c.serve(groups=["g"], numbers=["2XXX"], priority=1, sharing="fork"),
        "Calls.Serve",
        ServeRequest(groups=["g"], numbers=["2XXX"], priority=1, label="core", sharing="fork"),
    ),
]


@pytest.fixture
def desk(run_dir: Path) -> Iterator[Desk]:
    desk = Desk(run_dir / "control.sock")
    with closing(desk), desk.open():
        yield desk


def _shown(reply: Any) -> Any:
    """A reply as two clients' can be compared."""
    return (reply.token, reply.timeslot) if hasattr(reply, "closed") else reply


def test_every_public_method_is_tried_here() -> None:
    offered = {f"{one.name.rpartition('.')[2]}.{method.name}" for one in PUBLIC for method in one.methods}
    assert {name for _, name, _ in _CALLS + _STREAMS} == offered
    assert ALARMS in PUBLIC


def test_both_clients_ask_the_same_and_get_the_same(desk: Desk) -> None:
    async def ask_all() -> list[Any]:
        async with AsyncClient(desk.path, label="core") as client:
            return [await ask(client) for ask, _, _ in _CALLS]

    with Client(desk.path, label="core") as client:
        replies = [ask(client) for ask, _, _ in _CALLS]
    expected = [(name, request) for _, name, request in _CALLS]
    assert [(name, request) for _, name, request in desk.asked] == expected
    desk.asked.clear()
    assert list(map(_shown, asyncio.run(ask_all()))) == list(map(_shown, replies))
    assert [(name, request) for _, name, request in desk.asked] == expected


def test_both_clients_ask_for_the_same_streams(desk: Desk) -> None:
    async def begin_all() -> None:
        async with AsyncClient(desk.path, label="core") as client:
            for ask, _, _ in _STREAMS:
                desk.publish("call.ended", call="c")
                stream = ask(client)
                await anext(stream)
                await stream.aclose()

    with Client(desk.path, label="core") as client:
        for ask, _, _ in _STREAMS:
            ask(client).close()
    expected = [(name, request) for _, name, request in _STREAMS]
    assert [(name, request) for _, name, request in desk.asked] == expected
    desk.asked.clear()
    asyncio.run(begin_all())
    assert [(name, request) for _, name, request in desk.asked] == expected


def test_the_blocking_client_is_what_the_asyncio_client_makes_of_it() -> None:
    for part in write_blocking_client.PARTS:
        source = (write_blocking_client.CLIENT / f"aio_{part}.py").read_text()
        written = (write_blocking_client.CLIENT / f"blocking_{part}.py").read_text()
        assert write_blocking_client.blocking(source) == written, "run make idl"


def test_the_clients_have_the_same_methods_with_the_same_arguments() -> None:
    def public(cls: type) -> dict[str, list[str]]:
        methods = inspect.getmembers(cls, inspect.isfunction)
        return {name: list(inspect.signature(one).parameters) for name, one in methods if not name.startswith("_")}

    assert public(Client) == public(AsyncClient)
    assert inspect.signature(Client).parameters == inspect.signature(AsyncClient).parameters
