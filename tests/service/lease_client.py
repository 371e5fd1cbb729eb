# SPDX-License-Identifier: GPL-2.0-or-later
"""A client that leases channels as fast as it can and writes down, before and after, what it asks and hears.

``lease_client.py SOCKET LOG LIFE SEED OPERATIONS SPAN,... [OLD TOKEN ...]``. What it wrote is there whenever it is
killed; tokens of its earlier life it shows again.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections import deque
from collections.abc import Callable

import msgspec

from dahdi_py.errors import AllocationError, DahdiPyError, HostUnavailable, StaleToken
from dahdi_py.wire.blocking import Connection
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import channels as wire
from tests.service.history import Operation, Result

HELD_AT_MOST = 4
_ASKING = "asking"
encode = msgspec.json.encode


class Asked(msgspec.Struct):
    """One line of the log: an operation that has begun (`completed` 0) or is over."""

    client: str
    name: str
    token: str
    place: str
    invoked: int
    completed: int
    result: str


def read(log: bytes) -> list[Operation]:
    """The operations of a log, those without an answer too."""
    done: list[Operation] = []
    begun: dict[str, Asked] = {}
    for line in log.splitlines(keepends=True):
        if not line.endswith(b"\n"):
            break  # killed while it wrote
        asked = msgspec.json.decode(line, type=Asked)
        if asked.result == _ASKING:
            begun[asked.client] = asked
            continue
        begun.pop(asked.client, None)
        result: Result = {"ok": "ok", "stale": "stale"}.get(asked.result, "refused")  # type: ignore[assignment]
        done.append(
            Operation(asked.client, asked.name, asked.token, asked.place, asked.invoked, asked.completed, result)
        )
    for asked in begun.values():
        done.append(Operation(asked.client, asked.name, asked.token, "", asked.invoked, float("inf"), "unanswered"))
    return done


class LeaseClient:
    """Synchronization: one thread."""

    def __init__(self, socket: str, log: str, life: str, spans: list[str], old: list[str]) -> None:
        self.connection = Connection(socket, 60)
        self.log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.life = life
        self.spans = spans
        self.held: list[str] = []
        self.old = deque(old, 8)

    def step(self, name: str, token: str, ask: Callable[[], tuple[str, str]]) -> tuple[str, str]:
        """The operation, written down: which token and place it gave, if it did."""
        invoked = time.monotonic_ns()
        if name == "release":
            # Nobody may take it for held who reads of this client's death.
            os.write(self.log, encode(Asked(self.life, name, token, "", invoked, 0, _ASKING)) + b"\n")
        result, place = "ok", ""
        try:
            token, place = ask()
        except StaleToken:
            result = "stale"
        except (AllocationError, HostUnavailable) as error:
            # A host that has not answered in time may refuse channels, and nothing else.
            if name != "allocate" and isinstance(error, HostUnavailable):
                raise
            result = "refused"
        asked = Asked(self.life, name, token, place, invoked, time.monotonic_ns(), result)
        os.write(self.log, encode(asked) + b"\n")
        return (token, place) if result == "ok" else ("", "")

    def allocate(self, with_descriptor: bool) -> None:
        def ask() -> tuple[str, str]:
            request = wire.AllocateRequest(span=random.choice(self.spans), open=with_descriptor)
            reply = self.connection.call("org.dahdipy.Channels.Allocate", request, wire.AllocateReply)
            return reply.token, f"{reply.span}:{reply.timeslot}"

        token, _ = self.step("allocate", "", ask)
        if token:
            self.held.append(token)

    def open(self, token: str) -> None:
        def ask() -> tuple[str, str]:
            self.connection.call("org.dahdipy.Channels.Open", wire.OpenRequest(token=token), wire.OpenReply)
            return token, ""

        self.step("open", token, ask)

    def release(self, token: str) -> None:
        def ask() -> tuple[str, str]:
            self.connection.call("org.dahdipy.Channels.Release", wire.ReleaseRequest(token=token), Empty)
            return token, ""

        self.step("release", token, ask)

    def run(self, operations: int) -> None:
        """So many operations: mostly allocating and releasing, now and then a descriptor or a token that has ended."""
        for token in list(self.old):
            self.open(token)
        for _ in range(operations):
            dice = random.random()
            if dice < 0.03 and self.old:
                random.choice((self.open, self.release))(random.choice(self.old))
            elif dice < 0.05 and self.held:
                self.open(random.choice(self.held))
            elif len(self.held) < HELD_AT_MOST and (not self.held or dice < 0.55):
                self.allocate(dice > 0.52)
            else:
                token = self.held.pop(random.randrange(len(self.held)))
                self.release(token)
                self.old.append(token)
        for token in self.held:
            self.release(token)


if __name__ == "__main__":
    socket, log, life, seed, count, spans, *old = sys.argv[1:]
    random.seed(int(seed))
    try:
        LeaseClient(socket, log, life, spans.split(","), old).run(int(count))
    except DahdiPyError as error:
        sys.exit(f"{life}: {error}")
