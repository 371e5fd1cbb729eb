# SPDX-License-Identifier: GPL-2.0-or-later
"""Locks, drains and alarms of the past: whom they are told to, and that they outlive daemons and hosts."""

from __future__ import annotations

import threading
import time

import msgspec
import pytest

from dahdi_py.errors import ChannelBusy, DahdiPyError, NoChannel, NotFound, OutOfService
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import alarms, calls, channels, groups, hosts, spans
from dahdi_py.wire.messages import host as wire
from dahdi_py.wire.messages.common import AdministerReply, Bearer, Party
from dahdi_py.wire.messages.sim import LoopRequest
from dahdi_py.wire.refusals import InvalidParameter
from tests.daemon.conftest import StartDaemon, StartHost
from tests.daemon.process import Client, DaemonProcess, Listener, eventually
from tests.daemon.scripted_host import ScriptedHost


def administer(client: Client, request: msgspec.Struct) -> AdministerReply:
    noun = type(request).__module__.rpartition(".")[2].capitalize()
    return client.call(f"org.dahdipy.{noun}.Administer", request, AdministerReply)


@pytest.fixture
def obedient(host: ScriptedHost) -> ScriptedHost:
    """It does as it is told, and says so."""

    def done(asked: wire.AdministerRequest) -> wire.AdministerReply:
        for timeslot in range(1, 32):
            if asked.timeslots >> timeslot & 1:
                state = wire.ChannelState(
                    span=asked.span, timeslot=timeslot, administrative=asked.state, who=asked.who, why=asked.why,
                    since_ns=asked.since_ns,
                )  # fmt: skip
                host._say("channel.state", state, {"span": asked.span, "timeslot": timeslot}, done_event)
        return wire.AdministerReply(far_end="service", busy=0)

    done_event = threading.Event()
    host.answers["Administer"] = done
    return host


def test_a_locked_channel_says_who_why_and_what_the_far_end_sees(obedient: ScriptedHost, daemon: DaemonProcess) -> None:
    events = Listener(daemon.socket, kinds=["administration."])
    with daemon.client() as client:
        reply = administer(
            client, channels.AdministerRequest(span="1", timeslot=3, state="locked", reason="noise on 3")
        )
        assert (reply.state, reply.busy) == ("locked", 0)
        assert reply.far_end == ["span east: the far end is told by SERVICE and offers nothing there"]
        asked = obedient.asked("Administer")
        assert (asked.span, asked.timeslots, asked.state, asked.force) == ("east", 1 << 3, "locked", False)
        shown = eventually(lambda: next((one for one in client.channels("east") if one.why), None))
        assert shown is not None
        assert (shown.timeslot, shown.administrative, shown.why) == (3, "locked", "noise on 3")
        assert "uid" in shown.who
        changed = events.wait("administration.changed", span="east", timeslot=3)
        assert (changed.data["kind"], changed.data["state"], changed.data["busy"]) == ("channel", "locked", 0)
        events.wait("administration.empty", span="east", timeslot=3)
        administer(client, channels.AdministerRequest(span="east", timeslot=3, state="unlocked"))
        assert obedient.asked("Administer").state == "unlocked"
    events.close()


@pytest.mark.parametrize(
    ("request_", "error", "says"),
    [
        (channels.AdministerRequest(span="east", timeslot=3, state="locked"), InvalidParameter, "say why timeslot 3"),
        (spans.AdministerRequest(span="east", state="open", reason="x"), InvalidParameter, "expected unlocked, shut"),
        (spans.AdministerRequest(span="nroth", state="unlocked"), NotFound, "spans: east, west"),
        (hosts.AdministerRequest(host="c", state="unlocked"), NotFound, "hosts: a, b"),
        (groups.AdministerRequest(group="c", state="unlocked"), NotFound, "groups: both, east"),
        (channels.AdministerRequest(span="east", timeslot=16, state="unlocked"), NotFound, "no B-channel in timeslot"),
        (spans.AdministerRequest(span="east", state="locked", reason="a\nb"), InvalidParameter, "control characters"),
    ],
)
def test_what_cannot_be_is_refused(
    daemon: DaemonProcess, request_: msgspec.Struct, error: type[DahdiPyError], says: str
) -> None:
    with daemon.client() as client, pytest.raises(error, match=says):
        administer(client, request_)


