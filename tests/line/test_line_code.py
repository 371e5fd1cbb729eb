# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines whose ends are set to different line codes."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dahdi_py.core.terms import Alarms, Coding, Framing, LineType
from dahdi_py.ffi.framer import LineCode
from tests.line import framer_oracle as oracle
from tests.line.framer_rig import t1

DELAY = 16
bits = st.lists(st.sampled_from([0, 0, 0, 0, 0, 1]), min_size=1, max_size=400)


def read(line: list[int], sent: Coding, read: Coding, cut: int = 1) -> tuple[list[int], int]:
    """What comes out for those bits, which end in ones so that nothing waits for its end."""
    frames = -(-(len(line) + DELAY) // 256)
    padded = line + [1] * (frames * 256 - len(line))
    code = LineCode(LineType.E1, sent, read)
    rows, violations = b"", 0
    source = oracle.rows_of(padded, 256)
    for part in (source[: 32 * cut], source[32 * cut :]):
        out, count = code.run(part)
        rows += out
        violations += count
    out_bits = [bit for frame in oracle.frames_of(rows, 256) for bit in frame]
    return out_bits[DELAY:][: len(line)], violations


@pytest.mark.parametrize("coding", list(Coding))
@given(line=bits, cut=st.integers(0, 2))
def test_a_code_read_by_its_own_rules_is_the_bits_and_no_violation(coding: Coding, line: list[int], cut: int) -> None:
    assert read(line, coding, coding, cut) == (line, 0)


def test_b8zs_read_as_ami_is_two_violations_for_eight_zeros() -> None:
    """000VB0VB. Source: G.703 annex A, T1.403."""
    line = [1, 1, *[0] * 8, 1, *[0] * 7, 1]
    assert read(line, Coding.B8ZS, Coding.AMI) == ([1, 1, 0, 0, 0, 1, 1, 0, 1, 1, 1, *[0] * 7, 1], 2)


def test_hdb3_read_as_ami_is_one_violation_for_four_zeros() -> None:
    """000V behind an odd number of pulses since the last one, else B00V. Source: G.703 annex A."""
    line = [1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1]
    assert read(line, Coding.HDB3, Coding.AMI) == ([1, 0, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1], 2)


@given(line=bits)
def test_ami_read_as_b8zs_is_the_bits_and_a_violation_for_every_run_of_zeros(line: list[int]) -> None:
    """Source: T1.231 (excessive zeros: more than seven)."""
    runs = sum(len(run) >= 8 for run in "".join(map(str, line)).split("1"))
    assert read([1, *line], Coding.AMI, Coding.B8ZS) == ([1, *line], runs)


def test_a_b8zs_line_read_as_ami_keeps_its_frames_but_not_its_octets() -> None:
    sender, receiver = t1(), t1(Framing.ESF, Coding.AMI)
    code = LineCode(LineType.T1, Coding.B8ZS, Coding.AMI)
    source = random.Random(1)
    for _ in range(40):
        slots = [bytes(source.choice([0, 0xFF, 0x55]) for _ in range(32)) for _ in range(32)]
        line, violations = code.run(sender.send(slots, 32))
        receiver.receive(line, violations=violations)
    assert receiver.counts.violations > 1000
    assert receiver.counts.crc > 20
    assert Alarms.LOS not in receiver.alarms
