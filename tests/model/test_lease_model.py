# SPDX-License-Identifier: GPL-2.0-or-later
"""Spin searches every run of the model of leases; with a guard taken away it finds what that guard prevents."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

MODEL = Path(__file__).with_name("lease.pml")
LIMIT_S = 900
pytestmark = pytest.mark.timeout(LIMIT_S)


def search(where: Path, **constants: int) -> str:
    """What spin's verifier found wrong in any run, in its own words; empty when nothing is wrong in all of them."""
    definitions = [f"-D{name}={value}" for name, value in constants.items()]
    subprocess.run(["spin", "-a", *definitions, MODEL], cwd=where, check=True, capture_output=True)
    # COLLAPSE: states take a third of the room. The compiler warns of arrays of one element that spin writes to.
    subprocess.run(["gcc", "-w", "-O1", "-DCOLLAPSE", "-o", "pan", "pan.c"], cwd=where, check=True)
    command = ["./pan", "-a", "-m10000"]
    found = subprocess.run(command, cwd=where, check=False, capture_output=True, text=True, timeout=LIMIT_S)
    assert "Search not completed" not in found.stdout or "errors: 1" in found.stdout, found.stdout
    assert "max search depth too small" not in found.stdout
    wrong = re.search(r"^pan:\d+: (.*) \(at depth", found.stdout, re.MULTILINE)
    assert ("errors: 0" in found.stdout) is (wrong is None), found.stdout + found.stderr
    return wrong[1] if wrong else ""


IN_EVERY_RUN = {
    "a daemon and a client die": {"REQUESTS": 2},
    "two daemons, a host and a client die": {"REQUESTS": 1, "DAEMON_DEATHS": 2, "HOST_DEATHS": 1},
    "two channels, a daemon and a client die": {"REQUESTS": 1, "CHANNELS": 2},
}
IN_LONGER_RUNS = {
    "two channels, a client dies": {"REQUESTS": 2, "CHANNELS": 2, "DAEMON_DEATHS": 0},
    "a daemon and a client die": {"REQUESTS": 3},
    "a daemon and a host die": {"REQUESTS": 2, "HOST_DEATHS": 1, "CLIENT_DEATHS": 0},
    "a daemon, a host and a client die": {"REQUESTS": 2, "HOST_DEATHS": 1},
}


@pytest.mark.parametrize("constants", IN_EVERY_RUN.values(), ids=IN_EVERY_RUN.keys())
def test_no_run_breaks_a_claim(tmp_path: Path, constants: dict[str, int]) -> None:
    assert search(tmp_path, **constants) == ""


@pytest.mark.soak
@pytest.mark.parametrize("constants", IN_LONGER_RUNS.values(), ids=IN_LONGER_RUNS.keys())
def test_no_longer_run_breaks_a_claim(tmp_path: Path, constants: dict[str, int]) -> None:
    assert search(tmp_path, **constants) == ""


# The guard that is taken away, and what is then claimed wrongly.
BROKEN = {
    1: ("a leased channel is leased again", "lease[ch]==0"),
    2: ("the host looks at the channel and not at the token", "ended[t]"),
    3: ("an old daemon is obeyed: nobody knows of the lease", "acceptance cycle"),
    4: ("a channel is leased again while its last lessee holds it", "held["),
    5: ("the host's start number was not durable", "used[t]"),
    6: ("nobody looks whether the client has died meanwhile", "acceptance cycle"),
    7: ("what was reclaimed is cleared with the orphans", "alive[0]"),
    8: ("a deadline overtakes the reclaim that is under way", "alive[0]"),
}


@pytest.mark.parametrize(("guard", "wrong"), [(n, found) for n, (_, found) in BROKEN.items()], ids=str)
def test_without_a_guard_a_claim_breaks(tmp_path: Path, guard: int, wrong: str) -> None:
    constants = {f"BROKEN_{guard}": 1, "REQUESTS": 2, "HOST_DEATHS": int(guard == 5)}
    assert wrong in search(tmp_path, **constants)


def test_every_guard_of_the_model_is_taken_away_once() -> None:
    assert {int(n) for n in re.findall(r"BROKEN_(\d)", MODEL.read_text())} == set(BROKEN)


def test_nobody_pretends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A search that cannot be run is a failure and not a pass."""
    monkeypatch.setitem(os.environ, "PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError):
        search(tmp_path)
