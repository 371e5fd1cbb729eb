# SPDX-License-Identifier: GPL-2.0-or-later
"""A line host that says what the test wants, over its real socket."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty as NothingYet
from queue import Queue
from typing import Any

import msgspec

from dahdi_py.errors import DahdiPyError
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages import host as messages
from dahdi_py.wire.messages.common import Bearer, Lease, Media, Party
from dahdi_py.wire.server import Request, Server

PATIENCE_S = 60.0


class ScriptedHost:
    """Answers `org.dahdipy.Host`; keeps what it was asked, and events until they are committed.

    Attributes:
        answers: By method, what to answer instead of success: called with the parameters, may raise; to Bridge,
            None for never.
        hold: Gets the next request to join, to answer it when it likes.
        held: By method, its requests that nobody answers; a method is held when it is named here.
        lent: Our ends of the sockets that were given for lent channels.
        got: Descriptors that came with requests to join.
        kernel: Its spans' descriptors are the kernel's.

    Synchronization: a thread of its own serves; `say` and `asked` from the test's thread.
    """

    def __init__(self, run: Path, name: str, spans: list[str], start: int = 1, kernel: bool = False) -> None:
        self.name = name
        self.start = start
        self.kernel = kernel
        self.spans = spans
        self.protocol = messages.PROTOCOL
        self.answers: dict[str, Callable[[Any], Any]] = {}
        self.hold: Callable[[Request], None] | None = None
        self.held: dict[str, list[tuple[Request, Any]]] = {}
        self.lent: list[socket.socket] = []
        self.got: list[int] = []
        self.calls: list[messages.CallState] = []
        self.leases: list[Lease] = []
        self.outbox: list[messages.HostEvent] = []
        self.n = 0
        self.committed = 0
        self.epochs: list[int] = []
        self._counter = 0
        self._places: dict[str, tuple[str, int]] = {}
        self._asked: Queue[tuple[str, Any]] = Queue()
        self._monitors: list[Request] = []
        self._loop = asyncio.new_event_loop()
        path = run / "hosts" / f"{name}.sock"
        path.parent.mkdir(exist_ok=True)
        self._server = Server(self._loop, path, receive_fds=True)
        names = [method.name for method in messages.INTERFACE.methods]
        self._server.register(
            messages.INTERFACE, {name: getattr(self, f"_{name.lower()}", self._plain) for name in names}
        )
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"host {name}")
        self._thread.start()

    def close(self) -> None:
        """The host is gone, as if it had died."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end)
            self._thread.join(PATIENCE_S)
            self._loop.close()

    def _end(self) -> None:
        self._server.close()
        self._loop.stop()
        for sock in self.lent:
            sock.close()
        self.drop_got()

    def drop_got(self) -> None:
        """Descriptors that came are closed, as by a host that parts."""
        for fd in self.got:
            os.close(fd)
        self.got.clear()

    def say(self, kind: str, data: msgspec.Struct | None = None, **where: Any) -> None:
        """The event happens."""
        done = threading.Event()
        self._loop.call_soon_threadsafe(self._say, kind, data, where, done)
        assert done.wait(PATIENCE_S)

    def _say(self, kind: str, data: msgspec.Struct | None, where: dict[str, Any], done: threading.Event) -> None:
        self.n += 1
        said = msgspec.to_builtins(data) if data is not None else {}
        event = messages.HostEvent(
            n=self.n, utc_ns=time.time_ns(), monotonic_ns=time.monotonic_ns(), kind=kind, data=said, **where
        )
        self.outbox.append(event)
        for request in self._monitors:
            request.reply(messages.MonitorReply(start=self.start, events=[event]), continues=True)
        done.set()

    def asked(self, method: str, timeout_s: float = PATIENCE_S) -> Any:
        """The parameters of the next call of that method; others are passed over."""
        limit = time.monotonic() + timeout_s
        while True:
            try:
                name, parameters = self._asked.get(timeout=max(0.0, limit - time.monotonic()))
            except NothingYet:
                raise AssertionError(f"{self.name} was not asked to {method}") from None
            if name == method:
                return parameters

    def asked_before(self, method: str) -> list[str]:
        """The methods called before the next call of that one."""
        names: list[str] = []
        while not names or names[-1] != method:
            names.append(self._asked.get(timeout=PATIENCE_S)[0])
        return names[:-1]

    def nothing_asked(self, method: str) -> bool:
        """Whether the method was not called since the last `asked`."""
        return method not in [name for name, _ in list(self._asked.queue)]

    def span_state(self, name: str, **changed: Any) -> messages.SpanState:
        """The span, well unless told otherwise."""
        well = messages.SpanState(
            name=name, number=1, card="sim", port="1", driver="script", description="scripted", type="E1",
            framing="ccs", coding="hdb3", crc4=True, timing=0, switch_type="euroisdn", node="cpe", law="alaw",
            dchannel_timeslot=16, alarms=0, words=[], dchannel="up", since_ns=1, dchannel_since_ns=1, counters={},
            kernel=self.kernel,
        )  # fmt: skip
        return msgspec.structs.replace(well, **changed)

    def offer(self, call: str, span: str, number: str, timeslot: int = 1) -> None:
        """A SETUP comes in."""
        self._counter += 1
        token = f"{self.name}/{self.start}/{self._counter}"
        offered = messages.Offered(
            called=Party(number=number), calling=Party(number="555"), bearer=Bearer(), law="alaw", bchannel=timeslot
        )
        self.say("call.offered", offered, span=span, timeslot=timeslot, call=call, token=token)

    def end(self, call: str, span: str, timeslot: int = 1, direction: str = "incoming", cause: int = 16) -> None:
        """The call has ended, cleared by the peer."""
        now = time.time_ns()
        ended = messages.Ended(
            direction=direction, called=Party(number="2001"), calling=Party(), bearer=Bearer(), span=span,
            timeslot=timeslot, attempt=1, cause=cause, location="user", cleared_by="peer", reason="",
            started_ns=now - 10**9, alerting_ns=0, answered_ns=0, ended_ns=now, duration_ns=0, messages=[],
        )  # fmt: skip
        self.say("call.ended", ended, span=span, timeslot=timeslot, call=call)

    def let_go(self, method: str) -> None:
        """The method is answered again, as what is held of it."""
        self._loop.call_soon_threadsafe(self._let_go, method)

    def _let_go(self, method: str) -> None:
        for request, parameters in self.held.pop(method):
            try:
                getattr(self, f"_{method.lower()}")(request, parameters)
            except DahdiPyError as error:
                request.fail(error)

    # What the daemon asks.

    def _plain(self, request: Request, parameters: Any) -> None:
        method = request.method.rpartition(".")[2]
        self._asked.put((method, parameters))
        answer = self.answers.get(method)
        request.reply(answer(parameters) if answer else Empty())

    def _attach(self, request: Request, parameters: messages.AttachRequest) -> None:
        self.epochs.append(parameters.epoch)
        self._asked.put(("Attach", parameters))
        snapshot = messages.Snapshot(
            start=self.start, n=self.n, spans=[self.span_state(name) for name in self.spans], channels=[],
            leases=self.leases, calls=self.calls,
        )  # fmt: skip
        request.reply(
            messages.AttachReply(
                host=self.name, protocol=self.protocol, version="0", pid=os.getpid(), started_ns=1,
                draining=False, snapshot=snapshot,
            )
        )  # fmt: skip

    def _monitor(self, request: Request, parameters: messages.MonitorRequest) -> None:
        self._asked.put(("Monitor", parameters))
        after = parameters.after.n if parameters.after and parameters.after.epoch == self.start else 0
        self._monitors = [request]
        unseen = [event for event in self.outbox if event.n > after]
        if unseen:
            request.reply(messages.MonitorReply(start=self.start, events=unseen), continues=True)

    def _commit(self, request: Request, parameters: messages.CommitRequest) -> None:
        if "Commit" in self.held:
            self.held["Commit"].append((request, parameters))
            return
        if parameters.durable:
            self.committed = max(self.committed, parameters.n)
            self.outbox = [event for event in self.outbox if event.n > parameters.n]
        self._asked.put(("Commit", parameters))
        request.reply(Empty())

    def _token(self, span: str, timeslot: int) -> str:
        self._counter += 1
        token = f"{self.name}/{self.start}/{self._counter}"
        self._places[token] = (span, timeslot)
        return token

    def break_connections(self) -> None:
        """Whoever is connected is not any more; the host lives."""
        self._loop.call_soon_threadsafe(self._break)

    def _break(self) -> None:
        for peer in self._server.peers:
            peer.close()

    def _reserve(self, request: Request, parameters: messages.ReserveRequest) -> None:
        self._asked.put(("Reserve", parameters))
        if "Reserve" in self.held:
            self.held["Reserve"].append((request, parameters))
            return
        if "Reserve" in self.answers:
            request.reply(self.answers["Reserve"](parameters))
            return
        span, timeslot = parameters.spans[0], parameters.timeslot or 1
        if not parameters.open:
            request.reply(messages.ReserveReply(token=self._token(span, timeslot), span=span, timeslot=timeslot))
            return
        near, far = os.pipe()
        os.close(far)
        media = Media(law="alaw", medium="kernel" if self.kernel and not parameters.relay else "socket")
        reply = messages.ReserveReply(
            token=self._token(span, timeslot), span=span, timeslot=timeslot, media=media, fd=0
        )
        request.reply(reply, fds=[near])

    def _reservespan(self, request: Request, parameters: messages.ReserveSpanRequest) -> None:
        self._asked.put(("ReserveSpan", parameters))
        timeslots = [timeslot for timeslot in range(1, 32) if timeslot != 16]
        tokens = [self._token(parameters.span, timeslot) for timeslot in timeslots]
        request.reply(messages.ReserveSpanReply(span=parameters.span, tokens=tokens, timeslots=timeslots))

    def _open(self, request: Request, parameters: messages.OpenRequest) -> None:
        self._asked.put(("Open", parameters))
        near, far = os.pipe()
        os.close(far)
        media = Media(law="alaw", medium="kernel" if self.kernel and not parameters.relay else "socket")
        request.reply(messages.OpenReply(span=self.spans[0], timeslot=1, media=media), fds=[near])

    def _bridge(self, request: Request, parameters: messages.BridgeRequest) -> None:
        self.got += request.fds
        request.fds = []
        self._asked.put(("Bridge", parameters))
        if self.hold is not None:
            self.hold(request)
            self.hold = None
        elif "Bridge" in self.answers:
            answer = self.answers["Bridge"](parameters)
            if answer is not None:
                request.reply(answer)
        elif parameters.lend:
            near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            near.settimeout(PATIENCE_S)
            self.lent.append(near)
            request.reply(messages.BridgeReply(where="host", law="alaw", chunk=160, fd=0), fds=[far.detach()])
        else:
            request.reply(messages.BridgeReply(where="host" if parameters.fd is not None else "card"))

    def _place(self, request: Request, parameters: messages.PlaceRequest) -> None:
        self._asked.put(("Place", parameters))
        if "Place" in self.held:
            self.held["Place"].append((request, parameters))
            return
        if "Place" in self.answers:
            request.reply(self.answers["Place"](parameters))
            return
        token = parameters.token or self._token(parameters.spans[0], 1)
        span, timeslot = self._places[token]
        request.reply(messages.PlaceReply(token=token, span=span, timeslot=timeslot))

    def _claim(self, request: Request, parameters: messages.ClaimRequest) -> None:
        self._asked.put(("Claim", parameters))
        if "Claim" in self.answers:
            request.reply(self.answers["Claim"](parameters))
            return
        request.reply(messages.ClaimReply(token=self._token(self.spans[0], 1), span=self.spans[0], timeslot=1))
