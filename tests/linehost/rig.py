# SPDX-License-Identifier: GPL-2.0-or-later
"""A simulated card and line hosts as processes, and a controller that speaks org.dahdipy.Host to them."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from dahdi_py.errors import DahdiPyError
from dahdi_py.wire.blocking import Connection
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import host as m
from dahdi_py.wire.messages.common import CursorRequest, Owner, Party

R = TypeVar("R")
PATIENCE_S = 60.0

_CARD = """
import sys
from dahdi_py.core.terms import LineType
from dahdi_py.simcard.main import main
from dahdi_py.simcard.spec import CardSpec
ports = [LineType(word) for word in sys.argv[2].split(",")]
cables = [(n, n + 1) for n in range(1, len(ports), 2)]
main(sys.argv[1], CardSpec(ports, cables), lambda: print("ready", flush=True))
"""
_HOST = """
import sys
from dataclasses import replace
from dahdi_py.linehost import main
if len(sys.argv) > 4:
    main._LIMITS = replace(main._LIMITS, turn_s=float(sys.argv[4]))
sys.exit(main.run(*sys.argv[1:4]))
"""


def span(name: str, port: int, host: str = "h", kind: str = "E1", node: str = "network", **more: object) -> str:
    """A `[[spans]]` table; the far end of the cable has the other port of the pair."""
    switch = "euroisdn" if kind == "E1" else "national"
    lines = [f'name = "{name}"', 'card = "sim"', f'host = "{host}"', f'port = "{port}"', f'type = "{kind}"',
             f'node = "{node}"', f'switch_type = "{switch}"']  # fmt: skip
    lines += [f"{key} = {value}" for key, value in more.items()]
    return "[[spans]]\n" + "\n".join(lines) + "\n"


def pair(host_a: str = "h", host_b: str = "h", kind: str = "E1", first: int = 1, prefix: str = "") -> str:
    """Two cabled spans: `a` is the user side, `b` the network side."""
    return span(f"{prefix}a", first, host_a, kind, "cpe") + span(f"{prefix}b", first + 1, host_b, kind, "network")


def wait_for(what: Callable[[], R], patience: float = PATIENCE_S) -> R:
    """What the function returns as soon as it is true."""
    deadline = time.monotonic() + patience
    while not (result := what()):
        assert time.monotonic() < deadline, f"never came true: {what}"
        time.sleep(0.01)
    return result


class Process:
    """A child that is gone at the end, whatever happens."""

    def __init__(self, *command: str, log: Path) -> None:
        with log.open("ab") as output:
            self._child = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)

    @property
    def pid(self) -> int:
        return self._child.pid

    def running(self) -> bool:
        return self._child.poll() is None

    def kill(self, number: int = signal.SIGKILL) -> int:
        if self.running():
            os.kill(self.pid, number)
        return self.wait()

    def wait(self, patience: float = PATIENCE_S) -> int:
        return self._child.wait(patience)


class Controller:
    """What a control daemon is to a host: commands on one connection, events on another."""

    def __init__(
        self, path: Path, epoch: int = 1, *, ready: bool = True, after: CursorRequest | None = None, protocol: int = 1
    ) -> None:
        self._commands = Connection(path, PATIENCE_S)
        self._attach = m.AttachRequest(epoch=epoch, protocol=protocol, version="test")
        try:
            self.hello = self.call("Attach", self._attach, m.AttachReply)
        except DahdiPyError:
            self._commands.close()
            raise
        self.start = self.hello.snapshot.start
        self.epoch = epoch
        self.events: list[m.HostEvent] = []
        self._news = threading.Condition()
        self._monitor = Connection(path, PATIENCE_S)
        parameters = m.MonitorRequest(epoch=epoch, after=after)
        stream = self._monitor.stream("org.dahdipy.Host.Monitor", parameters, m.MonitorReply)
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()
        if ready:
            self.ready()

    def _read(self, stream: Iterator[m.MonitorReply]) -> None:
        with contextlib.suppress(DahdiPyError, ValueError, OSError):
            for reply in stream:
                with self._news:
                    self.events += reply.events
                    self._news.notify_all()

    def close(self) -> None:
        with contextlib.suppress(OSError, DahdiPyError), socket.socket(fileno=os.dup(self._monitor.fileno())) as copy:
            copy.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE_S)
        self._commands.close()
        self._monitor.close()

    def call(self, method: str, parameters: Any, reply: type[R]) -> R:
        return self._commands.call(f"org.dahdipy.Host.{method}", parameters, reply)

    def do(self, method: str, parameters: Any) -> None:
        self.call(method, parameters, Empty)

    def ready(self) -> None:
        self.do("Ready", m.ReadyRequest())

    def snapshot(self) -> m.Snapshot:
        reply = self.call("Attach", self._attach, m.AttachReply)
        self.ready()
        return reply.snapshot

    def commit(self) -> int:
        """What has come so far is committed, one event at least; the number of the last."""
        with self._news:
            assert self._news.wait_for(lambda: self.events, PATIENCE_S), "no event came"
            last = self.events[-1].n
        self.do("Commit", m.CommitRequest(start=self.start, n=last))
        return last

    def find(self, kind: str, **fields: Any) -> list[m.HostEvent]:
        """The events of that kind so far whose fields (or data) are as said."""
        with self._news:
            return [event for event in self.events if event.kind == kind and _fits(event, fields)]

    def wait(self, kind: str, patience: float = PATIENCE_S, count: int = 1, **fields: Any) -> m.HostEvent:
        """The `count`th event of that kind whose fields (or data) are as said, come or to come."""
        deadline = time.monotonic() + patience
        with self._news:
            while True:
                found = [event for event in self.events if event.kind == kind and _fits(event, fields)]
                if len(found) >= count:
                    return found[count - 1]
                left = deadline - time.monotonic()
                assert left > 0, f"no {kind} {fields} among {[(e.kind, e.call, e.span) for e in self.events[-40:]]}"
                self._news.wait(left)

    # Commands in brief.

    def reserve(self, *spans: str, **more: Any) -> m.ReserveReply:
        reply, fds = self.reserve_fds(*spans, **more)
        for fd in fds:
            os.close(fd)
        return reply

    def reserve_fds(self, *spans: str, **more: Any) -> tuple[m.ReserveReply, list[int]]:
        request = m.ReserveRequest(spans=list(spans), owner=owner(), **more)
        return self._commands.call_fds("org.dahdipy.Host.Reserve", request, m.ReserveReply)

    def lend(self, token: str, other: str) -> tuple[m.BridgeReply, int]:
        """The channel for another host to join with its own."""
        request = m.BridgeRequest(a=token, b=other, lend=True)
        reply, [fd] = self._commands.call_fds("org.dahdipy.Host.Bridge", request, m.BridgeReply)
        return reply, fd

    def join_foreign(self, token: str, other: str, fd: int, law: str = "alaw", chunk: int = 160) -> str:
        """The channel is joined with another host's."""
        request = m.BridgeRequest(a=token, b=other, law=law, chunk=chunk, fd=0)
        return self._commands.call("org.dahdipy.Host.Bridge", request, m.BridgeReply, fds=[fd]).where

    def open_fds(self, token: str, **more: Any) -> tuple[m.OpenReply, int]:
        reply, fds = self._commands.call_fds("org.dahdipy.Host.Open", m.OpenRequest(token=token, **more), m.OpenReply)
        assert len(fds) == 1
        return reply, fds[0]

    def release(self, token: str, **more: Any) -> None:
        self.do("Release", m.ReleaseRequest(token=token, **more))

    def place(self, call: str, *spans: str, number: str = "2001", **more: Any) -> m.PlaceReply:
        request = m.PlaceRequest(call=call, owner=owner(), called=Party(number=number), spans=list(spans), **more)
        return self.call("Place", request, m.PlaceReply)

    def claim(self, call: str) -> m.ClaimReply:
        return self.call("Claim", m.ClaimRequest(call=call, owner=owner()), m.ClaimReply)

    def alert(self, call: str, in_band: bool = False) -> None:
        self.do("Alert", m.CallRequest(call=call, in_band=in_band))

    def progress(self, call: str, in_band: bool = True, cause: int = 0) -> None:
        self.do("Progress", m.CallRequest(call=call, in_band=in_band, cause=cause))

    def answer(self, call: str) -> None:
        self.do("Answer", m.CallRequest(call=call))

    def hangup(self, call: str, cause: int = 16, **more: Any) -> None:
        self.do("Hangup", m.HangupRequest(call=call, cause=cause, **more))

    def offered(self, count: int = 1) -> str:
        """The id of the `count`th call that was offered."""
        return self.wait("call.offered", count=count).call

    def active(self, call: str, span: str = "a") -> str:
        """A call to the far end, ours too, is answered; returns the far end's id of it."""
        # An outbox that is read again tells of old offers too.
        known = {call.call for call in self.hello.snapshot.calls} | {e.call for e in self.find("call.offered")}
        self.place(call, span)
        other = wait_for(lambda: next((e.call for e in self.find("call.offered") if e.call not in known), ""))
        self.claim(other)
        self.answer(other)
        self.wait("call.answered", call=call)
        return other

    def ended(self, call: str, patience: float = PATIENCE_S) -> dict[str, Any]:
        return self.wait("call.ended", patience, call=call).data

    def up(self, *spans: str, live: Callable[[], object] = lambda: None) -> None:
        """The D-channels of the spans are up, and no alarm is left; a far end in this process lives by `live`."""

        def ready() -> bool:
            live()
            return {s.name for s in self.snapshot().spans if s.dchannel == "up" and not s.alarms} >= set(spans)

        wait_for(ready)

    def channel(self, name: str, timeslot: int) -> m.ChannelState:
        channels = self.snapshot().channels
        return next(each for each in channels if each.span == name and each.timeslot == timeslot)


