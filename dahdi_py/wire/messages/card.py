# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Card`: what a line host asks of the simulated card, and what a test does to its cables. Internal."""

from __future__ import annotations

from typing import Annotated

import msgspec

from dahdi_py.wire.interface import Empty, Interface, Method, Record, Request
from dahdi_py.wire.messages import cable

PROTOCOL = 1
Slot = Annotated[int, msgspec.Meta(ge=0, le=31)]
AnySlot = Annotated[int, msgspec.Meta(ge=0, le=255)]
"""One that no port has is refused by itself, not with all that was asked along with it."""


class CardInfo(Record):
    """The card's process.

    Attributes:
        started_ns: CLOCK_MONOTONIC of its start, ns; differs after a restart, when every setting is gone.
        tick_ms: How often frames move, ms.
    """

    protocol: int
    version: str
    pid: int
    started_ns: int
    tick_ms: int
    ports: int


class CardSpan(Record):
    """A port and its settings.

    Attributes:
        cable: The port at the other end of the cable, empty for none.
        bchannels: Timeslots configured as B-channels.
        dchannel: Timeslot configured as D-channel, None for none.
    """

    port: str
    number: int
    type: str
    timeslots: int
    framing: str
    coding: str
    crc4: bool
    timing: int
    build_out: int
    law: str
    bchannels: list[int]
    dchannel: int | None
    running: bool
    cable: str


class CardSpans(Record):
    """Every port, in order."""

    spans: list[CardSpan]


class CardConfigureRequest(Request):
    """The port's settings become these, what is left out stays; `DeviceBusy` if it is open and not forced.

    Attributes:
        type: The port's line type, which cannot change.
        dchannel: 0 for none.
    """

    port: str
    type: str
    framing: str | None = None
    coding: str | None = None
    crc4: bool | None = None
    timing: Annotated[int, msgspec.Meta(ge=0, le=255)] | None = None
    build_out: Annotated[int, msgspec.Meta(ge=0, le=7)] | None = None
    law: str | None = None
    bchannels: list[Slot] | None = None
    dchannel: Slot | None = None
    force: bool = False


class CardConfigureReply(Record):
    """Names of the settings that were written."""

    written: list[str]


class CardPortRequest(Request):
    """Names a port."""

    port: str


class CardShutdownRequest(Request):
    """The port stops; refused with `DeviceBusy` while a timeslot is open, unless forced."""

    port: str
    force: bool = False


class CardHdlc(Record):
    """What the port's HDLC receivers saw since the card's start, and frames sent."""

    sent: int
    frames: int
    fcs_errors: int
    aborts: int
    overlong: int
    misaligned: int
    shorts: int


class CardLineCounts(Record):
    """What the framer saw since the card's start.

    Attributes:
        violations: Of the line code.
        crc: Blocks with a wrong CRC: CRC-4 submultiframes, CRC-6 extended superframes.
        ebit: E1: blocks that the far end says were wrong.
        fas: E1: frame alignment words in error; T1: framing bits in error.
        severe: E1: losses of frame alignment; T1: framing periods with two errors.
        reframes: Frame alignments found; `cofa`: at another place than before.
    """

    violations: int
    crc: int
    ebit: int
    fas: int
    severe: int
    reframes: int
    cofa: int


class CardStatus(Record):
    """A port at this moment; counts since the card's start.

    Attributes:
        alarms: Alarm bits as the received signal makes them (core.terms.Alarms).
        held: Timeslots with an open descriptor, in any process.
        slips: Frames left out or given twice where clocks differ.
        late: Frames lost because the card was late.
        overruns: Blocks or frames dropped because a client did not read.
        underruns: Idle octets sent because a client did not write.
        cut: Writes longer than a block or frame may be.
        level_db: Of the received signal, dB off nominal; null without one.
        clocked_by_line: It takes its clock from the line now.
        line: What its framer saw.
        reports: ESF: seconds that the far end has reported of its receiver, null for another framing;
            `newest_reports`: the newest of them, newest first, each as on the line (core.far_end_reports.Report).
    """

    port: str
    alarms: int
    words: list[str]
    held: list[int]
    slips: int
    overruns: int
    underruns: int
    cut: int
    hdlc: CardHdlc
    level_db: float | None = None
    clocked_by_line: bool = False
    line: CardLineCounts | None = None
    late: int = 0
    reports: int | None = None
    newest_reports: list[int] = []


class CardOpenRequest(Request):
    """A B-channel's octets (or frames, in mode hdlc) as a descriptor.

    Attributes:
        law: alaw or mulaw: what is sent while nothing is written.
        mode: voice, data or hdlc.
        chunk: Octets a read carries, 1-8192.
        depth: Blocks queued each way, 2-32; chunk * depth at most 32768.
    """

    port: str
    timeslot: AnySlot
    law: str
    mode: str = "voice"
    chunk: Annotated[int, msgspec.Meta(ge=1, le=8192)] = 160
    depth: Annotated[int, msgspec.Meta(ge=2, le=32)] = 8


