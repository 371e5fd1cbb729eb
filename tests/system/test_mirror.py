# SPDX-License-Identifier: GPL-2.0-or-later
"""A snapshot and the events after it are exactly what is, whatever happens."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dahdi_py.client import Client
from dahdi_py.client.mirror import Mirror
from dahdi_py.errors import DahdiPyError
from dahdi_py.wire.blocking import Connection
from dahdi_py.wire.messages.common import Cursor, CursorRequest
from dahdi_py.wire.messages.events import MonitorReply, MonitorRequest, Snapshot
from tests.system.service import Listener, Service, eventually

SPANS = ["e1-user", "e1-network", "t1-user", "t1-network"]


class Following:
    """A mirror kept by a thread of its own, over the daemon's deaths.

    Synchronization: the mirror changes in that thread; `state` takes a copy under its lock.
    """

    def __init__(self, service: Service) -> None:
        self._socket = service.socket
        self._lock = threading.Lock()
        self.mirror = Mirror()
        self.gaps = 0
        self._cursor: Cursor | None = None
        self._connect()

    def _connect(self) -> None:
        after = CursorRequest(epoch=self._cursor.epoch, n=self._cursor.n) if self._cursor else None
        self._connection = Connection(self._socket)
        request = MonitorRequest(snapshot=after is None, after=after)
        stream = self._connection.stream("org.dahdipy.Events.Monitor", request, MonitorReply)
        self._take(next(stream))
        self._thread = threading.Thread(target=self._follow, args=(stream,), daemon=True)
        self._thread.start()

    def resume(self) -> None:
        """The daemon is another one: the mirror goes on from its cursor."""
        self._connection.close()
        self._thread.join()
        self._connect()

    def _follow(self, stream: Iterator[MonitorReply]) -> None:
        with suppress(DahdiPyError, IndexError):
            for reply in stream:
                self._take(reply)

    def _take(self, reply: MonitorReply) -> None:
        with self._lock:
            self.gaps += sum(event.kind == "gap" for event in reply.events)
            self.mirror.take(reply)
            self._cursor = reply.cursor

    def state(self) -> dict[str, object]:
        with self._lock:
            mirror = self.mirror
            return _comparable(mirror.spans, mirror.channels, mirror.calls, mirror.leases)

    def close(self) -> None:
        self._connection.close()


def _comparable(*parts: Mapping[Any, msgspec.Struct]) -> dict[str, object]:
    found = {}
    for part in parts:
        for key, record in part.items():
            fields = msgspec.to_builtins(record)
            # They count on the line's own, and news of them comes now and then.
            fields.pop("counters", None)
            found[f"{type(record).__name__} {key}"] = fields
    return found


def real(client: Client) -> dict[str, object]:
    snapshot = client.snapshot().snapshot
    assert isinstance(snapshot, Snapshot)
    return _comparable(
        {span.name: span for span in snapshot.spans},
        {(one.span, one.timeslot): one for one in snapshot.channels},
        {call.call: call for call in snapshot.calls},
        {lease.token: lease for lease in snapshot.leases},
    )


def compare(following: Following, client: Client, after: str) -> None:
    """At rest both are the same, whole."""
    difference: list[str] = []

    def same() -> bool:
        told, truth = following.state(), real(client)
        difference[:] = [
            f"{key}: mirror {told.get(key)} is {truth.get(key)}"
            for key in told.keys() | truth.keys()
            if told.get(key) != truth.get(key)
        ]
        return not difference

    try:
        eventually(same)
    except AssertionError:
        raise AssertionError(f"after {after}:\n" + "\n".join(difference)) from None


class Traffic:
    """Clients that do what clients do, one at random each step.

    Synchronization: the test's thread, and one that answers calls.
    """

    def __init__(self, service: Service, seed: int) -> None:
        self.service = service
        self.random = random.Random(seed)
        self.clients: list[Client] = []
        self.tokens: list[tuple[Client, str]] = []
        self.calls: list[tuple[Client, str]] = []
        self.bridged: list[tuple[str, str]] = []
        self._answering()

    def _answering(self) -> None:
        self.core = self.service.client("answering")
        self.offers = self.core.serve()
        threading.Thread(target=self._serve, args=(self.core, self.offers), daemon=True).start()

    def _serve(self, core: Client, offers: object) -> None:
        chance = random.Random(1)
        with suppress(DahdiPyError, IndexError):
            for reply in offers:  # type: ignore[attr-defined]
                with suppress(DahdiPyError, IndexError):
                    if reply.offer is not None and chance.random() < 0.8:
                        core.claim(reply.offer.call)
                        core.alert(reply.offer.call)
                        if chance.random() < 0.8:
                            core.answer(reply.offer.call)
                    elif reply.offer is not None:
                        core.decline(reply.offer.call)

    def client(self) -> Client:
        if len(self.clients) < 4:
            self.clients.append(Client(self.service.socket, label=f"c{len(self.clients)}", resume=False))
        return self.random.choice(self.clients)

    def step(self) -> str:
        """One of them, by name."""
        steps: list[Callable[[], None]] = [
            self.allocate, self.allocate, self.release, self.place, self.place, self.hangup, self.hangup, self.renew,
            self.hand_over, self.lock, self.unlock, self.die, self.bridge, self.bridge, self.unbridge,
            self.reserve, self.place_on_lease, self.place_detached, self.give_away, self.whole_span, self.lock_group,
            self.unlock_group,
        ]  # fmt: skip
        step = self.random.choice(steps)
        with suppress(DahdiPyError, IndexError, ValueError):
            step()
        return step.__name__

    def allocate(self) -> None:
        client = self.client()
        detach_s = self.random.choice([0, 0, 30])
        lease = client.allocate(span=self.random.choice(SPANS), open=False, detach_s=detach_s)
        self.tokens.append((client, lease.token))

    def reserve(self) -> None:
        """The far end's next call to this timeslot gets another one: it moves there."""
        client = self.client()
        span, timeslot = self.random.choice(SPANS), self.random.choice([1, 2, 23])
        lease = client.allocate(span=span, timeslot=timeslot, exclusive=True, open=self.random.random() < 0.3)
        lease.close()
        self.tokens.append((client, lease.token))

    def whole_span(self) -> None:
        client = self.client()
        leases = client.allocate_span(self.random.choice(SPANS), open=False, detach_s=self.random.choice([0, 1]))
        self.tokens += [(client, lease.token) for lease in leases]

    def release(self) -> None:
        client, token = self.random.choice(self.tokens)
        self.tokens.remove((client, token))
        client.release(token)

    def place(self) -> None:
        client = self.client()
        self.calls.append((client, client.place("2001", group=self.random.choice(SPANS)).call))

    def place_on_lease(self) -> None:
        client, token = self.random.choice(self.tokens)
        self.calls.append((client, client.place("2001", token=token).call))

    def place_detached(self) -> None:
        client = self.client()
        placed = client.place("2001", group=self.random.choice(SPANS), detach_s=self.random.choice([1, 20]))
        self.calls.append((client, placed.call))

    def hangup(self) -> None:
        client, call = self.random.choice(self.calls)
        self.calls.remove((client, call))
        client.hangup(call)

    def renew(self) -> None:
        client, token = self.random.choice(self.tokens)
        client.renew(token, self.random.choice([0, 20]))

    def hand_over(self) -> None:
        client, token = self.random.choice(self.tokens)
        client.hand_over(token)
        other = self.client()
        other.reclaim(token)
        self.tokens.remove((client, token))
        self.tokens.append((other, token))

    def give_away(self) -> None:
        """Nobody takes it."""
        client, token = self.random.choice(self.tokens)
        client.hand_over(token, 1)

    def bridge(self) -> None:
        a, b = self.random.sample(self.tokens, 2)
        self.client().bridge(a[1], b[1])
        self.bridged.append((a[1], b[1]))

    def unbridge(self) -> None:
        self.client().unbridge(*self.bridged.pop(0))

    def lock(self) -> None:
        self.client().administer_channel(
            self.random.choice(SPANS), self.random.randint(1, 23), "shutting_down", "test", force=False
        )

    def unlock(self) -> None:
        self.client().administer_span(self.random.choice(SPANS), "unlocked")

    def lock_group(self) -> None:
        self.client().administer_group(self.random.choice(SPANS), "shutting_down", "test", force=False)

    def unlock_group(self) -> None:
        for span in SPANS:
            self.client().administer_group(span, "unlocked")

    def die(self) -> None:
        client = self.client()
        self.clients.remove(client)
        self.tokens = [one for one in self.tokens if one[0] is not client]
        self.calls = [one for one in self.calls if one[0] is not client]
        client.close()

    def end(self) -> None:
        for client in (*self.clients, self.core):
            client.close()