def owner() -> m.OwnerRequest:
    return m.OwnerRequest(**{f: getattr(Owner(pid=os.getpid(), uid=os.getuid(), label="test"), f)
                             for f in Owner.__struct_fields__})  # fmt: skip


def heard(fd: int, wanted: bytes, patience: float = PATIENCE_S) -> bool:
    """Whether the octets come out of the descriptor, in order and complete."""
    deadline = time.monotonic() + patience
    got = b""
    while wanted not in got and time.monotonic() < deadline:
        select.select([fd], [], [], 1)
        with contextlib.suppress(BlockingIOError):
            got += os.read(fd, 4096)
    return wanted in got


def _fits(event: m.HostEvent, fields: dict[str, Any]) -> bool:
    return all(event.data[key] == value if key in event.data else getattr(event, key, None) == value
               for key, value in fields.items())  # fmt: skip


class Rig:
    """A card and hosts in a private directory."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.config = run / "config.toml"
        self.log = run / "log"
        self.processes: list[Process] = []
        self._controllers: list[Controller] = []
        self._ports = ""

    def configure(self, spans: str, *, ports: str = "E1,E1", service: str = "linger_s = 60", calls: str = "") -> None:
        quoted = ", ".join(f'"{port}"' for port in ports.split(","))
        hosts = sorted({line.split('"')[1] for line in spans.splitlines() if line.startswith("host = ")})
        self._ports = ports
        self.config.write_text(
            f"[service]\n{service}\n[calls]\n{calls}\n[[cards]]\nname = \"sim\"\nkind = \"sim\"\nports = [{quoted}]\n"
            + "".join(f'[[hosts]]\nname = "{name}"\n' for name in hosts)
            + spans
        )  # fmt: skip

    def card(self, name: str = "") -> Process:
        """The one card there is; with a name, one of several."""
        path = self.run / (f"card-{name}.sock" if name else "card.sock")
        process = Process(sys.executable, "-c", _CARD, str(path), self._ports, log=self.log)
        self.processes.append(process)
        wait_for(lambda: not process.running() or (path.exists() and _answers(path)))
        return process

    def host(self, name: str = "h", *, turn_s: float | None = None) -> Process:
        """The host; with `turn_s` a turn of its server ends only then, whatever commands cost on a slow machine."""
        more = () if turn_s is None else (str(turn_s),)
        process = Process(sys.executable, "-c", _HOST, name, str(self.config), str(self.run), *more, log=self.log)
        self.processes.append(process)
        path = self.run / "hosts" / f"{name}.sock"
        wait_for(lambda: not process.running() or (path.exists() and _answers(path)))
        return process

    def control(self, name: str = "h", epoch: int = 1, **more: Any) -> Controller:
        controller = Controller(self.run / "hosts" / f"{name}.sock", epoch, **more)
        self._controllers.append(controller)
        return controller

    def close(self) -> None:
        for controller in self._controllers:
            controller.close()
        for process in reversed(self.processes):
            process.kill()


def _answers(path: Path) -> bool:
    try:
        Connection(path, 1).close()
    except DahdiPyError:
        return False
    return True