def test_a_busy_span_is_locked_only_by_force_and_drained_until_it_is_empty(
    obedient: ScriptedHost, daemon: DaemonProcess
) -> None:
    events = Listener(daemon.socket, kinds=["administration."])
    obedient.answers["Administer"] = lambda asked: wire.AdministerReply(far_end="alternate", busy=1)
    with daemon.client() as client:
        lease = client.allocate(span="east")
        with pytest.raises(ChannelBusy, match="span east: 1 channel is busy: drain it and wait, or lock it with force"):
            administer(client, spans.AdministerRequest(span="east", state="locked", reason="works"))
        assert obedient.nothing_asked("Administer")
        reply = administer(client, spans.AdministerRequest(span="east", state="shutting_down", reason="works"))
        assert reply.busy == 1
        assert "cause 44" in reply.far_end[0]
        events.wait("administration.changed", span="east")
        client.release(lease.token)
        events.wait("administration.empty", span="east")
        assert events.kinds() == ["administration.changed", "administration.empty"]
        administer(client, spans.AdministerRequest(span="east", state="locked", reason="works", force=True))
        assert [obedient.asked("Administer").force for _ in range(2)] == [False, True]
    events.close()


@pytest.mark.parametrize(
    ("request_", "kind", "name"),
    [
        (channels.AdministerRequest(span="east", timeslot=1, state="shutting_down", reason="works"), "channel", ""),
        (spans.AdministerRequest(span="east", state="shutting_down", reason="works"), "span", "east"),
        (groups.AdministerRequest(group="east", state="shutting_down", reason="works"), "group", "east"),
        (hosts.AdministerRequest(host="a", state="shutting_down", reason="works"), "host", "a"),
    ],
)
def test_whoever_drains_anything_is_told_when_it_is_empty(
    obedient: ScriptedHost, daemon: DaemonProcess, start_host: StartHost, request_: msgspec.Struct, kind: str, name: str
) -> None:
    events = Listener(daemon.socket, kinds=["administration."])
    start_host("b", "west")  # of a host that is away nobody knows what a group has on it
    obedient.answers["Administer"] = lambda asked: wire.AdministerReply(far_end="alternate", busy=1)
    with daemon.client() as client:
        eventually(
            lambda: all(
                each.state == "up" for each in client.call("org.dahdipy.Hosts.List", Empty(), hosts.HostList).hosts
            )
        )
        lease = client.allocate(group="east")
        assert lease.timeslot == 1
        assert administer(client, request_).busy == 1
        assert events.wait("administration.changed").data["kind"] == kind
        client.release(lease.token)
        empty = events.wait("administration.empty").data
        assert (empty["kind"], empty["state"], empty["why"]) == (kind, "shutting_down", "works")
        assert not name or empty["name"] == name
    assert events.kinds() == ["administration.changed", "administration.empty"]
    events.close()


def test_a_host_that_is_not_there_is_locked_when_it_comes(daemon: DaemonProcess, start_host: StartHost) -> None:
    with daemon.client() as client:
        reply = administer(client, hosts.AdministerRequest(host="b", state="locked", reason="moved"))
        assert reply.far_end == ["span west: its line host is not connected: it is done as soon as it is"]
        assert {one.administrative for one in client.channels("west")} == {"locked"}
        # What is said of a part later is meant for the part.
        administer(client, channels.AdministerRequest(span="west", timeslot=5, state="unlocked"))
        other = start_host("b", "west")
        asked = other.asked("Administer")
        assert (asked.span, asked.state, asked.why) == ("west", "locked", "moved")
        assert asked.timeslots == sum(1 << one for one in range(1, 32) if one not in (5, 16))


def test_states_outlive_the_daemon_and_the_host(
    obedient: ScriptedHost, daemon: DaemonProcess, start_host: StartHost
) -> None:
    with daemon.client() as client:
        administer(client, groups.AdministerRequest(group="both", state="shutting_down", reason="fraud"))
        since = client.call("org.dahdipy.Groups.Get", groups.GroupName(group="both"), groups.GroupReply).group.since_ns
        administer(client, spans.AdministerRequest(span="east", state="locked", reason="works"))
    daemon.kill()  # at once: who is told that it is so finds it so
    obedient.close()
    daemon.start()
    again = start_host(start=2)
    asked = again.asked("Administer")
    assert (asked.span, asked.state, asked.why) == ("east", "locked", "works")
    again.asked("Ready")
    with daemon.client() as client:
        both = client.call("org.dahdipy.Groups.Get", groups.GroupName(group="both"), groups.GroupReply).group
        assert (both.administrative, both.why, both.since_ns) == ("shutting_down", "fraud", since)


