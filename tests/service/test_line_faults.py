# SPDX-License-Identifier: GPL-2.0-or-later
"""The faults of a line, F01-F16, on the simulated card: each scenario with its verdict."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dahdi_py.errors import ChannelBusy
from tests.service import line_faults as faults
from tests.service.conversation import converse
from tests.service.deaths import Murmur
from tests.service.line_faults import Ends, alarms_of, call_up, cleared, raised, takes_no_call, told
from tests.service.service import PATIENCE_S, Core, Follower, Service, running, until
from tests.service.sim_line import SimLine, configuration, descriptors_at_rest, open_descriptors, paused, process_of


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("f"), configuration()) as service:
        yield service


@contextlib.contextmanager
def spoilt(service: Service, near: str, far: str) -> Iterator[tuple[Ends, SimLine]]:
    """A line, mended at the end."""
    with contextlib.closing(SimLine(service, near)) as line:
        try:
            yield Ends(service, near, far, line), line
        finally:
            for port in (near, far):
                line.loop(port, "none")
            line.mend()


@pytest.fixture
def ends(service: Service) -> Iterator[Ends]:
    with spoilt(service, "e1-user", "e1-network") as (ends, _):
        yield ends


@pytest.fixture
def line(ends: Ends) -> SimLine:
    assert isinstance(ends.line, SimLine)
    return ends.line


def test_f01_a_cable_out_is_red_at_both_ends_and_the_call_is_kept(ends: Ends) -> None:
    alarm = faults.cable_out(ends, lasting=10)
    assert alarm["words"] == ["RED", "LOS"]
    assert "receives no signal" in alarm["text"]


def test_f01_a_call_survives_a_pull_of_five_seconds(ends: Ends, line: SimLine) -> None:
    with call_up(ends) as (caller, _, events, _):
        line.inject("cut", way="both")
        alarms = [raised(events, span) for span in (ends.near, ends.far)]
        takes_no_call(caller.client, ends.near, ends.far)
        # It is to be back by itself when that was seen: how long that takes nobody knows.
        line.inject("cut", way="both", duration_ms=5000)
        for alarm in alarms:
            cleared(events, alarm)


def test_f02_a_lost_framing_is_told_as_such_and_not_as_a_lost_signal(ends: Ends, line: SimLine) -> None:
    with call_up(ends) as (caller, _, events, _):
        line.inject("framing", 1e6)
        alarm = raised(events, ends.near)
        assert alarm["words"] == ["RED", "LFA"]
        assert "a signal without framing" in alarm["text"]
        assert raised(events, ends.far, "transmit")["words"] == ["YEL"]
        takes_no_call(caller.client, ends.near, ends.far)
        line.mend()
        cleared(events, alarm)


def test_f03_all_ones_point_upstream(ends: Ends, line: SimLine) -> None:
    with call_up(ends) as (caller, _, events, _):
        line.inject("all_ones")
        alarm = raised(events, ends.near)
        assert "BLU" in alarm["words"]
        assert not {"RED", "LOS"} & set(alarm["words"])
        assert "upstream" in alarm["cause"]
        assert alarm["severity"] == "critical"
        assert raised(events, ends.far, "transmit")["words"] == ["YEL"]
        takes_no_call(caller.client, ends.near, ends.far)
        line.mend()
        cleared(events, alarm)


def test_f04_yellow_stops_new_calls_before_the_link_notices(ends: Ends) -> None:
    faults.far_end_deaf(ends)


def test_f05_red_becomes_yellow_without_an_event(ends: Ends) -> None:
    assert faults.red_becomes_yellow(ends) == []


def test_f06_whichever_way_fails_both_ends_stop(ends: Ends) -> None:
    faults.one_way(ends)


def test_f06_a_far_end_that_falls_silent_on_a_good_line_is_noticed(ends: Ends) -> None:
    """T203 of 3 s, then T200 N200 times: no alarm of the line says it."""
    with Core(ends.service, (ends.near,)) as caller, Follower(ends.service) as events:
        began = time.monotonic()
        with paused(process_of(ends.service, "line-host", "far")):
            alarm = told(events, "alarm.raised", kind="dchannel", subject=ends.near).data
            took = time.monotonic() - began
            assert alarm["severity"] == "critical"
            assert not [one for one in alarms_of(caller.client, ends.near) if one.kind == "span"]
            takes_no_call(caller.client, ends.near)
        cleared(events, alarm)
    print(f"a silent far end was noticed after {took:.1f} s")
    ends.well()


def test_f07_a_slipping_line_is_a_warning_and_at_thirty_an_hour_an_alarm(service: Service) -> None:
    """The clocks differ by 1000 ppm: eight slips a second. It is told until the hour and the day are over."""
    near, far = "t1-user", "t1-network"
    with (
        spoilt(service, near, far) as (ends, line),
        Core(service, (near,)) as caller,
        Core(service, (far,)) as callee,
        Follower(service) as events,
    ):
        client = caller.client
        line.clock(near, 500, from_line=False)
        line.clock(far, -500, from_line=False)
        alarm = raised(events, near, "", "slips")
        assert "different clocks" in alarm["cause"]
        assert "spans clock" in alarm["next_check"]
        until("it is major", lambda: [one.severity for one in alarms_of(client, near)] == ["major"])
        assert client.span(near).usable == 23, "a slip stops no call"
        faults.another_call(ends, caller, callee, events)
        until("slip seconds are counted", lambda: ends.figure(client, near, "RFC 4805", "CSS") >= 4)
        line.clock(near, 0, from_line=True)
        line.clock(far, 0, from_line=False)
        assert [one.words for one in alarms_of(client, near)] == [["SLIPS"]]


def test_f08_no_call_is_lost_to_bit_errors_and_nobody_is_woken(ends: Ends, line: SimLine) -> None:
    with call_up(ends, heard=False) as (caller, callee, events, _):
        client = caller.client

        def figures() -> dict[str, int]:
            return {name: ends.figure(client, ends.near, "RFC 4805", name) for name in ("ES", "UAS")}

        def crc_errors() -> int:
            return client.span(ends.near).counters["crc"] or 0

        ends.available(client, ends.near, "RFC 4805")
        before, had = figures(), crc_errors()
        line.inject("bit_errors", 1e-5, way="both", seed=8)
        for _ in range(12):
            faults.another_call(ends, caller, callee, events)
        until("they are seen", lambda: crc_errors() > had)
        line.mend()
        assert events.count("alarm.raised") == 0, [one.data["text"] for one in events.seen if "raised" in one.kind]
        assert events.count("call.ended") == 24
        until("they are counted", lambda: figures()["ES"] > before["ES"], figures)
        assert figures()["UAS"] == before["UAS"]


def test_f10_a_lost_reference_clock_is_named_with_what_serves_now(ends: Ends) -> None:
    def findings() -> list[tuple[str, tuple[str, ...]]]:
        return [(one.kind, tuple(one.spans)) for one in client.clock().findings if one.card == "sim"]

    def source(span: str) -> str:
        return next(one.source for one in client.clock().spans if one.span == span)

    with ends.service.client() as client, Follower(ends.service, ("span.clock",)) as events:
        until("the plan is sound", lambda: not findings() and source("e1-user") == "e1-user", lambda: client.clock())
        ends.line.lose(arriving=True)
        until("the missing one is named", lambda: findings() == [("source_in_alarm", ("e1-user",))], findings)
        (finding,) = [one for one in client.clock().findings if one.card == "sim"]
        assert "span 3 (t1-user) is next" in finding.text
        lost = told(events, "span.clock", span="e1-user", was="e1-user")
        assert lost.data["source"] == ""
        assert source("t1-user") == "t1-user"
        ends.line.mend()
        told(events, "span.clock", span="e1-user", source="e1-user")
        until("the plan is sound", lambda: not findings(), findings)
    ends.well()


def test_f13_the_link_is_back_as_soon_as_data_are(ends: Ends, line: SimLine) -> None:
    """A card that is reset loses its line for seconds, until the link has given up: it returns without a timer."""
    with Core(ends.service, (ends.near,)), Follower(ends.service) as events:
        line.lose(arriving=True, leaving=True)
        told(events, "dchannel.down", span=ends.near)
        line.mend()
        good = told(events, "span.clear", span=ends.near)
        back = told(events, "dchannel.up", span=ends.near)
    ends.well()
    print(f"link up {(back.monotonic_ns - good.monotonic_ns) / 1e9:.3f} s after the line")


def test_f14_a_line_looped_by_the_far_end_is_out_of_service_at_both(ends: Ends, line: SimLine) -> None:
    with Core(ends.service, (ends.near,)) as caller, Follower(ends.service) as events:
        client = caller.client
        line.loop(ends.far, "line")
        looped = raised(events, ends.far, "loop")
        assert looped["words"] == ["LB"]
        # Idle, the link polls itself and is content; the first call is heard coming back.
        placed = client.place("2001", span=ends.near)
        assert events.wait("call.ended", placed.call).data["cause"] == 27
        echo = raised(events, ends.near, "", "dchannel")

        def causes() -> list[str]:
            return [one.cause for one in alarms_of(client, ends.near)]

        until("it says why", lambda: any("it hears itself" in cause for cause in causes()), causes)
        takes_no_call(client, ends.near, ends.far)
        line.loop(ends.far, "none")
        cleared(events, looped)
        cleared(events, echo)
    ends.well()


def test_f15_a_loop_left_on_is_an_alarm_ends_by_itself_and_needs_force_on_a_busy_span(
    ends: Ends, line: SimLine
) -> None:
    with call_up(ends, heard=False) as (caller, _, events, _):
        with pytest.raises(ChannelBusy, match=r"span e1-user: timeslot \d+ is busy"):
            line.loop(ends.near, "payload")
        assert line.state().loop == "none"
        line.loop(ends.near, "payload", force=True)
        alarm = raised(events, ends.near, "loop")
        assert alarm["words"] == ["LB"]
        assert "left on" in alarm["cause"]
        takes_no_call(caller.client, ends.near)
        # It is to end by itself when it was seen: how long that takes nobody knows.
        line.loop(ends.near, "payload", force=True, duration_ms=500)
        cleared(events, alarm)
        ends.well()


def flaps_left(line: SimLine) -> int:
    arriving = line.state().arriving
    assert arriving is not None
    return arriving.flaps


@pytest.fixture
def alone(run_dir: Path) -> Iterator[Service]:
    """A service that holds spans down and tells of flapping, by default's rules."""
    with running(run_dir, configuration(hold_down_s=5, flap_count=3)) as service:
        yield service


