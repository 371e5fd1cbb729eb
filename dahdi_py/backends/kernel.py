# SPDX-License-Identifier: GPL-2.0-or-later
"""Spans of the running DAHDI kernel, real ones and dynamic ones.

How a `port` names a span is told in `kernel_ports`. The kernel tells alarms only to open channels, and only that some
began or all ended; so a span's status is read each second, and `events` says when.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from dahdi_py.backends import (
    kernel_bridge,
    kernel_channel,
    kernel_configure,
    kernel_lock,
    kernel_ports,
    kernel_snapshot,
    kernel_sysfs,
)
from dahdi_py.backends.base import (
    BackendEvent,
    Leg,
    LineConfig,
    Media,
    Missed,
    OnOpened,
    OnProved,
    SpanInfo,
    SpanStatus,
)
from dahdi_py.backends.kernel_sysfs import FoundSpan, Identity
from dahdi_py.core.config import Dynamic
from dahdi_py.core.terms import Timeslot
from dahdi_py.errors import DeviceBusy, DeviceGone, HardwareError, Unsupported
from dahdi_py.ffi import dahdi, dahdi_channel
from dahdi_py.ffi.dahdi import Maintenance, SpanStat

STATUS_S = 1
EVENTS_AT_ONCE = 128
"""More than a channel's queue holds. Source: user.h DAHDI_MAX_EVENTSIZE (64)."""

_LOOPS = {
    None: Maintenance.NONE,
    "local": Maintenance.LOCAL_LOOP,
    "line": Maintenance.LINE_LOOP,
    "payload": Maintenance.PAYLOAD_LOOP,
}


