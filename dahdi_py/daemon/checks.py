# SPDX-License-Identifier: GPL-2.0-or-later
"""Values that have the right type and may still be impossible."""

from __future__ import annotations

import re

from dahdi_py.wire.refusals import InvalidParameter

_DIGITS = re.compile(r"[0-9*#]{1,32}\Z")


def refuse_parameter(name: str, message: str) -> InvalidParameter:
    """The error for a parameter that has the right type and an impossible value."""
    return InvalidParameter(f"{name}: {message}", parameter=name)


def check_cause(cause: int) -> None:
    """The cause is one Q.850 can carry.

    Raises:
        InvalidParameter: It is not.
    """
    if not 1 <= cause <= 127:
        raise refuse_parameter("cause", f"{cause}; expected a Q.850 cause, 1-127")


def check_label(label: str) -> None:
    """The label fits into lists and logs.

    Raises:
        InvalidParameter: It is too long, or holds what no terminal should be sent.
    """
    check_text("label", label, 64)


def check_text(name: str, text: str, limit: int) -> None:
    """The text is printable and at most so long.

    Raises:
        InvalidParameter: It is not.
    """
    if len(text) > limit:
        raise refuse_parameter(name, f"{len(text)} characters; expected at most {limit}")
    if not text.isprintable():
        raise refuse_parameter(name, f"{text!r} holds control characters; expected printable text")


def check_digits(digits: str) -> None:
    """The digits can be sent.

    Raises:
        InvalidParameter: They cannot.
    """
    if not _DIGITS.match(digits):
        raise refuse_parameter("digits", f"{digits!r}; expected 1-32 of 0-9 * #")


def check_seconds(name: str, seconds: int, least: int = 0) -> None:
    """The time is at most a day, and not less than the least (0: none).

    Raises:
        InvalidParameter: It is not.
    """
    if not least <= seconds <= 86_400:
        raise refuse_parameter(name, f"{seconds}; expected seconds, {least}-86400")
