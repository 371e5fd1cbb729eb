# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines of simulated cards under fault, spoilt as an operator does it: through the daemon, by `org.dahdipy.Sim`."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from dahdi_py.wire.blocking import Connection
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import cable
from dahdi_py.wire.messages.sim import LoopRequest, ShowRequest, SimLines
from tests.service.service import Service, until

_SPAN = """
[[spans]]
name = "{name}"
card = "{card}"
host = "{host}"
port = "{port}"
type = "{type}"
timing = {timing}
switch_type = "{switch_type}"
node = "{node}"
hold_down_s = {hold_down_s}
{more}
[[groups]]
name = "{name}"
spans = ["{name}"]
"""


def configuration(hold_down_s: int = 0, flap_count: int = 1000) -> str:
    """Two cards and two hosts: a line that is spoilt, one for clocks, and one on a card of its own for comparison."""
    spans = ""
    for name, card, host, port, kind, timing, node, more in (
        ("e1-user", "sim", "near", 1, "E1", 1, "cpe", "crc4 = true\ntimers = { T203 = 3000 }"),
        ("e1-network", "sim", "far", 2, "E1", 0, "network", "crc4 = true\ntimers = { T203 = 3000 }"),
        ("t1-user", "sim", "near", 3, "T1", 2, "cpe", 'framing = "esf"'),
        ("t1-network", "sim", "near", 4, "T1", 0, "network", 'framing = "esf"'),
        ("quiet", "other", "near", 1, "E1", 1, "cpe", "crc4 = true"),
        ("quiet-far", "other", "near", 2, "E1", 0, "network", "crc4 = false"),
    ):
        spans += _SPAN.format(
            name=name, card=card, host=host, port=port, type=kind, timing=timing, node=node, more=more,
            switch_type="euroisdn" if kind == "E1" else "national", hold_down_s=hold_down_s,
        )  # fmt: skip
    return f"""
[service]
name = "faults"
linger_s = 30

[alarms]
flap_count = {flap_count}
# Cores come and go with the tests.
no_core_s = 0

[[cards]]
name = "sim"
kind = "sim"
ports = ["E1", "E1", "T1", "T1"]
cables = [[1, 2], [3, 4]]

[[cards]]
name = "other"
kind = "sim"
ports = ["E1", "E1"]
cables = [[1, 2]]

[[hosts]]
name = "near"

[[hosts]]
name = "far"
{spans}"""


class SimLine:
    """One line, by the span at its near end.

    Synchronization: one thread.
    """

    def __init__(self, service: Service, span: str) -> None:
        self.span = span
        self._connection = Connection(service.socket)

    def close(self) -> None:
        """The line is as it is."""
        self._connection.close()

    def _ask(self, method: str, request: msgspec.Struct) -> None:
        self._connection.call(f"org.dahdipy.Sim.{method}", request, Empty)

    def lose(self, *, arriving: bool = False, leaving: bool = False) -> None:
        """The cable is cut these ways and no other."""
        ways = {"arriving": arriving, "leaving": leaving}
        for way in sorted(ways, key=lambda way: not ways[way]):
            self.inject("cut", float(ways[way]), way=way)

    def mend(self) -> None:
        """The cable is good."""
        self._ask("Mend", cable.MendRequest(port=self.span))

    def inject(self, fault: str, value: float = 1.0, **more: Any) -> None:
        """A fault begins."""
        self._ask("Inject", cable.FaultRequest(port=self.span, fault=fault, value=value, **more))

    def clock(self, port: str, ppm: float, from_line: bool) -> None:
        """A port's clock is so."""
        self._ask("Clock", cable.ClockRequest(port=port, ppm=ppm, from_line=from_line))

    def loop(self, port: str, loop: str, *, force: bool = False, duration_ms: int | None = None) -> None:
        """A port is looped, or not."""
        self._ask("Loop", LoopRequest(port=port, loop=loop, force=force, duration_ms=duration_ms))

    def plug(self, a: str, b: str) -> None:
        """A cable joins these ports."""
        self._ask("Cable", cable.CableRequest(a=a, b=b))

    def unplug(self, port: str) -> None:
        """That port has no cable."""
        self._ask("Uncable", cable.PortRequest(port=port))

    def state(self, port: str = "") -> cable.Line:
        """The port's line now."""
        reply = self._connection.call("org.dahdipy.Sim.Show", ShowRequest(port=port or self.span), SimLines)
        return reply.lines[0].line


def process_of(service: Service, *words: str) -> int:
    """The process of the service whose command line has these words."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes().decode().split("\0")
            if str(service.directory) in " ".join(command) and all(word in command for word in words):
                return int(entry.name)
    raise AssertionError(f"no process {' '.join(words)}")


@contextlib.contextmanager
def paused(pid: int) -> Iterator[None]:
    """The process stands still until the end of the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def open_descriptors(pids: Sequence[int]) -> list[int]:
    """How many descriptors each process has open."""
    return [len(os.listdir(f"/proc/{pid}/fd")) for pid in pids]


def descriptors_at_rest(pids: Sequence[int]) -> list[int]:
    """How many descriptors each process has open once none of them opens or closes any."""
    found: list[int] = []

    def stay() -> bool:
        nonlocal found
        before, found = found, open_descriptors(pids)
        return found == before

    until("descriptors stay", stay, lambda: found)
    return found