class KernelBackend:
    """The DAHDI kernel's spans; see `Backend` for what each method promises.

    Args:
        name: The card's configured name.
        dynamic: Dynamic spans to create or adopt; one that is not listed gets as many channels as its line type.
        canceller: Kernel echo canceller for voice channels that ask for one.
        devices: Where the device nodes are.
        sysfs: Where sysfs is mounted.
        locks: Folder of the machine-wide span locks.

    Synchronization: as `Backend` says; what the worker's methods share with the others is behind one lock.
    """

    driver = "dahdi"

    def __init__(
        self,
        name: str,
        dynamic: Iterable[Dynamic] = (),
        *,
        canceller: str = "mg2",
        devices: Path = dahdi.DEVICES,
        sysfs: Path = kernel_sysfs.SYSFS,
        locks: Path = kernel_lock.LOCKS,
    ) -> None:
        self.name = name
        self._dynamic = {f"{span.driver}/{span.address}": span for span in dynamic}
        self._canceller = canceller
        self._devices, self._sysfs, self._locks_folder = devices, sysfs, locks
        self._guard = threading.Lock()
        self._control: int | None = None
        self._known: dict[str, FoundSpan] = {}
        self._configs: dict[str, LineConfig] = {}
        self._memories: dict[Identity, kernel_configure.Memory] = {}
        self._locks: dict[str, int] = {}
        self._started: dict[str, bool] = {}
        self._absent: set[str] = set()
        self._ticker: int | None = dahdi.ticker(STATUS_S)

    # What is there

    def spans(self) -> Sequence[SpanInfo]:
        """Frozen snapshots of every span the kernel has, under the port it was configured by."""
        control = self._ctl()
        ports = {(span.device, span.local): port for port, span in list(self._known.items())}
        result = []
        for span in kernel_sysfs.spans(self._sysfs):
            port = ports.get((span.device, span.local)) or kernel_snapshot.port_of(span)
            stat = None
            if span.number is not None:
                with suppress(DeviceGone):  # removed since it was listed
                    stat = dahdi.spanstat(control, span.number)
            result.append(kernel_snapshot.info(port, span, stat, self._started.get(port)))
        return result

    def status(self, port: str) -> SpanStatus:
        """Alarm bits and counters now."""
        with self._named(port):
            span, stat = self._current(port)
            return kernel_snapshot.status(port, span, stat)

    def capabilities(self) -> frozenset[str]:
        """Dynamic spans and joined channels always; the loops of the drivers whose spans are configured here."""
        return kernel_snapshot.capabilities(list(self._known.values()))

    # Making it so

    def configure(self, port: str, config: LineConfig, *, force: bool = False) -> Sequence[str]:
        """The span is as asked; returns the names of the settings that had to be written."""
        with self._named(port):
            self._own(port)
            span, written = kernel_ports.existing(
                self._ctl(), port, config, self._dynamic.get(port), self._memories, self._sysfs
            )
            memory = self._memories.setdefault(span.identity, kernel_configure.Memory())
            written += kernel_configure.configure(self._ctl(), span, config, memory, force=force, sysfs=self._sysfs)
            self._known[port], self._configs[port] = span, config
            return written

    def startup(self, port: str) -> None:
        """The span transmits and receives."""
        with self._named(port):
            self._own(port)
            span, stat = self._current(port)
            if config := self._configs.get(port):  # SHUTDOWN unconfigures every channel
                lost = kernel_configure.differing_channels(self._ctl(), span, config)
                kernel_configure.write_channels(self._ctl(), lost, config)
                channos = [kernel_configure.channel_number(span, timeslot) for timeslot in config.bchannels]
                kernel_bridge.clear(channos, self._devices)
            dahdi.startup(self._ctl(), stat.number)
            self._started[port] = True

    def shutdown(self, port: str) -> None:
        """The span is stopped; refused with `DeviceBusy` while channels are open."""
        with self._named(port):
            self._own(port)
            _, stat = self._current(port)
            if busy := kernel_sysfs.open_channels(stat.number, self._sysfs):
                raise DeviceBusy(f"{len(busy)} channels are open", operation="shutdown", channels=busy)
            dahdi.shutdown(self._ctl(), stat.number)
            self._started[port] = False

    def destroy(self, port: str) -> None:
        """A dynamic span is gone again."""
        with self._named(port):
            if (names := kernel_ports.dynamic_of(port)) is None:
                raise Unsupported("a real span cannot be destroyed", operation="destroy")
            self._own(port)
            dahdi.dynamic_destroy(self._ctl(), *names)
            self._forget(port)

    def maintenance(self, port: str, mode: str | None) -> None:
        """The span is in maintenance `mode` or out of it."""
        with self._named(port):
            if mode not in _LOOPS:
                raise Unsupported(f"no loop is called {mode!r}; local, line, payload", operation="maintenance")
            self._own(port)
            _, stat = self._current(port)
            dahdi.maint(self._ctl(), stat.number, _LOOPS[mode])

    # Channels

    def open_dchannel(self, port: str, timeslot: Timeslot) -> int:
        """A descriptor of HDLC frames with FCS; the caller owns it."""
        with self._named(port, timeslot):
            return kernel_channel.open_dchannel(self._channel(port, timeslot), self._devices)

    def open_timeslot(self, port: str, timeslot: Timeslot, media: Media) -> tuple[int, Media]:
        """A descriptor of the timeslot's octets, and what it will really be; the caller owns it."""
        with self._named(port, timeslot):
            channo = self._channel(port, timeslot)
            return kernel_channel.open_bchannel(self._ctl(), channo, media, self._canceller, self._devices)

    def prove_free(self, port: str, timeslot: Timeslot) -> None:
        """The timeslot could be opened now: no process holds it, ours included."""
        with self._named(port, timeslot):
            kernel_channel.prove_free(self._channel(port, timeslot), self._devices)

    def join(self, a: Leg, b: Leg) -> None:
        """Each channel sends what the other received a millisecond before, and nothing that is written to it."""
        with self._named(a.port, a.timeslot):
            kernel_bridge.join(a, b)

    def part(self, a: Leg, b: Leg) -> None:
        """Each channel has its own descriptor's octets again, none of those that were queued meanwhile."""
        with self._named(a.port, a.timeslot):
            kernel_bridge.part(a, b)

    def begin_open(self, port: str, timeslot: Timeslot, media: Media, done: OnOpened) -> None:
        """As `open_timeslot`; `done` is told now."""
        try:
            fd, given = self.open_timeslot(port, timeslot, media)
        except HardwareError as error:
            done(-1, None, error)
        else:
            done(fd, given, None)

    def begin_proof(self, port: str, timeslot: Timeslot, done: OnProved) -> None:
        """As `prove_free`; `done` is told now."""
        try:
            self.prove_free(port, timeslot)
        except HardwareError as error:
            done(error)
        else:
            done(None)

    def answers_fd(self) -> None:
        """None: nothing is ever under way."""

    def answers(self) -> None:
        """Nothing is ever under way."""

    def settle(self) -> None:
        """Nothing is ever under way."""

    def missed(self, port: str, timeslot: Timeslot) -> Missed:
        """Nothing: the driver keeps no such count."""
        return Missed()

    def drain_channel(self, fd: int) -> Sequence[str]:
        """Device events pending on an open channel, by name, taken off its queue; ``removed`` when it is dead."""
        names: list[str] = []
        try:
            while len(names) < EVENTS_AT_ONCE and (name := dahdi_channel.getevent(fd)):
                names.append(name)
        except DeviceGone:
            names.append("removed")
        if "removed" in names:
            dahdi.ticker_now(self.event_fd(), STATUS_S)
        return names

    # Events

    def event_fd(self) -> int:
        """A descriptor that is readable each second, and at once after a channel was removed."""
        if self._ticker is None:
            raise DeviceGone(f"backend {self.name} is closed", operation="events", errno=None)
        return self._ticker

    def events(self) -> Sequence[BackendEvent]:
        """Read every status again, and which configured spans went or came back; nothing between two ticks."""
        try:
            os.read(self.event_fd(), 8)
        except BlockingIOError:
            return ()
        found = [BackendEvent(None, "status")]
        for port in list(self._configs):
            try:
                self._current(port)
            except HardwareError:
                if port not in self._absent:
                    self._absent.add(port)
                    found.append(BackendEvent(port, "absent"))
            else:
                if port in self._absent:
                    self._absent.discard(port)
                    found.append(BackendEvent(port, "present"))
        return found

    def close(self) -> None:
        """Every descriptor of the backend's own is closed and its locks are free; spans and channels stay."""
        held = [*self._locks.values(), *(fd for fd in (self._ticker, self._control) if fd is not None)]
        self._locks.clear()
        self._ticker = self._control = None
        for descriptor in held:
            os.close(descriptor)

    # Finding

    def _ctl(self) -> int:
        with self._guard:
            if self._control is None:
                self._control = dahdi.open_control(self._devices)
            return self._control

    @contextmanager
    def _named(self, port: str, timeslot: Timeslot | None = None) -> Iterator[None]:
        """Errors of the device say which span, timeslot and driver they are about."""
        try:
            yield
        except HardwareError as error:
            known = self._known.get(port)
            driver = known.driver if known else self.driver
            about = {"span": port, "driver": driver} | ({} if timeslot is None else {"timeslot": timeslot})
            error.fields.update({name: value for name, value in about.items() if name not in error.fields})
            place = f"span {port}" if timeslot is None else f"span {port} timeslot {timeslot}"
            if not error.message.startswith("span "):
                error.message = f"{place} ({driver}): {error.message}"
                error.args = (error.message,)
            raise

    def _own(self, port: str) -> None:
        """The span is locked for this process: nobody else's line host touches it."""
        if port in self._locks:
            return
        if names := kernel_ports.dynamic_of(port):
            identity = "-".join(names)
        else:
            self._ctl()
            span = kernel_ports.find(port, self._sysfs)
            identity = f"{span.device}-{span.local}"
        with self._guard:
            if port not in self._locks:
                self._locks[port] = kernel_lock.lock_span(identity, port, self._locks_folder)

    def _forget(self, port: str) -> None:
        for memory in (self._known, self._configs, self._started):
            memory.pop(port, None)
        self._absent.discard(port)
        with self._guard:
            if (lock := self._locks.pop(port, None)) is not None:
                os.close(lock)

    def _current(self, port: str) -> tuple[FoundSpan, SpanStat]:
        """The span as it is now, found again if what we knew of it is no longer so."""
        if (known := self._known.get(port)) and known.number is not None:
            with suppress(DeviceGone):
                stat = dahdi.spanstat(self._ctl(), known.number)
                if known.is_called(stat.name, stat.description):
                    return known, stat
        self._ctl()
        span = kernel_ports.find(port, self._sysfs)
        if span.number is None:
            raise DeviceGone("the span has no number", operation="find", errno=None)
        self._known[port] = span
        return span, dahdi.spanstat(self._ctl(), span.number)

    def _channel(self, port: str, timeslot: Timeslot) -> int:
        """DAHDI's number of the timeslot, checked to be that one; the kernel itself gives it to one opener only."""
        span, stat = self._current(port)
        if not 1 <= timeslot <= stat.channels:
            raise Unsupported(f"timeslot {timeslot} is none of 1-{stat.channels}", operation="open")
        channo = kernel_configure.channel_number(span, timeslot)
        params = dahdi.get_params(self._ctl(), channo)
        if (params.spanno, params.position) != (stat.number, timeslot):
            # Destroyed and made again under the same number since: its channels are others.
            del self._known[port]
            span, _ = self._current(port)
            channo = kernel_configure.channel_number(span, timeslot)
        return channo
