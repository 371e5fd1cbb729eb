# SPDX-License-Identifier: GPL-2.0-or-later
"""The backend contract: what a line host asks of the hardware, real or simulated.

A backend **must**

- hand out real file descriptors that a selector can wait on, non-blocking and close-on-exec;
- give D-channel descriptors that carry one frame plus two octets a read or write (FCS in, dummy out);
- answer `DeviceBusy` for a timeslot that any process still holds open;
- read a setting before writing it, write only differences, and never write to a span with open channels unless forced;
- report `None` for a setting or counter the driver does not keep, never 0;
- refuse with `Unsupported`, naming operation, span and driver, what the driver cannot do;
- undo a `join` whole in `part`: what was written to either channel meanwhile is not sent, nothing that came meanwhile
  is read, and whoever opens either channel next hears and is heard by nobody but his own line;
- raise `DeviceGone` when the card is gone, and come back by itself when it is back (`events` says so);
- touch no span but the one named.

It **might**

- create dynamic spans in `configure` (and adopt those that exist);
- join two channels in the hardware (`capabilities` says ``bridge``), each octet in order and unchanged; where it
  cannot, or not these two, it refuses with `Unsupported`, and the line host copies instead;
- block for up to a second in `configure`, `startup`, `shutdown`, `maintenance` and `destroy`: the line host calls
  these, and only these, from its worker thread. Everything else returns within a system call or two
  (sim: one bounded round trip to the card). `begin_open` and `begin_proof` do not even wait for that: many may be under
  way at once, and are answered in any order.

Every span is named by its `port`: the configured place on the card, such as ``"1"`` or ``"loc/1:0"``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from dahdi_py.core.far_end_reports import Reports
from dahdi_py.core.terms import Alarms, Coding, Framing, Law, LineType, Mode, Timeslot
from dahdi_py.errors import HardwareError


@dataclass(frozen=True, slots=True)
class LineConfig:
    """What a span's line should be; `None` leaves a setting alone.

    Attributes:
        timing: Priority as timing source, 0 never, else 1 first.
        build_out: Line build-out code 0-7 as in system.conf.
        bchannels: Timeslots to configure as clear 64 kbit/s channels.
        dchannel: Timeslot of the D-channel (HDLC with FCS), or None.
    """

    type: LineType
    framing: Framing | None = None
    coding: Coding | None = None
    crc4: bool | None = None
    timing: int | None = None
    build_out: int | None = None
    law: Law | None = None
    bchannels: tuple[Timeslot, ...] = ()
    dchannel: Timeslot | None = None


@dataclass(frozen=True, slots=True)
class SpanInfo:
    """A span as the hardware shows it now; `None` where the driver does not keep a setting."""

    port: str
    number: int | None
    name: str
    description: str
    driver: str
    type: LineType | None
    timeslots: int
    base_channo: int | None
    framing: Framing | None
    coding: Coding | None
    crc4: bool | None
    timing: int | None
    build_out: int | None
    sync_source: int | None
    started: bool | None
    kernel: bool


@dataclass(frozen=True, slots=True)
class Counters:
    """Running counts since an unknown start; `None` where the driver does not keep one. Events, 0 or more."""

    bpv: int | None = None
    cv: int | None = None
    crc: int | None = None
    ebit: int | None = None
    fas: int | None = None
    be: int | None = None
    slips: int | None = None
    errored_seconds: int | None = None
    irq_misses: int | None = None


@dataclass(frozen=True, slots=True)
class SpanStatus:
    """What a span reports at this moment: its alarm bits as received, and its counters.

    Attributes:
        sync_source: Number of the span that is timing source now, 0 for the span's own oscillator, None where the
            driver does not tell.
        estimated: Counters that may count less than there is, and `defects` when the alarm bits come late.
        reports: What the far end reports of its receiver; None where the line has no such reports or the driver keeps
            them to itself.
    """

    port: str
    alarms: Alarms
    counters: Counters
    level_db: float | None = None
    sync_source: int | None = None
    estimated: frozenset[str] = frozenset()
    reports: Reports | None = None


@dataclass(frozen=True, slots=True)
class Media:
    """How a B-channel's descriptor behaves; asked with a lease and echoed with it.

    Attributes:
        gain_db: Receive and transmit gain in dB, 0.0 for none.
        chunk: Octets a read or write carries; 8-8192 by driver, 160 usual.
        depth: Blocks queued each way, 2-32.
        medium: What the descriptor is: ``socket`` (sim), ``kernel`` (DAHDI node).
    """

    law: Law
    mode: Mode = Mode.VOICE
    echo_canceller: bool = False
    gain_db: float = 0.0
    chunk: int = 160
    depth: int = 8
    medium: str = ""


@dataclass(frozen=True, slots=True)
class Missed:
    """What the holder of a timeslot's descriptor missed since it was opened; `None` where the driver keeps no count.

    Attributes:
        overruns: Blocks dropped because it did not read.
        underruns: Idle octets sent because it did not write.
    """

    overruns: int | None = None
    underruns: int | None = None


class Leg(NamedTuple):
    """An open channel that is joined with another: its place, our copy of its descriptor, and what that is."""

    port: str
    timeslot: Timeslot
    fd: int
    media: Media


@dataclass(frozen=True, slots=True)
class BackendEvent:
    """Something happened: read the span's status again, or a channel's device event.

    Attributes:
        port: The span, or None for every span of the card.
        kind: ``status`` (read it again), ``absent``, ``present``.
    """

    port: str | None
    kind: str


OnOpened = Callable[[int, Media | None, HardwareError | None], None]
"""Takes the descriptor, the taker's to close, and what it is; or -1, None and the error."""
OnProved = Callable[[HardwareError | None], None]
"""Takes None when the timeslot is free, else why it is not."""


