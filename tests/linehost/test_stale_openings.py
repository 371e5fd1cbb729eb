# SPDX-License-Identifier: GPL-2.0-or-later
"""Leases that end while what was asked of them waits for the card: their channel may be another's by then."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from dahdi_py.wire.messages import host as m
from tests.linehost.rig import PATIENCE_S, Rig, owner, pair
from tests.linehost.test_opening import Pipeline, Stage


@pytest.fixture
def stage(rig: Rig) -> Iterator[Stage]:
    stage = Stage(rig, turn_s=PATIENCE_S)
    yield stage
    stage.pipeline.close()


def test_a_bridge_opens_no_channel_whose_lease_has_ended_meanwhile(stage: Stage) -> None:
    """The channel was never open, so it is free at once, and another's, when its turn to be opened comes."""
    a = stage.controller.reserve("a", timeslot=5, open=False)
    b = stage.controller.reserve("a", timeslot=6, open=False)
    stage.pipeline.ask_at_once(
        Bridge=m.BridgeRequest(a=a.token, b=b.token),
        Release=m.ReleaseRequest(token=b.token),
        Reserve=m.ReserveRequest(spans=["a"], owner=owner(), timeslot=6, open=False),
    )
    bridged, released, reserved = stage.pipeline.answers(3)
    assert (bridged.error, released.error, reserved.error) == ("org.dahdipy.StaleToken", None, None)
    [_, anew] = stage.controller.snapshot().leases
    # A proof that frees what it must not comes with a later opening at the latest.
    stage.pipeline.reserve(1, timeslot=7)
    stage.pipeline.reserve(1, timeslot=6)
    other, refused = stage.pipeline.answers(2)
    assert (other.error, refused.error) == (None, "org.dahdipy.ChannelBusy")
    assert (stage.channel(6).token, stage.held()) == (anew.token, [5, 7])


def test_no_stranger_is_joined_whose_channel_was_of_a_lease_that_ended_meanwhile(stage: Stage) -> None:
    """The stranger's opening is under way in front of the bridge's second."""
    a = stage.controller.reserve("a", timeslot=5, open=False)
    b = stage.controller.reserve("a", timeslot=6, open=False)
    stage.pipeline.ask_at_once(
        Bridge=m.BridgeRequest(a=a.token, b=b.token),
        Release=m.ReleaseRequest(token=b.token),
        Reserve=m.ReserveRequest(spans=["a"], owner=owner(), timeslot=6),
    )
    assert [answer.error for answer in stage.pipeline.answers(3)] == ["org.dahdipy.StaleToken", None, None]
    assert [lease.bridged for lease in stage.controller.snapshot().leases] == ["", ""]


def test_no_stranger_is_joined_whose_channel_was_the_one_opened_first(rig: Rig) -> None:
    """It is had anew while the second is being opened: by another card, which answers when it likes."""
    rig.configure(pair() + pair(prefix="x").replace('card = "sim"', 'card = "more"'))
    cards = '[[cards]]\nname = "more"\nkind = "sim"\nports = ["E1", "E1"]\n[[hosts]]'
    rig.config.write_text(rig.config.read_text().replace("[[hosts]]", cards, 1))
    rig.card("sim")
    rig.card("more")
    rig.host(turn_s=PATIENCE_S)
    controller = rig.control()
    controller.up("a", "b", "xa", "xb")
    a = controller.reserve("a", timeslot=5)
    b = controller.reserve("xa", timeslot=5, open=False)
    with closing(Pipeline(controller)) as pipeline:
        pipeline.ask_at_once(
            Bridge=m.BridgeRequest(a=a.token, b=b.token),
            Release=m.ReleaseRequest(token=a.token),
            Reserve=m.ReserveRequest(spans=["a"], owner=owner(), timeslot=5),
        )
        assert [answer.error for answer in pipeline.answers(3)] == ["org.dahdipy.StaleToken", None, None]
    assert [lease.bridged for lease in controller.snapshot().leases] == ["", ""]
