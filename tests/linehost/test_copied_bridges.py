# SPDX-License-Identifier: GPL-2.0-or-later
"""Bridges that a host copies itself: over two cards, and with another host's channel."""

import os
import random
import select
import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from dahdi_py.core.terms import Law
from dahdi_py.errors import ChannelBusy, DahdiPyError, LawMismatch, StaleToken
from dahdi_py.wire.messages import host as m
from dahdi_py.wire.messages.common import MediaRequest
from tests.backends.traffic import take_all
from tests.linehost.rig import PATIENCE_S, Controller, Process, Rig, pair, wait_for

IDLE = bytes([Law.ALAW.idle_octet])
WIDE = MediaRequest(chunk=4000, depth=8)
"""Blocks so large that a copier kept from running for a second loses none."""
LONG = MediaRequest(chunk=500, depth=32)


def crosses(sender: int, receiver: int, octets: int = 8000) -> None:
    """Octets cross complete and in order; between them the line may have sent idle ones."""
    wanted = random.Random(1).randbytes(octets).replace(IDLE, b"\0")
    sent, received, deadline = 0, b"", time.monotonic() + PATIENCE_S
    while wanted not in received:
        assert time.monotonic() < deadline, "not everything came"
        select.select([receiver], [], [], 1)
        with suppress(BlockingIOError):
            while sent < octets:
                sent += os.write(sender, wanted[sent : sent + 500])
        received += b"".join(take_all(receiver)).replace(IDLE, b"")


def apart(host: Controller, *tokens: str) -> None:
    """None of these leases is bridged any more."""
    wait_for(lambda: not [lease for lease in host.snapshot().leases if lease.token in tokens and lease.bridged])


def descriptors(process: Process) -> int:
    return len(os.listdir(f"/proc/{process.pid}/fd"))


class Leg:
    """A leased channel of one end of a cable, and the far end's descriptor."""

    def __init__(self, near: Controller, span: str, far: Controller, far_span: str, timeslot: int) -> None:
        reply, [self.fd] = near.reserve_fds(span, timeslot=timeslot, media=WIDE)
        self.token = reply.token
        _, [self.far] = far.reserve_fds(far_span, timeslot=timeslot, media=LONG)

    def has_its_own(self) -> None:
        """What the far end says the client hears, and the other way round."""
        for fd in (self.fd, self.far):
            take_all(fd)
        crosses(self.fd, self.far, 4000)
        crosses(self.far, self.fd, 4000)

    def close(self) -> None:
        for fd in (self.fd, self.far):
            os.close(fd)


def test_channels_of_two_cards_are_copied(rig: Rig) -> None:
    rig.configure(pair() + pair(prefix="x").replace('card = "sim"', 'card = "more"'))
    cards = '[[cards]]\nname = "more"\nkind = "sim"\nports = ["E1", "E1"]\n[[hosts]]'
    rig.config.write_text(rig.config.read_text().replace("[[hosts]]", cards, 1))
    rig.card("sim")
    other_card = rig.card("more")
    rig.host()
    host = rig.control()
    host.up("a", "b", "xa", "xb")
    one, other = Leg(host, "a", host, "b", 1), Leg(host, "xa", host, "xb", 2)
    asked = m.BridgeRequest(a=one.token, b=other.token)
    assert host.call("Bridge", asked, m.BridgeReply).where == "host"
    assert host.wait("bridge.joined").data["where"] == "host"
    crosses(one.far, other.far)
    crosses(other.far, one.far)
    with pytest.raises(ChannelBusy, match="bridged already"):
        host.lend(one.token, "g/1/1")
    host.call("Bridge", m.BridgeRequest(a=one.token, b=other.token, on=False), m.BridgeReply)
    one.has_its_own()
    other.has_its_own()

    host.call("Bridge", asked, m.BridgeReply)
    other_card.kill()
    assert host.wait("bridge.ended", count=2).data["reason"]
    host.wait("lease.ended", token=other.token)
    one.has_its_own()
    one.close()
    other.close()


