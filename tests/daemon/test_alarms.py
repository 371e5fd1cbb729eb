# SPDX-License-Identifier: GPL-2.0-or-later
"""Alarms of a daemon whose hosts say what the test wants: raised, correlated, seen, kept, and gone when mended."""

from __future__ import annotations

import asyncio
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from dahdi_py.core.access import Policy
from dahdi_py.core.config_file import parse
from dahdi_py.core.line_alarms import LineAlarms
from dahdi_py.daemon.alarm_conditions import Conditions
from dahdi_py.daemon.control import Control
from dahdi_py.errors import NoChannel, NotFound
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import alarms, spans
from dahdi_py.wire.messages import host as wire
from dahdi_py.wire.messages.common import Bearer, Party
from dahdi_py.wire.messages.events import Event
from dahdi_py.wire.refusals import InvalidParameter
from tests.daemon.conftest import StartDaemon, StartHost
from tests.daemon.process import TWO_HOSTS, Client, DaemonProcess, Listener, eventually
from tests.daemon.scripted_host import ScriptedHost

RED, YELLOW, BLUE, RECOVER, ABSENT = 8 | 256, 4, 16, 1, 1 << 16


def listed(client: Client, kind: str = "") -> list[alarms.Alarm]:
    found = client.call("org.dahdipy.Alarms.List", Empty(), alarms.AlarmList).alarms
    return [one for one in found if not kind or one.kind == kind]


def past(client: Client, **wants: Any) -> list[alarms.Alarm]:
    return client.call("org.dahdipy.Alarms.History", alarms.HistoryRequest(**wants), alarms.HistoryReply).alarms


def acknowledge(client: Client, alarm: int, **wants: Any) -> alarms.Alarm:
    request = alarms.AcknowledgeRequest(id=alarm, **wants)
    return client.call("org.dahdipy.Alarms.Acknowledge", request, alarms.AcknowledgeReply).alarm


def show(host: ScriptedHost, span: str, bits: int, dchannel: str = "up", **more: Any) -> None:
    state = host.span_state(span, alarms=bits, dchannel=dchannel, since_ns=time.time_ns(), **more)
    host.say("span.status", state, span=span)


def told(events: Listener, what: str, count: int = 1, /, **fields: Any) -> Event:
    """The `count`th event of that name whose data are so."""

    def found() -> Event | None:
        fitting = [
            event
            for event in list(events.events)
            if event.kind == what and all(event.data[name] == value for name, value in fields.items())
        ]
        return fitting[count - 1] if len(fitting) >= count else None

    event = eventually(found, f"no {what} {fields} among {[(e.kind, e.data) for e in events.events]}")
    assert event is not None
    return event


def test_an_alarm_is_raised_changed_and_cleared_with_one_id_and_a_growing_sequence(
    daemon: DaemonProcess, host: ScriptedHost
) -> None:
    events = Listener(daemon.socket, kinds=["alarm."], span="east")
    show(host, "east", RED)
    raised = told(events, "alarm.raised", kind="span")
    assert (raised.span, raised.host, raised.data["words"]) == ("east", "a", ["RED", "LOS"])
    assert raised.data["severity"] == "critical"
    assert "group east has 0 of 30 channels left" in raised.data["impact"]
    # Another kind without going through OK, as the kernel's status poll shows it.
    show(host, "east", YELLOW)
    far_end = told(events, "alarm.raised", aspect="transmit")
    cleared = told(events, "alarm.cleared", aspect="receive")
    assert cleared.data["id"] == raised.data["id"] != far_end.data["id"]
    assert cleared.data["cleared_ns"] > 0
    show(host, "east", 0)
    told(events, "alarm.cleared", aspect="transmit")
    sequences = [event.data["sequence"] for event in events.events]
    assert sequences == sorted(set(sequences))
    with daemon.client() as client:
        assert listed(client, "span") == []
        assert [(one.id, one.state) for one in past(client, span="east", limit=2)] == [
            (far_end.data["id"], "cleared"), (raised.data["id"], "cleared"),
        ]  # fmt: skip
    events.close()


def test_the_driver_is_reported_apart_from_what_is_still_integrated(
    host: ScriptedHost, start_daemon: StartDaemon
) -> None:
    daemon = start_daemon(more="[alarms]\nclear_e1_s = 1\n")
    host.asked("Ready")
    events = Listener(daemon.socket, kinds=["alarm."], span="east")
    with daemon.client() as client:
        show(host, "east", RED)
        told(events, "alarm.raised", kind="span")
        show(host, "east", RECOVER)
        clearing = told(events, "alarm.changed", kind="span")
        assert (clearing.data["raw"], clearing.data["driver"], clearing.data["integrated"]) == (
            ["REC"], [], ["RED", "LOS"],
        )  # fmt: skip
        assert (clearing.data["state"], clearing.data["severity"]) == ("clearing", "warning")
        one = client.call("org.dahdipy.Spans.Get", spans.SpanName(span="east"), spans.SpanReply).span
        assert one.usable == 30, "calls are taken as soon as the driver says that the line is good"
        show(host, "east", 0)
        cleared = told(events, "alarm.cleared", kind="span")
        assert cleared.data["cleared_ns"] >= clearing.utc_ns + 10**9
    events.close()


