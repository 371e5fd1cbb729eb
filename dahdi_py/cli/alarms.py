# SPDX-License-Identifier: GPL-2.0-or-later
"""``dahdi-py alarms``: what is wrong now, worst first, and what to check."""

from __future__ import annotations

import time
from collections.abc import Sequence

import click

from dahdi_py.cli.command import Noun
from dahdi_py.cli.output import Column, print_json, table
from dahdi_py.cli.session import Session, pass_session
from dahdi_py.cli.times import age
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.alarms import Alarm, AlarmList

_COLUMNS = (
    Column("SEVERITY"), Column("WHAT"), Column("ALARM"), Column("FOR", right=True), Column("WHAT TO CHECK"),
)  # fmt: skip
_COLOURS = {"critical": "red", "major": "red", "minor": "yellow", "warning": "cyan"}


@click.group(cls=Noun)
def alarms() -> None:
    """Alarms: what is wrong now."""


@alarms.command("list")
@pass_session
def list_(session: Session) -> None:
    """Every alarm on one line, worst first."""
    reply = session.ask("org.dahdipy.Alarms.List", Empty(), AlarmList)
    if session.json:
        print_json(reply)
    else:
        click.echo(alarm_table(reply.alarms, time.time_ns()))


def alarm_table(raised: Sequence[Alarm], now_ns: int) -> str:
    """One line an alarm under titles.

    Args:
        now_ns: UTC, ns.
    """
    if not raised:
        return click.style("no alarms", fg="green")
    return table(_COLUMNS, [_row(alarm, now_ns) for alarm in raised])


def _row(alarm: Alarm, now_ns: int) -> list[str]:
    return [
        click.style(alarm.severity, fg=_COLOURS.get(alarm.severity)),
        f"{alarm.kind} {alarm.subject}",
        "/".join(alarm.words),
        age(alarm.since_ns, now_ns),
        alarm.text,
    ]
