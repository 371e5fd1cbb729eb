# SPDX-License-Identifier: GPL-2.0-or-later
"""What the daemon promises when processes die: nothing that was not theirs goes with them."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dahdi_py.client import CallRecord, Client, Cursor, MediaRequest
from tests.daemon.process import PATIENCE_S
from tests.system.service import Conversation, Listener, Service, eventually, place_and_answer

DEEP = MediaRequest(chunk=1024, depth=32)
"""Room for the pauses of a loaded machine: four seconds of audio each way."""

StartService = Callable[..., Service]


@pytest.fixture
def start_service(run_dir: Path) -> Iterator[StartService]:
    started: list[Service] = []

    def start(**sections: str) -> Service:
        started.append(Service(run_dir, **sections))
        return started[-1].start()

    yield start
    for service in started:
        service.end()


def test_a_call_and_its_audio_survive_the_daemons_death(start_service: StartService) -> None:
    service = start_service()
    caller, callee = service.client("caller"), service.client("callee")
    call, token, far_call, far_token = place_and_answer(caller, callee, "e1-user")
    near, far = caller.open(token, media=DEEP), callee.open(far_token, media=DEEP)
    host = service.host_pid()
    talk, back = Conversation(near, far, 4), Conversation(far, near, 4)
    talk.halfway()
    service.daemon.kill()
    caller.close()
    callee.close()
    service.daemon.start()
    with service.client("caller") as again:
        assert service.host_pid() == host
        assert {up.call for up in again.calls()} == {call, far_call}
        assert again.reclaim(token).call == call
        assert again.reclaim(far_token).call == far_call
        talk.check()
        back.check()
        near.close()
        far.close()
        assert all(up.phase == "active" and not up.orphaned for up in again.calls())
        again.hangup(call)
        eventually(lambda: not again.calls())
        assert len(again.history()) == 2
        for record in (closed(again, call), closed(again, far_call)):
            assert record.cause is not None
            assert record.cause.value == 16
            assert record.duration_ns > 2_000_000_000
            assert record.messages[0].name == "SETUP"
        eventually(lambda: all(channel.usage == "idle" for channel in again.channels()))


def test_what_nobody_reclaims_is_cleared(start_service: StartService) -> None:
    service = start_service(calls="reclaim_s = 5")
    caller, callee = service.client(), service.client()
    call, _, _, far_token = place_and_answer(caller, callee, "t1-user")
    lease = caller.allocate(span="e1-user", open=False)
    service.daemon.kill()
    caller.close()
    callee.close()
    service.daemon.start()
    with service.client() as again:
        kept = again.reclaim(far_token)
        assert kept.call
        eventually(lambda: not again.calls(), "the orphaned call stays")
        assert closed(again, call).cleared_by == "daemon_lost"
        eventually(lambda: all(one.token != lease.token for one in again.channels()))


def test_a_detached_call_outlives_client_and_daemon_and_ends_in_time(start_service: StartService) -> None:
    service = start_service(calls="reclaim_s = 5")
    caller, callee = service.client(), service.client()
    offers = callee.serve()
    placed = caller.place("2001", span="e1-user", detach_s=15)
    offer = next(offers).offer
    assert offer is not None
    claimed = callee.claim(offer.call)
    callee.answer(offer.call)
    eventually(lambda: all(call.phase == "active" for call in caller.calls()))
    caller.close()
    service.daemon.kill()
    callee.close()
    service.daemon.start()
    with service.client() as again:
        again.reclaim(claimed.token)
        assert placed.call in {call.call for call in again.calls()}
        eventually(lambda: not again.calls())
        record = closed(again, placed.call)
        assert record.cause is not None
        assert record.cause.value == 16
        assert record.ended_ns - record.started_ns > 14_000_000_000


def closed(client: Client, call: str) -> CallRecord:
    """The call's record, once it is closed on disk."""
    found = eventually(lambda: [one for one in client.history(call=call) if one.state == "closed"])
    return found[0]


