# SPDX-License-Identifier: GPL-2.0-or-later
"""A line host dies and is back, and somebody has a channel's descriptor from before: nobody else gets that channel."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from dahdi_py.errors import AllocationError, ChannelBusy, NoChannel, OutOfService
from dahdi_py.ffi import libpri_events as ev
from dahdi_py.wire.messages import host as m
from tests.linehost.farend import FarEnd, linked
from tests.linehost.rig import Controller, Rig, owner, wait_for
from tests.linehost.virtual import Service

KEPT = 9


def restarted(rig: Rig, far: FarEnd) -> Controller:
    """The next start of the host, when its D-channel is up."""
    rig.host()
    again = rig.control(epoch=2)
    again.up("a", live=lambda: far.run(0.05))
    return again


def held(host: Controller) -> bool:
    """Whether the host knows that somebody has the channel open."""
    return host.channel("a", KEPT).phase == "releasing"


def test_it_is_not_given_out_nor_called_on_until_that_is_closed(rig: Rig) -> None:
    far, doomed, host = linked(rig)
    _, [fd] = host.reserve_fds("a", timeslot=KEPT)
    doomed.kill()
    again = restarted(rig, far)
    again.wait("channel.state", timeslot=KEPT, phase="releasing")
    with pytest.raises((ChannelBusy, OutOfService)):
        again.reserve("a", timeslot=KEPT)
    with pytest.raises(NoChannel):
        again.place("c1", "a", masks=[1 << KEPT])
    assert far.ended(far.setup(KEPT, exclusive=True)).cause == 44
    assert again.wait("channel.state", timeslot=KEPT, disabled="quarantine").data["lessee"]
    with pytest.raises(OutOfService, match="quarantine"):
        again.reserve("a", timeslot=KEPT)
    assert far.ended(far.setup(KEPT, exclusive=True)).cause == 44
    far.setup(KEPT)
    far.until(lambda: again.find("call.offered"))
    assert again.find("call.offered")[0].timeslot != KEPT
    os.close(fd)
    wait_for(lambda: not held(again))
    _, [fd] = again.reserve_fds("a", timeslot=KEPT)
    os.close(fd)
    far.close()


def test_all_other_channels_are_free_and_nobody_is_told_of_them(rig: Rig) -> None:
    far, doomed, host = linked(rig)
    _, [fd] = host.reserve_fds("a", timeslot=KEPT)
    doomed.kill()
    again = restarted(rig, far)
    wait_for(lambda: held(again))
    others = [timeslot for timeslot in range(1, 32) if timeslot not in (16, KEPT)]
    assert {again.reserve("a", open=False).timeslot for _ in others} == set(others)
    with pytest.raises(AllocationError):
        again.reserve("a", open=False)
    assert {event.timeslot for event in again.find("channel.state")} == {KEPT}
    os.close(fd)
    far.close()


def test_a_call_that_waits_for_it_gets_it_if_it_is_closed_in_time(rig: Rig) -> None:
    far, doomed, host = linked(rig)
    _, [fd] = host.reserve_fds("a", timeslot=KEPT)
    doomed.kill()
    again = restarted(rig, far)
    wait_for(lambda: held(again))
    far.setup(KEPT, exclusive=True)
    far.run(0.1)
    os.close(fd)
    # On a slow machine the two seconds were over before, and it is refused.
    far.until(lambda: again.find("call.offered") or again.find("call.ended"))
    offered, ended = again.find("call.offered"), again.find("call.ended")
    assert [call.timeslot for call in offered] == [KEPT] or [call.data["cause"] for call in ended] == [44]
    far.close()


def test_restart_does_not_free_it(rig: Rig) -> None:
    """Its call died with the host, so the far end restarts it; the descriptor of that call is still open."""
    far, doomed, host = linked(rig)
    bare = host.reserve("a", timeslot=KEPT, open=False)
    host.place("c1", token=bare.token)
    far.pump.answer(far.wait(ev.Ring).handle, KEPT)
    far.until(lambda: host.find("call.answered"))
    _, fd = host.open_fds(bare.token)
    doomed.kill()
    again = restarted(rig, far)
    assert far.wait(ev.Restart).channel == KEPT
    far.until(lambda: again.find("channel.state", timeslot=KEPT, disabled="quarantine"))
    far.run(0.3)
    with pytest.raises(OutOfService, match="quarantine"):
        again.reserve("a", timeslot=KEPT)
    os.close(fd)
    far.until(lambda: again.channel("a", KEPT).phase == "")
    assert again.reserve("a", timeslot=KEPT).timeslot == KEPT
    far.close()


def test_a_card_that_was_restarted_as_well_holds_nothing(rig: Rig) -> None:
    far, doomed, host = linked(rig)
    _, [fd] = host.reserve_fds("a", timeslot=KEPT)
    far.close()
    doomed.kill()
    rig.processes[0].kill()
    rig.card()
    far = FarEnd(rig.run, 2)
    again = restarted(rig, far)
    assert again.reserve("a", timeslot=KEPT).timeslot == KEPT
    assert not again.find("channel.state")
    os.close(fd)
    far.close()


def test_a_card_that_does_not_answer_proves_nothing_while_its_span_is_there(tmp_path: Path) -> None:
    with closing(Service(tmp_path)) as service:
        host = service.host
        host.advance(3)
        channel = host.channels.channel("a", 1)
        wants = m.ReserveRequest(spans=["a"], owner=owner(), timeslot=1)
        reserved = service.ask("Reserve", wants)
        channel.line.ready = True
        host.card.absent.add(channel.line.config.port)
        service.ask("Release", m.ReleaseRequest(token=reserved.reply_with.token))
        assert not channel.free
        host.advance(1.1)
        with pytest.raises(ChannelBusy):
            service.ask("Reserve", wants)
        host.card.absent.clear()
        host.advance(1.1)
        assert not channel.free, "the client has it open"
        os.close(reserved.fds[0])
        host.advance(1.1)
        assert channel.free
