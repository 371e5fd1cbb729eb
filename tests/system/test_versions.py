# SPDX-License-Identifier: GPL-2.0-or-later
"""Daemon and line host one protocol apart: calls stay up across, and what the older cannot do is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dahdi_py.client import Client
from dahdi_py.errors import DahdiPyError, Unsupported
from dahdi_py.wire.framing import close_all
from dahdi_py.wire.idl_parse import parse
from dahdi_py.wire.interface import Empty
from tests.daemon.process import DaemonProcess
from tests.linehost.rig import Controller, Process, Rig, pair
from tests.system.older import PROTOCOL_1, Older
from tests.system.service import eventually, place_and_answer

TODAY = parse((Path(__file__).parents[2] / "dahdi_py/wire/org.dahdipy.Host.varlink").read_text())
GROUPS = '[[groups]]\nname = "both"\nspans = ["a"]\n'


@dataclass
class Halves:
    """A card and a host in one directory, and the way to them that a daemon in another directory finds."""

    rig: Rig
    older: Older
    host: Process
    run: Path

    def daemon(self, groups: str = GROUPS) -> DaemonProcess:
        return DaemonProcess(self.run, self.rig.config.read_text() + groups)

    def direct(self) -> Path:
        return self.rig.run / "hosts" / "h.sock"


@pytest.fixture
def halves(run_dir: Path) -> Iterator[Halves]:
    below, above = run_dir / "b", run_dir / "a"
    below.mkdir()
    above.mkdir()
    rig = Rig(below)
    older = None
    try:
        rig.configure(pair(), service='supervisor = "systemd"\nlinger_s = 60', calls="reclaim_s = 20")
        rig.card()
        host = rig.host()
        older = Older(above / "hosts" / "h.sock", below / "hosts" / "h.sock")
        yield Halves(rig, older, host, above)
    finally:
        if older is not None:
            older.close()
        rig.close()
        print(rig.log.read_text(errors="replace"))


def wait_for_lines(client: Client) -> None:
    eventually(lambda: all(span.state == "ok" for span in client.spans()))


def test_what_protocol_1_has_is_what_it_was() -> None:
    """Methods only gain optional members, and answers only gain members."""
    for name, method in PROTOCOL_1.methods.items():
        now = TODAY.methods[name]
        takes, was = dict(now.takes.members), dict(method.takes.members)
        assert was.items() <= takes.items(), name
        assert all(takes[member].startswith("?") for member in takes.keys() - was.keys()), name
        assert dict(method.gives.members).items() <= dict(now.gives.members).items(), name
    for name, kind in PROTOCOL_1.types.items():
        assert set(kind.members) <= set(TODAY.types[name].members), name


def test_a_new_daemon_and_a_host_of_protocol_1(halves: Halves) -> None:
    daemon = halves.daemon().start()
    try:
        with Client(daemon.socket) as caller, Client(daemon.socket) as callee:
            wait_for_lines(caller)
            call, token, far_call, far_token = place_and_answer(caller, callee, "a")
            bare = caller.allocate(group="both", open=False)
            with caller.allocate(span="b") as opened:
                assert opened.fileno() >= 0
            daemon.kill()
        daemon.start()
        with Client(daemon.socket) as again:
            assert {up.call for up in again.calls()} == {call, far_call}
            assert again.reclaim(token).call == call
            assert again.reclaim(far_token).call == far_call
            again.reclaim(bare.token)
            assert all(up.phase == "active" for up in again.calls())
            assert halves.older.refused == []
            assert all(one.current is None for one in again.performance())
            refuses_by_name(again, bare.token, token)
            again.hangup(call)
            eventually(lambda: not again.calls())
            again.release(bare.token)
            eventually(lambda: all(channel.usage == "idle" for channel in again.channels()))
        assert halves.older.refused == []
        assert halves.older.missing == []
        assert halves.host.running()
    finally:
        daemon.end()


def refuses_by_name(client: Client, token: str, other: str) -> None:
    """What protocol 1 cannot do is `Unsupported`, and nothing of it is sent to the host."""
    asked: tuple[Callable[[], object], ...] = (
        lambda: client.allocate(group="both", open=False, detach_s=60),
        lambda: client.allocate_span("b"),
        lambda: client.renew(token, 60),
        lambda: client.administer_span("b", "shutting_down", "works"),
        lambda: client.counters(token),
        lambda: client.bridge(token, other),
    )
    for ask in asked:
        with pytest.raises(Unsupported):
            ask()
    with pytest.raises(Unsupported, match="line host h runs version"):
        client.renew(token, 60)


def test_a_new_host_and_daemons_of_protocol_1(halves: Halves) -> None:
    """Two daemons of the protocol before, one after the other, then one of today's: the call outlives them all."""
    first = Controller(halves.run / "hosts" / "h.sock", 1)
    first.up("a", "b")
    far = first.active("c1")
    bare = first.reserve("b", open=False)
    reply, fds = first.reserve_fds("b", order="round_robin_up")
    assert reply.media is not None
    first.release(reply.token)
    first.close()
    second = Controller(halves.run / "hosts" / "h.sock", 2)
    snapshot = second.hello.snapshot
    assert {call.call: call.phase for call in snapshot.calls} == {"c1": "active", far: "active"}
    assert bare.token in {lease.token for lease in snapshot.leases}
    second.release(bare.token)
    second.commit()
    assert not first.find("line.seconds") + second.find("line.seconds")
    second.close()
    assert halves.older.refused == []
    assert halves.older.missing == []
    third = Controller(halves.direct(), 3)
    third.hangup("c1")
    assert third.ended("c1")["cause"] == 16
    third.ended(far)
    eventually(lambda: not third.snapshot().leases)
    third.close()
    close_all(fds)


def test_the_filter_refuses_what_protocol_1_does_not_know(halves: Halves) -> None:
    """A check that cannot fail would be none."""
    controller = Controller(halves.run / "hosts" / "h.sock", 1)
    controller.up("a")
    with pytest.raises(DahdiPyError):
        controller.reserve("a", open=False, masks=[-1])
    with pytest.raises(DahdiPyError):
        controller.call("Counters", Empty(), Empty)
    assert halves.older.refused == ["Reserve.masks", "Counters"]
    controller.close()
