# SPDX-License-Identifier: GPL-2.0-or-later
"""A line of the real kernel that comes and goes, held down by the usual rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.boots.ethernet.ethernet import EthernetLine, configuration, make_cable
from tests.service import line_faults as faults
from tests.service.service import running


@pytest.mark.timeout(200)
def test_f09_flaps_leave_no_alarm_and_refuse_no_call(tmp_path: Path) -> None:
    make_cable()
    with running(tmp_path, configuration(hold_down_s=5, flap_count=3)) as service:
        faults.flaps(faults.Ends(service, "user", "network", EthernetLine(), audible=False), 4)
