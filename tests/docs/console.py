# SPDX-License-Identifier: GPL-2.0-or-later
"""Console sessions in documents: what stands after ``$`` is run, what stands below must come out, in that order.

A document's line fits an output line when they agree but for digits and the width of blanks; ``...`` stands for any
text, on a line of its own for any lines. A command must succeed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LOOKS = re.compile(r"(sleep \d+; )?dahdi-py( \w+)?( (show|list|history|status)\b[^;&|]*| clock)?( \| grep .*)?")
_VARYING = re.compile(r"(\.\.\.)|(\d+)|(\s+)|(.)", re.DOTALL)


@dataclass(frozen=True)
class Step:
    """A command of a session, and the lines that the document shows below it."""

    command: str
    shown: tuple[str, ...]

    @property
    def looks(self) -> bool:
        """Whether it changes nothing, and so may be repeated."""
        return _LOOKS.fullmatch(self.command) is not None


def blocks(document: Path, language: str) -> Iterator[str]:
    """The text of every fenced block of that language."""
    return (text for found, text in _FENCE.findall(document.read_text()) if found == language)


def steps(block: str) -> list[Step]:
    """The commands of a console session."""
    found: list[Step] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append(Step(line[2:], ()))
        else:
            assert found, f"a session begins with a command, not with {line!r}"
            found[-1] = Step(found[-1].command, (*found[-1].shown, line))
    return found


def fits(shown: tuple[str, ...], output: str) -> bool:
    """Whether the output is what the document shows."""
    pattern = "".join(r"(?:.*\n)*" if line == "..." else _pattern(line) + r"\n" for line in shown)
    return re.fullmatch(pattern, output) is not None


def _pattern(line: str) -> str:
    parts = []
    for dots, digits, blanks, other in _VARYING.findall(line.strip()):
        parts.append(".*" if dots else r"\d+" if digits else r"[ ]+" if blanks else re.escape(other))
    return rf"[ ]*{''.join(parts)}[ ]*"
