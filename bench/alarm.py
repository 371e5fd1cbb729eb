# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a defect takes from the line to whoever is told: a cable pulled, an alarm raised at a subscriber."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.service import configuration, running
from dahdi_py.client import Client
from dahdi_py.errors import DahdiPyError
from dahdi_py.wire.blocking import Connection
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.cable import CableRequest
from dahdi_py.wire.messages.card import CardPortRequest
from dahdi_py.wire.messages.events import MonitorReply, MonitorRequest

PULLS = 100
PAIRS = 16
_LIMIT_S = 30.0
_AFTER_S = 0.05
"""Between two pulls: the next one is not to find the service still at work on the last."""


@dataclass(frozen=True)
class Figure:
    """From the request to pull a cable to the alarm at a subscriber, ms."""

    p50_ms: float
    p99_ms: float


class _Heard:
    """When each event of an alarm arrived that a span's own receiver has raised.

    Synchronization: a thread of its own listens; `wait` from the bench's.
    """

    def __init__(self, socket: str) -> None:
        self._news = threading.Condition()
        self._arrived: dict[tuple[str, str], float] = {}
        self._connection = Connection(socket)
        request = MonitorRequest(kinds=["alarm."])
        stream = self._connection.stream("org.dahdipy.Events.Monitor", request, MonitorReply)
        next(stream)
        threading.Thread(target=self._listen, args=(stream,), daemon=True).start()

    def _listen(self, stream: Iterator[MonitorReply]) -> None:
        with suppress(DahdiPyError):  # The service ends.
            for reply in stream:
                now = time.monotonic()
                with self._news:
                    for event in reply.events:
                        # What the far end tells of its own trouble, and that the span flaps, comes besides.
                        if (event.data.get("kind"), event.data.get("aspect")) == ("span", "receive"):
                            self._arrived[event.kind, event.data["subject"]] = now
                    self._news.notify_all()

    def wait(self, kind: str, span: str) -> float:
        """When that came, which is forgotten."""
        with self._news:
            if not self._news.wait_for(lambda: (kind, span) in self._arrived, _LIMIT_S):
                raise TimeoutError(f"no {kind} of {span} within {_LIMIT_S:.0f} s")
            return self._arrived.pop((kind, span))


def measure() -> Figure:
    """So many pulls of one cable among 16, journal on, the service otherwise idle."""
    config = configuration(PAIRS, journal=True)
    far = f"{PAIRS + 1}"
    with (
        tempfile.TemporaryDirectory(prefix="bench") as directory,
        running(Path(directory) / "run", config) as service,
    ):
        card = Connection(service.directory / "card.sock")
        heard = _Heard(service.socket)
        took = []
        with Client(service.socket) as client:
            for _ in range(PULLS):
                began = time.monotonic()
                card.call("org.dahdipy.Card.Uncable", CardPortRequest(port="1"), Empty)
                took.append(heard.wait("alarm.raised", "s1") - began)
                heard.wait("alarm.raised", f"s{far}")
                card.call("org.dahdipy.Card.Cable", CableRequest(a="1", b=far), Empty)
                for span in ("s1", f"s{far}"):
                    heard.wait("alarm.cleared", span)
                _until_up(client)
    took.sort()
    return Figure(1000 * took[len(took) // 2], 1000 * took[-1 - len(took) // 100])


def _until_up(client: Client) -> None:
    deadline = time.monotonic() + _LIMIT_S
    while client.span("s1").state != "ok":
        if time.monotonic() > deadline:
            raise TimeoutError("the span does not come back")
        time.sleep(_AFTER_S)