@pytest.fixture
def hosts(rig: Rig) -> Iterator[tuple[Controller, Controller, Leg, Leg]]:
    """Two hosts of one card with a leased channel each; the far ends are the first one's, or the third's."""
    rig.configure(pair("h", "f") + pair("g", "f", first=3, prefix="x"), ports="E1,E1,E1,E1")
    rig.card()
    for name in "fgh":
        rig.host(name)
    far, g, h = (rig.control(name) for name in "fgh")
    far.up("b", "xb")
    h.up("a")
    g.up("xa")
    legs = Leg(h, "a", far, "b", 1), Leg(g, "xa", far, "xb", 2)
    yield h, g, *legs
    for leg in legs:
        leg.close()


def over_hosts(h: Controller, g: Controller, a: Leg, b: Leg) -> None:
    lent, fd = g.lend(b.token, a.token)
    assert (lent.where, lent.law, lent.chunk) == ("host", "alaw", WIDE.chunk)
    assert h.join_foreign(a.token, b.token, fd, lent.law, lent.chunk) == "host"
    os.close(fd)


def test_channels_of_two_hosts_are_copied(hosts: tuple[Controller, Controller, Leg, Leg]) -> None:
    h, g, a, b = hosts
    over_hosts(h, g, a, b)
    assert h.wait("bridge.joined").data == {"a": a.token, "b": b.token, "where": "host"}
    assert {lease.token: lease.bridged for c in (h, g) for lease in c.snapshot().leases} == {
        a.token: b.token, b.token: a.token
    }  # fmt: skip
    crosses(a.far, b.far)
    crosses(b.far, a.far)
    with pytest.raises(ChannelBusy):
        g.lend(b.token, a.token)
    h.call("Bridge", m.BridgeRequest(a=a.token, b=b.token, on=False), m.BridgeReply)
    apart(g, b.token)
    a.has_its_own()
    b.has_its_own()
    assert not g.find("bridge.joined")
    assert not g.find("bridge.ended"), "who copies tells"


@pytest.mark.parametrize("copying", [True, False])
def test_either_host_may_end_it_or_die(rig: Rig, hosts: tuple[Controller, Controller, Leg, Leg], copying: bool) -> None:
    h, g, a, b = hosts
    before = {name: descriptors(process) for name, process in zip("fgh", rig.processes[1:], strict=True)}
    over_hosts(h, g, a, b)
    ending, gone, leg, stays = (h, a, b, g) if copying else (g, b, a, h)
    ending.release(gone.token)
    apart(stays, leg.token)
    assert h.wait("bridge.ended").data["b"] == b.token
    leg.has_its_own()
    # The copier, its thread's three descriptors, and the channel's own stay or are gone; nothing else is left.
    wait_for(lambda: descriptors(rig.processes[2 if copying else 3]) <= before["g" if copying else "h"] + 3)

    name, span, slot = ("h", "a", 3) if copying else ("g", "xa", 3)
    far = rig.control("f", epoch=2)
    again = Leg(ending, span, far, "b" if copying else "xb", slot)
    over_hosts(h, g, *((again, leg) if copying else (leg, again)))
    victim = rig.processes["fgh".index(name) + 1]
    victim.kill()
    apart(stays, leg.token)
    leg.has_its_own()
    again.close()


def test_what_is_refused_leaves_nothing_open(hosts: tuple[Controller, Controller, Leg, Leg], rig: Rig) -> None:
    h, g, a, b = hosts
    _, fd = g.lend(b.token, a.token)
    os.close(fd)
    apart(g, b.token)
    b.has_its_own()
    host = rig.processes[3]
    before = descriptors(host)
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with near:
        for refused, token, law in ((LawMismatch, a.token, "mulaw"), (StaleToken, "h/1/999", "alaw")):
            with pytest.raises(refused):
                h.join_foreign(token, b.token, far.fileno(), law)
        with pytest.raises(DahdiPyError):
            h.join_foreign(a.token, b.token, far.fileno(), chunk=9000)
        with pytest.raises(DahdiPyError, match="has to come along"):
            h.call("Bridge", m.BridgeRequest(a=a.token, b=b.token, fd=0), m.BridgeReply)
        far.close()
        near.settimeout(PATIENCE_S)
        assert near.recv(10) == b"", "the host closed what it was given"
    wait_for(lambda: descriptors(host) <= before + 3)  # the copier's own
    a.has_its_own()