def test_a_span_hides_its_d_channel_and_a_host_hides_its_spans(daemon: DaemonProcess, host: ScriptedHost) -> None:
    events = Listener(daemon.socket, kinds=["alarm."])
    with daemon.client() as client:
        show(host, "east", RED, dchannel="down")
        root = told(events, "alarm.raised", kind="span").data["id"]
        hidden = told(events, "alarm.raised", kind="dchannel")
        assert hidden.data["hidden_by"] == root
        assert [one.kind for one in listed(client) if one.span == "east"] == ["span", "dchannel"]
        assert sum("east" in problem for problem in client.status().problems) == 1
        show(host, "east", 0, dchannel="down")
        told(events, "alarm.changed", kind="dchannel", hidden_by=0)
        host.close()
        down = told(events, "alarm.raised", kind="host", subject="a").data["id"]
        told(events, "alarm.changed", kind="dchannel", hidden_by=down)
        (kept,) = listed(client, "dchannel")
        assert (kept.id, kept.state) == (hidden.data["id"], "raised"), "nobody knows that it would be mended"
    events.close()


def test_one_card_is_one_root(start_host: StartHost, start_daemon: StartDaemon) -> None:
    host, west = start_host(), start_host("b", "west")
    daemon = start_daemon()
    events = Listener(daemon.socket, kinds=["alarm."])
    for bits, word in ((BLUE, "AIS"), (ABSENT, "ABSENT")):
        show(host, "east", bits)
        show(west, "west", bits)
        card = told(events, "alarm.raised", kind="card", words=[word])
        with daemon.client() as client:
            found = eventually(lambda: listed(client) if len(listed(client)) == 3 else None)
            assert found is not None
            assert [one.kind for one in found] == ["card", "span", "span"]
            assert {one.hidden_by for one in found[1:]} == {card.data["id"]}
            assert client.status().problems == [found[0].text]
    show(west, "west", 0)
    told(events, "alarm.cleared", kind="card")
    events.close()


def test_alarms_their_past_and_who_saw_them_outlive_the_daemon(host: ScriptedHost, start_daemon: StartDaemon) -> None:
    daemon = start_daemon()
    host.asked("Ready")
    events = Listener(daemon.socket, kinds=["alarm."])
    show(host, "east", BLUE)
    told(events, "alarm.raised", kind="span", subject="east")
    show(host, "east", 0)
    told(events, "alarm.cleared", kind="span", subject="east")
    show(host, "east", RED)
    raised = told(events, "alarm.raised", 2, kind="span", subject="east").data
    with daemon.client() as client:
        seen = acknowledge(client, raised["id"], note="ticket 4711")
        assert (seen.acknowledged, seen.note) == (True, "ticket 4711")
        assert "uid" in seen.acknowledged_by
    told(events, "alarm.changed", id=raised["id"], acknowledged=True)
    daemon.kill()
    events.close()
    host.spans = []
    daemon.start()
    later = Listener(daemon.socket, kinds=["alarm."])
    with daemon.client() as client:
        (still,) = listed(client, "span")
        assert (still.id, still.note, still.since_ns) == (raised["id"], "ticket 4711", raised["since_ns"])
        assert [(one.words, one.state) for one in past(client, span="1", kind="span")] == [
            (["RED", "LOS"], "raised"), (["BLU"], "cleared"),
        ]  # fmt: skip
        show(host, "east", 0)
        told(later, "alarm.cleared", id=raised["id"])
        show(host, "east", RED)
        again = told(later, "alarm.raised", kind="span")
        assert again.data["id"] > raised["id"]
        assert (again.data["flaps"], again.data["flapping"]) == (3, True)
        assert again.data["acknowledged"], "what flaps need not be seen each time"
    later.close()


def test_a_thousand_flaps_leave_no_alarm(daemon: DaemonProcess, host: ScriptedHost) -> None:
    events = Listener(daemon.socket, kinds=["alarm."], span="east")
    for _ in range(1000):
        show(host, "east", RED)
        show(host, "east", 0)
    show(host, "east", BLUE)
    told(events, "alarm.raised", kind="span", words=["BLU"])
    show(host, "east", 0)
    told(events, "alarm.cleared", kind="span", words=["BLU"])
    with daemon.client() as client:
        assert [one for one in listed(client) if one.span == "east"] == []
        assert {one.state for one in past(client, span="east", limit=1000)} == {"cleared"}
        assert past(client, span="east", limit=1)[0].flapping
    raised = [event.data["id"] for event in events.events if event.kind == "alarm.raised"]
    cleared = [event.data["id"] for event in events.events if event.kind == "alarm.cleared"]
    assert sorted(raised) == sorted(cleared)
    events.close()


