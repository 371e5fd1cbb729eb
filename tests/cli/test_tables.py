# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import click

from dahdi_py.cli.alarm_text import alarm_page, change_line, history_table
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
        Group(
            name="full",
            spans=["c"],
            hunt="",
            used=30,
            usable=30,
            total=30,
            serving=0,
            overflow="out",
            reserve_last=2,
            leases=3,
            max_channels=5,
            calls_per_minute=60,
            administrative="locked",
            who="root (uid 0)",
            why="works",
        ),
    ]
    assert lines_of(group_table(found)) == [
        "GROUP  SPANS  HUNT       CH use/ok/tot  FREE  CORES  ADMIN     NOTE",
        "out    a,b    ascending        3/46/46    43      2  unlocked  -",
        "full   c      own end         30/30/30     0      0  locked    by root (uid 0): works; overflows to out; "
        "the last 2 reserved; 3 of at most 5 leases; at most 60 calls a minute",
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
    assert lines[2].endswith("0.2.0 is installed: drain it, then restart it")
    assert lines[3].split()[1:3] == ["down", "-"]
    assert lines[3].endswith("exit code 1")


def alarm(number: int, **changes: object) -> Alarm:
    values: dict[str, object] = {
        "kind": "span", "subject": "e1-1", "words": ["RED", "LOS"], "severity": "critical", "since_ns": NOW_NS - 5 * NS,
        "text": "Span 1 (e1-1) receives no signal: check the cable.", "id": number, "cause": "the cable is out",
        "impact": "group out has 0 of 30 channels left",
    }  # fmt: skip
    return Alarm(**(values | changes))  # type: ignore[arg-type]


def test_alarms_say_what_to_check_and_what_follows_from_them() -> None:
    raised = [
        alarm(7),
        alarm(8, kind="dchannel", words=["DOWN"], hidden_by=7),
        *(alarm(n, kind="channel", subject=f"e1-1:{n}", words=["QUARANTINE"], hidden_by=7) for n in range(10, 17)),
        alarm(9, kind="host", subject="a", words=["DOWN"], severity="major", text="Line host a is down.", cause="",
              impact="", acknowledged=True, acknowledged_by="ann", note="ticket 12"),
    ]  # fmt: skip
    assert lines_of(alarm_page(raised, NOW_NS))[:18] == [
        "CRITICAL  span e1-1 RED/LOS  for 00:00:05  [7]",
        "  Span 1 (e1-1) receives no signal: check the cable.",
        "  Probably: the cable is out.",
        "  Left: group out has 0 of 30 channels left.",
        *(f"  - channel e1-1:{n} QUARANTINE  [{n}]" for n in range(10, 15)),
        "  - and 2 more of channel",
        "  - dchannel e1-1 DOWN  [8]",
        "",
        "MAJOR  host a DOWN  for 00:00:05  [9]",
        "  Line host a is down.",
        "  Seen by ann at -: ticket 12",
        "",
        "1 not seen yet: dahdi-py alarms ack ID --note TEXT",
    ]
    assert lines_of(alarm_page(raised[-1:], NOW_NS))[-1] == "All of them have been seen."


def test_an_alarm_that_clears_or_flaps_is_marked() -> None:
    page = alarm_page([alarm(7, state="clearing", flapping=True, flaps=9)], NOW_NS)
    assert "[7]  clearing, flapping: 9 times" in click.unstyle(page)


def test_the_past_is_a_line_an_alarm() -> None:
    past = [alarm(8, circuit="DE/1"), alarm(7, cleared_ns=NOW_NS - 3 * NS, acknowledged=True, acknowledged_by="ann")]
    lines = lines_of(history_table(past, NOW_NS))
    assert lines[0].split() == ["ID", "SEVERITY", "WHAT", "ALARM", "RAISED", "LASTED", "CIRCUIT", "SEEN", "BY"]
    assert lines[1].split()[-3:] == ["00:00:05+", "DE/1", "-"]
    assert lines[2].split()[-3:] == ["00:00:02", "-", "ann"]
    assert history_table([], NOW_NS) == "no alarm on record"


def test_a_change_is_one_line() -> None:
    line = change_line("raised", alarm(8, hidden_by=7), NOW_NS)
    assert line.endswith("[8] span e1-1 RED/LOS (follows from 7)  Span 1 (e1-1) receives no signal: check the cable.")
    assert change_line("cleared", alarm(8), NOW_NS).endswith("[8] span e1-1 RED/LOS")
    assert "seen by ann" in change_line("changed", alarm(8, acknowledged=True, acknowledged_by="ann"), NOW_NS)


def test_nothing_wrong_or_nothing_there_is_said() -> None:
    assert lines_of(alarm_page([], NOW_NS)) == ["no alarms"]
    assert lines_of(channel_table([])) == ["no channels"]
    assert lines_of(group_table([])) == ["no group is configured"]
    assert lines_of(host_table([], NOW_NS)) == ["no line host is configured"]
