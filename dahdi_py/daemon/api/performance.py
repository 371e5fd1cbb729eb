# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Spans.Performance` and `.Clock`: how good the lines were, and where their timing comes from."""

from __future__ import annotations

import time

import msgspec

from dahdi_py.core.performance_bins import DAYS, ERRORED, QUARTERS
from dahdi_py.core.performance_norms import End, Norm
from dahdi_py.daemon import performance_views
from dahdi_py.daemon.checks import refuse_parameter
from dahdi_py.daemon.control import Control
from dahdi_py.wire.dispatch import Handler
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.performance import PerformanceRequest
from dahdi_py.wire.server import Request

_OF_EVERY_SPAN = 8
"""A month of every span in one answer would keep all others waiting."""


class PerformanceApi:
    """Answers from what is in memory.

    Synchronization: the loop's thread.
    """

    def __init__(self, control: Control) -> None:
        self._control = control

    def handlers(self) -> dict[str, Handler]:
        """By method name."""
        return {"Performance": self.performance, "Clock": self.clock}

    def performance(self, request: Request, wants: PerformanceRequest) -> None:
        """One span's figures, or every span's."""
        intervals, days = (QUARTERS, DAYS) if wants.span else (0, 0)
        wants = msgspec.structs.replace(
            wants, intervals=intervals if wants.intervals is None else wants.intervals,
            days=days if wants.days is None else wants.days,
        )  # fmt: skip
        for name, most in (("intervals", QUARTERS), ("days", DAYS), ("errored", ERRORED)):
            if not 0 <= getattr(wants, name) <= most:
                raise refuse_parameter(name, f"{getattr(wants, name)}; expected 0-{most}")
        if not wants.span and max(wants.intervals or 0, wants.days or 0) > _OF_EVERY_SPAN:
            raise refuse_parameter("span", f"is left out; name one for more than {_OF_EVERY_SPAN} intervals or days")
        for name, words in (("norm", tuple(Norm)), ("end", tuple(End))):
            if getattr(wants, name) and getattr(wants, name) not in words:
                raise refuse_parameter(name, f"{getattr(wants, name)!r}; expected {', '.join(words)}")
        control = self._control
        spans = [control.inventory.span(wants.span).name] if wants.span else list(control.inventory.spans)
        now = int(time.time())
        request.reply(performance_views.all_of(control.performance, control.inventory, spans, wants, now))

    def clock(self, request: Request, wants: Empty) -> None:
        """Every span's timing source, and what is wrong with the plan."""
        request.reply(performance_views.clock(self._control.inventory))
