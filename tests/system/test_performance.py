# SPDX-License-Identifier: GPL-2.0-or-later
"""A cable is pulled on the simulated card, processes die meanwhile: the history holds what was seen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dahdi_py.client import Client
from dahdi_py.core.performance_bins import QUARTER_S
from dahdi_py.wire.blocking import Connection
from dahdi_py.wire.interface import Empty, Request
from dahdi_py.wire.messages.performance import Figures, SpanPerformance
from tests.system.service import Listener, Service, eventually

PATIENCE_S = 60.0
SPANS = ("e1-user", "e1-network", "t1-user", "t1-network")


class Ends(Request):
    """Of a cable."""

    a: str
    b: str


class Port(Request):
    """Of the card."""

    port: str


@pytest.fixture
def service(run_dir: Path) -> Iterator[Service]:
    service = Service(run_dir, performance="quarter = { SES = 1, UAS = 10 }\nday = { UAS = 0 }")
    try:
        yield service.start()
    finally:
        service.end()


def performance(client: Client, span: str = "e1-user") -> SpanPerformance:
    (found,) = client.performance(span, errored=200)
    return found


def total(client: Client, span: str = "e1-user") -> Figures:
    """By RFC 4805, near end; nothing is counted yet in the first second."""
    found = eventually(lambda: performance(client, span).total)
    assert found is not None
    return next(one for one in found.figures if (one.norm, one.end) == ("RFC 4805", "near"))


def good_for_long(client: Client, span: str) -> bool:
    """Ten good seconds have been told: nothing of the start can be added or taken back any more."""
    found = performance(client, span)
    if found.total is None:
        return False
    ends = [one.start_ns + one.duration_ns for one in found.errored]
    return found.last_ns - max(ends, default=found.total.start_ns) >= 10 * 10**9


def settle(client: Client) -> None:
    """What is counted from now on comes of what is done from now on."""
    eventually(lambda: all(good_for_long(client, span) for span in SPANS), patience_s=PATIENCE_S)


def of(client: Client, name: str, span: str = "e1-user") -> int:
    return total(client, span).counts[name] or 0


def cable(service: Service, on: bool) -> None:
    with Connection(service.run / "card.sock") as link:
        if on:
            link.call("org.dahdipy.Card.Cable", Ends(a="1", b="2"), Empty)
        else:
            link.call("org.dahdipy.Card.Uncable", Port(port="1"), Empty)


def test_an_outage_is_unavailable_time_whatever_dies_meanwhile(service: Service) -> None:
    listener = Listener(service.socket)
    with service.client() as client:
        settle(client)
        began, had = performance(client).total, of(client, "SES")
        cable(service, False)
        eventually(lambda: of(client, "SES") >= had + 2, patience_s=PATIENCE_S)
        before = total(client)
    listener.wait("performance.threshold", span="e1-user")
    listener.close()
    service.daemon.kill()
    service.daemon.start()
    with service.client() as client:
        eventually(lambda: of(client, "UAS") >= 12, patience_s=PATIENCE_S)
        now = performance(client)
        assert now.total is not None
        assert began is not None
        assert now.total.start_ns == began.start_ns
        assert total(client).seconds >= before.seconds + 10
        # Ten in a row and more: none of them is an errored second any more.
        assert of(client, "SES") == had
        assert now.errored[0].words == ["RED", "LOS"]
        assert of(client, "UAS", "t1-user") == 0
        cable(service, True)
        service.wait_for_lines()
        eventually(lambda: healed(performance(client)), patience_s=PATIENCE_S)
        # The host dies: what it saw stays, the seconds without it are missing.
        os.kill(service.host_pid(), signal.SIGKILL)
        seen = total(client).seconds
        eventually(lambda: total(client).seconds >= seen + 3, patience_s=PATIENCE_S)
        assert total(client).completeness != "complete"
        assert of(client, "UAS") >= 12


def healed(found: SpanPerformance) -> bool:
    """Seconds without any error have been told."""
    last = found.errored[0]
    return found.last_ns > last.start_ns + last.duration_ns


def command(service: Service, *arguments: str) -> tuple[int, str]:
    words = [sys.executable, "-m", "dahdi_py.cli", *arguments, "--socket", str(service.socket)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert not done.stderr
    return done.returncode, done.stdout


def early_in_quarter(client: Client) -> bool:
    """The quarter hour goes on for long, and holds what the far end told: who hears nothing learns no more of it."""
    current = performance(client).current
    if current is None or time.time() % QUARTER_S > QUARTER_S - PATIENCE_S:
        return False
    return any(one.counts["EB"] is not None for one in current.figures if (one.end, one.norm) == ("far", "G.826"))


def test_the_commands_show_it(service: Service) -> None:
    with service.client() as client:
        settle(client)
        eventually(lambda: early_in_quarter(client), patience_s=3 * PATIENCE_S)
        had = of(client, "SES")
        cable(service, False)
        eventually(lambda: of(client, "SES") > had, patience_s=PATIENCE_S)
    code, text = command(service, "spans", "show", "1", "--errors")
    assert (code, "RED/LOS" in text) == (0, True)
    code, text = command(service, "spans", "show", "1")
    assert "Near end by RFC 4805 (E1-CRC), data in current interval" in text
    assert "Far end, G.826" in text
    code, text = command(service, "spans", "show", "1", "--intervals", "--norm", "g.826")
    assert text.startswith("Span 1 (e1-user), circuit e1-user: near end by G.826 (E1-CRC)\n")
    code, text = command(service, "spans", "show", "3", "--days", "--far")
    assert text.startswith("Span 3 (t1-user), circuit t1-user: far end by RFC 4805 (ESF)\n")
    code, text = command(service, "spans", "show", "3", "--intervals", "--far", "--norm", "t1.231")
    assert text.startswith("Span 3 (t1-user), circuit t1-user: far end by T1.231 (ESF)")
    code, text = command(service, "spans", "clock", "--json")
    found = json.loads(text)
    assert code == 7
    assert [(one["kind"], one["spans"]) for one in found["findings"]] == [("source_in_alarm", ["e1-user"])]
    code, text = command(service, "spans", "--json")
    assert [one["span_number"] for one in json.loads(text)["performance"]] == [1, 2, 3, 4]


class Since:
    """What is counted from now on.

    Synchronization: one thread.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._before: dict[tuple[str, str, str], dict[str, int | None]] = {}
        for span in SPANS:
            found = performance(client, span).total
            assert found is not None
            self._before.update({(span, one.end, one.norm): one.counts for one in found.figures})

    def of(self, end: str, norm: str, span: str = "e1-user") -> dict[str, int]:
        before = self._before[span, end, norm]
        now = figures(self._client, end, norm, span).counts
        return {name: (count or 0) - (before.get(name) or 0) for name, count in now.items()}


