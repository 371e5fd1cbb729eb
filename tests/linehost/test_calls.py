# SPDX-License-Identifier: GPL-2.0-or-later
"""A host with both ends of a cable: calls from one to the other."""

import os

import pytest

from dahdi_py.errors import NotFound, OutOfService, StaleToken, WrongCallState
from dahdi_py.wire.messages import host as m
from dahdi_py.wire.messages.common import Bearer, Party
from dahdi_py.wire.refusals import InvalidParameter
from tests.linehost.rig import Controller, Rig, heard, pair, wait_for


def started(rig: Rig, spans: str, ports: str = "E1,E1", **more: str) -> Controller:
    rig.configure(spans, ports=ports, **more)
    rig.card()
    rig.host()
    return rig.control()


@pytest.fixture
def both(rig: Rig) -> Controller:
    """One host with the user side `a` and the network side `b`, up."""
    controller = started(rig, pair())
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
    instants = [message["monotonic_ns"] for message in ours["messages"]]
    assert instants == sorted(instants)
    assert ours["duration_ns"] > 0
    assert 0 < ours["started_ns"] <= ours["alerting_ns"] <= ours["answered_ns"] <= ours["ended_ns"]
    snapshot = both.snapshot()
    assert snapshot.calls == []
    assert snapshot.leases == []


def test_what_a_setup_carries_arrives(both: Controller) -> None:
    calling = Party(number="3005551234", type="national", presentation="restricted", screening="passed", name="Alice")
    redirecting = Party(number="2000", type="subscriber", plan="private")
    request = m.PlaceRequest(
        call="c1", owner=m.OwnerRequest(), called=Party(number="2001", type="subscriber"), calling=calling,
        redirecting=redirecting, bearer=Bearer(capability="audio_3k1"), spans=["a"], correlation="core-7",
    )  # fmt: skip
    both.call("Place", request, m.PlaceReply)
    offer = both.wait("call.offered").data
    assert offer["called"]["type"] == "subscriber"
    kept = {key: offer["calling"][key] for key in ("number", "type", "presentation", "screening")}
    assert kept == {key: getattr(calling, key) for key in kept}
    assert offer["bearer"] == {"capability": "audio_3k1", "layer1": "alaw"}
    assert offer["sending_complete"] is True
    assert both.wait("call.attempt", call="c1").data["correlation"] == "core-7"


def test_national_isdn_on_t1_both_ways(rig: Rig) -> None:
    controller = started(rig, pair(kind="T1"), "T1,T1")
    controller.up("a", "b")
    for number, span in enumerate(("a", "b")):
        other = controller.active(f"c{number}", span)
        controller.hangup(other, 16)
        assert controller.ended(f"c{number}")["cleared_by"] == "peer"
        assert controller.ended(other)["cleared_by"] == "core"


def test_busy(both: Controller) -> None:
    both.place("c1", "a")
    both.hangup(both.offered(), 17, reason="busy")
    ended = both.ended("c1")
    assert (ended["cause"], ended["cleared_by"]) == (17, "peer")
    assert ended["location"]
    assert ended["attempt"] == 1


def test_nobody_answers(both: Controller) -> None:
    both.place("c1", "a", answer_timeout_s=6)
    other = both.offered()
    both.claim(other)
    both.alert(other)
    ended = both.ended("c1")
    assert (ended["cause"], ended["cleared_by"]) == (19, "host")
    assert both.ended(other)["cause"] == 19


def test_t310_and_t301_end_a_call_that_stands_still(rig: Rig) -> None:
    controller = started(rig, pair(), calls="answer_s = 2\nproceed_s = 2")
    controller.up("a", "b")
    controller.place("c1", "a")
    controller.claim(controller.offered())
    assert controller.ended("c1")["cause"] == 102
    controller.place("c2", "a")
    other = controller.offered(2)
    controller.claim(other)
    controller.alert(other)
    assert controller.ended("c2")["cause"] == 19


def test_a_detached_call_is_cleared_in_time(both: Controller) -> None:
    # The time runs from here on: it has to last until the answer.
    both.place("c1", "a", hangup_after_s=10)
    other = both.offered()
    both.claim(other)
    both.answer(other)
    both.wait("call.answered", call="c1")
    ended = both.ended("c1")
    assert (ended["cause"], ended["cleared_by"]) == (16, "host")


def test_early_media_and_audio_both_ways(both: Controller) -> None:
    placed = both.place("c1", "a")
    other = both.offered()
    claimed = both.claim(other)
    both.wait("call.media", call=other)
    assert not both.find("call.media", call="c1")
    both.progress(other)
    both.wait("call.media", call="c1")
    media, near = both.open_fds(placed.token)
    assert media.media.medium == "socket"
    _, far = both.open_fds(claimed.token)
    for source, sink in ((near, far), (far, near)):
        pattern = os.urandom(160)
        os.write(source, pattern)
        assert heard(sink, pattern)
    both.alert(other, in_band=True)
    both.answer(other)
    both.wait("call.answered", call="c1")
    assert len(both.find("call.media", call="c1")) == 1
    os.close(near)
    os.close(far)
    both.hangup("c1")
    both.ended("c1")
    wait_for(lambda: both.channel("a", placed.timeslot).phase == "")