def test_a_locked_group_gives_nothing_while_others_give_its_channels(daemon: DaemonProcess, host: ScriptedHost) -> None:
    with daemon.client() as client:
        lease = client.allocate(group="both")
        with pytest.raises(ChannelBusy, match="group both: 1 channel is busy"):
            administer(client, groups.AdministerRequest(group="both", state="locked", reason="fraud"))
        reply = administer(client, groups.AdministerRequest(group="both", state="locked", reason="fraud", force=True))
        assert "refused with cause 34" in reply.far_end[0]
        assert host.asked("Release").token == lease.token
        with pytest.raises(OutOfService, match=r"group both is locked by .*: fraud") as caught:
            client.allocate(group="both")
        assert caught.value.fields["reason"] == "locked"
        assert client.allocate(group="east").span == "east"
        # A call comes in as one of the other group; with both locked it is refused.
        serving = daemon.client()
        _offers = serving.serve(groups=["both"])
        host.offer("in-1", "east", "2001", timeslot=2)
        assert host.asked("Hangup").cause == 41
        administer(client, groups.AdministerRequest(group="east", state="shutting_down", reason="x"))
        host.offer("in-2", "east", "2001", timeslot=3)
        assert (refused := host.asked("Hangup")).cause == 34
        assert "locked or being drained" in refused.reason
        serving.close()


def alarms_of(client: Client) -> list[alarms.Alarm]:
    found = client.call("org.dahdipy.Alarms.List", Empty(), alarms.AlarmList).alarms
    return [one for one in found if one.kind == "emergency"]


def test_a_failed_emergency_call_is_a_critical_alarm_until_it_is_cleared(
    host: ScriptedHost, start_daemon: StartDaemon
) -> None:
    daemon = start_daemon(calls='emergency = ["112"]')
    host.asked("Ready")
    events = Listener(daemon.socket, kinds=["alarm."])

    def full(parameters: object) -> wire.PlaceReply:
        raise NoChannel("every channel is busy", cause=34)

    with daemon.client() as client:
        host.answers["Place"] = full
        with pytest.raises(NoChannel):
            client.place("112", group="east")
        (raised,) = alarms_of(client)
        assert (raised.severity, raised.subject, raised.words) == ("critical", "112", ["FAILED"])
        assert "every channel is busy" in raised.text
        # The other host's absence is an alarm too, after a while.
        told = eventually(lambda: [one for one in list(events.events) if one.data["kind"] == "emergency"])
        assert [(one.kind, one.data["subject"], one.data["times"]) for one in told] == [("alarm.raised", "112", 1)]
    daemon.kill()
    daemon.start()
    with daemon.client() as client:
        host.say("call.ended", failed("112"), span="east", timeslot=1, call="gone")
        host.say("call.ended", failed("112", "core"), span="east", timeslot=1, call="given-up")
        eventually(lambda: "2 emergency calls" in alarms_of(client)[0].text)
        host.say("call.ended", failed("112", "client_death"), span="east", timeslot=1, call="its-core-died")
        eventually(lambda: "3 emergency calls" in alarms_of(client)[0].text)
        client.call("org.dahdipy.Alarms.Clear", alarms.ClearRequest(kind="emergency", subject="112"), Empty)
        assert alarms_of(client) == []
        with pytest.raises(NotFound, match="no alarm emergency '112' to clear"):
            client.call("org.dahdipy.Alarms.Clear", alarms.ClearRequest(kind="emergency", subject="112"), Empty)
    daemon.stop()
    daemon.start()
    with daemon.client() as client:
        assert alarms_of(client) == []


def test_an_emergency_call_that_dies_with_daemon_and_host_is_an_alarm(
    host: ScriptedHost, start_daemon: StartDaemon
) -> None:
    daemon = start_daemon(calls='emergency = ["112"]')
    host.asked("Ready")
    events = Listener(daemon.socket, kinds=["call."])
    with daemon.client() as client:
        rang, talked = client.place("112", group="east"), client.place("112", group="east")
        for placed in (rang, talked):
            tried = wire.Attempted(
                attempt=1, called=Party(number="112"), calling=Party(), bearer=Bearer(), emergency=True
            )
            host.say("call.attempt", tried, span="east", timeslot=1, call=placed.call, token=placed.token)
        host.say("call.answered", wire.Progressed(), span="east", timeslot=1, call=talked.call, token=talked.token)
        events.wait("call.answered")
    daemon.kill()
    host.close()
    daemon.start()
    with daemon.client() as client:
        (raised,) = alarms_of(client)
        assert f"call {rang.call} to 112 was not connected: line host died" in raised.text


def overlap(client: Client, call: str, digits: str) -> None:
    client.call("org.dahdipy.Calls.SendOverlap", calls.OverlapRequest(call=call, digits=digits), Empty)


