# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of leases and calls when the cores that own them die, freeze, or give them away."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dahdi_py.client import CallRecord, ChannelStatus, Client
from tests.system.core_process import CoreProcess
from tests.system.service import Listener, Service, eventually

StartService = Callable[..., Service]
StartCore = Callable[[str], CoreProcess]


@pytest.fixture
def start_service(run_dir: Path) -> Iterator[StartService]:
    started: list[Service] = []

    def start(**sections: str) -> Service:
        started.append(Service(run_dir, **sections))
        return started[-1].start()

    yield start
    for service in started:
        service.end()


@pytest.fixture
def start_core(run_dir: Path) -> Iterator[StartCore]:
    """Starts a core of the service in the run directory."""
    started: list[CoreProcess] = []

    def start(label: str) -> CoreProcess:
        started.append(CoreProcess(run_dir / "control.sock", label))
        return started[-1]

    yield start
    for core in started:
        core.end()


def record(client: Client, call: str) -> CallRecord:
    """The call's record, once it is closed on disk."""
    return eventually(lambda: [one for one in client.history(call=call) if one.state == "closed"])[0]


def cause(client: Client, call: str) -> int:
    found = record(client, call).cause
    assert found is not None
    return found.value


def active(near: CoreProcess, far: Client) -> tuple[str, str, str]:
    """A call between the two: its id and token with the near one, its id with the far one."""
    with far.serve(groups=["e1-network"]) as offers:
        placed = near.do("place", "2001", span="e1-user")
        offer = next(offers).offer
        assert offer is not None
        far.claim(offer.call)
    far.answer(offer.call)
    eventually(lambda: [one.phase for one in far.calls()] == ["active", "active"])
    return placed["call"], placed["token"], offer.call


def busy(client: Client) -> list[ChannelStatus]:
    return [one for one in client.channels() if one.usage == "busy"]


def test_a_detached_lease_of_a_killed_client_ends_when_it_is_told_to(
    start_service: StartService, start_core: StartCore
) -> None:
    service, core = start_service(), start_core("short")
    events = Listener(service.socket, kinds=["channel."])
    kept = core.do("allocate", span="e1-user", detach_s=600)["token"]
    bare = core.do("allocate", span="e1-user")["token"]
    core.kill()
    events.wait("channel.released", token=bare)
    with service.client() as client:
        eventually(lambda: len(busy(client)) == 1)
        (left,) = busy(client)
        assert (left.token, left.orphaned, left.owner and left.owner.label) == (kept, False, "short")
    events.close()
    service.daemon.kill()
    service.daemon.start()
    events = Listener(service.socket, kinds=["channel."])
    with service.client() as client:
        client.renew(kept, 1)
        assert "time is up" in events.wait("channel.released", token=kept).data["reason"]
        eventually(lambda: all(one.usage == "idle" for one in client.channels()))
    events.close()


def test_a_call_goes_from_one_process_to_another(start_service: StartService, start_core: StartCore) -> None:
    service, giver, taker = start_service(), start_core("giver"), start_core("taker")
    with service.client() as far:
        call, token, far_call = active(giver, far)
        giver.do("hand_over", token, 60)
        giver.kill()
        eventually(lambda: any(one.orphaned for one in far.calls()))
        assert taker.do("reclaim", token)["call"] == call
        (mine,) = [one for one in far.calls() if one.call == call]
        assert (mine.phase, mine.orphaned, mine.owner.pid) == ("active", False, taker.pid)
        taker.do("hangup", call, cause=17)
        assert cause(far, far_call) == 17
        assert record(far, call).cleared_by == "core"


def test_a_call_that_was_given_and_not_taken_ends(start_service: StartService, start_core: StartCore) -> None:
    service, giver = start_service(), start_core("giver")
    with service.client() as far:
        call, token, _ = active(giver, far)
        giver.do("hand_over", token, 8)
        giver.kill()
        eventually(lambda: any(one.orphaned for one in far.calls()))
        service.daemon.kill()
    service.daemon.start()
    with service.client() as client:
        assert cause(client, call) == 31
        assert "reclaimed" in record(client, call).reason


