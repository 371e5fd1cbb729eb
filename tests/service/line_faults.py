# SPDX-License-Identifier: GPL-2.0-or-later
"""The faults of a line as the field knows them, each with its verdict: written once, run on every rig that can show it.

A rig gives `Ends`: a running service and one line of it that can be spoilt. Each scenario leaves the line good and the
service idle.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import pytest

from dahdi_py.client import Client, Event
from dahdi_py.errors import DahdiPyError, OutOfService
from dahdi_py.wire.messages.performance import Figures
from tests.service.conversation import Conversation, converse
from tests.service.deaths import Murmur
from tests.service.service import Core, Follower, Service, service_used, until


class Spoilt(Protocol):
    """A line that can be spoilt. Its ways are seen from the near end."""

    def lose(self, *, arriving: bool = False, leaving: bool = False) -> None:
        """Nothing passes these ways, and the others are good; a way that is lost next is lost before one is mended."""

    def mend(self) -> None:
        """The line is good."""


@dataclass
class Ends:
    """A running service, and the two ends of one of its lines.

    Attributes:
        near, far: Spans; calls are placed at `near`.
        audible: What is said can be followed octet for octet.
    """

    service: Service
    near: str
    far: str
    line: Spoilt
    audible: bool = True

    def well(self) -> None:
        """Both ends are in service again, and no alarm stands that concerns them."""
        with self.service.client() as client:
            until("both ends are in service", lambda: self._usable(client), lambda: _states(client))
            until("no alarm is left", lambda: not alarms_of(client, self.near, self.far), lambda: _alarms(client))

    def _usable(self, client: Client) -> bool:
        spans = [client.span(name) for name in (self.near, self.far)]
        return all(span.state == "ok" and span.usable == span.total for span in spans)

    def figure(self, client: Client, span: str, norm: str, name: str) -> int:
        """What the quarter hour that goes on and the one before it have counted together."""
        return sum(one.counts.get(name) or 0 for one in self._figures(client, span, norm))

    def available(self, client: Client, span: str, norm: str) -> None:
        """Its time is available: no outage of before can take seconds back from `UAS` any longer.

        While time is unavailable each second that passes adds to it, and the last good ones are taken back together.
        """

        def reading() -> tuple[int, int]:
            figures = self._figures(client, span, norm)
            return sum(one.seconds for one in figures), sum(one.counts.get("UAS") or 0 for one in figures)

        seconds, lost = reading()

        def passes_well() -> bool:
            nonlocal seconds, lost
            before, was_lost = seconds, lost
            seconds, lost = reading()
            return seconds > before and lost == was_lost

        until("its time is available", passes_well, lambda: (seconds, lost))

    def _figures(self, client: Client, span: str, norm: str) -> list[Figures]:
        (found,) = client.performance(span, intervals=1, norm=norm, end="near")
        return [one.figures[0] for one in (found.current, found.previous) if one is not None]


def _states(client: Client) -> object:
    return {span.name: (span.state, span.words, span.dchannel, span.usable) for span in client.spans()}


def _alarms(client: Client) -> object:
    return [alarm.text for alarm in client.alarms()]


def alarms_of(client: Client, *spans: str) -> list[Any]:
    """What is wrong with these spans now."""
    return [alarm for alarm in client.alarms() if alarm.span in spans]


def told(events: Follower, what: str, /, **wanted: object) -> Event:
    """The first event of that kind whose data are so."""

    def fits(event: Event) -> bool:
        data = {**event.data, "span": event.span}
        return event.kind == what and all(data.get(name) == value for name, value in wanted.items())

    found: list[Event] = []

    def comes() -> bool:
        events.count(what)
        found[:] = [event for event in events.seen if fits(event)]
        return bool(found)

    until(f"{what} {wanted}", comes, lambda: [(one.kind, one.span, one.data.get("words")) for one in events.seen])
    return found[0]


def raised(events: Follower, subject: str, aspect: str = "receive", kind: str = "span") -> dict[str, Any]:
    """The alarm as it was raised; it says what it means and what to check."""
    data = told(events, "alarm.raised", kind=kind, subject=subject, aspect=aspect).data
    assert data["cause"]
    assert data["next_check"]
    assert data["next_check"] in data["text"]
    return data


def cleared(events: Follower, alarm: dict[str, Any]) -> None:
    """That alarm was cleared."""
    assert told(events, "alarm.cleared", id=alarm["id"]).data["cleared_ns"] >= alarm["since_ns"]


def takes_no_call(client: Client, *spans: str) -> None:
    """Neither end allocates: whoever asks is told why at once."""
    for span in spans:
        assert client.span(span).usable == 0
        with pytest.raises(OutOfService, match=span):
            client.place("2001", span=span)


@contextlib.contextmanager
def call_up(ends: Ends, *, heard: bool = True) -> Iterator[tuple[Core, Core, Follower, Conversation]]:
    """A call that is up before and after the block, and then cleared by its caller.

    Args:
        heard: Both ends hear each other, before and after.
    """
    service = ends.service
    with Core(service, (ends.near,)) as caller, Core(service, (ends.far,)) as callee, Follower(service) as events:
        call = converse(caller, callee, events, ends.near)
        with contextlib.ExitStack() as talk:
            murmur = talk.enter_context(Murmur([call])) if heard and ends.audible else None
            if murmur is not None:
                murmur.goes_on()
            yield caller, callee, events, call
            ends.well()
            assert {one.phase for one in caller.client.calls()} == {"active"}, "the call has not survived"
            if murmur is not None:
                murmur.goes_on()
        caller.client.hangup(call.placed)
        for end in (call.placed, call.offered):
            assert events.wait("call.ended", end).data["cause"] == 16
        call.close()
    until("nothing is left", lambda: service_used(service) == 0)


def another_call(ends: Ends, caller: Core, callee: Core, events: Follower) -> None:
    """Set up, answered and cleared."""
    call = converse(caller, callee, events, ends.near)
    caller.client.hangup(call.placed)
    for end in (call.placed, call.offered):
        assert events.wait("call.ended", end).data["cause"] == 16
    call.close()


def cable_out(ends: Ends, lasting: float = 0.0) -> dict[str, Any]:
    """F01: RED at both ends at once, no new calls, the call kept; all is well when the cable is back.

    Args:
        lasting: Until so many unavailable seconds were counted.

    Returns:
        The near end's alarm.
    """
    with call_up(ends) as (caller, callee, events, _):
        client = caller.client
        before = {span: ends.figure(client, span, "RFC 4805", "UAS") for span in (ends.near, ends.far)}
        ends.line.lose(arriving=True, leaving=True)
        alarms = [raised(events, span) for span in (ends.near, ends.far)]
        for alarm in alarms:
            assert "RED" in alarm["words"]
            assert alarm["severity"] == "critical", "its group has nothing left"
            assert "0 of" in alarm["impact"]
        takes_no_call(client, ends.near, ends.far)

        def unavailable() -> dict[str, int]:
            return {span: ends.figure(client, span, "RFC 4805", "UAS") - was for span, was in before.items()}

        until("unavailable seconds are counted", lambda: min(unavailable().values()) >= lasting, unavailable)
        ends.line.mend()
        for alarm in alarms:
            cleared(events, alarm)
        ends.well()
        another_call(ends, caller, callee, events)
        return alarms[0]


def far_end_deaf(ends: Ends) -> dict[str, Any]:
    """F04: what we send is lost: the far end is RED, and says so: we are out of service before LAPD notices."""
    with call_up(ends) as (caller, _, events, _):
        ends.line.lose(leaving=True)
        ours, theirs = raised(events, ends.near, "transmit"), raised(events, ends.far)
        assert ours["words"] == ["YEL"]
        assert "RED" in theirs["words"]
        assert ours["cause"].startswith("our transmit pair")
        takes_no_call(caller.client, ends.near)
        down = [event for event in events.seen if event.kind == "dchannel.down"]
        assert not down, "the D-channel took longer than the alarm"
        takes_no_call(caller.client, ends.far)
        ends.line.mend()
        cleared(events, ours)
        cleared(events, theirs)
        return ours


def red_becomes_yellow(ends: Ends) -> list[str]:
    """F05: one failure takes the other's place: both are told.

    Returns:
        Spans that were well for a moment in between.
    """
    with call_up(ends) as (caller, _, events, _):
        ends.line.lose(arriving=True)
        red = raised(events, ends.near)
        other_yellow = raised(events, ends.far, "transmit")
        # The far end has to know that it hears nothing before this end hears it again.
        ends.line.lose(arriving=True, leaving=True)
        other_red = raised(events, ends.far)
        ends.line.lose(leaving=True)
        yellow = raised(events, ends.near, "transmit")
        cleared(events, red)
        assert yellow["words"] == ["YEL"]
        takes_no_call(caller.client, ends.near, ends.far)
        well = [event.span for event in events.seen if event.kind == "span.clear"]
        ends.line.mend()
        for alarm in (yellow, other_red, other_yellow):
            cleared(events, alarm)
        return well


def one_way(ends: Ends) -> None:
    """F06: whichever way fails, both ends stop at once: one by what it misses, the other by what it is told."""
    with call_up(ends) as (caller, _, events, _):
        for arriving in (True, False):
            events.seen.clear()
            ends.line.lose(arriving=arriving, leaving=not arriving)
            deaf, mute = (ends.near, ends.far) if arriving else (ends.far, ends.near)
            alarms = [raised(events, deaf), raised(events, mute, "transmit")]
            takes_no_call(caller.client, ends.near, ends.far)
            ends.line.mend()
            for alarm in alarms:
                cleared(events, alarm)
            ends.well()


def flaps(ends: Ends, count: int) -> None:
    """F09: a line that comes and goes: the last choice for a while, but no alarm sticks and no call is refused."""
    service = ends.service
    with Core(service, (ends.near,)) as caller, Core(service, (ends.far,)) as callee, Follower(service) as events:
        client = caller.client
        for _ in range(count):
            ends.line.lose(arriving=True, leaving=True)
            until("it is out", lambda: client.span(ends.near).state == "alarm", lambda: _states(client))
            ends.line.mend()
            until("it is back", lambda: client.span(ends.near).state == "ok", lambda: _states(client))
        held_down(ends, client, events)
        another_call(ends, caller, callee, events)
    ends.well()


def held_down(ends: Ends, client: Client, events: Follower) -> None:
    """The span is told to flap and is the last choice; whoever has mended it says so, and it is as before."""
    until("it is in service", lambda: client.span(ends.near).usable > 0, lambda: _states(client))
    flapping = raised(events, ends.near, "", "flapping")
    assert flapping["words"] == ["FLAPPING"]
    span = client.span(ends.near)
    assert span.held_until_ns > span.since_ns
    for end in (ends.near, ends.far):
        client.lift_hold_down(end)
    cleared(events, flapping)


def starts_without_its_card(service: Service, card: str, lost: tuple[str, ...], reason: str, other: str = "") -> None:
    """F12: whatever is missing at the start, the daemon serves and says what and why; what is there works."""

    def answers() -> bool:
        with contextlib.suppress(DahdiPyError), service.client() as client:
            return all(host.state == "up" for host in client.hosts())
        return False

    until("the daemon answers", answers, service.log)
    with service.client() as client:
        until("the rest works", lambda: not other or client.span(other).state == "ok", lambda: _states(client))
        for span in lost:
            assert (client.span(span).state, client.span(span).usable) == ("absent", 0)
            with pytest.raises(OutOfService, match=span):
                client.place("2001", span=span)
        until("it is told", lambda: _told_absent(client, card), lambda: _alarms(client))
        (root,) = [one for one in client.alarms() if one.kind == "card" and one.subject == card]
        assert "module" in root.next_check
        for one in alarms_of(client, *lost):
            assert one.hidden_by == root.id
            assert one.aspect != "receive" or reason in one.cause, "it does not say why"


def _told_absent(client: Client, card: str) -> bool:
    return any((one.kind, one.subject, one.words) == ("card", card, ["ABSENT"]) for one in client.alarms())


def card_comes(service: Service, card: str, lost: tuple[str, ...]) -> None:
    """What was missing at the start is used as soon as it is there, and nobody had to do anything."""
    with service.client() as client:
        until("it is there", lambda: {client.span(name).state for name in lost} == {"ok"}, lambda: _states(client))
        until("nothing is told of it", lambda: not alarms_of(client, *lost), lambda: _alarms(client))
        until("nor of its card", lambda: not _told_absent(client, card), lambda: _alarms(client))
