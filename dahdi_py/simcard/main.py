# SPDX-License-Identifier: GPL-2.0-or-later
"""The card's process: one loop for its socket beside the clock's thread."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import resource
import signal
from collections.abc import Callable

from dahdi_py.ffi.line import Card
from dahdi_py.simcard.service import CardService
from dahdi_py.simcard.spec import CardSpec
from dahdi_py.wire.messages.card import INTERFACE
from dahdi_py.wire.server import Server

log = logging.getLogger("dahdi_py.simcard")


def main(socket_path: str | os.PathLike[str], spec: CardSpec, ready: Callable[[], None] | None = None) -> int:
    """The card has run in a session of its own until SIGTERM or SIGINT; returns the exit code.

    Args:
        socket_path: RUN/card.sock; at most 107 octets.
        ready: Called once clients can connect.

    Raises:
        SocketBusy: A card serves this socket already.
        ConfigError: The path cannot be used.
    """
    with contextlib.suppress(PermissionError):  # already the leader of its session
        os.setsid()
    # Each open channel takes a descriptor, and 128 ports have 3968 of them.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(serve(socket_path, spec, ready))
    return 0


async def serve(socket_path: str | os.PathLike[str], spec: CardSpec, ready: Callable[[], None] | None = None) -> None:
    """The card has served its socket until SIGTERM or SIGINT; lines, clock and every descriptor's far end are gone.

    Raises:
        SocketBusy: A card serves this socket already.
        ConfigError: The path cannot be used.
        Unsupported: A cable of the spec joins different line types.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with Card(spec.ports, spec.tick_ms) as card:
        service = CardService(card, spec)
        server = Server(loop, socket_path, on_disconnect=service.forget)
        server.register(INTERFACE, service.handlers())
        loop.add_reader(card.news_fd(), service.news)
        counts = loop.create_task(_every_second(service.news))
        card.start_clock()
        log.info("card of %d ports ready on %s", len(spec.ports), socket_path)
        gc.collect()
        gc.freeze()
        if ready is not None:
            ready()
        try:
            await stop.wait()
        finally:
            counts.cancel()
            loop.remove_reader(card.news_fd())
            server.close()
    log.info("card ended")


async def _every_second(tell: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(1.0)
        tell()
