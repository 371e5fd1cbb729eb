# SPDX-License-Identifier: GPL-2.0-or-later
"""Instants and durations as operators read them, and as ISO 8601 in JSON."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import click

NS = 1_000_000_000
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def age(since_ns: int, now_ns: int) -> str:
    """How long ago that was: ``00:03:11``, from a day on ``12d04h``; ``-`` for an instant that is not known.

    Args:
        since_ns: UTC, ns; 0 when not known.
        now_ns: UTC, ns.
    """
    return duration(max(0, now_ns - since_ns)) if since_ns else "-"


def duration(ns: int) -> str:
    """A length of time: ``00:03:11``, from a day on ``12d04h``.

    Args:
        ns: Length, ns, 0 or more.
    """
    seconds = ns // NS
    days, rest = divmod(seconds, 86400)
    if days:
        return f"{days}d{rest // 3600:02d}h"
    return f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"


def offset(ns: int) -> str:
    """A place in a call, to the millisecond: ``+12.345``.

    Args:
        ns: Time since the call's first message, ns; negative when the clock was set back meanwhile.
    """
    return f"{ns / NS:+.3f}"


def local(utc_ns: int) -> str:
    """The instant on the reader's own clock, to the second; ``-`` when not known."""
    return f"{datetime.fromtimestamp(utc_ns // NS):%Y-%m-%d %H:%M:%S}" if utc_ns else "-"


def local_clock(utc_ns: int) -> str:
    """The time of day on the reader's own clock, to the millisecond; ``-`` when not known."""
    if not utc_ns:
        return "-"
    return f"{datetime.fromtimestamp(utc_ns // NS):%H:%M:%S}.{utc_ns % NS // 1_000_000:03d}"


def iso(utc_ns: int) -> str | None:
    """The instant in ISO 8601, UTC, to the microsecond; None when not known."""
    if not utc_ns:
        return None
    whole = datetime.fromtimestamp(utc_ns // NS, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{utc_ns % NS // 1000:06d}Z"


class Seconds(click.ParamType):  # type: ignore[type-arg] # generic from click 8.5 on
    """A length of time on the command line: ``90``, ``90s``, ``5m``, ``1h30m``, as whole seconds."""

    name = "TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The seconds that the text says."""
        text = str(value)
        parts = re.findall(r"(\d+)([smhd]?)", text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            self.fail(f"{text!r} is not a time; write seconds, or such as 90s, 5m, 1h30m", param, ctx)
        seconds = sum(int(number) * _UNITS[unit] for number, unit in parts)
        if seconds < 1:
            self.fail(f"{text!r} is too short; at least 1s", param, ctx)
        return seconds
