# SPDX-License-Identifier: GPL-2.0-or-later
"""DAHDI's requests about spans and channels, one typed function each; errors as `dahdi_errors` tells, results frozen.

`control` is a descriptor of `open_control`. What is asked of an open channel is in `dahdi_channel`.

Source: DAHDI 2.11.1 user.h and dahdi-base.c, behaviour as measured on a running kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from pathlib import Path
from typing import Any

from dahdi_py.ffi._dahdi import ffi, lib
from dahdi_py.ffi.dahdi_errors import checked, open_node

DEVICES = Path("/dev/dahdi")


class Line(IntFlag):
    """Framing and coding bits of a span."""

    D4 = lib.ABI_LINE_D4
    ESF = lib.ABI_LINE_ESF
    AMI = lib.ABI_LINE_AMI
    B8ZS = lib.ABI_LINE_B8ZS
    CCS = lib.ABI_LINE_CCS
    HDB3 = lib.ABI_LINE_HDB3
    CRC4 = lib.ABI_LINE_CRC4


class Signalling(IntEnum):
    """What a channel is configured as; `hdlc_fcs` is a D-channel, `clear` a B-channel."""

    NONE = lib.ABI_SIG_NONE
    CLEAR = lib.ABI_SIG_CLEAR
    HDLC_RAW = lib.ABI_SIG_HDLCRAW
    HDLC_FCS = lib.ABI_SIG_HDLCFCS


class Maintenance(IntEnum):
    """Loops a span's driver may offer."""

    NONE = lib.ABI_MAINT_NONE
    LOCAL_LOOP = lib.ABI_MAINT_LOCAL_LOOP
    LINE_LOOP = lib.ABI_MAINT_LINE_LOOP
    PAYLOAD_LOOP = lib.ABI_MAINT_PAYLOAD_LOOP


LAWS = {"": lib.ABI_LAW_DEFAULT, "mulaw": lib.ABI_LAW_MULAW, "alaw": lib.ABI_LAW_ALAW}
"""Companding law by its word; empty: the channel's default."""


@dataclass(frozen=True, slots=True)
class Version:
    """The driver's version and the echo cancellers loaded."""

    version: str
    echo_cancellers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SpanStat:
    """A span as SPANSTAT tells it; counters are -1 where the driver says it keeps none.

    Attributes:
        kind: ``E1``, ``T1``, ``J1``, ``DYNAM`` for a dynamic span, ...
        alarms: Bits of DAHDI_ALARM_*.
        sync_source: Number of the span that is timing source now, 0 for none.
    """

    number: int
    name: str
    description: str
    kind: str
    alarms: int
    bpv: int
    crc4: int
    ebit: int
    fas: int
    fe: int
    cv: int
    be: int
    errored_seconds: int
    irq_misses: int
    sync_source: int
    configured_channels: int
    channels: int
    build_out: int
    line: Line
    location: str
    manufacturer: str
    device_type: str


@dataclass(frozen=True, slots=True)
class ChannelParams:
    """A channel's place, configuration (bits of DAHDI_SIG_*) and law in force (by its word)."""

    channo: int
    spanno: int
    position: int
    signalling: int
    capable: int
    law: str
    name: str
    alarms: int


def _text(data: Any) -> str:
    return ffi.string(data).decode("utf-8", "replace")


def open_control(devices: Path = DEVICES) -> int:
    """A descriptor that takes the requests about spans.

    Raises:
        DeviceGone: DAHDI is not loaded.
        DevicePermission: Only its group may.
    """
    return open_node(devices / "ctl")


def getversion(control: int) -> Version:
    """The driver's version."""
    found = ffi.new("struct abi_version *")
    checked(lib.dahdi_getversion(control, found), "GETVERSION", "DAHDI")
    return Version(_text(found.version), tuple(_text(found.echo_cancellers).replace(",", " ").split()))


