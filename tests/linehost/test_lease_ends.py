# SPDX-License-Identifier: GPL-2.0-or-later
"""Leases that end by themselves, calls whose core died, and where a hunt goes."""

from __future__ import annotations

import time

import pytest

from dahdi_py.errors import ChannelBusy, NoChannel, StaleToken, WrongCallState
from dahdi_py.wire.messages import host as m
from tests.linehost.rig import Controller, Rig, owner, pair, wait_for


@pytest.fixture
def host(rig: Rig) -> Controller:
    """A host with two cabled E1 spans, up: `a` the user side, `b` the network side."""
    rig.configure(pair())
    rig.card()
    rig.host()
    controller = rig.control()
    controller.up("a", "b")
    return controller


def test_a_detached_lease_ends_at_its_time_and_can_be_renewed(host: Controller) -> None:
    long = host.reserve("a", open=False, detach_s=60)
    host.do("Renew", m.RenewRequest(token=long.token, detach_s=600))
    short = host.reserve("a", open=False, detach_s=2, group="g")
    seen = {lease.token: lease for lease in host.snapshot().leases}
    assert (seen[short.token].detached, seen[short.token].group) == (True, "g")
    assert seen[long.token].expires_ns > seen[short.token].expires_ns + 300e9
    ended = host.wait("lease.ended")
    assert (ended.token, "time is up" in ended.data["reason"]) == (short.token, True)
    with pytest.raises(StaleToken):
        host.release(short.token)
    host.do("Renew", m.RenewRequest(token=long.token, detach_s=0))
    assert [(lease.detached, lease.expires_ns) for lease in host.snapshot().leases] == [(False, 0)]


def test_leases_wait_for_their_owners_as_long_as_the_next_daemon_says(rig: Rig, host: Controller) -> None:
    kept, lost = host.reserve("a", open=False), host.reserve("a", open=False)
    detached = host.reserve("a", open=False, detach_s=600)
    call = host.active("c1", "a")
    host.close()
    again = rig.control(epoch=2, ready=False)
    orphans = {lease.token: lease.orphaned for lease in again.snapshot().leases}
    assert orphans[kept.token]
    assert orphans[lost.token]
    assert not orphans[detached.token]
    again.do("Ready", m.ReadyRequest(reclaim_s=3))
    again.do("Assign", m.AssignRequest(token=kept.token, owner=owner()))
    ended = again.ended("c1")
    assert (ended["cause"], ended["cleared_by"]) == (31, "daemon_lost")
    again.ended(call)
    wait_for(lambda: again.find("lease.ended", token=lost.token))
    assert {lease.token for lease in again.snapshot().leases} == {kept.token, detached.token}


def test_each_daemon_gives_owners_their_whole_time(rig: Rig, host: Controller) -> None:
    kept = host.reserve("a", open=False)
    host.close()
    second = rig.control(epoch=2, ready=False)
    second.do("Ready", m.ReadyRequest(reclaim_s=30))
    assert second.snapshot().leases[0].expires_ns
    second.close()
    third = rig.control(epoch=3, ready=False)
    assert [lease.expires_ns for lease in third.hello.snapshot.leases] == [0]
    third.do("Ready", m.ReadyRequest(reclaim_s=600))
    seen = third.snapshot().leases[0]
    assert (seen.token, seen.orphaned) == (kept.token, True)
    assert seen.expires_ns - time.time_ns() > 300e9


def test_a_detached_lease_needs_no_daemon_to_end(rig: Rig, host: Controller) -> None:
    lease = host.reserve("a", open=False, detach_s=0.3)
    host.close()
    again = rig.control(epoch=2)
    assert again.wait("lease.ended").token == lease.token


def test_an_orphan_with_a_deadline_ends_at_it(host: Controller) -> None:
    host.active("c1", "a")
    token = next(lease.token for lease in host.snapshot().leases if lease.call == "c1")
    host.do("Assign", m.AssignRequest(token=token, owner=owner(), orphaned=True, expires_s=0.3))
    ended = host.ended("c1")
    assert (ended["cause"], ended["cleared_by"]) == (31, "client_death")
    assert host.wait("lease.ended", call="c1").token == token


def test_a_claimed_call_whose_core_died_is_an_offer_again(host: Controller) -> None:
    host.place("c1", "a")
    call = host.offered()
    host.claim(call)
    host.alert(call)
    host.wait("call.alerting", call="c1")
    host.do("Unclaim", m.UnclaimRequest(call=call, offer_s=30))
    assert host.wait("call.unclaimed").call == call
    with pytest.raises(WrongCallState):
        host.answer(call)
    assert host.claim(call).token
    host.wait("call.media", count=2, call=call)
    host.alert(call)
    host.answer(call)
    host.wait("call.answered", call="c1")
    host.hangup(call)
    names = [message["name"] for message in host.ended(call)["messages"]]
    assert (names.count("CALL PROCEEDING"), names.count("ALERTING")) == (1, 1)
    with pytest.raises(Exception, match="no such call"):
        host.do("Unclaim", m.UnclaimRequest(call=call))


def test_a_call_nobody_takes_over_is_refused(host: Controller) -> None:
    host.place("c1", "a")
    call = host.offered()
    host.claim(call)
    host.do("Unclaim", m.UnclaimRequest(call=call, offer_s=0.2))
    assert host.ended(call)["cause"] == 41


def test_a_whole_span_or_nothing(host: Controller) -> None:
    busy = host.reserve("a", timeslot=7, open=False)
    request = m.ReserveSpanRequest(span="a", owner=owner(), open=False)
    with pytest.raises(ChannelBusy):
        host.call("ReserveSpan", request, m.ReserveSpanReply)
    assert len(host.snapshot().leases) == 1
    host.release(busy.token)
    reply = host.call("ReserveSpan", request, m.ReserveSpanReply)
    assert (reply.span, len(reply.tokens), len(set(reply.timeslots))) == ("a", 30, 30)
    assert reply.timeslots == sorted(reply.timeslots)


def test_hunting_by_mask_by_age_by_idleness_and_what_is_reserved(host: Controller) -> None:
    mask = 1 << 4 | 1 << 9
    assert [host.reserve("a", open=False, masks=[mask]).timeslot for _ in range(2)] == [9, 4]
    with pytest.raises(NoChannel):
        host.reserve("a", open=False, masks=[mask])
    with pytest.raises(NoChannel, match="the last 28 channels are reserved"):
        host.reserve("a", open=False, spare=28)
    assert host.reserve("a", open=False, spare=27).timeslot == 31
    assert host.reserve("a", "b", open=False, order="most_idle").span == "b"
    first = host.reserve("b", timeslot=3, open=False)
    host.release(first.token)
    ages = [host.reserve("b", open=False, order="least_recently_used").timeslot for _ in range(29)]
    assert ages[-1] == 3
