# SPDX-License-Identifier: GPL-2.0-or-later
"""Eight clients lease channels of one service while they pause, die and come back; then their stories are compared."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import pytest

from tests.service import history, lease_client
from tests.service.service import Service, running, service_used, until

CLIENTS = 8
SPANS = "t1-user,t1-network"
LIMIT_S = 900


@dataclass
class Life:
    """One client, through all its processes."""

    number: int
    log: Path
    wanted: int
    process: subprocess.Popen[bytes] | None = None
    lives: int = 0
    paused: bool = False
    deaths: dict[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.number}.{self.lives}"

    def done(self) -> int:
        return self.log.read_bytes().count(b'"ok"') if self.log.exists() else 0

    def begin(self, socket: str) -> None:
        """It lives again, and remembers the last tokens of its life before."""
        tokens = [each.token for each in lease_client.read(self.log.read_bytes())][-8:] if self.log.exists() else []
        self.lives += 1
        left = max(1, self.wanted - self.done())
        arguments = [socket, str(self.log), self.name, str(random.getrandbits(32)), str(left), SPANS]
        command = [sys.executable, "-m", "tests.service.lease_client", *arguments, *filter(None, tokens)]
        self.process = subprocess.Popen(command, cwd=Path(__file__).parents[2])

    def pause(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT if self.paused else signal.SIGSTOP)
        self.paused = not self.paused

    def die(self) -> None:
        assert self.process is not None
        self.deaths[self.name] = time.monotonic_ns()
        self.process.kill()
        self.process.wait(60)
        self.paused = False

    def over(self) -> bool:
        """It has done all it was to do."""
        assert self.process is not None
        code = self.process.poll()
        assert code in (None, 0, -signal.SIGKILL), f"client {self.name} ended with {code}"
        return code == 0


def live(service: Service, where: Path, operations: int, seed: int) -> list[Life]:
    """All of it is done by eight clients, of whom now one pauses, now one dies and comes back."""
    chance = random.Random(seed)
    random.seed(seed)
    lives = [Life(n, where / f"client-{n}.log", operations // CLIENTS) for n in range(CLIENTS)]
    deadline = time.monotonic() + max(LIMIT_S, operations / 100)
    try:
        for each in lives:
            each.begin(service.socket)
        while unfinished := [each for each in lives if not each.over()]:
            assert time.monotonic() < deadline, f"too slow: {[each.done() for each in lives]}"
            victim = chance.choice(unfinished)
            if chance.random() < 0.2:
                victim.die()
                victim.begin(service.socket)
            else:
                victim.pause()
            time.sleep(chance.uniform(0.02, 0.25))  # what happens meanwhile is the point
            for each in unfinished:
                if each.paused and chance.random() < 0.5:
                    each.pause()
    finally:
        for each in lives:
            if each.process is not None and each.process.poll() is None:
                each.process.kill()
                each.process.wait(60)
    return lives


def prove(where: Path, operations: int, seed: int) -> None:
    config = files("dahdi_py").joinpath("embedded.toml").read_text()
    with running(where, config) as service:
        lives = live(service, where, operations, seed)
        until("all channels are idle", lambda: service_used(service) == 0)
    told = [each for life in lives for each in lease_client.read(life.log.read_bytes())]
    deaths = {name: at for life in lives for name, at in life.deaths.items()}
    wrong = history.violations(told, deaths)
    assert not wrong, "\n".join([f"seed {seed}: {len(wrong)} violations", *wrong[:20]])
    results = {(each.name, each.result) for each in told}
    assert len(told) >= operations
    assert deaths
    assert {("allocate", "ok"), ("open", "ok"), ("open", "stale"), ("release", "ok"), ("release", "stale")} <= results


@pytest.mark.timeout(LIMIT_S + 60)
@pytest.mark.usefixtures("uncounted")
def test_no_channel_has_two_owners_in_100_000_operations(run_dir: Path) -> None:
    prove(run_dir, 100_000, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(10 * LIMIT_S + 60)
def test_no_channel_has_two_owners_in_1_000_000_operations(run_dir: Path) -> None:
    prove(run_dir, 1_000_000, seed=2)
