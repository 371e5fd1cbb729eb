# SPDX-License-Identifier: GPL-2.0-or-later
"""The machine a figure was taken on, and what processes cost on it."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

CORE = 0
"""Everything that is measured runs on this core: across cores a round trip has several speeds."""


def pinned(command: list[str]) -> list[str]:
    """The command, to run on the measuring core alone."""
    return ["taskset", "-c", str(CORE), *command]


def cpu_ns(pid: int) -> int:
    """CPU time of all threads of a process since its start, ns."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total


def rss_kib(pid: int) -> int:
    """Resident memory of a process, KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def children(pid: int) -> list[int]:
    """Direct children of a process."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def describe() -> str:
    """One line: date, processor, cores, kernel, Python, load."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    software = f"Linux {platform.release()} · Python {platform.python_version()}"
    return f"{now} · {model}, {os.cpu_count()} cores · {software} · load {load}"
