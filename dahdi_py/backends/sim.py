# SPDX-License-Identifier: GPL-2.0-or-later
"""The simulated card's spans: real frames between cabled ports, real descriptors.

Alarms follow from the received signal: a port whose cable is pulled, or whose far end is stopped, sees no pulse and is
RED with LOS within one tick.

Not modelled: framing bits beyond a constant pattern, so framing, coding, CRC-4 and build-out are kept but change
nothing, two ends may differ in them without alarm, and there is no BLUE, YELLOW, LFA or LMFA; clocks (all ports share
one: timing is kept, no slip but the card's own lateness); bit errors, level, jitter; echo cancellers and gain (answered
as off); companding (a law only chooses the idle octet: two ends that differ are not noticed); maintenance modes;
device events on channels (POLLPRI and errno 500 are the kernel's alone).

A card that was restarted knows no setting and has no channel open: after `present` everything is to be done again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from dahdi_py.backends.base import BackendEvent, Counters, LineConfig, Media, SpanInfo, SpanStatus
from dahdi_py.backends.card_link import CardLink
from dahdi_py.backends.card_watch import CardWatch
from dahdi_py.core.terms import Alarms, Coding, Framing, LineType, Timeslot
from dahdi_py.errors import DahdiPyError, Unsupported
from dahdi_py.wire.framing import close_all, format_call
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import card as messages

_EMPTY = Empty()
_DONE = b'{"parameters":{}}'
_OPENED = b'{"parameters":{"chunk":%d,"depth":%d,"fd":0},"fds":1}'


class _Opening(NamedTuple):
    """How a timeslot is asked for and what a card that gives it answers: the same each time, so made once."""

    request: bytes
    reply: bytes
    media: Media


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
        self._openings: dict[tuple[str, Timeslot, Media], _Opening] = {}
        self._proofs: dict[tuple[str, Timeslot], bytes] = {}
        self._watch = CardWatch(path, deadline_s)

    def close(self) -> None:
        """Every descriptor of the backend's own is closed; spans and channels stay as they are."""
        self._link.close()
        self._worker_link.close()
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
        """The span is out of maintenance, where it always is.

        Raises:
            Unsupported: For every mode.
        """
        if mode is not None:
            raise self._unsupported(f"maintenance mode {mode}", port)

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
        return SpanStatus(port=port, alarms=Alarms(seen.alarms), counters=Counters(slips=seen.slips))

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
        key = (port, timeslot, media)
        opening = self._openings.get(key) or self._prepare(key)
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
        request = self._proofs.get((port, timeslot))
        if request is None:
            wanted = messages.CardTimeslotRequest(port=port, timeslot=timeslot)
            request = self._proofs[port, timeslot] = format_call("org.dahdipy.Card.ProveFree", wanted)
        octets, fds = self._link.exchange(request, "ProveFree", port)
        close_all(fds)
        if octets != _DONE:
            self._link.decode(octets, Empty, "ProveFree", port)

    def _prepare(self, key: tuple[str, Timeslot, Media]) -> _Opening:
        port, timeslot, media = key
        wanted = messages.CardOpenRequest(
            port=port, timeslot=timeslot, law=media.law, mode=media.mode, chunk=media.chunk, depth=media.depth
        )
        given = replace(media, echo_canceller=False, gain_db=0.0, medium="socket")
        opening = _Opening(
            format_call("org.dahdipy.Card.OpenTimeslot", wanted), _OPENED % (media.chunk, media.depth), given
        )
        self._openings[key] = opening
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
        """Nothing beyond the minimum."""
        return frozenset()
