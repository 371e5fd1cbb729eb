# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dahdi_py.wire.messages.common import Cursor
from tests.daemon.pair import Pair
from tests.daemon.process import TWO_HOSTS, DaemonProcess, Listener
from tests.daemon.scripted_host import ScriptedHost

StartDaemon = Callable[..., DaemonProcess]
StartHost = Callable[..., ScriptedHost]


@pytest.fixture
def start_daemon(run_dir: Path) -> Iterator[StartDaemon]:
    """Starts a daemon of two hosts, with lines added to sections of its configuration."""
    started: list[DaemonProcess] = []

    def start(service: str = "", access: str = "", calls: str = "", wait: bool = True, more: str = "") -> DaemonProcess:
        config = TWO_HOSTS.format(service=service, access=access, calls=calls) + more
        started.append(DaemonProcess(run_dir, config).start(wait))
        return started[-1]

    yield start
    for daemon in started:
        daemon.end()


@pytest.fixture
def start_host(run_dir: Path) -> Iterator[StartHost]:
    """Starts a scripted host: a with span east, b with span west."""
    started: list[ScriptedHost] = []

    def start(name: str = "a", span: str = "east", start: int = 1, kernel: bool = False) -> ScriptedHost:
        started.append(ScriptedHost(run_dir, name, [span], start, kernel))
        return started[-1]

    yield start
    for host in started:
        host.close()


@pytest.fixture
def host(start_host: StartHost) -> ScriptedHost:
    """Host a, running before the daemon."""
    return start_host()


@pytest.fixture
def daemon(host: ScriptedHost, start_daemon: StartDaemon) -> DaemonProcess:
    """A daemon that has adopted host a and told so: what a test hears from now on is its own doing."""
    started = start_daemon()
    host.asked("Ready")
    beginning = Listener(started.socket, after=Cursor(epoch=0, n=0))
    beginning.wait("host.up", host="a")
    beginning.wait("daemon.ready")
    beginning.close()
    return started


@pytest.fixture
def start_pair(start_daemon: StartDaemon, start_host: StartHost) -> Iterator[Callable[..., Pair]]:
    """Starts a daemon of two hosts of one group, and a core."""
    started: list[Pair] = []

    def start(**sections: str) -> Pair:
        started.append(Pair(start_daemon, start_host, **sections))
        return started[-1]

    yield start
    for pair in started:
        pair.close()


@pytest.fixture
def pair(start_pair: Callable[..., Pair]) -> Pair:
    """One as it comes."""
    return start_pair()
