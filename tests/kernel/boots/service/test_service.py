# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole service on a real DAHDI kernel: what it must do on any card."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.service.call_scenarios import CallScenarios
from tests.service.conversation import Lines
from tests.service.kernel import PAIRS, configuration
from tests.service.lease_scenarios import LeaseScenarios
from tests.service.performance_scenarios import PerformanceScenarios
from tests.service.service import running


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lines]:
    with running(tmp_path_factory.mktemp("s"), configuration()) as service:
        yield Lines(service, tuple((user, network) for _, _, user, network, _ in PAIRS))


@pytest.mark.timeout(400)
class TestOnTheKernel(PerformanceScenarios, LeaseScenarios, CallScenarios):
    joined_by = "kernel"

    def test_descriptors_are_the_kernels_own(self, lines: Lines) -> None:
        with lines.service.client() as client, client.allocate(span="e1-user") as channel:
            assert channel.media is not None
            assert channel.media.medium == "kernel"

    def test_what_the_driver_does_not_count_is_unknown(self, lines: Lines) -> None:
        with lines.service.client() as client, client.allocate(span="e1-user") as channel:
            counted = client.counters(channel.token)
            assert (counted.overruns, counted.underruns) == (None, None)
