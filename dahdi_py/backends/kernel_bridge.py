# SPDX-License-Identifier: GPL-2.0-or-later
"""Joining channels in the kernel: each sends what the other receives, eight octets (1 ms) later.

The kernel keeps a connection for as long as the channel that listens is open, whoever opens the one it listens to next.
So both are undone before either is closed, and what a dead process left is undone when its span is started again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from dahdi_py.backends.base import Leg
from dahdi_py.core.terms import Mode
from dahdi_py.errors import HardwareError, Unsupported
from dahdi_py.ffi import dahdi_channel
from dahdi_py.ffi.dahdi_errors import open_node


def join(a: Leg, b: Leg) -> None:
    """Each channel sends what the other receives.

    Raises:
        Unsupported: One does not carry voice: the kernel connects no other.
    """
    for leg in (a, b):
        if leg.media.mode is not Mode.VOICE:
            raise Unsupported(f"the kernel joins voice, not {leg.media.mode}", operation="join", span=leg.port)
    dahdi_channel.connect(a.fd, dahdi_channel.channo(b.fd))
    try:
        dahdi_channel.connect(b.fd, dahdi_channel.channo(a.fd))
    except HardwareError:
        dahdi_channel.disconnect(a.fd)
        raise


def part(a: Leg, b: Leg) -> None:
    """Each channel sends what is written to it from now on; what was queued either way meanwhile is thrown away."""
    problem: HardwareError | None = None
    for leg in (a, b):
        try:
            dahdi_channel.disconnect(leg.fd)
            dahdi_channel.flush(leg.fd, dahdi_channel.Flush.READ | dahdi_channel.Flush.WRITE)
        except HardwareError as error:  # the other is undone all the same
            problem = error
    if problem is not None:
        raise problem


def clear(channos: Iterable[int], devices: Path) -> None:
    """None of these channels sends what another receives, whoever has it open."""
    fd = open_node(devices / "pseudo")
    try:
        for channo in channos:
            with suppress(HardwareError):  # it is closed, or never carried voice: then it is not connected
                dahdi_channel.disconnect(fd, channo)
    finally:
        os.close(fd)