def spanstat(control: int, span: int) -> SpanStat:
    """The span's state now.

    Raises:
        DeviceGone: No such span.
    """
    found = ffi.new("struct abi_span_status *")
    checked(lib.dahdi_spanstat(control, span, found), "SPANSTAT", f"span {span}")
    return SpanStat(
        number=found.spanno,
        name=_text(found.name),
        description=_text(found.description),
        kind=_text(found.span_type),
        alarms=found.alarms,
        bpv=found.bpv,
        crc4=found.crc4,
        ebit=found.ebit,
        fas=found.fas,
        fe=_signed(found.fe),
        cv=_signed(found.cv),
        be=_signed(found.be),
        errored_seconds=_signed(found.errored_seconds),
        irq_misses=found.irq_misses,
        sync_source=found.sync_source,
        configured_channels=found.configured_channels,
        channels=found.channels,
        build_out=found.build_out,
        line=Line(found.line & sum(Line)),
        location=_text(found.location),
        manufacturer=_text(found.manufacturer),
        device_type=_text(found.device_type),
    )


def _signed(value: int) -> int:
    """A driver writes -1 for "not kept" into unsigned fields too."""
    return -1 if value == 0xFFFFFFFF else value


def get_params(control: int, channo: int) -> ChannelParams:
    """What the channel is configured as.

    Raises:
        DeviceGone: No such channel.
    """
    found = ffi.new("struct abi_params *")
    checked(lib.dahdi_get_params(control, channo, found), "GET_PARAMS", f"channel {channo}")
    law = next((word for word, number in LAWS.items() if number == found.law), "")
    return ChannelParams(
        channo=found.channo,
        spanno=found.spanno,
        position=found.chanpos,
        signalling=found.sigtype,
        capable=found.sigcap,
        law=law,
        name=_text(found.name),
        alarms=found.alarms,
    )


def spanconfig(control: int, span: int, line: Line, *, build_out: int, sync: int) -> None:
    """The span has this framing, coding, line build-out (0-7) and priority as timing source (0 never)."""
    checked(lib.dahdi_spanconfig(control, span, int(line), build_out, sync), "SPANCONFIG", f"span {span}")


def chanconfig(control: int, channo: int, signalling: Signalling, law: str = "") -> None:
    """The channel is of this kind, with this law from its next opening on; succeeds on open channels too."""
    checked(lib.dahdi_chanconfig(control, channo, signalling, LAWS[law]), "CHANCONFIG", f"channel {channo}")


def startup(control: int, span: int) -> None:
    """The span runs; nothing happens to one that does."""
    checked(lib.dahdi_startup(control, span), "STARTUP", f"span {span}")


def shutdown(control: int, span: int) -> None:
    """The span is stopped and its channels are no longer configured; descriptors stay open."""
    checked(lib.dahdi_shutdown(control, span), "SHUTDOWN", f"span {span}")


def maint(control: int, span: int, command: Maintenance) -> None:
    """The span is in this loop, or in none.

    Raises:
        Unsupported: The driver has no loops (every dynamic span).
    """
    checked(lib.dahdi_maint(control, span, command), "MAINT", f"span {span}")


def attach_echocan(control: int, channo: int, name: str) -> None:
    """The channel will use the echo canceller of that name (its module is loaded), or none when empty."""
    checked(lib.dahdi_attach_echocan(control, channo, name.encode()), "ATTACH_ECHOCAN", f"channel {channo}")


def dynamic_create(control: int, driver: str, address: str, channels: int, timing: int = 0) -> int:
    """A dynamic span of that driver and address exists; its number, or 0 when nobody has assigned one yet."""
    result = lib.dahdi_dynamic_create(control, driver.encode(), address.encode(), channels, timing)
    return checked(result, "DYNAMIC_CREATE", f"{driver}/{address}")


def dynamic_destroy(control: int, driver: str, address: str) -> None:
    """The dynamic span is gone.

    Raises:
        DeviceBusy: One of its channels is open.
    """
    result = lib.dahdi_dynamic_destroy(control, driver.encode(), address.encode())
    checked(result, "DYNAMIC_DESTROY", f"{driver}/{address}")


def ticker(seconds: int) -> int:
    """A timer descriptor of the monotonic clock, readable every so often."""
    return checked(lib.dahdi_ticker(seconds), "timerfd", "the clock")


def ticker_now(descriptor: int, seconds: int) -> None:
    """The timer is readable at once, then every `seconds` again."""
    checked(lib.dahdi_ticker_now(descriptor, seconds), "timerfd", "the clock")