class Backend(Protocol):
    """One card's spans, behind one interface.

    Synchronization: one thread, except `configure`, `startup`, `shutdown`, `maintenance` and `destroy`, which may be
    called from one worker thread while the first uses the rest.
    """

    name: str
    driver: str

    def spans(self) -> Sequence[SpanInfo]:
        """Frozen snapshots of every span of the card."""

    def configure(self, port: str, config: LineConfig, *, force: bool = False) -> Sequence[str]:
        """The span is as asked; returns the names of the settings that had to be written.

        Creates a dynamic span that does not exist and adopts one that does.

        Raises:
            DeviceBusy: A difference needs writing and channels are open, and not forced.
            Unsupported: The driver cannot be what is asked.
            DeviceGone: No such span.
        """

    def startup(self, port: str) -> None:
        """The span transmits and receives."""

    def shutdown(self, port: str) -> None:
        """The span is stopped; refused with `DeviceBusy` while we know of open channels."""

    def destroy(self, port: str) -> None:
        """A dynamic span is gone again; `Unsupported` for a real one."""

    def maintenance(self, port: str, mode: str | None) -> None:
        """The span is in maintenance `mode` (``local``, ``line``, ``payload``) or out of it (None)."""

    def status(self, port: str) -> SpanStatus:
        """Alarm bits and counters now.

        Raises:
            DeviceGone: The span or card is not there.
        """

    def open_dchannel(self, port: str, timeslot: Timeslot) -> int:
        """A descriptor of HDLC frames with FCS; the caller owns it."""

    def open_timeslot(self, port: str, timeslot: Timeslot, media: Media) -> tuple[int, Media]:
        """A descriptor of the timeslot's octets, and what it will really be; the caller owns it.

        Raises:
            DeviceBusy: Somebody still holds it open.
            DeviceGone: The span or card is not there.
        """

    def prove_free(self, port: str, timeslot: Timeslot) -> None:
        """The timeslot could be opened now: no process holds it, ours included.

        Raises:
            DeviceBusy: Somebody still holds it open.
            DeviceGone: The span or card is not there.
        """

    def join(self, a: Leg, b: Leg) -> None:
        """Each channel sends what the other receives, and nothing that is written to it; `part` comes before closing.

        Neither descriptor is read or written meanwhile.

        Raises:
            Unsupported: These two cannot be joined here.
            DeviceBusy: One of them is joined already, where the driver knows.
            DeviceGone: The span or card is not there.
        """

    def part(self, a: Leg, b: Leg) -> None:
        """Each channel has its own descriptor's octets again; once is enough.

        Raises:
            DeviceGone: The span or card is not there, and with it the joint.
        """

    def begin_open(self, port: str, timeslot: Timeslot, media: Media, done: OnOpened) -> None:
        """As `open_timeslot`, but `done` is told what came of it: now, or in a later `answers` or `settle`."""

    def begin_proof(self, port: str, timeslot: Timeslot, done: OnProved) -> None:
        """As `prove_free`, but `done` is told what came of it: now, or in a later `answers` or `settle`."""

    def answers_fd(self) -> int | None:
        """A descriptor that is readable when `answers` has something to do; None where nothing is ever under way."""

    def answers(self) -> None:
        """Who began something knows what came of it, as far as that is known; never blocks."""

    def settle(self) -> None:
        """Nothing that was begun is under way any more; waits, for a bounded time."""

    def missed(self, port: str, timeslot: Timeslot) -> Missed:
        """What the open timeslot's holder missed.

        Raises:
            DeviceGone: The span or card is not there.
        """

    def event_fd(self) -> int:
        """A descriptor that is readable when `events` has something."""

    def events(self) -> Sequence[BackendEvent]:
        """What happened since the last call; never blocks."""

    def drain_channel(self, fd: int) -> Sequence[str]:
        """Device events pending on an open channel, by name, taken off its queue; empty where a driver has none."""

    def capabilities(self) -> frozenset[str]:
        """What the driver can do beyond the minimum.

        ``dynamic``, ``local_loop``, ``line_loop``, ``payload_loop``; ``bridge``: `join` two of its channels.
        """

    def close(self) -> None:
        """Every descriptor of the backend's own is closed; spans and channels stay as they are."""
