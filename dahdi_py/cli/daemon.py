# SPDX-License-Identifier: GPL-2.0-or-later
"""``dahdi-py daemon``, ``line-host``, ``sim-card``: the service's processes, and what the daemon says of itself."""

from __future__ import annotations

import logging
import os
import shutil
import time
import tomllib
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from dahdi_py.cli import children
from dahdi_py.cli.command import Command, Noun
from dahdi_py.cli.glance import verdict
from dahdi_py.cli.output import Column, note, print_json, table
from dahdi_py.cli.session import Session, pass_session
from dahdi_py.cli.times import local
from dahdi_py.core.config import Config
from dahdi_py.core.config_file import parse
from dahdi_py.errors import ConfigError
from dahdi_py.wire import places
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.daemon import AuditEntry, AuditReply, AuditRequest, Status, StopRequest

SYSTEM_CONFIG = Path("/etc/dahdi-py/config.toml")
_GRACE_S = 5.0
_AUDIT = (
    Column("WHEN"), Column("UID", right=True), Column("WHO"), Column("ACTION"), Column("SUBJECT"), Column("OUTCOME"),
    Column("REASON"),
)  # fmt: skip
_FILE = click.Path(dir_okay=False, path_type=Path)
_DIRECTORY = click.Path(file_okay=False, path_type=Path)

_config = click.option("--config", type=_FILE, help=f"Configuration file, else {SYSTEM_CONFIG}.")
_the_config = click.option("--config", type=_FILE, default=SYSTEM_CONFIG, show_default=True, help="Configuration file.")
_run_directory = click.option("--run-directory", type=_DIRECTORY, help="Where its sockets are.")


@click.group(cls=Noun, default="run")
def daemon() -> None:
    """The control daemon: run it, ask it, stop it."""


@daemon.command("run")
@_config
@_run_directory
@click.option("--private", is_flag=True, help="Keep state in the run directory, and do not outlive the starter.")
def run_daemon(config: Path | None, run_directory: Path | None, private: bool) -> int:
    """Run the control daemon in the foreground; it starts line hosts and cards that do not answer."""
    starter = os.getppid()
    code = _become("daemon", config, run_directory, embedded=private)
    if private and os.getppid() != starter:
        # Nobody is left to end what this daemon started, or to tidy up.
        children.end_orphans(frozenset(), _GRACE_S)
        if run_directory is not None:
            shutil.rmtree(run_directory, ignore_errors=True)
    return code


@daemon.command()
@pass_session
def status(session: Session) -> None:
    """What the daemon is, where it keeps things, and whether all is well."""
    reply = session.ask("org.dahdipy.Daemon.Status", Empty(), Status)
    if session.json:
        print_json(reply)
    else:
        click.echo(verdict(reply, time.time_ns()))
        click.echo(details(reply))


def details(status: Status) -> str:
    """The daemon's process, places and the caller's rights, one a line."""
    rows = {
        "version": f"{status.version} (protocol {status.protocol})",
        "process": f"pid {status.pid}, epoch {status.epoch}, since {local(status.started_ns)}",
        "socket": status.socket,
        "config": status.config,
        "state": status.state_directory,
        "clients": status.clients,
        "you may": ", ".join(status.roles) or "nothing",
    }
    return "\n".join(f"  {name:<9} {value}" for name, value in rows.items())


@daemon.command()
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most so many.")
@click.option("--uid", type=int, default=-1, help="Only this user's.")
@click.option("--action", default="", help="Only this action, such as allocate, place, administer.")
@click.option("--refused", is_flag=True, help="Only what was refused.")
@pass_session
def audit(session: Session, limit: int, uid: int, action: str, refused: bool) -> None:
    """Who asked for what, and what came of it, newest first."""
    wants = AuditRequest(limit=limit, uid=uid, action=action, refused=refused)
    reply = session.ask("org.dahdipy.Daemon.Audit", wants, AuditReply)
    if session.json:
        print_json(reply)
    else:
        click.echo(audit_table(reply.entries))


def audit_table(entries: Sequence[AuditEntry]) -> str:
    """One line an entry under titles."""
    if not entries:
        return "nothing on record"
    return table(_AUDIT, [_audit_row(entry) for entry in entries])


def _audit_row(entry: AuditEntry) -> list[str]:
    refused = entry.outcome.rpartition(".")[2]
    return [
        local(entry.utc_ns),
        str(entry.uid) if entry.uid >= 0 else "",
        f"{entry.label or 'process'} {entry.pid}" if entry.pid else "",
        entry.action.replace("_", " "),
        entry.subject,
        "ok" if refused == "ok" else click.style(refused, fg="red"),
        entry.reason,
    ]


@daemon.command()
@click.option("--service", is_flag=True, help="Clear all calls and end line hosts and cards too.")
@pass_session
def stop(session: Session, service: bool) -> None:
    """Stop the daemon alone (line hosts and calls stay up), or with --service everything."""
    session.ask("org.dahdipy.Daemon.Stop", StopRequest(service=service), Empty)
    note("the service stops: calls are cleared" if service else "the daemon stops; line hosts and calls stay up")


@click.command("line-host", cls=Command)
@click.argument("name")
@_the_config
@_run_directory
def line_host(name: str, config: Path, run_directory: Path | None) -> int:
    """Run the line host NAME (the daemon does this by itself)."""
    return _become("linehost", name, config, run_directory or places.run_directory())


@click.command("sim-card", cls=Command)
@click.argument("name")
@_the_config
@_run_directory
def sim_card(name: str, config: Path, run_directory: Path | None) -> int:
    """Run the simulated card NAME (the daemon does this by itself)."""
    conf = _read(config)
    simulated = [card for card in conf.cards if card.kind == "sim"]
    card = next((card for card in simulated if card.name == name), None)
    if card is None:
        known = ", ".join(card.name for card in simulated) or "none"
        raise ConfigError(f"{config}: no simulated card is called {name!r}; configured: {known}", where="cards")
    path = places.card_socket(run_directory or places.run_directory(), name if len(simulated) > 1 else "")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    spec = import_module("dahdi_py.simcard.spec").CardSpec(card.ports, card.cables)
    code: int = import_module("dahdi_py.simcard.main").main(path, spec)
    return code


def _read(path: Path) -> Config:
    try:
        return parse(tomllib.loads(path.read_text()))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}", where=str(path)) from None


def _become(process: str, *arguments: Any, **options: Any) -> int:
    """This process is that one from now on: its package is loaded here, and nowhere else in the command."""
    code: int = import_module(f"dahdi_py.{process}.main").run(*arguments, **options)
    return code
