# SPDX-License-Identifier: GPL-2.0-or-later
"""Whose a lease is, and how long it lives."""

from __future__ import annotations

import os
import threading

import pytest

from dahdi_py.errors import DahdiPyError, NotOwner, StaleToken, Unreachable, Unsupported, WrongCallState
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import channels
from dahdi_py.wire.messages import host as wire
from dahdi_py.wire.messages.common import Bearer, Lease, Owner, Party
from dahdi_py.wire.refusals import InvalidParameter
from tests.daemon.conftest import StartDaemon
from tests.daemon.process import Client, DaemonProcess, Listener, eventually
from tests.daemon.scripted_host import ScriptedHost


def channel(client: Client, token: str) -> channels.Channel:
    return next(one for one in client.channels() if one.token == token)


def active(host: ScriptedHost, core: Client) -> tuple[str, str]:
    """A call out that was answered: its id and token."""
    placed = core.place(span="east")
    where = {"span": "east", "timeslot": 1, "call": placed.call, "token": placed.token}
    attempt = wire.Attempted(attempt=1, called=Party(number="2001"), calling=Party(), bearer=Bearer())
    host.say("call.attempt", attempt, **where)
    host.say("call.answered", wire.Progressed(), **where)
    eventually(lambda: any(call.phase == "active" for call in core.calls()))
    return placed.call, placed.token


def test_hosts_end_by_themselves_what_nobody_reclaims(host: ScriptedHost, start_daemon: StartDaemon) -> None:
    start_daemon(calls="reclaim_s = 7")
    assert host.asked("Ready").reclaim_s == 7


def test_for_a_host_of_the_protocol_before_the_daemon_does_it(host: ScriptedHost, start_daemon: StartDaemon) -> None:
    host.protocol = 1
    host.leases = [
        Lease(token="a/1/90", span="east", timeslot=1, owner=Owner(), orphaned=True),
        Lease(token="a/1/91", span="east", timeslot=2, owner=Owner(), detached=True),
    ]
    daemon = start_daemon(calls="reclaim_s = 0.3")
    assert host.asked("Ready").reclaim_s == 0
    released = host.asked("Release")
    assert (released.token, released.cleared_by) == ("a/1/90", "daemon_lost")
    with daemon.client() as client:
        assert channel(client, "a/1/91").token
        with pytest.raises(Unsupported, match="which cannot keep a lease"):
            client.renew("a/1/91", 60)
        with pytest.raises(Unsupported, match="a whole span"):
            client.allocate_span("east")


def test_a_detached_lease_outlives_its_client_and_is_renewed(daemon: DaemonProcess, host: ScriptedHost) -> None:
    events = Listener(daemon.socket)
    client = daemon.client()
    lease, bare = client.allocate(span="east", detach_s=60), client.allocate(span="east", timeslot=2)
    assert host.asked("Reserve").detach_s == 60
    client.close()
    assert host.asked("Release").token == bare.token
    with daemon.client() as other:
        before = channel(other, lease.token)
        assert (before.usage, before.orphaned) == ("busy", False)
        other.renew(lease.token, 3600)
        assert host.asked("Renew").detach_s == 3600
        assert channel(other, lease.token).expires_ns > before.expires_ns
        assert events.wait("channel.renewed", token=lease.token).data["detach_s"] == 3600
        other.renew(lease.token, 0)
        assert host.asked("Assign").owner.pid == os.getpid()
        assert channel(other, lease.token).expires_ns == 0
        with daemon.client() as third, pytest.raises(NotOwner, match="it is no orphan"):
            third.renew(lease.token, 0)
    assert host.asked("Release").token == lease.token
    events.close()


@pytest.mark.parametrize("seconds", [-1, 86_401])
def test_times_have_bounds(daemon: DaemonProcess, seconds: int) -> None:
    with daemon.client() as client:
        token = client.allocate(span="east").token
        with pytest.raises(InvalidParameter, match="detach_s"):
            client.renew(token, seconds)
        with pytest.raises(InvalidParameter, match=r"within_s: .*1-86400"):
            client.hand_over(token, seconds)
        with pytest.raises(InvalidParameter, match="within_s"):
            client.hand_over(token, 0)
        with pytest.raises(InvalidParameter, match="detach_s"):
            client.allocate_span("east", detach_s=seconds)
        with pytest.raises(StaleToken):
            client.hand_over("a/1/1234")


