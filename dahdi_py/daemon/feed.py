# SPDX-License-Identifier: GPL-2.0-or-later
"""The one sequence of events, and those who follow it: numbered here, published once committed."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import dropwhile
from typing import Any, Protocol, cast

import msgspec

from dahdi_py.daemon.changes import Changes
from dahdi_py.daemon.eventstore import Page
from dahdi_py.daemon.journal import Batch, Item, Journal
from dahdi_py.daemon.ledger import Entry
from dahdi_py.daemon.news import Data
from dahdi_py.daemon.performance_store import Counted
from dahdi_py.errors import DahdiPyError
from dahdi_py.wire.loop import turn
from dahdi_py.wire.messages.common import Cursor
from dahdi_py.wire.messages.events import Event, MonitorReply, MonitorRequest
from dahdi_py.wire.server import Request

LOG = logging.getLogger(__name__)

RECENT = 4_096
"""Events kept in memory for subscribers that resume, where no disk has them."""
_PAGE = 500
"""Events read from disk at once, and kept in memory when the disk has them too."""
_CURSOR_EVERY = 10_000
"""A subscriber is told where it is at least so often, in events."""
_PATIENCE_S = 0.02
_REFUSED = "the disk refused these events"

Place = tuple[int, int]
"""Epoch and number."""
GroupsOf = Callable[[Event], tuple[str, ...]]


class Archive(Protocol):
    """Where older events are read from, beside the loop."""

    def after(self, epoch: int, n: int, limit: int) -> Future[Page]:
        """Events later than that."""


@dataclass(eq=False, slots=True)
class Subscriber:
    """A Monitor stream: what it wants, how far it is, and whether it still catches up."""

    request: Request
    wants: MonitorRequest
    cursor: Place
    groups_of: GroupsOf
    live: bool = False
    told: Place = (0, 0)
    """The cursor the subscriber knows."""
    behind: bool = False
    """It resumes from a daemon before this one, which may have died with changes that nobody can tell of."""
    waiting: MonitorReply | None = None
    """A snapshot that may go out once everything it holds is committed."""
    waits_for: Place = (0, 0)
    """The last event of which that is so."""

    def fits(self, event: Event) -> bool:
        """Whether the event is later than what the subscriber has and passes the filters; a gap always does."""
        wants = self.wants
        if event.kind == "gap":
            return True
        if (wants.span and event.span != wants.span) or (wants.call and event.call != wants.call):
            return False
        if wants.group and wants.group not in self.groups_of(event):
            return False
        return not wants.kinds or any(
            event.kind == kind or (kind[-1:] == "." and event.kind.startswith(kind)) for kind in wants.kinds
        )

    def send(self, events: Iterable[Event], cursor: Place) -> None:
        """Those that fit are on their way, with the cursor they lead to."""
        fitting = [event for event in events if (event.epoch, event.n) > self.cursor and self.fits(event)]
        self.cursor = max(self.cursor, cursor)
        # A filter may let nothing through for so long that a cursor from before would not be kept any more.
        if fitting or self.told[0] != cursor[0] or cursor[1] - self.told[1] >= _CURSOR_EVERY:
            self.told = cursor
            reply = MonitorReply(cursor=_cursor(cursor), events=fitting)
            self.request.reply(reply, continues=True)


class Feed:
    """Numbers events, hands them to the journal, and gives subscribers what is committed.

    Args:
        changes: What events have changed.

    Synchronization: the loop's thread.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, epoch: int, journal: Journal, archive: Archive | None,
        changes: Changes,
    ) -> None:  # fmt: skip
        self.epoch = epoch
        self._loop = loop
        self._n = 0
        self._journal = journal
        self._archive = archive
        self._changes = changes
        self._recent: deque[Event] = deque()
        self._published: Place = (epoch, 0)
        self._subscribers: dict[int, Subscriber] = {}
        self.noticed: Callable[[Event], None] = lambda event: None
        """Told of each event before it is committed."""
        self.wanted = archive is not None
        """Whether anything may read events: False with no disk and before the first subscriber, when the busiest are
        not made."""

    @property
    def position(self) -> Place:
        """The cursor of the newest published event."""
        return self._published

    def put(
        self, kind: str, *, data: Data | None = None, host: str = "", span: str = "", timeslot: int = 0,
        call: str = "", token: str = "", group: str = "", utc_ns: int = 0, monotonic_ns: int = 0,
        entry: Entry | None = None, source: tuple[str, int, int] | None = None,
    ) -> None:  # fmt: skip
        """The event is the next of the sequence; it is published once it is committed.

        Args:
            utc_ns, monotonic_ns: Its instant, when it was another than now.
            entry: What the ledger keeps of it.
            source: The host event it comes from: host, start, number.
        """
        self._n += 1
        event = Event(
            epoch=self.epoch, n=self._n, utc_ns=utc_ns or time.time_ns(), kind=kind,
            monotonic_ns=monotonic_ns or time.monotonic_ns(), host=host, span=span, timeslot=timeslot, call=call,
            token=token, group=group or self._changes.group_asked(call, token),
            data=cast("dict[str, Any]", {} if data is None else data),
        )  # fmt: skip
        self._changes.named(event)
        self.noticed(event)
        self._journal.put(Item(event, entry, source))

    def complete(self, batch: Batch) -> None:
        """The last event of the batch carries the state that all of them lead to."""
        at = next((at for at in reversed(range(len(batch))) if batch[at].event is not None), None)
        if not self.wanted:
            self._changes.forget()
        if at is None:
            return
        state, more = self._changes.take()
        item = batch[at]
        assert item.event is not None
        batch[at] = item._replace(event=msgspec.structs.replace(item.event, state=state))
        if more:
            self.put("state")

    def note(self, entry: Entry | None, source: tuple[str, int, int] | None, counted: Counted | None = None) -> None:
        """The ledger keeps this, the history of performance that; there is no event (or it was published before)."""
        self._journal.put(Item(None, entry, source, counted=counted))

    def publish(self, batch: Batch) -> None:
        """The batch is committed: subscribers that are up to date get it."""
        events = [item.event for item in batch if item.event is not None]
        if not events:
            return
        self._keep(events)
        self._published = (events[-1].epoch, events[-1].n)
        with turn:
            for subscriber in list(self._subscribers.values()):
                if subscriber.waiting is not None:
                    self._begin(subscriber)
                if subscriber.live:
                    subscriber.send(events, self._published)

    def _keep(self, events: list[Event]) -> None:
        self._recent.extend(events)
        most = RECENT if self._archive is None or self._journal.problem else _PAGE
        while len(self._recent) > most:
            self._recent.popleft()

    def follow(self, request: Request, wants: MonitorRequest) -> None:
        """The caller gets what it asked for from now on, or from its cursor."""
        after = wants.after
        cursor = self._published if after is None else (after.epoch, after.n)
        client = request.peer.data.number
        if client in self._subscribers:
            raise DahdiPyError("this connection follows events already: open another one")
        filtered = bool(wants.kinds or wants.span or wants.call or wants.group)
        behind = 0 < cursor[0] < self.epoch and not filtered
        subscriber = Subscriber(request, wants, cursor, self._changes.groups_of, told=cursor, behind=behind)
        self._subscribers[client] = subscriber
        self.wanted = True
        if wants.snapshot:
            self._show(subscriber)
            return
        request.reply(MonitorReply(cursor=_cursor(cursor)), continues=True)
        self._catch_up(subscriber)

    def _show(self, subscriber: Subscriber, events: list[Event] | None = None) -> None:
        """The subscriber gets the state as it is now, and what happens from now on, in that order."""
        subscriber.cursor = (self.epoch, self._n)
        self._show_also(subscriber, events)

    def _show_also(self, subscriber: Subscriber, events: list[Event] | None = None) -> None:
        """The subscriber gets the state as it is now as soon as all of it is committed."""
        cursor = _cursor(subscriber.cursor)
        subscriber.waits_for, subscriber.behind = (self.epoch, self._n), False
        subscriber.waiting = MonitorReply(cursor=cursor, events=events or [], snapshot=self._changes.snapshot())
        self._begin(subscriber)

    def _begin(self, subscriber: Subscriber) -> None:
        """The snapshot that waits goes out, if all it holds is committed."""
        if subscriber.waiting is not None and self._published >= subscriber.waits_for:
            # What was published since the snapshot was taken went out already, and is in it.
            reply = msgspec.structs.replace(subscriber.waiting, cursor=_cursor(subscriber.cursor))
            subscriber.request.reply(reply, continues=True)
            subscriber.told = subscriber.cursor
            subscriber.waiting = None
            subscriber.live = True

    def leave(self, client: int) -> None:
        """The client of that number is gone."""
        self._subscribers.pop(client, None)

    def _catch_up(self, subscriber: Subscriber) -> None:
        """The subscriber gets the next of what it missed, when it has read what it got, until it is up to date."""
        if subscriber.request.peer.closed:
            return
        if subscriber.request.waiting:
            self._loop.call_later(_PATIENCE_S, self._catch_up, subscriber)
            return
        place = subscriber.cursor
        if place == self._published:
            subscriber.live = True
            if subscriber.behind:
                self._show_also(subscriber)
        elif place > self._published:
            self._gap(subscriber, place)
        elif self._recent and place >= self._before(self._recent[0]):
            self._send_recent(subscriber)
        elif self._archive is None:
            self._gap(subscriber, place)
        else:
            found = self._archive.after(*place, _PAGE)
            found.add_done_callback(
                lambda future: self._loop.call_soon_threadsafe(self._read, subscriber, place, future)
            )

    def _before(self, event: Event) -> Place:
        return (event.epoch, event.n - 1)

    def _send_recent(self, subscriber: Subscriber) -> None:
        later = dropwhile(lambda event: (event.epoch, event.n) <= subscriber.cursor, self._recent)
        events = [event for event, _ in zip(later, range(_PAGE), strict=False)]
        subscriber.send(events, (events[-1].epoch, events[-1].n))
        self._catch_up(subscriber)

    def _read(self, subscriber: Subscriber, place: Place, future: Future[Page]) -> None:
        if subscriber.request.peer.closed:
            return
        try:
            page = future.result()
        except Exception as error:
            # Whatever it is, a subscriber that is told nothing any more would take it for peace.
            if not isinstance(error, sqlite3.Error):
                LOG.error("events after %s cannot be read", place, exc_info=error)
            self._gap(subscriber, place, f"the events on disk cannot be read: {error}")
            return
        # What is on disk may be ahead of what was published: that comes by itself.
        events = [event for event in page.events if (event.epoch, event.n) <= self._published]
        if page.lost:
            self._gap(subscriber, place)
            return
        unbroken = _unbroken(place if place[0] else self._before(events[0]), events) if events else []
        if unbroken:
            subscriber.send(unbroken, (unbroken[-1].epoch, unbroken[-1].n))
        elif events:
            self._gap(subscriber, place, _REFUSED)
            return
        else:
            begin = (self.epoch, 0)
            if place >= begin:
                self._gap(subscriber, place, _REFUSED)
                return
            # A previous epoch's end: what follows is of this one.
            subscriber.cursor = begin
        self._catch_up(subscriber)

    def _gap(self, subscriber: Subscriber, place: Place, reason: str = "these events are no longer kept") -> None:
        """The subscriber is told what it lost, and goes on from the state as it is now."""
        to = (self.epoch, self._n)
        data = {
            "reason": reason,
            "after": {"epoch": place[0], "n": place[1]},
            "resumes": {"epoch": to[0], "n": to[1]},
        }
        gap = Event(epoch=to[0], n=to[1], utc_ns=time.time_ns(), kind="gap", data=data)
        self._show(subscriber, [gap])


def _cursor(place: Place) -> Cursor:
    return Cursor(epoch=place[0], n=place[1])


def _unbroken(after: Place, events: list[Event]) -> list[Event]:
    """The events up to where one is missing: dropped while the disk refused too many."""
    epoch, n = after
    for at, event in enumerate(events):
        if event.n != (n + 1 if event.epoch == epoch else 1):
            return events[:at]
        epoch, n = event.epoch, event.n
    return events
