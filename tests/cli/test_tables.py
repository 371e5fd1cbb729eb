# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import click

from dahdi_py.cli.alarms import alarm_table
from dahdi_py.cli.channels import channel_page, channel_table
from dahdi_py.cli.glance import verdict
from dahdi_py.cli.groups import group_table
from dahdi_py.cli.hosts import host_table
from dahdi_py.cli.times import NS
from dahdi_py.wire.messages.alarms import Alarm
from dahdi_py.wire.messages.common import Owner
from dahdi_py.wire.messages.groups import Group
from dahdi_py.wire.messages.hosts import Host
from tests.cli.samples import NOW_NS, channel, status


def lines_of(text: str) -> list[str]:
    return click.unstyle(text).splitlines()


def test_the_verdict_fits_on_a_glance() -> None:
    assert lines_of(verdict(status(), NOW_NS)) == [
        "embedded: OK, up 01:00:00",
        "  spans     4 of 4 up",
        "  channels  2 in use, 106 usable, 106 in all",
        "  calls     1",
        "More: dahdi-py spans, dahdi-py calls, dahdi-py --help",
    ]


def test_a_bad_verdict_says_why_and_where_to_look() -> None:
    bad = status(verdict="degraded", problems=["span e1-user: RED LOS", "host b is down"], journal=False)
    lines = lines_of(verdict(bad, NOW_NS))
    assert lines[0].startswith("embedded: DEGRADED,")
    assert lines[4:6] == ["  ! span e1-user: RED LOS", "  ! host b is down"]
    assert "not written to disk" in lines[6]
    assert lines[7] == "More: dahdi-py alarms, dahdi-py spans"


def test_a_daemon_that_is_not_ready_is_starting() -> None:
    assert lines_of(verdict(status(ready=False), NOW_NS))[0].startswith("embedded: STARTING,")


def test_channels_show_state_use_and_owner() -> None:
    found = [
        channel(1),
        channel(2, usage="busy", phase="active", token="sim/1/7", call="c-1", owner=Owner(pid=9, uid=0, label="pbx")),
        channel(3, usage="busy", phase="reserved", token="sim/1/8", owner=Owner(pid=9, uid=0), orphaned=True),
        channel(4, disabled="dchannel_down", administrative="shutting_down"),
    ]
    assert lines_of(channel_table(found)) == [
        "SPAN:TS  NAME  ADMIN          STATE          USE       OWNER              CALL  LEASE",
        "    1:1  e1-1  unlocked       enabled        idle      -                  -     -",
        "    1:2  e1-1  unlocked       enabled        active    pbx                c-1   sim/1/7",
        "    1:3  e1-1  unlocked       enabled        reserved  nobody (orphaned)  -     sim/1/8",
        "    1:4  e1-1  shutting down  dchannel down  idle      -                  -     -",
    ]


def test_a_channel_in_full_names_its_holder() -> None:
    busy = channel(2, usage="busy", phase="active", token="sim/1/7", call="c-1", owner=Owner(pid=9, uid=8, label="pbx"))
    assert lines_of(channel_page(busy)) == [
        "Timeslot 2 of span 1 (e1-1) is unlocked, enabled, busy (active).",
        "  Lease sim/1/7, held by pbx (uid 8).",
        "  Call c-1.",
    ]


def test_groups_show_what_is_free_and_who_serves() -> None:
    found = [
        Group(name="out", spans=["a", "b"], hunt="ascending", used=3, usable=46, total=46, serving=2),
        Group(name="full", spans=["c"], hunt="", used=30, usable=30, total=30, serving=0),
    ]
    assert lines_of(group_table(found)) == [
        "GROUP  SPANS  HUNT       CH use/ok/tot  FREE  CORES",
        "out    a,b    ascending        3/46/46    43      2",
        "full   c      own end         30/30/30     0      0",
    ]


def host(**changes: object) -> Host:
    values: dict[str, object] = {
        "name": "a", "state": "up", "pid": 77, "version": "0.1.0", "installed": "0.1.0", "protocol": 1, "start": 1,
        "started_ns": NOW_NS - 60 * NS, "spans": ["s"], "calls": 1, "leases": 2, "restarts": 0,
    }  # fmt: skip
    return Host(**(values | changes))  # type: ignore[arg-type]


def test_hosts_show_why_they_are_down_and_that_newer_code_is_installed() -> None:
    found = [host(), host(name="b", installed="0.2.0"), host(name="c", state="down", pid=0, problem="exit code 1")]
    lines = lines_of(host_table(found, NOW_NS))
    assert lines[0].split() == ["HOST", "STATE", "PID", "VERSION", "SPANS", "CALLS", "LEASES", "RESTARTS", "UP", "NOTE"]
    assert lines[1].split()[-2:] == ["00:01:00", "-"]
    assert lines[2].endswith("0.2.0 is installed: drain and restart it")
    assert lines[3].split()[1:3] == ["down", "-"]
    assert lines[3].endswith("exit code 1")


def test_alarms_say_what_to_check() -> None:
    raised = [Alarm(kind="span", subject="e1-1", words=["RED", "LOS"], severity="critical",
                    text="check the cable", since_ns=NOW_NS - 5 * NS)]  # fmt: skip
    assert lines_of(alarm_table(raised, NOW_NS)) == [
        "SEVERITY  WHAT       ALARM         FOR  WHAT TO CHECK",
        "critical  span e1-1  RED/LOS  00:00:05  check the cable",
    ]


def test_nothing_wrong_or_nothing_there_is_said() -> None:
    assert lines_of(alarm_table([], NOW_NS)) == ["no alarms"]
    assert lines_of(channel_table([])) == ["no channels"]
    assert lines_of(group_table([])) == ["no group is configured"]
    assert lines_of(host_table([], NOW_NS)) == ["no line host is configured"]
