# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel says about a span, in the words of the backend contract."""

from __future__ import annotations

from collections.abc import Iterable

from dahdi_py.backends import kernel_line
from dahdi_py.backends.base import Counters, SpanInfo, SpanStatus
from dahdi_py.backends.kernel_sysfs import FoundSpan
from dahdi_py.core.terms import Alarms, LineType
from dahdi_py.ffi.dahdi import Line, SpanStat

# Modules whose spans have loops. Source: their `maint` operations in DAHDI 2.11.1.
_LOOPING = frozenset({"wct4xxp", "wcte12xp", "wcte13xp", "wcte43x", "wcte11xp", "wct1xxp", "tor2"})


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
    """Alarms and counters; a dynamic span's driver never counts, and DAHDI has no count of slips."""
    counters = Counters() if span.dynamic else _counters(stat)
    return SpanStatus(port, Alarms(stat.alarms), counters, sync_source=stat.sync_source or None)


def capabilities(spans: Iterable[FoundSpan]) -> frozenset[str]:
    """What those spans' drivers can do beyond the minimum."""
    loops = {"local_loop", "line_loop", "payload_loop"} if any(span.driver in _LOOPING for span in spans) else set()
    return frozenset({"dynamic"} | loops)


def _counters(stat: SpanStat) -> Counters:
    def kept(value: int) -> int | None:
        return None if value < 0 else value

    return Counters(
        bpv=kept(stat.bpv),
        cv=kept(stat.cv),
        crc=kept(stat.crc4),
        ebit=kept(stat.ebit),
        fas=kept(stat.fas),
        be=kept(stat.be),
        errored_seconds=kept(stat.errored_seconds),
        irq_misses=kept(stat.irq_misses),
    )
