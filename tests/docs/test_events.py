# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/events.md names every kind of event that can be published, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.system.foreground import ROOT

_KIND = re.compile(r"(span|performance|dchannel|call|channel|administration|alarm|host|daemon)\.[a-z]+|gap|state")

_INTERNAL = {"call.unplaced"}
"""A line host's word to its daemon, which nobody else ever hears."""


def documented() -> set[str]:
    rows = [line for line in (ROOT / "docs/events.md").read_text().splitlines() if line.startswith("| `")]
    return {kind for row in rows for kind in re.findall(r"`([a-z.]+)`", row.split("|")[1])}


def strings(folder: str) -> Iterator[str]:
    """Every string of the code that has the form of a kind."""
    for path in (ROOT / "dahdi_py" / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _KIND.fullmatch(node.value):
                yield node.value


def test_every_kind_is_documented_and_no_other() -> None:
    published = set(strings("daemon")) | set(strings("linehost"))
    assert documented() == published - _INTERNAL


def test_the_interface_names_them_too() -> None:
    text = (ROOT / "dahdi_py/wire/org.dahdipy.Events.varlink").read_text()
    kinds = text[text.index("Kinds:") :].replace("#", "")
    missing = [kind for kind in documented() if kind not in kinds]
    assert missing == []