def test_a_number_that_becomes_an_emergency_one_digit_by_digit(host: ScriptedHost, start_daemon: StartDaemon) -> None:
    daemon = start_daemon(calls='emergency = ["112"]')
    host.asked("Ready")
    events = Listener(daemon.socket, kinds=["call."])
    with daemon.client() as core, daemon.client() as operator:
        placed = core.place("1", group="east", sending_complete=False)
        tried = wire.Attempted(attempt=1, called=Party(number="1"), calling=Party(), bearer=Bearer())
        host.say("call.attempt", tried, span="east", timeslot=1, call=placed.call, token=placed.token)
        events.wait("call.attempt")
        overlap(core, placed.call, "1")
        assert not host.asked("SendDigits").emergency
        assert [(up.called.number, up.emergency) for up in core.calls()] == [("11", False)]
        overlap(core, placed.call, "2")
        assert host.asked("SendDigits").emergency
        assert [(up.called.number, up.emergency) for up in core.calls()] == [("112", True)]
        with pytest.raises(DahdiPyError, match="emergency call"):
            operator.hangup(placed.call, force=True)
        eventually(lambda: [(one.called.number, one.emergency) for one in core.history()] == [("112", True)])
    events.close()
    daemon.kill()
    host.close()
    daemon.start()
    with daemon.client() as client:
        (raised,) = alarms_of(client)
        assert f"call {placed.call} to 112 was not connected" in raised.text


def failed(number: str, cleared_by: str = "peer") -> wire.Ended:
    now = time.time_ns()
    return wire.Ended(
        direction="outgoing", called=Party(number=number), calling=Party(), bearer=Bearer(), span="east", timeslot=1,
        attempt=1, cause=42, location="user", cleared_by=cleared_by, reason="", started_ns=now, alerting_ns=0,
        answered_ns=0, ended_ns=now, duration_ns=0, messages=[], emergency=True,
    )  # fmt: skip


def test_a_lock_that_one_span_refuses_is_taken_back_on_the_others(
    obedient: ScriptedHost, start_daemon: StartDaemon
) -> None:
    north = '[[spans]]\nname = "north"\ncard = "sim"\nhost = "a"\nport = "3"\ntype = "T1"\n'
    daemon = start_daemon(more=north)
    obedient.asked("Ready")
    obey = obedient.answers["Administer"]

    def refuses_north(asked: wire.AdministerRequest) -> wire.AdministerReply:
        if asked.span == "north":
            raise ChannelBusy("span north: timeslots 4 are busy: drain them first, or force", holder="", cause=44)
        reply: wire.AdministerReply = obey(asked)
        return reply

    with daemon.client() as client:
        administer(
            client, channels.AdministerRequest(span="east", timeslot=3, state="shutting_down", reason="noise on 3")
        )
        assert obedient.asked("Administer").timeslots == 1 << 3
        eventually(lambda: [one.timeslot for one in client.channels("east") if one.why] == [3])
        obedient.answers["Administer"] = refuses_north
        with pytest.raises(ChannelBusy, match="span north: timeslots 4 are busy"):
            administer(client, hosts.AdministerRequest(host="a", state="locked", reason="works"))
        obedient.asked("Administer")
        obedient.asked("Administer")
        back = {one.state: (one.span, one.timeslots, one.why) for one in (obedient.asked("Administer") for _ in "ab")}
        others = sum(1 << timeslot for timeslot in range(1, 32) if timeslot not in (3, 16))
        assert back == {"unlocked": ("east", others, ""), "shutting_down": ("east", 1 << 3, "noise on 3")}
        eventually(lambda: [one.timeslot for one in client.channels("east") if one.administrative != "unlocked"] == [3])


def test_an_emergency_call_is_in_no_way_forced_down(host: ScriptedHost, start_daemon: StartDaemon) -> None:
    daemon = start_daemon(calls='emergency = ["112"]')
    host.asked("Ready")
    with daemon.client() as core, daemon.client() as operator:
        placed = core.place("112", group="east")
        with pytest.raises(DahdiPyError, match="emergency call"):
            operator.hangup(placed.call, force=True)
        for wants in (LoopRequest(port="east", loop="payload"), LoopRequest(port="east", timeslots=[1])):
            with pytest.raises(ChannelBusy, match="emergency call, which no loop cuts off"):
                operator.call("org.dahdipy.Sim.Loop", msgspec.structs.replace(wants, force=True), Empty)
        core.hangup(placed.call)
        assert host.asked("Hangup").call == placed.call


def test_a_host_of_the_protocol_before_refuses_by_name(host: ScriptedHost, start_daemon: StartDaemon) -> None:
    host.protocol = 1
    daemon = start_daemon(more='[[groups]]\nname = "part"\nspans = ["east:1-4"]\n')
    host.asked("Ready")
    with daemon.client() as client:
        assert client.allocate(group="east").span == "east"
        assert host.asked("Reserve").group == ""
        with pytest.raises(DahdiPyError, match="line host a runs version 0, which cannot hunt a part of a span"):
            client.allocate(group="part")
        with pytest.raises(DahdiPyError, match="cannot lock channels"):
            administer(client, spans.AdministerRequest(span="east", state="shutting_down", reason="x"))
