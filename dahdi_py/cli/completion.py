# SPDX-License-Identifier: GPL-2.0-or-later
"""``dahdi-py completion``: the script by which a shell completes commands and the service's own names."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from dahdi_py.cli.command import Command


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash: dahdi-py completion bash > /etc/bash_completion.d/dahdi-py
    zsh:  dahdi-py completion zsh  > /usr/local/share/zsh/site-functions/_dahdi-py
    fish: dahdi-py completion fish > ~/.config/fish/completions/dahdi-py.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None, shell
    click.echo(kind(ctx.find_root().command, {}, "dahdi-py", "_DAHDI_PY_COMPLETE").source())
