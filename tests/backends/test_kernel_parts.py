# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts of the kernel backend that need no kernel: settings as bits, gain tables, what was written, locks."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dahdi_py.backends import kernel_configure, kernel_line, kernel_snapshot
from dahdi_py.backends.base import Counters, LineConfig, Media
from dahdi_py.backends.kernel_channel import settled
from dahdi_py.backends.kernel_gain import gain_table, linear
from dahdi_py.backends.kernel_lock import lock_span
from dahdi_py.backends.kernel_sysfs import FoundSpan
from dahdi_py.core.terms import Coding, Framing, Law, LineType, Mode
from dahdi_py.errors import DeviceBusy, DevicePermission
from dahdi_py.ffi.dahdi import Line, SpanStat

E1, T1 = LineType.E1, LineType.T1


# fmt: off
BLANK = SpanStat(
    number=1, name="", description="", kind="", alarms=0, bpv=0, crc4=0, ebit=0, fas=0, fe=0, cv=0, be=0,
    errored_seconds=0, irq_misses=0, sync_source=0, configured_channels=0, channels=0, build_out=0, line=Line(0),
    location="", manufacturer="", device_type="",
)
# fmt: on


def found(driver: str) -> FoundSpan:
    return FoundSpan(
        device="d", local=1, number=1, name="s", description="s", kind="E1", driver=driver, hardware_id="",
        location="", registered="", base=1, channels=31,
    )  # fmt: skip


def test_what_drivers_count_is_told_and_what_they_cannot_is_none_or_an_estimate() -> None:
    counted = replace(BLANK, bpv=-1, crc4=7, ebit=2, fas=0, fe=5, cv=9, be=-1, errored_seconds=4, irq_misses=1)
    told = kernel_snapshot.status("1", found("wcte12xp"), counted)
    assert told.counters == Counters(
        bpv=None, cv=9, crc=7, ebit=2, fas=5, be=None, slips=None, errored_seconds=4, irq_misses=1
    )
    assert told.estimated == {"defects"}
    low = kernel_snapshot.status("1", found("wct4xxp"), counted)
    assert low.counters == told.counters
    assert {"crc", "cv", "ebit", "defects"} <= low.estimated
    assert "errored_seconds" not in low.estimated
    assert kernel_snapshot.status("1", found("wct1xxp"), BLANK).counters == Counters()
    assert kernel_snapshot.status("1", found("wcte12xp"), replace(counted, fas=-1, fe=-1)).counters.fas is None


def stat(line: Line) -> SpanStat:
    return replace(BLANK, line=line)


@pytest.mark.parametrize(
    ("config", "line"),
    [
        (LineConfig(E1, Framing.CCS, Coding.HDB3, crc4=True), Line.CCS | Line.HDB3 | Line.CRC4),
        (LineConfig(E1, Framing.CAS, Coding.AMI, crc4=False), Line.AMI),
        (LineConfig(T1, Framing.ESF, Coding.B8ZS), Line.ESF | Line.B8ZS),
        (LineConfig(T1, Framing.D4, Coding.AMI), Line.D4 | Line.AMI),
    ],
)
def test_a_configuration_is_bits_and_bits_are_that_configuration(config: LineConfig, line: Line) -> None:
    assert kernel_line.bits(config, Line(0)) == line
    assert kernel_line.framing(line, config.type) is config.framing
    assert kernel_line.coding(line) is config.coding
    assert kernel_line.differences(config, stat(line)) == ()


def test_what_a_configuration_leaves_alone_stays() -> None:
    current = Line.CCS | Line.HDB3 | Line.CRC4
    assert kernel_line.bits(LineConfig(E1), current) == current
    assert kernel_line.bits(LineConfig(E1, crc4=False), current) == Line.CCS | Line.HDB3
    assert kernel_line.differences(LineConfig(E1), stat(current)) == ()


def test_differences_are_named() -> None:
    config = LineConfig(E1, Framing.CAS, Coding.AMI, crc4=False, build_out=2, timing=1)
    found = kernel_line.differences(config, stat(Line.CCS | Line.HDB3 | Line.CRC4))
    assert found == ("framing", "coding", "crc4", "build_out")
    assert kernel_line.differences(LineConfig(T1, crc4=True), stat(Line.ESF)) == ()


