# SPDX-License-Identifier: GPL-2.0-or-later
"""What a simulated card is made of."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dahdi_py.core.terms import Coding, Framing, Law, LineType, Timeslot
from dahdi_py.errors import Unsupported


@dataclass(frozen=True, slots=True)
class CardSpec:
    """A card's ports, numbered from 1, and the cables plugged in at its start.

    Attributes:
        cables: Pairs of ports of one line type; a port takes one cable.
        tick_ms: How often frames move, 1-8 ms: short ticks cost wake-ups, long ones delay.
    """

    ports: Sequence[LineType]
    cables: Sequence[tuple[int, int]] = ()
    tick_ms: int = 4


@dataclass(frozen=True, slots=True)
class PortSettings:
    """A port's line settings."""

    framing: Framing
    coding: Coding
    crc4: bool
    timing: int
    build_out: int
    law: Law
    bchannels: tuple[Timeslot, ...]
    dchannel: Timeslot | None

    @classmethod
    def initial(cls, kind: LineType) -> PortSettings:
        """The settings of a port that nobody has configured: no channels."""
        e1 = kind is LineType.E1
        return cls(
            framing=Framing.CCS if e1 else Framing.ESF,
            coding=Coding.HDB3 if e1 else Coding.B8ZS,
            crc4=False,
            timing=0,
            build_out=0,
            law=kind.default_law,
            bchannels=(),
            dchannel=None,
        )

    def with_changes(self, changes: Mapping[str, Any]) -> PortSettings:
        """These settings with the named ones in their place."""
        return replace(self, **changes)

    def differences(self, other: PortSettings) -> list[str]:
        """The names of the settings that differ."""
        return [name for name in self.__slots__ if getattr(self, name) != getattr(other, name)]


_FRAMINGS = {LineType.E1: (Framing.CAS, Framing.CCS), LineType.T1: (Framing.D4, Framing.ESF)}
_CODINGS = {LineType.E1: (Coding.AMI, Coding.HDB3), LineType.T1: (Coding.AMI, Coding.B8ZS)}


def check_line(port: str, kind: LineType, settings: PortSettings) -> None:
    """The settings are possible on a port of that line type.

    Raises:
        Unsupported: One is not; the message names it and what would be possible.
    """
    _one_of(port, "framing", settings.framing, _FRAMINGS[kind])
    _one_of(port, "coding", settings.coding, _CODINGS[kind])
    if settings.crc4 and kind is LineType.T1:
        raise _unsupported(port, "crc4 exists on E1 only")
    wanted = [*settings.bchannels, *([] if settings.dchannel is None else [settings.dchannel])]
    if outside := [timeslot for timeslot in wanted if timeslot not in kind.timeslots]:
        last = kind.timeslots[-1]
        raise _unsupported(port, f"timeslot {outside[0]} does not exist on {kind}; possible are 1-{last}")
    if settings.dchannel in settings.bchannels:
        raise _unsupported(port, f"timeslot {settings.dchannel} cannot be B-channel and D-channel")


def build_out_db(kind: LineType, code: int) -> float:
    """What that line build-out takes off the signal, dB.

    Source: DAHDI system.conf.sample (codes 0-4 equalize a DSX-1 cable to nominal level, 5-7 are a CSU's 7.5, 15 and
    22.5 dB; E1 has none), T1.403 5.3 (7.5 dB steps).
    """
    return {5: 7.5, 6: 15.0, 7: 22.5}.get(code, 0.0) if kind is LineType.T1 else 0.0


def _one_of(port: str, name: str, value: str, possible: Collection[str]) -> None:
    if value not in possible:
        raise _unsupported(port, f"{name} {value}; possible are {', '.join(possible)}")


def _unsupported(port: str, why: str) -> Unsupported:
    return Unsupported(f"sim: configure of port {port}: {why}", operation="configure", span=port, driver="sim")