def test_the_norms_count_the_line_each_by_its_own_limits(service: Service) -> None:
    with service.client() as client:
        settle(client)
        # A T1's end reports each of its seconds.
        eventually(lambda: reported(client)["ES-PFE"] is not None, patience_s=PATIENCE_S)
        assert total(client).estimated == []
        since = Since(client)
        # In one second or two: severe by G.826 (300 of 1000 blocks), not by RFC 4805 (832).
        assert command(service, "sim", "inject", "1", "crc", "700")[0] == 0
        eventually(lambda: since.of("near", "RFC 4805")["PCV"] >= 700, patience_s=PATIENCE_S)
        errors = since.of("near", "RFC 4805")
        assert (errors["SES"], errors["ES"] in (1, 2)) == (0, True)
        blocks = since.of("near", "G.826")
        assert (blocks["EB"], blocks["SES"] in (1, 2)) == (700, True)
        # What we received in error the other end is told by E bits.
        eventually(lambda: since.of("far", "G.826", "e1-network")["EB"] == 700, patience_s=PATIENCE_S)
        # A line's error is none of the path's, nor the other way round.
        assert command(service, "sim", "inject", "3", "violations", "7")[0] == 0
        eventually(lambda: since.of("near", "T1.231", "t1-user")["CV-L"] == 7, patience_s=PATIENCE_S)
        assert since.of("near", "T1.231", "t1-user")["ES-P"] == 0
        assert command(service, "sim", "inject", "3", "crc", "1")[0] == 0
        eventually(lambda: since.of("far", "T1.231", "t1-network")["CV-PFE"] > 0, patience_s=PATIENCE_S)
        more = since.of("far", "T1.231", "t1-network")
        assert more.pop("ES-LFE") in (1, 2)
        assert more == {"CV-PFE": 1, "ES-PFE": 1, "SES-PFE": 0, "SEFS-PFE": 0, "CSS-PFE": 0, "UAS-PFE": 0}
        assert since.of("far", "T1.231", "t1-user")["CV-PFE"] == 0


def reported(client: Client) -> dict[str, int | None]:
    """By T1.231, what t1-user tells t1-network."""
    return figures(client, "far", "T1.231", "t1-network").counts


def test_a_clock_of_its_own_slips_and_a_change_of_source_is_told(service: Service) -> None:
    listener = Listener(service.socket)
    with service.client() as client:
        eventually(lambda: client.clock().spans[0].source == "e1-user", patience_s=PATIENCE_S)
        assert command(service, "sim", "clock", "1", "100", "--internal")[0] == 0
        eventually(lambda: of(client, "CSS") >= 1, patience_s=PATIENCE_S)
        eventually(lambda: client.clock().spans[0].source == "", patience_s=PATIENCE_S)
    (event,) = eventually(
        lambda: [one for one in list(listener.events) if one.kind == "span.clock" and one.data["was"] == "e1-user"][:1]
    )
    assert (event.span, event.data["source"]) == ("e1-user", "")
    listener.close()


def figures(client: Client, end: str, norm: str, span: str = "e1-user") -> Figures:
    found = performance(client, span).total
    assert found is not None
    return next(one for one in found.figures if (one.end, one.norm) == (end, norm))
