# SPDX-License-Identifier: GPL-2.0-or-later
"""CPU of a line host's own end of a call, against epoll + libpri in C: same card, same far end, same controller."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.build import program
from bench.machine import cpu_ns, pinned
from bench.service import COMMAND, configuration, environment

WAIT_S = 60.0


@dataclass(frozen=True)
class Shape:
    """Spans at each end, calls in flight on each, calls in a run."""

    name: str
    spans: int
    in_flight: int
    calls: int


BUSY = Shape("16 spans x 30", 16, 30, 8000)
ONE = Shape("one at a time", 1, 1, 300)


@dataclass(frozen=True)
class Figure:
    """CPU per call of floor and line host, us; calls a second they ran at.

    Attributes:
        controlled_us: Of the floor and its controller.
    """

    shape: Shape
    floor_us: float
    controlled_us: float
    host_us: float
    floor_rate: float
    host_rate: float


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + WAIT_S
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path} did not appear")
        time.sleep(0.05)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(15)
    process.kill()
    process.wait()


@contextmanager
def _process(command: list[str], directory: Path, log: str) -> Iterator[subprocess.Popen[str]]:
    with (directory / log).open("a") as out:
        process = subprocess.Popen(
            pinned(command), env=environment(directory), stdout=out, stderr=out, start_new_session=True, text=True
        )
    try:
        yield process
    finally:
        _end(process)


def _run(
    directory: Path, owner: list[str], socket: Path, shape: Shape, *, is_floor: bool
) -> tuple[float, float, float]:
    """One run: the process `owner` serves ports 1..n, the far end places.

    Returns:
        CPU us a call, the same with the controller, calls a second.
    """
    card = str(directory / "card.sock")
    far = f"17-{16 + shape.spans}"
    socket.unlink(missing_ok=True)
    with _process(owner, directory, "owner.log") as measured:
        _wait_for(socket)
        controller_env = ["env", "BENCH_FLOOR=1"] if is_floor else []
        command = [*controller_env, program("calls_controller"), str(socket)]
        with _process(command, directory, "controller.log") as controller:
            peer = subprocess.Popen(
                pinned([program("calls_peer"), card, far, str(shape.calls), str(shape.in_flight)]),
                stdout=subprocess.PIPE,
                text=True,
            )
            assert peer.stdout is not None
            if peer.stdout.readline().strip() != "up":
                raise RuntimeError(f"D-channels did not come up; see {directory}")
            before = cpu_ns(measured.pid), cpu_ns(controller.pid)
            calls, seconds, failed = peer.stdout.readline().split()
            spent, controlling = cpu_ns(measured.pid) - before[0], cpu_ns(controller.pid) - before[1]
            peer.wait()
            peer.stdout.close()
            if int(failed):
                raise RuntimeError(f"{failed} of {calls} calls failed")
            return spent / 1e3 / int(calls), (spent + controlling) / 1e3 / int(calls), int(calls) / float(seconds)


def floor_rate(directory: Path, shape: Shape) -> float:
    """Calls a second between the floor and the far end, on a card of 32 E1 ports of its own."""
    config = directory / "config.toml"
    config.write_text(configuration(16, journal=False, own_only=True))
    socket = directory / "floor.sock"
    floor = [program("calls_floor"), str(directory / "card.sock"), f"1-{shape.spans}", str(socket)]
    with _process([*COMMAND, "sim-card", "sim", "--config", str(config)], directory, "card.log"):
        _wait_for(directory / "card.sock")
        _, _, rate = _run(directory, floor, socket, shape, is_floor=True)
        return rate


def measure(repetitions: int) -> list[Figure]:
    """Floor and line host in turn on one card of 32 E1 ports."""
    figures = []
    with tempfile.TemporaryDirectory(prefix="bench") as name:
        directory = Path(name)
        config = directory / "config.toml"
        config.write_text(configuration(16, journal=False, own_only=True))
        host = [*COMMAND, "line-host", "h0", "--config", str(config)]
        with _process([*COMMAND, "sim-card", "sim", "--config", str(config)], directory, "card.log"):
            _wait_for(directory / "card.sock")
            for shape in (BUSY, ONE):
                near = f"1-{shape.spans}"
                floor = [program("calls_floor"), str(directory / "card.sock"), near, str(directory / "floor.sock")]
                runs = [
                    (
                        _run(directory, floor, directory / "floor.sock", shape, is_floor=True),
                        _run(directory, host, directory / "hosts" / "h0.sock", shape, is_floor=False),
                    )
                    for _ in range(repetitions)
                ]
                figures.append(
                    Figure(
                        shape,
                        median(run[0][0] for run in runs),
                        median(run[0][1] for run in runs),
                        median(run[1][0] for run in runs),
                        median(run[0][2] for run in runs),
                        median(run[1][2] for run in runs),
                    )
                )
    return figures
