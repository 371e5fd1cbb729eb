# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import threading
from typing import Any

import pytest

from dahdi_py.errors import DahdiPyError, NoChannel, NotFound, NotOwner, StaleToken, WrongCallState
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import calls
from dahdi_py.wire.messages import host as wire
from dahdi_py.wire.messages.common import Bearer, Party
from dahdi_py.wire.refusals import InvalidParameter
from tests.daemon.conftest import StartDaemon, StartHost
from tests.daemon.process import DaemonProcess, Listener, eventually
from tests.daemon.scripted_host import ScriptedHost


def attempted(number: str = "2001") -> wire.Attempted:
    return wire.Attempted(attempt=1, called=Party(number=number), calling=Party(), bearer=Bearer())


def test_a_token_the_daemon_does_not_know_is_nobodys(daemon: DaemonProcess, host: ScriptedHost) -> None:
    """The host may have given it to another user a moment ago: whose it is only the daemon can say."""
    host.answers["Place"] = lambda asked: wire.PlaceReply(token=asked.token, span="east", timeslot=1)
    with daemon.client() as core:
        with pytest.raises(StaleToken, match="the lease 'a/1/7' has ended, or never was one"):
            core.place(token="a/1/7")
        assert host.nothing_asked("Place")
        assert core.calls() == []


def test_a_call_out_from_setup_to_record(daemon: DaemonProcess, host: ScriptedHost) -> None:
    events = Listener(daemon.socket, kinds=["call."])
    with daemon.client() as core:
        placed = core.place(group="east", correlation="mine", label="pbx", answer_timeout_s=30)
        asked = host.asked("Place")
        assert (asked.call, asked.spans, asked.correlation) == (placed.call, ["east"], "mine")
        assert (asked.answer_timeout_s, asked.hangup_after_s) == (30, 0)
        where: dict[str, Any] = {"span": "east", "timeslot": 1, "call": placed.call, "token": placed.token}
        host.say("call.attempt", attempted(), **where)
        host.say("call.alerting", wire.Progressed(), **where)
        host.say("call.media", **where)
        host.say("call.answered", wire.Progressed(), **where)
        events.wait("call.answered", call=placed.call)
        (up,) = core.calls()
        assert (up.phase, up.media, up.owner.label) == ("active", True, "pbx")
        (row,) = core.history()
        assert (row.state, row.cause, [one.name for one in row.messages]) == (
            "open", None, ["SETUP", "ALERTING", "CONNECT"],
        )  # fmt: skip
        core.hangup(placed.call, cause=17)
        hangup = host.asked("Hangup")
        assert (hangup.cause, hangup.cleared_by) == (17, "core")
        host.end(placed.call, "east", direction="outgoing", cause=17)
        ended = events.wait("call.ended", call=placed.call)
        assert ended.data["cause_name"] == "user busy"
        assert core.calls() == []
        (row,) = core.history(call=placed.call)
        assert row.cause is not None
        assert (row.state, row.cause.value, row.cleared_by) == ("closed", 17, "peer")
    eventually(lambda: host.committed == host.n)
    events.close()


def test_an_event_that_outruns_its_answer_is_understood(daemon: DaemonProcess, host: ScriptedHost) -> None:
    def refused_at_once(asked: wire.PlaceRequest) -> wire.PlaceReply:
        # From the host's own thread, as its Monitor would.
        where = {"span": "east", "timeslot": 1, "call": asked.call, "token": "a/1/9"}
        host._say("call.attempt", attempted(), where, threading.Event())
        host._say("call.ended", ended_at_once(), where, threading.Event())
        return wire.PlaceReply(token="a/1/9", span="east", timeslot=1)

    host.answers["Place"] = refused_at_once
    with daemon.client() as core:
        placed = core.place(span="1")
        eventually(lambda: core.history(call=placed.call) and core.history(call=placed.call)[0].state == "closed")
        eventually(lambda: core.calls() == [])
        assert all(one.usage == "idle" for one in core.channels())


def ended_at_once() -> wire.Ended:
    return wire.Ended(
        direction="outgoing", called=Party(number="1"), calling=Party(), bearer=Bearer(), span="east", timeslot=1,
        attempt=1, cause=1, location="user", cleared_by="peer", reason="", started_ns=1, alerting_ns=0, answered_ns=0,
        ended_ns=2, duration_ns=0, messages=[],
    )  # fmt: skip