def test_the_end_of_a_lease_is_told_with_its_reason(daemon: DaemonProcess, host: ScriptedHost) -> None:
    events = Listener(daemon.socket)
    with daemon.client() as client:
        token = client.allocate(span="east", detach_s=1).token
        reason = "the detached lease's time is up"
        host.say("lease.ended", wire.LeaseEnded(reason=reason), span="east", timeslot=1, token=token)
        assert events.wait("channel.released", token=token).data["reason"] == reason
        with pytest.raises(StaleToken):
            client.renew(token, 5)
    events.close()


def test_a_channel_whose_lease_ended_is_busy_until_its_call_has(daemon: DaemonProcess, host: ScriptedHost) -> None:
    with daemon.client() as core:
        call, token = active(host, core)
        where = {"span": "east", "timeslot": 1, "call": call, "token": token}
        host.say("lease.ended", wire.LeaseEnded(reason="nobody reclaimed it in time"), **where)
        eventually(lambda: core.calls()[0].phase == "releasing")
        assert [one.usage for one in core.channels("east") if one.timeslot == 1] == ["busy"]
        host.end(call, "east", direction="outgoing")
        eventually(lambda: not core.calls())
        assert all(one.usage == "idle" for one in core.channels())


def test_who_is_given_a_lease_takes_it_with_its_call(daemon: DaemonProcess, host: ScriptedHost) -> None:
    events = Listener(daemon.socket)
    giver, taker = daemon.client(), daemon.client()
    call, token = active(host, giver)
    with pytest.raises(NotOwner):
        taker.reclaim(token)
    giver.hand_over(token, 30)
    assert events.wait("channel.handover", token=token).data["within_s"] == 30
    assert taker.reclaim(token).call == call
    events.wait("channel.reclaimed", token=token)
    with daemon.client() as third, pytest.raises(NotOwner):
        third.reclaim(token)
    giver.close()
    taker.step("Alert", call)
    taker.close()
    assert host.asked("Release").token == token
    events.close()


def test_a_giver_that_ends_leaves_the_lease_for_its_taker(daemon: DaemonProcess, host: ScriptedHost) -> None:
    events = Listener(daemon.socket)
    giver = daemon.client()
    call, token = active(host, giver)
    giver.hand_over(token, 30)
    giver.close()
    left = host.asked("Assign")
    assert (left.token, left.orphaned) == (token, True)
    assert 25 < left.expires_s <= 30
    assert events.wait("channel.orphaned", token=token).data["expires_ns"]
    with daemon.client() as taker:
        assert channel(taker, token).orphaned
        assert taker.reclaim(token).call == call
        assert not host.asked("Assign").orphaned
        assert (channel(taker, token).orphaned, channel(taker, token).expires_ns) == (False, 0)
    events.close()


def test_active_calls_of_a_dead_core_are_kept_as_long_as_configured(
    host: ScriptedHost, start_daemon: StartDaemon
) -> None:
    daemon = start_daemon(calls="keep_active_s = 20")
    core = daemon.client()
    call, token = active(host, core)
    core.close()
    kept = host.asked("Assign")
    assert (kept.token, kept.orphaned, kept.expires_s) == (token, True, 20)
    with daemon.client() as next_core:
        (up,) = next_core.calls()
        assert (up.call, up.phase, up.orphaned) == (call, "active", True)
        next_core.reclaim(token)
        assert not any(one.orphaned for one in next_core.calls())


def test_a_call_answered_as_its_core_died_is_an_active_one(daemon: DaemonProcess, host: ScriptedHost) -> None:
    def answered(asked: wire.UnclaimRequest) -> Empty:
        raise WrongCallState("it is active", call=asked.call, state="active", operation="unclaim")

    host.answers["Unclaim"] = answered
    with daemon.client() as serving:
        offers = serving.serve()
        core = daemon.client()
        host.offer("in-1", "east", "2001")
        next(offers)
        token = core.claim("in-1").token
        core.close()
        released = host.asked("Release")
        assert (released.token, released.cleared_by) == (token, "client_death")


