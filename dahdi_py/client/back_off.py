# SPDX-License-Identifier: GPL-2.0-or-later
"""How long to wait before each new attempt to reach a daemon that went away."""

from __future__ import annotations

_STEPS_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)


def back_off_s(attempt: int) -> float:
    """Seconds to wait before attempt `attempt`, from 0: soon at first, then every 2 s for ever."""
    return _STEPS_S[min(attempt, len(_STEPS_S) - 1)]
