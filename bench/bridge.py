# SPDX-License-Identifier: GPL-2.0-or-later
"""How long audio takes through two joined channels, end to end, against the way over one line without a bridge.

A far end writes a block at a random moment; it is stamped before the write and again when its first octet is read at
the other far end, in blocks of 1 ms. The joined channels have the usual blocks of 20 ms.
"""

from __future__ import annotations

import os
import random
import select
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.service import running
from dahdi_py.client import Channel, Client, MediaRequest

SAMPLES = 200
SETTLE_S = 2.0
_FINE = MediaRequest(chunk=8, depth=32)
_USUAL = MediaRequest()
_MARK = b"\x2a" * 160
_PATIENCE_S = 5.0

_PLACES = {"card": ("a", 2), "host, two cards": ("c", 1), "two hosts": ("x", 1)}
"""Where the channel is that span a's timeslot 1 is joined with."""
_FAR = {"a": "b", "c": "d", "x": "y"}


@dataclass(frozen=True)
class Figure:
    """From the write at one far end to the read at the other, ms; `line_ms` is the way over one line, unbridged."""

    what: str
    line_ms: float
    p50_ms: float
    p99_ms: float


def measure() -> list[Figure]:
    """The way over one line, then joined by each that can."""
    with (
        tempfile.TemporaryDirectory(prefix="bench") as directory,
        running(Path(directory) / "run", _configuration()) as service,
        Client(service.socket) as client,
    ):
        with ExitStack() as held:
            near = held.enter_context(client.allocate(span="a", timeslot=1, media=_FINE))
            far = held.enter_context(client.allocate(span="b", timeslot=1, media=_FINE))
            line_ms, _ = _latency(far, near)
        return [_joined(client, what, line_ms, *place) for what, place in _PLACES.items()]


def _joined(client: Client, what: str, line_ms: float, span: str, timeslot: int) -> Figure:
    with ExitStack() as held:
        a, b = (
            held.enter_context(client.allocate(span=name, timeslot=slot, media=_USUAL))
            for name, slot in (("a", 1), (span, timeslot))
        )
        far_a, far_b = (
            held.enter_context(client.allocate(span=_FAR[name], timeslot=slot, media=_FINE))
            for name, slot in (("a", 1), (span, timeslot))
        )
        where = client.bridge(a.token, b.token)
        if where != what.partition(",")[0].removeprefix("two ").removesuffix("s"):
            raise RuntimeError(f"joined by the {where}, not by {what}")
        p50, p99 = _latency(far_a, far_b)
        return Figure(what, line_ms, p50, p99)


def _latency(sender: Channel, receiver: Channel) -> tuple[float, float]:
    """Median and p99 of the time until what is written at one end is read at the other, ms."""
    chance = random.Random(1)
    _listen(receiver.fileno(), SETTLE_S, b"")
    took = []
    for _ in range(SAMPLES):
        _listen(receiver.fileno(), 0.06 + chance.random() * 0.04, b"")
        began = time.perf_counter()
        os.write(sender.fileno(), _MARK)
        heard = _listen(receiver.fileno(), _PATIENCE_S, _MARK[:1])
        if heard is None:
            raise TimeoutError(f"nothing came within {_PATIENCE_S:.0f} s")
        took.append((heard - began) * 1000)
    took.sort()
    return took[len(took) // 2], took[-1 - len(took) // 100]


def _listen(fd: int, seconds: float, wanted: bytes) -> float | None:
    """Reads all that comes for so long, or until an octet is the wanted one: the moment of that."""
    for block in _blocks(fd, seconds):
        if wanted and wanted in block:
            return time.perf_counter()
    return None


def _blocks(fd: int, seconds: float) -> Iterator[bytes]:
    until = time.perf_counter() + seconds
    while (left := until - time.perf_counter()) > 0:
        select.select([fd], [], [], left)
        with suppress(BlockingIOError):
            yield os.read(fd, 160)


def _configuration() -> str:
    """Two cards, three hosts: span a joins with itself (card), with c (another card), with x (another host)."""
    lines = [
        "[service]\nname = 'bench'\nlinger_s = 600",
        "[[cards]]\nname = 'sim'\nkind = 'sim'\nports = ['E1', 'E1', 'E1', 'E1']\ncables = [[1, 2], [3, 4]]",
        "[[cards]]\nname = 'more'\nkind = 'sim'\nports = ['E1', 'E1']\ncables = [[1, 2]]",
        *(f"[[hosts]]\nname = '{name}'" for name in ("one", "two", "far")),
    ]
    places = (("a", "one", "sim", 1), ("b", "far", "sim", 2), ("x", "two", "sim", 3), ("y", "far", "sim", 4),
              ("c", "one", "more", 1), ("d", "far", "more", 2))  # fmt: skip
    for name, host, card, port in places:
        node = "cpe" if name in _FAR else "network"
        lines.append(
            f"[[spans]]\nname = '{name}'\ncard = '{card}'\nhost = '{host}'\nport = '{port}'\ntype = 'E1'\n"
            f"switch_type = 'euroisdn'\nnode = '{node}'"
        )
    return "\n".join(lines) + "\n"
