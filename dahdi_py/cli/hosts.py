# SPDX-License-Identifier: GPL-2.0-or-later
"""``dahdi-py hosts``: the line hosts, the code they run, and whether they take new calls."""

from __future__ import annotations

import time
from collections.abc import Sequence

import click

from dahdi_py.cli.administer import add_verbs
from dahdi_py.cli.command import Noun
from dahdi_py.cli.names import HostParam
from dahdi_py.cli.output import Column, print_json, table
from dahdi_py.cli.session import Session, pass_session
from dahdi_py.cli.times import age
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.hosts import AdministerRequest, Host, HostList

_COLUMNS = (
    Column("HOST"), Column("STATE"), Column("PID", right=True), Column("VERSION"), Column("SPANS"),
    Column("CALLS", right=True), Column("LEASES", right=True), Column("RESTARTS", right=True),
    Column("UP", right=True), Column("NOTE"),
)  # fmt: skip
_COLOURS = {"up": "green", "starting": "yellow", "draining": "yellow", "down": "red"}


@click.group(cls=Noun)
def hosts() -> None:
    """Line hosts: the processes that own the spans."""


@hosts.command("list")
@pass_session
def list_(session: Session) -> None:
    """Every line host on one line."""
    reply = session.ask("org.dahdipy.Hosts.List", Empty(), HostList)
    if session.json:
        print_json(reply)
    else:
        click.echo(host_table(reply.hosts, time.time_ns()))


add_verbs(hosts, "host", [click.Argument(["host"], type=HostParam())], AdministerRequest)


def host_table(found: Sequence[Host], now_ns: int) -> str:
    """One line a host under titles; the note says why it is down, or that newer code is installed.

    Args:
        now_ns: UTC, ns.
    """
    if not found:
        return "no line host is configured"
    return table(_COLUMNS, [_row(host, now_ns) for host in found])


def _row(host: Host, now_ns: int) -> list[str]:
    newer = f"{host.installed} is installed: drain it, then restart it" if host.version != host.installed else ""
    return [
        host.name,
        click.style(host.state, fg=_COLOURS.get(host.state)),
        str(host.pid) if host.pid else "",
        host.version,
        ",".join(host.spans),
        str(host.calls),
        str(host.leases),
        str(host.restarts),
        age(host.started_ns, now_ns) if host.state != "down" else "",
        host.problem or (newer if host.version else ""),
    ]
