# SPDX-License-Identifier: GPL-2.0-or-later
"""No fault of the catalogue is without a verdict, on any rig."""

from __future__ import annotations

import pytest

from tests.service.fault_verdicts import FAULTS, HELD, NOT_RUN, RIGS, ROOT, numbered, table


def test_no_number_is_missing() -> None:
    assert list(FAULTS) == [f"F{number:02}" for number in range(1, 17)]


@pytest.mark.parametrize("rig", RIGS)
@pytest.mark.parametrize("number", FAULTS)
def test_every_fault_is_held_or_it_is_said_why_not(rig: str, number: str) -> None:
    held = [name for found, name in numbered(rig) if found == number]
    assert bool(held) is (rig not in FAULTS[number].otherwise), held


@pytest.mark.parametrize("rig", RIGS)
def test_no_test_carries_a_number_that_is_not_in_the_catalogue(rig: str) -> None:
    assert {number for number, _ in numbered(rig)} <= set(FAULTS)


def test_every_fault_is_in_the_document() -> None:
    text = (ROOT / "docs/faults.md").read_text()
    assert [number for number in FAULTS if f"| {number} |" not in text] == []


def test_the_table_says_what_came_out() -> None:
    lines = table("kernel", ["a.py::test_f04_x", "test_f01_y"], ["test_f01_z"])
    said = {line[:3]: line for line in lines}
    assert len(lines) == len(FAULTS)
    assert "FAILED" in said["F01"]
    assert f"kernel  {HELD}" in said["F04"]
    assert "hardware" in said["F02"]
    assert NOT_RUN in said["F05"]
