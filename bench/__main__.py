# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m bench`: runs every bench and prints (or writes) the table of figures and gates."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import alloc, calls, idle
from bench.machine import describe

START, END = "<!-- figures: written by `make bench` -->", "<!-- end of figures -->"


@dataclass(frozen=True)
class Row:
    """A figure, its floor, and the gate on their ratio (or on the figure itself)."""

    what: str
    floor: str
    service: str
    ratio: float
    gate: float | None
    at_least: bool = False

    @property
    def verdict(self) -> str:
        """met, missed, or nothing where there is no gate."""
        if self.gate is None:
            return ""
        met = self.ratio >= self.gate if self.at_least else self.ratio <= self.gate
        return "met" if met else "**missed**"

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        gate = "" if self.gate is None else f"{sign} {self.gate:g}"
        return f"| {self.what} | {self.floor} | {self.service} | {self.ratio:.2f} | {gate} | {self.verdict} |"


def _alloc_rows(repetitions: int, *, journal: bool) -> Iterator[Row]:
    on = "journal on" if journal else "journal off"
    one, deep, wide = alloc.measure(repetitions, journal=journal)

    def gate(value: float) -> float | None:
        return None if journal else value

    for percentile, limit in (("p50", 4.0), ("p99", 5.0)):
        floor, service = (getattr(sample, f"{percentile}_us") for sample in (one.floor, one.service))
        what = f"allocate + release, one at a time, {percentile}, {on}"
        yield Row(what, f"{floor:.0f} us", f"{service:.0f} us", service / floor, gate(limit))
    for figure, least in ((deep, gate(0.35)), (wide, None)):
        floor, service = figure.floor.rate, figure.service.rate
        what = f"allocate + release, {figure.shape.name}, {on}"
        yield Row(what, f"{floor:.0f}/s", f"{service:.0f}/s", service / floor, least, at_least=True)


def _call_rows(repetitions: int) -> Iterator[Row]:
    for figure, limit in zip(calls.measure(repetitions), (2.0, 2.5), strict=True):
        what = f"own end of a call, CPU, {figure.shape.name} ({figure.host_rate:.0f} calls/s)"
        ratio = figure.host_us / figure.floor_us
        yield Row(what, f"{figure.floor_us:.1f} us", f"{figure.host_us:.1f} us", ratio, limit)


def _idle_rows() -> Iterator[Row]:
    figure = idle.measure()
    share = figure.daemon + figure.hosts
    detail = f"daemon {figure.daemon:.2f} %, hosts {figure.hosts:.2f} %"
    yield Row("idle daemon and hosts, 32 spans, % of a core", "", detail, share, 0.5)


def main() -> int:
    """Runs the benches asked for; returns 0 also when a gate is missed (the table says so)."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("which", nargs="*", default=["alloc", "journal", "calls", "idle"])
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--write", type=Path, help="put the table into this document, between its marks")
    options = parser.parse_args()
    makers = {
        "alloc": lambda: _alloc_rows(options.repetitions, journal=False),
        "journal": lambda: _alloc_rows(options.repetitions, journal=True),
        "calls": lambda: _call_rows(options.repetitions),
        "idle": _idle_rows,
    }
    table = [describe(), "", "| what | C floor | service | ratio | gate | |", "|---|---|---|---|---|---|"]
    print("\n".join(table), flush=True)
    for which in options.which:
        for row in makers[which]():
            print(row, flush=True)
            table.append(str(row))
    if options.write:
        text = options.write.read_text()
        before, after = text.partition(START)[0], text.partition(END)[2]
        options.write.write_text("\n".join([before + START, *table, END]) + after)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
