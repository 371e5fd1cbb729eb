# SPDX-License-Identifier: GPL-2.0-or-later
"""The pump on real descriptors: one frame and two octets a read or write, as of the sim card."""

import select
import socket
import threading
from collections.abc import Iterator

import pytest

from dahdi_py.core.terms import Node, SwitchType
from dahdi_py.errors import ConfigError
from dahdi_py.ffi.libpri import COUNTERS, Pump, check_timers
from dahdi_py.ffi.libpri_commands import SetupRequest
from dahdi_py.ffi.libpri_events import DChannelUp, Ended, Event, Gone, Number, Ring


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    with ours, theirs:
        yield ours, theirs


def until(pump: Pump, wanted: type[Event], count: int = 1) -> list[Event]:
    """Turn whenever the descriptor or a timer says so, until `count` events of a kind have come."""
    seen = pump.turn()
    while sum(isinstance(event, wanted) for event in seen) < count:
        deadline = pump.next_deadline()
        wait = 10.0 if deadline is None else max(0.0, deadline - pump.now())
        select.select([pump], [], [], min(wait, 10.0))
        seen += pump.turn()
    return seen


def test_a_call_over_descriptors(line: tuple[socket.socket, socket.socket]) -> None:
    pump = Pump()
    network = pump.add_dchannel(Node.NETWORK, SwitchType.EUROISDN, fd=line[0].fileno())
    cpe = pump.add_dchannel(Node.CPE, SwitchType.EUROISDN, fd=line[1].fileno())
    until(pump, DChannelUp, 2)
    pump.setup(network, pump.new_handle(), SetupRequest(Number("2001"), 1))
    (ring,) = [event for event in until(pump, Ring) if isinstance(event, Ring)]
    assert ring.dchannel == cpe
    pump.hangup(ring.handle, 17)
    ended = [event for event in until(pump, Ended, 2) if isinstance(event, Ended)]
    assert {end.cause for end in ended} == {17}
    assert pump.counters(cpe)["frames_in"] >= 3


def test_frames_have_two_octets_for_the_fcs(line: tuple[socket.socket, socket.socket]) -> None:
    pump = Pump()
    pump.add_dchannel(Node.NETWORK, SwitchType.EUROISDN, fd=line[0].fileno())
    sabme = line[1].recv(100)
    assert (sabme[:3], len(sabme)) == (bytes((0x02, 0x01, 0x7F)), 5)


def test_a_descriptor_at_its_end_is_reported_once_and_left_alone(line: tuple[socket.socket, socket.socket]) -> None:
    pump = Pump()
    dchannel = pump.add_dchannel(Node.NETWORK, SwitchType.EUROISDN, fd=line[0].fileno())
    line[1].close()
    events = until(pump, Gone)
    assert [event.dchannel for event in events if isinstance(event, Gone)] == [dchannel]
    assert select.select([pump], [], [], 0) == ([], [], [])
    assert not any(isinstance(event, Gone) for _ in range(5) for event in pump.turn())


def test_another_descriptor_brings_the_same_dchannel_back(line: tuple[socket.socket, socket.socket]) -> None:
    pump = Pump()
    network = pump.add_dchannel(Node.NETWORK, SwitchType.EUROISDN, fd=line[0].fileno(), timers={"T200": 200})
    line[1].close()
    until(pump, Gone)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    with ours, theirs:
        pump.attach_fd(network, ours.fileno())
        cpe = pump.add_dchannel(Node.CPE, SwitchType.EUROISDN, fd=theirs.fileno(), timers={"T200": 200})
        up = [event.dchannel for event in until(pump, DChannelUp, 2) if isinstance(event, DChannelUp)]
        assert sorted(up) == [network, cpe]
        pump.detach_fd(network)
        assert pump.turn() == []
        pump.close()


def test_a_line_that_takes_nothing_costs_32_frames_of_memory(line: tuple[socket.socket, socket.socket]) -> None:
    pump = Pump()
    line[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    dchannel = pump.add_dchannel(Node.NETWORK, SwitchType.EUROISDN, fd=line[0].fileno())
    received = line[1].recv(100)
    assert received
    disconnect_mode = bytes((0x00, 0x01, 0x53, 0, 0))
    for _ in range(200):
        try:
            line[1].send(disconnect_mode)
        except BlockingIOError:
            pump.turn()
            line[1].send(disconnect_mode)
    pump.turn()
    while select.select([pump], [], [], 0)[0] and pump.counters(dchannel)["frames_in"] < 200:
        pump.turn()
    counters = pump.counters(dchannel)
    assert counters["frames_in"] == 200
    taken = 0
    while True:
        try:
            line[1].recv(100)
            taken += 1
        except BlockingIOError:
            if not select.select([pump], [], [], 0)[0]:
                break
            pump.turn()
    assert counters["transmit_dropped"] > 0
    assert taken + counters["transmit_dropped"] + 1 == pump.counters(dchannel)["frames_out"]


def test_another_thread_is_refused() -> None:
    pump = Pump(virtual=True)
    refused: list[BaseException] = []

    def misuse() -> None:
        try:
            pump.turn()
        except RuntimeError as error:
            refused.append(error)

    thread = threading.Thread(target=misuse)
    thread.start()
    thread.join()
    assert "thread" in str(refused[0])


def test_a_closed_pump_says_so() -> None:
    pump = Pump(virtual=True)
    pump.close()
    pump.close()
    with pytest.raises(RuntimeError, match="closed"):
        pump.turn()


@pytest.mark.parametrize(
    "timers",
    [{"T200": 0}, {"K": 0}, {"N200": 99}, {"T203": 500}, {"T200": 10_000, "T203": 10_000}, {"T303": 0}, {"T99": 1}],
)
def test_timers_libpri_cannot_live_with_are_refused(timers: dict[str, int]) -> None:
    with pytest.raises(ConfigError) as refused:
        Pump(virtual=True).add_dchannel(Node.CPE, SwitchType.EUROISDN, timers=timers)
    assert refused.value.where.startswith("timers.")


def test_default_timers_pass_their_own_check() -> None:
    check_timers({})
    assert "frames_in" in COUNTERS


def test_an_unknown_dchannel_is_an_error_of_ours() -> None:
    pump = Pump(virtual=True)
    for use in (pump.kick, pump.detach_fd, pump.take_sent, pump.part):
        with pytest.raises(OSError, match="Invalid"):
            use(7)
    for ask in (pump.counters, pump.info):
        with pytest.raises(ValueError, match="D-channel 7"):
            ask(7)
    with pytest.raises(OSError, match="refused"):
        pump.add_dchannel(Node.CPE, SwitchType.EUROISDN, fd=10_000)
