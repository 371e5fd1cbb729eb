# SPDX-License-Identifier: GPL-2.0-or-later
"""The control daemon in a process of its own, and clients of it."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec

from dahdi_py.errors import DahdiPyError, Unreachable
from dahdi_py.wire.blocking import Connection
from dahdi_py.wire.framing import format_call, parse_reply
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import calls as wire
from dahdi_py.wire.messages import channels, events
from dahdi_py.wire.messages.common import Cursor, CursorRequest, PartyRequest
from dahdi_py.wire.messages.daemon import Status
from dahdi_py.wire.replies import decode_error

PATIENCE_S = 60.0
T = TypeVar("T")

TWO_HOSTS = """
[service]
name = "test"
supervisor = "systemd"
{service}

[access]
{access}

[calls]
{calls}

[[cards]]
name = "sim"
kind = "sim"
ports = ["E1", "E1", "T1"]

[[hosts]]
name = "a"

[[hosts]]
name = "b"

[[spans]]
name = "east"
card = "sim"
host = "a"
port = "1"
type = "E1"

[[spans]]
name = "west"
card = "sim"
host = "b"
port = "2"
type = "E1"

[[groups]]
name = "both"
spans = ["east", "west"]

[[groups]]
name = "east"
spans = ["east"]
"""


def eventually(what: Callable[[], T], says: str = "", patience_s: float = PATIENCE_S) -> T:
    """The first true value, within patience."""
    limit = time.monotonic() + patience_s
    while True:
        value = what()
        if value:
            return value
        assert time.monotonic() < limit, says or "it did not happen"
        time.sleep(0.01)


class DaemonProcess:
    """A daemon on RUN; started again after `kill` or `stop`.

    Synchronization: one thread.
    """

    def __init__(self, run: Path, config: str) -> None:
        self.run = run
        self.config = run / "config.toml"
        self.config.write_text(config)
        self.socket = run / "control.sock"
        self.log = run / "daemon.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, wait: bool = True) -> DaemonProcess:
        command = [sys.executable, "-m", "dahdi_py.cli", "daemon", "run", "--private"]
        command += ["--config", str(self.config), "--run-directory", str(self.run)]
        environment = {**os.environ, "DAHDI_PY_SOCKET": str(self.socket)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        if wait:
            eventually(self._ready, f"not ready: {self.log.read_text()}")
        return self

    def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        try:
            with Connection(self.socket) as connection:
                return connection.call("org.dahdipy.Daemon.Status", Empty(), Status).ready
        except Unreachable:
            return False

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def signal(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)

    def stop(self) -> int:
        return self.signal(signal.SIGTERM)

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE_S)

    def client(self) -> Client:
        return Client(self.socket)


class Client(Connection):
    """A connection with the calls tests make."""

    def __enter__(self) -> Client:
        return self

    def status(self) -> Status:
        return self.call("org.dahdipy.Daemon.Status", Empty(), Status)

    def allocate(self, **wants: Any) -> channels.AllocateReply:
        wants.setdefault("open", False)
        return self.call("org.dahdipy.Channels.Allocate", channels.AllocateRequest(**wants), channels.AllocateReply)

    def release(self, token: str) -> None:
        self.call("org.dahdipy.Channels.Release", channels.ReleaseRequest(token=token), Empty)

    def reclaim(self, token: str) -> channels.ReclaimReply:
        return self.call("org.dahdipy.Channels.Reclaim", channels.ReclaimRequest(token=token), channels.ReclaimReply)

    def renew(self, token: str, detach_s: int) -> None:
        self.call("org.dahdipy.Channels.Renew", channels.RenewRequest(token=token, detach_s=detach_s), Empty)

    def hand_over(self, token: str, within_s: int = 10) -> None:
        self.call("org.dahdipy.Channels.HandOver", channels.HandOverRequest(token=token, within_s=within_s), Empty)

    def allocate_span(self, span: str, **wants: Any) -> channels.AllocateSpanReply:
        request = channels.AllocateSpanRequest(span=span, **{"open": False, **wants})
        return self.call("org.dahdipy.Channels.AllocateSpan", request, channels.AllocateSpanReply)

    def bridge(self, a: str, b: str, on: bool = True) -> str:
        return self.call(
            "org.dahdipy.Channels.Bridge", channels.BridgeRequest(a=a, b=b, on=on), channels.BridgeReply
        ).where

    def bridged(self) -> dict[str, str]:
        """By token, the token of the lease it is bridged with."""
        request = events.MonitorRequest(snapshot=True)
        with Connection(self.path) as connection:
            first = next(connection.stream("org.dahdipy.Events.Monitor", request, events.MonitorReply))
        assert first.snapshot is not None
        return {lease.token: lease.bridged for lease in first.snapshot.leases if lease.bridged}

    def channels(self, span: str = "") -> list[channels.Channel]:
        return self.call("org.dahdipy.Channels.List", channels.ListRequest(span=span), channels.ChannelList).channels

    def place(self, number: str = "2001", **wants: Any) -> wire.PlaceReply:
        request = wire.PlaceRequest(called=PartyRequest(number=number), **wants)
        return self.call("org.dahdipy.Calls.Place", request, wire.PlaceReply)

    def claim(self, call: str) -> wire.ClaimReply:
        return self.call("org.dahdipy.Calls.Claim", wire.ClaimRequest(call=call), wire.ClaimReply)

    def step(self, method: str, call: str, token: str = "") -> None:
        self.call(f"org.dahdipy.Calls.{method}", wire.StepRequest(call=call, token=token), Empty)

    def hangup(self, call: str, **wants: Any) -> None:
        self.call("org.dahdipy.Calls.Hangup", wire.HangupRequest(call=call, **wants), Empty)

    def decline(self, call: str) -> None:
        self.call("org.dahdipy.Calls.Decline", wire.DeclineRequest(call=call), Empty)

    def calls(self) -> list[wire.Call]:
        return self.call("org.dahdipy.Calls.List", Empty(), wire.CallList).calls

    def history(self, **wants: Any) -> list[wire.CallRecord]:
        return self.call("org.dahdipy.Calls.History", wire.HistoryRequest(**wants), wire.HistoryReply).records

    def serve(self, **wants: Any) -> Iterator[wire.ServeReply]:
        stream = self.stream("org.dahdipy.Calls.Serve", wire.ServeRequest(**wants), wire.ServeReply)
        next(stream)
        return stream


class Pipeline:
    """A connection whose calls are begun and answered apart."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(str(path))
        self._octets = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def begin(self, method: str, *parameters: msgspec.Struct) -> None:
        self.socket.sendall(b"".join(format_call(method, one) for one in parameters))

    def answer(self, reply_type: type[T]) -> T:
        while b"\0" not in self._octets:
            octets = self.socket.recv(65536)
            assert octets, "the connection has ended"
            self._octets += octets
        message, _, self._octets = self._octets.partition(b"\0")
        reply = parse_reply(message)
        if reply.error is not None:
            raise decode_error(reply)
        found: T = msgspec.json.decode(reply.parameters or b"{}", type=reply_type)
        return found


