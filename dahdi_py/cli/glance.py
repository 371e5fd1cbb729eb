# SPDX-License-Identifier: GPL-2.0-or-later
"""Bare ``dahdi-py``: whether all is well, in a few lines."""

from __future__ import annotations

import time

import click

from dahdi_py.cli.output import print_json
from dahdi_py.cli.session import Session
from dahdi_py.cli.times import age
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.daemon import Status

_VERDICTS = {"ok": ("OK", "green"), "degraded": ("DEGRADED", "yellow"), "down": ("DOWN", "red")}


def glance(session: Session) -> None:
    """The verdict on the whole service is printed."""
    status = session.ask("org.dahdipy.Daemon.Status", Empty(), Status)
    if session.json:
        print_json(status)
    else:
        click.echo(verdict(status, time.time_ns()))


def verdict(status: Status, now_ns: int) -> str:
    """The state of the service in words, what is wrong with it worst first, and where to look next.

    Args:
        now_ns: UTC, ns.
    """
    word, colour = _VERDICTS.get(status.verdict, (status.verdict.upper(), None))
    if not status.ready:
        word, colour = "STARTING", "yellow"
    lines = [
        f"{status.service}: {click.style(word, fg=colour, bold=True)}, up {age(status.started_ns, now_ns)}",
        f"  spans     {status.spans_up} of {status.spans} up",
        f"  channels  {status.channels_used} in use, {status.channels_usable} usable, {status.channels} in all",
        f"  calls     {status.calls}",
        *(f"  {click.style('!', fg='red', bold=True)} {problem}" for problem in status.problems),
    ]
    if not status.journal:
        lines.append("  ! records and events are not written to disk (service.journal is off)")
    look = "dahdi-py alarms, dahdi-py spans" if status.problems else "dahdi-py spans, dahdi-py calls, dahdi-py --help"
    return "\n".join([*lines, f"More: {look}"])
