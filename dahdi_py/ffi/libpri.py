# SPDX-License-Identifier: GPL-2.0-or-later
"""All D-channels of a host behind one descriptor: readable or due, one turn, a list of events."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Final, Literal

from dahdi_py.core.terms import Node, SwitchType
from dahdi_py.errors import ConfigError
from dahdi_py.ffi._libpri import ffi, lib
from dahdi_py.ffi.libpri_commands import CommandQueue
from dahdi_py.ffi.libpri_events import Event, Moment, moments
from dahdi_py.ffi.libpri_parse import parse

NODES: Final = {Node.NETWORK: lib.PRI_NETWORK, Node.CPE: lib.PRI_CPE}
SWITCH_TYPES: Final = {
    SwitchType.NATIONAL: lib.PRI_SWITCH_NI2,
    SwitchType.NI1: lib.PRI_SWITCH_NI1,
    SwitchType.DMS100: lib.PRI_SWITCH_DMS100,
    SwitchType.ATT4ESS: lib.PRI_SWITCH_ATT4ESS,
    SwitchType.LUCENT5E: lib.PRI_SWITCH_LUCENT5E,
    SwitchType.EUROISDN: lib.PRI_SWITCH_EUROISDN_E1,
    SwitchType.QSIG: lib.PRI_SWITCH_QSIG,
}
SERVICE_SWITCHES: Final = frozenset({SwitchType.NATIONAL, SwitchType.ATT4ESS, SwitchType.LUCENT5E, SwitchType.DMS100})

DEFAULT_TIMERS: Final[Mapping[str, int]] = {"T309": 90_000, "T316": 30_000}
"""Milliseconds. libpri's own T309 of 6 s loses active calls in an outage of 13 s; its T316 is off."""
TIMER_BOUNDS: Final[Mapping[str, tuple[int, int]]] = {"T200": (200, 10_000), "K": (1, 32), "N200": (1, 10)}
"""Outside of these libpri floods the link or never sends. Source: Q.921 5.9."""
_TIMER_RANGE: Final = (1, 3_600_000)
_T200_DEFAULT: Final = 1000
_T203_DEFAULT: Final = 10_000

VERSION: Final = ffi.string(lib.pri_get_version()).decode("ascii", "replace")


def _counter_names() -> tuple[str, ...]:
    names: list[str] = []
    while (name := lib.pump_counter_name(len(names))) != ffi.NULL:
        names.append(ffi.string(name).decode("ascii"))
    return tuple(names)


COUNTERS: Final = _counter_names()


def check_timers(timers: Mapping[str, int]) -> None:
    """Raise `ConfigError` unless every timer (ms) and count is one libpri can live with.

    Raises:
        ConfigError: A value is out of its bounds, or T203 is not above T200.
    """
    for name, value in timers.items():
        low, high = TIMER_BOUNDS.get(name, _TIMER_RANGE)
        if not low <= value <= high:
            raise ConfigError(f"timer {name}: {value} is not in {low}-{high}", where=f"timers.{name}")
    if timers.get("T203", _T203_DEFAULT) <= timers.get("T200", _T200_DEFAULT):
        raise ConfigError("timer T203 must be longer than T200", where="timers.T203")


