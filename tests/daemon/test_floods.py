# SPDX-License-Identifier: GPL-2.0-or-later
"""What one client asks of a line host, asked as often as it likes, puts little before what another one asks."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from dahdi_py.wire.messages.host import CountersReply
from dahdi_py.wire.server import Limits
from tests.daemon.process import PATIENCE_S, DaemonProcess
from tests.daemon.scripted_host import ScriptedHost

UNDER_WAY = Limits().under_way


def connected(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(PATIENCE_S)
    sock.connect(str(path))
    return sock


@pytest.mark.parametrize("oneway", ["false", "true"])
@pytest.mark.parametrize("connections", [1, 4])
def test_a_flood_of_commands_leaves_a_host_to_others(
    daemon: DaemonProcess, host: ScriptedHost, oneway: str, connections: int
) -> None:
    busy, go_on = Event(), Event()

    def counters(_: Any) -> CountersReply:
        busy.set()
        assert go_on.wait(PATIENCE_S)
        return CountersReply(overruns=0, underruns=0)

    host.answers["Counters"] = counters
    with daemon.client() as owner, daemon.client() as other, closing(connected(daemon.socket)) as calm:
        token = owner.allocate(span="east").token
        host.asked("Reserve")
        call = f'{{"method":"org.dahdipy.Channels.Counters","parameters":{{"token":"{token}"}},"oneway":{oneway}}}'
        floods = [connected(daemon.socket) for _ in range(connections)]
        for flood in floods:
            flood.sendall((call.encode() + b"\0") * 500)
        assert busy.wait(PATIENCE_S)
        # The host stands still. Each of these is a turn for every flood.
        for _ in range(200):
            other.status()
        calm.sendall(b'{"method":"org.dahdipy.Channels.Allocate","parameters":{"span":"east","open":false}}\0')
        other.status()
        go_on.set()
        assert b"token" in calm.recv(1000)
        before = host.asked_before("Reserve").count("Counters")
        assert before <= sum(UNDER_WAY // n for n in range(1, connections + 1)) + 1
        for flood in floods:
            flood.close()
