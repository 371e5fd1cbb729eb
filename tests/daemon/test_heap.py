# SPDX-License-Identifier: GPL-2.0-or-later
"""What a busy moment took of the C library's heap is given back."""

from __future__ import annotations

import os

from bench.machine import rss_kib
from dahdi_py.daemon import heap

KIB = 1024
MOMENT = 64 * KIB
"""KiB that pile up."""


def test_the_holes_of_the_heap_are_the_kernels_again() -> None:
    """A heap whose end is in use, as after most busy moments, and free before that."""
    piled_up = [bytes(4 * KIB) for _ in range(MOMENT // 4)]
    its_end = [bytes(4 * KIB) for _ in range(8)]
    most = rss_kib(os.getpid())
    del piled_up
    heap.give_back()
    assert rss_kib(os.getpid()) < most - MOMENT // 2
    assert len(its_end) == 8