class Pump(CommandQueue):
    """libpri for all D-channels of this process.

    Register `fileno` for reading; when it is readable, when `next_deadline` has come and after queuing commands, call
    `turn` and handle what it returns. A D-channel keeps its libpri controller for life; its descriptor may change.

    Args:
        virtual: Time stands still but for `advance`. Tests only; needs libpri's clock to be ours (`CLOCK_WRAPPED`).

    Synchronization: the thread that made it only; libpri has no locks and process-wide state.
    """

    def __init__(self, *, virtual: bool = False) -> None:
        super().__init__()
        self._thread = threading.get_ident()
        self._virtual = virtual
        pump = lib.pump_new(virtual)
        if pump == ffi.NULL:
            raise OSError("no epoll descriptor, or virtual time with a libpri that reads the wall clock")
        self._pump = ffi.gc(pump, lib.pump_free)
        self._frame = ffi.new("uint8_t[]", lib.FRAME_OCTETS)

    @property
    def clock(self) -> Literal["monotonic", "virtual", "wall"]:
        """What libpri's timers run on; with ``wall`` a step of the wall clock moves them, and `ClockStep` says so."""
        if self._virtual:
            return "virtual"
        return "monotonic" if lib.clock_is_wrapped() else "wall"

    def fileno(self) -> int:
        """Return the one descriptor that is readable when a D-channel has something to say."""
        self._enter()
        return lib.pump_fd(self._pump)

    def close(self) -> None:
        """Release all but libpri's controllers, which cannot be freed. Descriptors attached stay the caller's."""
        if self._pump is not None:
            self._enter()
            ffi.gc(self._pump, None)
            lib.pump_free(self._pump)
            self._pump = None

    def add_dchannel(
        self,
        node: Node,
        switch_type: SwitchType,
        *,
        fd: int | None = None,
        timers: Mapping[str, int] | None = None,
        service_messages: bool | None = None,
    ) -> int:
        """Return the number of a new D-channel, whose link is being established from now on.

        Args:
            node: Our side.
            switch_type: The protocol variant.
            fd: A non-blocking descriptor of one frame and its FCS a read; None: attached later, or joined.
            timers: By libpri's names, ms or counts, over `DEFAULT_TIMERS`.
            service_messages: Handle SERVICE; None: where the variant has it. Where off, SERVICE is ignored.

        Raises:
            ConfigError: A timer has no such name or an impossible value.
            OSError: The descriptor cannot be watched, or there are too many D-channels.
        """
        self._enter()
        merged = {**DEFAULT_TIMERS, **(timers or {})}
        check_timers(merged)
        if service_messages is None:
            service_messages = switch_type in SERVICE_SWITCHES
        number = lib.pump_add(
            self._pump, -1 if fd is None else fd, NODES[node], SWITCH_TYPES[switch_type], service_messages
        )
        if number < 0:
            raise OSError(f"D-channel refused: {node} {switch_type}, descriptor {fd}")
        for name, value in merged.items():
            if lib.pump_set_timer(self._pump, number, name.encode("ascii"), value) < 0:
                raise ConfigError(f"timer {name}: libpri has none of that name", where=f"timers.{name}")
        return number

    def attach_fd(self, dchannel: int, fd: int) -> None:
        """Give a D-channel another descriptor; what was queued for the old one is dropped, the link repairs itself."""
        self._enter()
        self._check(lib.pump_attach(self._pump, dchannel, fd))

    def detach_fd(self, dchannel: int) -> None:
        """Take a D-channel's descriptor away; its link times out by itself. The descriptor stays the caller's."""
        self._enter()
        self._check(lib.pump_attach(self._pump, dchannel, -1))

    def kick(self, dchannel: int) -> None:
        """Go on with a D-channel after its device events have been read."""
        self._enter()
        self._check(lib.pump_kick(self._pump, dchannel))

    def join(self, one: int, other: int) -> None:
        """Cable two D-channels together in memory."""
        self._enter()
        self._check(lib.pump_join(self._pump, one, other))

    def part(self, dchannel: int) -> None:
        """Cut the cable in memory at a D-channel; both ends are unattached afterwards."""
        self._enter()
        self._check(lib.pump_part(self._pump, dchannel))

    def tap(self, dchannel: int, on: bool = True) -> None:
        """Report every frame of a D-channel as `Frame`, as it is on the line."""
        self._enter()
        self._check(lib.pump_tap(self._pump, dchannel, on))

    def inject(self, dchannel: int, frame: bytes) -> None:
        """Let the next turn receive `frame` (without FCS) on a D-channel."""
        self._enter()
        self._check(lib.pump_inject(self._pump, dchannel, frame, len(frame)))

    def take_sent(self, dchannel: int) -> list[bytes]:
        """Return the frames (without FCS) an unattached D-channel has sent; the last 64 are kept."""
        self._enter()
        frames = []
        while (length := lib.pump_take_sent(self._pump, dchannel, self._frame)) > 0:
            frames.append(bytes(ffi.buffer(self._frame, length)))
        self._check(length)
        return frames

    def turn(self) -> list[Event]:
        """Execute the queued commands, receive, run expired timers; return what happened, in order."""
        self._enter()
        commands = self._take() if self._commands else b""
        length = lib.pump_turn(self._pump, commands, len(commands))
        return parse(ffi.buffer(lib.pump_events(self._pump), length)[:]) if length else []

    def flush(self) -> list[Event]:
        """Execute the queued commands if there are any; return what happened."""
        return self.turn() if self._commands else []

    def now(self) -> float:
        """Return the pump's clock in seconds: CLOCK_MONOTONIC in service."""
        return lib.pump_now(self._pump) / 1e9

    def next_deadline(self) -> float | None:
        """Return when the next timer expires, in seconds on the pump's clock; None: no timer runs."""
        self._enter()
        deadline = lib.pump_deadline(self._pump)
        return deadline / 1e9 if deadline else None

    def advance(self, ns: int) -> list[Event]:
        """Let `ns` nanoseconds of virtual time pass, stopping at every timer; return what happened.

        Raises:
            RuntimeError: The pump's time is not virtual.
        """
        if not self._virtual:
            raise RuntimeError("only virtual time can be advanced")
        events = self.turn()
        end = lib.pump_now(self._pump) + ns
        while (deadline := lib.pump_deadline(self._pump)) and deadline <= end:
            lib.pump_set_now(self._pump, deadline)
            events += self.turn()
        lib.pump_set_now(self._pump, end)
        return events + self.turn()

    def dchannel_state(self, dchannel: int) -> Literal["up", "down"]:
        """Return whether the link is in multiple frame operation, from the frames seen. Source: Q.921 5.5.1."""
        self._enter()
        return "up" if lib.pump_link_up(self._pump, dchannel) else "down"

    def counters(self, dchannel: int) -> dict[str, int]:
        """Return a D-channel's counts by name (`COUNTERS`): ``drop_*`` frames, ``neutral_*`` messages kept off libpri.

        Raises:
            ValueError: There is no such D-channel.
        """
        self._enter()
        values = lib.pump_counters(self._pump, dchannel)
        if values == ffi.NULL:
            raise ValueError(f"D-channel {dchannel} does not exist")
        return dict(zip(COUNTERS, ffi.unpack(values, len(COUNTERS)), strict=True))

    def errors_suppressed(self) -> int:
        """Return how many of libpri's complaints were more than 20 in a second and dropped."""
        return lib.pump_errors_suppressed(self._pump)

    def info(self, dchannel: int) -> str:
        """Return libpri's own description of a D-channel."""
        self._enter()
        text = lib.pump_info(self._pump, dchannel)
        if text == ffi.NULL:
            raise ValueError(f"D-channel {dchannel} does not exist")
        try:
            return ffi.string(text).decode("latin-1")
        finally:
            lib.pump_info_free(text)

    def timeline(self, handle: int) -> tuple[Moment, ...]:
        """Return the messages of a live call so far; empty if there is no such call."""
        self._enter()
        entries = ffi.new("struct moment[]", lib.MOMENTS_MAX)
        count = lib.pump_timeline(self._pump, handle, entries)
        return tuple(moments(ffi.buffer(entries)[: 16 * count])) if count > 0 else ()

    def _enter(self) -> None:
        if threading.get_ident() != self._thread:
            raise RuntimeError("libpri is used from another thread than the one that made the pump")
        if self._pump is None:
            raise RuntimeError("the pump is closed")

    @staticmethod
    def _check(result: int) -> None:
        if result < 0:
            raise OSError(-result, os.strerror(-result))