def test_the_lease_of_an_offer_is_nobodys_to_take(daemon: DaemonProcess, host: ScriptedHost) -> None:
    with daemon.client() as serving, daemon.client() as core:
        offers = serving.serve()
        host.offer("in-1", "east", "2001")
        next(offers)
        token = core.calls()[0].token
        for take in (core.reclaim, core.hand_over, lambda of: core.renew(of, 60)):
            with pytest.raises(NotOwner, match="claim the call"):
                take(token)
        claimed = core.claim("in-1").token
        core.hand_over(claimed)
        with daemon.client() as taker:
            assert taker.reclaim(claimed).call == "in-1"


def test_a_whole_span_in_one_request(daemon: DaemonProcess, host: ScriptedHost) -> None:
    with daemon.client() as client:
        reply = client.allocate_span("1", label="tester")
        asked = host.asked("ReserveSpan")
        assert (asked.span, asked.owner.label, asked.exclusive, asked.open) == ("east", "tester", True, False)
        assert [lease.timeslot for lease in reply.leases] == [*range(1, 16), *range(17, 32)]
        held = {one.timeslot: one.token for one in client.channels("east") if one.usage == "busy"}
        assert held == {lease.timeslot: lease.token for lease in reply.leases}
    assert {host.asked("Release").token for _ in reply.leases} == {lease.token for lease in reply.leases}


@pytest.mark.parametrize("sharing", ["", "both", "Fork"])
def test_cores_share_or_fork(daemon: DaemonProcess, sharing: str) -> None:
    with daemon.client() as client, pytest.raises(InvalidParameter, match="expected share or fork"):
        client.serve(sharing=sharing)


def test_of_two_who_take_a_lease_at_once_one_gets_it(daemon: DaemonProcess, host: ScriptedHost) -> None:
    with daemon.client() as giver, daemon.client() as first, daemon.client() as second:
        token = giver.allocate(span="east").token
        giver.hand_over(token)
        refused: list[type[Exception]] = []

        def meanwhile(asked: wire.AssignRequest) -> Empty:
            late = threading.Thread(target=lambda: refused.append(outcome(second, token)))
            late.start()
            late.join()
            return Empty()

        host.answers["Assign"] = meanwhile
        assert first.reclaim(token).span == "east"
        assert refused == [NotOwner]


def outcome(client: Client, token: str) -> type[Exception]:
    try:
        client.reclaim(token)
    except DahdiPyError as error:
        return type(error)
    raise AssertionError("it got the lease too")


def test_a_giver_that_dies_while_the_lease_is_taken_takes_nothing_with_it(
    daemon: DaemonProcess, host: ScriptedHost
) -> None:
    giver = daemon.client()
    call, token = active(host, giver)
    giver.hand_over(token)

    def dies(asked: wire.AssignRequest) -> Empty:
        giver.close()
        with daemon.client() as other:
            eventually(lambda: other.status().clients == 2)
        return Empty()

    host.answers["Assign"] = dies
    with daemon.client() as taker:
        assert taker.reclaim(token).call == call
        taker.step("Alert", call)
        assert host.nothing_asked("Release")
    assert host.asked("Release").token == token


def test_a_call_whose_core_dies_while_claiming_it_is_an_offer_again(daemon: DaemonProcess, host: ScriptedHost) -> None:
    with daemon.client() as serving:
        offers = serving.serve()
        host.offer("in-1", "east", "2001")
        next(offers)
        core = daemon.client()

        def dies(asked: wire.ClaimRequest) -> wire.ClaimReply:
            core.close()
            with daemon.client() as other:
                eventually(lambda: other.status().clients == 2)
            return wire.ClaimReply(token=other_token, span="east", timeslot=1)

        with daemon.client() as other:
            other_token = other.calls()[0].token
        host.answers["Claim"] = dies
        with pytest.raises(Unreachable):
            core.claim("in-1")
        assert host.asked("Unclaim").call == "in-1"
