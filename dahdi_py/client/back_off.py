# SPDX-License-Identifier: GPL-2.0-or-later
"""When to try again to reach a daemon that went away."""

from __future__ import annotations

from dahdi_py.errors import AccessError, DahdiPyError, Unreachable

_STEPS_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)


def back_off_s(attempt: int) -> float:
    """Seconds to wait before attempt `attempt`, from 0: soon at first, then every 2 s for ever."""
    return _STEPS_S[min(attempt, len(_STEPS_S) - 1)]


def passes(error: DahdiPyError) -> bool:
    """Whether the error is no answer: the daemon is away, or turned the connection away because it has too many."""
    return isinstance(error, Unreachable) or type(error) is AccessError
