# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m bench`: runs every bench and prints (or writes) the table of figures and gates."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import alarm, alloc, bridge, calls, flood, idle, line, ready, whole
from bench.machine import describe

SPANS, RATE, RATE_S = 30, 500, 60
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


def _alloc_rows(repetitions: int, *, journal: bool, audit: bool = False) -> Iterator[Row]:
    on = "journal and audit on" if audit else "journal on, audit off" if journal else "journal off"
    one, deep, wide = alloc.measure(repetitions, journal=journal, audit=audit)
    for percentile, limit in (("p50", 3.0), ("p99", 4.0)):
        floor, service = (getattr(sample, f"{percentile}_us") for sample in (one.floor, one.service))
        what = f"allocate + release, one at a time, {percentile}, {on}"
        yield Row(what, f"{floor:.0f} us", f"{service:.0f} us", service / floor, None if journal else limit)
    for figure in (deep, wide):
        floor, service = figure.floor.rate, figure.service.rate
        what = f"allocate + release, {figure.shape.name}, {on}"
        gate = None if journal else 0.4
        yield Row(what, f"{floor:.0f}/s", f"{service:.0f}/s", service / floor, gate, at_least=True)


def _journal_rows(repetitions: int) -> Iterator[Row]:
    yield from _alloc_rows(repetitions, journal=True)
    yield from _alloc_rows(repetitions, journal=True, audit=True)


def _pause_rows(repetitions: int) -> Iterator[Row]:
    figure = alloc.pauses(repetitions)
    floor, service = figure.floor.p9999_us, figure.service.p9999_us
    what = "pauses: p99.99 of one at a time beyond the floor's own, journal and audit on, ms"
    yield Row(what, f"{floor / 1e3:.2f} ms", f"{service / 1e3:.2f} ms", (service - floor) / 1e3, 5.0)


