# SPDX-License-Identifier: GPL-2.0-or-later
"""``dahdi-py channels``: every B-channel, its state and who holds it."""

from __future__ import annotations

from collections.abc import Sequence

import click

from dahdi_py.cli.administer import add_verbs
from dahdi_py.cli.call_text import owner
from dahdi_py.cli.command import Noun
from dahdi_py.cli.names import SpanParam
from dahdi_py.cli.output import Column, print_json, table
from dahdi_py.cli.session import Session, pass_session
from dahdi_py.cli.times import iso
from dahdi_py.errors import NotFound
from dahdi_py.wire.messages.channels import AdministerRequest, Channel, ChannelList, ListRequest

_COLUMNS = (
    Column("SPAN:TS", right=True), Column("NAME"), Column("ADMIN"), Column("STATE"), Column("USE"), Column("OWNER"),
    Column("CALL"), Column("LEASE"),
)  # fmt: skip
_ADMIN_COLOURS = {"locked": "yellow", "shutting_down": "yellow"}


@click.group(cls=Noun)
def channels() -> None:
    """B-channels: state, lease, owner."""


@channels.command("list")
@click.argument("span", type=SpanParam(), default="")
@click.option("--busy", is_flag=True, help="Only channels that are not idle and enabled.")
@pass_session
def list_(session: Session, span: str, busy: bool) -> None:
    """All channels, or one span's."""
    found = session.ask("org.dahdipy.Channels.List", ListRequest(span=span), ChannelList).channels
    if busy:
        found = [channel for channel in found if channel.usage != "idle" or channel.disabled]
    if session.json:
        print_json(ChannelList(channels=found))
    else:
        click.echo(channel_table(found))


@channels.command()
@click.argument("span", type=SpanParam())
@click.argument("timeslot", type=click.IntRange(1, 31))
@pass_session
def show(session: Session, span: str, timeslot: int) -> None:
    """One channel, by span and timeslot."""
    found = session.ask("org.dahdipy.Channels.List", ListRequest(span=span), ChannelList).channels
    channel = next((channel for channel in found if channel.timeslot == timeslot), None)
    if channel is None:
        raise NotFound(f"timeslot {timeslot} of span {span} is no B-channel", kind="channel", name=f"{span}:{timeslot}")
    if session.json:
        print_json(channel)
    else:
        click.echo(channel_page(channel))


add_verbs(
    channels, "channel",
    [click.Argument(["span"], type=SpanParam()), click.Argument(["timeslot"], type=click.IntRange(1, 31))],
    AdministerRequest,
)  # fmt: skip


def channel_table(found: Sequence[Channel]) -> str:
    """One line a channel under titles, by span and timeslot."""
    if not found:
        return "no channels"
    return table(_COLUMNS, [_row(channel) for channel in found])


def _row(channel: Channel) -> list[str]:
    return [
        f"{channel.span_number}:{channel.timeslot}",
        channel.span,
        click.style(_words(channel.administrative), fg=_ADMIN_COLOURS.get(channel.administrative)),
        click.style(_words(channel.disabled), fg="red") if channel.disabled else click.style("enabled", fg="green"),
        _words(channel.phase or channel.usage),
        "nobody (orphaned)" if channel.orphaned else owner(channel.owner) if channel.owner else "",
        channel.call,
        channel.token,
    ]


def channel_page(channel: Channel) -> str:
    """All about one channel."""
    lines = [
        f"Timeslot {channel.timeslot} of span {channel.span_number} ({channel.span}) is "
        f"{_words(channel.administrative)}, "
        f"{'disabled: ' + _words(channel.disabled) if channel.disabled else 'enabled'}, {channel.usage}"
        f"{' (' + _words(channel.phase) + ')' if channel.phase else ''}.",
    ]
    if channel.token:
        holder = f"{owner(channel.owner)} (uid {channel.owner.uid})" if channel.owner else "nobody"
        lines.append(f"  Lease {channel.token}, held by {holder}{', orphaned' if channel.orphaned else ''}.")
    if channel.call:
        lines.append(f"  Call {channel.call}.")
    if channel.expires_ns:
        lines.append(f"  The lease ends by itself at {iso(channel.expires_ns)}.")
    if channel.lessee:
        lines.append(f"  Its last lessee has not let go: {channel.lessee}")
    if channel.why:
        since = f" since {iso(channel.since_ns)}" if channel.since_ns else ""
        lines.append(f"  {_words(channel.administrative).capitalize()} by {channel.who}{since}: {channel.why}")
    return "\n".join(lines)


def _words(name: str) -> str:
    return name.replace("_", " ")
