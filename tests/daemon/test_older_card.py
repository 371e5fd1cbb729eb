# SPDX-License-Identifier: GPL-2.0-or-later
"""A simulated card of the version before: what it does not know is said by name, what it knows is done."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dahdi_py.errors import Unsupported
from dahdi_py.wire.interface import Empty, Interface, Method, Request
from dahdi_py.wire.messages.sim import LoopRequest
from dahdi_py.wire.places import card_socket
from dahdi_py.wire.server import Request as ServerRequest
from dahdi_py.wire.server import Server
from tests.daemon.process import PATIENCE_S, DaemonProcess


class OlderLoop(Request):
    """Without a time."""

    port: str
    loop: str | None = None
    timeslots: list[int] | None = None


class OlderCard:
    """It takes every loop, and no time for one.

    Synchronization: a thread of its own serves.
    """

    def __init__(self, path: Path) -> None:
        self.loops: list[str | None] = []
        self._loop = asyncio.new_event_loop()
        server = Server(self._loop, path)
        interface = Interface("org.dahdipy.Card", "A card.", (Method("Loop", OlderLoop, Empty, role="tech", doc="."),))
        server.register(interface, {"Loop": self._take})
        self._server = server
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def _take(self, request: ServerRequest, wants: OlderLoop) -> None:
        self.loops.append(wants.loop)
        request.reply(Empty())

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._end)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    def _end(self) -> None:
        self._server.close()
        self._loop.stop()


@pytest.fixture
def card(run_dir: Path) -> Iterator[OlderCard]:
    with closing(OlderCard(card_socket(run_dir))) as card:
        yield card


def test_a_loop_with_an_end_is_refused_by_name_and_any_other_goes_on(card: OlderCard, daemon: DaemonProcess) -> None:
    with daemon.client() as client:
        with pytest.raises(Unsupported, match="card sim is of an older version, which cannot end a loop by itself"):
            client.call("org.dahdipy.Sim.Loop", LoopRequest(port="east", loop="line", duration_ms=5000), Empty)
        client.call("org.dahdipy.Sim.Loop", LoopRequest(port="east", loop="line"), Empty)
        client.call("org.dahdipy.Sim.Loop", LoopRequest(port="east", loop="none"), Empty)
    assert card.loops == ["line", "none"]
