# SPDX-License-Identifier: GPL-2.0-or-later
"""The service's state lies on a file system that breaks under it and turns read-only, as a dying disk's does."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.service.faults import alarm, another_call_comes_and_goes, talking
from tests.service.kernel import configuration
from tests.service.service import Service, running, until

pytestmark = pytest.mark.timeout(400)


@dataclass
class Disk:
    """A file system of its own, in a file."""

    mounted: Path

    def fail(self) -> None:
        """The kernel has found it damaged, and lets nobody write any more."""
        device = next(line.split()[0] for line in Path("/proc/mounts").read_text().splitlines()
                      if line.split()[1] == str(self.mounted))  # fmt: skip
        Path(f"/sys/fs/ext4/{Path(device).name}/trigger_fs_error").write_text("the disk dies\n")
        with pytest.raises(OSError, match="Read-only file system"):
            (self.mounted / "probe").write_text("x")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    image, mounted = tmp_path / "disk", tmp_path / "state"
    with image.open("wb") as file:
        file.truncate(32 << 20)
    mounted.mkdir()
    subprocess.run(["modprobe", "--all", "loop", "ext4"], check=True)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop,errors=remount-ro", str(image), str(mounted)], check=True)
    yield Disk(mounted)
    subprocess.run(["umount", str(mounted)], check=True)


@pytest.fixture
def service(disk: Disk, tmp_path: Path) -> Iterator[Service]:
    run = tmp_path / "run"
    run.mkdir()
    config = configuration().replace("[service]\n", f'[service]\nstate = "{disk.mounted}"\n')
    with running(run, config) as service:
        yield service


def test_calls_go_on_when_the_state_turns_read_only(service: Service, disk: Disk) -> None:
    with talking(service) as (caller, callee, events, _):
        before = another_call_comes_and_goes(caller, callee, events)
        disk.fail()
        for _ in range(3):
            another_call_comes_and_goes(caller, callee, events)
        until("an alarm says so", lambda: "cannot be written" in alarm(caller.client, "ledger"), service.log)
        another_call_comes_and_goes(caller, callee, events)
        assert caller.client.history(call=before)[0].state == "closed"
        hosts = {host.name: host.state for host in caller.client.hosts()}
        assert hosts == {"a": "up"}
