# SPDX-License-Identifier: GPL-2.0-or-later
"""A private service to measure: a configuration of many spans, its processes, its end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.machine import pinned
from dahdi_py.client import Client
from dahdi_py.errors import DahdiPyError

COMMAND = [sys.executable, "-m", "dahdi_py.cli"]
START_S = 60.0


def configuration(pairs: int, *, journal: bool, audit: bool = True, hosts: int = 1, own_only: bool = False) -> str:
    """A simulated card of 2 x `pairs` E1 ports, port n cabled to n + pairs, split over so many hosts.

    Args:
        own_only: Configure only the first end of each pair; the bench itself drives the other.
    """
    ports = 2 * pairs
    lines = [
        f"[service]\nname = 'bench'\njournal = {str(journal).lower()}\naudit = {str(audit).lower()}\nlinger_s = 600",
        "[[cards]]\nname = 'sim'\nkind = 'sim'",
        f"ports = {['E1'] * ports}",
        f"cables = {[[n, n + pairs] for n in range(1, pairs + 1)]}",
        *(f"[[hosts]]\nname = 'h{n}'" for n in range(hosts)),
    ]
    for port in range(1, (pairs if own_only else ports) + 1):
        node = "cpe" if port <= pairs else "network"
        lines.append(
            f"[[spans]]\nname = 's{port}'\ncard = 'sim'\nhost = 'h{(port - 1) * hosts // ports}'\nport = '{port}'\n"
            f"type = 'E1'\nframing = 'ccs'\ncoding = 'hdb3'\ncrc4 = true\nswitch_type = 'euroisdn'\nnode = '{node}'"
        )
    members = [f"s{port}" for port in range(1, pairs + 1)]
    lines.append(f"[[groups]]\nname = 'all'\nspans = {members}")
    return "\n".join(lines) + "\n"


@dataclass
class Running:
    """A service's socket, directory and daemon process."""

    directory: Path
    socket: str
    daemon: subprocess.Popen[bytes]

    def pids(self) -> dict[str, int]:
        """The process ids by role: daemon, host (the first), card."""
        with Client(self.socket) as client:
            host = client.hosts()[0].pid
        lock = (self.directory / "card.sock.lock").read_text()
        return {"daemon": self.daemon.pid, "host": host, "card": int(lock)}

    def begin(self) -> None:
        """A daemon has been started again."""
        self.daemon = _daemon(self.directory)


def environment(directory: Path) -> dict[str, str]:
    """Our environment, with the service's own socket."""
    return {**os.environ, "DAHDI_PY_SOCKET": str(directory / "control.sock")}


@contextmanager
def running(directory: Path, config: str, *, far_ends: bool = True) -> Iterator[Running]:
    """A ready service, pinned; stopped whole afterwards.

    Args:
        far_ends: Every D-channel has its far end, and is waited for.
    """
    directory.mkdir(mode=0o700, exist_ok=True)
    (directory / "config.toml").write_text(config)
    service = Running(directory, str(directory / "control.sock"), _daemon(directory))
    try:
        wait_until_ready(service.socket, far_ends=far_ends)
        yield service
    finally:
        with suppress(DahdiPyError), Client(service.socket) as client:
            client.stop_daemon(service=True)
        with suppress(subprocess.TimeoutExpired):
            service.daemon.wait(30)
        service.daemon.kill()


def _daemon(directory: Path) -> subprocess.Popen[bytes]:
    command = pinned([*COMMAND, "daemon", "--config", str(directory / "config.toml")])
    with (directory / "daemon.log").open("ab") as log:
        return subprocess.Popen(command, env=environment(directory), stderr=log, stdout=log)


def wait_until_ready(socket: str, *, far_ends: bool = True) -> None:
    """Returns when every span is there, and (with far ends) every D-channel up."""
    deadline = time.monotonic() + START_S
    while True:
        with suppress(DahdiPyError), Client(socket) as client:
            spans = client.spans()
            if spans and all(span.dchannel == "up" if far_ends else span.description for span in spans):
                return
        if time.monotonic() > deadline:
            raise TimeoutError(f"the service is not ready after {START_S:.0f} s; see {Path(socket).parent}")
        time.sleep(0.2)
