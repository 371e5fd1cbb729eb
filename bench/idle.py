# SPDX-License-Identifier: GPL-2.0-or-later
"""What an idle daemon and its hosts cost with 32 spans up, the card apart."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.machine import cpu_ns
from bench.service import configuration, running
from dahdi_py.client import Client

SETTLE_S = 15.0
WATCH_S = 20.0


@dataclass(frozen=True)
class Figure:
    """Share of one core, per cent."""

    daemon: float
    hosts: float


def measure() -> Figure:
    """CPU of daemon and hosts over a quiet while, D-channels up."""
    config = configuration(16, journal=True, hosts=2)
    with tempfile.TemporaryDirectory(prefix="bench") as directory, running(Path(directory) / "run", config) as service:
        with Client(service.socket) as client:
            hosts = [host.pid for host in client.hosts()]
        time.sleep(SETTLE_S)
        before = cpu_ns(service.daemon.pid), sum(cpu_ns(pid) for pid in hosts)
        time.sleep(WATCH_S)
        after = cpu_ns(service.daemon.pid), sum(cpu_ns(pid) for pid in hosts)
    return Figure(*((b - a) / 1e7 / WATCH_S for a, b in zip(before, after, strict=True)))
