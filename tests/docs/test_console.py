# SPDX-License-Identifier: GPL-2.0-or-later
"""The comparison that the documents are held to can fail."""

from __future__ import annotations

import pytest

from tests.docs.console import Step, fits, steps


def test_a_session_is_commands_with_what_they_print() -> None:
    assert steps("$ one\nout 1\n\n$ two\n") == [Step("one", ("out 1", "")), Step("two", ())]


@pytest.mark.parametrize(
    ("command", "looks"),
    [
        ("dahdi-py", True),
        ("dahdi-py calls", True),
        ("dahdi-py spans show 1 --errors", True),
        ("dahdi-py spans clock", True),
        ("sleep 2; dahdi-py sim show 3 | grep Far", True),
        ("dahdi-py calls place 2001 --span 1", False),
        ("dahdi-py sim clock t1-user 50 --internal", False),
        ("dahdi-py sim mend 1 | grep Arriving", False),
        ("dahdi-py spans show 1; dahdi-py spans drain 3", False),
    ],
)
def test_what_may_be_repeated(command: str, looks: bool) -> None:
    assert Step(command, ()).looks is looks


@pytest.mark.parametrize(
    ("shown", "output"),
    [
        ((), []),
        (("up 00:00:12", "x  y"), ["up 00:04:59", "x y"]),
        (("...",), ["anything", "at all"]),
        (("a", "...", "z"), ["a", "b", "c", "z"]),
        (("a", "..."), ["a"]),
        (("{", "...", "}"), ["{", "  }", "}"]),
        (("call ... active",), ["call c-12 active"]),
        (("  4  ....D  16",), ["   4  ....D  16"]),
    ],
)
def test_what_fits(shown: tuple[str, ...], output: list[str]) -> None:
    assert fits(shown, "".join(f"{line}\n" for line in output))


@pytest.mark.parametrize(
    ("shown", "output"),
    [
        (("a",), []),
        ((), ["a"]),
        (("a", "b"), ["b", "a"]),
        (("a",), ["a", "b"]),
        (("b",), ["a", "b"]),
        (("up 12",), ["up twelve"]),
        (("...", "z"), ["a", "b"]),
        (("4 of 4 spans",), ["4 of 4 span"]),
    ],
)
def test_what_does_not_fit(shown: tuple[str, ...], output: list[str]) -> None:
    assert not fits(shown, "".join(f"{line}\n" for line in output))
