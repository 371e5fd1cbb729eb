# SPDX-License-Identifier: GPL-2.0-or-later
"""What a second counts as, by each norm and for each end of the line.

RFC 4805 (the DS1 MIB) gives every line ES to DM. ANSI T1.231 gives a T1 line and path apart, ITU-T G.826 an E1 errored
blocks. Their limits differ, so a figure is nothing without its norm.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import cache

import msgspec

from dahdi_py.core.performance_second import DEFECTS, LineKind, Second
from dahdi_py.core.terms import Alarms


class Norm(StrEnum):
    """By which rules a figure was made."""

    RFC4805 = "RFC 4805"
    T1_231 = "T1.231"
    G826 = "G.826"


class End(StrEnum):
    """Whose receiver it is: ours, or the far end's as far as it tells."""

    NEAR = "near"
    FAR = "far"


class Judged(msgspec.Struct, frozen=True, array_like=True):
    """What a second counts as.

    Attributes:
        at: Its beginning, UTC, s.
        severe: It makes or ends unavailable time.
        counts: What it counts in available time, by parameter.
        always: What it counts whether the path is available or not.
        errors: For degraded minutes, where the norm has them; None where nobody counts them.
        estimated: Parameters that may be more than is told, or were told in ranges.
    """

    at: int
    severe: bool
    counts: dict[str, int]
    always: dict[str, int] = {}
    errors: int | None = None
    estimated: frozenset[str] = frozenset()


Judge = Callable[[LineKind, Second], Judged | None]
"""None: the second tells nothing of that end."""

# Source: RFC 4805 dsx1CurrentSESs: 320 (ESF), 832 (E1-CRC) path violations, 2048 (E1) or 1544 (D4) line violations.
_SEVERE_PATH = {LineKind.ESF: 320, LineKind.E1_CRC: 832}
_SEVERE_LINE = {LineKind.D4: 1544, LineKind.E1: 2048}
_BURSTY_FROM, _BURSTY_BELOW = 2, 320
_SEVERE_CV_L = 1544
"""Source: T1.231 6.5, SES-L."""
_SEVERE_FRAMING = 8
"""Source: T1.231 6.5, SES-P of a superframe line that watches Ft and Fs."""
_SEVERE_BLOCKS = 300
"""Source: G.826 4.5.2: 30 % of a second's blocks, which are CRC-4 submultiframes, 1000 a second (G.704 2.3.3)."""

# RED without a reason is all that some drivers say of a loss of frame.
_SIGNAL = Alarms.LOS
_FRAME = Alarms.RED | Alarms.LOS | Alarms.LFA
_AIS = Alarms.BLUE
_PATH = _FRAME | _AIS


def _line_violations(second: Second) -> int | None:
    """Bipolar or code violations: drivers count them under either name."""
    known = [second.counts[name] for name in ("bpv", "cv") if name in second.counts]
    return max(known) if known else None


def _path_violations(kind: LineKind, second: Second) -> int | None:
    """CRC errors, or framing errors where there is no CRC."""
    return second.counts.get("crc" if kind.has_crc else "fas")


def _doubtful(second: Second, *counters: str) -> bool:
    """Whether any of these counters is not kept, or may count too little."""
    return any(name not in second.counts or name in second.estimated for name in counters)


class _Doubts:
    """Which of a second's bases may count too little."""

    def __init__(self, kind: LineKind, second: Second) -> None:
        self.defects = DEFECTS in second.estimated
        self.path = _doubtful(second, "crc" if kind.has_crc else "fas")
        line = [name for name in ("bpv", "cv") if name in second.counts]
        self.line = not line or any(name in second.estimated for name in line)
        self.slips = "slips" not in second.counts
        # A framer that counts errored seconds itself misses none.
        counted = "errored_seconds" in second.counts
        self.errored = not counted and (self.path or self.slips or self.defects)


