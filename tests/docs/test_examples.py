# SPDX-License-Identifier: GPL-2.0-or-later
"""The examples: a core in Python, a core in C, each short, each run against the service."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from dahdi_py.cli.audio import Direction, exchange
from dahdi_py.client import Client
from tests.system.foreground import ECHO_CORE, ROOT, foreground

EXAMPLES = ROOT / "docs/examples"


@pytest.mark.parametrize(("name", "longest"), [("echo_core.py", 120), ("core.c", 200)])
def test_an_example_is_short(name: str, longest: int) -> None:
    assert len((EXAMPLES / name).read_text().splitlines()) < longest


def test_the_echo_core_needs_the_client_only() -> None:
    lines = (EXAMPLES / "echo_core.py").read_text().splitlines()
    assert [line.split()[1] for line in lines if line.startswith(("import", "from")) and "dahdi" in line] == [
        "dahdi_py.client"
    ]


@pytest.fixture
def core_in_c(run_dir: Path) -> Path:
    built = run_dir / "core"
    command = ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(built), str(EXAMPLES / "core.c")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return built


@pytest.mark.timeout(120)
def test_a_core_in_c_leases_channels_and_moves_audio(core_in_c: Path, run_dir: Path) -> None:
    with foreground(run_dir, "--embedded") as service:
        for near, far in (("1", "2"), ("4", "3")):
            done = subprocess.run(
                [core_in_c, service.socket, near, far, "5"], capture_output=True, text=True, check=False, timeout=60
            )
            assert done.returncode == 0, done.stderr
            assert "16000 octets (2 s)" in done.stdout
            assert "complete and in order" in done.stdout
        refused = subprocess.run(
            [core_in_c, service.socket, "9", "2", "5"], capture_output=True, text=True, check=False, timeout=60
        )
        assert refused.returncode == 1
        assert "org.dahdipy.NotFound" in refused.stderr
        busy = json.loads(service.command("channels", "list", "--busy", "--json").stdout)
        assert [channel for channel in busy["channels"] if channel["phase"] == "reserved"] == []


@pytest.mark.timeout(120)
def test_the_echo_core_gives_back_what_it_hears(run_dir: Path) -> None:
    with (
        foreground(run_dir, "--embedded", "--", *ECHO_CORE) as service,
        Client(service.socket) as client,
        client.events(kinds=["call."]) as events,
    ):
        placed = client.place("2005", span="t1-user", calling="1000")
        for event in events:
            if event.call == placed.call and event.kind in ("call.answered", "call.ended"):
                assert event.kind == "call.answered"
                break
        channel = client.open(placed.token)
        exchange([Direction("there and back", channel.fileno(), channel.fileno(), 8000, 160, 0)], 20)
        client.hangup(placed.call)
        service.wait_until("ended: normal call clearing")
        limit = time.monotonic() + 20
        while client.calls() and time.monotonic() < limit:
            next(events)
        assert client.calls() == []