@pytest.mark.parametrize("seed", [1, 2])
def test_snapshot_and_events_are_what_is(run_dir: Path, seed: int) -> None:
    service = Service(run_dir).start()
    following = Following(service)
    traffic = Traffic(service, seed)
    done: list[str] = []
    try:
        with Client(service.socket, resume=False) as looking:
            for step in range(300):
                done.append(traffic.step())
                if step % 10 == 9:
                    compare(following, looking, ", ".join(done[-10:]))
            killed = service.host_pid()
            os.kill(killed, signal.SIGKILL)
            eventually(lambda: service.host_pid() not in (0, killed), "no host came after the killed one")
            service.wait_for_lines()
            compare(following, looking, "a line host's death")
            for _ in range(20):
                # What is given back last may be on no disk when the daemon dies: nobody tells of that.
                done.append(traffic.step())
        service.daemon.kill()
        service.daemon.start()
        following.resume()
        with Client(service.socket, resume=False) as looking:
            compare(following, looking, "the daemon's death")
        assert following.gaps == 0
    finally:
        traffic.end()
        following.close()
        service.end()


def test_what_a_call_or_lease_moves_away_from_is_told_too(run_dir: Path) -> None:
    service = Service(run_dir).start()
    following = Following(service)
    try:
        with service.client() as near, service.client() as far, service.client() as looking:
            moves = Listener(service.socket, kinds=["call.moved", "channel.moved"])
            offers = far.serve(groups=["e1-network"])
            # The call is offered timeslot 31, which the far end cannot give: nothing but the move names it again.
            reserved = far.allocate(span="e1-network", timeslot=31, exclusive=True, open=False)
            placed = near.place("2001", group="e1-user")
            offer = next(reply.offer for reply in offers if reply.offer is not None)
            far.claim(offer.call)
            assert moves.wait("call.moved", call=placed.call).data["from_timeslot"] == 31
            compare(following, looking, "a call moved")
            far.release(reserved.token)
            bare = far.allocate(span="e1-network", timeslot=30, open=False)
            near.place("2002", token=near.allocate(span="e1-user", timeslot=30, open=False).token)
            assert moves.wait("channel.moved", token=bare.token).data["from_timeslot"] == 30
            compare(following, looking, "a lease moved")
            moves.close()
            offers.close()
    finally:
        following.close()
        service.end()
