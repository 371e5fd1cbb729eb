# SPDX-License-Identifier: GPL-2.0-or-later
"""Our declaration of DAHDI's interface is the kernel's: every size, offset and number, compared by the compiler."""

import re
import subprocess
from pathlib import Path

import pytest

ABI = Path(__file__).parents[2] / "native" / "dahdi" / "abi.h"

# Our struct and its fields in order -> theirs; a field missing here fails the test of completeness.
STRUCTS = {
    "abi_params": (
        "dahdi_params",
        "channo spanno chanpos sigtype sigcap rxisoffhook rxbits txbits txhooksig rxhooksig curlaw idlebits name"
        " prewinktime chan_alarms",
    ),
    "abi_span_status": (
        "dahdi_spaninfo",
        "spanno name desc alarms txlevel rxlevel bpvcount crc4count ebitcount fascount fecount cvcount becount prbs"
        " errsec irqmisses syncsrc numchans totalchans totalspans lbo lineconfig lboname location manufacturer"
        " devicetype irq linecompat spantype",
    ),
    "abi_maintenance": ("dahdi_maintinfo", "spanno command"),
    "abi_gains": ("dahdi_gains", "chan rxgain txgain"),
    "abi_conference": ("dahdi_confinfo", "chan confno confmode"),
    "abi_span_config": ("dahdi_lineconfig", "span name lbo lineconfig sync"),
    "abi_channel_config": ("dahdi_chanconfig", "chan name sigtype deflaw master idlebits netdev_name"),
    "abi_buffers": ("dahdi_bufferinfo", "txbufpolicy rxbufpolicy numbufs bufsize readbufs writebufs"),
    "abi_version": ("dahdi_versioninfo", "version echo_canceller"),
    "abi_echo_canceller": ("dahdi_attach_echocan", "chan echocan"),
    "abi_dynamic_span": ("dahdi_dynamic_span", "driver addr numchans timing spanno"),
}

CONSTANTS = {
    "ABI_EVENT_PENDING": "ELAST",
    "ABI_LINE_D4": "DAHDI_CONFIG_D4",
    "ABI_LINE_ESF": "DAHDI_CONFIG_ESF",
    "ABI_LINE_AMI": "DAHDI_CONFIG_AMI",
    "ABI_LINE_B8ZS": "DAHDI_CONFIG_B8ZS",
    "ABI_LINE_CCS": "DAHDI_CONFIG_CCS",
    "ABI_LINE_HDB3": "DAHDI_CONFIG_HDB3",
    "ABI_LINE_CRC4": "DAHDI_CONFIG_CRC4",
    "ABI_SIG_NONE": "DAHDI_SIG_NONE",
    "ABI_SIG_CLEAR": "DAHDI_SIG_CLEAR",
    "ABI_SIG_HDLCRAW": "DAHDI_SIG_HDLCRAW",
    "ABI_SIG_HDLCFCS": "DAHDI_SIG_HDLCFCS",
    "ABI_LAW_DEFAULT": "DAHDI_LAW_DEFAULT",
    "ABI_LAW_MULAW": "DAHDI_LAW_MULAW",
    "ABI_LAW_ALAW": "DAHDI_LAW_ALAW",
    "ABI_POLICY_IMMEDIATE": "DAHDI_POLICY_IMMEDIATE",
    "ABI_CONF_NORMAL": "DAHDI_CONF_NORMAL",
    "ABI_CONF_DIGITAL": "DAHDI_CONF_DIGITALMON",
    "ABI_MAINT_NONE": "DAHDI_MAINT_NONE",
    "ABI_MAINT_LOCAL_LOOP": "DAHDI_MAINT_LOCALLOOP",
    "ABI_MAINT_LINE_LOOP": "DAHDI_MAINT_NETWORKLINELOOP",
    "ABI_MAINT_PAYLOAD_LOOP": "DAHDI_MAINT_NETWORKPAYLOADLOOP",
    "ABI_FLUSH_READ": "DAHDI_FLUSH_READ",
    "ABI_FLUSH_WRITE": "DAHDI_FLUSH_WRITE",
    "ABI_FLUSH_EVENT": "DAHDI_FLUSH_EVENT",
    "ABI_IOMUX_WRITE_EMPTY": "DAHDI_IOMUX_WRITEEMPTY",
    "ABI_CODE": "DAHDI_CODE",
}


def header() -> Path:
    """The include directory of DAHDI's own sources."""
    found = sorted(Path("/usr/src").glob("dahdi-*/include"))
    if not found or not (found[-1] / "dahdi" / "user.h").exists():
        pytest.fail("dahdi/user.h is not there to compare with: apt install dahdi-dkms")
    return found[-1]


def requests() -> list[str]:
    """The names of the ioctls we declare, without prefix."""
    return re.findall(r"#define ABI_(\w+)\s+_IO", ABI.read_text())


def fields(struct: str) -> list[str]:
    """The fields of a struct of ours, in order."""
    body = re.search(rf"struct {struct} \{{\n(.*?)\n\}}", ABI.read_text(), re.DOTALL)
    assert body
    return re.findall(r"(\w+)(?:\[\d+\])?;", body.group(1))


def compiled(assertions: list[str], tmp_path: Path) -> subprocess.CompletedProcess[str]:
    lines = ["#include <stddef.h>", "#include <dahdi/user.h>", f'#include "{ABI}"', *assertions]
    source = tmp_path / "compare.c"
    source.write_text("\n".join(lines) + "\n")
    command = ["gcc", "-std=gnu11", "-fsyntax-only", "-I", str(header()), str(source)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def same(ours: str, theirs: str) -> str:
    return f'_Static_assert(({ours}) == ({theirs}), "{ours} is not {theirs}");'


def test_every_size_offset_and_number_is_the_kernels(tmp_path: Path) -> None:
    assertions = [same(f"ABI_{name}", f"DAHDI_{name}") for name in requests()]
    assertions += [same(ours, theirs) for ours, theirs in CONSTANTS.items()]
    for ours, (theirs, names) in STRUCTS.items():
        assertions.append(same(f"sizeof(struct {ours})", f"sizeof(struct {theirs})"))
        for mine, other in zip(fields(ours), names.split(), strict=True):
            assertions.append(same(f"offsetof(struct {ours}, {mine})", f"offsetof(struct {theirs}, {other})"))
    assert len(assertions) > 100
    result = compiled(assertions, tmp_path)
    assert result.returncode == 0, result.stderr


def test_a_difference_is_noticed(tmp_path: Path) -> None:
    wrong = same("offsetof(struct abi_params, law)", "offsetof(struct dahdi_params, idlebits)")
    assert "is not" in compiled([wrong], tmp_path).stderr


def test_nothing_declared_is_left_out_of_the_comparison() -> None:
    text = ABI.read_text()
    assert set(re.findall(r"^struct (\w+) \{", text, re.MULTILINE)) == set(STRUCTS)
    numbers = {f"ABI_{name}" for name in requests()}
    assert set(re.findall(r"#define (ABI_\w+)", text)) == set(CONSTANTS) | numbers


def test_the_request_that_may_never_return_is_not_declared() -> None:
    native = ABI.parent
    everything = "".join(path.read_text() for path in native.iterdir() if path.suffix in (".c", ".h", ".txt"))
    assert not re.search(r"_SYNC\b|ABI_CODE, 4\)", everything)