CORE = """
import sys, time
from dahdi_py.client import Client
client = Client(sys.argv[1])
placed = client.place("2001", span="e1-user")
while not any(call.call == placed.call and call.phase == "active" for call in client.calls()):
    time.sleep(0.01)
channel = client.open(placed.token)
print(placed.call, flush=True)
time.sleep(60)
"""


def test_a_client_killed_with_a_call_up_leaves_nothing(start_service: StartService) -> None:
    service = start_service()
    with service.client() as callee:
        offers = callee.serve()
        core = subprocess.Popen([sys.executable, "-c", CORE, str(service.socket)], stdout=subprocess.PIPE, text=True)
        offer = next(offers).offer
        assert offer is not None
        callee.claim(offer.call)
        callee.answer(offer.call)
        assert core.stdout is not None
        call = core.stdout.readline().strip()
        core.kill()
        core.wait()
        core.stdout.close()
        eventually(lambda: not callee.calls())
        record = closed(callee, call)
        assert record.cause is not None
        assert (record.cause.value, record.cleared_by) == (31, "client_death")
        far = closed(callee, offer.call)
        assert far.cause is not None
        assert (far.cause.value, far.cleared_by) == (31, "peer")
        eventually(lambda: all(channel.usage == "idle" for channel in callee.channels()))


def test_a_second_daemon_is_told_who_the_first_is(start_service: StartService) -> None:
    service = start_service()
    command = [sys.executable, "-m", "dahdi_py.cli", "daemon", "run", "--private"]
    command += ["--config", str(service.daemon.config), "--run-directory", str(service.run)]
    second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert f"process {service.daemon.pid}" in second.stderr
    with service.client() as client:
        assert client.status().verdict == "ok"


def test_a_line_host_that_dies_takes_its_calls_and_nothing_else(start_service: StartService) -> None:
    service = start_service()
    with service.client() as caller, service.client() as callee:
        events = Listener(service.socket)
        call, *_ = place_and_answer(caller, callee, "e1-user")
        host, others = service.host_pid(), len(service.processes())
        os.kill(host, signal.SIGKILL)
        ended = events.wait("call.ended", call=call)
        assert ended.data["reason"] == "line host died"
        events.wait("host.down", host="sim")
        events.wait("host.up", host="sim")
        service.wait_for_lines()
        assert service.host_pid() != host
        assert len(service.processes()) == others
        assert caller.hosts()[0].restarts == 1
        assert caller.calls() == []
        record = closed(caller, call)
        assert (record.reason, record.cleared_by) == ("line host died", "host")
        place_and_answer(caller, callee, "e1-user", "2002")
        assert sum(event.kind == "call.ended" and event.call == call for event in events.events) == 1
        events.close()


def test_a_line_host_that_cannot_write_its_journal_says_so_and_comes_up_when_it_can(
    start_service: StartService,
) -> None:
    service = start_service()
    place = service.run / "state" / "hosts"
    away = place.rename(place.with_name("away"))
    place.write_text("in the way")
    with service.client() as client:
        os.kill(service.host_pid(), signal.SIGKILL)
        eventually(lambda: f"{place}/sim.journal: make room" in client.hosts()[0].problem, "nobody says why")
        place.unlink()
        away.rename(place)
        service.wait_for_lines()


def test_stopping_the_daemon_alone_keeps_calls_and_the_whole_service_clears_them(start_service: StartService) -> None:
    service = start_service()
    caller, callee = service.client(), service.client()
    call, token, far_call, _ = place_and_answer(caller, callee, "t1-network")
    host = service.host_pid()
    caller.stop_daemon()
    assert service.daemon.process is not None
    assert service.daemon.process.wait(PATIENCE_S) == 0
    assert not service.socket.exists()
    caller.close()
    callee.close()
    service.daemon.start()
    with service.client() as again:
        assert service.host_pid() == host
        assert {up.call for up in again.calls()} == {call, far_call}
        again.reclaim(token)
        again.stop_daemon(service=True)
        assert service.daemon.process.wait(PATIENCE_S) == 0
    eventually(lambda: not service.processes(), f"left: {service.processes()}")
    assert not list(service.run.glob("*.sock"))
    service.daemon.start()
    with service.client() as later:
        for record in (closed(later, call), closed(later, far_call)):
            assert record.ended_ns > record.started_ns


