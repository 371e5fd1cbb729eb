# SPDX-License-Identifier: GPL-2.0-or-later
"""``dahdi-py calls``: calls now, placing one, hanging up, and the records of those that ended."""

from __future__ import annotations

import time

import click

from dahdi_py.cli.call_text import call_page, call_table, record_page, record_table
from dahdi_py.cli.command import Noun
from dahdi_py.cli.names import CallParam, GroupParam, SpanParam, whole_call
from dahdi_py.cli.output import note, print_json
from dahdi_py.cli.session import Session, pass_session
from dahdi_py.cli.times import Seconds
from dahdi_py.errors import NotFound
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.calls import (
    CallList,
    CallName,
    CallReply,
    HangupRequest,
    HistoryReply,
    HistoryRequest,
    PlaceRequest,
)
from dahdi_py.wire.messages.common import PartyRequest


@click.group(cls=Noun)
def calls() -> None:
    """Calls: those that are up, their records, placing one."""


@calls.command("list")
@pass_session
def list_(session: Session) -> None:
    """Every call on one line, oldest first."""
    reply = session.ask("org.dahdipy.Calls.List", Empty(), CallList)
    if session.json:
        print_json(reply)
    else:
        click.echo(call_table(reply.calls, time.time_ns()))


@calls.command()
@click.argument("call", type=CallParam())
@pass_session
def show(session: Session, call: str) -> None:
    """One call that is up, by its id or the beginning of it."""
    reply = session.ask("org.dahdipy.Calls.Get", CallName(call=whole_call(session, call)), CallReply)
    if session.json:
        print_json(reply)
    else:
        click.echo(call_page(reply.call, time.time_ns()))


@calls.command()
@click.argument("number")
@click.option("--span", type=SpanParam(), default="", help="On this span (number or name).")
@click.option("--group", type=GroupParam(), default="", help="In this trunk group.")
@click.option("--from", "calling", metavar="NUMBER", default="", help="Calling number.")
@click.option("--detach", type=Seconds(), help="Return at once; the call is hung up after TIME (90s, 5m).")
@click.option("--timeout", type=Seconds(), help="Hang up when not answered by then (else 3m).")
@click.option("--correlation", default="", help="Your own id for the call, kept in its record.")
@pass_session
def place(
    session: Session,
    number: str,
    span: str,
    group: str,
    calling: str,
    detach: int | None,
    timeout: int | None,
    correlation: str,
) -> int:
    """Place a call to NUMBER and show it; Ctrl-C hangs up.

    It stays in the foreground until the call has ended, unless it is detached.

    Exit code: 0 answered and cleared normally, 4 busy or no channel, else 1.
    """
    from dahdi_py.cli.calls_place import detached, in_foreground

    if bool(span) == bool(group):
        raise click.UsageError("say where to place it: either --span or --group")
    request = PlaceRequest(
        called=PartyRequest(number=number),
        calling=PartyRequest(number=calling) if calling else None,
        span=span,
        group=group,
        correlation=correlation,
        label="dahdi-py calls place",
        answer_timeout_s=timeout or 0,
        detach_s=detach or 0,
    )
    return detached(session, request) if detach else in_foreground(session, request)


@calls.command()
@click.argument("call", type=CallParam())
@click.option("--cause", type=click.IntRange(1, 127), default=16, show_default=True, help="Q.850 cause to clear with.")
@pass_session
def hangup(session: Session, call: str, cause: int) -> None:
    """Clear a call, whoever owns it, by its id or the beginning of it."""
    found = whole_call(session, call)
    session.ask("org.dahdipy.Calls.Hangup", HangupRequest(call=found, cause=cause, force=True), Empty)
    note(f"call {found} is being cleared with cause {cause}")


@calls.command()
@click.argument("call", type=CallParam(), default="")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most so many.")
@click.option("--span", type=SpanParam(), default="", help="Only of the circuit that this span has.")
@click.option("--number", default="", help="Only with this called or calling number.")
@click.option("--circuit", default="", help="Only of this circuit.")
@pass_session
def history(session: Session, call: str, limit: int, span: str, number: str, circuit: str) -> None:
    """Records of calls, newest first; with CALL all of one.

    The whole record has every Q.931 message of the call.
    """
    request = HistoryRequest(limit=limit, call=call, span=span, number=number, circuit=circuit)
    records = session.ask("org.dahdipy.Calls.History", request, HistoryReply).records
    if call and not records:
        raise NotFound(f"there is no record of call {call}", kind="call", name=call)
    if session.json:
        print_json(records[0] if call else HistoryReply(records=records))
    elif call:
        click.echo(record_page(records[0]))
    else:
        click.echo(record_table(records))
