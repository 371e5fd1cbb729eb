# SPDX-License-Identifier: GPL-2.0-or-later
"""Alarms of what there is for calls: groups that have too little or nobody, channels in quarantine, spans held down."""

from __future__ import annotations

import time

from dahdi_py.errors import NoChannel
from dahdi_py.wire.messages import host as wire
from dahdi_py.wire.messages import spans
from dahdi_py.wire.messages.common import Bearer, Party
from tests.daemon.alarms import RED, show, told
from tests.daemon.conftest import StartDaemon, StartHost
from tests.daemon.process import Client, DaemonProcess, Listener, eventually
from tests.daemon.scripted_host import ScriptedHost


def test_a_group_that_has_too_little_or_nobody_is_an_alarm(start_host: StartHost, start_daemon: StartDaemon) -> None:
    host, west = start_host(), start_host("b", "west")
    more = '[alarms]\nno_core_s = 0.2\nall_busy_s = 0.2\nanswer_calls = 5\n[[groups]]\nname = "few"\n'
    more += 'spans = ["east:1-2", "west:1"]\nminimum = 2\nanswer_ratio = 50\n'
    daemon = start_daemon(more=more)
    host.asked("Ready")
    events = Listener(daemon.socket, kinds=["alarm."], group="few")
    with daemon.client() as client:
        show(host, "east", RED)
        assert told(events, "alarm.raised", aspect="minimum").data["severity"] == "critical"
        show(host, "east", 0)
        told(events, "alarm.cleared", aspect="minimum")
        leases = [client.allocate(span="east", timeslot=1), client.allocate(span="east", timeslot=2)]
        leases.append(client.allocate(span="west", timeslot=1))
        told(events, "alarm.raised", aspect="busy")
        client.release(leases[0].token)
        told(events, "alarm.cleared", aspect="busy")
        serving = daemon.client()
        serving.serve(groups=["few"])
        serving.close()
        told(events, "alarm.raised", aspect="cores")
        again = daemon.client()
        again.serve(groups=["few"])
        told(events, "alarm.cleared", aspect="cores")
        for number in range(5):
            host.say("call.ended", unanswered(), span="east", timeslot=1, call=f"out-{number}")
        assert "0 of the last 5" in told(events, "alarm.raised", aspect="answers").data["text"]
        again.close()
    events.close()
    west.close()


def unanswered() -> wire.Ended:
    now = time.time_ns()
    return wire.Ended(
        direction="outgoing", called=Party(number="1"), calling=Party(), bearer=Bearer(), span="east", timeslot=1,
        attempt=1, cause=34, location="user", cleared_by="peer", reason="", started_ns=now, alerting_ns=0,
        answered_ns=0, ended_ns=now, duration_ns=0, messages=[], group="few",
    )  # fmt: skip


def test_quarantined_channels_are_alarms_that_name_who_holds_them(daemon: DaemonProcess, host: ScriptedHost) -> None:
    events = Listener(daemon.socket, kinds=["alarm."])
    held = wire.ChannelState(span="east", timeslot=5, disabled="quarantine", lessee="pid 7 (pbx)")
    host.say("channel.state", held, span="east", timeslot=5)
    raised = told(events, "alarm.raised", kind="channel")
    assert (raised.data["subject"], raised.data["severity"]) == ("east:5", "warning")
    assert "pid 7 (pbx)" in raised.data["text"]
    host.say("channel.state", wire.ChannelState(span="east", timeslot=5), span="east", timeslot=5)
    told(events, "alarm.cleared", kind="channel")
    events.close()


def test_a_span_that_is_held_down_is_an_alarm_until_it_is_lifted(daemon: DaemonProcess, host: ScriptedHost) -> None:
    host.answers["LiftHoldDown"] = lambda asked: host.span_state(asked.span)
    events = Listener(daemon.socket, kinds=["alarm."])
    show(host, "east", 0, returns=3, hold_s=20.0, held_until_ns=time.time_ns() + 600 * 10**9)
    raised = told(events, "alarm.raised", kind="flapping")
    assert "spans up east --now" in raised.data["text"]
    with daemon.client() as client:
        reply = client.call("org.dahdipy.Spans.LiftHoldDown", spans.LiftRequest(span="1"), spans.SpanReply)
        assert (host.asked("LiftHoldDown").span, reply.span.held_until_ns) == ("east", 0)
    told(events, "alarm.cleared", kind="flapping")
    events.close()


def test_another_hosts_span_comes_before_one_that_is_held_down(
    start_host: StartHost, start_daemon: StartDaemon
) -> None:
    host, west = start_host(), start_host("b", "west")
    daemon = start_daemon(calls='emergency = ["112"]')
    host.asked("Ready")
    west.asked("Ready")

    def full(asked: object) -> wire.PlaceReply:
        raise NoChannel("every channel is busy", cause=34)

    with daemon.client() as client:
        assert client.place(group="both").span == "west", "descending is the user side's own end"
        show(west, "west", 0, held_until_ns=time.time_ns() + 600 * 10**9)
        eventually(lambda: span(client, "west").held_until_ns)
        assert client.place(group="both").span == "east"
        assert client.place("112", group="both").span == "west", "an emergency call does not care"
        host.answers["Place"] = full
        assert client.place(group="both").span == "west", "nothing else is left"
        del host.answers["Place"]
        show(west, "west", 0, held_until_ns=time.time_ns() - 1)
        eventually(lambda: 0 < span(client, "west").held_until_ns < time.time_ns())
        assert client.place(group="both").span == "west", "it is over"


def span(client: Client, name: str) -> spans.Span:
    return client.call("org.dahdipy.Spans.Get", spans.SpanName(span=name), spans.SpanReply).span
