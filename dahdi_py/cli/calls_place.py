# SPDX-License-Identifier: GPL-2.0-or-later
"""Placing a call: followed in the foreground until it ends, or left to the service for a time."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click
import msgspec

from dahdi_py.cli import exits
from dahdi_py.cli.call_text import CLEARED_BY, cause_words, stage
from dahdi_py.cli.output import note, print_json, print_json_line
from dahdi_py.cli.session import Session
from dahdi_py.cli.times import NS, duration, offset
from dahdi_py.core.cause import cause_name
from dahdi_py.errors import NotFound, Unreachable, WrongCallState
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.calls import HangupRequest, PlaceReply, PlaceRequest
from dahdi_py.wire.messages.common import Cause
from dahdi_py.wire.messages.events import Event, MonitorRequest

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def detached(session: Session, request: PlaceRequest) -> int:
    """The call is placed and left to the service, which hangs it up in time; returns the exit code."""
    placed = session.ask("org.dahdipy.Calls.Place", request, PlaceReply)
    if session.json:
        print_json(placed)
    else:
        click.echo(placed.call)
        note(f"{_where(placed)}; hung up after {duration(request.detach_s * NS)}")
    return exits.OK


def in_foreground(session: Session, request: PlaceRequest) -> int:
    """The call has been placed, shown stage by stage and has ended; returns its exit code.

    Ctrl-C hangs up; a second one leaves at once (the service then clears the call).
    """
    # Following starts before the call does, so that none of its events is missed.
    events = session.follow(MonitorRequest(kinds=["call."]))
    placed = session.ask("org.dahdipy.Calls.Place", request, PlaceReply)
    show = _Shown(session.json, time.time_ns())
    show.placed(placed, request.called.number)
    with _hanging_up(session, placed):
        for event in events:
            if event.call == placed.call:
                show.event(event)
            if event.call == placed.call and event.kind == "call.ended":
                return exits.of_call(show.answered, int(event.data.get("cause", 0)))
    raise Unreachable("the daemon ended while the call was up; the call's record will say how it went on")


@contextmanager
def _hanging_up(session: Session, placed: PlaceReply) -> Iterator[None]:
    """Meanwhile the first signal to stop hangs the call up, and the next one interrupts."""

    def hang_up(_number: int, _frame: object) -> None:
        for each, handler in before.items():
            signal.signal(each, handler)
        note("hanging up")
        # Another connection than the one being read, so that asking here disturbs nothing.
        with suppress(WrongCallState, NotFound):
            session.ask("org.dahdipy.Calls.Hangup", HangupRequest(call=placed.call), Empty)

    before = {number: signal.signal(number, hang_up) for number in _STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _where(placed: PlaceReply) -> str:
    return f"call {placed.call} on span {placed.span}, timeslot {placed.timeslot}"


class _Shown:
    """What the waiting person (or JSON reader) has been told of a call.

    Synchronization: one thread.
    """

    def __init__(self, as_json: bool, started_ns: int) -> None:
        self.answered = False
        self._json = as_json
        self._started_ns = started_ns

    def placed(self, placed: PlaceReply, number: str) -> None:
        if self._json:
            print_json_line({"kind": "placed", **msgspec.to_builtins(placed)})
        else:
            note(f"{_where(placed)}, to {number}; Ctrl-C hangs up")

    def event(self, event: Event) -> None:
        self.answered |= event.kind == "call.answered"
        if self._json:
            print_json_line(event)
        elif words := self._ending(event) if event.kind == "call.ended" else stage(event):
            click.echo(f"{offset(event.utc_ns - self._started_ns):>9}  {words}")

    def _ending(self, event: Event) -> str:
        data = event.data
        value = int(data.get("cause", 0))
        cause = Cause(value=value, name=cause_name(value), location=str(data.get("location", "")))
        by = CLEARED_BY.get(str(data.get("cleared_by", "")), str(data.get("cleared_by", "")))
        talked = f", {duration(int(data.get('duration_ns', 0)))} after the answer" if self.answered else ""
        why = f" ({data['reason']})" if data.get("reason") else ""
        return f"ended: cause {cause_words(cause)}, cleared by {by}{why}{talked}"
