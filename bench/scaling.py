# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m bench.scaling`: what grows with the number of spans, from 8 to 128, and writes its tables."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import alloc, whole
from bench.machine import cpu_ns, describe, rss_kib
from bench.service import configuration, running

PAIRS = (4, 8, 17, 32, 64)
"""Spans are cabled in pairs, both ends ours: 17 pairs are DAHDI's 1,023 channel nodes (33 E1) and one span more."""
CALLING = (1, 4, 8, 16, 32, 64)
"""Spans whose far ends place calls: a card has 128 ports, half of them far ends."""
START, END = "<!-- {}: written by `python -m bench.scaling` -->", "<!-- end of {} -->"
_SETTLE_S, _WATCH_S = 8.0, 10.0


@dataclass(frozen=True)
class Size:
    """A service of so many spans.

    Attributes:
        up_s: From the start of the daemon to the last D-channel's being up.
        idle: Share of a core of each process with nothing going on, per cent.
        rss: Resident memory of each, KiB.
    """

    spans: int
    up_s: float
    idle: dict[str, float]
    rss: dict[str, int]
    one: alloc.Sample
    deep: alloc.Sample

    def __str__(self) -> str:
        idle = " / ".join(f"{self.idle[name]:.2f}" for name in ("daemon", "host", "card"))
        rss = " / ".join(f"{self.rss[name] / 1024:.0f}" for name in ("daemon", "host", "card"))
        return (
            f"| {self.spans} | {self.spans * 30} | {self.up_s:.1f} | {idle} | {rss} | {self.one.p50_us:.0f} / "
            f"{self.one.p99_us:.0f} | {self.deep.rate:.0f} |"
        )


def size(pairs: int) -> Size:
    """One host with `2 * pairs` spans, journal and audit on."""
    config = configuration(pairs, journal=True)
    with tempfile.TemporaryDirectory(prefix="bench") as directory:
        began = time.monotonic()
        with running(Path(directory) / "run", config) as up:
            up_s = time.monotonic() - began
            pids = up.pids()
            time.sleep(_SETTLE_S)
            before = {name: cpu_ns(pid) for name, pid in pids.items()}
            time.sleep(_WATCH_S)
            idle = {name: (cpu_ns(pid) - before[name]) / 1e7 / _WATCH_S for name, pid in pids.items()}
            one = alloc.middle([alloc.load(up.socket, alloc.ONE) for _ in range(3)])
            deep = alloc.middle([alloc.load(up.socket, alloc.DEEP) for _ in range(3)])
            rss = {name: rss_kib(pid) for name, pid in pids.items()}
        return Size(2 * pairs, up_s, idle, rss, one, deep)


def _sizes() -> Iterator[str]:
    yield (
        "| spans | B-channels | up after, s | idle, % of a core (daemon / host / card) | memory, MiB (same) "
        "| allocate + release p50 / p99, us | 64 in flight, /s |"
    )
    yield "|---|---|---|---|---|---|---|"
    for pairs in PAIRS:
        yield str(size(pairs))


def _calls() -> Iterator[str]:
    yield "| spans | calls/s | calls/s a span | failed | CPU a call, us (daemon / host / card) |"
    yield "|---|---|---|---|---|"
    for spans in CALLING:
        run = whole.busy(spans, 30, max(600, min(12_000, 600 * spans)), journal=True)
        cpu = " / ".join(f"{run.cpu_us[name]:.0f}" for name in ("daemon", "host", "card"))
        yield f"| {spans} | {run.rate:.0f} | {run.rate / spans:.1f} | {run.failed} | {cpu} |"


def main() -> int:
    """Measures and prints both tables, and puts them into the document."""
    parser = argparse.ArgumentParser(prog="python -m bench.scaling", description=__doc__)
    parser.add_argument("--write", type=Path, help="put the tables into this document, between their marks")
    options = parser.parse_args()
    for name, rows in (("sizes", _sizes()), ("calls", _calls())):
        table = [describe(), ""]
        print(table[0], flush=True)
        for row in rows:
            print(row, flush=True)
            table.append(row)
        if options.write:
            start, end = START.format(name), END.format(name)
            text = options.write.read_text()
            before, after = text.partition(start)[0], text.partition(end)[2]
            options.write.write_text("\n".join([before + start, *table, end]) + after)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
