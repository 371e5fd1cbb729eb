# SPDX-License-Identifier: GPL-2.0-or-later
"""An operator drains and locks what carries calls, and sees the far end's side of it."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from tests.daemon.process import Client, eventually
from tests.system.foreground import ECHO_CORE, Foreground, foreground
from tests.system.test_following import follow, read_until


def run(service: Foreground, *words: str, code: int = 0) -> str:
    done = service.command(*words)
    assert done.returncode == code, f"{words}: {done.returncode} {done.stdout}{done.stderr}"
    return done.stdout if code == 0 else done.stderr


def call(service: Foreground, span: str) -> subprocess.Popen[str]:
    """A call in the foreground that is answered by the echo core."""
    placed = follow(service, "calls", "place", "2001", "--span", span)
    read_until(placed, "answered")
    return placed


def hang_up(placed: subprocess.Popen[str]) -> None:
    placed.send_signal(signal.SIGINT)
    placed.communicate(timeout=60)
    assert placed.returncode == 0


def test_a_span_is_drained_while_a_call_is_up(run_dir: Path) -> None:
    with foreground(run_dir, "--embedded", "--", *ECHO_CORE) as service:
        placed = call(service, "1")
        said = run(service, "spans", "drain", "1", "--reason", "works")
        assert said.startswith("span 1 is shutting down, 1 channel busy; the event administration.empty tells")
        assert "cause 44 when it insists" in said
        assert "works" in run(service, "channels", "show", "1", "5")
        refused = run(service, "calls", "place", "2001", "--span", "1", code=4)
        assert "locked" in refused or "busy" in refused
        waiting = follow(service, "spans", "drain", "1", "--reason", "works", "--wait")
        read_until(waiting, "1 channel busy")
        hang_up(placed)
        _, messages = waiting.communicate(timeout=60)
        assert (waiting.returncode, messages) == (0, "span 1 is empty\n")
        assert run(service, "spans", "unlock", "1") == "span 1 is unlocked.\n"
        hang_up(call(service, "1"))


def test_locking_what_is_busy_needs_force_and_ni2_is_told_by_service(run_dir: Path) -> None:
    with foreground(run_dir, "--embedded", "--", *ECHO_CORE) as service:
        placed = call(service, "3")
        assert "drain it and wait, or lock it with force" in run(
            service, "groups", "lock", "t1-user", "--reason", "fraud", code=4
        )
        assert "Missing option '--reason'" in run(service, "hosts", "lock", "sim", code=2)
        said = run(service, "spans", "lock", "t1-user", "--reason", "works", "--force")
        assert "the far end is told by SERVICE" in said
        placed.communicate(timeout=60)
        with Client(service.socket) as client:
            eventually(lambda: {one.disabled for one in client.channels("t1-network")} == {"remote_oos"})
            run(service, "spans", "unlock", "3")
            eventually(lambda: {one.disabled for one in client.channels("t1-network")} == {""})
        hang_up(call(service, "3"))
