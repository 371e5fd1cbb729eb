# SPDX-License-Identifier: GPL-2.0-or-later
"""Click to call: rings one number, then the other, and joins the two.

    .venv/bin/python docs/examples/click_to_call.py GROUP FIRST SECOND

While the second party is being called the first one hears ringback: that is the core's to make. Over a restart of the
daemon both calls stay up, and the program goes on where it was.
"""

from __future__ import annotations

import itertools
import sys
import threading
from contextlib import suppress

from tones import silence, tone

from dahdi_py.client import Channel, Client, DahdiPyError, Event, PlaceReply


class Cleared(Exception):
    """A party is gone; its last event says why."""

    def __init__(self, event: Event) -> None:
        super().__init__(f"{event.data.get('cause_name', 'cleared')}")
        self.cause: int = event.data.get("cause") or 16


class Ringback:
    """Ringback in a channel, until it is stopped. Synchronization: plays in a thread of its own."""

    def __init__(self, channel: Channel) -> None:
        assert channel.media is not None
        law, size = channel.media.law, channel.media.chunk
        sound = tone(law, 425, 1.0) + silence(law, 4.0)
        self._blocks = itertools.cycle(sound[at : at + size] for at in range(0, len(sound), size))
        self._pace_s = size / 8000
        self._channel = channel
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._play)
        self._thread.start()

    def _play(self) -> None:
        for block in self._blocks:
            with suppress(OSError):  # the queue is full: one block too many; or the channel is gone: an event tells
                self._channel.write(block)
            if self._stopped.wait(self._pace_s):
                return

    def stop(self) -> None:
        """The channel is silent, and closed here."""
        self._stopped.set()
        self._thread.join()
        self._channel.close()


class ClickToCall:
    """Two calls and what becomes of them.

    Synchronization: external.
    """

    def __init__(self, client: Client, group: str) -> None:
        self.client = client
        self.group = group
        self.calls: list[str] = []

    def run(self, first: str, second: str) -> int:
        """The two have talked, or could not; returns the process's exit code."""
        with self.client.events(kinds=["call."]) as events:
            self.events = events
            try:
                a = self.place(first)
                self.wait_for("call.answered", a)
                ringback = Ringback(self.client.open(a.token))
                try:
                    b = self.place(second)
                    self.wait_for("call.answered", b)
                finally:
                    ringback.stop()
                print(f"joined, copied in the {self.client.bridge(a.token, b.token)}", flush=True)
                self.wait_for("call.hangup", a)
            except Cleared as cleared:
                print(f"over: {cleared}", flush=True)
                self.hang_up(cleared.cause)
                return 0 if len(self.calls) == 2 else 1
        return 0

    def place(self, number: str) -> PlaceReply:
        """A call to the number is on its way."""
        placed = self.client.place(number, group=self.group)
        self.calls += [placed.call]
        print(f"calling {number} on {placed.span}, timeslot {placed.timeslot}", flush=True)
        return placed

    def wait_for(self, kind: str, call: PlaceReply) -> None:
        """The call has come so far, or `Cleared` is raised: one of ours has ended, or is being cleared by its party."""
        for event in self.events:
            if event.call in self.calls and event.kind in ("call.hangup", "call.ended"):
                raise Cleared(event)
            if event.call == call.call and event.kind == kind:
                return

    def hang_up(self, cause: int) -> None:
        """Whatever is still up of ours is cleared."""
        for call in self.calls:
            with suppress(DahdiPyError):
                self.client.hangup(call, cause=cause)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(f"usage: {sys.argv[0]} GROUP FIRST SECOND")
    with Client(label="click to call") as dahdi:
        sys.exit(ClickToCall(dahdi, sys.argv[1]).run(sys.argv[2], sys.argv[3]))
