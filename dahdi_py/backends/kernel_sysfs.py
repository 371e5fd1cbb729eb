# SPDX-License-Identifier: GPL-2.0-or-later
"""Which DAHDI spans the kernel has, as sysfs tells: also those that nobody has given a number yet.

With Debian's default (``auto_assign_spans=0``) a span exists under its device but has no number, and no ioctl knows
it; `assign` gives it the next one.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from dahdi_py.errors import DevicePermission, HardwareError
from dahdi_py.ffi.dahdi_errors import failure

SYSFS = Path("/sys")

NAME_ROOM, DESCRIPTION_ROOM = 20, 40
"""Octets of a span's name and description in ioctls, the last one 0. Source: user.h `dahdi_spaninfo`."""

Identity = tuple[str, int, str]
"""A span for as long as its device stays: device, local number, time of registration."""


@dataclass(frozen=True, slots=True)
class FoundSpan:
    """A span of a DAHDI device.

    Attributes:
        device: The device's name in sysfs; a dynamic span created again has another.
        local: The span's number on its device, from 1.
        number: The number that ioctls use; None until it is assigned.
        kind: ``E1``, ``T1``, ``J1``, ``DYNAMIC``, ...
        driver: The kernel module, such as ``wct4xxp`` or ``dahdi_dynamic_loc``.
        registered: When its device came; a card that was out has another time, and has forgotten its settings.
        base: Channel number of its first channel; 0 until it is assigned.
    """

    device: str
    local: int
    number: int | None
    name: str
    description: str
    kind: str
    driver: str
    hardware_id: str
    location: str
    registered: str
    base: int
    channels: int

    @property
    def identity(self) -> Identity:
        """What stays the same while the span's number comes and goes."""
        return self.device, self.local, self.registered

    def is_called(self, name: str, description: str) -> bool:
        """Whether an ioctl would call it so: it has room for the beginning of the names that sysfs shows."""
        ours = self.name[: NAME_ROOM - 1], self.description[: DESCRIPTION_ROOM - 1]
        return ours == (name[: NAME_ROOM - 1], description[: DESCRIPTION_ROOM - 1])

    @property
    def dynamic(self) -> bool:
        """Whether the span is no hardware but was created by an ioctl."""
        return self.kind == "DYNAMIC"


def spans(sysfs: Path = SYSFS) -> list[FoundSpan]:
    """Every span of every device, assigned ones in order of their number, then the others."""
    devices = sysfs / "bus" / "dahdi_devices" / "devices"
    found = [span for device in _listed(devices) for span in _of_device(device)]
    return sorted(found, key=lambda span: (span.number is None, span.number or 0, span.device, span.local))


def open_channels(number: int, sysfs: Path = SYSFS) -> list[int]:
    """Channel numbers of the span that some process holds open."""
    span = sysfs / "bus" / "dahdi_spans" / "devices" / f"span-{number}"
    return [int(_read(channel / "channo") or 0) for channel in _channels(span) if _read(channel / "in_use") == "1"]


def assign(span: FoundSpan, sysfs: Path = SYSFS) -> None:
    """The span has the next free number.

    Raises:
        DevicePermission: Only root may write there.
    """
    node = sysfs / "bus" / "dahdi_devices" / "devices" / span.device / "assign_span"
    try:
        node.write_text(f"{span.local}:0:0\n")
    except PermissionError as error:
        raise DevicePermission(
            f"{span.name} has no span number and only root may give it one: run dahdi_span_assignments auto as root, "
            "or load dahdi with auto_assign_spans=1",
            operation="assign",
            errno=error.errno,
        ) from None
    except OSError as error:
        raise failure("assign_span", error.errno or 0, span.name) from None


def find_dynamic(found: list[FoundSpan], driver: str, address: str) -> FoundSpan | None:
    """The dynamic span of that driver and address, or None.

    Raises:
        HardwareError: The kernel cut the names, and two of them cannot be told apart.
    """
    name = f"DYN/{driver}/{address}"
    whole = [span for span in found if span.dynamic and name in (span.name, span.hardware_id)]
    fitting = whole or [span for span in found if span.dynamic and _is_cut(span, name, driver, address)]
    if len(fitting) > 1:
        raise HardwareError(
            f"{len(fitting)} dynamic spans are called {fitting[0].name}: the kernel cuts long addresses; destroy all "
            "but one",
            operation="find",
        )
    return fitting[0] if fitting else None


def _is_cut(span: FoundSpan, name: str, driver: str, address: str) -> bool:
    """Whether the kernel gave the span what it had room for of that name; some versions have less of it."""
    description = f"Dynamic '{driver}' span at '{address}'"
    cut = len(span.name) >= NAME_ROOM - 1 and name.startswith(span.name)
    return cut and (span.number is None or description.startswith(span.description))


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []


def _read(path: Path) -> str:
    """A file's text; empty when it is gone, as files of a card being removed are."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _channels(span: Path) -> list[Path]:
    return [path for path in _listed(span) if path.name.startswith("dahdi!chan!")]


def _of_device(device: Path) -> list[FoundSpan]:
    # Debian's module and the upstream one name these files differently.
    kinds = _read(device / "dahdi_spantype") or _read(device / "spantype")
    registered = _read(device / "dahdi_registration_time") or _read(device / "registration_time")
    assigned = {int(_read(span / "local_spanno") or 0): span for span in _listed(device) if span.name[:5] == "span-"}
    hardware_id = _read(device / "hardware_id")
    location = _read(device / "location")
    driver = _driver(device)
    result = []
    for local_text, kind in re.findall(r"^(\d+):(\S+)", kinds, re.MULTILINE):
        span = assigned.get(int(local_text))
        result.append(
            FoundSpan(
                device=device.name,
                local=int(local_text),
                number=int(span.name[5:]) if span else None,
                name=(_read(span / "name") if span else "") or hardware_id or device.name,
                description=_read(span / "desc") if span else "",
                kind=kind,
                driver=driver,
                hardware_id=hardware_id,
                location=location,
                registered=registered,
                base=int(_read(span / "basechan") or 0) if span else 0,
                channels=int(_read(span / "channels") or 0) if span else 0,
            )
        )
    return result


def _driver(device: Path) -> str:
    if device.name.startswith("dynamic:"):
        return "dahdi_dynamic_" + device.name.split(":")[1]
    link = device.resolve().parent / "driver"
    return os.path.basename(os.path.realpath(link)) if link.exists() else "dahdi"
