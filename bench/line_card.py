# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m bench.line_card SPANS TICK_MS SECONDS full|idle|delivered`: CPU us a span and simulated second.

The card is driven from here, one call a tick. `full`: every port loops its payload, so that each timeslot of each
frame is taken out, put in again, framed, CRC'd and checked. `idle`: nothing is open. `delivered`: each timeslot is open
at both ends, read and written in blocks of 20 ms.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from contextlib import suppress

from dahdi_py.core.terms import Alarms, LineType
from dahdi_py.ffi.line import Card
from dahdi_py.ffi.line_types import Loop

BLOCK = bytes(160)


def joined(spans: int, tick_ms: int) -> Card:
    """E1 ports with CRC-4, each cabled to the next one, in frame."""
    ports = spans + spans % 2
    card = Card([LineType.E1] * ports, tick_ms)
    for port in range(1, ports + 1):
        card.configure(port, LineType.E1.timeslots, None, LineType.E1.default_law)
        card.run_port(port, True)
    for port in range(1, ports, 2):
        card.cable(port, port + 1)
    card.advance(2_000_000_000)
    if alarmed := [port for port in range(1, ports + 1) if card.status(port).alarms]:
        raise RuntimeError(f"ports {alarmed} do not come into frame")
    return card


def main() -> None:
    """Prints the figure."""
    spans, tick_ms, seconds = (int(word) for word in sys.argv[1:4])
    kind = sys.argv[4]
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    card = joined(spans, tick_ms)
    ports = len(card.types)
    if kind == "full":
        for port in range(1, ports + 1):
            card.loop(port, Loop.PAYLOAD)
    ends = []
    if kind == "delivered":
        ends = [card.open_timeslot(port, slot, 0xD5)[0] for port in range(1, ports + 1) for slot in range(1, 32)]
    tick_ns = tick_ms * 1_000_000
    before = time.process_time_ns()
    for at in range(seconds * 1000 // tick_ms):
        card.advance(tick_ns)
        if ends and at % (20 // tick_ms) == 0:
            for fd in ends:
                with suppress(BlockingIOError):
                    os.read(fd, 160)
                with suppress(BlockingIOError):
                    os.write(fd, BLOCK)
    spent = time.process_time_ns() - before
    wrong = [port for port in range(1, ports + 1) if card.status(port).alarms & ~Alarms.LOOPBACK]
    if wrong or any(card.status(port).line.crc for port in range(1, ports + 1)):
        raise RuntimeError(f"the lines were not good: alarms on ports {wrong}, or CRC errors")
    print(f"{spent / 1000 / ports / seconds:.2f}")


if __name__ == "__main__":
    main()
