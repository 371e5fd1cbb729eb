# SPDX-License-Identifier: GPL-2.0-or-later
"""The seconds that line hosts tell become each circuit's history; thresholds that are reached become events."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from dahdi_py.core import config
from dahdi_py.core.performance_bins import Crossing, History, thresholds
from dahdi_py.core.performance_second import LineKind, Second, line_kind
from dahdi_py.daemon import performance_store as store
from dahdi_py.daemon.circuits import Span
from dahdi_py.daemon.feed import Feed
from dahdi_py.daemon.inventory import Inventory
from dahdi_py.daemon.news import News, read
from dahdi_py.wire.messages.host import SecondsSeen

NS = 1_000_000_000


class Performance:
    """Every circuit's history, kept under the carrier's name for it, or the span's where it has none.

    Args:
        kept: What the last daemon left.

    Attributes:
        circuits: By span name, what its history is kept under.

    Synchronization: the loop's thread.
    """

    def __init__(
        self, conf: config.Config, inventory: Inventory, feed: Feed, kept: Mapping[str, store.KeptHistory]
    ) -> None:
        self._inventory = inventory
        self._feed = feed
        self.limits = thresholds(conf.performance.quarter, conf.performance.day)
        self.circuits = {span.name: span.circuit for span in conf.spans}
        self._histories = {
            circuit: kept[circuit].history(self.limits) if circuit in kept else History(self.limits)
            for circuit in self.circuits.values()
        }

    def of(self, span: str) -> History:
        """The span's circuit's history."""
        return self._histories[self.circuits[span]]

    def kind(self, span: Span) -> LineKind:
        """What can be counted on the span as its line is set."""
        said, conf = span.state, span.config
        framing, crc4 = (said.framing, said.crc4) if said is not None else (conf.framing, conf.crc4)
        return line_kind(conf.type, framing, crc4)

    def take_in(self, event: News) -> store.Counted | None:
        """The seconds are in their bins; returns what goes to the disk with the event's number.

        Raises:
            msgspec.ValidationError: They are no seconds.
        """
        seen = read(event, SecondsSeen)
        span = self._inventory.spans.get(event.span)
        if span is None:
            return None
        history, kind = self.of(event.span), self.kind(span)
        one = Second(
            at=seen.first, counts=seen.counts, defects=seen.defects, estimated=frozenset(seen.estimated),
            suspect=seen.suspect,
        )  # fmt: skip
        for at in range(seen.first, seen.first + seen.seconds):
            for crossing in history.feed(msgspec.structs.replace(one, at=at), kind):
                self._tell(event.span, crossing)
        return store.changes(self.circuits[event.span], history)

    def _tell(self, span: str, crossing: Crossing) -> None:
        self._feed.put(
            "performance.threshold", span=span,
            data={
                "circuit": self.circuits[span], "norm": str(crossing.norm), "parameter": crossing.parameter,
                "start_ns": crossing.start * NS, "duration_ns": crossing.length * NS, "threshold": crossing.threshold,
                "count": crossing.reached,
            },
        )  # fmt: skip