def _known(**counts: int | None) -> dict[str, int]:
    return {name.replace("_", "-"): count for name, count in counts.items() if count is not None}


def _names(**doubtful: bool) -> frozenset[str]:
    return frozenset(name.replace("_", "-") for name, doubt in doubtful.items() if doubt)


def by_rfc4805(kind: LineKind, second: Second) -> Judged | None:
    """The near end. Source: RFC 4805, the DESCRIPTIONs of dsx1CurrentTable."""
    path, line = _path_violations(kind, second), _line_violations(second)
    slips = second.counts.get("slips")
    framing = second.has(_PATH)
    if kind.has_crc:
        severe = framing or (path or 0) >= _SEVERE_PATH[kind]
    else:
        severe = (kind is LineKind.D4 and (path or 0) > 0) or framing or (line or 0) >= _SEVERE_LINE[kind]
    violated = bool(path) or (not kind.has_crc and bool(line))
    errored = severe or violated or bool(slips) or bool(second.counts.get("errored_seconds"))
    bursty = None if path is None or not kind.has_crc else int(not framing and _BURSTY_FROM <= path < _BURSTY_BELOW)
    counts = _known(
        ES=int(errored), SES=int(severe), SEFS=int(framing), CSS=None if slips is None else int(slips > 0),
        PCV=path, LCV=line, LES=None if line is None else int(line > 0 or second.has(_SIGNAL)), BES=bursty,
    )  # fmt: skip
    doubts = _Doubts(kind, second)
    severity = doubts.defects or (doubts.path and kind is not LineKind.E1) or (doubts.line and not kind.has_crc)
    estimated = _names(
        ES=doubts.errored, SES=severity, UAS=severity, SEFS=doubts.defects, PCV=doubts.path, LCV=doubts.line,
        LES=doubts.line, BES=doubts.path, DM=doubts.path if kind.has_crc else doubts.line,
    )  # fmt: skip
    return Judged(second.at, severe, counts, errors=path if kind.has_crc else line, estimated=estimated)


def by_rfc4805_far(kind: LineKind, second: Second) -> Judged | None:
    """The far end, as its reports (ESF) or its E bits (CRC-4) tell; without them its RAI alone is known: estimates.

    Source: RFC 4805, the DESCRIPTIONs of dsx1FarEndCurrentTable.
    """
    if kind is LineKind.ESF and _Reported.known(second):
        reported = _Reported.in_(second)
        return reported.by_rfc4805(second.at) if reported is not None else None
    if second.has(_PATH):
        return None
    path = second.counts.get("ebit") if kind is LineKind.E1_CRC else None
    remote = second.has(Alarms.YELLOW)
    severe = remote or (path or 0) >= _SEVERE_PATH[LineKind.E1_CRC]
    bursty = None if path is None else int(not remote and _BURSTY_FROM <= path < _BURSTY_BELOW)
    counts = _known(ES=int(severe or bool(path)), SES=int(severe), PCV=path, BES=bursty)
    doubt = path is None or _doubtful(second, "ebit")
    severity = doubt or DEFECTS in second.estimated
    estimated = _names(ES=severity, SES=severity, UAS=severity, PCV=doubt, BES=doubt, DM=doubt)
    return Judged(second.at, severe, counts, errors=path, estimated=estimated)


