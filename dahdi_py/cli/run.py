# SPDX-License-Identifier: GPL-2.0-or-later
"""``dahdi-py run``: the whole service in the foreground, in a private directory, until Ctrl-C."""

from __future__ import annotations

import os
import shutil
import sys
import time
from importlib.resources import as_file, files
from pathlib import Path

import click

from dahdi_py.cli import exits
from dahdi_py.cli.command import Command
from dahdi_py.cli.output import note
from dahdi_py.cli.service import PrivateService, interrupted_by_signals
from dahdi_py.cli.span_text import span_table
from dahdi_py.wire.places import advertised, client_socket


@click.command(cls=Command)
@click.option("--embedded", is_flag=True, help="The embedded default: a simulated card of four spans.")
@click.option("--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="This configuration.")
@click.argument("core", nargs=-1, metavar="[-- CORE [ARGUMENTS]...]")
def run(embedded: bool, config: Path | None, core: tuple[str, ...]) -> int:
    """Run the whole service in the foreground, until Ctrl-C.

    After -- comes a program to run as its switching core. The service keeps everything in a private directory,
    meets no other service, and leaves nothing behind.
    Commands in a second terminal find it by themselves.
    """
    if embedded == bool(config):
        raise click.UsageError("say what to run: either --embedded or --config FILE")
    interrupted_by_signals()
    with as_file(files("dahdi_py") / "embedded.toml") as packaged:
        return _serve(config or packaged, core)


def _serve(config: Path, core: tuple[str, ...]) -> int:
    with PrivateService(config) as service:
        try:
            status = service.start()
            if core:
                service.start_core(core)
            with advertised(service.socket):
                click.echo(span_table(service.wait_for_lines(), time.time_ns()))
                click.echo(_first_screen(status.service, service, core))
                _watch_over(service)
        except KeyboardInterrupt:
            note("stopping: clearing calls, ending line hosts and card")
    return exits.OK


def _watch_over(service: PrivateService) -> None:
    while True:
        service.wait()
        service.check()
        if how := service.core_ended():
            note(f"the core ended ({how}); the service goes on without one")


def _first_screen(name: str, service: PrivateService, core: tuple[str, ...]) -> str:
    with_core = f"with the core {' '.join(core)}" if core else "without a core"
    command = "dahdi-py" if shutil.which("dahdi-py") else os.path.relpath(sys.argv[0])
    first = client_socket().path
    named = (
        "" if first == service.socket else f"  export DAHDI_PY_SOCKET={service.socket}   (another one is at {first})\n"
    )
    return f"""
Service {name} runs in {service.directory}, {with_core}.

In a second terminal:
{named}  {command}                              is all well?
  {command} spans                        the spans; spans show 1 for one of them
  {command} calls place 2001 --span 1    place a call; Ctrl-C there hangs up
  {command} calls                        calls now; calls history for those that ended

Ctrl-C here stops everything."""
