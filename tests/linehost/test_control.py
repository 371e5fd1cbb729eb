# SPDX-License-Identifier: GPL-2.0-or-later
"""Controllers come, go and die; the host goes on."""

import os
import signal
import subprocess
import sys

import pytest

from dahdi_py.errors import AccessError, DahdiPyError, Unreachable
from dahdi_py.wire.blocking import Connection
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import host as m
from dahdi_py.wire.messages.common import CursorRequest
from tests.linehost.rig import Controller, Rig, heard, owner, pair, wait_for

_DOOMED = """
import sys, time
from pathlib import Path
from tests.linehost.rig import Controller
c = Controller(Path(sys.argv[1]), 7)
c.up("a", "b")
placed = c.place("c1", "a")
other = c.wait("call.offered")
claimed = c.claim(other.call)
c.answer(other.call)
c.wait("call.answered", call="c1")
c.commit()
print(placed.token, claimed.token, other.call, flush=True)
time.sleep(600)
"""


@pytest.fixture
def running(rig: Rig) -> Rig:
    """A card and a host with both ends of a cable."""
    rig.configure(pair())
    rig.card()
    rig.host()
    return rig


def test_only_the_highest_epoch_is_obeyed(running: Rig) -> None:
    first = running.control(epoch=5)
    with pytest.raises(AccessError, match="epoch 5"):
        running.control(epoch=4)
    first.up("a", "b")
    second = running.control(epoch=6)
    with pytest.raises(Unreachable):
        first.reserve("a", open=False)
    assert second.reserve("a", open=False).timeslot == 31
    assert second.hello.host == "h"
    assert second.hello.pid > 1


def test_who_did_not_attach_is_not_obeyed(running: Rig) -> None:
    controller = running.control(epoch=5)
    with Connection(running.run / "hosts" / "h.sock") as stranger:
        for method, parameters in (
            ("Reserve", m.ReserveRequest(spans=["a"], owner=owner())),
            ("Drain", m.DrainRequest()),
            ("Stop", m.StopRequest()),
        ):
            with pytest.raises(AccessError):
                stranger.call(f"org.dahdipy.Host.{method}", parameters, Empty)
        with pytest.raises(AccessError):
            next(stranger.stream("org.dahdipy.Host.Monitor", m.MonitorRequest(epoch=4), m.MonitorReply))
    controller.up("a", "b")


