# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole service on the simulated card."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from dahdi_py.client import MediaRequest
from tests.service.call_scenarios import CallScenarios
from tests.service.conversation import Lines, converse
from tests.service.lease_scenarios import LeaseScenarios
from tests.service.performance_scenarios import PerformanceScenarios
from tests.service.service import Core, Follower, closed_record, running, until
from tests.service.talk import Talk


@pytest.fixture
def lines(run_dir: Path) -> Iterator[Lines]:
    config = files("dahdi_py").joinpath("embedded.toml").read_text()
    with running(run_dir, config) as service:
        yield Lines(service, (("e1-user", "e1-network"), ("t1-user", "t1-network")))


class TestOnTheSimulatedCard(PerformanceScenarios, LeaseScenarios, CallScenarios):
    def test_what_a_core_did_not_read_and_write_is_counted_by_call(self, lines: Lines) -> None:
        service, (user, network) = lines.service, lines.pairs[0]
        with Core(service, (user,)) as caller, Core(service, (network,)) as callee, Follower(service) as events:
            call = converse(caller, callee, events, user, MediaRequest())
            counted = caller.client.counters

            def idle() -> bool:
                seen = counted(call.near.token)
                return bool(seen.overruns and seen.underruns and seen.overruns > 2)

            until("neither read nor written, it is counted", idle, service.log)
            before = counted(call.near.token)
            caller.client.hangup(call.placed)
            events.wait("call.ended", call.placed)
            record = closed_record(caller.client, call.placed)
            assert (record.overruns or 0) >= (before.overruns or 0)
            assert (record.underruns or 0) >= (before.underruns or 0)
            call.close()
            # The next call on the channel begins at nothing.
            again = converse(caller, callee, events, user)
            with Talk([again.fds]) as talk:
                talk.goes_on(16_000)
                assert counted(again.near.token).overruns == 0
            caller.client.hangup(again.placed)
            events.wait("call.ended", again.placed)
            assert closed_record(caller.client, again.placed).overruns == 0
            again.close()
