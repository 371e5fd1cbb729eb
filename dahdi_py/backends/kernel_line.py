# SPDX-License-Identifier: GPL-2.0-or-later
"""A span's line settings as DAHDI's bits and back, and what of them differs."""

from __future__ import annotations

from dahdi_py.backends.base import LineConfig
from dahdi_py.core.terms import Coding, Framing, LineType
from dahdi_py.ffi.dahdi import Line, SpanStat

_FRAMING = {Framing.D4: Line.D4, Framing.ESF: Line.ESF, Framing.CAS: Line(0), Framing.CCS: Line.CCS}
_CODING = {Coding.AMI: Line.AMI, Coding.B8ZS: Line.B8ZS, Coding.HDB3: Line.HDB3}


def line_type(kind: str, channels: int) -> LineType | None:
    """The line a span is: by its kind, a dynamic one by its channels; None when it is neither."""
    if kind in ("E1", "T1"):
        return LineType(kind)
    if kind == "J1":
        return LineType.T1
    if kind.startswith("DYNAM"):
        return {24: LineType.T1, 31: LineType.E1}.get(channels)
    return None


def framing(line: Line, kind: LineType | None) -> Framing | None:
    """The framing those bits mean, None when none is set."""
    if kind is LineType.E1:
        return (Framing.CCS if line & Line.CCS else Framing.CAS) if line else None
    return next((word for word in (Framing.D4, Framing.ESF) if line & _FRAMING[word]), None)


def coding(line: Line) -> Coding | None:
    """The coding those bits mean, None when none is set."""
    return next((word for word, bit in _CODING.items() if line & bit), None)


def bits(config: LineConfig, current: Line) -> Line:
    """The bits of a configuration; what it leaves alone stays as `current` says."""
    kind = config.type
    word = config.framing or framing(current, kind)
    code = config.coding or coding(current)
    crc4 = bool(current & Line.CRC4) if config.crc4 is None else config.crc4
    result = _FRAMING[word] if word else Line(0)
    result |= _CODING[code] if code else Line(0)
    return result | Line.CRC4 if crc4 and _has_crc4(config) else result


def asked(config: LineConfig) -> tuple[str, ...]:
    """Names of the line settings that a configuration does not leave alone."""
    names = ("framing", "coding", "crc4", "build_out", "timing")
    return tuple(name for name in names if getattr(config, name) is not None and (name != "crc4" or _has_crc4(config)))


def _has_crc4(config: LineConfig) -> bool:
    return config.type is LineType.E1


def differences(config: LineConfig, stat: SpanStat) -> tuple[str, ...]:
    """Names of the line settings that a driver keeps and that are not as asked."""
    kind = config.type
    found = {
        "framing": framing(stat.line, kind),
        "coding": coding(stat.line),
        "crc4": bool(stat.line & Line.CRC4),
        "build_out": stat.build_out,
    }
    return tuple(name for name in asked(config) if name in found and getattr(config, name) != found[name])
