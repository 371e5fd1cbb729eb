# SPDX-License-Identifier: GPL-2.0-or-later
"""A varlink implementation that is not ours leases a channel of the real daemon and moves octets on it."""

from __future__ import annotations

import asyncio
import os
import select
from importlib.resources import files
from pathlib import Path
from typing import Any

from asyncvarlink import VarlinkClientProtocol, VarlinkMethodCall, VarlinkTransport, connect_unix_varlink

from tests.service.service import PATIENCE_S, running


async def core(socket: str) -> None:
    transport, protocol = await connect_unix_varlink(VarlinkClientProtocol, socket)
    assert isinstance(transport, VarlinkTransport)
    try:
        spans = await protocol.call(VarlinkMethodCall("org.dahdipy.Spans.List", {}))
        assert spans is not None
        listed: Any = spans[0].parameters
        assert [span["name"] for span in listed["spans"]][:2] == ["e1-user", "e1-network"]

        done = asyncio.get_running_loop().create_future()
        lease = VarlinkMethodCall("org.dahdipy.Channels.Allocate", {"span": "e1-user", "label": "stranger"})
        answer = await protocol.call(lease, None, done)
        assert answer is not None
        _, fds = answer
        assert fds is not None
        leased: Any = answer[0].parameters
        fd = os.dup(fds[leased["fd"]].fileno())
        done.set_result(None)
        select.select([fd], [], [], PATIENCE_S)
        assert len(os.read(fd, 4096)) == leased["media"]["chunk"]
        assert os.write(fd, bytes(160)) == 160
        os.close(fd)

        token = {"token": leased["token"]}
        assert await protocol.call(VarlinkMethodCall("org.dahdipy.Channels.Release", token)) is not None
        stale = await protocol.call(VarlinkMethodCall("org.dahdipy.Channels.Release", token))
        assert stale is not None
        assert stale[0].error == "org.dahdipy.StaleToken"
    finally:
        transport.close()
        await transport.closed_future


def test_a_strangers_varlink_leases_a_channel(run_dir: Path) -> None:
    with running(run_dir, files("dahdi_py").joinpath("embedded.toml").read_text()) as service:
        asyncio.run(asyncio.wait_for(core(service.socket), PATIENCE_S))
