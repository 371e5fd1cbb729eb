# SPDX-License-Identifier: GPL-2.0-or-later
"""The C library's heap: what a busy moment took of it and needs no more."""

from __future__ import annotations

import ctypes

_TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None)
"""The GNU C library's; another keeps what it has."""


def give_back() -> None:
    """The kernel has every page of the heap that holds nothing; by itself the library gives back its end alone."""
    if _TRIM is not None:
        _TRIM(ctypes.c_size_t(0))
