# SPDX-License-Identifier: GPL-2.0-or-later
"""Who has a say in an offer: the core that has it now."""

from __future__ import annotations

import pytest

from tests.daemon.conftest import StartDaemon
from tests.daemon.other_core import OtherCore
from tests.daemon.scripted_host import ScriptedHost


@pytest.mark.parametrize(
    ("does", "says"),
    [
        (
            "hangup in-1 17",
            "org.dahdipy.NotOwner Hangup is for the connection that placed or claimed call in-1 (nobody yet);",
        ),
        ("decline in-1", "org.dahdipy.NotFound call 'in-1' is not offered to this process"),
    ],
)
def test_a_core_whose_offer_was_withdrawn_has_no_say_in_it(
    host: ScriptedHost, start_daemon: StartDaemon, does: str, says: str
) -> None:
    daemon = start_daemon(calls="offer_s = 0.1\nclaim_by_s = 3.5")
    host.asked("Ready")
    with OtherCore(daemon.socket, 1) as slow, daemon.client() as second, daemon.client() as core:
        offers = second.serve(priority=2)
        host.offer("in-1", "east", "2001")
        assert slow.do("next") == "offer in-1"
        assert slow.do("next") == "withdrawn in-1"
        offer = next(offers).offer
        assert offer is not None
        assert slow.do(does).startswith(says)
        core.claim("in-1")
        assert slow.do(does) != "done"
        core.hangup("in-1", cause=16)
        assert host.asked("Hangup").cause == 16


def test_a_core_that_has_the_offer_may_refuse_it(host: ScriptedHost, start_daemon: StartDaemon) -> None:
    daemon = start_daemon()
    host.asked("Ready")
    with OtherCore(daemon.socket, 1) as core, daemon.client() as second:
        second.serve(priority=2)
        host.offer("in-1", "east", "2001")
        assert core.do("next") == "offer in-1"
        assert core.do("hangup in-1 17") == "done"
        refused = host.asked("Hangup")
        assert (refused.call, refused.cause, refused.cleared_by) == ("in-1", 17, "core")
