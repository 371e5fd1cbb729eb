# SPDX-License-Identifier: GPL-2.0-or-later
"""Openings and proofs in batches: what happens when somebody waits for the card in the middle of its answers."""

import os
import resource
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dahdi_py.backends.base import Media, OnOpened, OnProved
from dahdi_py.backends.sim import SimBackend
from dahdi_py.core.terms import Law, LineType, Timeslot
from dahdi_py.errors import DeviceBusy, HardwareError
from tests.backends.rig import usual_line
from tests.backends.traffic import wait_readable
from tests.simcard.process import PATIENCE_S, CardProcess

A_LAW = Media(Law.ALAW)


@pytest.fixture
def card(run_dir: Path) -> Iterator[CardProcess]:
    process = CardProcess(run_dir / "card.sock", [LineType.E1, LineType.E1], [(1, 2)])
    with closing(SimBackend("sim", process.path)) as backend:
        backend.configure("1", usual_line(LineType.E1))
        backend.startup("1")
    yield process
    process.kill()


@pytest.fixture
def backend(card: CardProcess) -> Iterator[SimBackend]:
    """One that waits long for an answer."""
    with closing(SimBackend("sim", card.path, deadline_s=PATIENCE_S)) as backend:
        yield backend


class Told:
    """What came of what was asked, in the order in which it was told."""

    def __init__(self, backend: SimBackend) -> None:
        self.backend = backend
        self.names: list[str] = []
        self.errors: dict[str, HardwareError | None] = {}

    def opening(self, name: str, *, settles: bool = False) -> OnOpened:
        def told(fd: int, media: Media | None, error: HardwareError | None) -> None:
            if fd >= 0:
                os.close(fd)
            self.proof(name, settles=settles)(error)

        return told

    def proof(self, name: str, *, settles: bool = False) -> OnProved:
        def told(error: HardwareError | None) -> None:
            self.errors[name] = error
            if settles:
                self.backend.settle()
            self.names.append(name)

        return told

    def all(self, count: int) -> None:
        while len(self.names) < count:
            wait_readable(self.backend.answers_fd())
            self.backend.answers()


def test_who_settles_when_told_of_an_answer_gets_those_that_came_with_it(
    card: CardProcess, backend: SimBackend
) -> None:
    """The card says nothing more: all is read already."""
    held, _ = backend.open_timeslot("1", Timeslot(1), A_LAW)
    told = Told(backend)
    backend.begin_open("1", Timeslot(1), A_LAW, told.opening("busy", settles=True))
    backend.begin_open("1", Timeslot(2), A_LAW, told.opening("opened"))
    while card.status("1").held != [1, 2]:
        pass
    told.all(2)
    os.close(held)
    # The one who settled went on when the other had been told.
    assert told.names == ["opened", "busy"]
    assert (told.errors["opened"], type(told.errors["busy"])) == (None, DeviceBusy)


def test_who_settles_when_told_of_an_opening_knows_the_proofs_of_its_batch(backend: SimBackend) -> None:
    held, _ = backend.open_timeslot("1", Timeslot(1), A_LAW)
    told = Told(backend)
    backend.begin_proof("1", Timeslot(2), told.proof("proof"))
    backend.begin_open("1", Timeslot(1), A_LAW, told.opening("opening", settles=True))
    told.all(2)
    os.close(held)
    assert told.names == ["proof", "opening"]
    assert (told.errors["proof"], type(told.errors["opening"])) == (None, DeviceBusy)


def test_one_who_cannot_take_his_answer_keeps_nobody_elses(
    backend: SimBackend, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(error: HardwareError | None) -> None:
        raise ValueError("as the test wants")

    told = Told(backend)
    backend.begin_proof("1", Timeslot(1), fails)
    backend.begin_proof("1", Timeslot(2), told.proof("other"))
    backend.settle()
    assert told.errors == {"other": None}
    assert "an answer could not be taken" in caplog.text


def test_a_process_with_very_many_descriptors_waits_for_the_card_as_well(
    card: CardProcess, backend: SimBackend
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard >= 2048, f"this test needs a limit of 2048 descriptors (ulimit -Hn), and has {hard}"
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    taken: list[int] = []
    told = Told(backend)
    try:
        while not taken or taken[-1] < 1024:
            taken.append(os.dup(0))
        backend.begin_proof("1", Timeslot(1), told.proof("proof"))
        backend.settle()
        backend.close()
    finally:
        for fd in taken:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert told.errors == {"proof": None}
