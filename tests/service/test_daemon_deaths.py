# SPDX-License-Identifier: GPL-2.0-or-later
"""`kill -9` of the daemon at random points, of services that run beside each other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path

import pytest

from tests.service.deaths import Deaths
from tests.service.service import running

SERVICES = 4
RECLAIM = "[calls]\nreclaim_s = 15\n\n"


def deaths(where: Path, kills: int, seed: int) -> None:
    where.mkdir()
    with running(where, RECLAIM + files("dahdi_py").joinpath("embedded.toml").read_text()) as service:
        Deaths(service, seed).run(kills)


def die(where: Path, kills: int) -> None:
    with ThreadPoolExecutor(SERVICES) as pool:
        lives = [pool.submit(deaths, where / str(n), kills // SERVICES, n) for n in range(SERVICES)]
    for each in lives:
        each.result()


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("uncounted")
def test_200_deaths_of_the_daemon_cost_no_call_and_no_lease(run_dir: Path) -> None:
    die(run_dir, 200)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_1000_deaths_of_the_daemon_cost_no_call_and_no_lease(run_dir: Path) -> None:
    die(run_dir, 1000)
