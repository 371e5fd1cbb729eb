# SPDX-License-Identifier: GPL-2.0-or-later
"""The line host's process: `dahdi-py line-host NAME --config PATH`."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import resource
import signal
import socket
import sys
import tomllib
from pathlib import Path

from dahdi_py.backends.base import Backend
from dahdi_py.backends.kernel import KernelBackend
from dahdi_py.backends.sim import SimBackend
from dahdi_py.core.cause import TEMPORARY_FAILURE
from dahdi_py.core.config import Config
from dahdi_py.core.config_file import parse
from dahdi_py.errors import ConfigError, DahdiPyError
from dahdi_py.linehost.control import Control
from dahdi_py.linehost.host import LineHost
from dahdi_py.linehost.journal import Journal
from dahdi_py.wire.messages.host import INTERFACE
from dahdi_py.wire.places import card_socket, host_socket, state_directory
from dahdi_py.wire.server import Limits, Peer, Server

log = logging.getLogger("dahdi_py.linehost")

_LIMITS = Limits(at_a_turn=1024, under_way=1 << 20, under_way_of_user=1 << 20)
"""The daemon speaks for many clients, and bounds what each of them has under way."""

GC_THRESHOLDS = (20_000, 20, 20)
"""Collect seldom: calls make no cycles, and what is collected in the middle of a turn delays it."""


def run(name: str, config_path: str | os.PathLike[str], run_directory: str | os.PathLike[str]) -> int:
    """The line host has run until it was stopped; returns the exit code.

    It leads a session of its own, so that no signal meant for whoever started it reaches it.
    """
    logging.basicConfig(
        stream=sys.stderr, level=os.environ.get("DAHDI_PY_LOG", "INFO").upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )  # fmt: skip
    with contextlib.suppress(PermissionError):  # already the leader of its session
        os.setsid()
    # Each leased channel takes a descriptor.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        asyncio.run(serve(name, _read(Path(config_path)), Path(run_directory)))
    except DahdiPyError as error:
        log.error("%s", error)
        return 1
    return 0


def _read(path: Path) -> Config:
    try:
        return parse(tomllib.loads(path.read_text()))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", where=str(path)) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}", where=str(path)) from None


async def serve(name: str, config: Config, run_directory: Path) -> None:
    """The line host has served its socket until it was stopped.

    Raises:
        ConfigError: No such host is configured, or its socket or journal cannot be made.
        SocketBusy: It runs already.
    """
    if name not in {host.name for host in config.hosts}:
        known = ", ".join(host.name for host in config.hosts) or "none"
        raise ConfigError(f"hosts: no line host is called {name!r}; configured: {known}", where="hosts")
    loop = asyncio.get_running_loop()
    path = host_socket(run_directory, name)
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    control: Control | None = None

    def disconnected(peer: Peer) -> None:
        if control is not None:
            control.disconnected(peer)

    # First of all: its lock keeps a second process of this host from everything else.
    server = Server(loop, path, limits=_LIMITS, on_disconnect=disconnected, receive_fds=True)
    try:
        host = _make(name, config, run_directory)
        try:
            control = Control(host, config.service.linger_s)
            server.register(INTERFACE, control.handlers())
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, host.stop, TEMPORARY_FAILURE, "line host stopped")
            host.begin()
            gc.collect()
            gc.freeze()
            gc.set_threshold(*GC_THRESHOLDS)
            _tell_ready()
            log.info("line host %s, start %d, ready on %s", name, host.start, path)
            await host.done.wait()
        finally:
            control = None
            server.close()
            await host.close()
    finally:
        server.close()
    log.info("line host %s ended", name)


def _make(name: str, config: Config, run_directory: Path) -> LineHost:
    state = Path(config.service.state) if config.service.state else state_directory(run_directory)
    path = state / "hosts" / f"{name}.journal"
    try:
        journal = Journal(path, calls=config.service.journal)
    except OSError as error:  # of a write or a sync it names no file
        raise ConfigError(
            f"service.state: {error.filename or path}: {error.strerror}: the line host starts when its start number is "
            f"written to {path}: make room there, or name another directory",
            where="service.state",
        ) from None
    return LineHost(name, config, lambda card: _backend(config, card, run_directory), journal)


def _backend(config: Config, name: str, run_directory: Path) -> Backend:
    card = config.card(name)
    if card.kind == "dahdi":
        return KernelBackend(name, card.dynamic)
    alone = sum(each.kind == "sim" for each in config.cards) == 1
    return SimBackend(name, card_socket(run_directory, "" if alone else name))


def _tell_ready() -> None:
    """Systemd, if it started us, knows that we serve. Source: sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, contextlib.suppress(OSError):
        notify.connect("\0" + address[1:] if address.startswith("@") else address)
        notify.send(b"READY=1")
