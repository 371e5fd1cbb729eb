# SPDX-License-Identifier: GPL-2.0-or-later
"""Patterns of called numbers: which incoming calls a switching core takes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dahdi_py.errors import ConfigError

_LITERAL = re.compile(r"[0-9*#+X]*\.?\Z")
_RANGE = re.compile(r"([0-9]{1,15})-([0-9]{1,15})\Z")
_FORMS = "digits (2001), X for any digit (20XX), a range (2001-2009) or a trailing . for any rest (20.)"


@dataclass(frozen=True, slots=True)
class NumberPattern:
    """A pattern that numbers fit or not: digits, `X` any digit, `2001-2009` a range, trailing `.` any rest (or none).

    Synchronization: immutable; any thread.
    """

    text: str
    _fixed: str = ""
    _rest: bool = False
    _low: int = -1
    _high: int = -1

    @classmethod
    def parse(cls, text: str) -> NumberPattern:
        """The pattern that `text` writes.

        Raises:
            ConfigError: The text is no pattern; `where` is the text, the message says which forms there are.
        """
        if bounds := _RANGE.match(text):
            low, high = bounds.groups()
            if len(low) != len(high):
                raise _wrong(text, f"the ends of {text!r} differ in length; expected such as 2001-2009")
            if low > high:
                raise _wrong(text, f"{text!r} runs downwards; expected {high}-{low}")
            return cls(text, low, False, int(low), int(high))
        if not text or not _LITERAL.match(text):
            raise _wrong(text, f"{text!r} is no number pattern; expected {_FORMS}")
        return cls(text, text.rstrip("."), text.endswith("."))

    def fits(self, number: str) -> bool:
        """Whether the number is one of the pattern's."""
        if self._low >= 0:
            inside = len(number) == len(self._fixed) and number.isascii() and number.isdigit()
            return inside and self._low <= int(number) <= self._high
        if len(number) < len(self._fixed) or (len(number) > len(self._fixed) and not self._rest):
            return False
        return all(
            have == want or (want == "X" and "0" <= have <= "9")
            for want, have in zip(self._fixed, number, strict=False)
        )


def _wrong(text: str, message: str) -> ConfigError:
    return ConfigError(f"numbers: {message}", where="numbers", pattern=text)
