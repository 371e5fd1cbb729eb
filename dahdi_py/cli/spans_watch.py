# SPDX-License-Identifier: GPL-2.0-or-later
"""``dahdi-py spans watch``: the table live on a terminal, one line a change in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence

import click

from dahdi_py.cli.output import print_json_line
from dahdi_py.cli.performance_text import MIB, NEAR
from dahdi_py.cli.session import Session
from dahdi_py.cli.span_text import alarm_words, layer2, span_table
from dahdi_py.cli.times import iso
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.events import MonitorRequest
from dahdi_py.wire.messages.performance import PerformanceReply, PerformanceRequest, SpanPerformance
from dahdi_py.wire.messages.spans import Span, SpanList
from dahdi_py.wire.refusals import MethodNotFound

# Ages grow by seconds: a table older than this shows wrong ones.
_REFRESH_S = 1.0
_KINDS = ["span.", "dchannel.", "host.", "channel.", "call.", "gap"]


def watch(session: Session) -> None:
    """The spans are shown as they change, until the reader has enough."""
    if session.json or not sys.stdout.isatty():
        _lines(session)
    else:
        _live(session)


def _read(session: Session) -> list[Span]:
    return session.ask("org.dahdipy.Spans.List", Empty(), SpanList).spans


def quarter_now(session: Session) -> list[SpanPerformance]:
    """Every span's quarter hour that goes on; none when the daemon is of a version that keeps none."""
    wants = PerformanceRequest(intervals=0, days=0, norm=MIB, end=NEAR)
    try:
        return session.ask("org.dahdipy.Spans.Performance", wants, PerformanceReply).spans
    except MethodNotFound:
        return []


def _lines(session: Session) -> None:
    events = session.follow(MonitorRequest(kinds=_KINDS))
    last: dict[str, Span] = {}
    for spans in _snapshots(session, events):
        for span in changed(last, spans):
            if session.json:
                print_json_line(span)
            else:
                click.echo(change_line(span, time.time_ns()))
        last = {span.name: span for span in spans}


def _snapshots(session: Session, events: Iterator[object]) -> Iterator[list[Span]]:
    yield _read(session)
    for _ in events:
        yield _read(session)


def changed(last: dict[str, Span], spans: Sequence[Span]) -> list[Span]:
    """The spans that are not as they were, but for their counters, which change all the time."""
    return [span for span in spans if span.name not in last or _state(last[span.name]) != _state(span)]


def _state(span: Span) -> tuple[object, ...]:
    return (span.state, span.alarms, span.dchannel, span.used, span.usable, span.channel_map, span.sync_name)


def change_line(span: Span, now_ns: int) -> str:
    """The span's state on a line of its own, with the instant it was read.

    Args:
        now_ns: UTC, ns.
    """
    return (
        f"{iso(now_ns)}  span {span.number} {span.name}  {alarm_words(span)}  L2 {layer2(span)}  "
        f"CH {span.used}/{span.usable}/{span.total}"
    )


def _live(session: Session) -> None:
    from rich.live import Live
    from rich.text import Text

    def page() -> Text:
        return Text.from_ansi(f"{span_table(_read(session), time.time_ns(), quarter_now(session))}\nCtrl-C ends")

    with Live(page(), auto_refresh=False, screen=True) as live:
        while True:
            time.sleep(_REFRESH_S)
            live.update(page(), refresh=True)
