# SPDX-License-Identifier: GPL-2.0-or-later
"""``dahdi-py demo``: a service on a simulated card, a call over E1 and one over T1, their audio, a cable pulled."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.resources import as_file, files

import click

from dahdi_py.cli import exits
from dahdi_py.cli.audio import Direction, exchange
from dahdi_py.cli.call_text import record_page
from dahdi_py.cli.command import Command
from dahdi_py.cli.demo_pull import pull
from dahdi_py.cli.output import note, print_json
from dahdi_py.cli.service import PrivateService, interrupted_by_signals
from dahdi_py.cli.session import Session, pass_session
from dahdi_py.cli.span_text import span_table
from dahdi_py.client import CallRecord, Channel, Client, Event, MediaRequest, Span
from dahdi_py.errors import DahdiPyError, NotFound
from dahdi_py.wire.messages.alarms import Alarm

_LIMIT_S = 70
_AUDIO_S = 2
_RATE = 8000
_NUMBER = "2001"
_NORMAL = 16
# As much audio as may wait at either end, so that a busy machine is not taken for a bad line.
_MEDIA = MediaRequest(depth=32)
# From span, to span: the embedded default cables 1 to 2 and 3 to 4.
_PAIRS = (("1", "2"), ("3", "4"))


class DemoFailed(DahdiPyError):
    """The service did not do what the demo is there to show."""


@click.command(cls=Command)
@pass_session
def demo(session: Session) -> int:
    """Start a private service, place calls, pull a cable, show what that does, stop.

    It runs on a simulated card, checks that the audio of each call comes through both ways, on the
    first one also after its cable was out for 5 s, and meets no other service on this machine. Exit
    code 0 when everything was as it should be.
    """
    interrupted_by_signals()
    with as_file(files("dahdi_py") / "embedded.toml") as config, PrivateService(config) as service:
        try:
            with _limited():
                spans, records, alarms = _show(service, quiet=session.json)
        except DahdiPyError as error:
            raise DemoFailed(f"the demo failed: {error.message}\n{service.last_words()}") from error
        except KeyboardInterrupt:
            note("interrupted; stopping")
            return exits.FAILED
    if session.json:
        print_json({"spans": spans, "records": records, "alarms": alarms})
    else:
        click.echo("\nEverything is stopped again. The same service, to play with: make run")
    return exits.OK


@contextmanager
def _limited() -> Iterator[None]:
    """The block ends within the limit, if need be by an error."""

    def expired(_number: int, _frame: object) -> None:
        raise DemoFailed(f"the demo did not finish within {_LIMIT_S} s: the machine is too busy, or something hangs")

    signal.signal(signal.SIGALRM, expired)
    signal.alarm(_LIMIT_S)
    try:
        yield
    finally:
        signal.alarm(0)


def _show(service: PrivateService, quiet: bool) -> tuple[list[Span], list[CallRecord], list[Alarm]]:
    def say(text: str) -> None:
        if not quiet:
            click.echo(text)

    say("Starting card, line host and control daemon, and waiting for the D-channels ...")
    service.start()
    spans = service.wait_for_lines()
    say(f"\n$ dahdi-py spans\n{span_table(spans, time.time_ns())}")
    if down := [span.name for span in spans if span.state != "ok"]:
        raise DemoFailed(f"these spans did not come up: {', '.join(down)}")
    by_number = {str(span.number): span for span in spans}
    records: list[CallRecord] = []
    alarms: list[Alarm] = []

    def interrupted() -> None:
        said = f"  {DemoCall.octets} octets ({_AUDIO_S} s) came through each way, complete and in order"
        say(f"{said}\n\nThe cable of that call is pulled and put back")
        near, far = (by_number[number] for number in _PAIRS[0])
        alarms.extend(pull(service.session, near, far, say))

    for near, far in _PAIRS:
        call = DemoCall(service.socket, by_number[near], by_number[far])
        say(f"\nCall over {call.near.type}, from span {near} to span {far}")
        record = call.carry(interrupted if not records else None)
        say(f"  {call.octets} octets ({_AUDIO_S} s) came through each way, complete and in order")
        say(f"\n$ dahdi-py calls history {record.call}\n{record_page(record)}")
        records.append(record)
    return spans, records, alarms


class DemoCall:
    """One call between two cores, each a client of its own on the control socket.

    Synchronization: one thread.
    """

    octets = _AUDIO_S * _RATE

    def __init__(self, socket: object, near: Span, far: Span) -> None:
        self.near = near
        self.far = far
        self._socket = str(socket)

    def carry(self, meanwhile: Callable[[], None] | None = None) -> CallRecord:
        """The call was placed, answered, carried audio both ways and was hung up; returns its record.

        Args:
            meanwhile: Done while the call is up; it carries audio once more afterwards.

        Raises:
            DahdiPyError: Some of it failed.
        """
        with (
            Client(self._socket, label="demo caller") as caller,
            Client(self._socket, label="demo callee") as callee,
            caller.events(kinds=["call."]) as events,
        ):
            offers = callee.serve(groups=self.far.groups, numbers=[_NUMBER])
            placed = caller.place(_NUMBER, span=self.near.name, calling="1000", correlation="demo")
            offer = next(reply.offer for reply in offers if reply.offer is not None)
            if offer.called.number != _NUMBER or offer.span != self.far.name:
                raise DemoFailed(f"offered was a call to {offer.called.number} on {offer.span}")
            claimed = callee.claim(offer.call)
            callee.alert(offer.call)
            callee.answer(offer.call)
            _await(events, "call.answered", placed.call)
            near, far = caller.open(placed.token, media=_MEDIA), callee.open(claimed.token, media=_MEDIA)
            exchange(self._ways(near, far), limit_s=10 * _AUDIO_S)
            if meanwhile is not None:
                meanwhile()
                exchange(self._ways(near, far), limit_s=10 * _AUDIO_S)
            near.close()
            far.close()
            caller.hangup(placed.call)
            _await(events, "call.hangup", offer.call)
            # Without tones in the channel the service completes the release by itself, maybe before we ask.
            with suppress(NotFound):
                callee.hangup(offer.call)
            _await(events, "call.ended", placed.call)
            return _checked(caller.history(call=placed.call))

    def _ways(self, near: Channel, far: Channel) -> list[Direction]:
        names = self.near.name, self.far.name
        return [
            Direction(" to ".join(names), near.fileno(), far.fileno(), self.octets, _block(near), phase=0),
            Direction(" to ".join(names[::-1]), far.fileno(), near.fileno(), self.octets, _block(far), phase=5000),
        ]


def _block(channel: Channel) -> int:
    """Octets that the channel's descriptor takes at once."""
    return channel.media.chunk if channel.media else 160


def _await(events: Iterable[Event], kind: str, call: str) -> None:
    """That event of the call has come, and the call did not end before it."""
    for event in events:
        if event.call != call:
            continue
        if event.kind == kind:
            return
        if event.kind == "call.ended":
            raise DemoFailed(
                f"the call ended before {kind}: cause {event.data.get('cause')} {event.data.get('reason')}"
            )


def _checked(records: list[CallRecord]) -> CallRecord:
    """The call's record, which tells of a call that was answered and cleared normally."""
    if len(records) != 1:
        raise DemoFailed(f"there are {len(records)} records of the call, not one")
    record = records[0]
    cause = record.cause.value if record.cause else 0
    told = [message.name for message in record.messages]
    if record.state != "closed" or not record.answered_ns or cause != _NORMAL or told[:1] != ["SETUP"]:
        raise DemoFailed(f"the call's record is not that of an answered call:\n{record_page(record)}")
    return record
