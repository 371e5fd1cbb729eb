# SPDX-License-Identifier: GPL-2.0-or-later
"""How results reach a reader: aligned text, JSON with instants in ISO 8601, colour only on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import click
import msgspec

from dahdi_py.cli.times import NS, iso


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; figures stand to the right.

    Synchronization: none required.
    """

    title: str
    right: bool = False


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]], gap: int = 2) -> str:
    """The rows under their titles, each column as wide as its widest cell; nothing is cut off.

    Args:
        columns: One a cell.
        rows: Cells, styled or not; an empty one shows as ``-``.
        gap: Blanks between columns.
    """
    body = [[cell or "-" for cell in row] for row in rows]
    lines = [[click.style(column.title, bold=True) for column in columns], *body]
    widths = [max(_width(line[at]) for line in lines) for at in range(len(columns))]
    return "\n".join(
        (" " * gap)
        .join(_pad(cell, width, column.right) for cell, width, column in zip(line, widths, columns, strict=True))
        .rstrip()
        for line in lines
    )


def _width(cell: str) -> int:
    return len(click.unstyle(cell))


def _pad(cell: str, width: int, right: bool) -> str:
    space = " " * (width - _width(cell))
    return space + cell if right else cell + space


def as_json(value: object) -> Any:
    """The message as JSON values, its instants (``*_ns``) in ISO 8601 and its lengths of time in seconds.

    ``started_ns`` becomes ``started``, ``utc_ns`` ``utc``, ``duration_ns`` ``duration_s``; ``monotonic_ns`` stays.
    """
    return _readable(msgspec.to_builtins(value))


def _readable(value: Any) -> Any:
    if isinstance(value, list):
        return [_readable(item) for item in value]
    if not isinstance(value, dict):
        return value
    readable: dict[str, Any] = {}
    for key, item in value.items():
        if key == "duration_ns":
            readable["duration_s"] = item / NS
        elif key.endswith("_ns") and key != "monotonic_ns" and isinstance(item, int):
            readable[key.removesuffix("_ns")] = iso(item)
        else:
            readable[key] = _readable(item)
    return readable


def print_json(value: object) -> None:
    """One JSON document is on stdout, indented on a terminal."""
    document = as_json(value)
    if sys.stdout.isatty():
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        print_json_line(value)


def print_json_line(value: object) -> None:
    """One line of JSON is on stdout, and has left this process."""
    click.echo(json.dumps(as_json(value), ensure_ascii=False, separators=(",", ":")))


def note(text: str) -> None:
    """A line for the person at the terminal is on stderr."""
    click.echo(text, err=True)
