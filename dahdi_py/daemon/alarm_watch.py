# SPDX-License-Identifier: GPL-2.0-or-later
"""The alarms of the service: what is wrong is compared after each thing that happens, told, and kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from dahdi_py.core.alarm_board import Acknowledged, Board, Change, Standing
from dahdi_py.daemon import views
from dahdi_py.daemon.alarm_conditions import Conditions
from dahdi_py.daemon.alarm_log import Known, Row
from dahdi_py.wire.messages.events import Event

if TYPE_CHECKING:
    from dahdi_py.daemon.control import Control

_AT_ONCE = ("span.alarm", "span.clear", "span.status", "dchannel.", "host.", "administration.", "daemon.")
_SOON = ("call.", "channel.")
_SOON_S = 0.5
"""After calls and channels come and go, groups are looked at within this."""
_AGAIN_S = 5.0
"""Everything is looked at this often, whatever happened."""
_KINDS = {"raised": "alarm.raised", "changed": "alarm.changed", "cleared": "alarm.cleared"}


class AlarmWatch:
    """Keeps the board of alarms true.

    Args:
        known: What the ledger holds.

    Attributes:
        problem_of: Why a host does not serve.

    Synchronization: the loop's thread.
    """

    def __init__(self, control: Control, known: Known) -> None:
        settings = control.config.alarms
        self.problem_of: Callable[[str], str] = lambda host: control.hosts[host].problem
        self._control = control
        self._board = Board(
            known.next_id, known.standing, known.raised, window_ns=int(settings.flap_window_s * 1e9),
            flapping=settings.flap_count,
        )  # fmt: skip
        standing = [one.condition for one in known.standing]
        self._conditions = Conditions(control, standing, lambda host: self.problem_of(host))
        self._begun = False
        self._changed: set[str] = set()
        self._due: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def sequence(self) -> int:
        """Of the last change."""
        return self._board.sequence

    def begin(self) -> None:
        """From now on alarms are raised and cleared; until then those of the last daemon stand."""
        self._begun = True
        self.look()

    def standing(self) -> list[Standing]:
        """What stands now."""
        self.look()
        return self._board.standing()

    def about_to_change(self, span: str) -> None:
        """A span's line is to change: if it has just changed, that is looked at before, however short it was."""
        if span in self._changed:
            self.look()

    def noticed(self, event: Event) -> None:
        """Something happened: what is wrong may be otherwise."""
        kind = event.kind
        if kind.startswith(_AT_ONCE):
            self._changed.add(event.span)
            self.look_at_once()
        elif kind.startswith(_SOON):
            self._count(event)
            self._look_by(_SOON_S)

    def call_ended(self, direction: str, group: str, answered_ns: int) -> None:
        """A call of that group ended, answered or not (0)."""
        if direction == "outgoing":
            self._conditions.ended(group, bool(answered_ns))

    def look_at_once(self) -> None:
        """What is wrong is compared as soon as what is being done is done."""
        if self._due is None and self._begun:
            self._due = self._control.loop.call_soon(self.look)

    def acknowledge(self, alarm: int, who: str, note: str, on: bool) -> Standing:
        """Somebody has seen the alarm, or takes that back.

        Raises:
            NotFound: No alarm of that id stands.
        """
        self.look()
        change = self._board.acknowledge(alarm, Acknowledged(who, time.time_ns(), note) if on else None)
        self._tell(change)
        return change.alarm

    def seen_to(self, kind: str, subject: str, who: str) -> None:
        """The alarm of something past ends, acknowledged by who has seen to it."""
        for one in self._board.standing():
            if (one.condition.kind, one.condition.subject) == (kind, subject) and one.acknowledged is None:
                self._tell(self._board.acknowledge(one.id, Acknowledged(who, time.time_ns())))
        self.look()

    def look(self) -> None:
        """Alarms are as what is wrong now says."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        self._changed.clear()
        if not self._begun:
            return
        now_ns = time.time_ns()
        try:
            for change in self._board.feed(self._conditions.read(time.monotonic(), now_ns), now_ns):
                self._tell(change)
        except Exception:
            # One look that fails must not be the last; nor is a deadline that is over a reason to try at once.
            self._look_by(_AGAIN_S)
            raise
        self._arm()

    def close(self) -> None:
        """Nothing is watched any more; what stands stays in the ledger for the next daemon."""
        self._begun = False
        for handle in (self._due, self._timer):
            if handle is not None:
                handle.cancel()

    def _count(self, event: Event) -> None:
        if event.kind == "call.offered":
            self._conditions.incoming(self._control.inventory.groups_of(event.span, event.timeslot))

    def _tell(self, change: Change) -> None:
        alarm, one = change.alarm, change.alarm.condition
        data = views.alarm_data(alarm, change.sequence)
        self._control.feed.put(
            _KINDS[change.what], data=data, host=one.host, span=one.span, group=one.group, call=one.call,
            entry=Row(alarm),
        )  # fmt: skip

    def _arm(self) -> None:
        due = self._conditions.next_deadline()
        wait = _AGAIN_S if due is None else max(0.0, min(_AGAIN_S, due - time.monotonic()))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._look_by(wait)

    def _look_by(self, wait_s: float) -> None:
        loop = self._control.loop
        when = loop.time() + wait_s
        if self._timer is not None and self._timer.when() <= when:
            return
        if self._timer is not None:
            self._timer.cancel()
        if self._begun:
            self._timer = loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.look()