def test_history_is_the_circuits_whatever_its_span_is_called(
    run_dir: Path, host: ScriptedHost, start_daemon: StartDaemon
) -> None:
    daemon = start_daemon()
    daemon.stop()
    ordered = 'circuit_id = "DE/4711"\ncarrier = "Telia"\nnoc_phone = "+46 8 555"\nnumber = {number}\n'
    config = daemon.config.read_text()

    def configure(name: str, number: int) -> None:
        text = config.replace('name = "east"\ncard', f'name = "{name}"\n{ordered.format(number=number)}card')
        daemon.config.write_text(text.replace('spans = ["east"', f'spans = ["{name}"'))

    configure("east", 1)
    daemon.start()
    events = Listener(daemon.socket, kinds=["alarm."])
    show(host, "east", BLUE)
    raised = told(events, "alarm.raised", kind="span", subject="east")
    assert raised.data["next_check"] == "call the carrier Telia at +46 8 555, circuit DE/4711"
    show(host, "east", 0)
    told(events, "alarm.cleared", kind="span", subject="east")
    events.close()
    daemon.stop()
    configure("north", 9)
    daemon.start()
    with daemon.client() as client:
        for wants in ({"span": "north"}, {"span": "9"}, {"circuit": "DE/4711"}):
            (one,) = past(client, kind="span", **wants)
            assert (one.subject, one.circuit) == ("east", "DE/4711")
        north = client.call("org.dahdipy.Spans.Get", spans.SpanName(span="9"), spans.SpanReply).span
        assert (north.circuit_id, north.carrier, north.noc_phone) == ("DE/4711", "Telia", "+46 8 555")


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


def test_a_core_that_is_missed_is_missed_after_a_restart_too(host: ScriptedHost, start_daemon: StartDaemon) -> None:
    daemon = start_daemon(more="[alarms]\nno_core_s = 0.2\n")
    host.asked("Ready")
    events = Listener(daemon.socket, kinds=["alarm."], group="east")
    serving = daemon.client()
    serving.serve(groups=["east"])
    serving.close()
    raised = told(events, "alarm.raised", aspect="cores")
    events.close()
    daemon.kill()
    daemon.start()
    later = Listener(daemon.socket, kinds=["alarm."], group="east")
    with daemon.client() as client:
        assert [one.id for one in listed(client, "group")] == [raised.data["id"]]
        client.serve(groups=["east"])
        told(later, "alarm.cleared", id=raised.data["id"])
    later.close()


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


def test_a_line_that_nobody_reads_is_not_waited_for(tmp_path: Path) -> None:
    """Its clearing time is over while its host is down: that must not keep the daemon busy."""

    async def begin() -> Control:
        conf = parse(tomllib.loads(TWO_HOSTS.format(service="journal = false", access="", calls="")))
        return Control(asyncio.get_running_loop(), conf, Policy(), tmp_path, lambda name: tmp_path / name)

    control = asyncio.run(begin())
    conditions = Conditions(control, [], lambda host: "")
    one = control.inventory.spans["east"]
    one.host_up = True
    conditions._lines["east"] = LineAlarms(10.0)
    for at, bits in ((100.0, RED), (101.0, 0)):
        one.state = wire.SpanState(
            name="east", number=1, card="sim", port="1", driver="", description="", type="E1", framing=None,
            coding=None, crc4=None, timing=0, switch_type="", node="", law="", dchannel_timeslot=16, alarms=bits,
            words=[], dchannel="up", since_ns=1, dchannel_since_ns=1, counters={},
        )  # fmt: skip
        conditions.read(at, 1)
    assert conditions.next_deadline() == 111.0
    one.host_up = False
    assert [found.kind for found in conditions.read(120.0, 1)] == ["span"], "it stands until somebody knows better"
    assert conditions.next_deadline() is None
    one.host_up = True
    assert conditions.read(130.0, 1) == []


def test_a_ledger_that_cannot_be_opened_is_an_alarm_from_the_start(
    run_dir: Path, host: ScriptedHost, start_daemon: StartDaemon
) -> None:
    (run_dir / "state").write_text("in the way")
    daemon = start_daemon(service=f'state = "{run_dir}/state"')
    with daemon.client() as client:
        (one,) = listed(client, "ledger")
        assert "calls go on" in one.text
        (run_dir / "state").unlink()
        eventually(lambda: not listed(client, "ledger"))
        assert [(past_one.kind, past_one.state) for past_one in past(client, kind="ledger")] == [("ledger", "cleared")]


def test_wrong_questions_are_refused(daemon: DaemonProcess) -> None:
    with daemon.client() as client:
        with pytest.raises(NotFound, match="no alarm 999 stands"):
            acknowledge(client, 999)
        with pytest.raises(InvalidParameter, match="control characters"):
            acknowledge(client, 999, note="a\nb")
        with pytest.raises(InvalidParameter, match="expected 1-1000"):
            past(client, limit=0)
        with pytest.raises(InvalidParameter, match="one of the two"):
            past(client, span="east", circuit="x")
        with pytest.raises(NotFound, match="spans: east, west"):
            past(client, span="nroth")
        with pytest.raises(NotFound, match="spans: east, west"):
            client.call("org.dahdipy.Spans.LiftHoldDown", spans.LiftRequest(span="nroth"), spans.SpanReply)
