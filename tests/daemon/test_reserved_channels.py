# SPDX-License-Identifier: GPL-2.0-or-later
"""A group's last channels stay free however many requests are under way to its hosts."""

from __future__ import annotations

import socket
import threading

from dahdi_py.errors import NoChannel
from dahdi_py.wire.framing import format_call
from dahdi_py.wire.messages import host as wire
from dahdi_py.wire.messages.channels import AllocateRequest
from tests.daemon.conftest import StartDaemon, StartHost
from tests.daemon.process import PATIENCE_S, DaemonProcess
from tests.daemon.scripted_host import ScriptedHost

PAIR = """
[[groups]]
name = "pair"
spans = ["east:1-2", "west:1"]
hunt = "ascending"
reserve_last = 2
"""


def start(start_daemon: StartDaemon, start_host: StartHost) -> tuple[DaemonProcess, ScriptedHost, ScriptedHost]:
    a, b = start_host(), start_host("b", "west")
    daemon = start_daemon(more=PAIR)
    a.asked("Ready")
    b.asked("Ready")
    return daemon, a, b


def ask(sock: socket.socket, daemon: DaemonProcess, *requests: AllocateRequest) -> None:
    """All of them are on their way at once."""
    sock.settimeout(PATIENCE_S)
    sock.connect(str(daemon.socket))
    sock.sendall(b"".join(format_call("org.dahdipy.Channels.Allocate", request) for request in requests))


def test_what_is_spared_is_counted_when_a_host_is_asked(start_daemon: StartDaemon, start_host: StartHost) -> None:
    daemon, a, b = start(start_daemon, start_host)
    granted: list[wire.ReserveReply] = []

    def one(asked: wire.ReserveRequest) -> wire.ReserveReply:
        if granted:
            raise NoChannel("the last 1 channels are reserved", cause=34, reserved=1)
        granted.append(wire.ReserveReply(token="a/1/1", span="east", timeslot=1))
        return granted[0]

    a.answers["Reserve"] = one
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        ask(sock, daemon, *[AllocateRequest(group="pair", open=False)] * 2)
        assert [a.asked("Reserve").spare for _ in "12"] == [1, 1]
        # One is left on east: the one on west is the other of the two that stay free.
        assert b.asked("Reserve").spare == 1


def test_what_is_under_way_to_another_host_counts_as_taken(start_daemon: StartDaemon, start_host: StartHost) -> None:
    daemon, a, b = start(start_daemon, start_host)
    asked, answer = threading.Event(), threading.Event()

    def later(_: wire.ReserveRequest) -> wire.ReserveReply:
        asked.set()
        assert answer.wait(PATIENCE_S)
        raise NoChannel("the card is gone", cause=34)

    a.answers["Reserve"] = later
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock, daemon.client() as client:
        ask(sock, daemon, AllocateRequest(group="pair", open=False))
        assert asked.wait(PATIENCE_S)
        client.allocate(group="pair", exclude=["east"])
        assert b.asked("Reserve").spare == 1
        answer.set()
        # It came to nothing: both of east are free again.
        assert b.asked("Reserve").spare == 0
        client.allocate(group="pair", exclude=["east"])
        assert b.asked("Reserve").spare == 0
