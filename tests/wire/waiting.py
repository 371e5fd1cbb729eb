# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiting for what happens elsewhere, with generous limits."""

import select
import time
from collections.abc import Callable

PATIENCE_S = 60.0


def wait_for(condition: Callable[[], bool]) -> None:
    """The condition has come true."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        select.select([], [], [], 0.005)
