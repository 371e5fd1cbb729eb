# SPDX-License-Identifier: GPL-2.0-or-later
"""``dahdi-py alarms``: what is wrong now and what to do about it, what was, who has seen it, and all of it live."""

from __future__ import annotations

import time

import click
import msgspec

from dahdi_py.cli.alarm_text import alarm_page, change_line, history_table, title
from dahdi_py.cli.command import Noun
from dahdi_py.cli.names import SpanParam
from dahdi_py.cli.output import note as say
from dahdi_py.cli.output import print_json, print_json_line
from dahdi_py.cli.session import Session, pass_session
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.alarms import (
    AcknowledgeReply,
    AcknowledgeRequest,
    Alarm,
    AlarmList,
    ClearRequest,
    HistoryReply,
    HistoryRequest,
)
from dahdi_py.wire.messages.events import MonitorRequest


@click.group(cls=Noun)
def alarms() -> None:
    """Alarms: what is wrong now, what was, who has seen it."""


@alarms.command("list")
@pass_session
def list_(session: Session) -> None:
    """Every alarm with what to check, worst first; what follows from another under it."""
    reply = session.ask("org.dahdipy.Alarms.List", Empty(), AlarmList)
    if session.json:
        print_json(reply)
    else:
        click.echo(alarm_page(reply.alarms, time.time_ns()))


@alarms.command()
@click.option("--span", type=SpanParam(), default="", help="Of the circuit that this span has now.")
@click.option("--circuit", default="", help="Of this circuit.")
@click.option("--kind", default="", help="Only of this kind: span, dchannel, host, ...")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="So many at most.")
@pass_session
def history(session: Session, span: str, circuit: str, kind: str, limit: int) -> None:
    """Alarms of the past and now, newest first."""
    request = HistoryRequest(limit=limit, span=span, circuit=circuit, kind=kind)
    reply = session.ask("org.dahdipy.Alarms.History", request, HistoryReply)
    if session.json:
        print_json(reply)
    else:
        click.echo(history_table(reply.alarms, time.time_ns()))


@alarms.command()
@click.argument("alarm", type=int, metavar="ID")
@click.option("--note", default="", help="What whoever looks next should know, such as a ticket.")
@click.option("--undo", is_flag=True, help="Nobody has seen it after all.")
@pass_session
def ack(session: Session, alarm: int, note: str, undo: bool) -> None:
    """Say that an alarm has been seen; it stands until what is wrong is mended."""
    request = AcknowledgeRequest(id=alarm, note=note, on=not undo)
    reply = session.ask("org.dahdipy.Alarms.Acknowledge", request, AcknowledgeReply)
    if session.json:
        print_json(reply)
    else:
        say(f"alarm {alarm} ({title(reply.alarm)}) is {'not seen yet' if undo else 'acknowledged'}")


@alarms.command()
@pass_session
def watch(session: Session) -> None:
    """Each alarm as it is raised, changes or is cleared, until Ctrl-C; first those that stand."""
    events = session.follow(MonitorRequest(kinds=["alarm."]))
    for one in session.ask("org.dahdipy.Alarms.List", Empty(), AlarmList).alarms:
        _print(session, "stands", one, one.since_ns)
    for event in events:
        _print(session, event.kind.rpartition(".")[2], msgspec.convert(event.data, Alarm), event.utc_ns)


def _print(session: Session, what: str, one: Alarm, utc_ns: int) -> None:
    if session.json:
        print_json_line({"what": what, "utc_ns": utc_ns, **msgspec.to_builtins(one)})
    else:
        click.echo(change_line(what, one, utc_ns))


@alarms.command()
@click.argument("kind")
@click.argument("subject")
@pass_session
def clear(session: Session, kind: str, subject: str) -> None:
    """Say that an alarm of something past, such as a failed emergency call, has been seen to."""
    session.ask("org.dahdipy.Alarms.Clear", ClearRequest(kind=kind, subject=subject), Empty)
    say(f"alarm {kind} {subject} is cleared")