class _Reported(msgspec.Struct, frozen=True):
    """A second of the far end's receiver as it reports it (core.far_end_reports); CRC errors are told in ranges."""

    crc: int
    framing: bool
    slipped: bool
    violated: bool

    @staticmethod
    def known(second: Second) -> bool:
        """Whether such reports reach us at all, in that second or not."""
        return "far_reports" in second.counts or "far_crc" in second.counts

    @classmethod
    def in_(cls, second: Second) -> _Reported | None:
        """The report told in that second; RAI in place of it says that the far end has no frames."""
        told = second.counts
        if "far_reports" in told and second.has(Alarms.YELLOW) and not second.has(_PATH):
            return cls(crc=0, framing=True, slipped=False, violated=False)
        if "far_crc" not in told:
            return None
        return cls(told["far_crc"], told["far_severe"] > 0, told["far_slips"] > 0, told["far_bpv"] > 0)

    @property
    def severe(self) -> bool:
        """Source: T1.231 (SES-PFE), which are RFC 4805's limits too."""
        return self.framing or self.crc >= _SEVERE_PATH[LineKind.ESF]

    @property
    def errored(self) -> bool:
        """Source: T1.231 (ES-PFE): any G bit, SE or SL."""
        return self.severe or self.crc > 0 or self.slipped

    def by_rfc4805(self, at: int) -> Judged:
        bursty = not self.framing and _BURSTY_FROM <= self.crc < _BURSTY_BELOW
        counts = _known(
            ES=int(self.errored), SES=int(self.severe), SEFS=int(self.framing), CSS=int(self.slipped), PCV=self.crc,
            LES=int(self.violated), BES=int(bursty),
        )  # fmt: skip
        ranged = self.crc > 1
        return Judged(at, self.severe, counts, errors=self.crc, estimated=_names(PCV=ranged, DM=ranged))

    def by_t1_231(self, at: int) -> Judged:
        counts = _known(
            CV_PFE=self.crc, ES_PFE=int(self.errored), SES_PFE=int(self.severe), SEFS_PFE=int(self.framing),
            CSS_PFE=int(self.slipped),
        )  # fmt: skip
        always = _known(ES_LFE=int(self.violated))
        return Judged(at, self.severe, counts, always, estimated=_names(CV_PFE=self.crc > 1))


def by_t1_231_far(kind: LineKind, second: Second) -> Judged | None:
    """The far end of an ESF line, line (-LFE) and path (-PFE) apart, as its reports tell; None without them."""
    reported = _Reported.in_(second)
    return reported.by_t1_231(second.at) if reported is not None else None


def by_t1_231(kind: LineKind, second: Second) -> Judged | None:
    """The near end of a T1, line (-L) and path (-P) apart. Source: ANSI T1.231 6.5.

    The line's parameters are counted whether the path is available or not.
    """
    path, line = _path_violations(kind, second), _line_violations(second)
    slips = second.counts.get("slips")
    framing, silent = second.has(_PATH), second.has(_SIGNAL)
    severe = framing or (path or 0) >= (_SEVERE_PATH[kind] if kind.has_crc else _SEVERE_FRAMING)
    errored = severe or bool(path) or bool(slips) or bool(second.counts.get("errored_seconds"))
    always = _known(
        CV_L=line, ES_L=None if line is None else int(line > 0 or silent), LOSS_L=int(silent),
        SES_L=None if line is None else int(line >= _SEVERE_CV_L or silent),
    )  # fmt: skip
    counts = _known(
        CV_P=path, ES_P=int(errored), SES_P=int(severe), SAS_P=int(framing),
        CSS_P=None if slips is None else int(slips > 0),
    )  # fmt: skip
    doubts = _Doubts(kind, second)
    severity = doubts.path or doubts.defects
    estimated = _names(
        CV_L=doubts.line, ES_L=doubts.line, SES_L=doubts.line or doubts.defects, LOSS_L=doubts.defects,
        CV_P=doubts.path, ES_P=doubts.errored, SES_P=severity, SAS_P=doubts.defects, UAS_P=severity,
    )  # fmt: skip
    return Judged(second.at, severe, counts, always, estimated=estimated)


def _blocks(at: int, bad: int | None, defect: bool, errored: bool, estimated: frozenset[str]) -> Judged:
    """A second of a path whose blocks are checked. Source: G.826 4.5."""
    severe = defect or (bad or 0) >= _SEVERE_BLOCKS
    background = None if bad is None else 0 if severe else bad
    counts = _known(EB=bad, ES=int(severe or errored or bool(bad)), SES=int(severe), BBE=background)
    return Judged(at, severe, counts, estimated=estimated)


