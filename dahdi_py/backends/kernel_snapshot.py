# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel says about a span, in the words of the backend contract."""

from __future__ import annotations

from collections.abc import Iterable

from dahdi_py.backends import kernel_line
from dahdi_py.backends.base import Counters, SpanInfo, SpanStatus
from dahdi_py.backends.kernel_sysfs import FoundSpan
from dahdi_py.core.performance_second import DEFECTS
from dahdi_py.core.terms import Alarms, LineType
from dahdi_py.ffi.dahdi import Line, SpanStat

# Modules whose spans have loops. Source: their `maint` operations in DAHDI 2.11.1.
_LOOPING = frozenset({"wct4xxp", "wcte12xp", "wcte13xp", "wcte43x", "wcte11xp", "wct1xxp", "tor2"})

# They leave every count at 0. Source: wct1xxp.c, wcte11xp.c of DAHDI 2.11.1.
_SILENT = frozenset({"wct1xxp", "wcte11xp"})
# They add only the low octet of what the framer counted in a second. Source: wct4xxp/base.c, wcte13xp-base.c,
# wcte43x-base.c of DAHDI 2.11.1, "Collect performance counters once per second".
_LOW_OCTETS = frozenset({"wct4xxp", "wcte13xp", "wcte43x"})
_COUNTED_IN_OCTETS = frozenset({"bpv", "cv", "crc", "ebit", "fas", "be"})


def port_of(span: FoundSpan) -> str:
    """The port of a span that no configuration names."""
    if span.dynamic:
        return span.name.removeprefix("DYN/")
    return str(span.number) if span.number else f"@{span.hardware_id or span.location or span.device}:{span.local}"


def info(port: str, span: FoundSpan, stat: SpanStat | None, started: bool | None) -> SpanInfo:
    """A span's snapshot; `stat` is None for one that has no number yet, `started` is None where we did not see it."""
    channels = stat.channels if stat else 0
    kind = kernel_line.line_type(span.kind, channels)
    line = stat.line if stat and not span.dynamic else Line(0)
    return SpanInfo(
        port=port,
        number=span.number,
        name=span.name,
        description=span.description or span.name,
        driver=span.driver,
        type=kind,
        timeslots=channels,
        base_channo=span.base or None,
        framing=kernel_line.framing(line, kind),
        coding=kernel_line.coding(line),
        crc4=bool(line & Line.CRC4) if line and kind is LineType.E1 else None,
        timing=None,
        build_out=stat.build_out if stat and not span.dynamic else None,
        sync_source=stat.sync_source or None if stat else None,
        started=started,
        kernel=True,
    )


def status(port: str, span: FoundSpan, stat: SpanStat) -> SpanStatus:
    """Alarms and counters; some drivers never count, and DAHDI has no count of slips.

    Alarm bits are the driver's failures, some time after the defect: what is made of them is an estimate.
    """
    counters = Counters() if span.dynamic or span.driver in _SILENT else _counters(stat)
    low = _COUNTED_IN_OCTETS if span.driver in _LOW_OCTETS else frozenset()
    return SpanStatus(
        port, Alarms(stat.alarms), counters, sync_source=stat.sync_source or None, estimated=low | {DEFECTS}
    )


def capabilities(spans: Iterable[FoundSpan]) -> frozenset[str]:
    """What those spans' drivers can do beyond the minimum."""
    loops = {"local_loop", "line_loop", "payload_loop"} if any(span.driver in _LOOPING for span in spans) else set()
    return frozenset({"dynamic", "bridge"} | loops)


def _counters(stat: SpanStat) -> Counters:
    def kept(value: int) -> int | None:
        return None if value < 0 else value

    return Counters(
        bpv=kept(stat.bpv),
        cv=kept(stat.cv),
        crc=kept(stat.crc4),
        ebit=kept(stat.ebit),
        # Drivers count framing errors under either name.
        fas=kept(max(stat.fas, stat.fe)),
        be=kept(stat.be),
        errored_seconds=kept(stat.errored_seconds),
        irq_misses=kept(stat.irq_misses),
    )
