# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands that follow the service, and the shell that completes its names."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.system.foreground import COMMAND, ECHO_CORE, Foreground, foreground


def follow(service: Foreground, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments],
        env=service.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def a_call(service: Foreground) -> str:
    placed = service.command("calls", "place", "2001", "--span", "1", "--detach", "3s")
    assert placed.returncode == 0, placed.stderr
    return placed.stdout.strip()


def read_until(process: subprocess.Popen[str], words: str, limit_s: float = 60) -> list[str]:
    assert process.stdout is not None
    lines: list[str] = []
    limit = time.monotonic() + limit_s
    while time.monotonic() < limit:
        lines.append(process.stdout.readline())
        if words in lines[-1] or not lines[-1]:
            break
    assert words in lines[-1], lines
    return lines


def interrupt(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in messages


def test_spans_are_watched_in_a_pipe_a_line_a_change(run_dir: Path) -> None:
    with foreground(run_dir, "--embedded", "--", *ECHO_CORE) as service:
        watching = follow(service, "spans", "watch")
        first = read_until(watching, "span 4")
        assert len(first) == 4
        a_call(service)
        assert "span 1 e1-user" in read_until(watching, "CH 1/30/30")[-1]
        read_until(watching, "CH 0/30/30")
        interrupt(watching)


def test_events_are_followed_from_a_cursor(run_dir: Path) -> None:
    with foreground(run_dir, "--embedded", "--", *ECHO_CORE) as service:
        cursor = json.loads(service.command("api", "call", "Events.Position").stdout)["cursor"]
        call = a_call(service)
        after = f"{cursor['epoch']}:{cursor['n']}"
        monitoring = follow(service, "api", "monitor", "--kinds", "call.", "--json", "--after", after)
        own = [json.loads(line) for line in read_until(monitoring, '"kind":"call.ended"')]
        read_until(monitoring, '"kind":"call.ended"')
        interrupt(monitoring)
        first, second = [event for event in own if event["call"] == call][:2]
        # The one comes of what the host tells, the other of its answer, each by a connection of its own.
        assert {first["kind"], second["kind"]} == {"call.attempt", "call.placed"}
        assert all(event["utc"].endswith("Z") for event in own)
        again = follow(service, "api", "monitor", "--call", call, "--after", f"{first['epoch']}:{first['n']}")
        lines = read_until(again, "call.ended")
        interrupt(again)
        assert second["kind"] in lines[0], "the event of the cursor itself is not given again"


def test_a_reader_that_has_enough_is_no_failure(run_dir: Path) -> None:
    with foreground(run_dir, "--embedded") as service:
        done = subprocess.run(
            ["bash", "-c", "dahdi-py channels | head -n 1; dahdi-py channels --json | head -c 9"],
            env=service.environment, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.stdout.splitlines()[1] == '{"channel'
        assert done.stderr == ""


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("spans show ", ["1", "2", "3", "4", "e1-user", "e1-network", "t1-user", "t1-network"]),
        ("calls place 2001 --group t", ["t1-user", "t1-network"]),
        ("hosts drain ", ["sim"]),
    ],
)
def test_a_shell_completes_names(words: str, offered: list[str], run_dir: Path) -> None:
    with foreground(run_dir, "--embedded") as service:
        typed = f"dahdi-py {words}"
        done = subprocess.run(
            COMMAND,
            env={
                **service.environment, "_DAHDI_PY_COMPLETE": "bash_complete", "COMP_WORDS": typed,
                "COMP_CWORD": str(len(typed.split(" ")) - 1),
            },
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.split() == [f"plain,{name}" for name in offered]
