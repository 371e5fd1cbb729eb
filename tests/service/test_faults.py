# SPDX-License-Identifier: GPL-2.0-or-later
"""What the machine may do to a service: a full disk, no descriptors, a killed card, a killed line host.

Calls go on, an alarm says what is wrong, and when it is mended the alarm is gone. A state that turns read-only is told
where a file system can be broken: in the kernel ring.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from dahdi_py.errors import DahdiPyError
from tests.service.conversation import converse
from tests.service.faults import alarm, another_call_comes_and_goes, talking
from tests.service.service import Core, Follower, Service, closed_record, running, running_as, until

EMBEDDED = files("dahdi_py").joinpath("embedded.toml").read_text()


class OnSmallDisk(Service):
    """Its state is a small file system, which only its own processes see.

    SQLite's write-ahead logs, of up to 4 MB each, have room in it: they are to go on when the filler is gone.
    """

    def command(self) -> list[str]:
        state = self.directory / "state"
        state.mkdir(exist_ok=True)
        script = 'mount -t tmpfs -o size=16m,mode=700 state "$0" && exec "$@"'
        return ["unshare", "--map-root-user", "--mount", "sh", "-c", script, str(state), *super().command()]

    def inside(self) -> Path:
        """The file system as its processes see it."""
        assert self.daemon is not None
        return Path(f"/proc/{self.daemon.pid}/root{self.directory}/state")


@pytest.fixture
def small_disk(run_dir: Path) -> Iterator[OnSmallDisk]:
    with running_as(OnSmallDisk(run_dir, EMBEDDED)) as service:
        yield service


def test_calls_go_on_when_the_disk_is_full(small_disk: OnSmallDisk) -> None:
    with talking(small_disk) as (caller, callee, events, _):
        filler = small_disk.inside() / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(65536)):
                pass
        written = [another_call_comes_and_goes(caller, callee, events) for _ in range(3)]
        until("an alarm says so", lambda: "cannot be written" in alarm(caller.client, "ledger"), small_disk.log)
        written.append(another_call_comes_and_goes(caller, callee, events))
        filler.unlink()
        until("the alarm is gone", lambda: not alarm(caller.client, "ledger"), small_disk.log)
        for call in written:
            assert closed_record(caller.client, call).cleared_by == "core"


@pytest.fixture
def service(run_dir: Path) -> Iterator[Service]:
    with running(run_dir, EMBEDDED) as service:
        yield service


@contextlib.contextmanager
def out_of_descriptors(pid: int) -> Iterator[None]:
    """The process can open no more than it has open now."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    highest = max(int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir())
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest + 1, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def test_calls_go_on_when_the_daemon_has_no_descriptor_left(service: Service) -> None:
    assert service.daemon is not None
    with talking(service) as (caller, callee, events, _):
        with out_of_descriptors(service.daemon.pid):
            crowd = contextlib.ExitStack()
            with crowd:
                for _ in range(64):  # gaps below the highest number are filled too
                    with contextlib.suppress(DahdiPyError):
                        crowd.enter_context(service.client()).status()
                until("an alarm says so", lambda: bool(alarm(caller.client, "descriptors")), service.log)
                placed = caller.client.place("2001", span="e1-user")
                callee.client.claim(callee.offer().call)
                caller.client.hangup(placed.call)
                events.wait("call.ended", placed.call)
        until("clients are served again", lambda: serves(service), service.log)
        assert not alarm(caller.client, "descriptors")
        another_call_comes_and_goes(caller, callee, events)


def serves(service: Service) -> bool:
    with contextlib.suppress(DahdiPyError), service.client() as client:
        return client.status().ready
    return False


def test_calls_go_on_when_a_line_host_has_no_descriptor_left(service: Service) -> None:
    with talking(service) as (caller, callee, events, _):
        (host,) = service.host_pids()
        with out_of_descriptors(host):
            refused = 0
            for _ in range(32):
                try:
                    caller.client.allocate(span="t1-user").close()
                except DahdiPyError:
                    refused += 1
            assert refused
        assert service.host_pids() == [host]
        another_call_comes_and_goes(caller, callee, events)


def card_pid(service: Service) -> int:
    """The process of the simulated card."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes().split(b"\0")
            if b"sim-card" in command and str(service.directory).encode() in b" ".join(command):
                return int(entry.name)
    raise AssertionError("no card runs")


def absent(events: Follower) -> set[str]:
    """Spans that were absent."""
    events.count("span.alarm")
    return {event.span for event in events.seen if event.kind == "span.alarm" and "ABSENT" in event.data["words"]}


def test_spans_of_a_killed_card_are_absent_and_come_back_by_themselves(service: Service) -> None:
    with Core(service, ("e1-user",)) as caller, Core(service, ("e1-network",)) as callee, Follower(service) as events:
        call = converse(caller, callee, events, "e1-user")
        hosts = service.host_pids()
        os.kill(card_pid(service), signal.SIGKILL)
        for end in (call.placed, call.offered):
            assert events.wait("call.ended", end).data["cause"] == 27
        call.close()
        until("the spans are absent", lambda: {span.name for span in caller.client.spans()} <= absent(events))
        until(
            "the spans are back",
            lambda: all(span.state == "ok" for span in caller.client.spans()),
            lambda: [span.state for span in caller.client.spans()],
        )
        assert service.host_pids() == hosts
        another_call_comes_and_goes(caller, callee, events)


def on_two_hosts() -> str:
    """The embedded default, t1-user on a host of its own."""
    config = EMBEDDED.replace('[[hosts]]\nname = "sim"\n', '[[hosts]]\nname = "sim"\n\n[[hosts]]\nname = "other"\n')
    before, _, rest = config.partition('name = "t1-user"\n')
    return before + 'name = "t1-user"\n' + rest.replace('host = "sim"', 'host = "other"', 1)


def test_a_killed_line_host_takes_its_own_calls_and_no_other(run_dir: Path) -> None:
    with (
        running(run_dir, on_two_hosts()) as service,
        talking(service) as (caller, callee, events, _),
        Core(service, ("t1-network",)) as far,
    ):
        lost = converse(caller, far, events, "t1-user")
        pids = {host.name: host.pid for host in caller.client.hosts()}
        os.kill(pids["other"], signal.SIGKILL)
        assert events.wait("call.ended", lost.placed).data["reason"] == "line host died"
        events.wait("call.ended", lost.offered)
        lost.close()
        record = closed_record(caller.client, lost.placed)
        assert (record.reason, record.cleared_by) == ("line host died", "host")
        assert closed_record(caller.client, lost.offered).cleared_by == "peer"
        until("the host is back", lambda: all(host.state == "up" for host in caller.client.hosts()), service.log)
        until("its span too", lambda: caller.client.span("t1-user").state == "ok", service.log)
        now = {host.name: host.pid for host in caller.client.hosts()}
        assert (now["sim"] == pids["sim"], now["other"] == pids["other"]) == (True, False)
        again = converse(caller, far, events, "t1-user")
        caller.client.hangup(again.placed)
        events.wait("call.ended", again.offered)
        again.close()
        another_call_comes_and_goes(caller, callee, events)