class Listener:
    """Follows events in a thread of its own.

    Synchronization: `events` grows in that thread; `wait` from the test's.
    """

    def __init__(self, socket: Path, after: Cursor | None = None, **wants: Any) -> None:
        cursor = CursorRequest(epoch=after.epoch, n=after.n) if after else None
        self.connection = Connection(socket)
        self.events: list[events.Event] = []
        self.cursor: Cursor | None = None
        self.snapshot: events.Snapshot | None = None
        stream = self.connection.stream(
            "org.dahdipy.Events.Monitor", events.MonitorRequest(after=cursor, **wants), events.MonitorReply
        )
        first = next(stream)
        self.cursor, self.snapshot, self.events = first.cursor, first.snapshot, list(first.events)
        self._thread = threading.Thread(target=self._follow, args=(stream,), daemon=True)
        self._thread.start()

    def _follow(self, stream: Iterator[events.MonitorReply]) -> None:
        with suppress(DahdiPyError):
            for reply in stream:
                self.snapshot = reply.snapshot or self.snapshot
                self.events += reply.events
                self.cursor = reply.cursor

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]

    def wait(self, kind: str, **where: Any) -> events.Event:
        """The first event of that kind, there or as it comes."""

        def found() -> events.Event | None:
            for event in list(self.events):
                if event.kind == kind and all(getattr(event, name) == value for name, value in where.items()):
                    return event
            return None

        event = eventually(found, f"no {kind} {where} among {self.kinds()}")
        assert event is not None
        return event

    def close(self) -> None:
        self.connection.close()


def numbered() -> Iterator[str]:
    """Names that are all different."""
    return (f"call-{n}" for n in itertools.count(1))
