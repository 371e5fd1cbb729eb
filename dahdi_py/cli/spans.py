# SPDX-License-Identifier: GPL-2.0-or-later
"""``dahdi-py spans``: every span on a line, one in full, or all of them live."""

from __future__ import annotations

import time

import click

from dahdi_py.cli.administer import add_verbs
from dahdi_py.cli.command import Noun
from dahdi_py.cli.names import SpanParam
from dahdi_py.cli.output import print_json
from dahdi_py.cli.performance_text import FAR, MIB, NEAR, errors_page, interval_table
from dahdi_py.cli.session import Session, pass_session
from dahdi_py.cli.span_text import hold_sentence, span_page, span_table
from dahdi_py.cli.spans_watch import quarter_now
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.alarms import AlarmList
from dahdi_py.wire.messages.performance import PerformanceReply, PerformanceRequest, SpanPerformance
from dahdi_py.wire.messages.spans import AdministerRequest, LiftRequest, SpanList, SpanName, SpanReply
from dahdi_py.wire.refusals import MethodNotFound

_NORMS = ("RFC 4805", "T1.231", "G.826")


@click.group(cls=Noun)
def spans() -> None:
    """Spans: line state, D-channel, channels in use."""


@spans.command("list")
@pass_session
def list_(session: Session) -> None:
    """Every span on one line."""
    reply = session.ask("org.dahdipy.Spans.List", Empty(), SpanList)
    performance = quarter_now(session)
    if session.json:
        print_json({"spans": reply.spans, "performance": performance})
    else:
        click.echo(span_table(reply.spans, time.time_ns(), performance))


@spans.command()
@click.argument("span", type=SpanParam())
@click.option("--intervals", "what", flag_value="intervals", help="The last 96 quarter hours, one a line.")
@click.option("--days", "what", flag_value="days", help="The last 31 days (UTC), one a line.")
@click.option("--errors", "what", flag_value="errors", help="Counters now, and when something was wrong.")
@click.option(
    "--norm", type=click.Choice(_NORMS, case_sensitive=False), help="With --intervals, --days: by which norm."
)
@click.option("--far", is_flag=True, help="With --intervals, --days: the far end, as far as it tells.")
@pass_session
def show(session: Session, span: str, what: str | None, norm: str | None, far: bool) -> None:
    """One span, by number or name, in full.

    Line, D-channel, counters, figures of this quarter hour and before, channel map, and in alarm what to check next.
    """
    if what is None and (norm or far):
        raise click.UsageError("--norm and --far go with --intervals or --days")
    one = session.ask("org.dahdipy.Spans.Get", SpanName(span=span), SpanReply).span
    performance = _performance_of(session, one.name, what, norm or "", far)
    if session.json:
        print_json({"span": one, "performance": performance})
    elif what is None or performance is None:
        alarms = session.ask("org.dahdipy.Alarms.List", Empty(), AlarmList).alarms
        click.echo(span_page(one, alarms, time.time_ns(), performance))
    elif what == "errors":
        click.echo(errors_page(one, performance))
    else:
        now, closed = (
            (performance.current, performance.intervals)
            if what == "intervals"
            else (performance.today, performance.days)
        )
        intervals = [*([now] if now is not None else []), *closed]
        click.echo(interval_table(one, performance, intervals, FAR if far else NEAR, norm or MIB))


def _performance_of(session: Session, span: str, what: str | None, norm: str, far: bool) -> SpanPerformance | None:
    """The span's figures; None when the daemon is of a version that keeps none and nobody insists."""
    listed = what in ("intervals", "days")
    wants = PerformanceRequest(
        span=span, intervals=1 if what == "errors" else 96, days=31 if what == "days" else 0,
        errored=200 if what == "errors" else 0, norm=norm or MIB if listed and not session.json else norm,
        end=FAR if far else "",
    )  # fmt: skip
    try:
        return session.ask("org.dahdipy.Spans.Performance", wants, PerformanceReply).spans[0]
    except MethodNotFound:
        if what is None:
            return None
        raise


@spans.command()
@pass_session
def clock(session: Session) -> int:
    """Where spans take their timing from, and what is wrong with the plan (exit code 7)."""
    from dahdi_py.cli.spans_clock import show_clock

    return show_clock(session, time.time_ns())


@spans.command()
@pass_session
def watch(session: Session) -> None:
    """All spans live, until Ctrl-C; in a pipe one line a change."""
    from dahdi_py.cli.spans_watch import watch as follow

    follow(session)


@spans.command()
@click.argument("span", type=SpanParam())
@click.option("--now", is_flag=True, help="End its hold-down.")
@pass_session
def up(session: Session, span: str, now: bool) -> None:
    """Prefer a span for outgoing calls again although it came and went.

    After each return a span is the last choice for a while, each time twice as long. Without --now this only says how
    it stands.
    """
    if now:
        reply = session.ask("org.dahdipy.Spans.LiftHoldDown", LiftRequest(span=span), SpanReply)
    else:
        reply = session.ask("org.dahdipy.Spans.Get", SpanName(span=span), SpanReply)
    if session.json:
        print_json(reply)
    else:
        click.echo(hold_sentence(reply.span, time.time_ns()))


add_verbs(spans, "span", [click.Argument(["span"], type=SpanParam())], AdministerRequest)
