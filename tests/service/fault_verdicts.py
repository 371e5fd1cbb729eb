# SPDX-License-Identifier: GPL-2.0-or-later
"""The catalogue of a line's faults: which rig holds each verdict, and why another cannot show it.

A rig holds a fault when a test of its folder carries the number in its name (`test_f05_...`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
RIGS = {
    "sim": ("tests/service/test_line_faults.py",),
    "kernel": tuple(
        f"tests/kernel/boots/{boot}/{name}.py"
        for boot, name in (
            ("ethernet", "test_line_faults"), ("ethernet", "test_flaps"), ("missing", "test_missing"),
            ("service_removal", "test_service_removal"),
        )
    ),
}  # fmt: skip
"""Where each rig's tests are."""

HELD = "held"
NOT_RUN = "not run here"
_CARD = "hardware: dynamic spans have no framer"


class Fault(NamedTuple):
    """A fault and what the service must do.

    Attributes:
        otherwise: By rig that does not hold it, why.
    """

    what: str
    verdict: str
    otherwise: Mapping[str, str] = {}


FAULTS = {
    "F01": Fault("cable out (LOS, RED)", "no new calls at once, calls kept, unavailable seconds counted"),
    "F02": Fault("framing lost (LOF)", "told by its own name, not as a lost signal", {"kernel": _CARD}),
    "F03": Fault("all ones (AIS, BLUE)", "out of service; the text points upstream", {"kernel": _CARD}),
    "F04": Fault("far end deaf (RAI, YELLOW)", "no new calls before LAPD notices"),
    "F05": Fault("RED becomes YELLOW without an event", "both told, no moment in service"),
    "F06": Fault("one way fails", "both ends stop; a silent far end noticed by T203"),
    "F07": Fault("slips", "warning above 5 in 24 h, major above 30 in an hour",
                 {"kernel": "hardware: DAHDI counts no slips"}),
    "F08": Fault("bit errors", "no call lost, counted, nobody woken",
                 {"kernel": "TDMoE shows RED and YELLOW when 0.5 % of its packets are lost"}),
    "F09": Fault("flapping", "last choice for a while; no stuck alarm, no lost descriptor"),
    "F10": Fault("reference clock lost", "the missing source and the present one are named",
                 {"kernel": "hardware: dynamic spans cannot be a timing source"}),
    "F11": Fault("card pulled out with calls up", "its calls end with 27, others go on, it comes back by itself"),
    "F12": Fault("card or module missing at the start", "the service starts, says what is missing, takes it up"),
    "F13": Fault("card reset", "the link is up again within 2 s of the data; missed interrupts warned of",
                 {"kernel": "hardware: dynamic spans have no card to reset"}),
    "F14": Fault("looped by the far end", "looped end out of service; the other hears itself and says so",
                 {"kernel": "dynamic spans loop single channels only"}),
    "F15": Fault("loop left on", "an alarm; ends by itself; refused on a busy span without force",
                 {"kernel": "dynamic spans have no maintenance modes"}),
    "F16": Fault("framing, CRC-4 or line type differ", "told in words; calls pass where frames are sound",
                 {"kernel": _CARD}),
}  # fmt: skip


def numbered(rig: str) -> Iterator[tuple[str, str]]:
    """Every test of the rig that carries a number: the number and the test's name."""
    for path in RIGS[rig]:
        for name, number in re.findall(r"^def (test_(f\d\d)_\w+)", (ROOT / path).read_text(), re.MULTILINE):
            yield number.upper(), name


def numbers(names: Iterable[str]) -> set[str]:
    """The numbers that these tests carry."""
    return {found[1].upper() for name in names if (found := re.search(r"\btest_(f\d\d)_", name))}


def report(rig: str, terminal: pytest.TerminalReporter) -> None:
    """The table is written, when tests of the rig that carry a number were run."""
    outcomes = {
        what: [report.nodeid for report in terminal.stats.get(what, []) if report.nodeid.startswith(RIGS[rig])]
        for what in ("passed", "failed", "error")
    }
    passed, failed = outcomes["passed"], [*outcomes["failed"], *outcomes["error"]]
    if numbers([*passed, *failed]):
        terminal.section("faults of a line")
        for line in table(rig, passed, failed):
            terminal.write_line(line)


def table(rig: str, passed: Iterable[str], failed: Iterable[str]) -> list[str]:
    """A line for each fault: its number, the rig, what came out.

    Args:
        passed: Names of tests, likewise `failed`.
    """
    good, bad = numbers(passed), numbers(failed)
    lines = []
    for number, fault in FAULTS.items():
        said = "FAILED" if number in bad else HELD if number in good else fault.otherwise.get(rig, NOT_RUN)
        lines.append(f"{number}  {rig:<6}  {said:<12}  {fault.what}: {fault.verdict}")
    return lines