def test_an_offer_nobody_claims_is_refused_in_time(both: Controller) -> None:
    both.place("c1", "a")
    other = both.offered()
    ended = both.ended(other)
    assert (ended["cause"], ended["cleared_by"]) == (41, "host")
    assert ended["duration_ns"] == 0
    assert both.ended("c1")["cause"] == 41


def test_a_call_can_be_claimed_once_and_answered_once(both: Controller) -> None:
    both.place("c1", "a")
    other = both.offered()
    with pytest.raises(WrongCallState):
        both.answer(other)
    both.claim(other)
    with pytest.raises(WrongCallState):
        both.claim(other)
    both.answer(other)
    with pytest.raises(WrongCallState):
        both.answer(other)
    with pytest.raises(NotFound):
        both.alert("c1")
    both.hangup("c1")
    both.ended("c1")
    with pytest.raises(NotFound):
        both.hangup("c1")


def test_both_hang_up_at_once(both: Controller) -> None:
    other = both.active("c1")
    both.hangup("c1", 16)
    both.hangup(other, 31)
    both.ended("c1")
    both.ended(other)
    other = both.active("c2")
    both.hangup("c2")
    both.ended(other)
    assert len(both.find("call.ended", call="c1")) == 1


def test_what_cannot_be_sent_is_refused(both: Controller) -> None:
    with pytest.raises(InvalidParameter, match=r"called\.number"):
        both.place("c1", "a", number="")
    with pytest.raises(InvalidParameter, match=r"called\.number"):
        both.place("c1", "a", number="2" * 40)
    with pytest.raises(InvalidParameter, match=r"calling\.plan"):
        both.place("c1", "a", calling=Party(number="1", plan="nonsense"))
    with pytest.raises(InvalidParameter, match=r"bearer"):
        both.place("c1", "a", bearer=Bearer(capability="smell"))
    both.place("c1", "a")
    with pytest.raises(InvalidParameter, match="cause"):
        both.hangup("c1", 200)
    with pytest.raises(NotFound):
        both.place("c2", "nowhere")
    assert len([lease for lease in both.snapshot().leases if lease.span == "a"]) == 1


def test_a_call_on_a_lease_is_exclusive_and_ends_it(both: Controller) -> None:
    lease = both.reserve("a", timeslot=7, open=False)
    placed = both.place("c1", token=lease.token)
    assert (placed.token, placed.timeslot) == (lease.token, 7)
    offer = both.wait("call.offered")
    assert offer.data["exclusive"] is True
    with pytest.raises(WrongCallState):
        both.place("c2", token=lease.token)
    both.hangup(offer.call, 21)
    both.ended("c1")
    with pytest.raises(StaleToken):
        both.place("c3", token=lease.token)


def test_every_channel_both_ways_at_once(both: Controller) -> None:
    """30 calls, 15 from each end; they start at opposite ends of the span."""
    done: set[str] = set()

    def take() -> bool:
        """What has come so far is answered: an offer waits for three seconds only."""
        for event in both.find("call.offered"):
            if event.call not in done:
                both.claim(event.call)
                both.answer(event.call)
                done.add(event.call)
        return len(done) == 30

    for number in range(15):
        both.place(f"a{number}", "a")
        both.place(f"b{number}", "b")
        take()
    wait_for(take)
    for side in "ab":
        for number in range(15):
            both.wait("call.answered", call=f"{side}{number}")
    snapshot = both.snapshot()
    taken = sorted((call.span, call.timeslot) for call in snapshot.calls)
    assert taken == [(span, slot) for span in "ab" for slot in range(1, 32) if slot != 16]
    assert len({lease.token for lease in snapshot.leases}) == 60
    with pytest.raises(Exception, match="busy"):
        both.place("more", "a")
    for side in "ab":
        for number in range(15):
            both.hangup(f"{side}{number}")
    for side in "ab":
        for number in range(15):
            both.ended(f"{side}{number}")
    wait_for(lambda: not both.snapshot().calls)
    assert both.snapshot().leases == []


def test_drain_refuses_new_calls_and_says_when_it_is_done(both: Controller) -> None:
    other = both.active("c1")
    both.do("Drain", m.DrainRequest(on=True))
    with pytest.raises(OutOfService, match="no new calls"):
        both.place("c2", "a")
    both.wait("host.draining")
    assert not both.find("host.drained")
    both.hangup(other)
    both.wait("host.drained")
    both.do("Drain", m.DrainRequest(on=False))
    both.active("c3")