def test_the_next_host_gets_the_call_when_one_has_no_channel(
    daemon: DaemonProcess, host: ScriptedHost, start_host: StartHost
) -> None:
    other = start_host("b", "west")
    other.asked("Ready")

    def full(asked: wire.PlaceRequest) -> wire.PlaceReply:
        raise NoChannel("east: every channel is busy", cause=34)

    host.answers["Place"] = full
    with daemon.client() as core:
        placed = core.place(group="both")
        assert placed.span == "west"
        assert other.asked("Place").call == placed.call
        with pytest.raises(NoChannel):
            core.place(group="east")
        assert [one.call for one in core.calls()] == [placed.call]


@pytest.mark.parametrize(
    ("wants", "says"),
    [
        ({"number": "1" * 32}, "at most 31"),
        ({"number": "2001\n"}, "control characters"),
        ({"correlation": "x" * 129}, "at most 128"),
        ({"detach_s": -1}, "0-86400"),
        ({"token": "a/1/1"}, "leave group, span and exclude out"),
    ],
)
def test_impossible_calls_are_refused(daemon: DaemonProcess, wants: dict[str, object], says: str) -> None:
    with daemon.client() as core, pytest.raises(InvalidParameter, match=says):
        core.place(**{"group": "east", **wants})  # type: ignore[arg-type]


def test_a_dead_clients_calls_are_cleared_by_what_they_were(daemon: DaemonProcess, host: ScriptedHost) -> None:
    core = daemon.client()
    ringing, active, detached = core.place(span="east"), core.place(span="east"), core.place(span="east", detach_s=60)
    assert [host.asked("Place").hangup_after_s for _ in range(3)] == [0, 0, 60]
    where = {"span": "east", "timeslot": 1, "call": active.call, "token": active.token}
    host.say("call.attempt", attempted(), **where)
    host.say("call.answered", wire.Progressed(), **where)
    eventually(lambda: any(one.phase == "active" for one in core.calls()))
    core.close()
    released = {one.token: one for one in (host.asked("Release"), host.asked("Release"))}
    assert (released[ringing.token].cause, released[active.token].cause) == (41, 31)
    assert all(one.cleared_by == "client_death" for one in released.values())
    with daemon.client() as other:
        eventually(lambda: {one.call for one in other.calls() if one.phase != "releasing"} == {detached.call})
        other.hangup(detached.call, token=detached.token)
    assert host.asked("Hangup").call == detached.call


def test_an_incoming_call_is_offered_claimed_and_answered(daemon: DaemonProcess, host: ScriptedHost) -> None:
    events = Listener(daemon.socket, kinds=["call."])
    with daemon.client() as serving, daemon.client() as core, daemon.client() as stranger:
        offers = serving.serve(groups=["east"], numbers=["2001-2009"])
        host.offer("in-1", "east", "2005", timeslot=7)
        offer = next(offers).offer
        assert offer is not None
        assert (offer.call, offer.group, offer.called.number, offer.law) == ("in-1", "east", "2005", "alaw")
        with pytest.raises(WrongCallState, match="claim it before Answer"):
            core.step("Answer", "in-1")
        claimed = core.claim("in-1")
        assert host.asked("Claim").call == "in-1"
        with pytest.raises(WrongCallState, match="claimed"):
            stranger.claim("in-1")
        core.step("Alert", "in-1")
        core.step("Answer", "in-1")
        assert [host.asked(step).call for step in ("Alert", "Answer")] == ["in-1", "in-1"]
        with pytest.raises(NotOwner, match="shows its token"):
            stranger.step("Answer", "in-1")
        stranger.step("Answer", "in-1", token=claimed.token)
        serving.close()
        host.say("call.answered", wire.Progressed(), span="east", timeslot=7, call="in-1")
        eventually(lambda: core.calls()[0].phase == "active")
        with pytest.raises(NotOwner, match="force"):
            stranger.hangup("in-1")
        stranger.hangup("in-1", force=True)
        assert host.asked("Hangup").cleared_by == "operator"
    events.wait("call.claimed", call="in-1")
    events.close()


def test_offers_go_round_and_are_withdrawn(host: ScriptedHost, start_daemon: StartDaemon) -> None:
    daemon = start_daemon(calls="offer_s = 0.1\nclaim_by_s = 3\nno_core_cause = 42")
    host.asked("Ready")
    with daemon.client() as one, daemon.client() as two:
        first, second = one.serve(priority=1), two.serve(priority=2)
        host.offer("in-1", "east", "2001")
        assert next(first).offer is not None
        withdrawn = next(first)
        assert (withdrawn.withdrawn, withdrawn.reason) == ("in-1", "timed out")
        assert next(second).offer is not None
        refused = host.asked("Hangup")
        assert (refused.call, refused.cause, refused.reason) == ("in-1", 42, "no core claimed the call")
        assert next(second).withdrawn == "in-1"


