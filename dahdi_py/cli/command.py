# SPDX-License-Identifier: GPL-2.0-or-later
"""What every command shares: ``--json`` and ``--socket`` at any place, and a noun's own verb when none is given."""

from __future__ import annotations

from typing import Any

import click

from dahdi_py.cli.session import Session

HELP_NAMES = ["-h", "--help"]


def _set_json(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        ctx.ensure_object(Session).json = True


def _set_socket(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value:
        ctx.ensure_object(Session).socket = value


def session_options() -> list[click.Parameter]:
    """The options that every command takes, wherever they stand."""
    return [
        click.Option(
            ["--json"], is_flag=True, expose_value=False, callback=_set_json,
            help="Print one JSON document (streams: one a line).",
        ),
        click.Option(
            ["--socket"], metavar="PATH", expose_value=False, callback=_set_socket,
            help="Talk to the daemon on this socket (else: DAHDI_PY_SOCKET).",
        ),
    ]  # fmt: skip


class Command(click.Command):
    """A verb that takes the session's options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += session_options()


class Noun(click.Group):
    """A noun with its verbs; without one, `default` is meant, and a bare number means ``show``."""

    command_class = Command

    def __init__(self, *args: Any, default: str = "list", **kwargs: Any) -> None:
        kwargs.setdefault("subcommand_metavar", f"[VERB, else {default}] [ARGUMENTS]...")
        super().__init__(*args, **kwargs)
        self.default = default
        self.params += session_options()

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order they were written in."""
        return list(self.commands)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The arguments with the verb that was meant."""
        if ctx.resilient_parsing:
            # A shell completes: what is not there yet is to be offered, not guessed.
            return super().parse_args(ctx, args)
        at = _after_session_options(args)
        word = args[at] if at < len(args) else ""
        if word.isdigit() and "show" in self.commands:
            args = [*args[:at], "show", *args[at:]]
        elif word not in HELP_NAMES and (not word or word.startswith("-")):
            args = [self.default, *args]
        return super().parse_args(ctx, args)


def _after_session_options(args: list[str]) -> int:
    at = 0
    while at < len(args) and (args[at] == "--json" or args[at].split("=")[0] == "--socket"):
        at += 2 if args[at] == "--socket" else 1
    return at
