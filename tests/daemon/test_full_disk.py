# SPDX-License-Identifier: GPL-2.0-or-later
"""While the disk refuses, hosts go on telling and keep what they told."""

from __future__ import annotations

from pathlib import Path

import pytest

from dahdi_py.wire.messages.common import Cursor
from tests.daemon.conftest import StartDaemon
from tests.daemon.process import DaemonProcess, Listener
from tests.daemon.scripted_host import ScriptedHost


@pytest.fixture
def refusing(run_dir: Path) -> Path:
    """What stands where the daemon's state should be."""
    path = run_dir / "state"
    path.write_text("in the way")
    return path


def adopting(start_daemon: StartDaemon, host: ScriptedHost, state: Path) -> DaemonProcess:
    daemon = start_daemon(service=f'state = "{state}"')
    host.asked("Ready")
    return daemon


def test_a_host_hears_what_has_come_and_keeps_it_until_it_is_on_disk(
    host: ScriptedHost, start_daemon: StartDaemon, refusing: Path
) -> None:
    daemon = adopting(start_daemon, host, refusing)
    told = Listener(daemon.socket)
    for n in range(3):
        host.offer(f"c{n}", "east", "2001", n + 1)
        host.end(f"c{n}", "east", n + 1)
        told.wait("call.ended", call=f"c{n}")
    received = host.asked("Commit")
    assert not received.durable
    while received.n < host.n:
        received = host.asked("Commit")
        assert not received.durable
    assert [event.n for event in host.outbox] == [1, 2, 3, 4, 5, 6]
    refusing.unlink()
    # What was being tried just then may come in a batch of its own.
    while not (durable := host.asked("Commit")).durable or durable.n < host.n:
        pass
    assert durable.n == host.n
    told.close()


def test_who_comes_back_while_the_disk_refuses_hears_what_it_missed(
    host: ScriptedHost, start_daemon: StartDaemon, refusing: Path
) -> None:
    """What is nowhere else is kept in memory."""
    daemon = adopting(start_daemon, host, refusing)
    first = Listener(daemon.socket, kinds=["call."])
    for n in range(1500):
        host.say("call.digits", None, span="east", call=f"c{n}")
    middle = first.wait("call.digits", call="c2")
    first.close()
    later = Listener(daemon.socket, after=Cursor(epoch=middle.epoch, n=middle.n), kinds=["call."])
    later.wait("call.digits", call="c1499")
    assert [event.call for event in later.events] == [f"c{n}" for n in range(3, 1500)]
    later.close()


def test_a_host_of_protocol_1_is_told_before_it_falls_silent(
    host: ScriptedHost, start_daemon: StartDaemon, refusing: Path
) -> None:
    host.protocol = 1
    adopting(start_daemon, host, refusing)
    for _ in range(1000):
        host.say("span.status", host.span_state("east"), span="east")
    committed = host.asked("Commit")
    assert (committed.durable, committed.n) == (True, 1000)