def test_a_declined_call_is_refused_when_nobody_else_serves(daemon: DaemonProcess, host: ScriptedHost) -> None:
    with daemon.client() as serving, daemon.client() as core:
        offers = serving.serve()
        host.offer("in-1", "east", "2001")
        assert next(offers).offer is not None
        core.decline("in-1")
        assert host.asked("Hangup").cause == 1
        host.offer("in-2", "east", "2001", timeslot=2)
        while (reply := next(offers)).offer is None:
            assert reply.withdrawn == "in-1"
        core.hangup("in-2", cause=17)
        busy = host.asked("Hangup")
        assert (busy.call, busy.cause, busy.cleared_by) == ("in-2", 17, "core")


def test_nobody_serves_and_nobody_serves_that_number(daemon: DaemonProcess, host: ScriptedHost) -> None:
    host.offer("in-0", "east", "2001")  # it waits while cores may come back after a restart
    assert host.asked("Hangup").cause == 41
    host.offer("in-1", "east", "2001")
    assert host.asked("Hangup").cause == 41
    with daemon.client() as serving:
        offers = serving.serve(numbers=["30XX"])
        host.offer("in-2", "east", "2001")
        assert host.asked("Hangup").cause == 1
        host.offer("in-3", "east", "3042", timeslot=2)
        offer = next(offers).offer
        assert offer is not None
        assert offer.call == "in-3"


def test_a_serving_core_that_dies_loses_the_offer_to_the_next(daemon: DaemonProcess, host: ScriptedHost) -> None:
    with daemon.client() as stays:
        dies = daemon.client()
        going, staying = dies.serve(priority=1), stays.serve(priority=2)
        host.offer("in-1", "east", "2001")
        assert next(going).offer is not None
        dies.close()
        offer = next(staying).offer
        assert offer is not None
        stays_claims = daemon.client()
        stays_claims.claim("in-1")
        stays_claims.close()
        assert host.asked("Unclaim").call == "in-1"
        host.say("call.unclaimed", call="in-1", span="east", timeslot=1)
        refused = host.asked("Hangup")
        assert (refused.call, refused.cause) == ("in-1", 41)


@pytest.mark.parametrize("numbers", [["20a1"], ["2009-2001"], [""], ["2001", "1-"]])
def test_wrong_number_patterns_are_refused(daemon: DaemonProcess, numbers: list[str]) -> None:
    with daemon.client() as serving, pytest.raises(InvalidParameter, match="numbers"):
        serving.serve(numbers=numbers)


def test_serving_a_group_that_is_not_there(daemon: DaemonProcess) -> None:
    with daemon.client() as serving, pytest.raises(NotFound, match="both, east"):
        serving.serve(groups=["wets"])


def test_digits_and_causes_are_checked_before_the_host_sees_them(daemon: DaemonProcess, host: ScriptedHost) -> None:
    with daemon.client() as core:
        placed = core.place(span="east")
        for digits in ("", "12a", "1" * 33):
            request = calls.OverlapRequest(call=placed.call, digits=digits)
            with pytest.raises(InvalidParameter, match="0-9"):
                core.call("org.dahdipy.Calls.SendOverlap", request, Empty)
        core.call("org.dahdipy.Calls.SendKeypad", calls.OverlapRequest(call=placed.call, digits="*21#"), Empty)
        sent = host.asked("SendDigits")
        assert (sent.digits, sent.how) == ("*21#", "keypad")
        with pytest.raises(InvalidParameter, match="1-127"):
            core.hangup(placed.call, cause=128)
        with pytest.raises(NotFound, match=r"Calls\.History"):
            core.hangup("no-such-call")
        with pytest.raises(InvalidParameter, match="1-1000"):
            core.history(limit=0)


def test_an_error_of_the_host_reaches_the_caller_as_it_is(daemon: DaemonProcess, host: ScriptedHost) -> None:
    def wrong(asked: wire.CallRequest) -> Empty:
        raise WrongCallState("call is active already", call=asked.call, state="active", operation="Answer")

    host.answers["Answer"] = wrong
    with daemon.client() as core:
        placed = core.place(span="east")
        with pytest.raises(WrongCallState, match="active already") as caught:
            core.step("Answer", placed.call)
        assert caught.value.fields["state"] == "active"
        assert isinstance(caught.value, DahdiPyError)
