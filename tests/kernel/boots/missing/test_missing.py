# SPDX-License-Identifier: GPL-2.0-or-later
"""A service on a machine on which nobody has loaded DAHDI yet. In a boot of its own: it is loaded once."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.service import line_faults as faults
from tests.service.kernel import configuration
from tests.service.service import Service

SPANS = ("e1-user", "e1-network", "t1-user", "t1-network")


@pytest.mark.timeout(200)
def test_f12_a_service_without_its_module_starts_and_says_so(tmp_path: Path) -> None:
    assert not Path("/sys/module/dahdi").exists()
    service = Service(tmp_path, configuration())
    try:
        service.spawn()
        faults.starts_without_its_card(service, "dahdi", SPANS, "modprobe dahdi")
        subprocess.run(["modprobe", "dahdi", "auto_assign_spans=1"], check=True)
        faults.card_comes(service, "dahdi", SPANS)
    finally:
        service.stop()
