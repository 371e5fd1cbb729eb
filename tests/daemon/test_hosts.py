# SPDX-License-Identifier: GPL-2.0-or-later
"""Line hosts that come, go and come back; and what becomes of records and events meanwhile."""

from __future__ import annotations

import time
from typing import Any

import pytest

from dahdi_py.errors import HostUnavailable, NotFound
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import alarms, groups, hosts, spans
from dahdi_py.wire.messages import host as wire
from dahdi_py.wire.messages.calls import CallRecord
from dahdi_py.wire.messages.common import Bearer, Cursor, Lease, Owner, Party
from tests.daemon.conftest import StartDaemon, StartHost
from tests.daemon.process import Client, DaemonProcess, Listener, eventually
from tests.daemon.scripted_host import ScriptedHost


def span(client: Client, name: str) -> spans.Span:
    return client.call("org.dahdipy.Spans.Get", spans.SpanName(span=name), spans.SpanReply).span


def listed_alarms(client: Client) -> list[alarms.Alarm]:
    return client.call("org.dahdipy.Alarms.List", Empty(), alarms.AlarmList).alarms


def listed_hosts(client: Client) -> dict[str, hosts.Host]:
    return {one.name: one for one in client.call("org.dahdipy.Hosts.List", Empty(), hosts.HostList).hosts}


def call_state(call: str, **changed: object) -> wire.CallState:
    fields: dict[str, object] = {
        "call": call, "direction": "outgoing", "phase": "active", "span": "east", "timeslot": 1, "token": "a/1/1",
        "called": Party(number="2001"), "calling": Party(), "bearer": Bearer(), "started_ns": 5,
    }  # fmt: skip
    return wire.CallState(**{**fields, **changed})  # type: ignore[arg-type]


def attempt(host: ScriptedHost, call: str) -> None:
    said = wire.Attempted(attempt=1, called=Party(number="2001"), calling=Party(), bearer=Bearer())
    host.say("call.attempt", said, span="east", timeslot=1, call=call, token="a/1/1")


def taken_in(host: ScriptedHost) -> None:
    """All that the host told is on disk."""
    eventually(lambda: host.committed == host.n)


def test_alarms_come_and_go_in_words(daemon: DaemonProcess, host: ScriptedHost) -> None:
    events = Listener(daemon.socket, kinds=["span.", "dchannel."])
    with daemon.client() as client:
        assert span(client, "east").state == "ok"
        red = host.span_state("east", alarms=8 | 256, words=["RED", "LOS"], since_ns=99)
        host.say("span.status", red, span="east")
        events.wait("span.alarm", span="east")
        one = span(client, "1")
        assert (one.state, one.words, one.usable, one.since_ns) == ("alarm", ["RED", "LOS"], 0, 99)
        assert set(one.channel_map) == {"x", "D"}
        worst = listed_alarms(client)[0]
        assert (worst.kind, worst.severity, worst.subject) in [("span", "critical", "east"), ("host", "critical", "b")]
        assert any("no signal" in alarm.text for alarm in listed_alarms(client))
        assert client.status().verdict == "down"
        host.say("dchannel.down", span="east")
        host.say("span.status", host.span_state("east", dchannel="down"), span="east")
        events.wait("span.clear", span="east")
        assert span(client, "east").state == "dchannel_down"
        assert any(alarm.kind == "dchannel" and "timeslot 16" in alarm.text for alarm in listed_alarms(client))
        host.say("dchannel.up", span="east")
        events.wait("dchannel.up")
        eventually(lambda: span(client, "east").state == "ok")
        assert client.status().verdict == "degraded"
    assert events.kinds() == ["span.alarm", "dchannel.down", "span.clear", "dchannel.up"]
    events.close()


def test_a_channel_map_shows_what_each_timeslot_does(daemon: DaemonProcess, host: ScriptedHost) -> None:
    def tell(timeslot: int, **state: Any) -> None:
        host.say("channel.state", wire.ChannelState(span="east", timeslot=timeslot, **state), span="east")

    tell(1, disabled="quarantine", lessee="pid 7 uid 8 'core'")
    tell(2, administrative="locked")
    tell(3, phase="releasing")
    tell(4, disabled="remote_oos")
    host.offer("in-1", "east", "2001", timeslot=5)
    with daemon.client() as client:
        client.allocate(span="east", timeslot=6)
        client.place(token=client.allocate(span="east", timeslot=7).token)
        eventually(lambda: span(client, "east").channel_map[4] == "i")
        assert span(client, "east").channel_map[:8] == "qmrxiao."
        assert span(client, "east").channel_map[15] == "D"
        assert client.channels("east")[0].lessee == "pid 7 uid 8 'core'"
        total = client.call("org.dahdipy.Groups.Get", groups.GroupName(group="both"), groups.GroupReply).group
        assert (total.total, total.used) == (60, 4)
        with pytest.raises(NotFound, match="both, east"):
            client.call("org.dahdipy.Groups.Get", groups.GroupName(group="x"), groups.GroupReply)


