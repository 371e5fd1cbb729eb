# SPDX-License-Identifier: GPL-2.0-or-later
"""What trunk groups and limits make of a request before a line host sees it."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from dahdi_py.errors import NoChannel, NotFound, QuotaExceeded, RateLimited
from dahdi_py.wire.messages import groups
from dahdi_py.wire.messages import host as wire
from dahdi_py.wire.messages.common import AdministerReply
from dahdi_py.wire.refusals import InvalidParameter
from tests.daemon.conftest import StartDaemon, StartHost
from tests.daemon.process import Client
from tests.daemon.scripted_host import ScriptedHost
from tests.daemon.test_access import NOBODY, Asked, as_root, ask_as_nobody

GROUPS = """
[[groups]]
name = "part"
spans = ["east:1-4,7", "west"]
hunt = "descending"

[[groups]]
name = "small"
spans = ["east"]
overflow = "other"

[[groups]]
name = "other"
spans = ["west"]
{other}

[[groups]]
name = "kept"
spans = ["east:1-3", "west:1-3"]
hunt = "ascending"
reserve_last = 4
priority = [{priority}]
"""


def full(parameters: object) -> wire.ReserveReply:
    raise NoChannel("every channel is busy", cause=34)


def start(
    start_daemon: StartDaemon, start_host: StartHost, *, other: str = "", priority: str = "", limits: str = "",
    calls: str = "", access: str = "",
) -> tuple[Client, ScriptedHost, ScriptedHost]:  # fmt: skip
    a, b = start_host(), start_host("b", "west")
    daemon = start_daemon(calls=calls, access=access, more=GROUPS.format(other=other, priority=priority) + limits)
    a.asked("Ready")
    b.asked("Ready")
    return daemon.client(), a, b


def group(client: Client, name: str) -> groups.Group:
    return client.call("org.dahdipy.Groups.Get", groups.GroupName(group=name), groups.GroupReply).group


def test_a_part_of_a_span_is_asked_by_its_timeslots_in_the_groups_order(
    start_daemon: StartDaemon, start_host: StartHost
) -> None:
    client, a, b = start(start_daemon, start_host)
    with client:
        assert client.allocate(group="part").span == "west"
        asked = b.asked("Reserve")
        assert (asked.spans, asked.order, asked.masks, asked.group) == (["west"], "descending", [], "part")
        b.answers["Reserve"] = full
        token = client.allocate(group="part").token
        asked = a.asked("Reserve")
        assert (asked.spans, asked.order, asked.masks) == (["east"], "descending", [0b10011110])
        told = group(client, "part")
        assert (told.total, told.used, told.leases) == (35, 2, 2)
        client.release(token)
        assert group(client, "part").leases == 1


def test_excluded_spans_are_not_asked(start_daemon: StartDaemon, start_host: StartHost) -> None:
    client, _a, _b = start(start_daemon, start_host)
    with client:
        assert client.allocate(group="both", exclude=["1"]).span == "west"
        assert client.place(group="both", exclude=["east"]).span == "west"
        with pytest.raises(NoChannel, match="group both: every span is excluded"):
            client.allocate(group="both", exclude=["east", "west"])
        with pytest.raises(NotFound, match="no span 'nroth'"):
            client.allocate(group="both", exclude=["nroth"])
        with pytest.raises(InvalidParameter, match="only a group has spans to leave out"):
            client.allocate(span="east", exclude=["west"])


def test_what_a_group_has_not_its_overflow_group_may_have(start_daemon: StartDaemon, start_host: StartHost) -> None:
    client, a, b = start(start_daemon, start_host, other="max_channels = 1")
    with client:
        a.answers["Reserve"] = full
        a.answers["Place"] = full
        assert client.allocate(group="small").span == "west"
        assert b.asked("Reserve").group == "other"
        assert (group(client, "small").leases, group(client, "other").leases) == (0, 1)
        # The overflow group's own limit holds; what the first group said stays the reason.
        with pytest.raises(NoChannel, match="every channel is busy"):
            client.place(group="small")
        with pytest.raises(QuotaExceeded, match="group other holds 1 channels of at most 1"):
            client.allocate(group="other")


def test_the_last_channels_are_kept_over_all_hosts_of_the_group(
    start_daemon: StartDaemon, start_host: StartHost
) -> None:
    client, a, b = start(start_daemon, start_host)
    with client:
        client.allocate(group="kept")
        # Three are free on west, so that one of four has to stay free on east.
        assert a.asked("Reserve").spare == 1
        b.answers["Reserve"] = full
        client.place("112", group="kept", correlation="x")
        assert a.asked("Place").spare == 1
        assert group(client, "kept").reserve_last == 4


@pytest.mark.parametrize("who", [str(os.getuid()), f'"@{os.getgid()}"', '"*"'])
def test_clients_with_priority_may_have_the_last_channels(
    start_daemon: StartDaemon, start_host: StartHost, who: str
) -> None:
    client, a, _b = start(start_daemon, start_host, priority=who)
    with client:
        client.allocate(group="kept")
        assert a.asked("Reserve").spare == 0


def test_a_quota_counts_what_is_held_and_frees_what_is_released(
    start_daemon: StartDaemon, start_host: StartHost
) -> None:
    limit = f'[[limits]]\nwho = {os.getuid()}\nmax_channels = 2\n[[limits]]\nwho = "*"\nmax_channels = 0\n'
    client, a, _b = start(start_daemon, start_host, limits=limit)
    with client:
        tokens = [client.allocate(span="east").token, client.place(group="both").token]
        with pytest.raises(
            QuotaExceeded, match=r"holds 2 channels of at most 2 \(limits\[0\].max_channels\)"
        ) as caught:
            client.allocate(group="both")
        assert (caught.value.fields["limit"], caught.value.fields["used"]) == (2, 2)
        with pytest.raises(QuotaExceeded):
            client.place(group="both")
        client.release(tokens[0])
        client.allocate(group="both")
        a.answers["Reserve"] = full


def test_a_quota_may_be_of_a_client_in_a_group_alone(start_daemon: StartDaemon, start_host: StartHost) -> None:
    limit = f'[[limits]]\nwho = {os.getuid()}\ngroup = "small"\nmax_channels = 1\n'
    client, _a, _b = start(start_daemon, start_host, limits=limit)
    with client:
        client.allocate(group="small")
        with pytest.raises(QuotaExceeded, match=r"limits\[0\].max_channels"):
            client.allocate(group="small")
        client.allocate(group="both")
        client.allocate(span="east")


@as_root
def test_a_groups_limits_hold_for_who_names_its_span(start_daemon: StartDaemon, start_host: StartHost) -> None:
    """But for operators, who may test any channel."""
    root, _a, _b = start(
        start_daemon, start_host, other="max_channels = 1\ncalls_per_minute = 6", access=f"core = [{NOBODY}]",
        priority=str(NOBODY),
        limits=f'[[limits]]\nwho = {NOBODY}\ngroup = "small"\nmax_channels = 1\n',
    )  # fmt: skip
    west: Asked = ("org.dahdipy.Channels.Allocate", {"span": "west", "timeslot": 4, "open": False})
    number = {"number": "2001"}
    with root:
        Path(root.path).parent.chmod(0o755)
        answers = ask_as_nobody(
            str(root.path), west, ("org.dahdipy.Channels.Allocate", {"span": "west", "open": False}),
            ("org.dahdipy.Channels.AllocateSpan", {"span": "west", "open": False}),
            ("org.dahdipy.Calls.Place", {"span": "west", "called": number}),
            ("org.dahdipy.Calls.Place", {"token": "b/1/1", "called": number}),
            ("org.dahdipy.Calls.Place", {"token": "b/1/1", "called": number}),
            ("org.dahdipy.Channels.Allocate", {"span": "east", "open": False}),
            ("org.dahdipy.Channels.Allocate", {"span": "1", "open": False}),
        )  # fmt: skip
        said = [str(answer.get("error", "")).rpartition(".")[2] for answer in answers]
        assert said == [
            "", "QuotaExceeded", "QuotaExceeded", "QuotaExceeded", "", "RateLimited", "", "QuotaExceeded"
        ]  # fmt: skip
        assert "group other holds 1 channels of at most 1" in str(answers[1]["parameters"])
        assert "limits[0].max_channels" in str(answers[7]["parameters"])
        root.allocate(span="west", timeslot=5)
        root.allocate(span="west", timeslot=6)


@as_root
def test_a_groups_lock_and_last_channels_hold_for_who_names_its_span(
    start_daemon: StartDaemon, start_host: StartHost
) -> None:
    root, a, _b = start(start_daemon, start_host, access=f"core = [{NOBODY}]", calls='emergency = ["112"]')
    lock = groups.AdministerRequest(group="kept", state="shutting_down", reason="works")
    free = {"span": "east", "open": False}
    with root:
        Path(root.path).parent.chmod(0o755)
        # Four of six are kept: when two more are busy, 1-3 of either span are for nobody but who has priority.
        busy = [root.allocate(span="west", timeslot=timeslot).token for timeslot in (1, 2)]
        allocated, last, whole = ask_as_nobody(
            str(root.path),
            ("org.dahdipy.Channels.Allocate", free),
            ("org.dahdipy.Channels.Allocate", {**free, "timeslot": 3}),
            ("org.dahdipy.Channels.AllocateSpan", free),
        )
        assert "error" not in allocated
        assert a.asked("Reserve").masks == [sum(1 << timeslot for timeslot in range(4, 32) if timeslot != 16)]
        for refused in (last, whole):
            assert refused["error"] == "org.dahdipy.NoChannel"
            assert "group kept: the last 4 channels are reserved" in str(refused["parameters"])
        for token in busy:
            root.release(token)
        for name in ("kept", "both", "east", "part", "small"):
            root.call("org.dahdipy.Groups.Administer", msgspec.structs.replace(lock, group=name), AdministerReply)
        drained, urgent = ask_as_nobody(
            str(root.path),
            ("org.dahdipy.Channels.Allocate", free),
            ("org.dahdipy.Calls.Place", {"span": "east", "called": {"number": "112"}}),
        )
        assert drained["error"] == "org.dahdipy.OutOfService"
        assert "is being drained by root (uid 0): works" in str(drained["parameters"])
        assert "error" not in urgent
        assert root.allocate(span="east").span == "east"


def test_a_lease_counts_for_its_group_when_a_call_is_placed_on_it(
    start_daemon: StartDaemon, start_host: StartHost
) -> None:
    client, _a, b = start(start_daemon, start_host, other="max_channels = 1\ncalls_per_minute = 6")
    with client:
        lease = client.allocate(group="other")
        client.place(token=lease.token)
        assert b.asked("Place").group == "other"
        assert group(client, "other").leases == 1
        with pytest.raises(QuotaExceeded, match="group other holds 1 channels"):
            client.allocate(group="other")
        with pytest.raises(RateLimited):
            client.place(token=lease.token)


def test_a_refused_request_counts_for_nothing(start_daemon: StartDaemon, start_host: StartHost) -> None:
    client, a, b = start(start_daemon, start_host, limits='[[limits]]\nwho = "*"\nmax_channels = 1\n')
    with client:
        a.answers["Reserve"] = b.answers["Reserve"] = full
        for _ in range(3):
            with pytest.raises(NoChannel):
                client.allocate(group="both")
        del b.answers["Reserve"]
        assert client.allocate(group="both").span == "west"


def test_calls_come_no_faster_than_a_limit_says(start_daemon: StartDaemon, start_host: StartHost) -> None:
    limit = '[[limits]]\nwho = "*"\ngroup = "small"\ncalls_per_minute = 6\n'
    client, _a, _b = start(start_daemon, start_host, limits=limit)
    with client:
        client.place(group="small")
        with pytest.raises(RateLimited, match=r"may place 6 calls a minute \(limits\[0\].calls_per_minute\)") as caught:
            client.place(group="small")
        assert 0 < caught.value.fields["retry_after_s"] <= 10
        client.place(group="both")


def test_emergency_numbers_pass_every_limit_and_say_so_to_the_host(
    start_daemon: StartDaemon, start_host: StartHost
) -> None:
    limits = '[[limits]]\nwho = "*"\nmax_channels = 0\ncalls_per_minute = 0\n'
    client, a, _b = start(
        start_daemon, start_host, limits=limits, calls='emergency = ["112", "911"]\npreemption = true'
    )
    with client:
        with pytest.raises(QuotaExceeded):
            client.place("2001", group="kept")
        placed = client.place("112", group="kept")
        asked = a.asked("Place")
        assert (asked.emergency, asked.spare, asked.preempt) == (True, 0, False)
        assert next(call for call in client.calls() if call.call == placed.call).emergency


def test_a_lesser_call_makes_way_only_when_no_host_has_a_channel(
    start_daemon: StartDaemon, start_host: StartHost
) -> None:
    client, a, b = start(start_daemon, start_host, calls='emergency = ["112"]\npreemption = true')

    def makes_way(parameters: wire.PlaceRequest) -> wire.PlaceReply:
        if not parameters.preempt:
            raise NoChannel("every channel is busy", cause=34)
        return wire.PlaceReply(token="", span="east", timeslot=1)

    with client:
        a.answers["Place"] = b.answers["Place"] = makes_way
        with pytest.raises(NoChannel):
            client.place("2001", group="both")
        a.asked("Place")
        b.asked("Place")
        placed = client.place("112", group="both")
        assert (placed.token, placed.span) == ("", "east")
        # The last span first: each side hunts from its own end.
        assert [host.asked("Place").preempt for host in (b, a, b)] == [False, False, True]
        client.place("2001", group="both", preempt=True)


def test_preemption_is_off_by_default(start_daemon: StartDaemon, start_host: StartHost) -> None:
    client, _a, _b = start(start_daemon, start_host)
    with client, pytest.raises(InvalidParameter, match=r"calls.preemption of the configuration turns it on"):
        client.place("2001", group="both", preempt=True)
