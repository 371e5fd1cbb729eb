# SPDX-License-Identifier: GPL-2.0-or-later
"""From a configured port to the kernel's span, made and numbered where it was not yet.

A port is a span's number (``1``); ``@PLACE`` or ``@PLACE:N``, span N of the device whose hardware id or location is
PLACE; or ``driver/address`` of a dynamic span (``loc/1:0``).
"""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

from dahdi_py.backends import kernel_sysfs
from dahdi_py.backends.base import LineConfig
from dahdi_py.backends.kernel_sysfs import FoundSpan, Identity
from dahdi_py.core.config import Dynamic
from dahdi_py.errors import DeviceGone, Unsupported
from dahdi_py.ffi import dahdi


def dynamic_of(port: str) -> tuple[str, str] | None:
    """Driver and address of a dynamic port, None for a real span's."""
    driver, slash, address = port.partition("/")
    return (driver, address) if slash and not port.startswith("@") else None


def find(port: str, sysfs: Path) -> FoundSpan:
    """The kernel's span of that port, numbered or not.

    Raises:
        DeviceGone: There is none.
    """
    spans = kernel_sysfs.spans(sysfs)
    if names := dynamic_of(port):
        span = kernel_sysfs.find_dynamic(spans, *names)
    elif port.startswith("@"):
        span = next((span for span in spans if _is_at(span, port[1:])), None)
    else:
        span = next((span for span in spans if str(span.number) == port), None)
    if span is None:
        raise DeviceGone("the kernel has no such span", operation="find", errno=None)
    return span


def existing(
    control: int, port: str, config: LineConfig, dynamic: Dynamic | None, known: Container[Identity], sysfs: Path
) -> tuple[FoundSpan, list[str]]:
    """The port's span, numbered; and what had to be done for that: ``created``, ``assigned``.

    Args:
        dynamic: What a dynamic span should be; without it, as many channels as the line type has.
        known: Spans that had a number before. One of them without is not given another: somebody took it away.

    Raises:
        DeviceGone: No such real span; or its number was taken away.
        Unsupported: A dynamic span has another number of channels; or no such driver, or it refuses the address.
    """
    written: list[str] = []
    names = dynamic_of(port)
    if names is None:
        return _numbered(find(port, sysfs), written, known, sysfs), written
    channels = dynamic.channels if dynamic else config.type.timeslots[-1]
    span = kernel_sysfs.find_dynamic(kernel_sysfs.spans(sysfs), *names)
    if span is None:
        dahdi.dynamic_create(control, *names, channels, _timing(dynamic))
        written.append("created")
        span = find(port, sysfs)
    span = _numbered(span, written, known, sysfs)
    if span.channels != channels:
        raise Unsupported(
            f"it exists with {span.channels} channels, not {channels}: destroy it first", operation="configure"
        )
    return span, written


def _timing(dynamic: Dynamic | None) -> int:
    """The clock a dynamic span may be; a `loc` span has none, and made a source it stops itself and its peer."""
    return dynamic.timing if dynamic and dynamic.driver != "loc" else 0


def _numbered(span: FoundSpan, written: list[str], known: Container[Identity], sysfs: Path) -> FoundSpan:
    if span.number is not None:
        return span
    if span.identity in known:
        raise DeviceGone(
            "its number was taken away (unassign_span): assign it again, dahdi_span_assignments does",
            operation="assign",
            errno=None,
        )
    kernel_sysfs.assign(span, sysfs)
    written.append("assigned")
    for found in kernel_sysfs.spans(sysfs):
        if found.identity == span.identity and found.number is not None:
            return found
    raise DeviceGone("the span went while it was given a number", operation="assign", errno=None)


def _is_at(span: FoundSpan, place: str) -> bool:
    places = {span.hardware_id, span.location, span.device} - {""}
    if place in places:
        return span.local == 1
    place, _, local = place.rpartition(":")
    return place in places and str(span.local) == local
