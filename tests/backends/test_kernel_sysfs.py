# SPDX-License-Identifier: GPL-2.0-or-later
"""Finding spans of cards that no virtual machine has: a sysfs tree as the drivers of a four-span card make it."""

from pathlib import Path

import pytest

from dahdi_py.backends import kernel_ports, kernel_snapshot, kernel_sysfs
from dahdi_py.errors import DeviceGone, HardwareError

DEVICE = "pci:0000:03:00.0"


def device(sysfs: Path, name: str, kinds: str, *, hardware_id: str = "", location: str = "", file: str) -> Path:
    path = sysfs / "devices" / "card" / name
    path.mkdir(parents=True)
    (path / file).write_text(kinds)
    (path / "hardware_id").write_text(hardware_id + "\n")
    (path / "location").write_text(location + "\n")
    bus = sysfs / "bus" / "dahdi_devices" / "devices"
    bus.mkdir(parents=True, exist_ok=True)
    (bus / name).symlink_to(path)
    return path


def assigned(sysfs: Path, owner: Path, local: int, number: int, name: str, base: int, *, opened: int = 0) -> None:
    span = owner / f"span-{number}"
    span.mkdir()
    texts = {"local_spanno": local, "name": name, "desc": f"{name} as it is", "basechan": base, "channels": 31}
    for file, text in texts.items():
        (span / file).write_text(f"{text}\n")
    for place in range(2):
        channel = span / f"dahdi!chan!{number:03}!{place + 1:03}"
        channel.mkdir()
        (channel / "channo").write_text(f"{base + place}\n")
        (channel / "in_use").write_text(f"{int(place < opened)}\n")
    bus = sysfs / "bus" / "dahdi_spans" / "devices"
    bus.mkdir(parents=True, exist_ok=True)
    (bus / span.name).symlink_to(span)


@pytest.fixture(params=["dahdi_spantype", "spantype"])
def sysfs(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Debian's modules and upstream's name one file differently."""
    card = device(tmp_path, DEVICE, "1:E1\n2:E1\n3:T1\n4:T1\n", location="PCI Bus 03 Slot 01", file=request.param)
    (tmp_path / "drivers" / "wct4xxp").mkdir(parents=True)
    (card.parent / "driver").symlink_to(tmp_path / "drivers" / "wct4xxp")
    assigned(tmp_path, card, 1, 2, "TE4/0/1", 32, opened=1)
    assigned(tmp_path, card, 2, 1, "TE4/0/2", 1)
    return tmp_path


def test_assigned_spans_come_in_order_of_number_then_the_others(sysfs: Path) -> None:
    spans = kernel_sysfs.spans(sysfs)
    assert [(span.number, span.local, span.kind, span.base) for span in spans] == [
        (1, 2, "E1", 1), (2, 1, "E1", 32), (None, 3, "T1", 0), (None, 4, "T1", 0)]  # fmt: skip
    assert {span.driver for span in spans} == {"wct4xxp"}
    assert [kernel_snapshot.port_of(span) for span in spans] == [
        "1", "2", "@PCI Bus 03 Slot 01:3", "@PCI Bus 03 Slot 01:4"]  # fmt: skip
    assert kernel_snapshot.capabilities(spans) == {"dynamic", "bridge", "local_loop", "line_loop", "payload_loop"}


@pytest.mark.parametrize(
    ("port", "local"),
    [
        ("1", 2),
        ("2", 1),
        ("@PCI Bus 03 Slot 01", 1),
        ("@PCI Bus 03 Slot 01:4", 4),
        (f"@{DEVICE}:3", 3),
        (f"@{DEVICE}", 1),
    ],
)
def test_a_port_is_a_number_or_a_place(sysfs: Path, port: str, local: int) -> None:
    assert kernel_ports.find(port, sysfs).local == local


@pytest.mark.parametrize("port", ["3", "@PCI Bus 03 Slot 01:5", "@nowhere", "loc/1:0", "x"])
def test_a_port_that_is_not_there_is_gone(sysfs: Path, port: str) -> None:
    with pytest.raises(DeviceGone, match="the kernel has no such span"):
        kernel_ports.find(port, sysfs)


def test_channels_that_are_open_anywhere_are_known(sysfs: Path) -> None:
    assert kernel_sysfs.open_channels(2, sysfs) == [32]
    assert kernel_sysfs.open_channels(1, sysfs) == []
    assert kernel_sysfs.open_channels(9, sysfs) == []


def test_dynamic_spans_whose_long_names_the_kernel_cut_alike_are_not_mixed_up(tmp_path: Path) -> None:
    for number in (1, 2):
        span = device(
            tmp_path, f"dynamic:eth:{number}", "1:DYNAMIC\n", hardware_id="DYN/eth/eth0/02:00:", file="dahdi_spantype"
        )
        assigned(tmp_path, span, 1, number, "DYN/eth/eth0/02:00:", 1)
        (span / f"span-{number}" / "desc").write_text("Dynamic 'eth' span at 'eth0/02:00:00:00")
    with pytest.raises(HardwareError, match="2 dynamic spans are called DYN/eth/eth0/02:00:"):
        kernel_ports.find("eth/eth0/02:00:00:00:00:01/0", tmp_path)


def test_long_names_that_the_kernel_left_whole_are_told_apart(tmp_path: Path) -> None:
    for number in (1, 2):
        address = f"eth0/02:00:00:00:00:0{number}/0"
        name = f"DYN/eth/{address}"
        span = device(tmp_path, f"dynamic:eth:{number}", "1:DYNAMIC\n", hardware_id=name, file="dahdi_spantype")
        assigned(tmp_path, span, 1, number, name, 1)
        (span / f"span-{number}" / "desc").write_text(f"Dynamic 'eth' span at '{address}'\n")
    found = kernel_ports.find("eth/eth0/02:00:00:00:00:02/0", tmp_path)
    assert found.number == 2
    # What an ioctl has room for of these two.
    assert found.is_called("DYN/eth/eth0/02:00:", "Dynamic 'eth' span at 'eth0/02:00:00:00")
    assert not found.is_called("DYN/eth/eth1/02:00:", found.description)


def test_without_the_module_there_are_no_spans(tmp_path: Path) -> None:
    assert kernel_sysfs.spans(tmp_path) == []
