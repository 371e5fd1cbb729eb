# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole service on the simulated card."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from tests.service.scenarios import Lines, Scenarios
from tests.service.service import running


@pytest.fixture
def lines(run_dir: Path) -> Iterator[Lines]:
    config = files("dahdi_py").joinpath("embedded.toml").read_text()
    with running(run_dir, config) as service:
        yield Lines(service, (("e1-user", "e1-network"), ("t1-user", "t1-network")))


@pytest.mark.timeout(300)
class TestOnTheSimulatedCard(Scenarios):
    pass
