# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults of a line on the real kernel: the simulated card's scenarios, over ethernet that is cut."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dahdi_py.client import Client
from tests.kernel.boots.ethernet.ethernet import EthernetLine, configuration, make_cable
from tests.service import line_faults as faults
from tests.service.line_faults import Ends
from tests.service.service import Service, running, until

pytestmark = pytest.mark.timeout(200)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    make_cable()
    with running(tmp_path_factory.mktemp("s"), configuration()) as service:
        yield service


@pytest.fixture
def ends(service: Service) -> Iterator[Ends]:
    """The line runs free of any clock: what is said is not followed octet for octet."""
    line = EthernetLine()
    made = Ends(service, "user", "network", line, audible=False)
    yield made
    line.mend()
    made.well()


def words(client: Client) -> dict[str, list[str]]:
    return {span.name: span.words for span in client.spans()}


def test_f01_a_cable_out_is_red_at_both_ends_and_the_call_is_kept(ends: Ends) -> None:
    faults.cable_out(ends)


def test_f01_a_link_down_is_red_at_both_ends(ends: Ends) -> None:
    with ends.service.client() as client:
        EthernetLine.link(False)
        until(
            "both ends are red", lambda: words(client) == {"user": ["RED"], "network": ["RED"]}, lambda: words(client)
        )
        EthernetLine.link(True)
    ends.well()


def test_f04_yellow_stops_new_calls_before_the_link_notices(ends: Ends) -> None:
    faults.far_end_deaf(ends)


def test_f05_red_becomes_yellow_without_an_event(ends: Ends) -> None:
    faults.red_becomes_yellow(ends)


def test_f06_whichever_way_fails_both_ends_stop(ends: Ends) -> None:
    faults.one_way(ends)
