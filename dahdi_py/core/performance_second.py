# SPDX-License-Identifier: GPL-2.0-or-later
"""One second of a line: what its counters counted in it, and which defects were there."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from dahdi_py.core.terms import Alarms, Framing, LineType

DEFECTS = "defects"
"""Among `estimated`: the alarm bits are the driver's failures, which come 2.5 s after the defect."""

# The most of each that a second can hold. Source: G.704 (frames, CRC-4 and CRC-6 blocks a second), G.703 (bit rates).
_MOST = {"crc": 1000, "ebit": 1000, "fas": 8000, "slips": 8000, "errored_seconds": 1}
_MOST_CODE_VIOLATIONS = 2_048_000
# A driver's own second and ours do not begin together, so one of ours may hold the counts of two.
_SLACK_S = 1.0


class LineKind(StrEnum):
    """What can be counted on a line, and with which limits."""

    D4 = "D4"
    ESF = "ESF"
    E1 = "E1"
    E1_CRC = "E1-CRC"

    @property
    def is_t1(self) -> bool:
        """Whether it is a T1."""
        return self in (LineKind.D4, LineKind.ESF)

    @property
    def has_crc(self) -> bool:
        """Whether its path is checked in blocks."""
        return self in (LineKind.ESF, LineKind.E1_CRC)


def line_kind(line_type: LineType, framing: str | None, crc4: bool | None) -> LineKind:
    """The kind of a line so framed; ESF and CRC-4 where nobody says otherwise."""
    if line_type is LineType.T1:
        return LineKind.D4 if framing == Framing.D4 else LineKind.ESF
    return LineKind.E1 if crc4 is False else LineKind.E1_CRC


class Second(msgspec.Struct, frozen=True, kw_only=True):
    """What one second of a line held.

    Attributes:
        at: Its beginning, UTC, s.
        counts: Events counted in it, by counter; one that the driver does not keep is not among them.
        defects: Every alarm bit that was seen in it.
        estimated: Counters that may have counted less than there was, and DEFECTS.
        suspect: Why its counts are not to be trusted, empty when they are: `counter_reset`, `late`, `clock_step`.
    """

    at: int
    counts: Mapping[str, int] = {}
    defects: int = 0
    estimated: frozenset[str] = frozenset()
    suspect: str = ""

    def has(self, defects: Alarms) -> bool:
        """Whether one of those was seen."""
        return bool(Alarms(self.defects) & defects)


def counted(
    before: Mapping[str, int | None], now: Mapping[str, int | None], elapsed_s: float
) -> tuple[dict[str, int], bool]:
    """What was counted between two readings of running counters, and whether one of them began anew.

    A counter that went backwards, or further than the line could carry it, counts as 0 for this once.

    Args:
        elapsed_s: Time between the readings, s.
    """
    counts: dict[str, int] = {}
    anew = False
    for name, value in now.items():
        if value is None:
            continue
        was = before.get(name)
        if was is None:
            counts[name] = 0
            continue
        difference = value - was
        sound = 0 <= difference <= _MOST.get(name, _MOST_CODE_VIOLATIONS) * (elapsed_s + _SLACK_S)
        counts[name] = difference if sound else 0
        anew = anew or not sound
    return counts, anew
