# SPDX-License-Identifier: GPL-2.0-or-later
"""A call that came in is its offer's group's: that group is empty once the call is gone, not before."""

from __future__ import annotations

from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import groups, hosts
from dahdi_py.wire.messages import host as wire
from dahdi_py.wire.messages.common import Bearer, Lease, Owner, Party
from tests.daemon.conftest import StartDaemon, StartHost
from tests.daemon.process import Client, Listener, eventually
from tests.daemon.scripted_host import ScriptedHost
from tests.daemon.test_administration import administer


def all_up(client: Client) -> bool:
    told = client.call("org.dahdipy.Hosts.List", Empty(), hosts.HostList).hosts
    return all(one.state == "up" for one in told)


def test_a_channels_second_group_is_empty_when_its_calls_are_gone(
    host: ScriptedHost, start_host: StartHost, start_daemon: StartDaemon
) -> None:
    start_host("b", "west")
    daemon = start_daemon()
    host.asked("Ready")
    events = Listener(daemon.socket, kinds=["administration."])
    with daemon.client() as serving, daemon.client() as core:
        eventually(lambda: all_up(core))
        # The span's first group is "both".
        offers = serving.serve(groups=["east"])
        for call, timeslot in (("in-1", 1), ("in-2", 2)):
            host.offer(call, "east", "2001", timeslot=timeslot)
            offer = next(offers).offer
            assert offer is not None
            assert offer.group == "east"
            host.answers["Claim"] = lambda asked: wire.ClaimReply(
                token=f"a/1/{asked.call[-1]}", span="east", timeslot=int(asked.call[-1])
            )
            core.claim(call)
            assert host.asked("Claim").group == "east"
        request = groups.AdministerRequest(group="both", state="shutting_down", reason="works")
        assert administer(core, request).busy == 0
        assert events.wait("administration.empty").group == "both"
        request = groups.AdministerRequest(group="east", state="shutting_down", reason="works")
        assert administer(core, request).busy == 2
        host.end("in-1", "east", timeslot=1)
        host.say("channel.released", span="east", timeslot=1, token="a/1/1")
        eventually(lambda: [up.call for up in core.calls()] == ["in-2"])
        assert not [one for one in events.events if one.kind == "administration.empty" and one.group == "east"]
        host.end("in-2", "east", timeslot=2)
        host.say("channel.released", span="east", timeslot=2, token="a/1/2")
        assert events.wait("administration.empty", group="east").group == "east"
    events.close()


def test_the_next_daemon_knows_the_group_from_the_host(host: ScriptedHost, start_daemon: StartDaemon) -> None:
    up = wire.CallState(
        call="in-1", direction="incoming", phase="active", span="east", timeslot=3, token="a/1/9", called=Party(),
        calling=Party(), bearer=Bearer(), started_ns=1, claimed=True, answered_ns=2, attempt=1, group="east",
    )  # fmt: skip
    host.calls.append(up)
    lease = Lease(token="a/1/9", span="east", timeslot=3, owner=Owner(), phase="active", call="in-1")
    host.leases.append(lease)
    daemon = start_daemon()
    host.asked("Ready")
    with daemon.client() as client:
        eventually(client.calls)
        request = groups.AdministerRequest(group="east", state="shutting_down", reason="works")
        assert administer(client, request).busy == 1
        assert client.calls()[0].group == "", "it counts against no limit of the group"