def test_a_host_that_comes_late_is_found(daemon: DaemonProcess, start_host: StartHost) -> None:
    events = Listener(daemon.socket, kinds=["host."])
    with daemon.client() as client:
        assert listed_hosts(client)["b"].state == "down"
        assert "systemd" in listed_hosts(client)["b"].problem
        start_host("b", "west")
        events.wait("host.up", host="b")
        assert span(client, "west").state == "ok"
        assert listed_hosts(client)["b"].state == "up"
    events.close()


def test_a_host_whose_connection_breaks_keeps_its_calls(daemon: DaemonProcess, host: ScriptedHost) -> None:
    events = Listener(daemon.socket)
    with daemon.client() as core:
        placed = core.place(span="east")
        host.asked("Place")
        host.calls = [call_state(placed.call, token=placed.token)]
        orphan = Lease(
            token=placed.token, span="east", timeslot=1, owner=Owner(), phase="active", call=placed.call, orphaned=True
        )
        host.leases = [orphan]
        host.break_connections()
        events.wait("host.down", host="a")
        assert host.asked("Assign").token == placed.token
        core.step("Answer", placed.call)
        events.wait("host.up", host="a")
        assert "call.ended" not in events.kinds()
        (up,) = core.calls()
        assert (up.phase, up.orphaned) == ("active", False)
    assert host.asked("Release").token == placed.token
    events.close()


def test_a_host_in_its_next_start_has_lost_its_calls(
    daemon: DaemonProcess, host: ScriptedHost, start_host: StartHost
) -> None:
    events = Listener(daemon.socket)
    with daemon.client() as core:
        placed = core.place(span="east")
        attempt(host, placed.call)
        lease = core.allocate(span="east", timeslot=4)
        events.wait("call.attempt", call=placed.call)
        host.close()
        start_host(start=2)
        ended = events.wait("call.ended", call=placed.call)
        assert (ended.data["reason"], ended.data["cleared_by"]) == ("line host died", "host")
        events.wait("channel.released", token=lease.token)
        (row,) = core.history()
        assert (row.state, row.reason, row.cause) == ("closed", "line host died", None)
        assert row.ended_ns >= row.started_ns
        assert core.calls() == []
        assert all(one.usage == "idle" for one in core.channels("east"))
    events.close()


def test_rows_are_closed_whatever_died_while_nobody_looked(
    host: ScriptedHost, start_daemon: StartDaemon, start_host: StartHost
) -> None:
    daemon = start_daemon()
    for call in ("gone", "up", "ended"):
        attempt(host, call)
    taken_in(host)
    daemon.kill()
    host.calls = [call_state("up")]
    host.end("ended", "east", direction="outgoing", cause=21)
    daemon.start()
    with daemon.client() as client:
        rows = eventually(lambda: closed_rows(client, 2))
        assert rows["gone"].reason == "daemon found no such call"
        assert rows["ended"].cause is not None
        assert rows["ended"].cause.value == 21
        assert [one.call for one in client.calls()] == ["up"]
    daemon.kill()
    host.close()
    daemon.start()
    with daemon.client() as client:
        rows = eventually(lambda: closed_rows(client, 3))
        assert rows["up"].reason == "line host died"


def closed_rows(client: Client, count: int) -> dict[str, CallRecord]:
    rows = {row.call: row for row in client.history() if row.state == "closed"}
    return rows if len(rows) == count else {}


def test_who_follows_hears_the_end_of_what_died_with_the_daemon_that_could_have_told(
    host: ScriptedHost, start_daemon: StartDaemon, start_host: StartHost
) -> None:
    daemon = start_daemon()
    first = Listener(daemon.socket)
    with daemon.client() as core:
        placed = core.place(span="east")
        attempt(host, placed.call)
        bare = core.allocate(span="east", timeslot=4)
        first.wait("channel.allocated", token=bare.token)
        first.wait("call.attempt", call=placed.call)
    cursor = first.cursor
    daemon.kill()
    host.close()
    first.close()

    daemon.start()
    later = Listener(daemon.socket, after=cursor)
    ended = later.wait("call.ended", call=placed.call)
    assert (ended.data["reason"], ended.data["cleared_by"]) == ("line host died", "host")
    assert later.wait("host.down").data["gone"] is True
    # The host comes back and accounts for its calls itself, by its journal: that is no news.
    again = start_host(start=2)
    again.end(placed.call, "east", direction="outgoing", cause=41)
    later.wait("host.up")
    again.say("dchannel.up", span="east")
    later.wait("dchannel.up")
    assert later.kinds().count("call.ended") == 1
    later.close()

    daemon.kill()
    daemon.start()
    with daemon.client() as client:
        epoch = client.status().epoch
    last = Listener(daemon.socket, after=cursor)
    last.wait("daemon.ready", epoch=epoch)
    assert last.kinds().count("call.ended") == 1
    last.close()