def test_calls_and_audio_survive_a_controller_that_is_killed(running: Rig) -> None:
    path = running.run / "hosts" / "h.sock"
    doomed = subprocess.Popen([sys.executable, "-c", _DOOMED, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert doomed.stdout is not None
        near, far, other = doomed.stdout.readline().split()
    finally:
        doomed.send_signal(signal.SIGKILL)
        doomed.wait()
        assert doomed.stdout is not None
        doomed.stdout.close()
    controller = running.control(epoch=8)
    snapshot = controller.hello.snapshot
    assert {call.call: call.phase for call in snapshot.calls} == {"c1": "active", other: "active"}
    assert {lease.token for lease in snapshot.leases} == {near, far}
    descriptors = [controller.open_fds(token)[1] for token in (near, far)]
    pattern = os.urandom(160)
    os.write(descriptors[0], pattern)
    assert heard(descriptors[1], pattern)
    for fd in descriptors:
        os.close(fd)
    assert [lease.orphaned for lease in controller.snapshot().leases] == [True, True]
    controller.do("Assign", m.AssignRequest(token=near, owner=owner()))
    assert {lease.token: lease.orphaned for lease in controller.snapshot().leases} == {near: False, far: True}
    controller.hangup("c1", cleared_by="client_death")
    assert controller.ended("c1")["cleared_by"] == "client_death"
    controller.ended(other)


def test_what_happened_without_a_controller_is_told_to_the_next(running: Rig) -> None:
    first = running.control(epoch=1)
    first.up("a", "b")
    first.place("c1", "a", answer_timeout_s=6)
    other = first.offered()
    first.claim(other)
    first.wait("call.proceeding", call="c1")
    committed = first.commit()
    first.close()
    wait_for(lambda: not _alive(running, "c1"))
    second = running.control(epoch=20)
    ended = second.ended("c1")
    assert (ended["cause"], ended["cleared_by"]) == (19, "host")
    second.ended(other)
    numbers = [event.n for event in second.events]
    assert numbers[0] > committed
    assert numbers == sorted(set(numbers))
    third = running.control(epoch=21, after=CursorRequest(epoch=second.start, n=second.commit()))
    third.up("a", "b")
    assert not third.find("call.ended")


def _alive(running: Rig, call: str) -> bool:
    """Whether the host still has the call; asked without becoming its controller for long."""
    asking = Connection(running.run / "hosts" / "h.sock")
    with asking:
        reply = asking.call("org.dahdipy.Host.Attach", m.AttachRequest(epoch=10, protocol=1, version="test"),
                            m.AttachReply)  # fmt: skip
    return any(each.call == call for each in reply.snapshot.calls)


def test_a_setup_is_held_for_a_controller_that_comes_in_time(running: Rig) -> None:
    first = running.control(epoch=1)
    first.up("a", "b")
    first.place("c1", "a")
    first.close()
    second = running.control(epoch=2, ready=False)
    wait_for(lambda: [call for call in _calls(second) if call.direction == "incoming"])
    # It may have come before the host saw the first one leave; from the second one on it is held.
    assert all(offer.n <= second.hello.snapshot.n for offer in second.find("call.offered", span="b"))
    second.ready()
    other = second.wait("call.offered", span="b").call
    second.claim(other)
    second.answer(other)
    second.wait("call.answered", call="c1")


def _calls(controller: Controller) -> list[m.CallState]:
    """The host's calls, asked without saying Ready."""
    request = m.AttachRequest(epoch=controller.epoch, protocol=1, version="test")
    return controller.call("Attach", request, m.AttachReply).snapshot.calls


def test_a_held_setup_is_refused_when_nobody_comes(running: Rig) -> None:
    first = running.control(epoch=1, ready=False)
    wait_for(lambda: first.find("dchannel.up", span="a") and first.find("dchannel.up", span="b"))
    first.place("c1", "a")
    ended = first.ended("c1")
    assert (ended["cause"], ended["cleared_by"]) == (41, "peer")
    assert not first.find("call.offered")
    record = first.wait("call.ended", span="b")
    assert record.data["reason"] == "no core claimed the call"
    assert record.data["ended_ns"] - record.data["started_ns"] > 2_500_000_000


def test_without_a_controller_the_host_ends_when_its_calls_have(rig: Rig) -> None:
    rig.configure(pair(), service="linger_s = 3")
    rig.card()
    host = rig.host()
    controller = rig.control()
    controller.up("a", "b")
    controller.place("c1", "a", hangup_after_s=6)
    other = controller.offered()
    controller.claim(other)
    controller.answer(other)
    controller.wait("call.answered", call="c1")
    controller.close()
    assert host.wait() == 0


def test_a_controller_that_comes_back_ends_the_draining(rig: Rig) -> None:
    rig.configure(pair(), service="linger_s = 3")
    rig.card()
    host = rig.host()
    controller = rig.control()
    controller.up("a", "b")
    controller.active("c1")
    controller.close()
    wait_for(lambda: "draining, then ending" in rig.log.read_text())
    second = rig.control(epoch=2)
    assert second.hello.draining is False
    second.active("c2")
    assert host.running()


@pytest.mark.parametrize("how", ["Stop", "SIGTERM"])
def test_stopping_clears_every_call_first(running: Rig, how: str) -> None:
    controller = running.control()
    controller.up("a", "b")
    other = controller.active("c1")
    host = running.processes[-1]
    if how == "Stop":
        controller.do("Stop", m.StopRequest(cause=41, reason="service stopped"))
    else:
        os.kill(host.pid, signal.SIGTERM)
    for call in ("c1", other):
        ended = controller.ended(call)
        assert ended["cause"] == 41
    assert host.wait() == 0
    assert not (running.run / "hosts" / "h.sock").exists()


def test_a_second_process_of_the_same_host_is_refused(running: Rig) -> None:
    assert running.host().wait() == 1
    controller = running.control()
    controller.up("a", "b")
    assert controller.start == 1


def test_nonsense_is_answered_and_hurts_nobody(running: Rig) -> None:
    controller = running.control()
    controller.up("a", "b")
    with Connection(running.run / "hosts" / "h.sock") as stranger:
        for method in ("org.dahdipy.Host.Explode", "org.dahdipy.Nothing.At", "x"):
            with pytest.raises(DahdiPyError):
                stranger.call(method, {}, Empty)
        with pytest.raises(DahdiPyError):
            stranger.call("org.dahdipy.Host.Place", {"call": 7}, Empty)
    controller.active("c1")