def _call_rows(repetitions: int) -> Iterator[Row]:
    figures = calls.measure(repetitions)
    for figure in figures:
        what = f"own end of a call, CPU of the line host alone, {figure.shape.name} ({figure.host_rate:.0f} calls/s)"
        yield Row(what, f"{figure.floor_us:.1f} us", f"{figure.host_us:.1f} us", figure.host_us / figure.floor_us, None)
    floor = figures[0].controlled_us
    for journal in (False, True):
        shape = calls.BUSY
        runs = [whole.busy(shape.spans, shape.in_flight, shape.calls, journal=journal) for _ in range(repetitions)]
        run = sorted(runs, key=lambda run: run.cpu_us["daemon"] + run.cpu_us["host"])[len(runs) // 2]
        daemon, host = run.cpu_us["daemon"], run.cpu_us["host"]
        on = "journal and audit on" if journal else "journal off"
        what = f"own end of a call, CPU, {shape.name}, daemon and host, {on} ({run.rate:.0f} calls/s)"
        detail = f"{daemon + host:.0f} us (daemon {daemon:.0f}, host {host:.0f})"
        yield Row(what, f"{floor:.1f} us", detail, (daemon + host) / floor, None if journal else 3.0)


def _rate_rows() -> Iterator[Row]:
    run = whole.paced(SPANS, RATE, RATE_S)
    share = {name: us * run.rate / 1e4 for name, us in run.cpu_us.items()}
    cpu = ", ".join(f"{name} {part:.0f} %" for name, part in share.items())
    what = (
        f"{RATE} calls/s over {SPANS} spans for {RATE_S} s, journal and audit on, calls/s ({run.failed} failed; {cpu})"
    )
    yield Row(what, "", f"{run.rate:.0f}/s", 0.0 if run.failed else run.rate, 0.99 * RATE, at_least=True)


def _idle_rows() -> Iterator[Row]:
    figure = idle.measure()
    share = figure.daemon + figure.hosts
    detail = f"daemon {figure.daemon:.2f} %, hosts {figure.hosts:.2f} %"
    yield Row("idle daemon and hosts, 32 spans, % of a core", "", detail, share, 0.5)


def _flood_rows(repetitions: int) -> Iterator[Row]:
    for figure in flood.measure(repetitions):
        for percentile in ("p50", "p99"):
            alone, beside = (getattr(sample, f"{percentile}_us") for sample in (figure.alone, figure.beside))
            what = f"allocate + release beside {figure.crowd.what}, {percentile} (against alone)"
            gate = figure.crowd.bound if percentile == "p99" else None
            yield Row(what, f"{alone:.0f} us alone", f"{beside:.0f} us", beside / alone, gate)


def _ready_rows() -> Iterator[Row]:
    figure = ready.measure()
    detail = f"p50 {figure.p50_s:.2f} s, p99 {figure.p99_s:.2f} s"
    yield Row(f"ready again after `kill -9` of the daemon, {ready.KILLS} kills, p99, s", "", detail, figure.p99_s, 2.0)


def _alarm_rows() -> Iterator[Row]:
    figure = alarm.measure()
    detail = f"p50 {figure.p50_ms:.0f} ms, p99 {figure.p99_ms:.0f} ms"
    what = f"cable pulled on the simulated card to `alarm.raised` at a subscriber, {alarm.PULLS} pulls, p99, ms"
    # A tick of the card (8 ms) and 100 ms.
    yield Row(what, "", detail, figure.p99_ms, 108.0)


def _line_rows(repetitions: int) -> Iterator[Row]:
    cost = line.lines(repetitions)
    spans = line.SPANS
    what = "simulated E1, every timeslot moved, framed, checked, driven from Python, CPU us a span-second"
    yield Row(what, f"{cost.floor:.0f}", f"{cost.full:.0f}", cost.full / cost.floor, 1.5)
    share = cost.full * spans / 1e4
    yield Row(f"{spans} such E1 in real time, % of a core", "", f"{share:.2f} %", share, 10.0)
    grown = f"{cost.grown:.0f} with {line.GROWN} spans"
    yield Row(
        "its growth, a span's cost among many", f"{cost.full:.0f} with {spans}", grown, cost.grown / cost.full, 1.5
    )
    yield Row("simulated E1, nothing open", f"{cost.floor:.0f}", f"{cost.idle:.0f}", cost.idle / cost.floor, None)
    what = "simulated E1, 31 timeslots delivered in blocks of 20 ms, both directions in Python"
    yield Row(what, f"{cost.floor:.0f}", f"{cost.delivered:.0f}", cost.delivered / cost.floor, None)
    gates = {("spandsp", "30-octet frames"): 1.5, ("fasthdlc", "a frame and 400 idle flags"): 5.0}
    for figure in line.hdlc(repetitions):
        for way, own, theirs in zip(("made", "read"), figure.own, figure.theirs, strict=True):
            what = f"HDLC {way}, {figure.what}, Mbit/s, against {figure.other}"
            least = gates.get((figure.other, figure.what))
            yield Row(what, f"{theirs:.0f}", f"{own:.0f}", own / theirs, least, at_least=True)
    rate = line.dchannel()
    what = "calls/s whose frames a full simulated D-channel carries one way, against the computed limit"
    yield Row(what, f"{line.DCHANNEL_CALLS}", f"{rate:.1f}", rate / line.DCHANNEL_CALLS, 0.95, at_least=True)
    rate = line.libpri_calls()
    what = "calls/s of libpri at both ends of it, no ALERTING, RRs on I frames, against the same"
    yield Row(what, f"{line.DCHANNEL_CALLS}", f"{rate:.1f}", rate / line.DCHANNEL_CALLS, None)


def _bridge_rows() -> Iterator[Row]:
    for figure in bridge.measure():
        what = f"audio through a bridge ({figure.what}), added to the way over one line, p50, ms"
        detail = f"p50 {figure.p50_ms:.1f} ms, p99 {figure.p99_ms:.1f} ms"
        yield Row(what, f"{figure.line_ms:.1f} ms unbridged", detail, figure.p50_ms - figure.line_ms, None)


def main() -> int:
    """Runs the benches asked for; returns 0 also when a gate is missed (the table says so)."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    every = ["alloc", "journal", "pauses", "calls", "rate", "flood", "idle", "ready", "line", "alarm", "bridge"]
    parser.add_argument("which", nargs="*", default=every)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--write", type=Path, help="put the table into this document, between its marks")
    options = parser.parse_args()
    makers: dict[str, Callable[[], Iterator[Row]]] = {
        "alloc": lambda: _alloc_rows(options.repetitions, journal=False),
        "journal": lambda: _journal_rows(options.repetitions),
        "pauses": lambda: _pause_rows(options.repetitions),
        "calls": lambda: _call_rows(options.repetitions),
        "rate": _rate_rows,
        "flood": lambda: _flood_rows(options.repetitions),
        "idle": _idle_rows,
        "ready": _ready_rows,
        "alarm": _alarm_rows,
        "line": lambda: _line_rows(options.repetitions),
        "bridge": _bridge_rows,
    }
    table = [describe(), "", "| what | C floor | service | ratio | gate | |", "|---|---|---|---|---|---|"]
    print("\n".join(table), flush=True)
    for which in options.which or makers:
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
