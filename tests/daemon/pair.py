# SPDX-License-Identifier: GPL-2.0-or-later
"""A daemon with two hosts of one group, and a core that calls over both."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from dahdi_py.errors import NoChannel
from dahdi_py.wire.messages import host as wire
from dahdi_py.wire.messages.calls import CallRecord
from dahdi_py.wire.messages.common import Bearer, Message, Party
from tests.daemon.process import DaemonProcess, Listener, eventually
from tests.daemon.scripted_host import ScriptedHost


class Pair:
    """A daemon with hosts b and a, of which the group asks b first: the user's side hunts from the end; and a core."""

    def __init__(
        self, start_daemon: Callable[..., DaemonProcess], start_host: Callable[..., ScriptedHost], **sections: str
    ) -> None:
        self.start_host = start_host
        self.first, self.second = start_host("b", "west"), start_host("a", "east")
        self.daemon = start_daemon(**sections)
        self.first.asked("Ready")
        self.second.asked("Ready")
        self.core = self.daemon.client()
        self.events = Listener(self.daemon.socket, kinds=["call."])

    def close(self) -> None:
        self.core.close()
        self.events.close()

    def history(self, call: str) -> CallRecord:
        (row,) = self.core.history(call=call)
        return row

    def ended(self, call: str) -> list[str]:
        """How often the call's end was told so far: the reasons."""
        return [
            event.data["reason"] for event in self.events.events if (event.kind, event.call) == ("call.ended", call)
        ]

    def taken_in(self, host: ScriptedHost) -> None:
        """All that the host told is on disk, and so is the daemon's answer to it."""
        eventually(lambda: host.committed == host.n)


def meanwhile(ask: Callable[[], Any]) -> Callable[[], Any]:
    """The request is under way; what comes of it, when it is asked for."""
    got: list[Any] = []

    def do() -> None:
        try:
            got.append(ask())
        except Exception as error:
            got.append(error)

    thread = threading.Thread(target=do, daemon=True)
    thread.start()

    def result() -> Any:
        thread.join(60)
        assert got, "no answer came"
        if isinstance(got[0], Exception):
            raise got[0]
        return got[0]

    return result


def attempt(host: ScriptedHost, call: str, number: int = 1, timeslot: int = 1) -> str:
    """The host sends SETUP; its token."""
    token = f"{host.name}/{host.start}/{100 + number}"
    said = wire.Attempted(attempt=number, called=Party(number="2001"), calling=Party(), bearer=Bearer())
    host.say("call.attempt", said, span=host.spans[0], timeslot=timeslot, call=call, token=token)
    return token


def record(host: ScriptedHost, number: int, cause: int = 34, **changed: Any) -> wire.Ended:
    setup = Message(name="SETUP", sent=True, utc_ns=number, monotonic_ns=number, cause=0, location="")
    fields: dict[str, Any] = {
        "direction": "outgoing", "called": Party(number="2001"), "calling": Party(), "bearer": Bearer(),
        "span": host.spans[0], "timeslot": 1, "attempt": number, "cause": cause, "location": "user",
        "cleared_by": "peer", "reason": "", "started_ns": 1, "alerting_ns": 0, "answered_ns": 0, "ended_ns": 2,
        "duration_ns": 0, "messages": [setup],
    }  # fmt: skip
    return wire.Ended(**{**fields, **changed})


def unplaced(host: ScriptedHost, call: str, number: int, cause: int = 34, **changed: Any) -> None:
    host.say("call.unplaced", record(host, number, cause, **changed), span=host.spans[0], timeslot=1, call=call)


def full(parameters: object) -> Any:
    raise NoChannel("every channel is busy", cause=34)


# A host that dies.
