# SPDX-License-Identifier: GPL-2.0-or-later
"""``dahdi-py groups``: trunk groups and the capacity they have left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from dahdi_py.cli.administer import add_verbs
from dahdi_py.cli.command import Noun
from dahdi_py.cli.names import GroupParam
from dahdi_py.cli.output import Column, print_json, table
from dahdi_py.cli.session import Session, pass_session
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.groups import AdministerRequest, Group, GroupList, GroupName, GroupReply

_COLUMNS = (
    Column("GROUP"), Column("SPANS"), Column("HUNT"), Column("CH use/ok/tot", right=True), Column("FREE", right=True),
    Column("CORES", right=True), Column("ADMIN"), Column("NOTE"),
)  # fmt: skip


@click.group(cls=Noun)
def groups() -> None:
    """Trunk groups: channels that are hunted together."""


@groups.command("list")
@pass_session
def list_(session: Session) -> None:
    """Every group on one line."""
    reply = session.ask("org.dahdipy.Groups.List", Empty(), GroupList)
    if session.json:
        print_json(reply)
    else:
        click.echo(group_table(reply.groups))


@groups.command()
@click.argument("group", type=GroupParam())
@pass_session
def show(session: Session, group: str) -> None:
    """One group, by name."""
    reply = session.ask("org.dahdipy.Groups.Get", GroupName(group=group), GroupReply)
    if session.json:
        print_json(reply)
    else:
        click.echo(group_table([reply.group]))


add_verbs(groups, "group", [click.Argument(["group"], type=GroupParam())], AdministerRequest)


def group_table(found: Sequence[Group]) -> str:
    """One line a group under titles; a group with nothing free stands out."""
    if not found:
        return "no group is configured"
    return table(_COLUMNS, [_row(group) for group in found])


def _row(group: Group) -> list[str]:
    free = max(0, group.usable - group.used)
    return [
        group.name,
        ",".join(group.spans),
        group.hunt or "own end",
        f"{group.used}/{group.usable}/{group.total}",
        str(free) if free else click.style("0", fg="red"),
        str(group.serving),
        click.style(_administrative(group), fg="yellow" if group.why else None),
        "; ".join(_notes(group)),
    ]


def _administrative(group: Group) -> str:
    """A group that is being drained stays so, for emergency calls; whoever waits for it reads that it is empty."""
    empty = group.administrative == "shutting_down" and not group.used
    return "drained" if empty else group.administrative.replace("_", " ")


def _notes(group: Group) -> Iterator[str]:
    if group.why:
        yield f"by {group.who}: {group.why}"
    if group.overflow:
        yield f"overflows to {group.overflow}"
    if group.reserve_last:
        yield f"the last {group.reserve_last} reserved"
    if group.max_channels is not None:
        yield f"{group.leases} of at most {group.max_channels} leases"
    if group.calls_per_minute is not None:
        yield f"at most {group.calls_per_minute} calls a minute"
