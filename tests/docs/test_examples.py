# SPDX-License-Identifier: GPL-2.0-or-later
"""The examples: a core in Python, a core in C, each short, each run against the service."""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from dahdi_py.cli.audio import Direction, exchange
from dahdi_py.client import Channel, Client, Event, EventStream, MediaRequest
from tests.system.foreground import ECHO_CORE, ROOT, Foreground, foreground

EXAMPLES = ROOT / "docs/examples"
DEEP = MediaRequest(depth=32)
"""Room for the pauses of a loaded machine."""


@pytest.mark.parametrize(
    ("name", "longest"),
    [("echo_core.py", 120), ("click_to_call.py", 120), ("ivr.py", 120), ("tandem.py", 120), ("core.c", 350)],
)
def test_an_example_is_short(name: str, longest: int) -> None:
    assert len((EXAMPLES / name).read_text().splitlines()) < longest


@pytest.mark.parametrize("name", ["echo_core.py", "click_to_call.py", "ivr.py", "tandem.py"])
def test_an_example_needs_the_client_only(name: str) -> None:
    lines = (EXAMPLES / name).read_text().splitlines()
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


def test_a_core_in_c_leases_channels_and_moves_audio(core_in_c: Path, run_dir: Path) -> None:
    with foreground(run_dir, "--embedded") as service:
        for near, far in (("1", "2"), ("4", "3")):
            done = subprocess.run(
                [core_in_c, service.socket, "loop", near, far, "5"],
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
            assert done.returncode == 0, done.stderr
            assert "16000 octets (2 s)" in done.stdout
            assert "complete and in order" in done.stdout
        refused = subprocess.run(
            [core_in_c, service.socket, "loop", "9", "2", "5"], capture_output=True, text=True, check=False, timeout=60
        )
        assert refused.returncode == 1
        assert "org.dahdipy.NotFound" in refused.stderr

        def reserved() -> list[str]:
            busy = json.loads(service.command("channels", "list", "--busy", "--json").stdout)
            return [channel for channel in busy["channels"] if channel["phase"] == "reserved"]

        wait_for(lambda: reserved() == [])


def test_a_core_in_c_takes_offers_and_follows_events(core_in_c: Path, run_dir: Path) -> None:
    with foreground(run_dir, "--embedded") as service, Client(service.socket) as client:
        command = [str(core_in_c), str(service.socket), "echo", "2150", "2"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as program:
            try:
                wait_for(lambda: any(group.serving for group in client.groups()))
                for cause in (16, 17):
                    with client.events(kinds=["call."]) as events:
                        placed = client.place("2150", span="e1-user")
                        next(event for event in events if event.call == placed.call and event.kind == "call.answered")
                    channel = client.open(placed.token, media=DEEP)
                    exchange([Direction("there and back", channel.fileno(), channel.fileno(), 8000, 160, 0)], 20)
                    client.hangup(placed.call, cause=cause)
                    channel.close()
                    wait_for(lambda: not client.calls())
                said = program.communicate(timeout=60)[0]
            finally:
                program.kill()
        assert program.returncode == 0, said
        assert [line.rpartition(", ")[2] for line in said.splitlines() if "ended" in line] == ["cause 16", "cause 17"]


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
        channel = client.open(placed.token, media=DEEP)
        exchange([Direction("there and back", channel.fileno(), channel.fileno(), 8000, 160, 0)], 20)
        client.hangup(placed.call)
        service.wait_until("ended: normal call clearing")
        limit = time.monotonic() + 20
        while client.calls() and time.monotonic() < limit:
            next(events)
        assert client.calls() == []


def run_example(service: Foreground, *arguments: str) -> subprocess.Popen[str]:
    """An example program under way, in a terminal of its own."""
    command = [sys.executable, "-u", str(EXAMPLES / arguments[0]), *arguments[1:]]
    return subprocess.Popen(
        command, env=service.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def ended(program: subprocess.Popen[str]) -> str:
    """All it said; it is asked to stop first."""
    program.send_signal(signal.SIGINT)
    return program.communicate(timeout=60)[0]


def wait_for(found: Callable[[], bool], limit_s: float = 60) -> None:
    limit = time.monotonic() + limit_s
    while not found():
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_the_answering_machine_plays_and_records(run_dir: Path) -> None:
    recordings = run_dir / "recordings"
    recordings.mkdir()
    with foreground(run_dir, "--embedded") as service, Client(service.socket) as client:
        program = run_example(service, "ivr.py", "2100", str(recordings), "1")
        try:
            wait_for(lambda: any(group.serving for group in client.groups()))
            with client.events(kinds=["call."]) as events:
                placed = client.place("2100", span="e1-user", calling="1234")
                next(event for event in events if event.call == placed.call and event.kind == "call.answered")
                channel = client.open(placed.token)
                heard = bytearray()
                for event in _talking(channel, heard, events, placed.call):
                    if event.kind == "call.ended":
                        break
            channel.close()
        finally:
            said = ended(program)
        assert len(set(heard)) > 20, "the prompt was not heard"
        assert "recorded 1.0 s of 1234" in said, said
        (path,) = recordings.glob("*.wav")
        header = path.read_bytes()[:58]
        assert header[:4] == b"RIFF"
        assert header[8:16] == b"WAVEfmt "
        assert int.from_bytes(header[20:22], "little") == 6
        assert b"message" in path.read_bytes().replace(b"\xd5", b"")


def _talking(channel: Channel, heard: bytearray, events: EventStream, call: str) -> Iterator[Event]:
    """Says `message` over and over, and hears what comes, until the next event of the call."""
    stop = threading.Event()

    def talk() -> None:
        while not stop.is_set():
            select.select([channel], [], [], 0.5)
            with suppress(BlockingIOError):
                heard.extend(channel.read())
                channel.write(b"message" * 22 + b"\xd5" * 6)

    speaker = threading.Thread(target=talk)
    speaker.start()
    try:
        yield from (event for event in events if event.call == call)
    finally:
        stop.set()
        speaker.join()