def test_a_call_ends_once_however_often_its_host_and_the_daemon_die(
    daemon: DaemonProcess, host: ScriptedHost, start_host: StartHost
) -> None:
    """Each start of a host accounts for what its journal still holds, until RESTART has cleared the channel."""
    first = Listener(daemon.socket)
    for call in ("lost", "ended"):
        attempt(host, call)
    host.end("ended", "east", direction="outgoing")
    end = first.wait("call.ended", call="ended")
    first.close()
    for start in (2, 3, 4):
        host.close()
        if start == 4:
            daemon.kill()
            daemon.start()
        host = start_host(start=start)
        for call in ("lost", "ended", f"unheard of {start}"):
            host.end(call, "east", direction="outgoing", cause=41)
        host.say("dchannel.up", span="east")
        taken_in(host)
    later = Listener(daemon.socket, after=Cursor(epoch=end.epoch, n=end.n))
    assert later.wait("call.ended", call="lost").data["reason"] == "line host died"
    later.wait("call.ended", call="unheard of 4")
    ended = [event.call for event in later.events if event.kind == "call.ended"]
    assert ended == ["lost", "unheard of 2", "unheard of 3", "unheard of 4"]
    later.close()
    with daemon.client() as client:
        rows = {row.call: row for row in client.history()}
        assert (rows["lost"].reason, rows["lost"].cause) == ("line host died", None)
        assert rows["ended"].cause is not None
        assert rows["ended"].cause.value == 16


def test_the_outbox_is_taken_in_once_and_in_order(host: ScriptedHost, start_daemon: StartDaemon) -> None:
    for number in range(5):
        attempt(host, f"early-{number}")
    daemon = start_daemon()
    eventually(lambda: host.committed == 5)
    # Only now: from here on nothing that the host told is to come again.
    events = Listener(daemon.socket)
    with daemon.client() as client:
        epoch, position = client.status().epoch, events.cursor
    daemon.kill()
    # Events that are on disk but whose commit the host never saw.
    host.outbox = [wire.HostEvent(n=n, utc_ns=1, monotonic_ns=1, kind="dchannel.up", span="east") for n in range(1, 6)]
    daemon.start()
    host.say("dchannel.down", span="east")
    assert position is not None
    later = Listener(daemon.socket, after=position)
    later.wait("dchannel.down")
    assert "dchannel.up" not in later.kinds()
    assert "call.attempt" not in later.kinds()
    with daemon.client() as client:
        assert client.status().epoch > epoch
        assert len(client.history()) == 5
    later.close()
    events.close()


def test_a_held_call_is_offered_to_a_core_that_comes_back(host: ScriptedHost, start_daemon: StartDaemon) -> None:
    # It has just come in when the daemon looks, however long that takes to start.
    coming_ns = time.time_ns() + 60 * 10**9
    held = call_state("held", direction="incoming", phase="offered", started_ns=coming_ns)
    host.calls = [held]
    daemon = start_daemon()
    host.asked("Ready")
    with daemon.client() as serving:
        offer = next(serving.serve()).offer
        assert offer is not None
        assert offer.call == "held"


def test_a_host_is_drained_by_name(daemon: DaemonProcess, host: ScriptedHost) -> None:
    with daemon.client() as client:
        client.call("org.dahdipy.Hosts.Drain", hosts.DrainRequest(host="a"), Empty)
        assert host.asked("Drain").on
        assert listed_hosts(client)["a"].state == "draining"
        with pytest.raises(NotFound, match="hosts: a, b"):
            client.call("org.dahdipy.Hosts.Drain", hosts.DrainRequest(host="c"), Empty)
        with pytest.raises(HostUnavailable):
            client.call("org.dahdipy.Hosts.Drain", hosts.DrainRequest(host="b"), Empty)


def test_a_stranger_on_the_socket_is_not_taken_for_the_host(start_host: StartHost, start_daemon: StartDaemon) -> None:
    stranger = start_host()
    stranger.name = "z"
    daemon = start_daemon()
    with daemon.client() as client:
        eventually(lambda: "'z'" in listed_hosts(client)["a"].problem)
        assert listed_hosts(client)["a"].state != "up"


def test_a_host_that_lost_its_state_is_not_taken_for_what_it_was(
    host: ScriptedHost, start_daemon: StartDaemon, start_host: StartHost
) -> None:
    daemon = start_daemon()
    for number in range(5):
        attempt(host, f"before-{number}")
    eventually(lambda: host.committed == 5)
    daemon.kill()
    host.close()
    again = start_host()
    attempt(again, "after")
    daemon.start()
    with daemon.client() as client:
        eventually(lambda: "after" in {row.call for row in client.history()})
