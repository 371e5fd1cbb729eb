# SPDX-License-Identifier: GPL-2.0-or-later
"""What the whole service must know of its spans' performance, on whatever card.

A module that runs it gives the fixture `lines`: a running `Service` and pairs of spans cabled to each other.
"""

from __future__ import annotations

from dahdi_py.wire.messages.performance import Figures, SpanPerformance
from tests.service.conversation import Lines
from tests.service.service import until


class PerformanceScenarios:
    """What every service counts.

    Synchronization: one thread; each test leaves the service idle.
    """

    def test_every_second_of_every_span_is_counted(self, lines: Lines) -> None:
        with lines.service.client() as client:
            seen = {one.span: near_end(one).seconds for one in client.performance()}
            until(
                "three more seconds of each span are known",
                lambda: all(near_end(one).seconds >= seen[one.span] + 3 for one in client.performance()),
                client.performance,
            )
            counters = {span.name: span.counters for span in client.spans()}
            for one in client.performance():
                near = near_end(one)
                assert near.counts["SEFS"] is not None
                # What the driver does not count is not told, and what hangs on it is an estimate.
                assert (near.counts["PCV"] is None) is (counters[one.span]["crc"] is None)
                assert near.counts["PCV"] is not None or "SES" in near.estimated


def near_end(found: SpanPerformance) -> Figures:
    """The near end's total by RFC 4805, of a span of which anything is known."""
    if found.total is None:
        return Figures(end="near", norm="RFC 4805", completeness="partial", seconds=0, counts={})
    return next(one for one in found.total.figures if (one.end, one.norm) == ("near", "RFC 4805"))
