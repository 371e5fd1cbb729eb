# SPDX-License-Identifier: GPL-2.0-or-later
"""The simulated card's backend: the contract, and what is its own."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from dahdi_py.backends import sim
from dahdi_py.backends.base import BackendEvent, LineConfig, Media
from dahdi_py.backends.sim import SimBackend
from dahdi_py.core.terms import Alarms, Law, LineType, Mode, Timeslot
from dahdi_py.errors import DeviceGone, Unsupported
from tests.backends.contract_bridge import BridgeContract
from tests.backends.contract_channels import ChannelContract
from tests.backends.contract_spans import SpanContract
from tests.backends.rig import usual_line
from tests.backends.traffic import wait_readable
from tests.simcard.process import CardProcess


class SimRig:
    """A card of two joined ports in a process of its own."""

    def __init__(self, run_dir: Path, kind: LineType) -> None:
        self.kind = kind
        self.ports = ("1", "2")
        self.card = CardProcess(run_dir / "card.sock", [kind, kind], [(1, 2)])
        self.backend = SimBackend("sim", self.card.path)
        self._others: list[SimBackend] = []
        for port in self.ports:
            self.backend.configure(port, usual_line(kind))
            self.backend.startup(port)
        while any(self.backend.status(port).alarms for port in self.ports):
            wait_readable(self.backend.event_fd())
            self.backend.events()

    def another(self) -> SimBackend:
        self._others.append(SimBackend("sim", self.card.path))
        return self._others[-1]

    def supports(self, what: str) -> bool:
        return what in {"cut", "restart", "law_idle", "hdlc", "busy_elsewhere"}

    def cut(self) -> None:
        self.card.uncable("1")

    def join(self) -> None:
        self.card.cable("1", "2")

    def lose_card(self) -> None:
        self.card.kill()

    def return_card(self) -> None:
        self.card.start()

    def still(self) -> AbstractContextManager[None]:
        return self.card.stopped()

    def close(self) -> None:
        for backend in (self.backend, *self._others):
            backend.close()
        self.card.kill()


@pytest.fixture(params=list(LineType))
def rig(request: pytest.FixtureRequest, run_dir: Path) -> Iterator[SimRig]:
    made = SimRig(run_dir, request.param)
    yield made
    made.close()


class TestSim(SpanContract, ChannelContract, BridgeContract):
    """The contract on the simulated card."""


@pytest.fixture
def e1(run_dir: Path) -> Iterator[SimRig]:
    made = SimRig(run_dir, LineType.E1)
    yield made
    made.close()


def test_a_cut_cable_is_loss_of_signal_at_both_ends(e1: SimRig) -> None:
    e1.cut()
    seen: set[BackendEvent] = set()
    told = {BackendEvent("1", "status"), BackendEvent("2", "status")}
    # News from before the cut may still come: what counts is that news come until both ends show it.
    while not (seen >= told and [e1.backend.status(port).alarms for port in e1.ports] == [Alarms.RED | Alarms.LOS] * 2):
        wait_readable(e1.backend.event_fd())
        seen |= set(e1.backend.events())


def test_the_far_end_of_a_stopped_port_sees_no_signal(e1: SimRig) -> None:
    e1.backend.events()
    e1.backend.shutdown("1")
    while e1.backend.status("2").alarms != Alarms.RED | Alarms.LOS:
        wait_readable(e1.backend.event_fd())
        e1.backend.events()
    assert e1.backend.status("1").alarms == Alarms.RED | Alarms.NOTOPEN


def test_without_a_card_everything_is_gone_and_the_backend_says_so(run_dir: Path) -> None:
    backend = SimBackend("sim", run_dir / "card.sock")
    wait_readable(backend.event_fd())
    assert backend.events() == [BackendEvent(None, "absent")]
    with pytest.raises(DeviceGone, match="no card answers"):
        backend.spans()
    with pytest.raises(DeviceGone):
        backend.open_timeslot("1", Timeslot(1), Media(Law.ALAW))
    wait_readable(backend.event_fd())
    assert backend.events() == []
    backend.close()


def test_a_card_that_does_not_answer_is_given_up_in_time(e1: SimRig) -> None:
    hasty = SimBackend("sim", e1.card.path, deadline_s=2)
    hasty.spans()
    with e1.card.stopped(), pytest.raises(DeviceGone, match="within 2 s"):
        hasty.status("1")
    assert hasty.status("1").port == "1"
    hasty.close()


def test_news_of_a_card_that_stood_still_is_not_lost(e1: SimRig) -> None:
    e1.backend.events()
    e1.backend.shutdown("1")
    with e1.card.stopped():
        pass
    while e1.backend.status("2").alarms != Alarms.RED | Alarms.LOS:
        wait_readable(e1.backend.event_fd())
        e1.backend.events()


def test_what_is_not_simulated_is_answered_as_off(e1: SimRig) -> None:
    fd, given = e1.backend.open_timeslot("1", Timeslot(1), Media(Law.MULAW, echo_canceller=True, gain_db=3.0))
    assert given == Media(Law.MULAW, Mode.VOICE, medium="socket")
    os.close(fd)


def test_what_clients_ask_for_is_not_kept_for_ever(e1: SimRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sort of channel that was asked for before is known again; there is an end to how many are."""
    monkeypatch.setattr(sim, "_OPENINGS", 5)
    for number in range(20):
        wanted = Media(Law.ALAW, gain_db=float(number), chunk=160 + 8 * (number // 2))
        fd, given = e1.backend.open_timeslot("1", Timeslot(1), wanted)
        os.close(fd)
        assert given.chunk == wanted.chunk
        assert len(e1.backend._openings) == number // 2 % 5 + 1


def test_settings_are_kept_and_only_differences_written(e1: SimRig) -> None:
    line = LineConfig(LineType.E1, crc4=False, timing=2)
    assert e1.backend.configure("1", line) == ["crc4", "timing"]
    assert e1.backend.configure("1", line) == []
    span = e1.backend.spans()[0]
    assert (span.crc4, span.timing, span.started, span.kernel) == (False, 2, True, False)
    fd, _ = e1.backend.open_timeslot("1", Timeslot(1), Media(Law.ALAW))
    os.close(fd)


@pytest.mark.parametrize(
    "line",
    [
        LineConfig(LineType.E1, build_out=9),
        LineConfig(LineType.E1, bchannels=(Timeslot(32),)),
        LineConfig(LineType.E1, bchannels=(Timeslot(16),), dchannel=Timeslot(16)),
    ],
)
def test_an_impossible_setting_is_refused_and_changes_nothing(e1: SimRig, line: LineConfig) -> None:
    before = e1.backend.spans()
    with pytest.raises(Unsupported, match=r"card sim|port 1"):
        e1.backend.configure("1", line)
    assert e1.backend.spans() == before


def test_a_port_cannot_be_destroyed(e1: SimRig) -> None:
    with pytest.raises(Unsupported):
        e1.backend.destroy("1")
