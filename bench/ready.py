# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a service is without a daemon when its daemon was killed and is started again at once."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.service import configuration, running
from dahdi_py.client import Client
from dahdi_py.errors import DahdiPyError

KILLS = 100
LEASES = 64
_LIMIT_S = 60.0


@dataclass(frozen=True)
class Figure:
    """From the start of the process to the first answer that it is ready, s."""

    p50_s: float
    p99_s: float


def measure() -> Figure:
    """So many kills of a daemon of 32 spans on two hosts, leases held; each time they are reclaimed."""
    config = configuration(16, journal=True, hosts=2)
    took: list[float] = []
    with (
        tempfile.TemporaryDirectory(prefix="bench") as directory,
        running(Path(directory) / "run", config) as service,
        ExitStack() as connections,
    ):
        client = connections.enter_context(Client(service.socket, resume=False))
        tokens = [client.allocate(group="all", open=False).token for _ in range(LEASES)]
        for _ in range(KILLS):
            service.daemon.kill()
            service.daemon.wait()
            connections.close()
            began = time.monotonic()
            service.begin()
            client = connections.enter_context(_ready(service.socket))
            took.append(time.monotonic() - began)
            for token in tokens:
                client.reclaim(token)
    took.sort()
    return Figure(took[len(took) // 2], took[-1 - len(took) // 100])


def _ready(socket: str) -> Client:
    deadline = time.monotonic() + _LIMIT_S
    while time.monotonic() < deadline:
        with suppress(DahdiPyError), ExitStack() as unless_ready:
            client = unless_ready.enter_context(Client(socket, resume=False))
            if client.status().ready:
                unless_ready.pop_all()
                return client
        time.sleep(0.002)
    raise TimeoutError(f"no daemon serves after {_LIMIT_S:.0f} s")
