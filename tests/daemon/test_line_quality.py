# SPDX-License-Identifier: GPL-2.0-or-later
"""What scripted hosts tell of counters and links, as alarms: slips, missed interrupts, loops, spans refused."""

from __future__ import annotations

import time

from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import alarms
from dahdi_py.wire.messages.host import SecondsSeen
from tests.daemon.process import DaemonProcess, Listener, eventually
from tests.daemon.scripted_host import ScriptedHost

ABSENT = 1 << 16


def show(host: ScriptedHost, **state: object) -> None:
    host.say("span.status", host.span_state("east", since_ns=time.time_ns(), **state), span="east")


def raised(daemon: DaemonProcess, kind: str) -> alarms.Alarm:
    """The alarm of that kind, once it is raised."""
    with daemon.client() as client:

        def found() -> alarms.Alarm | None:
            listed = client.call("org.dahdipy.Alarms.List", Empty(), alarms.AlarmList).alarms
            return next((one for one in listed if one.kind == kind), None)

        alarm = eventually(found, f"no alarm of kind {kind}")
        assert alarm is not None
        return alarm


def slips(host: ScriptedHost, ago: int, count: int) -> None:
    seen = SecondsSeen(first=int(time.time()) - ago, counts={"slips": count})
    host.say("line.seconds", seen, span="east")


def test_f07_slips_are_a_warning_by_the_day_and_major_by_the_hour(daemon: DaemonProcess, host: ScriptedHost) -> None:
    slips(host, 20_000, 6)
    alarm = raised(daemon, "slips")
    assert (alarm.subject, alarm.severity, alarm.circuit) == ("east", "warning", "east")
    assert "slipped 0 frames in the last hour, 6 in 24 h" in alarm.text
    events = Listener(daemon.socket, kinds=["alarm.changed"])
    slips(host, 100, 31)
    eventually(lambda: any(one.data["severity"] == "major" for one in list(events.events)), "it is not major")
    events.close()


def test_f13_interrupts_that_a_card_misses_are_a_warning(daemon: DaemonProcess, host: ScriptedHost) -> None:
    show(host, counters={"irq_misses": 700})
    show(host, counters={"irq_misses": 701})
    show(host, counters={"irq_misses": 703})
    alarm = raised(daemon, "interrupts")
    assert (alarm.subject, alarm.severity, alarm.words) == ("sim", "warning", ["IRQ-MISSES"])
    assert "missed 3 interrupts within a minute" in alarm.text


def test_f14_a_link_that_hears_itself_says_that_the_line_is_looped(daemon: DaemonProcess, host: ScriptedHost) -> None:
    show(host, dchannel="down", dchannel_echo=True)
    alarm = raised(daemon, "dchannel")
    assert "it hears itself: the line is looped at the far end or on the way, or both ends are cpe" in alarm.cause
    assert "ask whether a loop is on" in alarm.text


def test_f16_a_span_that_its_card_refuses_says_why(daemon: DaemonProcess, host: ScriptedHost) -> None:
    show(host, alarms=ABSENT, dchannel="down", problem="dahdi: configure of port 1: the span is T1, not E1")
    alarm = raised(daemon, "span")
    assert alarm.cause == "dahdi: configure of port 1: the span is T1, not E1"
    assert "the span is T1, not E1" in alarm.text
