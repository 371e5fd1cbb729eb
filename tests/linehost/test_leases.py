# SPDX-License-Identifier: GPL-2.0-or-later
"""Bare leases of a host's channels, and what happens to a channel between two of them."""

import os

import pytest

from dahdi_py.errors import ChannelBusy, NoChannel, NotFound, OutOfService, StaleToken
from dahdi_py.wire.messages import host as m
from dahdi_py.wire.messages.common import MediaRequest
from dahdi_py.wire.refusals import InvalidParameter
from tests.linehost.rig import Controller, Rig, heard, owner, pair, span, wait_for


@pytest.fixture
def host(rig: Rig) -> Controller:
    """A host with two cabled spans, up."""
    rig.configure(pair())
    rig.card()
    rig.host()
    controller = rig.control()
    controller.up("a", "b")
    return controller


def test_each_side_hunts_from_its_own_end(host: Controller) -> None:
    assert [host.reserve("a", open=False).timeslot for _ in range(2)] == [31, 30]
    assert [host.reserve("b", open=False).timeslot for _ in range(2)] == [1, 2]
    assert host.reserve("a", order="ascending", open=False).timeslot == 1
    assert [host.reserve("b", order="round_robin_up", open=False).timeslot for _ in range(2)] == [3, 4]
    with pytest.raises(InvalidParameter, match="order"):
        host.reserve("a", order="sideways")


def test_a_channel_has_one_lease_and_tokens_only_grow(host: Controller) -> None:
    first = host.reserve("a", timeslot=5, open=False)
    with pytest.raises(ChannelBusy) as busy:
        host.reserve("a", timeslot=5)
    assert busy.value.holder == first.token
    host.release(first.token)
    second = host.reserve("a", timeslot=5, open=False)
    name, start, counter = second.token.split("/")
    assert (name, start) == ("h", str(host.start))
    assert int(counter) > int(first.token.split("/")[2])
    for method in ("Release", "Open"):
        with pytest.raises(StaleToken):
            host.do(method, m.TokenRequest(token=first.token))
    with pytest.raises(StaleToken):
        host.do("Assign", m.AssignRequest(token=first.token, owner=owner()))


def test_the_whole_span_and_no_more(host: Controller) -> None:
    leases = [host.reserve("a") for _ in range(30)]
    assert {lease.timeslot for lease in leases} == set(range(1, 32)) - {16}
    with pytest.raises(NoChannel) as full:
        host.reserve("a")
    assert full.value.cause == 34
    assert host.reserve("a", "b").span == "b"
    for lease in leases:
        host.release(lease.token)
    wait_for(lambda: all(channel.phase == "" for channel in host.snapshot().channels if channel.span == "a"))


def test_what_does_not_exist_is_named(host: Controller) -> None:
    for spans, timeslot in ((["x"], 0), (["a"], 16), (["a"], 99)):
        with pytest.raises(NotFound):
            host.reserve(*spans, timeslot=timeslot)
    with pytest.raises(InvalidParameter):
        host.reserve("a", "b", timeslot=1)
    with pytest.raises(StaleToken):
        host.release("h/1/999")


def test_descriptors_carry_octets_both_ways_and_come_again(host: Controller) -> None:
    near, fds_a = host.reserve_fds("a", timeslot=9)
    far, fds_b = host.reserve_fds("b", timeslot=9, media=MediaRequest(chunk=80, depth=4))
    assert near.media is not None
    assert far.media is not None
    assert (near.media.law, near.media.chunk, far.media.chunk) == ("alaw", 160, 80)
    again, copy = host.open_fds(near.token)
    assert again.media == near.media
    for source, sink in ((fds_a[0], fds_b[0]), (fds_b[0], copy)):
        pattern = os.urandom(80)
        os.write(source, pattern)
        assert heard(sink, pattern)
    for fd in (*fds_a, *fds_b, copy):
        os.close(fd)
    for lease in (near, far):
        host.release(lease.token)
    assert host.reserve("a", timeslot=9).timeslot == 9


@pytest.mark.parametrize("gain", [-24.5, 25.0, 1e5, 1e308])
def test_a_gain_that_no_law_has_is_refused_and_leaves_nothing(host: Controller, gain: float) -> None:
    with pytest.raises(InvalidParameter, match="gain_db is -24 to 24 dB"):
        host.reserve_fds("b", timeslot=9, media=MediaRequest(gain_db=gain))
    lease, fds = host.reserve_fds("b", timeslot=9, media=MediaRequest(gain_db=24.0))
    assert lease.timeslot == 9
    for fd in fds:
        os.close(fd)


def test_a_lessee_that_does_not_let_go_is_named_and_kept_out(host: Controller) -> None:
    lease, fds = host.reserve_fds("a", timeslot=9)
    host.release(lease.token)
    releasing = host.wait("channel.state", timeslot=9)
    assert (releasing.data["phase"], releasing.data.get("disabled", "")) == ("releasing", "")
    # On a slow machine the two seconds are over by now, and it is quarantined.
    with pytest.raises((ChannelBusy, OutOfService)):
        host.reserve("a", timeslot=9)
    quarantined = host.wait("channel.state", timeslot=9, disabled="quarantine").data
    assert quarantined["phase"] == "releasing"
    assert f"pid {os.getpid()}" in quarantined["lessee"]
    with pytest.raises(OutOfService, match="quarantine"):
        host.reserve("a", timeslot=9)
    host.place("c1", "b", order="ascending")  # takes 1; 9 is asked for next
    bare = host.reserve("b", timeslot=9, open=False)
    host.place("c2", token=bare.token)
    assert host.ended("c2")["cause"] == 44
    os.close(fds[0])
    assert host.wait("channel.state", count=3, timeslot=9, span="a").data.get("disabled", "") == ""
    assert host.reserve("a", timeslot=9).timeslot == 9


def test_a_span_without_dchannel_leases_but_carries_no_calls(rig: Rig) -> None:
    rig.configure(span("a", 1, dchannel=0) + span("b", 2, dchannel=0))
    rig.card()
    rig.host()
    host = rig.control()
    wait_for(lambda: not any(s.alarms for s in host.snapshot().spans))
    assert [s.dchannel for s in host.snapshot().spans] == ["none", "none"]
    assert host.reserve("a", timeslot=16).timeslot == 16
    with pytest.raises(OutOfService, match="no D-channel"):
        host.place("c1", "a")


def test_a_dead_line_takes_nothing_new(rig: Rig) -> None:
    rig.configure(span("a", 1))  # its cable leads to a port that nobody starts
    rig.card()
    rig.host()
    host = rig.control()
    wait_for(lambda: any(s.alarms & 8 for s in host.snapshot().spans))
    with pytest.raises(OutOfService, match="span_alarm"):
        host.reserve("a")
    assert {channel.disabled for channel in host.snapshot().channels} == {"span_alarm"}
