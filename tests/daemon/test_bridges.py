# SPDX-License-Identifier: GPL-2.0-or-later
"""Bridges as the daemon arranges them: what it asks of whom, what it knows, and that no descriptor stays behind."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from dahdi_py.errors import DahdiPyError, HostUnavailable, LawMismatch, NotOwner, StaleToken, Unsupported
from dahdi_py.wire.messages import host as wire
from dahdi_py.wire.messages.channels import BridgeReply, BridgeRequest
from dahdi_py.wire.messages.common import Lease, Owner
from dahdi_py.wire.refusals import InvalidParameter
from dahdi_py.wire.server import Request
from tests.daemon.conftest import StartDaemon, StartHost
from tests.daemon.process import PATIENCE_S, Client, DaemonProcess, Listener, Pipeline, eventually
from tests.daemon.scripted_host import ScriptedHost


class Desk(NamedTuple):
    """A daemon of two hosts, a client with a lease on each, and who listens."""

    daemon: DaemonProcess
    a: ScriptedHost
    b: ScriptedHost
    client: Client
    events: Listener
    east: str
    west: str

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.daemon.pid}/fd"))

    def joined(self, on: bool = True) -> None:
        """The first host tells of the bridge, or of its end."""
        data = wire.BridgeJoined(a=self.east, b=self.west, where="host")
        ended = wire.BridgeEnded(a=self.east, b=self.west, reason="the lease a/1/1 ended or moved")
        place = {"span": "east", "timeslot": 1, "token": self.east}
        self.a.say("bridge.joined" if on else "bridge.ended", data if on else ended, **place)


@pytest.fixture
def desk(start_host: StartHost, start_daemon: StartDaemon) -> Iterator[Desk]:
    a, b = start_host(), start_host("b", "west")
    daemon = start_daemon()
    for host in (a, b):
        host.asked("Ready")
    client, listener = daemon.client(), Listener(daemon.socket)
    east, west = client.allocate(span="east").token, client.allocate(span="west").token
    yield Desk(daemon, a, b, client, listener, east, west)
    client.close()
    listener.close()


def test_channels_of_one_host_are_its_own_matter(desk: Desk) -> None:
    other = desk.client.allocate(span="east", timeslot=2).token
    assert desk.client.bridge(desk.east, other) == "card"
    asked = desk.a.asked("Bridge")
    assert (asked.a, asked.b, asked.on, asked.lend, asked.fd) == (desk.east, other, True, False, None)
    desk.a.answers["Bridge"] = lambda _: wire.BridgeReply(where="card")
    assert desk.client.bridge(desk.east, other, on=False) == "card"
    assert not desk.a.asked("Bridge").on
    assert desk.a.nothing_asked("Bridge")
    assert desk.b.nothing_asked("Bridge")


def test_over_two_hosts_one_lends_and_the_other_copies(desk: Desk) -> None:
    before = desk.descriptors()
    assert desk.client.bridge(desk.east, desk.west) == "host"
    lent, joined = desk.b.asked("Bridge"), desk.a.asked("Bridge")
    assert (lent.a, lent.b, lent.lend) == (desk.west, desk.east, True)
    assert (joined.a, joined.b, joined.law, joined.chunk, joined.fd) == (desk.east, desk.west, "alaw", 160, 0)
    [near], [far] = desk.b.lent, desk.a.got
    os.write(far, b"octets")
    assert near.recv(100) == b"octets"
    eventually(lambda: desk.descriptors() == before, "the daemon keeps the descriptor")
    desk.a.drop_got()
    assert near.recv(100) == b"", "the daemon holds a copy"
    desk.client.bridge(desk.east, desk.west, on=False)
    for host, own, other in ((desk.a, desk.east, desk.west), (desk.b, desk.west, desk.east)):
        parted = host.asked("Bridge")
        assert (parted.a, parted.b, parted.on) == (own, other, False)


def test_what_is_bridged_is_known_and_told(desk: Desk) -> None:
    desk.joined()
    told = desk.events.wait("channel.bridged")
    assert (told.token, told.data) == (desk.east, {"a": desk.east, "b": desk.west, "where": "host"})
    assert desk.client.bridged() == {desk.east: desk.west, desk.west: desk.east}
    changed = [lease.bridged for event in desk.events.events if event.state for lease in event.state.leases]
    assert {desk.east, desk.west} <= set(changed)
    desk.joined(False)
    assert desk.events.wait("channel.unbridged").data["reason"] == "the lease a/1/1 ended or moved"
    assert desk.client.bridged() == {}


BRIDGE = "org.dahdipy.Channels.Bridge"


def refuse(error: Callable[[], DahdiPyError]) -> Callable[[Any], Any]:
    def refused(parameters: Any) -> Any:
        raise error()

    return refused


def test_who_lends_refuses(desk: Desk) -> None:
    desk.b.answers["Bridge"] = refuse(lambda: Unsupported("it carries frames", operation="bridge"))
    with pytest.raises(Unsupported, match="carries frames"):
        desk.client.bridge(desk.east, desk.west)
    assert desk.a.nothing_asked("Bridge")


def test_who_copies_refuses_and_the_lent_channel_goes_back(desk: Desk) -> None:
    before = desk.descriptors()
    desk.a.answers["Bridge"] = refuse(lambda: LawMismatch("one is alaw, the other mulaw", a="alaw", b="mulaw"))
    with pytest.raises(LawMismatch) as refused:
        desk.client.bridge(desk.east, desk.west)
    assert (refused.value.a, refused.value.b) == ("alaw", "mulaw")
    assert desk.b.asked("Bridge").lend
    back = desk.b.asked("Bridge")
    assert (back.a, back.b, back.on) == (desk.west, desk.east, False)
    desk.a.drop_got()
    assert desk.b.lent[0].recv(100) == b""
    eventually(lambda: desk.descriptors() == before)


@pytest.mark.parametrize("who", ["lends", "copies"])
def test_a_host_that_dies_before_it_answers_fails_the_request(desk: Desk, who: str) -> None:
    dying = desk.b if who == "lends" else desk.a
    stays = desk.a if who == "lends" else desk.b
    dying.answers["Bridge"] = lambda _: None
    with Pipeline(desk.daemon.socket) as other:
        other.begin(BRIDGE, BridgeRequest(a=desk.east, b=desk.west))
        assert dying.asked("Bridge").lend is (who == "lends")
        dying.close()
        with pytest.raises(DahdiPyError):
            other.answer(BridgeReply)
    if who == "copies":
        assert stays.asked("Bridge").lend
        assert not stays.asked("Bridge").on
        assert stays.lent[0].recv(100) == b""
    assert desk.client.status().ready
    with pytest.raises(DahdiPyError):
        desk.client.bridge(desk.east, desk.west)


def test_a_host_that_is_gone_when_it_is_to_copy(desk: Desk) -> None:
    """Its death is seen between the two questions."""
    before = desk.descriptors()
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    near.settimeout(PATIENCE_S)
    waiting: list[Request] = []
    desk.b.hold = waiting.append
    with Pipeline(desk.daemon.socket) as other, near:
        other.begin(BRIDGE, BridgeRequest(a=desk.east, b=desk.west))
        assert desk.b.asked("Bridge").lend
        desk.a.close()
        desk.events.wait("host.down", host="a")
        reply = wire.BridgeReply(where="host", law="alaw", chunk=160, fd=0)
        desk.b._loop.call_soon_threadsafe(lambda: waiting[0].reply(reply, fds=[far.detach()]))
        with pytest.raises(HostUnavailable):
            other.answer(BridgeReply)
        assert not desk.b.asked("Bridge").on
        assert near.recv(100) == b""
    eventually(lambda: desk.descriptors() <= before)


def test_a_client_that_leaves_meanwhile_leaves_nothing(desk: Desk) -> None:
    before = desk.descriptors()
    desk.a.answers["Bridge"] = lambda _: None
    with Pipeline(desk.daemon.socket) as other:
        other.begin(BRIDGE, BridgeRequest(a=desk.east, b=desk.west))
        desk.a.asked("Bridge")
    desk.a.close()
    assert desk.b.asked("Bridge").lend
    assert not desk.b.asked("Bridge").on
    assert desk.b.lent[0].recv(100) == b""
    eventually(lambda: desk.descriptors() <= before)


def test_parting_needs_only_one_of_two_hosts(desk: Desk) -> None:
    desk.b.close()
    desk.events.wait("host.down", host="b")
    desk.a.answers["Bridge"] = lambda _: wire.BridgeReply(where="host")
    assert desk.client.bridge(desk.east, desk.west, on=False) == "host"
    desk.a.answers["Bridge"] = refuse(lambda: InvalidParameter("b: not that one", parameter="b"))
    with pytest.raises(InvalidParameter):
        desk.client.bridge(desk.east, desk.west, on=False)
    desk.a.close()
    desk.events.wait("host.down", host="a")
    with pytest.raises(DahdiPyError, match="not connected"):
        desk.client.bridge(desk.east, desk.west, on=False)


def test_what_is_no_lease_is_refused_before_anybody_is_asked(desk: Desk) -> None:
    for a, b in ((desk.east, "a/1/999"), ("x/1/1", desk.west)):
        for on in (True, False):
            with pytest.raises(StaleToken):
                desk.client.bridge(a, b, on)
    with pytest.raises(InvalidParameter, match="with itself"):
        desk.client.bridge(desk.east, desk.east)
    assert desk.a.nothing_asked("Bridge")


def test_the_channel_of_an_offer_is_nobodys_to_join(desk: Desk) -> None:
    desk.a.offer("in-1", "east", "2001", timeslot=7)
    eventually(lambda: desk.client.calls())
    [call] = desk.client.calls()
    with pytest.raises(NotOwner, match="only offered: claim the call"):
        desk.client.bridge(desk.east, call.token)
    assert desk.a.nothing_asked("Bridge")


def test_the_next_daemon_knows_what_is_bridged(desk: Desk) -> None:
    owner = Owner(pid=1, uid=0, label="core")
    desk.a.leases = [Lease(token="a/1/1", span="east", timeslot=1, owner=owner, detached=True, bridged="b/1/1")]
    desk.b.leases = [Lease(token="b/1/1", span="west", timeslot=1, owner=owner, detached=True, bridged="a/1/1")]
    desk.daemon.kill()
    desk.daemon.start()
    with desk.daemon.client() as client:
        assert client.bridged() == {"a/1/1": "b/1/1", "b/1/1": "a/1/1"}


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_bridge_dies_with_either_host_and_that_is_told_once(desk: Desk, start_host: StartHost, name: str) -> None:
    desk.joined()
    desk.events.wait("channel.bridged")
    dying, span = (desk.a, "east") if name == "a" else (desk.b, "west")
    dying.close()
    desk.events.wait("host.down", host=name)
    again = start_host(name, span, start=2)
    again.asked("Ready")
    ended = desk.events.wait("channel.unbridged")
    assert ended.data["reason"] == "line host died"
    assert {ended.data["a"], ended.data["b"]} == {desk.east, desk.west}
    assert desk.client.bridged() == {}
    if name == "b":
        desk.joined(False)
    (desk.a if name == "b" else again).say("host.draining")
    desk.events.wait("host.draining")
    assert desk.events.kinds().count("channel.unbridged") == 1
