# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's events: numbered, kept until a daemon has them on its disk, sent a batch a turn.

Each is encoded once, when it happens; what is kept are octets, which cost no collector anything.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from itertools import takewhile
from typing import Any, cast

import msgspec

from dahdi_py.linehost.clock import utc
from dahdi_py.wire.messages.host import HostEvent, MonitorReply

KEEP = 20_000
"""Events kept for a daemon that is not there; beyond it the oldest go that are no evidence."""
BATCH_OCTETS = 32 * 1024
"""A batch takes no more events than this: one read of its receiver's."""
WINDOW = 2000
"""Events sent ahead of what the reader says it has: one that says nothing is waited for."""

EVIDENCE = frozenset({"call.offered", "call.attempt", "call.ended"})
"""What the ledger is made of: the last to be dropped."""
SECONDS = "line.seconds"
"""Seconds of a span: the first to be dropped, since a daemon sees that they are missing."""

_encode = msgspec.json.Encoder().encode


Send = Callable[[MonitorReply], None]
_Kept = tuple[int, bytes, int]  # number, the event as JSON, its rank: the lowest are dropped first
_RANKS = {SECONDS: 0} | dict.fromkeys(EVIDENCE, 2)


# A `HostEvent` as JSON, written by hand: a line host makes five a call, and this costs half of encoding a Struct.
_EVENT = b'{"n":%d,"utc_ns":%d,"monotonic_ns":%d,"kind":"%b"%b,"data":%b}'


@lru_cache(maxsize=4096)
def _place(span: str, timeslot: int, call: str, token: str) -> bytes:
    """Where an event is, the same for all of a call: members of the JSON object, each behind a comma."""
    members = {"span": span, "timeslot": timeslot, "call": call, "token": token}
    given = _encode({name: value for name, value in members.items() if value})
    return b"," + given[1:-1] if len(given) > 2 else b""


class Outbox:
    """Every event since the last commit, and the one reader that follows them.

    Args:
        start: The host's start number, the epoch of its event numbers.
        wake: Called when there is something to send at the end of the turn.

    Attributes:
        n: Number of the newest event.

    Synchronization: one thread.
    """

    def __init__(self, start: int, wake: Callable[[], None], keep: int = KEEP) -> None:
        self._start = start
        self._wake = wake
        self._keep = keep
        self._kept: deque[_Kept] = deque()
        self._sent = 0
        self._received = 0
        self._lost = 0
        self._lost_n = 0
        self._reader: Send | None = None
        self.n = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def followed(self) -> bool:
        """Whether somebody reads what happens as it happens."""
        return self._reader is not None

    def put(
        self, kind: str, data: Any = None, *, span: str = "", timeslot: int = 0, call: str = "", token: str = "",
        monotonic_ns: int = 0,
    ) -> None:  # fmt: skip
        """The event is numbered and kept.

        Args:
            data: The kind's own fields, a Struct or a dict.
            monotonic_ns: The instant, when it was another than now.
        """
        self.n += 1
        monotonic_ns = monotonic_ns or time.monotonic_ns()
        octets = _EVENT % (
            self.n, utc(monotonic_ns), monotonic_ns, kind.encode(), _place(span, timeslot, call, token),
            _encode(data) if data is not None else b"{}",
        )  # fmt: skip
        self._kept.append((self.n, octets, _RANKS.get(kind, 1)))
        if len(self._kept) > self._keep:
            self._drop()
        if self._reader and self._sent == self.n - 1:
            self._wake()

    def follow(self, reader: Send, after: int) -> None:
        """The reader gets a batch at once, empty if nothing kept is newer than `after`; then what happens."""
        if self.n <= after:
            reader(MonitorReply(start=self._start, events=[]))
        self._reader = reader
        self._sent = after
        oldest = self._kept[0][0] if self._kept else self.n + 1
        self._received = max(after, oldest - 1)
        self._wake()

    def forget_seconds(self) -> None:
        """No seconds are kept: the daemon that follows would not know what they are."""
        self._kept = deque(kept for kept in self._kept if kept[2])

    def leave(self) -> None:
        """The reader is gone; events are kept for the next."""
        self._reader = None

    def commit(self, n: int, durable: bool = True) -> None:
        """The reader has everything up to `n`: it may be sent more, and what is durable there is kept no longer."""
        if durable:
            while self._kept and self._kept[0][0] <= n:
                self._kept.popleft()
            if n >= self._lost_n:
                self._lost = 0
        held_back = self._sent - self._received >= WINDOW
        self._received = max(self._received, min(n, self.n))
        if held_back and self._sent < self.n:
            self._wake()

    def flush(self) -> None:
        """What is unsent is on its way, as far as the reader says what it has."""
        if not self._reader or self._sent >= self.n:
            return
        unsent = list(takewhile(lambda kept: kept[0] > self._sent, reversed(self._kept)))
        batch: list[msgspec.Raw] = []
        room = BATCH_OCTETS
        while unsent and self._sent - self._received < WINDOW:
            n, octets, _ = unsent.pop()
            if batch and len(octets) > room:
                self._send(batch)
                batch, room = [], BATCH_OCTETS
            batch.append(msgspec.Raw(octets))
            room -= len(octets)
            self._sent = n
        if batch:
            self._send(batch)

    def _send(self, batch: list[msgspec.Raw]) -> None:
        assert self._reader is not None
        self._reader(MonitorReply(start=self._start, events=cast("list[HostEvent]", batch)))

    def _drop(self) -> None:
        """A quarter of the room is free again, and an event in the place of the last one lost says how many went."""
        wanted = max(2, self._keep // 4)
        seconds = [kept[0] for kept in self._kept if not kept[2]][:wanted]
        if len(seconds) == wanted:
            dropped = set(seconds)
            self._kept = deque(kept for kept in self._kept if kept[0] not in dropped)
            return
        marker = self._lost_n if self._lost else 0
        plain = [kept[0] for kept in self._kept if kept[2] < 2 and kept[0] != marker]
        if len(plain) < 2:
            plain += [kept[0] for kept in self._kept if kept[2] == 2]
        dropped = set(plain[:wanted])
        self._lost += len(dropped)
        self._lost_n = max(marker, *dropped)
        now = time.monotonic_ns()
        octets = _EVENT % (self._lost_n, utc(now), now, b"outbox.lost", b"", _encode({"count": self._lost}))
        rest = [kept for kept in self._kept if kept[0] not in dropped and kept[0] != marker]
        self._kept = deque(sorted([*rest, (self._lost_n, octets, 1)]))
