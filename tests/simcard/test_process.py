# SPDX-License-Identifier: GPL-2.0-or-later
"""The card as a process: its socket, its cables, and what outlives whom."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dahdi_py.backends.base import Media
from dahdi_py.backends.card_link import CardLink
from dahdi_py.backends.sim import SimBackend
from dahdi_py.core.terms import Law, LineType, Timeslot
from dahdi_py.errors import DeviceBusy, DeviceGone, HardwareError, Unsupported, from_wire
from dahdi_py.wire.framing import format_call, parse_reply
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import card as messages
from tests.backends.rig import usual_line
from tests.backends.traffic import CHUNK, exchange, next_block, send_block, wait_readable
from tests.simcard.process import PATIENCE_S, PROGRAM, CardProcess
from tests.wire.waiting import wait_for

PORTS = [LineType.E1, LineType.E1, LineType.T1, LineType.T1]


@pytest.fixture
def card(run_dir: Path) -> Iterator[CardProcess]:
    made = CardProcess(run_dir / "card.sock", PORTS, [(1, 2), (3, 4)])
    yield made
    made.kill()


@pytest.fixture
def backend(card: CardProcess) -> Iterator[SimBackend]:
    made = SimBackend("sim", card.path)
    for port, kind in zip("1234", PORTS, strict=True):
        made.configure(port, usual_line(kind))
        made.startup(port)
    while any(made.status(port).alarms for port in "1234"):
        wait_readable(made.event_fd())
        made.events()
    yield made
    made.close()


@pytest.fixture
def link(card: CardProcess) -> Iterator[CardLink]:
    made = CardLink("sim", str(card.path), PATIENCE_S)
    yield made
    made.close()


def open_timeslot(backend: SimBackend, port: str, timeslot: int = 1) -> int:
    """Seconds deep, so that a pause of ours loses nothing."""
    return backend.open_timeslot(port, Timeslot(timeslot), Media(Law.ALAW, chunk=CHUNK, depth=32))[0]


def test_the_card_says_who_it_is(card: CardProcess, link: CardLink) -> None:
    info = link.ask("Info", Empty(), messages.CardInfo)
    assert (info.pid, info.ports, info.tick_ms) == (card.process.pid, 4, 4)


def test_the_card_lives_in_a_session_of_its_own(card: CardProcess) -> None:
    assert os.getsid(card.process.pid) == card.process.pid


def test_sigterm_ends_it_and_its_socket_and_its_descriptors(card: CardProcess, backend: SimBackend) -> None:
    fd = open_timeslot(backend, "1")
    assert card.terminate() == 0
    assert not card.path.exists()
    while next_block(fd):
        pass
    os.close(fd)
    card.start()


def test_a_second_card_on_the_socket_is_refused_and_the_first_goes_on(card: CardProcess, link: CardLink) -> None:
    arguments = f'["{card.path}", ["E1"], []]'
    second = subprocess.run([sys.executable, "-c", PROGRAM, arguments], capture_output=True, timeout=PATIENCE_S)
    assert second.returncode != 0
    assert b"served by process" in second.stderr
    assert link.ask("Info", Empty(), messages.CardInfo).pid == card.process.pid


def test_a_killed_cards_socket_is_taken_over(card: CardProcess, link: CardLink) -> None:
    before = link.ask("Info", Empty(), messages.CardInfo)
    card.kill()
    with pytest.raises(DeviceGone):
        link.ask("Info", Empty(), messages.CardInfo)
    card.start()
    after = link.ask("Info", Empty(), messages.CardInfo)
    assert (after.pid, after.started_ns > before.started_ns) == (card.process.pid, True)


HOST = """
import os, sys, time
from dahdi_py.backends.base import Media
from dahdi_py.backends.sim import SimBackend
from dahdi_py.core.terms import Law
fd, _ = SimBackend("sim", sys.argv[1]).open_timeslot("1", 1, Media(Law.ALAW))
print("open", flush=True)
time.sleep(600)
"""


def test_killing_a_host_leaves_the_line_and_frees_its_channels(card: CardProcess, backend: SimBackend) -> None:
    command = [sys.executable, "-c", HOST, str(card.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as host:
        assert host.stdout is not None
        assert host.stdout.readline() == b"open\n"
        with pytest.raises(DeviceBusy):
            open_timeslot(backend, "1")
        host.send_signal(signal.SIGKILL)
        host.wait(PATIENCE_S)
    assert not backend.status("2").alarms
    # The card sees the end of a client in its own time.
    wait_for(lambda: 1 not in card.status("1").held)
    a, b = open_timeslot(backend, "1"), open_timeslot(backend, "2")
    exchange([(a, b)], 0.2)
    os.close(a)
    os.close(b)


def test_cables_join_spans_of_different_hosts(card: CardProcess, backend: SimBackend) -> None:
    other = SimBackend("sim", card.path)
    a, b = open_timeslot(backend, "3"), open_timeslot(other, "4")
    exchange([(a, b)], 0.2)
    os.close(a)
    os.close(b)
    other.close()


def test_a_frame_crosses_between_dchannels_in_real_time(backend: SimBackend) -> None:
    a, b = (backend.open_dchannel(port, Timeslot(24)) for port in "34")
    send_block(a, b"\x02\x01\x7f\0\0")
    assert next_block(b)[:-2] == b"\x02\x01\x7f"
    os.close(a)
    os.close(b)


def test_a_card_that_stood_still_catches_up_and_counts_the_rest_as_late(card: CardProcess, backend: SimBackend) -> None:
    a, b = open_timeslot(backend, "1"), open_timeslot(backend, "2")
    exchange([(a, b)], 0.2)
    before = card.status("1").late
    slips = backend.status("1").counters.slips
    with card.stopped():
        os.waitid(os.P_PID, _sleeper(0.5), os.WEXITED)
    next_block(b)
    exchange([(a, b)], 0.2)
    assert backend.status("1").counters.slips == slips
    # 0.5 s are 4000 frames, of which 100 ms (800) are caught up.
    assert card.status("1").late - before >= 3000
    os.close(a)
    os.close(b)


def _sleeper(seconds: float) -> int:
    return os.posix_spawnp("sleep", ["sleep", str(seconds)], os.environ)


def test_two_types_cannot_be_cabled(card: CardProcess) -> None:
    card.uncable("1")
    card.uncable("3")
    with pytest.raises(Unsupported, match="one line type"):
        card.cable("1", "3")
    card.cable("1", "2")


def test_status_counts_frames_and_octets(card: CardProcess, backend: SimBackend) -> None:
    a, b = (backend.open_dchannel(port, Timeslot(16)) for port in "12")
    send_block(a, bytes(30) + b"\0\0")
    next_block(b)
    seen = card.status("2")
    assert (seen.hdlc.frames, seen.hdlc.fcs_errors, seen.held, seen.words) == (1, 0, [16], [])
    assert card.status("1").hdlc.sent == 1
    os.close(a)
    os.close(b)


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("OpenTimeslot", {"port": "9", "timeslot": 1, "law": "alaw"}),
        ("OpenTimeslot", {"port": "1", "timeslot": 99, "law": "alaw"}),
        ("OpenTimeslot", {"port": "1", "timeslot": -(2**31), "law": "alaw"}),
        ("OpenTimeslot", {"port": "1", "timeslot": 2**40, "law": "alaw"}),
        ("OpenTimeslot", {"port": "1", "timeslot": 1, "law": "klaw"}),
        ("OpenTimeslot", {"port": "1", "timeslot": 1, "law": "alaw", "mode": "video"}),
        ("OpenTimeslot", {"port": "1", "timeslot": 1, "law": "alaw", "chunk": 0}),
        ("OpenTimeslot", {"port": "1", "timeslot": 1, "law": "alaw", "chunk": 2**40}),
        ("OpenTimeslot", {"port": "1", "timeslot": 1, "law": "alaw", "depth": -1}),
        ("OpenDchannel", {"port": "1", "timeslot": 1}),
        ("OpenDchannel", {"port": "1", "timeslot": 2**70}),
        ("Configure", {"port": "1", "type": "T1"}),
        ("Configure", {"port": "1", "type": "E1", "framing": "esf"}),
        ("Configure", {"port": "1", "type": "E1", "bchannels": [0]}),
        ("Status", {"port": ""}),
        ("Cable", {"a": "1", "b": "1"}),
        ("Cable", {"a": "1", "b": "x"}),
        ("OpenTimeslot", {"port": 1, "timeslot": 1, "law": "alaw"}),
        ("OpenTimeslot", {"port": "1"}),
        ("Nothing", {}),
    ],
)
def test_a_bad_request_is_named_and_hurts_nobody(
    backend: SimBackend, link: CardLink, method: str, parameters: dict[str, object]
) -> None:
    octets, fds = link.exchange(format_call(f"org.dahdipy.Card.{method}", parameters), method)
    reply = parse_reply(octets)
    assert reply.error is not None
    assert not fds
    error = from_wire(reply.error, {"message": bytes(reply.parameters or b"").decode()})
    assert isinstance(error, HardwareError) or reply.error.startswith("org.varlink.service.")
    assert not backend.status("1").alarms
