# SPDX-License-Identifier: GPL-2.0-or-later
"""The simulated card's spans: real frames between cabled ports, real descriptors.

Alarms follow from the received bits alone: framing and CRC are searched for, checked and lost by the standards' rules,
and what each end sees of the other is what that end sends.

Not modelled: jitter and wander (a clock is off by a constant); crosstalk and reflections (a level is a number that
fades); echo cancellers and gain (answered as off); companding (a law only chooses the idle octet: two ends that differ
are not noticed); robbed bits and CAS values; device events on channels (POLLPRI and errno 500 are the kernel's alone).
Each port has a clock of its own: no port's timing is passed on to another.

A card that was restarted knows no setting and has no channel open: after `present` everything is to be done again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

import msgspec

from dahdi_py.backends.base import (
    BackendEvent,
    Counters,
    Leg,
    LineConfig,
    Media,
    Missed,
    OnOpened,
    OnProved,
    SpanInfo,
    SpanStatus,
)
from dahdi_py.backends.card_batch import CardBatches, Opening, Proof
from dahdi_py.backends.card_link import CardLink
from dahdi_py.backends.card_watch import CardWatch
from dahdi_py.core.far_end_reports import Reports
from dahdi_py.core.terms import Alarms, Coding, Framing, Law, LineType, Mode, Timeslot
from dahdi_py.errors import DahdiPyError, Unsupported
from dahdi_py.wire.framing import close_all, format_call
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import card as messages
from dahdi_py.wire.messages.cable import LoopRequest

_EMPTY = Empty()
_LOOPS = ("local", "line", "payload")
_OPENED = b'{"parameters":{"chunk":%d,"depth":%d,"fd":0},"fds":1}'


class _Opening(NamedTuple):
    """How a timeslot is asked for and what a card that gives it answers: the same each time, so made once."""

    wanted: bytes
    request: bytes
    reply: bytes
    media: Media


_Asked: TypeAlias = tuple[str, Timeslot, Law, Mode, int, int]
"""Port, timeslot, and what of a medium makes a difference to a card."""
_OPENINGS = 8_192
"""Kept made: of each channel of 128 spans two, however many sorts clients ask for."""


class SimBackend:
    """A card's spans over its socket; the card may come and go.

    Args:
        name: The card's configured name.
        socket_path: RUN/card.sock.
        deadline_s: A request without an answer by then is given up.

    Synchronization: as `Backend`: one thread, and one worker for the calls that may block.
    """

    driver = "sim"

    def __init__(self, name: str, socket_path: str | os.PathLike[str], *, deadline_s: float = 1.0) -> None:
        self.name = name
        path = os.fspath(socket_path)
        self._link = CardLink(name, path, deadline_s)
        self._worker_link = CardLink(name, path, deadline_s)
        self._openings: dict[_Asked, _Opening] = {}
        self._batches = CardBatches(name, path, deadline_s)
        self._places: dict[tuple[str, Timeslot], bytes] = {}
        self._watch = CardWatch(path, deadline_s)

    def close(self) -> None:
        """Every descriptor of the backend's own is closed; spans and channels stay as they are."""
        self._link.close()
        self._worker_link.close()
        self._batches.close()
        self._watch.close()

    def spans(self) -> Sequence[SpanInfo]:
        """Frozen snapshots of every span of the card.

        Raises:
            DeviceGone: The card is away.
        """
        listed = self._link.ask("ListSpans", _EMPTY, messages.CardSpans)
        return [self._info(span) for span in listed.spans]

    def _info(self, span: messages.CardSpan) -> SpanInfo:
        cable = f"cabled to port {span.cable}" if span.cable else "no cable"
        return SpanInfo(
            port=span.port,
            number=span.number,
            name=f"SIM/{self.name}/{span.port}",
            description=f"simulated {span.type}, {cable}",
            driver=self.driver,
            type=LineType(span.type),
            timeslots=span.timeslots,
            base_channo=None,
            framing=Framing(span.framing),
            coding=Coding(span.coding),
            crc4=span.crc4,
            timing=span.timing,
            build_out=span.build_out,
            sync_source=None,
            started=span.running,
            kernel=False,
        )

    def configure(self, port: str, config: LineConfig, *, force: bool = False) -> Sequence[str]:
        """The span is as asked; returns the names of the settings that had to be written.

        Without any channel in `config` the channels stay as they are.

        Raises:
            DeviceBusy: A difference needs writing and channels are open, and not forced.
            Unsupported: The port cannot be what is asked.
            DeviceGone: No such port, or the card is away.
        """
        channels = bool(config.bchannels) or config.dchannel is not None
        wanted = messages.CardConfigureRequest(
            port=port,
            type=config.type,
            framing=config.framing,
            coding=config.coding,
            crc4=config.crc4,
            timing=config.timing,
            build_out=config.build_out,
            law=config.law,
            bchannels=list(config.bchannels) if channels else None,
            dchannel=(config.dchannel or 0) if channels else None,
            force=force,
        )
        return self._worker_link.ask("Configure", wanted, messages.CardConfigureReply, port).written

    def startup(self, port: str) -> None:
        """The span transmits and receives."""
        self._worker_link.ask("Startup", messages.CardPortRequest(port=port), Empty, port)

    def shutdown(self, port: str) -> None:
        """The span is stopped.

        Raises:
            DeviceBusy: A channel of it is open, in whatever process.
        """
        self._worker_link.ask("Shutdown", messages.CardShutdownRequest(port=port), Empty, port)

    def destroy(self, port: str) -> None:
        """Always refused: the ports of a simulated card are there for good.

        Raises:
            Unsupported: Always.
        """
        raise self._unsupported("destroy", port)

    def maintenance(self, port: str, mode: str | None) -> None:
        """The span is in that loop (``local``, ``line``, ``payload``) or out of it (None).

        Raises:
            Unsupported: For every other mode.
            DeviceGone: No such port, or the card is away.
        """
        if mode is not None and mode not in _LOOPS:
            why = f"maintenance mode {mode!r}; possible are {', '.join(_LOOPS)}"
            raise self._unsupported(why, port)
        self._worker_link.ask("Loop", LoopRequest(port=port, loop=mode or "none"), Empty, port)

    def _unsupported(self, operation: str, port: str) -> DahdiPyError:
        return Unsupported(
            f"card {self.name}: {operation} of port {port}: a simulated port cannot",
            operation=operation,
            span=port,
            driver=self.driver,
        )

    def status(self, port: str) -> SpanStatus:
        """Alarm bits and counters now.

        Raises:
            DeviceGone: No such port, or the card is away.
        """
        seen = self._link.ask("Status", messages.CardPortRequest(port=port), messages.CardStatus, port)
        return SpanStatus(
            port=port,
            alarms=Alarms(seen.alarms),
            counters=_counters(seen),
            level_db=seen.level_db,
            sync_source=int(port) if seen.clocked_by_line else 0,
            reports=Reports(seen.reports, tuple(seen.newest_reports)) if seen.reports is not None else None,
        )

    def open_dchannel(self, port: str, timeslot: Timeslot) -> int:
        """A descriptor of HDLC frames with FCS; the caller owns it.

        Raises:
            DeviceBusy: Somebody still holds it open.
            DeviceGone: It is not configured as the D-channel, or the card is away.
        """
        request = messages.CardDchannelRequest(port=port, timeslot=timeslot)
        call = format_call("org.dahdipy.Card.OpenDchannel", request)
        octets, fds = self._link.exchange(call, "OpenDchannel", port)
        self._link.decode(octets, messages.CardDchannelReply, "OpenDchannel", port)
        return self._only(fds, "OpenDchannel", port)

    def open_timeslot(self, port: str, timeslot: Timeslot, media: Media) -> tuple[int, Media]:
        """A descriptor of the timeslot's octets, and what it will really be; the caller owns it.

        Raises:
            DeviceBusy: Somebody still holds it open.
            DeviceGone: It is not configured as a B-channel, or the card is away.
        """
        opening = self._opening(port, timeslot, media)
        octets, fds = self._link.exchange(opening.request, "OpenTimeslot", port)
        if octets == opening.reply and len(fds) == 1:
            return fds[0], opening.media
        reply = self._link.decode(octets, messages.CardOpenReply, "OpenTimeslot", port)
        fd = self._only(fds, "OpenTimeslot", port)
        return fd, replace(opening.media, chunk=reply.chunk, depth=reply.depth)

    def prove_free(self, port: str, timeslot: Timeslot) -> None:
        """The timeslot could be opened now: no process holds it, ours included.

        Raises:
            DeviceBusy: Somebody still holds it open.
            DeviceGone: No such timeslot, or the card is away.
        """
        self._link.ask("ProveFree", messages.CardTimeslotRequest(port=port, timeslot=timeslot), Empty, port)

    def begin_open(self, port: str, timeslot: Timeslot, media: Media, done: OnOpened) -> None:
        """As `open_timeslot`; the card is asked at the end of this turn."""
        opening = self._opening(port, timeslot, media)
        self._batches.open(Opening(opening.wanted, port, opening.media, done))

    def begin_proof(self, port: str, timeslot: Timeslot, done: OnProved) -> None:
        """As `prove_free`; the card is asked along with the next opening, or a moment later."""
        place = self._places.get((port, timeslot))
        if place is None:
            wanted = messages.CardTimeslotRequest(port=port, timeslot=timeslot)
            place = self._places[port, timeslot] = msgspec.json.encode(wanted)
        self._batches.prove(Proof(place, port, done))

    def answers_fd(self) -> int:
        """A descriptor that is readable when `answers` has something to do."""
        return self._batches.fileno()

    def answers(self) -> None:
        """Who began something knows what came of it, as far as the card has answered."""
        self._batches.answers()

    def settle(self) -> None:
        """Nothing that was begun is under way any more: answered, or given up after the deadline."""
        self._batches.settle()

    def join(self, a: Leg, b: Leg) -> None:
        """Each channel sends what the other received a tick before, and nothing that is written to it.

        Raises:
            Unsupported: One carries frames, or the card is of a version that cannot.
            DeviceBusy: One of them is joined already.
            DeviceGone: One is not open with octets, or the card is away.
        """
        for leg in (a, b):
            if leg.media.mode is Mode.HDLC:
                raise self._unsupported("join a channel of frames", leg.port)
        self._cross_connect(a, b, True)

    def part(self, a: Leg, b: Leg) -> None:
        """Each channel has its own descriptor's octets again; once is enough.

        Raises:
            DeviceGone: The card is away.
        """
        self._cross_connect(a, b, False)

    def _cross_connect(self, a: Leg, b: Leg, on: bool) -> None:
        wanted = messages.CardCrossConnectRequest(
            a=a.port, a_timeslot=a.timeslot, b=b.port, b_timeslot=b.timeslot, on=on
        )
        self._link.ask("CrossConnect", wanted, Empty, a.port)

    def missed(self, port: str, timeslot: Timeslot) -> Missed:
        """What the open timeslot's holder missed.

        Raises:
            DeviceGone: No such timeslot, or the card is away.
        """
        wanted = messages.CardTimeslotRequest(port=port, timeslot=timeslot)
        seen = self._link.ask("Missed", wanted, messages.CardMissed, port)
        return Missed(seen.overruns, seen.underruns)

    def _opening(self, port: str, timeslot: Timeslot, media: Media) -> _Opening:
        key = (port, timeslot, media.law, media.mode, media.chunk, media.depth)
        opening = self._openings.get(key)
        if opening is None:
            if len(self._openings) >= _OPENINGS:
                self._openings.clear()
            opening = self._openings[key] = _prepared(port, timeslot, media)
        return opening

    def _only(self, fds: list[int], operation: str, port: str) -> int:
        if len(fds) == 1:
            return fds[0]
        close_all(fds)
        raise self._link.gone(operation, port, "the card's answer brought no descriptor")

    def event_fd(self) -> int:
        """A descriptor that is readable when `events` has something."""
        return self._watch.fileno()

    def events(self) -> Sequence[BackendEvent]:
        """What happened since the last call; never blocks. Looks for the card while it is away."""
        return self._watch.events()

    def drain_channel(self, fd: int) -> Sequence[str]:
        """Always empty: a simulated channel has no device events."""
        return ()

    def capabilities(self) -> frozenset[str]:
        """Two channels of one card are joined in it; the loops are those that `maintenance` knows."""
        return frozenset({"bridge", *(f"{loop}_loop" for loop in _LOOPS)})


def _counters(seen: messages.CardStatus) -> Counters:
    """What a framer keeps; a T1 has no E bits, and a count of what it cannot see is none."""
    if seen.line is None:
        return Counters(slips=seen.slips)
    line = seen.line
    return Counters(bpv=line.violations, crc=line.crc, ebit=line.ebit, fas=line.fas, slips=seen.slips)


def _prepared(port: str, timeslot: Timeslot, media: Media) -> _Opening:
    wanted = messages.CardOpenRequest(
        port=port, timeslot=timeslot, law=media.law, mode=media.mode, chunk=media.chunk, depth=media.depth
    )
    given = replace(media, echo_canceller=False, gain_db=0.0, medium="socket")
    return _Opening(
        msgspec.json.encode(wanted),
        format_call("org.dahdipy.Card.OpenTimeslot", wanted),
        _OPENED % (media.chunk, media.depth),
        given,
    )
