# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls through the whole service: a far end in C places them, a core in C claims and answers them by the socket."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.build import program
from bench.machine import cpu_ns, pinned, rss_kib
from bench.service import Running, configuration, environment, running


@dataclass(frozen=True)
class Run:
    """What a run of calls came to.

    Attributes:
        cpu_us: CPU per call by process: daemon, host, card.
    """

    calls: int
    seconds: float
    failed: int
    cpu_us: dict[str, float]

    @property
    def rate(self) -> float:
        """Calls a second."""
        return self.calls / self.seconds


@contextmanager
def service(spans: int, *, journal: bool) -> Iterator[Running]:
    """A service of so many spans, whose far ends are the bench's, with a core that takes every call."""
    config = configuration(spans, journal=journal, own_only=True)
    with (
        tempfile.TemporaryDirectory(prefix="bench") as directory,
        running(Path(directory) / "run", config, far_ends=False) as up,
        subprocess.Popen(pinned([program("calls_core"), up.socket]), start_new_session=True) as core,
    ):
        try:
            yield up
        finally:
            core.terminate()


class FarEnd:
    """Places calls on every span of the service.

    Args:
        in_flight: On each span at once, at most.
        rate: Calls a second over all spans; 0 for as many as go.
    """

    def __init__(self, up: Running, spans: int, calls: int, in_flight: int, rate: int = 0) -> None:
        ports = f"{spans + 1}-{2 * spans}"
        command = [program("calls_peer"), str(up.directory / "card.sock"), ports, str(calls), str(in_flight)]
        self._peer = subprocess.Popen(
            pinned([*command, str(rate)] if rate else command), stdout=subprocess.PIPE, text=True,
            env=environment(up.directory),
        )  # fmt: skip
        if self._line() != "up":
            raise RuntimeError(f"D-channels did not come up; see {up.directory}")
        self.pids = up.pids()
        self._before = {name: cpu_ns(pid) for name, pid in self.pids.items()}

    def _line(self) -> str:
        assert self._peer.stdout is not None
        return self._peer.stdout.readline().strip()

    def done(self) -> int:
        """Calls that are over until now."""
        self._peer.send_signal(signal.SIGUSR1)
        return int(self._line().split()[0])

    def rss(self) -> dict[str, int]:
        """Resident memory by process, KiB."""
        return {name: rss_kib(pid) for name, pid in self.pids.items()}

    def finish(self) -> Run:
        """Every call is over."""
        calls, seconds, failed = self._line().split()
        cpu = {name: (cpu_ns(pid) - self._before[name]) / 1e3 / int(calls) for name, pid in self.pids.items()}
        self.close()
        return Run(int(calls), float(seconds), int(failed), cpu)

    def close(self) -> None:
        """It places no more."""
        self._peer.terminate()
        self._peer.wait(15)
        if self._peer.stdout is not None:
            self._peer.stdout.close()


def busy(spans: int, in_flight: int, calls: int, *, journal: bool) -> Run:
    """As many calls as go."""
    with service(spans, journal=journal) as up:
        FarEnd(up, spans, calls // 10, in_flight).finish()
        return FarEnd(up, spans, calls, in_flight).finish()


def paced(spans: int, rate: int, seconds: int) -> Run:
    """So many calls a second for so long, journal and audit on."""
    with service(spans, journal=True) as up:
        return FarEnd(up, spans, rate * seconds, 30, rate).finish()


@dataclass(frozen=True)
class Memory:
    """Resident memory of each process after so many calls, KiB, and how much it had grown by the end, per cent.

    Attributes:
        run: The calls in between.
        unlike: Records of calls that did not end as the far end ended them: cause, cleared by, why, how many, the first
            and the last start (UTC, s).
    """

    early: dict[str, int]
    late: dict[str, int]
    run: Run
    unlike: list[tuple[int, str, str, int, float, float]]

    def grown(self, process: str) -> float:
        """Growth of a process, per cent."""
        return 100 * (self.late[process] / self.early[process] - 1)


def memory(early: int, late: int, *, spans: int = 16, rate: int = 400) -> Memory:
    """What the processes hold after `early` calls and after `late` ones, journal on.

    Args:
        rate: Calls a second: fewer than go, for what waits to be written is no leak.
    """
    with service(spans, journal=True) as up:
        FarEnd(up, spans, early, 30, rate).finish()
        far = FarEnd(up, spans, late - early, 30, rate)
        before = far.rss()
        run = far.finish()
        after = {name: rss_kib(pid) for name, pid in far.pids.items() if os.path.exists(f"/proc/{pid}")}
        return Memory(before, after, run, _unlike(up.directory / "state" / "ledger.db"))


def _unlike(ledger: Path) -> list[tuple[int, str, str, int, float, float]]:
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as db:
        found = db.execute(
            "SELECT cause, cleared_by, reason, count(*), min(started_ns) / 1e9, max(started_ns) / 1e9 FROM call "
            "WHERE state = 'closed' AND cleared_by != 'peer' GROUP BY 1, 2, 3"
        )
        return list(found)
