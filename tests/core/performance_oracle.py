# SPDX-License-Identifier: GPL-2.0-or-later
"""Performance figures as the standards put them, computed with the whole past in hand: slow, plain, independent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Seen:
    """A second of an E1 with CRC-4 and all counters, or of a T1 with ESF."""

    at: int
    crc: int = 0
    ebit: int = 0
    bpv: int = 0
    slips: int = 0
    los: bool = False
    lof: bool = False
    ais: bool = False
    rai: bool = False
    report: str | None = None
    """The bits that a T1's far end sets in its report, by their names; None without a report."""

    @property
    def framing(self) -> bool:
        return self.los or self.lof or self.ais


def unavailable(seconds: Sequence[Seen], severe: Callable[[Seen], bool]) -> list[bool]:
    """For each second whether it is unavailable: looked up ahead in the seconds that follow without a gap."""
    result = []
    available = True
    for at in range(len(seconds)):
        ahead = [one for n, one in enumerate(seconds[at : at + 10]) if one.at == seconds[at].at + n]
        if len(ahead) == 10:
            if available and all(severe(one) for one in ahead):
                available = False
            elif not available and not any(severe(one) for one in ahead):
                available = True
        result.append(not available)
    return result


def figures(
    seconds: Sequence[Seen], length: int, severe: Callable[[Seen], bool], counts: Callable[[Seen], dict[str, int]],
    uas: str,
) -> dict[int, Counter[str]]:  # fmt: skip
    """By the start of each bin, what it holds."""
    bins: dict[int, Counter[str]] = {}
    for one, out in zip(seconds, unavailable(seconds, severe), strict=True):
        found = bins.setdefault(one.at // length * length, Counter())
        found[uas] += out
        if not out:
            found.update(counts(one))
    return bins


def e1_severe(one: Seen) -> bool:
    return one.framing or one.crc >= 832


def e1_mib(one: Seen) -> dict[str, int]:
    return {
        "ES": e1_severe(one) or one.crc > 0 or one.slips > 0,
        "SES": e1_severe(one),
        "SEFS": one.framing,
        "CSS": one.slips > 0,
        "BES": not one.framing and 2 <= one.crc <= 319,
        "LES": one.los or one.bpv > 0,
        "PCV": one.crc,
        "LCV": one.bpv,
    }


def g826_severe(one: Seen) -> bool:
    return one.framing or one.crc >= 300


def g826(one: Seen) -> dict[str, int]:
    severe = g826_severe(one)
    return {"ES": severe or one.crc > 0, "SES": severe, "EB": one.crc, "BBE": 0 if severe else one.crc}


def far_severe(one: Seen) -> bool:
    return one.rai or one.ebit >= 300


def g826_far(one: Seen) -> dict[str, int]:
    severe = far_severe(one)
    return {"ES": severe or one.ebit > 0, "SES": severe, "EB": one.ebit, "BBE": 0 if severe else one.ebit}


REPORTED = {"G1": 1, "G2": 5, "G3": 10, "G4": 100, "G5": 319, "G6": 333}
"""What T1.231 takes for the errors of each range."""


def t1_far_severe(one: Seen) -> bool:
    if one.report is None:
        return one.rai
    return bool({"G6", "SE"} & set(one.report.split()))


def t1_far(one: Seen) -> dict[str, int]:
    bits = set((one.report or "").split())
    return {
        "ES-PFE": bool(bits & {*REPORTED, "SE", "SL"}),
        "SES-PFE": t1_far_severe(one),
        "SEFS-PFE": "SE" in bits,
        "CSS-PFE": "SL" in bits,
        "CV-PFE": sum(REPORTED[bit] for bit in bits & set(REPORTED)),
    }


def t1_far_mib(one: Seen) -> dict[str, int]:
    bits = set((one.report or "").split())
    return {
        "ES": t1_far_severe(one) or bool(bits & {*REPORTED, "SL"}),
        "SES": t1_far_severe(one),
        "SEFS": "SE" in bits,
        "CSS": "SL" in bits,
        "LES": "LV" in bits,
        "BES": "SE" not in bits and bool(bits & {"G2", "G3", "G4", "G5"}),
        "PCV": sum(REPORTED[bit] for bit in bits & set(REPORTED)),
    }


def t1_severe(one: Seen) -> bool:
    return one.framing or one.crc >= 320


def t1_path(one: Seen) -> dict[str, int]:
    return {
        "ES-P": t1_severe(one) or one.crc > 0 or one.slips > 0,
        "SES-P": t1_severe(one),
        "SAS-P": one.framing,
        "CSS-P": one.slips > 0,
        "CV-P": one.crc,
    }


def t1_line(one: Seen) -> dict[str, int]:
    return {
        "CV-L": one.bpv,
        "ES-L": one.los or one.bpv > 0,
        "SES-L": one.los or one.bpv >= 1544,
        "LOSS-L": one.los,
    }


def degraded_minutes(seconds: Sequence[Seen], severe: Callable[[Seen], bool], bits: int) -> int:
    """Minutes of sixty available seconds that are not severe, with 1e-6 < errors a bit <= 1e-3."""
    good = [
        one.crc
        for one, out in zip(seconds, unavailable(seconds, severe), strict=True)
        if not out and not severe(one)
    ]  # fmt: skip
    minutes = [sum(good[n : n + 60]) for n in range(0, len(good) - 59, 60)]
    return sum(1e-6 < errors / (60 * bits) <= 1e-3 for errors in minutes)