@pytest.mark.parametrize(
    ("kind", "channels", "expected"),
    [("E1", 31, E1), ("T1", 24, T1), ("J1", 24, T1), ("DYNAM", 24, T1), ("DYNAM", 31, E1), ("DYNAM", 5, None),
     ("FXS", 4, None)],
)  # fmt: skip
def test_a_span_is_the_line_its_kind_says(kind: str, channels: int, expected: LineType | None) -> None:
    assert kernel_line.line_type(kind, channels) is expected


def test_what_was_written_is_not_written_again() -> None:
    memory = kernel_configure.Memory()
    config = LineConfig(T1, timing=1, law=Law.MULAW)
    assert memory.unknown(config, ("timing", "law")) == ["timing", "law"]
    memory.remember(config, ["timing", "law"])
    assert memory.unknown(config, ("timing", "law")) == []
    assert memory.unknown(replace(config, timing=0), ("timing", "law")) == ["timing"]


@pytest.mark.parametrize("law", list(Law))
def test_no_gain_is_the_identity_and_any_gain_keeps_sign_and_order(law: Law) -> None:
    # Of mu-law's two zeros each stays what it is.
    assert gain_table(law, 0.0) == bytes(range(256))
    for gain_db in (-12.0, 3.0, 20.0):
        table = gain_table(law, gain_db)
        assert all((before ^ after) & 0x80 == 0 for before, after in enumerate(table))
        by_level = sorted(range(256), key=lambda octet: linear(octet, law))
        levels = [linear(table[octet], law) for octet in by_level]
        assert levels == sorted(levels)


@pytest.mark.parametrize(
    ("law", "octet", "sample"),
    [(Law.MULAW, 0xFF, 0), (Law.MULAW, 0x7F, 0), (Law.MULAW, 0x80, 32124), (Law.MULAW, 0x00, -32124),
     (Law.ALAW, 0xD5, 8), (Law.ALAW, 0x55, -8), (Law.ALAW, 0xAA, 32256), (Law.ALAW, 0x2A, -32256)],
)  # fmt: skip
def test_octets_stand_for_the_samples_of_the_law(law: Law, octet: int, sample: int) -> None:
    """Source: G.711 tables 1a, 1b, 2a, 2b, scaled to 16 bits."""
    assert linear(octet, law) == sample


def test_gain_is_as_loud_as_it_says() -> None:
    octet = gain_table(Law.ALAW, 6.02)[0xB5]
    assert linear(octet, Law.ALAW) / linear(0xB5, Law.ALAW) == pytest.approx(2.0, rel=0.05)


@given(st.builds(Media, law=st.sampled_from(Law), mode=st.sampled_from(Mode), echo_canceller=st.booleans(),
                 gain_db=st.floats(-20, 20), chunk=st.integers(1, 10_000), depth=st.integers(0, 100)))  # fmt: skip
def test_media_are_settled_within_what_the_kernel_has(media: Media) -> None:
    real = settled(media)
    assert 16 <= real.chunk <= 8192
    assert 2 <= real.depth <= 32
    assert real.chunk * real.depth <= 32768
    assert settled(real) == real
    if media.mode is not Mode.VOICE:
        assert (real.echo_canceller, real.gain_db) == (False, 0.0)


HOLDER = """
import sys
from pathlib import Path
from dahdi_py.backends.kernel_lock import lock_span
from dahdi_py.backends.kernel_sysfs import FoundSpan
lock_span(sys.argv[1], "1", Path(sys.argv[2]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_span_has_one_holder_and_its_pid_is_told(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, "pci:0000:01:00.0-1", str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(DeviceBusy, match=rf"span 1 belongs to process {holder.pid} \(") as caught:
            lock_span("pci:0000:01:00.0-1", "1", tmp_path)
        assert caught.value.holder == holder.pid
        os.close(lock_span("pci:0000:01:00.0-2", "2", tmp_path))
        holder.communicate(timeout=20)
    os.close(lock_span("pci:0000:01:00.0-1", "1", tmp_path))


def test_a_lock_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    with pytest.raises(DevicePermission, match=r"cannot make the lock .*: No such file or directory"):
        lock_span("x", "1", tmp_path / "nowhere")
