# SPDX-License-Identifier: GPL-2.0-or-later
"""``dahdi-py spans``: every span on a line, one in full, or all of them live."""

from __future__ import annotations

import time

import click

from dahdi_py.cli.command import Noun
from dahdi_py.cli.names import SpanParam
from dahdi_py.cli.output import print_json
from dahdi_py.cli.session import Session, pass_session
from dahdi_py.cli.span_text import span_page, span_table
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.alarms import AlarmList
from dahdi_py.wire.messages.spans import SpanList, SpanName, SpanReply


@click.group(cls=Noun)
def spans() -> None:
    """Spans: line state, D-channel, channels in use."""


@spans.command("list")
@pass_session
def list_(session: Session) -> None:
    """Every span on one line."""
    reply = session.ask("org.dahdipy.Spans.List", Empty(), SpanList)
    if session.json:
        print_json(reply)
    else:
        click.echo(span_table(reply.spans, time.time_ns()))


@spans.command()
@click.argument("span", type=SpanParam())
@pass_session
def show(session: Session, span: str) -> None:
    """One span, by number or name, in full.

    Line, D-channel, counters, channel map, and in alarm what to check next.
    """
    reply = session.ask("org.dahdipy.Spans.Get", SpanName(span=span), SpanReply)
    if session.json:
        print_json(reply)
        return
    alarms = session.ask("org.dahdipy.Alarms.List", Empty(), AlarmList).alarms
    click.echo(span_page(reply.span, alarms, time.time_ns()))


@spans.command()
@pass_session
def watch(session: Session) -> None:
    """All spans live, until Ctrl-C; in a pipe one line a change."""
    from dahdi_py.cli.spans_watch import watch as follow

    follow(session)
