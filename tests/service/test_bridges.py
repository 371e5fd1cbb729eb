# SPDX-License-Identifier: GPL-2.0-or-later
"""Bridges over two line hosts, end to end: audio, parting, and the death of anybody who has a part in one."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from dahdi_py.client import Channel, Client, MediaRequest
from dahdi_py.errors import LawMismatch, StaleToken
from tests.linehost.rig import pair
from tests.linehost.test_copied_bridges import LONG, WIDE, crosses
from tests.service.service import Follower, Service, running, until

CONFIG = """
[service]
name = "bridges"
linger_s = 60
[[cards]]
name = "sim"
kind = "sim"
ports = ["E1", "E1", "E1", "E1", "T1", "T1"]
cables = [[1, 2], [3, 4], [5, 6]]
[[hosts]]
name = "one"
[[hosts]]
name = "two"
[[hosts]]
name = "far"
"""


class Leg(NamedTuple):
    """A leased channel and that of its far end."""

    near: Channel
    far: Channel

    def has_its_own(self) -> None:
        crosses(self.near.fileno(), self.far.fileno(), 4000)
        crosses(self.far.fileno(), self.near.fileno(), 4000)


class Desk(NamedTuple):
    """A service, a client that bridges, another with the far ends, and who listens."""

    service: Service
    client: Client
    events: Follower
    a: Leg
    b: Leg

    def bridge(self) -> None:
        assert self.client.bridge(self.a.near.token, self.b.near.token) == "host"
        crosses(self.a.far.fileno(), self.b.far.fileno())
        crosses(self.b.far.fileno(), self.a.far.fileno())

    def bridged(self) -> dict[str, str]:
        snapshot = self.client.snapshot().snapshot
        assert snapshot is not None
        return {lease.token: lease.bridged for lease in snapshot.leases if lease.bridged}

    def pid(self, host: str) -> int:
        return next(one.pid for one in self.client.hosts() if one.name == host)


def leg(client: Client, others: Client, span: str, far: str, timeslot: int = 1) -> Leg:
    wide, long = (MediaRequest(chunk=one.chunk, depth=one.depth) for one in (WIDE, LONG))
    return Leg(
        client.allocate(span=span, timeslot=timeslot, media=wide),
        others.allocate(span=far, timeslot=timeslot, media=long),
    )


@pytest.fixture
def desk(run_dir: Path) -> Iterator[Desk]:
    spans = pair("one", "far") + pair("two", "far", first=3, prefix="x") + pair("two", "far", "T1", 5, "t")
    with running(run_dir, CONFIG + spans) as service, service.client() as others, Follower(service) as events:
        client = service.client()
        desk = Desk(service, client, events, leg(client, others, "a", "b"), leg(client, others, "xa", "xb"))
        try:
            yield desk
        finally:
            for channel in (*desk.a, *desk.b):
                channel.close()
            client.close()


def test_two_hosts_channels_are_joined_and_parted(desk: Desk) -> None:
    a, b = desk.a.near.token, desk.b.near.token
    desk.bridge()
    assert desk.events.wait("channel.bridged").data == {"a": a, "b": b, "where": "host"}
    assert desk.bridged() == {a: b, b: a}
    desk.client.unbridge(a, b)
    assert desk.events.wait("channel.unbridged").data == {"a": a, "b": b}
    assert desk.bridged() == {}
    desk.a.has_its_own()
    desk.b.has_its_own()
    with desk.client.allocate(span="ta", timeslot=1) as other, pytest.raises(LawMismatch):
        desk.client.bridge(a, other.token)
    assert desk.bridged() == {}
    desk.bridge()


@pytest.mark.parametrize("which", ["one", "two"])
def test_a_host_that_is_killed_gives_the_other_leg_back(desk: Desk, which: str) -> None:
    desk.bridge()
    os.kill(desk.pid(which), signal.SIGKILL)
    ended = desk.events.wait("channel.unbridged")
    assert {ended.data["a"], ended.data["b"]} == {desk.a.near.token, desk.b.near.token}
    assert ended.data["reason"]
    (desk.b if which == "one" else desk.a).has_its_own()
    assert desk.bridged() == {}
    until("the host is back", lambda: all(host.state == "up" for host in desk.client.hosts()))
    assert desk.events.count("channel.unbridged") == 1
    gone, stays = (desk.a, desk.b) if which == "one" else (desk.b, desk.a)
    with pytest.raises(StaleToken):
        desk.client.bridge(gone.near.token, stays.near.token)


def test_a_bridge_outlives_the_daemon_who_knows_it_again(desk: Desk) -> None:
    desk.bridge()
    desk.service.kill_daemon()
    crosses(desk.a.far.fileno(), desk.b.far.fileno())
    desk.service.start()
    tokens = [channel.token for channel in (*desk.a, *desk.b)]
    with desk.service.client() as client, Follower(desk.service) as events:
        for token in tokens:
            client.reclaim(token)
        a, b = tokens[0], tokens[2]
        again = desk._replace(client=client)
        assert again.bridged() == {a: b, b: a}
        crosses(desk.b.far.fileno(), desk.a.far.fileno())
        client.release(b)
        assert events.wait("channel.unbridged").data["b"] == b
        assert again.bridged() == {}
        desk.a.has_its_own()


def test_a_client_that_dies_parts_what_it_bridged(desk: Desk) -> None:
    desk.bridge()
    desk.client.close()
    # Each host ends its own lease; the one that copies says which came to it first, its own or the other's.
    reason = desk.events.wait("channel.unbridged").data["reason"]
    own = f"the lease {desk.a.near.token} ended or moved", f"the lease {desk.b.near.token} ended or moved"
    assert reason in (*own, "the audio of one of its channels ended")
    for channel in (desk.a.near, desk.b.near):
        channel.close()
    with desk.service.client() as client:
        until(
            "both channels are free",
            lambda: all(one.usage == "idle" for name in ("a", "xa") for one in client.channels(name)),
        )
        for span in ("a", "xa"):
            client.allocate(span=span, timeslot=1).close()
