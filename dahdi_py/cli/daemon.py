# SPDX-License-Identifier: GPL-2.0-or-later
"""``dahdi-py daemon``, ``line-host``, ``sim-card``: the service's processes, and what the daemon says of itself."""

from __future__ import annotations

import time
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from dahdi_py.cli.command import Command, Noun
from dahdi_py.cli.glance import verdict
from dahdi_py.cli.output import note, print_json
from dahdi_py.cli.session import Session, pass_session
from dahdi_py.cli.times import local
from dahdi_py.errors import ConfigError
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.daemon import Status, StopRequest

SYSTEM_CONFIG = Path("/etc/dahdi-py/config.toml")
_FILE = click.Path(dir_okay=False, path_type=Path)
_DIRECTORY = click.Path(file_okay=False, path_type=Path)

_config = click.option("--config", type=_FILE, help=f"Configuration file, else {SYSTEM_CONFIG}.")
_run_directory = click.option("--run-directory", type=_DIRECTORY, help="Where its sockets are.")


@click.group(cls=Noun, default="run")
def daemon() -> None:
    """The control daemon: run it, ask it, stop it."""


@daemon.command("run")
@_config
@_run_directory
@click.option("--private", is_flag=True, help="State is kept in the run directory as well.")
def run_daemon(config: Path | None, run_directory: Path | None, private: bool) -> int:
    """Run the control daemon in the foreground; it starts line hosts and cards that do not answer."""
    return _become("daemon", _chosen(config), run_directory, embedded=private)


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
@click.option("--service", is_flag=True, help="Clear all calls and end line hosts and cards too.")
@pass_session
def stop(session: Session, service: bool) -> None:
    """Stop the daemon alone (line hosts and calls stay up), or with --service everything."""
    session.ask("org.dahdipy.Daemon.Stop", StopRequest(service=service), Empty)
    note("the service stops: calls are cleared" if service else "the daemon stops; line hosts and calls stay up")


@click.command("line-host", cls=Command)
@click.argument("name")
@_config
@_run_directory
def line_host(name: str, config: Path | None, run_directory: Path | None) -> int:
    """Run the line host NAME (the daemon does this by itself)."""
    return _become("linehost", name, _chosen(config), run_directory)


@click.command("sim-card", cls=Command)
@click.argument("name")
@_config
@_run_directory
def sim_card(name: str, config: Path | None, run_directory: Path | None) -> int:
    """Run the simulated card NAME (the daemon does this by itself)."""
    return _become("simcard", name, _chosen(config), run_directory)


def _chosen(config: Path | None) -> Path:
    if config is None and not SYSTEM_CONFIG.exists():
        raise ConfigError(
            f"there is no {SYSTEM_CONFIG}; write one, name another by --config, "
            "or try the simulated card: dahdi-py run --embedded",
            where="--config",
        )
    return config or SYSTEM_CONFIG


def _become(process: str, *arguments: Any, **options: Any) -> int:
    """This process is that one from now on: its package is loaded here, and nowhere else in the command."""
    code: int = import_module(f"dahdi_py.{process}.main").run(*arguments, **options)
    return code
