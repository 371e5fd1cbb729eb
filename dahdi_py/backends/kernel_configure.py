# SPDX-License-Identifier: GPL-2.0-or-later
"""Making a span what a configuration says, writing only what differs.

What the kernel can be asked for is compared with it: a channel's kind always, framing, coding, CRC-4 and build-out on
real spans. The rest (timing priority and law, on dynamic spans all line settings) it takes but never tells; that is
written once, remembered, and left for later while channels are open.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from dahdi_py.backends import kernel_line, kernel_sysfs
from dahdi_py.backends.base import LineConfig
from dahdi_py.backends.kernel_sysfs import FoundSpan
from dahdi_py.core.terms import Timeslot
from dahdi_py.errors import DeviceBusy, Unsupported
from dahdi_py.ffi import dahdi
from dahdi_py.ffi.dahdi import Signalling, SpanStat


@dataclass(slots=True)
class Memory:
    """What was written to a span and cannot be read back, by the setting's name."""

    written: dict[str, object] = field(default_factory=dict)

    def unknown(self, config: LineConfig, names: tuple[str, ...]) -> list[str]:
        """Those settings that are not known to be as configured."""
        return [name for name in names if name not in self.written or self.written[name] != getattr(config, name)]

    def remember(self, config: LineConfig, names: list[str]) -> None:
        """Those settings are as configured from now on."""
        self.written.update({name: getattr(config, name) for name in names})


def configure(
    control: int, span: FoundSpan, config: LineConfig, memory: Memory, *, force: bool, sysfs: Path
) -> list[str]:
    """The span is as configured; returns the names of the settings written.

    Raises:
        DeviceBusy: Something differs, channels are open and `force` is not said.
        Unsupported: It is the other kind of line, or lacks a timeslot.
    """
    number = span.number or 0
    stat = dahdi.spanstat(control, number)
    _check(span, config, stat)
    kept = () if span.dynamic else kernel_line.differences(config, stat)
    unlike = differing_channels(control, span, config)
    asked = kernel_line.asked(config) if span.dynamic else tuple(n for n in ("timing",) if config.timing is not None)
    unknown = memory.unknown(config, asked)
    law = memory.unknown(config, ("law",) if config.law else ())

    if busy := [] if force else kernel_sysfs.open_channels(number, sysfs):
        if kept or unlike:
            what = ", ".join([*kept, *(["channels"] if unlike else [])])
            raise DeviceBusy(
                f"changing {what} needs the span closed, and channels {_few(busy)} are open",
                operation="configure",
                channels=busy,
            )
        return []

    if kept or unknown:
        build_out = stat.build_out if config.build_out is None else config.build_out
        sync = memory.written.get("timing", 0) if config.timing is None else config.timing
        line = kernel_line.bits(config, stat.line)
        dahdi.spanconfig(control, number, line, build_out=build_out, sync=int(str(sync)))
    write_channels(control, wanted(span, config) if law else unlike, config)
    memory.remember(config, [*unknown, *law])
    return [*kept, *unknown, *law, *(["channels"] if unlike else [])]


def wanted(span: FoundSpan, config: LineConfig) -> dict[int, Signalling]:
    """What each channel number that the configuration names should be."""
    channels = {channel_number(span, timeslot): Signalling.CLEAR for timeslot in config.bchannels}
    if config.dchannel is not None:
        channels[channel_number(span, config.dchannel)] = Signalling.HDLC_FCS
    return channels


def differing_channels(control: int, span: FoundSpan, config: LineConfig) -> dict[int, Signalling]:
    """Those that are something else now."""
    return {
        channo: kind
        for channo, kind in wanted(span, config).items()
        if dahdi.get_params(control, channo).signalling != kind
    }


def write_channels(control: int, channels: dict[int, Signalling], config: LineConfig) -> None:
    """Those channels are of that kind, with the configuration's law or the span's own."""
    for channo, kind in channels.items():
        dahdi.chanconfig(control, channo, kind, config.law or "")


def channel_number(span: FoundSpan, timeslot: Timeslot) -> int:
    """DAHDI's number of a timeslot: E1 and T1 count from timeslot 1."""
    return span.base + timeslot - 1


def _check(span: FoundSpan, config: LineConfig, stat: SpanStat) -> None:
    kind = kernel_line.line_type(stat.kind, stat.channels)
    if kind is not config.type and not (span.dynamic and kind is None):
        raise Unsupported(f"the span is {kind or stat.kind}, not {config.type}", operation="configure")
    slots = [*config.bchannels, *([] if config.dchannel is None else [config.dchannel])]
    if beyond := [slot for slot in slots if not 1 <= slot <= stat.channels]:
        raise Unsupported(
            f"the span has timeslots 1-{stat.channels}, not {_few(beyond)}", operation="configure", timeslots=beyond
        )


def _few(numbers: list[int] | list[Timeslot]) -> str:
    shown = ", ".join(str(number) for number in numbers[:4])
    return shown if len(numbers) <= 4 else f"{shown} and {len(numbers) - 4} more"