def test_a_service_that_is_stopped_while_it_starts_ends_as_soon(run_dir: Path) -> None:
    service = Service(run_dir)
    service.daemon.start()
    service.end()
    assert not service.processes()
    assert "does not end" not in service.daemon.log.read_text()


def test_events_are_resumed_over_the_daemons_death(start_service: StartService) -> None:
    service = start_service()
    first = Listener(service.socket)
    with service.client() as caller, service.client() as callee:
        call, *_ = place_and_answer(caller, callee, "e1-user")
        first.wait("call.answered", call=call)
        had = list(first.events)
        service.daemon.kill()
    first.close()
    service.daemon.start()
    seen = [(event.epoch, event.n) for event in had]
    again = Listener(service.socket, after=Cursor(epoch=seen[-1][0], n=seen[-1][1]))
    with service.client() as client:
        eventually(lambda: client.calls())
        client.hangup(call, force=True)
        again.wait("call.ended", call=call)
    later = [(event.epoch, event.n) for event in again.events]
    assert not set(seen) & set(later)
    assert seen + later == sorted(set(seen + later))
    assert "gap" not in again.kinds()
    kinds = [event.kind for event in had] + again.kinds()
    assert kinds.count("call.answered") == 2
    assert "daemon.ready" in again.kinds()
    again.close()


def test_calls_go_on_when_the_disk_refuses(start_service: StartService) -> None:
    service = start_service()
    limits = resource.prlimit(service.daemon.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(service.daemon.pid, resource.RLIMIT_FSIZE, (4096, limits[1]))
    with service.client() as caller, service.client() as callee:
        events = Listener(service.socket)
        call, *_ = place_and_answer(caller, callee, "e1-user")
        events.wait("call.answered", call=call)
        alarm = eventually(lambda: next((one for one in caller.alarms() if one.kind == "ledger"), None))
        assert alarm is not None
        assert "cannot be written" in alarm.text
        assert caller.status().verdict == "degraded"
        assert not caller.status().journal
        caller.hangup(call)
        events.wait("call.ended", call=call)
        resource.prlimit(service.daemon.pid, resource.RLIMIT_FSIZE, limits)
        eventually(lambda: not [one for one in caller.alarms() if one.kind == "ledger"])
        assert closed(caller, call).cleared_by == "core"
        events.close()


def test_every_channel_of_a_span_at_once(start_service: StartService) -> None:
    service = start_service()
    with service.client() as caller, service.client() as callee:
        offers = callee.serve(numbers=["2."])

        def answer_all() -> None:
            # As they come in: an offer waits for three seconds only.
            for _ in range(30):
                offer = next(offers).offer
                assert offer is not None
                callee.claim(offer.call)
                callee.answer(offer.call)

        answering = threading.Thread(target=answer_all)
        answering.start()
        for number in range(30):
            caller.place(f"2{number:03}", span="e1-user")
        answering.join(PATIENCE_S)
        eventually(lambda: [call.phase for call in caller.calls()] == ["active"] * 60)
        assert set(caller.span("e1-user").channel_map) == {"o", "D"}
        assert set(caller.span("e1-network").channel_map) == {"i", "D"}
        started = time.monotonic()
        caller.close()
        eventually(lambda: not callee.calls())
        assert time.monotonic() - started < 20
        eventually(lambda: all(channel.usage == "idle" for channel in callee.channels()))
        assert len(callee.history(limit=100)) == 60
