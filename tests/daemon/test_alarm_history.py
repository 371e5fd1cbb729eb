# SPDX-License-Identifier: GPL-2.0-or-later
"""Alarms kept in the ledger: they outlive the daemon, and are found again by span, number and circuit."""

from __future__ import annotations

from pathlib import Path

import pytest

from dahdi_py.errors import NotFound
from dahdi_py.wire.messages import spans
from dahdi_py.wire.refusals import InvalidParameter
from tests.daemon.alarms import BLUE, RED, acknowledge, listed, past, show, told
from tests.daemon.conftest import StartDaemon
from tests.daemon.process import DaemonProcess, Listener, eventually
from tests.daemon.scripted_host import ScriptedHost


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
    daemon.kill()  # at once: who is told that it is so finds it so
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
        # The disk has it a moment after the list.
        eventually(lambda: [past_one.state for past_one in past(client, kind="ledger")] == ["cleared"])


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
