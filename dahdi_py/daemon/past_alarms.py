# SPDX-License-Identifier: GPL-2.0-or-later
"""Alarms that tell of something past and stay until somebody has seen to it: emergency calls that failed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from dahdi_py.core import alarm_texts
from dahdi_py.core.alarm import Condition
from dahdi_py.core.cause import cause_name
from dahdi_py.daemon.feed import Feed
from dahdi_py.daemon.kept import KeptAlarm, SeenTo
from dahdi_py.errors import NotFound
from dahdi_py.wire.messages.host import Ended

LOG = logging.getLogger(__name__)

_WISHED = "core"
"""Who cleared an unanswered call that its own core did not want any more; a core that died wished nothing."""


class PastAlarms:
    """Keeps them, also over restarts.

    Args:
        kept: Those of the last daemon.
        news: Called when there is one more or less.

    Synchronization: the loop's thread.
    """

    def __init__(self, feed: Feed, kept: Iterable[KeptAlarm], news: Callable[[], None]) -> None:
        self._feed = feed
        self._news = news
        self._alarms = {(one.kind, one.subject): one for one in kept}

    def conditions(self) -> list[Condition]:
        """Each as something that is wrong now."""
        return [
            alarm_texts.of_emergency(one.subject, one.times, one.text, one.since_ns)
            for one in self._alarms.values()
            if one.kind == "emergency"
        ]

    def call_ended(self, call: str, ended: Ended) -> None:
        """An emergency call that ended unanswered, and not by its own core's wish, is an alarm."""
        if ended.emergency and not ended.answered_ns and ended.cleared_by != _WISHED:
            cause = f"cause {ended.cause} {cause_name(ended.cause)}" if ended.cause else ended.reason
            self.emergency_failed(ended.called.number, call, cause)

    def emergency_failed(self, number: str, call: str, why: str) -> None:
        """The failed emergency call is a critical alarm until it is cleared."""
        now = time.time_ns()
        before = self._alarms.get(("emergency", number))
        text = f"call {call} to {number} was not connected: {why}"
        times, since = (before.times + 1, before.since_ns) if before is not None else (1, now)
        one = self._alarms["emergency", number] = KeptAlarm("emergency", number, times, since, text)
        LOG.error("emergency: %s", text)
        self._feed.note(one, None)
        self._news()

    def clear(self, kind: str, subject: str) -> None:
        """Somebody has seen to it.

        Raises:
            NotFound: There is no such alarm of something past.
        """
        one = self._alarms.pop((kind, subject), None)
        if one is None:
            known = ", ".join(f"{kind} {subject}" for kind, subject in self._alarms) or "none now"
            raise NotFound(
                f"no alarm {kind} {subject!r} to clear; alarms that tell of something past: {known}"
                " (the others end with what is wrong)",
                kind="alarm", name=subject,
            )  # fmt: skip
        self._feed.note(SeenTo(kind, subject), None)
        self._news()
