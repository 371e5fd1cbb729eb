# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from dahdi_py.daemon.notify import Notify
from dahdi_py.daemon.supervisor import LOG_OCTETS, Process

SERVE = """
import os, socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.bind(sys.argv[1])
sock.listen()
while True:
    sock.accept()
"""


class Supervised:
    """A process that serves a socket, supervised; what came of it."""

    def __init__(self, directory: Path, command: list[str] | None) -> None:
        self.path = directory / "served.sock"
        self.exits = 0
        self.connected = asyncio.Event()
        self.exited = asyncio.Event()
        self.held: list[socket.socket] = []
        loop = asyncio.get_running_loop()
        self.process = Process(loop, "served", command, directory / "served.log", self.connect, self.on_exit)

    def connect(self) -> int | None:
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(str(self.path))
        except OSError:
            sock.close()
            return None
        self.held.append(sock)
        self.connected.set()
        return int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4), sys.byteorder)

    def on_exit(self) -> None:
        self.exits += 1
        self.path.unlink(missing_ok=True)
        self.exited.set()

    async def close(self) -> None:
        self.process.stop()
        self.process.kill(signal.SIGKILL)
        if self.process.pid:
            await self.process.gone
        self.process.close()
        for sock in self.held:
            sock.close()


def serving(path: Path) -> subprocess.Popen[bytes]:
    """A process that serves the socket, started by somebody else."""
    return subprocess.Popen([sys.executable, "-c", SERVE, str(path)])


def run(test: Callable[[Path], Coroutine[None, None, None]], directory: Path) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test(directory)

    asyncio.run(bounded())


def test_what_dies_is_started_again_and_what_runs_is_left(run_dir: Path) -> None:
    async def scenario(directory: Path) -> None:
        command = [sys.executable, "-c", SERVE, str(directory / "served.sock")]
        supervised = Supervised(directory, command)
        assert not supervised.process.tend()
        await supervised.connected.wait()
        first = supervised.process.pid
        assert os.getsid(first) == first
        supervised.connected.clear()
        os.kill(first, signal.SIGKILL)
        await supervised.exited.wait()
        assert "SIGKILL" in supervised.process.problem
        await supervised.connected.wait()
        assert supervised.process.pid != first
        assert supervised.process.restarts == 1
        assert supervised.process.problem == ""
        await supervised.close()

    run(scenario, run_dir)


def test_a_running_process_is_adopted_and_its_end_seen(run_dir: Path) -> None:
    async def scenario(directory: Path) -> None:
        supervised = Supervised(directory, None)
        assert not supervised.process.tend()
        assert "systemd" in supervised.process.problem
        other = serving(supervised.path)
        await supervised.connected.wait()
        assert supervised.process.pid == other.pid
        other.kill()
        other.wait()
        await supervised.exited.wait()
        await supervised.close()

    run(scenario, run_dir)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["/no/such/program"], "cannot be started"),
        ([sys.executable, "-c", "raise SystemExit('out of cheese')"], "out of cheese"),
    ],
)
def test_what_cannot_run_says_why_and_is_tried_ever_slower(run_dir: Path, command: list[str], says: str) -> None:
    async def scenario(directory: Path) -> None:
        supervised = Supervised(directory, command)
        supervised.process.tend()
        if says == "cannot be started":
            assert says in supervised.process.problem
        else:
            for _ in range(3):
                await supervised.exited.wait()
                supervised.exited.clear()
                assert says in supervised.process.problem
            assert supervised.process.restarts >= 2
        await supervised.close()

    run(scenario, run_dir)


def test_a_log_stays_small(run_dir: Path) -> None:
    async def scenario(directory: Path) -> None:
        supervised = Supervised(directory, None)
        log = directory / "served.log"
        with log.open("ab") as writer:
            for number in range(60_000):
                writer.write(b"line %d of a process that talks a lot\n" % number)
            writer.flush()
            supervised.process.bound_log()
            writer.write(b"the newest\n")
        text = log.read_bytes()
        assert len(text) < LOG_OCTETS // 2
        assert text.endswith(b"line 59999 of a process that talks a lot\nthe newest\n")
        assert text.startswith(b"line ")
        await supervised.close()

    run(scenario, run_dir)


def test_systemd_is_told_when_it_asked(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(run_dir / "notify"))
        manager.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(run_dir / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "4000000")
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
        notify = Notify()
        notify.tell(READY=1, STATUS="2 line hosts")
        assert manager.recv(100) == b"READY=1\nSTATUS=2 line hosts"
        assert notify.watchdog_s == 4.0
        assert "NOTIFY_SOCKET" not in os.environ
    Notify().tell(READY=1)
