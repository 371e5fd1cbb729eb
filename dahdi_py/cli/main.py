# SPDX-License-Identifier: GPL-2.0-or-later
"""``dahdi-py``: the nouns, each loaded when it is named, and errors as exit codes."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import click

from dahdi_py import __version__
from dahdi_py.cli import exits
from dahdi_py.cli.command import HELP_NAMES, session_options
from dahdi_py.cli.session import Session
from dahdi_py.errors import DahdiPyError, Timeout, Unreachable

_NOUNS = {
    "spans": "dahdi_py.cli.spans:spans",
    "channels": "dahdi_py.cli.channels:channels",
    "groups": "dahdi_py.cli.groups:groups",
    "calls": "dahdi_py.cli.calls:calls",
    "alarms": "dahdi_py.cli.alarms:alarms",
    "hosts": "dahdi_py.cli.hosts:hosts",
    "daemon": "dahdi_py.cli.daemon:daemon",
    "run": "dahdi_py.cli.run:run",
    "sim": "dahdi_py.cli.sim:sim",
    "demo": "dahdi_py.cli.demo:demo",
    "api": "dahdi_py.cli.api:api",
    "completion": "dahdi_py.cli.completion:completion",
    "line-host": "dahdi_py.cli.daemon:line_host",
    "sim-card": "dahdi_py.cli.daemon:sim_card",
}

_START = "start it: dahdi-py daemon; on a simulated card: dahdi-py run --embedded"


class Root(click.Group):
    """The nouns in the order an operator meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every noun."""
        return list(_NOUNS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """That noun's command, loaded now."""
        if cmd_name not in _NOUNS:
            return None
        module, _, name = _NOUNS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(
    cls=Root,
    invoke_without_command=True,
    context_settings={"help_option_names": HELP_NAMES, "max_content_width": 100},
    params=session_options(),
)
@click.version_option(__version__, prog_name="dahdi-py")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """The T1/E1 PRI service: spans, channels, calls. Alone it says whether all is well."""
    if os.environ.get("NO_COLOR"):
        ctx.color = False
    if ctx.invoked_subcommand is None:
        from dahdi_py.cli.glance import glance

        glance(ctx.ensure_object(Session))


def main() -> None:
    """The command's exit code is the process's: 0 ok, 1 failed, 2 usage, 3 not found, 4 busy, 5 refused, 6 unreachable.

    7 means finished with findings.
    """
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit code of the command line `arguments`, every failure told in one line on stderr."""
    try:
        status: Any = cli.main(arguments, prog_name="dahdi-py", standalone_mode=False)
        # Output that nobody reads any more shows here, not in the interpreter's last flush.
        sys.stdout.flush()
        return status if isinstance(status, int) else exits.OK
    except Timeout as error:
        return _fail(error.message, exits.of_error(error))
    except Unreachable as error:
        hint = "" if "dahdi-py daemon" in error.message else f" ({_START})"
        return _fail(error.message + hint, exits.of_error(error))
    except DahdiPyError as error:
        return _fail(error.message, exits.of_error(error))
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        # The reader (head, less) has gone: that is its right. What is still buffered must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.OK


def _fail(message: str, code: int) -> int:
    click.echo(f"dahdi-py: {message}", err=True)
    return code
