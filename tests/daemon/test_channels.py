# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os

import pytest

from dahdi_py.client.mirror import Mirror
from dahdi_py.errors import (
    HostUnavailable,
    NoChannel,
    NotFound,
    NotOwner,
    StaleToken,
    Unreachable,
)
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import channels, spans
from dahdi_py.wire.messages import host as wire
from dahdi_py.wire.messages.common import Lease, Owner
from dahdi_py.wire.messages.events import MonitorReply
from dahdi_py.wire.refusals import InvalidParameter
from tests.daemon.conftest import StartDaemon, StartHost
from tests.daemon.process import Client, DaemonProcess, Listener, eventually
from tests.daemon.scripted_host import ScriptedHost


def channel(client: Client, span: str, timeslot: int) -> channels.Channel:
    return next(one for one in client.channels(span) if one.timeslot == timeslot)


def test_a_lease_with_its_descriptor_and_its_end(daemon: DaemonProcess, host: ScriptedHost) -> None:
    with daemon.client() as client:
        events = Listener(daemon.socket, kinds=["channel."])
        request = channels.AllocateRequest(group="both", label="core")
        reply, fds = client.call_fds("org.dahdipy.Channels.Allocate", request, channels.AllocateReply)
        asked = host.asked("Reserve")
        assert (asked.spans, asked.owner.pid, asked.owner.label) == (["east"], os.getpid(), "core")
        assert reply.fd == 0
        assert reply.media is not None
        assert os.read(fds[0], 1) == b""
        os.close(fds[0])
        held = channel(client, "east", 1)
        assert (held.usage, held.phase, held.token) == ("busy", "reserved", reply.token)
        assert held.owner is not None
        assert held.owner.label == "core"
        opened, more = client.call_fds(
            "org.dahdipy.Channels.Open", channels.OpenRequest(token=reply.token), channels.OpenReply
        )
        assert opened.span == "east"
        os.close(more[0])
        client.release(reply.token)
        assert host.asked("Release").token == reply.token
        assert channel(client, "east", 1).usage == "idle"
        events.wait("channel.released", token=reply.token)
        assert events.kinds() == ["channel.allocated", "channel.released"]
        events.close()


def test_the_next_host_is_asked_when_one_has_no_channel(
    daemon: DaemonProcess, host: ScriptedHost, start_host: StartHost
) -> None:
    other = start_host("b", "west")

    def full(parameters: wire.ReserveRequest) -> wire.ReserveReply:
        raise NoChannel("east: every channel is busy", cause=34)

    host.answers["Reserve"] = full
    other.asked("Ready")
    with daemon.client() as client:
        assert client.allocate(group="both").span == "west"
        other.answers["Reserve"] = full
        with pytest.raises(NoChannel, match="every channel is busy"):
            client.allocate(group="both")


def test_hosts_that_are_down_are_passed_over_and_named(daemon: DaemonProcess, host: ScriptedHost) -> None:
    with daemon.client() as client:
        assert client.allocate(group="both").span == "east"
        with pytest.raises(HostUnavailable, match="line host b is not connected") as caught:
            client.allocate(span="west")
        assert caught.value.fields["host"] == "b"
        one = client.call("org.dahdipy.Spans.Get", spans.SpanName(span="2"), spans.SpanReply).span
        assert (one.name, one.state, one.usable) == ("west", "host_down", 0)
        assert set(one.channel_map) == {"x", "D"}