class CardOpenReply(Record):
    """What the descriptor (index 0) is."""

    chunk: int
    depth: int
    fd: int = 0


class CardDchannelRequest(Request):
    """A D-channel's frames as a descriptor: one frame + 2 octets a read or write."""

    port: str
    timeslot: Slot


class CardTimeslotRequest(Request):
    """Names a timeslot of a port."""

    port: str
    timeslot: AnySlot


class CardBatchRequest(Request):
    """What one turn of a host wants of timeslots: to know which are free, and others open.

    Attributes:
        open: At most 253, the descriptors one message carries.
    """

    prove: list[CardTimeslotRequest] = []
    open: list[CardOpenRequest] = []


class CardRefused(Record):
    """One of a batch that could not be.

    Attributes:
        at: Its place in the request's list, from 0.
        error: The wire name of what a request of its own would have failed with.
    """

    at: int
    error: str
    message: str


class CardBatchReply(Record):
    """What became of a batch; the descriptors are those of the opened timeslots, in order.

    Attributes:
        held: Of `prove`, those that are not free.
        refused: Of `open`, those that are not open.
        depths: What the opened ones' depths really are, in order.
    """

    held: list[CardRefused]
    refused: list[CardRefused]
    depths: list[int]


class CardCrossConnectRequest(Request):
    """Two open timeslots are joined in the card, each sending what the other receives; or, `on` False, parted."""

    a: str
    a_timeslot: int
    b: str
    b_timeslot: int
    on: bool = True


class CardMissed(Record):
    """What a timeslot's client missed since it was opened last.

    Attributes:
        overruns: Blocks or frames dropped because it did not read.
        underruns: Idle octets sent because it did not write.
    """

    overruns: int
    underruns: int


class CardDchannelReply(Record):
    """The descriptor (index 0)."""

    fd: int = 0


class CardNews(Record):
    """Ports whose alarms changed, or within a second their counts and clocks; first, at once, every port."""

    ports: list[str]


INTERFACE = Interface(
    "org.dahdipy.Card",
    "What a line host asks of the simulated card, and what a test does to its cables. Internal.",
    (
        Method("Info", Empty, CardInfo, doc="The card's process."),
        Method("ListSpans", Empty, CardSpans, doc="Every port and its settings."),
        Method("Configure", CardConfigureRequest, CardConfigureReply, role="operate", doc="Set a port's line."),
        Method("Startup", CardPortRequest, Empty, role="operate", doc="The port transmits and receives."),
        Method("Shutdown", CardShutdownRequest, Empty, role="operate", doc="The port stops."),
        Method("Status", CardPortRequest, CardStatus, doc="Alarms and counters of a port."),
        Method("OpenTimeslot", CardOpenRequest, CardOpenReply, role="operate", fds=True, doc="A B-channel."),
        Method("ProveFree", CardTimeslotRequest, Empty, role="operate", doc="Refused while anybody has it open."),
        Method("CrossConnect", CardCrossConnectRequest, Empty, role="operate", doc="Join two timeslots, or part them."),
        Method("Batch", CardBatchRequest, CardBatchReply, role="operate", fds=True, doc="Many of both at once."),
        Method("Missed", CardTimeslotRequest, CardMissed, doc="What a timeslot's client did not read and write."),
        Method("OpenDchannel", CardDchannelRequest, CardDchannelReply, role="operate", fds=True, doc="A D-channel."),
        Method("Monitor", Empty, CardNews, stream=True, doc="Which ports' status changes."),
        Method("Lines", Empty, cable.LineList, doc="Every port's line: cable, faults, clock, level, loops."),
        Method("Cable", cable.CableRequest, Empty, role="operate", doc="Join two ports."),
        Method("Uncable", cable.PortRequest, Empty, role="operate", doc="Pull a port's cable."),
        Method("Inject", cable.FaultRequest, Empty, role="operate", doc="A fault begins on a port's cable."),
        Method("Mend", cable.MendRequest, Empty, role="operate", doc="A port's cable is without fault."),
        Method("Clock", cable.ClockRequest, Empty, role="operate", doc="Set a port's oscillator and clock source."),
        Method("Level", cable.LevelRequest, Empty, role="operate", doc="Set a cable's loss and a port's build-out."),
        Method("Loop", cable.LoopRequest, Empty, role="operate", doc="Loop a port or timeslots of it."),
        Method("FarEnd", cable.FarEndRequest, Empty, role="operate", doc="Put a CSU or NIU at the other end."),
        Method("SendCode", cable.CodeRequest, Empty, role="operate", doc="Send a loop code."),
    ),
)