@pytest.mark.usefixtures("uncounted")  # 20 ms are little time to see that a line is down
def test_f09_a_thousand_flaps_leave_no_alarm_and_no_descriptor_behind(alone: Service) -> None:
    assert alone.daemon is not None
    with spoilt(alone, "e1-user", "e1-network") as (ends, line), Follower(alone) as events, alone.client() as client:
        faults.flaps(ends, 3)
        events.count("")
        events.seen.clear()
        hosts = [host.pid for host in client.hosts()]
        pids = [*hosts, process_of(alone, "sim-card", "sim"), alone.daemon.pid]
        # The line's, the follower's two and our own.
        until("no other client is connected", lambda: client.status().clients == 4, lambda: client.status().clients)
        before = descriptors_at_rest(pids)
        line.inject("flap", 1000, duration_ms=40, way="both")
        until("they are over", lambda: flaps_left(line) == 0, lambda: flaps_left(line))
        faults.held_down(ends, client, events)
        ends.well()
        red = [event for event in events.seen if event.kind == "alarm.raised" and event.data["words"] == ["RED", "LOS"]]
        assert len(red) >= 1000
        until(f"{before} are open", lambda: open_descriptors(pids) == before, lambda: open_descriptors(pids))


def test_f11_a_card_pulled_out_ends_its_own_calls_and_no_others(service: Service) -> None:
    with (
        Core(service, ("e1-user", "quiet")) as caller,
        Core(service, ("e1-network", "quiet-far")) as callee,
        Follower(service) as events,
    ):
        client = caller.client
        doomed = [converse(caller, callee, events, "e1-user") for _ in range(3)]
        bystander = converse(caller, callee, events, "quiet")
        pids = service.host_pids()
        with Murmur([bystander]) as murmur:
            murmur.goes_on()
            os.kill(process_of(service, "sim-card", "sim"), signal.SIGKILL)
            for call in doomed:
                for end in (call.placed, call.offered):
                    assert events.wait("call.ended", end).data["cause"] == 27
                call.close()
            # The card is back so soon that not all spans need be absent at one moment: F12 holds the card's own alarm.
            gone = [raised(events, span) for span in ("e1-user", "e1-network", "t1-user", "t1-network")]
            assert {(*alarm["words"], alarm["severity"]) for alarm in gone} == {("ABSENT", "critical")}
            murmur.goes_on()
            for alarm in gone:
                cleared(events, alarm)
            until("it is back by itself", lambda: all(span.state == "ok" for span in client.spans()), service.log)
            murmur.goes_on()
            assert "absent" not in [event.data.get("state") for event in events.seen if event.span == "quiet"]
        assert service.host_pids() == pids
        back = converse(caller, callee, events, "e1-user")
        for call in (back, bystander):
            client.hangup(call.placed)
            assert events.wait("call.ended", call.placed).data["cause"] == 16
            call.close()