@pytest.mark.parametrize(
    ("wants", "error", "says"),
    [
        ({"group": "norht"}, NotFound, "groups: both, east"),
        ({"span": "7"}, NotFound, "spans: east, west"),
        ({"span": "east", "timeslot": 16}, NotFound, "its D-channel"),
        ({"span": "east", "timeslot": 40}, NotFound, "not one of 1-31"),
        ({}, InvalidParameter, "one of the two"),
        ({"span": "east", "group": "east"}, InvalidParameter, "one of the two"),
        ({"group": "east", "timeslot": 3}, InvalidParameter, "needs its span"),
        ({"span": "east", "label": "x" * 65}, InvalidParameter, "at most 64"),
        ({"span": "east", "label": "a\x1b[31m"}, InvalidParameter, "control characters"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(
    daemon: DaemonProcess, wants: dict[str, object], error: type[Exception], says: str
) -> None:
    with daemon.client() as client, pytest.raises(error, match=says):
        client.allocate(**wants)


def test_a_dead_clients_leases_end_at_once(daemon: DaemonProcess, host: ScriptedHost) -> None:
    events = Listener(daemon.socket)
    client = daemon.client()
    tokens = {client.allocate(span="east", timeslot=timeslot).token for timeslot in (1, 2)}
    client.close()
    released = [host.asked("Release") for _ in tokens]
    assert {one.token for one in released} == tokens
    assert {one.cleared_by for one in released} == {"client_death"}
    for token in tokens:
        events.wait("channel.released", token=token)
    with daemon.client() as other:
        assert all(one.usage == "idle" for one in other.channels())
    events.close()


def test_a_lease_that_comes_for_a_dead_client_is_given_back(daemon: DaemonProcess, host: ScriptedHost) -> None:
    client = daemon.client()

    def slowly(parameters: wire.ReserveRequest) -> wire.ReserveReply:
        client.close()
        return wire.ReserveReply(token="a/1/77", span="east", timeslot=3)

    host.answers["Reserve"] = slowly
    with pytest.raises(Unreachable):
        client.allocate(span="east")
    assert host.asked("Release").token == "a/1/77"


def test_a_token_opens_and_releases_from_any_connection_but_belongs_to_one(
    daemon: DaemonProcess, host: ScriptedHost
) -> None:
    with daemon.client() as owner, daemon.client() as other:
        lease = owner.allocate(span="east")
        with pytest.raises(NotOwner, match=f"process {os.getpid()}"):
            other.reclaim(lease.token)
        other.release(lease.token)
        assert channel(owner, "east", 1).usage == "idle"


@pytest.mark.parametrize("token", ["", "nowhere/1/2", "x" * 1000, "a"])
def test_a_token_of_no_host_is_stale(daemon: DaemonProcess, token: str) -> None:
    with daemon.client() as client, pytest.raises((StaleToken, InvalidParameter)):
        client.reclaim(token)


def test_a_restarted_daemon_gives_leases_back_to_who_shows_the_token(
    host: ScriptedHost, start_daemon: StartDaemon
) -> None:
    daemon = start_daemon()
    client = daemon.client()
    lease = client.allocate(span="east")
    daemon.kill()
    client.close()
    host.leases = [Lease(token=lease.token, span="east", timeslot=1, owner=Owner(), orphaned=True)]
    daemon.start()
    events = Listener(daemon.socket)
    with daemon.client() as again:
        assert channel(again, "east", 1).orphaned
        got = again.reclaim(lease.token)
        assert (got.span, got.timeslot, got.phase) == ("east", 1, "reserved")
        assert not channel(again, "east", 1).orphaned
        assert host.asked("Assign").token == lease.token
        events.wait("channel.reclaimed", token=lease.token)
    assert host.asked("Release").token == lease.token
    assert host.epochs == sorted(set(host.epochs))
    events.close()


def test_a_moved_lease_keeps_its_token(daemon: DaemonProcess, host: ScriptedHost) -> None:
    with daemon.client() as client:
        lease = client.allocate(span="east", timeslot=1)
        moved = wire.Moved(span="east", timeslot=5, from_span="east", from_timeslot=1)
        host.say("lease.moved", moved, span="east", timeslot=5, token=lease.token)
        eventually(lambda: channel(client, "east", 5).token == lease.token)
        assert channel(client, "east", 1).usage == "idle"
        host.say("lease.ended", wire.LeaseEnded(reason="the card is gone"), span="east", timeslot=5, token=lease.token)
        eventually(lambda: channel(client, "east", 5).usage == "idle")


def test_a_call_that_lost_its_channel_is_on_none_until_it_has_another(
    daemon: DaemonProcess, host: ScriptedHost
) -> None:
    """And whoever keeps a mirror sees it just so."""
    following = Listener(daemon.socket, snapshot=True)

    def mirror() -> Mirror:
        made, cursor = Mirror(), following.cursor
        assert cursor is not None
        made.take(MonitorReply(cursor=cursor, snapshot=following.snapshot, events=list(following.events)))
        return made

    with daemon.client() as client:
        placed = client.place(span="east")
        at = placed.timeslot

        def moved(to: int, before: int) -> None:
            data = wire.Moved(span="east", timeslot=to, from_span="east", from_timeslot=before)
            host.say("call.moved", data, span="east", timeslot=to, call=placed.call, token=placed.token)

        moved(0, at)
        eventually(lambda: channel(client, "east", at).usage == "idle")
        host.offer("in-1", "east", "2001", timeslot=at)
        eventually(lambda: channel(client, "east", at).call == "in-1")
        eventually(lambda: mirror().channels["east", at].call == "in-1")
        assert mirror().leases[placed.token].timeslot == mirror().calls[placed.call].timeslot == 0
        moved(7, 0)
        eventually(lambda: channel(client, "east", 7).token == placed.token)
        eventually(lambda: mirror().channels["east", 7].call == placed.call)
        assert channel(client, "east", at).call == "in-1"
        assert mirror().leases[placed.token].timeslot == mirror().calls[placed.call].timeslot == 7
    following.close()


def test_releasing_needs_a_cause_of_q850(daemon: DaemonProcess) -> None:
    with daemon.client() as client:
        lease = client.allocate(span="east")
        with pytest.raises(InvalidParameter, match="1-127"):
            client.call("org.dahdipy.Channels.Release", channels.ReleaseRequest(token=lease.token, cause=0), Empty)
