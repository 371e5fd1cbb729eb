# SPDX-License-Identifier: GPL-2.0-or-later
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.linehost.rig import Rig


@pytest.fixture
def rig(run_dir: Path) -> Iterator[Rig]:
    rig = Rig(run_dir)
    try:
        yield rig
    finally:
        rig.close()
        print(rig.log.read_text(errors="replace") if rig.log.exists() else "no log")
