# SPDX-License-Identifier: GPL-2.0-or-later
"""``dahdi-py spans clock``: where spans take their timing from, and what is wrong with that."""

from __future__ import annotations

from collections.abc import Sequence

import click

from dahdi_py.cli import exits
from dahdi_py.cli.output import Column, print_json, table
from dahdi_py.cli.session import Session
from dahdi_py.cli.times import age
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.performance import ClockReply, ClockSource

_COLUMNS = (
    Column("SPAN", right=True), Column("NAME"), Column("CARD"), Column("SIDE"), Column("PRIORITY"),
    Column("SOURCE NOW"), Column("SINCE", right=True), Column("ALARMS"),
)  # fmt: skip


def show_clock(session: Session, now_ns: int) -> int:
    """The plan and its findings are shown; returns the exit code."""
    reply = session.ask("org.dahdipy.Spans.Clock", Empty(), ClockReply)
    if session.json:
        print_json(reply)
    else:
        click.echo(clock_page(reply, now_ns))
    return exits.FINDINGS if reply.findings else exits.OK


def clock_page(reply: ClockReply, now_ns: int) -> str:
    """One line a span, then each finding in a sentence.

    Args:
        now_ns: UTC, ns.
    """
    lines = [table(_COLUMNS, [_row(one, now_ns) for one in reply.spans])] if reply.spans else ["no span is configured"]
    found = [click.style(f"! {one.text}", fg="red") for one in reply.findings]
    return "\n".join([*lines, *(found or ["The clock plan is sound."])])


def _row(one: ClockSource, now_ns: int) -> list[str]:
    side = {"network": "network", "cpe": "user"}.get(one.node, one.node)
    priority = "?" if one.priority is None else str(one.priority) if one.priority else "never"
    source = "its line" if one.source == one.span else one.source or ("itself" if one.told else "not told")
    since = age(one.since_ns, now_ns) if one.source else ""
    words: Sequence[str] = ["?"] if one.state == "host_down" else one.words or ["OK"]
    return [str(one.span_number), one.span, one.board or one.card, side, priority, source, since, "/".join(words)]
