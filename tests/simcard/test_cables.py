# SPDX-License-Identifier: GPL-2.0-or-later
"""What is done to lines over the card's socket, and what is said to who asks for the impossible."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dahdi_py.backends.base import LineConfig
from dahdi_py.backends.card_link import CardLink
from dahdi_py.backends.sim import SimBackend
from dahdi_py.core.terms import Alarms, Coding, Framing, LineType
from dahdi_py.errors import DahdiPyError, DeviceGone, Unsupported
from dahdi_py.wire.interface import Empty, Request
from dahdi_py.wire.messages import cable
from tests.backends.rig import usual_line
from tests.backends.traffic import wait_readable
from tests.daemon.process import eventually
from tests.simcard.process import PATIENCE_S, CardProcess

PORTS = [LineType.E1, LineType.E1, LineType.T1, LineType.T1]


@pytest.fixture
def card(run_dir: Path) -> Iterator[CardProcess]:
    made = CardProcess(run_dir / "card.sock", PORTS, [(1, 2), (3, 4)])
    yield made
    made.kill()


@pytest.fixture
def link(card: CardProcess) -> Iterator[CardLink]:
    made = CardLink("sim", str(card.path), PATIENCE_S)
    yield made
    made.close()


@pytest.fixture
def backend(card: CardProcess) -> Iterator[SimBackend]:
    made = SimBackend("sim", card.path)
    for port, kind in zip("1234", PORTS, strict=True):
        made.configure(port, usual_line(kind))
        made.startup(port)
    until(made, lambda: not any(made.status(port).alarms for port in "1234"))
    yield made
    made.close()


def until(backend: SimBackend, good: Callable[[], bool]) -> None:
    """News have come until it is so."""
    while not good():
        wait_readable(backend.event_fd())
        backend.events()


def line(link: CardLink, port: str) -> cable.Line:
    return next(one for one in link.ask("Lines", Empty(), cable.LineList).lines if one.port == port)


def do(link: CardLink, method: str, request: Request) -> None:
    link.ask(method, request, Empty)


def test_a_fault_is_seen_by_the_backend_and_mended(backend: SimBackend, link: CardLink) -> None:
    do(link, "Inject", cable.FaultRequest(port="1", fault="all_ones"))
    until(backend, lambda: Alarms.BLUE in backend.status("1").alarms and Alarms.YELLOW in backend.status("2").alarms)
    assert line(link, "1").arriving == line(link, "2").leaving
    do(link, "Mend", cable.MendRequest(port="2"))
    until(backend, lambda: not backend.status("1").alarms and not backend.status("2").alarms)


def test_counts_reach_the_backend_with_news_and_what_is_not_kept_is_none(backend: SimBackend, link: CardLink) -> None:
    before = backend.status("1").counters.crc or 0
    do(link, "Inject", cable.FaultRequest(port="1", fault="crc", value=3))
    until(backend, lambda: backend.status("1").counters.crc == before + 3)
    counters = backend.status("1").counters
    assert (counters.cv, counters.be, counters.errored_seconds, counters.irq_misses) == (None,) * 4
    assert None not in (counters.bpv, counters.ebit, counters.fas, counters.slips)


def test_the_settings_of_a_line_reach_its_framer(backend: SimBackend) -> None:
    backend.configure("4", LineConfig(LineType.T1, framing=Framing.D4, coding=Coding.AMI))
    until(backend, lambda: Alarms.RED in backend.status("3").alarms)
    assert Alarms.LOS not in backend.status("3").alarms
    backend.configure("3", LineConfig(LineType.T1, framing=Framing.D4, coding=Coding.AMI))
    until(backend, lambda: not backend.status("3").alarms)


def test_build_out_and_loss_are_the_level_at_the_far_end(backend: SimBackend, link: CardLink) -> None:
    backend.configure("3", LineConfig(LineType.T1, build_out=6))  # 15 dB: system.conf
    do(link, "Level", cable.LevelRequest(port="4", loss_db=4.5, way="arriving"))
    until(backend, lambda: backend.status("4").level_db == -19.5)
    assert backend.status("3").level_db == 0


def test_timing_is_the_clock_source(backend: SimBackend) -> None:
    assert backend.status("2").sync_source == 0
    backend.configure("2", LineConfig(LineType.E1, timing=1))
    until(backend, lambda: backend.status("2").sync_source == 2)


def test_a_far_end_obeys_what_is_sent(backend: SimBackend, link: CardLink) -> None:
    do(link, "Uncable", cable.PortRequest(port="3"))
    do(link, "FarEnd", cable.FarEndRequest(port="3", kind="niu"))
    until(backend, lambda: not backend.status("3").alarms)
    do(link, "SendCode", cable.CodeRequest(port="3", code="niu_up", by="fdl", duration_ms=600_000))
    # No news may come of it: what is returned can happen to be in frame at once.
    seen = eventually(lambda: (far := line(link, "3").far_end) and far.loop == "line" and far)
    assert seen
    assert (seen.kind, seen.ordered, seen.obeyed) == ("niu", "fdl", 1)


@pytest.mark.parametrize(
    ("method", "request_", "says"),
    [
        ("Inject", cable.FaultRequest(port="1", fault="rain"), "possible are cut, all_ones"),
        ("Inject", cable.FaultRequest(port="1", fault="bit_errors", value=0.7), "a rate from 1e-9 to 0.5"),
        ("Inject", cable.FaultRequest(port="1", fault="crc", value=1.5), "how many"),
        ("Inject", cable.FaultRequest(port="1", fault="crc", value=1), "crc4 on"),
        ("Inject", cable.FaultRequest(port="1", fault="burst", value=0.1), "takes a duration"),
        ("Inject", cable.FaultRequest(port="1", fault="flap", value=3), "takes a period"),
        ("Inject", cable.FaultRequest(port="1", fault="delay", value=9, duration_ms=5), "takes no duration"),
        ("Inject", cable.FaultRequest(port="1", fault="cut", way="up"), "possible are arriving, leaving, both"),
        ("Cable", cable.CableRequest(a="1", b="1"), "name another port"),
        ("Cable", cable.CableRequest(a="1", b="3"), "cabled to port 2"),
        ("Clock", cable.ClockRequest(port="1", ppm=501.0), "-500 to 500"),
        ("Level", cable.LevelRequest(port="1", loss_db=101.0), "0-100"),
        ("Level", cable.LevelRequest(port="1", build_out_db=-1.0), "0-30"),
        ("Loop", cable.LoopRequest(port="1", loop="hoop"), "none, local, line, payload"),
        ("Loop", cable.LoopRequest(port="3", timeslots=[25]), "possible are 1-24"),
        ("FarEnd", cable.FarEndRequest(port="1", kind="csu"), "an E1 has no loop codes"),
        ("FarEnd", cable.FarEndRequest(port="3", kind="csu"), "cabled to port 4"),
        ("FarEnd", cable.FarEndRequest(port="3", kind="pbx"), "none, csu, niu"),
        ("FarEnd", cable.FarEndRequest(port="3", kind="none"), "none to take away"),
        ("SendCode", cable.CodeRequest(port="1", code="csu_up"), "an E1 has no loop codes"),
        ("SendCode", cable.CodeRequest(port="3", code="payload_up"), "possible by inband"),
        ("SendCode", cable.CodeRequest(port="3", code="csu_up", by="pigeon"), "possible are inband, fdl"),
    ],
)
def test_the_impossible_is_refused_with_what_would_be_right(
    link: CardLink, method: str, request_: Request, says: str
) -> None:
    before = link.ask("Lines", Empty(), cable.LineList).lines
    with pytest.raises(Unsupported) as caught:
        do(link, method, request_)
    assert says in caught.value.message
    after = link.ask("Lines", Empty(), cable.LineList).lines
    assert [(one.arriving, one.loop, one.cable) for one in after] == [
        (one.arriving, one.loop, one.cable) for one in before
    ]


def test_without_a_cable_nothing_can_be_wrong_with_it(link: CardLink) -> None:
    do(link, "Uncable", cable.PortRequest(port="1"))
    assert (line(link, "1").arriving, line(link, "1").cable) == (None, "")
    asked: list[tuple[str, Request]] = [
        ("Uncable", cable.PortRequest(port="2")),
        ("Inject", cable.FaultRequest(port="1", fault="cut")),
        ("Mend", cable.MendRequest(port="1")),
        ("Level", cable.LevelRequest(port="1", loss_db=3.0)),
    ]
    for method, request in asked:
        with pytest.raises(DeviceGone, match="no cable is plugged in; plug one in first"):
            do(link, method, request)
    with pytest.raises(DahdiPyError, match="ports are 1-4"):
        do(link, "Uncable", cable.PortRequest(port="9"))
