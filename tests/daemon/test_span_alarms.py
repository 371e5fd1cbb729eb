# SPDX-License-Identifier: GPL-2.0-or-later
"""Alarms of the spans of scripted hosts: raised, integrated, correlated, and gone when mended."""

from __future__ import annotations

import asyncio
import tomllib
from pathlib import Path

from dahdi_py.core.access import Policy
from dahdi_py.core.config_file import parse
from dahdi_py.core.line_alarms import LineAlarms
from dahdi_py.daemon.alarm_conditions import Conditions
from dahdi_py.daemon.control import Control
from dahdi_py.wire.messages import host as wire
from dahdi_py.wire.messages import spans
from tests.daemon.alarms import ABSENT, BLUE, RECOVER, RED, YELLOW, listed, past, show, told
from tests.daemon.conftest import StartDaemon, StartHost
from tests.daemon.process import TWO_HOSTS, DaemonProcess, Listener, eventually
from tests.daemon.scripted_host import ScriptedHost


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
        # The event comes a moment after the instant from which the second counts.
        assert cleared.data["cleared_ns"] > clearing.utc_ns + 0.9 * 10**9
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
