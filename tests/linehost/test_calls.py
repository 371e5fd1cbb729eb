# SPDX-License-Identifier: GPL-2.0-or-later
"""A host with both ends of a cable: calls from one to the other."""

import pytest

from tests.linehost.rig import Controller, Rig, pair


@pytest.fixture
def both(rig: Rig) -> Controller:
    """One host with the user side `a` and the network side `b`, up."""
    rig.configure(pair())
    rig.card()
    rig.host()
    controller = rig.control()
    controller.up("a", "b")
    return controller


def test_a_call_from_setup_to_record(both: Controller) -> None:
    placed = both.place("c1", "a", number="2001")
    offer = both.wait("call.offered")
    assert (offer.span, offer.data["called"]["number"]) == ("b", "2001")
    assert offer.timeslot == placed.timeslot
    claimed = both.claim(offer.call)
    both.wait("call.proceeding", call="c1")
    both.alert(offer.call)
    both.wait("call.alerting", call="c1")
    both.answer(offer.call)
    both.wait("call.answered", call="c1")
    assert claimed.timeslot == placed.timeslot
    both.hangup("c1", 16)
    ours, theirs = both.ended("c1"), both.ended(offer.call)
    assert (ours["cause"], ours["cleared_by"]) == (16, "core")
    assert (theirs["cause"], theirs["cleared_by"]) == (16, "peer")
    names = [message["name"] for message in ours["messages"]]
    assert names == ["SETUP", "CALL PROCEEDING", "ALERTING", "CONNECT", "CONNECT ACKNOWLEDGE", "DISCONNECT", "RELEASE",
                     "RELEASE COMPLETE"]  # fmt: skip
    snapshot = both.snapshot()
    assert snapshot.calls == []
    assert snapshot.leases == []
