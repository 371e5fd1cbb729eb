# SPDX-License-Identifier: GPL-2.0-or-later
"""What is done to the card's lines: cables, faults, clocks, levels and loops, with words for what cannot be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from dahdi_py.core.terms import Framing, LineType
from dahdi_py.errors import DahdiPyError, DeviceGone, Unsupported
from dahdi_py.ffi.line import Card
from dahdi_py.ffi.line_types import FarEnd, FarEndStatus, Fault, InbandCode, Loop, WayStatus
from dahdi_py.simcard.spec import PortSettings
from dahdi_py.wire.dispatch import Handler
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import cable as messages
from dahdi_py.wire.server import Request

_EMPTY = Empty()
_CODES = {
    "csu_up": InbandCode.CSU_UP, "csu_down": InbandCode.CSU_DOWN,
    "niu_up": InbandCode.NIU_UP, "niu_down": InbandCode.NIU_DOWN,
}  # fmt: skip
# As the standard's table writes them. Source: T1.403, ESF data link codewords; payload down and NIU: manuals.
_CODEWORDS = {
    "csu_up": 0b00001110_11111111, "csu_down": 0b00111000_11111111,
    "payload_up": 0b00010100_11111111, "payload_down": 0b00110010_11111111,
    "niu_up": 0b00010010_11111111, "niu_down": 0b00100100_11111111,
}  # fmt: skip
_CODEWORD_MS = 4
_WAYS = {"arriving": (False,), "leaving": (True,), "both": (False, True)}
_PPM_MAX = 500
_LOSS_DB_MAX = 100
_BUILD_OUT_DB_MAX = 30


class _Kind(NamedTuple):
    """How a fault is asked for.

    Attributes:
        most: The greatest value.
        value: The value in words.
        lasts: It may have a duration; `must_last`: it has to have one.
    """

    fault: Fault
    most: float
    value: str
    lasts: bool = False
    must_last: bool = False


_KINDS = {
    "cut": _Kind(Fault.CUT, 1, "1, or 0 to end it", lasts=True),
    "all_ones": _Kind(Fault.AIS, 1, "1, or 0 to end it", lasts=True),
    "bit_errors": _Kind(Fault.BIT_ERRORS, 0.5, "a rate from 1e-9 to 0.5, or 0 to end it"),
    "burst": _Kind(Fault.BURST, 0.5, "a rate from 1e-9 to 0.5", lasts=True, must_last=True),
    "framing": _Kind(Fault.FRAMING, 1e9, "how many, up to 1e9"),
    "crc": _Kind(Fault.CRC, 1e9, "how many, up to 1e9"),
    "violations": _Kind(Fault.VIOLATIONS, 1e9, "how many, up to 1e9"),
    "flap": _Kind(Fault.FLAP, 1e6, "how many times, up to 1e6", lasts=True, must_last=True),
    "delay": _Kind(Fault.DELAY, 2_048_000, "bits, up to 2048000"),
}
_WHOLE = {"cut", "all_ones", "framing", "crc", "violations", "flap", "delay"}


class Cables:
    """Answers the methods of `org.dahdipy.Card` that change what is between its ports.

    Args:
        number: The number of a port by its name, or `DeviceGone`.
        settings: Of each port, by number less one.

    Synchronization: the loop's thread.
    """

    def __init__(
        self, card: Card, number: Callable[[str, str], int], settings: Sequence[PortSettings], running: Sequence[bool]
    ) -> None:
        self._card = card
        self._number = number
        self._settings = settings
        self._running = running

    def handlers(self) -> dict[str, Handler]:
        """The method handlers, by name."""
        return {
            "Lines": self._lines,
            "Cable": self._cable,
            "Uncable": self._uncable,
            "Inject": self._inject,
            "Mend": self._mend,
            "Clock": self._clock,
            "Level": self._level,
            "Loop": self._loop,
            "FarEnd": self._far_end,
            "SendCode": self._send_code,
        }

    def _lines(self, request: Request, _: Empty) -> None:
        numbers = range(1, len(self._card.types) + 1)
        request.reply(messages.LineList(lines=[self._line(number) for number in numbers]))

    def _line(self, number: int) -> messages.Line:
        seen = self._card.status(number)
        return messages.Line(
            port=str(number),
            type=self._card.types[number - 1].value,
            cable=str(self._card.cabled_to(number) or ""),
            running=self._running[number - 1],
            alarms=int(seen.alarms),
            words=seen.alarms.words(),
            level_db=seen.level_db,
            clocked_by_line=seen.clocked_by_line,
            clock_ppm=seen.clock_ppm,
            oscillator_ppm=seen.oscillator_ppm,
            from_line=seen.follows,
            loop=seen.loop.name.lower(),
            looped_timeslots=list(seen.slot_loops),
            loop_left_ms=seen.loop_left_ms,
            looped_timeslots_left_ms=seen.slot_loops_left_ms,
            slips=seen.slips,
            left_out=seen.left_out,
            repeated=seen.repeated,
            arriving=_faults(self._card.faults(number)),
            leaving=_faults(self._card.faults(number, outward=True)),
            far_end=_far_end(self._card.far_end_status(number)),
        )

    def _cable(self, request: Request, wanted: messages.CableRequest) -> None:
        a, b = self._number(wanted.a, "cable"), self._number(wanted.b, "cable")
        if a == b:
            raise _refused("cable", wanted.a, "a cable has two ends: name another port")
        for number in (a, b):
            if other := self._card.cabled_to(number):
                why = f"it is cabled to port {other}: pull that cable first"
                raise _refused("cable", str(number), why)
            if far := self._card.far_end_status(number):
                raise _refused("cable", str(number), f"there is a far end ({far.kind.name}): take it away first")
        self._card.cable(a, b)
        request.reply(_EMPTY)

    def _uncable(self, request: Request, wanted: messages.PortRequest) -> None:
        number = self._cabled(wanted.port, "uncable")
        if far := self._card.far_end_status(number):
            raise _refused("uncable", wanted.port, f"there is a far end ({far.kind.name}): take that away")
        self._card.uncable(number)
        request.reply(_EMPTY)

    def _inject(self, request: Request, wanted: messages.FaultRequest) -> None:
        number = self._cabled(wanted.port, "inject")
        kind = _kind(wanted)
        for outward in _ways(wanted.way, "inject", wanted.port):
            sender = number if outward else self._card.cabled_to(number)
            if kind.fault is Fault.CRC and sender:
                self._require_crc(sender)
            if wanted.seed is not None:
                receiver = self._card.cabled_to(number) if outward else number
                self._card.seed(receiver or number, wanted.seed)
            self._card.fault(
                number,
                kind.fault,
                wanted.value,
                outward=outward,
                duration_ms=wanted.duration_ms if kind.lasts else None,
            )
        request.reply(_EMPTY)

    def _require_crc(self, sender: int) -> None:
        settings = self._settings[sender - 1]
        if settings.framing is not Framing.ESF and not settings.crc4:
            what = "crc4 on" if self._card.types[sender - 1] is LineType.E1 else "framing esf"
            raise _refused("inject", str(sender), f"it sends no CRC; that takes {what}")

    def _mend(self, request: Request, wanted: messages.MendRequest) -> None:
        number = self._cabled(wanted.port, "mend")
        for outward in _ways(wanted.way, "mend", wanted.port):
            self._card.mend(number, outward=outward)
        request.reply(_EMPTY)

    def _clock(self, request: Request, wanted: messages.ClockRequest) -> None:
        number = self._number(wanted.port, "clock")
        if wanted.ppm is not None:
            if not -_PPM_MAX <= wanted.ppm <= _PPM_MAX:
                raise _refused("clock", wanted.port, f"{wanted.ppm:g} ppm; possible are -{_PPM_MAX} to {_PPM_MAX}")
            self._card.clock(number, wanted.ppm)
        if wanted.from_line is not None:
            self._card.follow(number, wanted.from_line)
        request.reply(_EMPTY)

    def _level(self, request: Request, wanted: messages.LevelRequest) -> None:
        number = self._number(wanted.port, "level")
        ways = _ways(wanted.way, "level", wanted.port)
        if wanted.build_out_db is not None:
            _within("level", wanted.port, "build-out", wanted.build_out_db, _BUILD_OUT_DB_MAX)
        if wanted.loss_db is not None:
            _within("level", wanted.port, "loss", wanted.loss_db, _LOSS_DB_MAX)
            self._cabled(wanted.port, "level")
            for outward in ways:
                self._card.fault(number, Fault.LOSS, wanted.loss_db, outward=outward)
        if wanted.build_out_db is not None:
            self._card.build_out(number, wanted.build_out_db)
        request.reply(_EMPTY)

    def _loop(self, request: Request, wanted: messages.LoopRequest) -> None:
        number = self._number(wanted.port, "loop")
        known = [loop.name.lower() for loop in Loop]
        if wanted.loop is not None and wanted.loop not in known:
            raise _refused("loop", wanted.port, f"loop {wanted.loop!r}; possible are {', '.join(known)}")
        possible = self._card.types[number - 1].timeslots
        if outside := [slot for slot in wanted.timeslots or () if slot not in possible]:
            raise _refused("loop", wanted.port, f"timeslot {outside[0]}; possible are 1-{possible[-1]}")
        if wanted.loop is not None:
            self._card.loop(number, Loop[wanted.loop.upper()], wanted.duration_ms)
        if wanted.timeslots is not None:
            self._card.loop_timeslots(number, wanted.timeslots, wanted.duration_ms)
        request.reply(_EMPTY)

    def _far_end(self, request: Request, wanted: messages.FarEndRequest) -> None:
        number = self._number(wanted.port, "far end")
        known = {kind.name.lower(): kind for kind in FarEnd}
        if wanted.kind not in known:
            raise _refused("far end", wanted.port, f"kind {wanted.kind!r}; possible are {', '.join(known)}")
        kind = known[wanted.kind]
        if kind is not FarEnd.NONE:
            self._require_t1(number, "far end", wanted.port)
            if other := self._card.cabled_to(number):
                raise _refused("far end", wanted.port, f"it is cabled to port {other}: pull that cable first")
            if far := self._card.far_end_status(number):
                raise _refused("far end", wanted.port, f"there is one ({far.kind.name}): take it away first")
        elif self._card.far_end_status(number) is None:
            raise _refused("far end", wanted.port, "there is none to take away")
        self._card.far_end(number, kind)
        request.reply(_EMPTY)

    def _require_t1(self, number: int, operation: str, port: str) -> None:
        if self._card.types[number - 1] is not LineType.T1:
            raise _refused(operation, port, "an E1 has no loop codes; loop its far port instead")

    def _send_code(self, request: Request, wanted: messages.CodeRequest) -> None:
        number = self._number(wanted.port, "send code")
        self._require_t1(number, "send code", wanted.port)
        known: dict[str, Any] = {"inband": _CODES, "fdl": _CODEWORDS}
        if wanted.by not in known:
            raise _refused("send code", wanted.port, f"by {wanted.by!r}; possible are {', '.join(known)}")
        codes = known[wanted.by]
        if wanted.code not in codes:
            why = f"code {wanted.code!r}; possible by {wanted.by} are {', '.join(codes)}"
            raise _refused("send code", wanted.port, why)
        if wanted.by == "inband":
            self._card.send_code(number, codes[wanted.code], wanted.duration_ms)
        elif self._settings[number - 1].framing is not Framing.ESF:
            raise _refused("send code", wanted.port, "its framing is d4, and only esf has a data link")
        else:
            self._card.send_codeword(number, codes[wanted.code], wanted.duration_ms // _CODEWORD_MS)
        request.reply(_EMPTY)

    def _cabled(self, port: str, operation: str) -> int:
        number = self._number(port, operation)
        if self._card.faults(number) is None:
            raise DeviceGone(
                f"sim: {operation} of port {port}: no cable is plugged in; plug one in first",
                operation=operation, span=port, driver="sim",
            )  # fmt: skip
        return number


def _kind(wanted: messages.FaultRequest) -> _Kind:
    kind = _KINDS.get(wanted.fault)
    if kind is None:
        raise _refused("inject", wanted.port, f"fault {wanted.fault!r}; possible are {', '.join(_KINDS)}")
    if not 0 <= wanted.value <= kind.most or (wanted.fault in _WHOLE and wanted.value % 1):
        raise _refused("inject", wanted.port, f"{wanted.fault} {wanted.value:g}; expected {kind.value}")
    if kind.must_last and wanted.duration_ms is None and wanted.value:
        what = "a period" if kind.fault is Fault.FLAP else "a duration"
        raise _refused("inject", wanted.port, f"{wanted.fault} takes {what}, ms")
    if wanted.duration_ms is not None and not kind.lasts:
        raise _refused("inject", wanted.port, f"{wanted.fault} takes no duration")
    return kind


def _ways(way: str, operation: str, port: str) -> tuple[bool, ...]:
    if way not in _WAYS:
        raise _refused(operation, port, f"way {way!r}; possible are {', '.join(_WAYS)}")
    return _WAYS[way]


def _within(operation: str, port: str, name: str, db: float, most: float) -> None:
    if not 0 <= db <= most:
        raise _refused(operation, port, f"{name} of {db:g} dB; possible are 0-{most}")


def _faults(seen: WayStatus | None) -> messages.Faults | None:
    if seen is None:
        return None
    known = seen._asdict()
    return messages.Faults(all_ones=known.pop("ais"), **known)


def _far_end(seen: FarEndStatus | None) -> messages.FarEndState | None:
    if seen is None:
        return None
    return messages.FarEndState(
        kind=seen.kind.name.lower(), loop=seen.loop.name.lower(), ordered=seen.ordered.name.lower(),
        obeyed=seen.obeyed, words=seen.alarms.words(),
    )  # fmt: skip


def _refused(operation: str, port: str, why: str) -> DahdiPyError:
    return Unsupported(f"sim: {operation} of port {port}: {why}", operation=operation, span=port, driver="sim")