def test_the_unanswered_call_of_a_killed_core_goes_to_the_next(
    start_service: StartService, start_core: StartCore
) -> None:
    service, dies, takes = start_service(), start_core("dies"), start_core("takes")
    events = Listener(service.socket, kinds=["call."])
    dies.do("serve", priority=1)
    takes.do("serve", priority=2)
    with service.client() as caller:
        placed = caller.place("2001", span="e1-user")
        offer = dies.offer()
        dies.do("claim", offer["call"])
        dies.do("alert", offer["call"])
        events.wait("call.alerting", call=placed.call)
        dies.kill()
        assert takes.offer()["call"] == offer["call"]
        events.wait("call.unclaimed", call=offer["call"])
        takes.do("claim", offer["call"])
        takes.do("alert", offer["call"])
        takes.do("answer", offer["call"])
        events.wait("call.answered", call=placed.call)
        (mine,) = [one for one in caller.calls() if one.call == offer["call"]]
        assert (mine.phase, mine.owner.pid) == ("active", takes.pid)
        caller.hangup(placed.call)
        names = [message.name for message in record(caller, offer["call"]).messages]
        assert (names.count("ALERTING"), names.count("CONNECT")) == (1, 1)
        assert record(caller, offer["call"]).owner.label == "takes"
    events.close()


def test_without_a_next_core_the_caller_hears_a_temporary_failure(
    start_service: StartService, start_core: StartCore
) -> None:
    service, dies = start_service(), start_core("dies")
    dies.do("serve")
    with service.client() as caller:
        placed = caller.place("2001", span="e1-user")
        offer = dies.offer()
        dies.do("claim", offer["call"])
        dies.kill()
        assert cause(caller, placed.call) == 41
        assert "core died" in record(caller, offer["call"]).reason


def test_the_active_call_of_a_killed_core_is_kept_for_its_next_process(
    start_service: StartService, start_core: StartCore
) -> None:
    service, dies, again = start_service(calls="keep_active_s = 60"), start_core("pbx"), start_core("pbx")
    with service.client() as far:
        call, token, far_call = active(dies, far)
        dies.kill()
        eventually(lambda: any(one.orphaned for one in far.calls()))
        assert again.do("reclaim", token)["call"] == call
        assert [one.phase for one in far.calls()] == ["active", "active"]
        again.kill()
        far.hangup(far_call)
        assert cause(far, call) == 16


def test_a_frozen_core_loses_nothing(start_service: StartService, start_core: StartCore) -> None:
    service, frozen, awake = start_service(), start_core("frozen"), start_core("awake")
    with service.client() as far:
        call, _, far_call = active(frozen, far)
        lease = frozen.do("allocate", span="t1-user")["token"]
        frozen.do("serve", groups=["e1-network"], priority=1)
        awake.do("serve", groups=["e1-network"], priority=2)
        frozen.signal(signal.SIGSTOP)
        placed = far.place("2002", span="e1-user")
        offer = awake.offer()
        awake.do("claim", offer["call"])
        awake.do("answer", offer["call"])
        eventually(lambda: [one.phase for one in far.calls()] == ["active"] * 4)
        frozen.signal(signal.SIGCONT)
        assert frozen.do("next")["offer"]["call"] == offer["call"]
        assert frozen.do("next")["withdrawn"] == offer["call"]
        owners = {one.call: one.owner.label for one in far.calls()}
        assert (owners[call], owners[offer["call"]]) == ("frozen", "awake")
        assert any(one.token == lease for one in far.channels())
        frozen.do("hangup", call)
        assert cause(far, far_call) == 16
        far.hangup(placed.call)


def test_cores_that_fork_get_a_call_together(start_service: StartService, start_core: StartCore) -> None:
    service, cores = start_service(), [start_core("left"), start_core("right")]
    for core in cores:
        core.do("serve", sharing="fork")
    with service.client() as caller:
        placed = caller.place("2001", span="e1-user")
        first, second = (core.offer()["call"] for core in cores)
        assert first == second
        cores[1].do("claim", first)
        withdrawn = cores[0].do("next")
        assert (withdrawn["withdrawn"], withdrawn["reason"]) == (first, "claimed")
        with pytest.raises(AssertionError, match="WrongCallState"):
            cores[0].do("claim", first)
        caller.hangup(placed.call)


def test_a_whole_span_with_its_descriptors(start_service: StartService) -> None:
    service = start_service()
    with service.client() as client:
        channels = client.allocate_span("t1-user", label="turn-up")
        assert [channel.timeslot for channel in channels] == list(range(1, 24))
        assert len({channel.fileno() for channel in channels}) == 23
        busy = client.allocate(span="t1-network", timeslot=3, open=False)
        with pytest.raises(Exception, match="busy"):
            client.allocate_span("t1-network")
        assert sum(one.usage == "busy" for one in client.channels("t1-network")) == 1
        client.release(busy.token)
        for channel in channels:
            channel.close()
    with service.client() as client:
        eventually(lambda: all(one.usage == "idle" for one in client.channels("t1-user")))
