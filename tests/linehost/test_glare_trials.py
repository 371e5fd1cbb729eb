# SPDX-License-Identifier: GPL-2.0-or-later
"""No call is lost while a channel is free for it, however the calls of both ends cross: 10,000 trials."""

import asyncio
from pathlib import Path

import pytest

from tests.linehost.glare import trials

TRIALS = 10_000
LINES = [("euroisdn", False), ("euroisdn", True), ("qsig", False), ("national", False)]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("switch_type", "symmetric"), LINES)
def test_no_call_is_lost_while_a_channel_is_free(run_dir: Path, switch_type: str, symmetric: bool) -> None:
    count = TRIALS // len(LINES)
    moved, lost = asyncio.run(trials(run_dir, switch_type, symmetric, count))
    print(f"{switch_type}: {count} trials, {moved} calls moved, {lost} found no channel free")
    assert moved > count // 10
    assert lost > count // 10