def test_f12_a_service_without_its_card_starts_and_says_so(run_dir: Path) -> None:
    """The card's place is taken, so that it cannot start; then it is free."""
    service = Service(run_dir, configuration())
    with (run_dir / "card-sim.sock.lock").open("w") as place:
        fcntl.flock(place, fcntl.LOCK_EX)
        try:
            service.spawn()
            lost = ("e1-user", "e1-network", "t1-user", "t1-network")
            faults.starts_without_its_card(service, "sim", lost, "no card answers", "quiet")
            fcntl.flock(place, fcntl.LOCK_UN)
            faults.card_comes(service, "sim", lost)
        finally:
            service.stop()


def test_f16_crc4_at_one_end_only_is_told_and_calls_pass(service: Service) -> None:
    with Core(service, ("quiet",)) as caller, Core(service, ("quiet-far",)) as callee, Follower(service) as events:
        client = caller.client
        until("it is told", lambda: bool(alarms_of(client, "quiet")))
        (alarm,) = alarms_of(client, "quiet")
        assert (alarm.words, alarm.severity) == (["LMFA"], "minor")
        assert (alarm.cause, alarm.next_check) == ("CRC-4 is on at one end only", "check CRC-4 at both ends")
        assert alarms_of(client, "quiet-far") == []
        with spoilt(service, "quiet", "quiet-far") as (ends, _):
            faults.another_call(ends, caller, callee, events)


def test_f16_a_span_of_another_line_type_than_its_port_is_refused_in_words(run_dir: Path) -> None:
    """At the start, before any line is touched. On a cable a simulated card joins ports of one line type only."""
    service = Service(run_dir, configuration().replace('ports = ["E1", "E1", ', 'ports = ["T1", "T1", '))
    service.spawn()
    assert service.daemon is not None
    assert service.daemon.wait(PATIENCE_S) == 1
    said = (run_dir / "daemon.log").read_text()
    assert "spans[0].type: port 1 of card sim is T1" in said
    assert "Traceback" not in said
