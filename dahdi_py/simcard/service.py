# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Card`: the card's ports by name, their settings, and who is told of their alarms."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import dahdi_py
from dahdi_py.core.terms import Coding, Framing, Law, LineType, Mode, Timeslot
from dahdi_py.errors import DahdiPyError, DeviceBusy, DeviceGone, Unsupported
from dahdi_py.ffi.line import Card
from dahdi_py.simcard.cables import Cables
from dahdi_py.simcard.spec import CardSpec, PortSettings, build_out_db, check_line
from dahdi_py.wire.dispatch import Handler
from dahdi_py.wire.framing import DESCRIPTOR_LIMIT
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.loop import turn
from dahdi_py.wire.messages import card as messages
from dahdi_py.wire.refusals import InvalidParameter
from dahdi_py.wire.server import Peer, Request

_Wanted = TypeVar("_Wanted")
_Got = TypeVar("_Got")
_EMPTY = Empty()
_SCALARS = {"framing": Framing, "coding": Coding, "crc4": bool, "timing": int, "build_out": int, "law": Law}


class CardService:
    """Answers every method of `org.dahdipy.Card` for one card.

    Args:
        card: With the spec's ports; its cables are plugged in here.

    Synchronization: the loop's thread.
    """

    def __init__(self, card: Card, spec: CardSpec) -> None:
        self._card = card
        self._spec = spec
        self._started_ns = time.monotonic_ns()
        self._settings = [PortSettings.initial(kind) for kind in spec.ports]
        self._running = [False] * len(spec.ports)
        self._numbers = {str(number): number for number in range(1, len(spec.ports) + 1)}
        self._told = [self._news_of(number) for number in self._numbers.values()]
        self._idle_octets = {law.value: law.idle_octet for law in Law}
        self._monitors: dict[int, Request] = {}
        self._cables = Cables(card, self._number, self._settings, self._running)
        for number, settings in enumerate(self._settings, 1):
            card.frame(number, settings.framing, settings.coding, settings.crc4)
        for a, b in spec.cables:
            card.cable(a, b)

    def handlers(self) -> dict[str, Handler]:
        """The method handlers, by name."""
        return {
            "Info": self._info,
            "ListSpans": self._list_spans,
            "Configure": self._configure,
            "Startup": self._startup,
            "Shutdown": self._shutdown,
            "Status": self._status,
            "OpenTimeslot": self._open_timeslot,
            "OpenDchannel": self._open_dchannel,
            "ProveFree": self._prove_free,
            "CrossConnect": self._cross_connect,
            "Batch": self._batch,
            "Missed": self._missed,
            "Monitor": self._monitor,
            **self._cables.handlers(),
        }

    def forget(self, peer: Peer) -> None:
        """The peer is gone; nothing is sent to it any more."""
        self._monitors.pop(peer.id, None)

    def news(self) -> None:
        """Every monitor knows which ports' alarms, counts or clocks changed; to be called for counts once a second."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._card.news_fd())
        before, self._told = self._told, [self._news_of(number) for number in self._numbers.values()]
        changed = [port for port, number in self._numbers.items() if self._told[number - 1] != before[number - 1]]
        if not changed:
            return
        with turn:
            for request in list(self._monitors.values()):
                request.reply(messages.CardNews(ports=changed), continues=True)

    def _news_of(self, number: int) -> tuple[object, ...]:
        seen = self._card.status(number)
        return seen.alarms, seen.line, seen.slips, seen.clocked_by_line, seen.level_db

    def _number(self, port: str, operation: str) -> int:
        try:
            return self._numbers[port]
        except KeyError:
            raise DeviceGone(
                f"sim: {operation} of port {port}: there is none; ports are 1-{len(self._numbers)}",
                operation=operation,
                span=port,
                driver="sim",
            ) from None

    def _info(self, request: Request, _: Empty) -> None:
        request.reply(
            messages.CardInfo(
                protocol=messages.PROTOCOL,
                version=dahdi_py.__version__,
                pid=os.getpid(),
                started_ns=self._started_ns,
                tick_ms=self._spec.tick_ms,
                ports=len(self._numbers),
            )
        )

    def _list_spans(self, request: Request, _: Empty) -> None:
        request.reply(messages.CardSpans(spans=[self._span(port) for port in self._numbers]))

    def _span(self, port: str) -> messages.CardSpan:
        number = self._numbers[port]
        kind, settings = self._spec.ports[number - 1], self._settings[number - 1]
        return messages.CardSpan(
            port=port,
            number=number,
            type=kind.value,
            timeslots=len(kind.timeslots),
            framing=settings.framing.value,
            coding=settings.coding.value,
            crc4=settings.crc4,
            timing=settings.timing,
            build_out=settings.build_out,
            law=settings.law.value,
            bchannels=list(settings.bchannels),
            dchannel=settings.dchannel,
            running=self._running[number - 1],
            cable=str(self._card.cabled_to(number) or ""),
        )

    def _configure(self, request: Request, wanted: messages.CardConfigureRequest) -> None:
        number = self._number(wanted.port, "configure")
        kind, before = self._spec.ports[number - 1], self._settings[number - 1]
        after = _asked(wanted, kind, before)
        check_line(wanted.port, kind, after)
        written = before.differences(after)
        if written:
            self._refuse_if_open(number, wanted.port, "configure", wanted.force)
            self._card.configure(number, after.bchannels, after.dchannel, after.law, force=wanted.force)
            self._card.frame(number, after.framing, after.coding, after.crc4)
            self._card.follow(number, after.timing > 0)
            if "build_out" in written:
                self._card.build_out(number, build_out_db(kind, after.build_out))
            self._settings[number - 1] = after
        request.reply(messages.CardConfigureReply(written=written))

    def _refuse_if_open(self, number: int, port: str, operation: str, force: bool) -> None:
        if not force and (held := self._card.held(number)):
            raise DeviceBusy(
                f"sim: {operation} of port {port}: timeslots {', '.join(map(str, held))} are open",
                operation=operation,
                span=port,
                driver="sim",
            )

    def _startup(self, request: Request, wanted: messages.CardPortRequest) -> None:
        self._run(self._number(wanted.port, "startup"), True)
        request.reply(_EMPTY)

    def _shutdown(self, request: Request, wanted: messages.CardShutdownRequest) -> None:
        number = self._number(wanted.port, "shutdown")
        self._refuse_if_open(number, wanted.port, "shutdown", wanted.force)
        self._run(number, False)
        request.reply(_EMPTY)

    def _run(self, number: int, running: bool) -> None:
        self._card.run_port(number, running)
        self._running[number - 1] = running

    def _status(self, request: Request, wanted: messages.CardPortRequest) -> None:
        number = self._number(wanted.port, "status")
        seen = self._card.status(number)
        request.reply(
            messages.CardStatus(
                port=wanted.port,
                alarms=int(seen.alarms),
                words=seen.alarms.words(),
                held=list(self._card.held(number)),
                slips=seen.left_out + seen.repeated,
                late=seen.slips - seen.left_out - seen.repeated,
                overruns=seen.overruns,
                underruns=seen.underruns,
                cut=seen.cut,
                hdlc=messages.CardHdlc(sent=seen.hdlc_sent, **seen.hdlc._asdict()),
                level_db=seen.level_db,
                clocked_by_line=seen.clocked_by_line,
                line=messages.CardLineCounts(**seen.line._asdict()),
                reports=seen.reports.total if seen.reports is not None else None,
                newest_reports=list(seen.reports.newest if seen.reports is not None else ()),
            )
        )

    def _open_timeslot(self, request: Request, wanted: messages.CardOpenRequest) -> None:
        fd, depth = self._open(wanted)
        request.reply(messages.CardOpenReply(chunk=wanted.chunk, depth=depth), fds=(fd,))

    def _open(self, wanted: messages.CardOpenRequest) -> tuple[int, int]:
        idle_octet = self._idle_octets.get(wanted.law)
        if idle_octet is None or wanted.mode not in ("voice", "data", "hdlc"):
            raise _unsupported("open timeslot", wanted.port, f"law {wanted.law!r}, mode {wanted.mode!r}")
        return self._card.open_timeslot(
            self._number(wanted.port, "open timeslot"),
            wanted.timeslot,
            idle_octet,
            hdlc=wanted.mode == Mode.HDLC,
            chunk=wanted.chunk,
            depth=wanted.depth,
        )

    def _open_dchannel(self, request: Request, wanted: messages.CardDchannelRequest) -> None:
        fd = self._card.open_dchannel(self._number(wanted.port, "open D-channel"), wanted.timeslot)
        request.reply(messages.CardDchannelReply(), fds=(fd,))

    def _prove_free(self, request: Request, wanted: messages.CardTimeslotRequest) -> None:
        self._prove(wanted)
        request.reply(_EMPTY)

    def _prove(self, wanted: messages.CardTimeslotRequest) -> None:
        self._card.prove_free(self._number(wanted.port, "prove free"), wanted.timeslot)

    def _batch(self, request: Request, wanted: messages.CardBatchRequest) -> None:
        if len(wanted.open) > DESCRIPTOR_LIMIT:
            raise InvalidParameter(f"open: at most {DESCRIPTOR_LIMIT} at once", parameter="open")
        _, held = _each(self._prove, wanted.prove)
        opened, refused = _each(self._open, wanted.open)
        request.reply(
            messages.CardBatchReply(held=held, refused=refused, depths=[depth for _, depth in opened]),
            fds=[fd for fd, _ in opened],
        )

    def _missed(self, request: Request, wanted: messages.CardTimeslotRequest) -> None:
        overruns, underruns = self._card.missed(self._number(wanted.port, "read counters"), wanted.timeslot)
        request.reply(messages.CardMissed(overruns=overruns, underruns=underruns))

    def _cross_connect(self, request: Request, wanted: messages.CardCrossConnectRequest) -> None:
        a = self._number(wanted.a, "join"), wanted.a_timeslot
        b = self._number(wanted.b, "join"), wanted.b_timeslot
        if wanted.on:
            self._card.join(a, b)
        else:
            self._card.part(*a)
        request.reply(_EMPTY)

    def _monitor(self, request: Request, _: Empty) -> None:
        self._monitors[request.peer.id] = request
        request.reply(messages.CardNews(ports=list(self._numbers)), continues=True)


def _each(do: Callable[[_Wanted], _Got], wanted: Sequence[_Wanted]) -> tuple[list[_Got], list[messages.CardRefused]]:
    """What came of doing each: of those that went well, in order, and of the others with their place."""
    done: list[_Got] = []
    refused: list[messages.CardRefused] = []
    for at, one in enumerate(wanted):
        try:
            done.append(do(one))
        except DahdiPyError as error:
            refused.append(messages.CardRefused(at=at, error=error.code, message=error.message))
    return done, refused


def _asked(wanted: messages.CardConfigureRequest, kind: LineType, before: PortSettings) -> PortSettings:
    if wanted.type != kind:
        raise _unsupported("configure", wanted.port, f"it is {kind}, not {wanted.type}")
    changes: dict[str, Any] = {}
    for name, type_ in _SCALARS.items():
        if (value := getattr(wanted, name)) is not None:
            changes[name] = _value(type_, value, wanted.port, name)
    if wanted.bchannels is not None:
        changes["bchannels"] = tuple(Timeslot(timeslot) for timeslot in sorted(set(wanted.bchannels)))
    if wanted.dchannel is not None:
        changes["dchannel"] = Timeslot(wanted.dchannel) if wanted.dchannel else None
    return before.with_changes(changes)


def _value(type_: Callable[[Any], Any], value: Any, port: str, name: str) -> Any:
    try:
        return type_(value)
    except ValueError:
        raise _unsupported("configure", port, f"{name} {value!r}") from None


def _unsupported(operation: str, port: str, why: str) -> Unsupported:
    return Unsupported(f"sim: {operation} of port {port}: {why}", operation=operation, span=port, driver="sim")