def by_g826(kind: LineKind, second: Second) -> Judged | None:
    """The near end of an E1; without CRC-4 only defects and errored frame alignment words are known: estimates."""
    bad = second.counts.get("crc") if kind.has_crc else None
    defects = _PATH | Alarms.LMFA if kind.has_crc else _PATH
    errored = bool(second.counts.get("errored_seconds") or (not kind.has_crc and second.counts.get("fas")))
    blocks = not kind.has_crc or _doubtful(second, "crc")
    severity = blocks or DEFECTS in second.estimated
    counted = severity and "errored_seconds" not in second.counts
    estimated = _names(EB=blocks, BBE=blocks, ES=counted, SES=severity, UAS=severity)
    return _blocks(second.at, bad, second.has(defects), errored, estimated)


def by_g826_far(kind: LineKind, second: Second) -> Judged | None:
    """The far end of an E1, as its E bits and its RAI tell."""
    if second.has(_PATH | Alarms.LMFA):
        return None
    bad = second.counts.get("ebit") if kind.has_crc else None
    blocks = bad is None or _doubtful(second, "ebit")
    severity = blocks or DEFECTS in second.estimated
    estimated = _names(EB=blocks, BBE=blocks, ES=severity, SES=severity, UAS=severity)
    return _blocks(second.at, bad, second.has(Alarms.YELLOW), False, estimated)


@cache
def judges(kind: LineKind) -> dict[tuple[End, Norm], Judge]:
    """Every measure there is of such a line."""
    mib: dict[tuple[End, Norm], Judge] = {
        (End.NEAR, Norm.RFC4805): by_rfc4805, (End.FAR, Norm.RFC4805): by_rfc4805_far,
    }  # fmt: skip
    if not kind.is_t1:
        return mib | {(End.NEAR, Norm.G826): by_g826, (End.FAR, Norm.G826): by_g826_far}
    mib[End.NEAR, Norm.T1_231] = by_t1_231
    if kind.has_crc:
        mib[End.FAR, Norm.T1_231] = by_t1_231_far
    return mib


def unavailable(end: End, norm: Norm) -> str:
    """What that norm calls unavailable seconds of that end."""
    if norm is Norm.T1_231:
        return "UAS-P" if end is End.NEAR else "UAS-PFE"
    return "UAS"


_MIB = ("UAS", "ES", "SES", "SEFS", "LES", "CSS", "BES", "DM", "LCV", "PCV")
_FAR_MIB = tuple(name for name in _MIB if name != "LCV")
_BLOCKS = ("UAS", "ES", "SES", "BBE", "EB")
_LINE_AND_PATH = (
    "UAS-P", "ES-P", "SES-P", "SAS-P", "CSS-P", "CV-P", "ES-L", "SES-L", "LOSS-L", "CV-L",
)  # fmt: skip
_FAR_LINE_AND_PATH = ("UAS-PFE", "ES-PFE", "SES-PFE", "SEFS-PFE", "CSS-PFE", "CV-PFE", "ES-LFE")


@cache
def parameters(kind: LineKind) -> dict[tuple[End, Norm], tuple[str, ...]]:
    """What there is to tell of such a line, whether it can be known or not."""
    names = {
        (End.NEAR, Norm.RFC4805): _MIB, (End.FAR, Norm.RFC4805): _FAR_MIB,
        (End.NEAR, Norm.T1_231): _LINE_AND_PATH, (End.FAR, Norm.T1_231): _FAR_LINE_AND_PATH,
        (End.NEAR, Norm.G826): _BLOCKS, (End.FAR, Norm.G826): _BLOCKS,
    }  # fmt: skip
    return {measure: names[measure] for measure in judges(kind)}


THRESHOLD_PARAMETERS = frozenset((*_LINE_AND_PATH, *_BLOCKS, "CSS"))
"""What may have a threshold."""
