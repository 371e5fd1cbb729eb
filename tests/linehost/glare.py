# SPDX-License-Identifier: GPL-2.0-or-later
"""Two whole line hosts at the ends of one line, in one process and in virtual time; only the line is the test's.

Each D-channel is a socket pair between a host and this line, which carries every frame to the other host after a delay
of its own choosing. No card and no daemon is there: no B-channel is opened, and what a core would do is done here.
"""

from __future__ import annotations

import contextlib
import heapq
import random
import socket
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from dahdi_py.backends.sim import SimBackend
from dahdi_py.core.call import CallPhase
from dahdi_py.core.config_file import parse
from dahdi_py.core.lease import Lease
from dahdi_py.core.terms import Alarms, HuntOrder
from dahdi_py.errors import DahdiPyError, NoChannel, StaleToken
from dahdi_py.ffi.libpri import Pump
from dahdi_py.linehost.host import LineHost
from dahdi_py.linehost.journal import Journal
from dahdi_py.linehost.linecall import IncomingCall
from dahdi_py.wire.messages.common import Party
from dahdi_py.wire.messages.host import MonitorReply, PlaceRequest
from tests.linehost.rig import owner

MS = 1_000_000
ORDERS = ("", *map(str, HuntOrder))


class End(LineHost):
    """A line host that gets its D-channel from the test, and tells the test what a daemon would hear."""

    def __init__(self, name: str, config: str, directory: Path) -> None:
        parsed = parse(tomllib.loads(config))
        backend = SimBackend("sim", directory / "no.card")
        super().__init__(name, parsed, lambda card: backend, Journal(directory / f"{name}.journal", calls=False))
        self.line = self.lines[0]
        self.told: Callable[[End, dict[str, Any]], None] = lambda end, event: None
        self.held: dict[int, Lease] = {}
        self.room: set[int] = set()
        self.outbox.follow(self._hear, 0)
        self.incoming.serve(True)
        self.owner = owner()

    def attach(self, fd: int) -> None:
        """Its span is up, and that is its D-channel."""
        self._follow.line_status(self.line, Alarms.NONE)
        self._follow.line_up(self.line, fd)

    def wake(self) -> None:
        """Nothing to do: the line flushes it after everything that happens."""

    def wait(self, ns: int) -> None:
        """So much time has passed for it, with all that it does by itself meanwhile."""
        self._run(self.pump.advance(ns))

    def receive(self) -> None:
        """It has handled what arrived, and sent what it had to."""
        self._run(self.pump.turn())

    def _hear(self, reply: MonitorReply) -> None:
        for event in cast("list[msgspec.Raw]", reply.events):
            self.told(self, msgspec.json.decode(event))
        self.outbox.commit(self.outbox.n)

    def leave(self, room: set[int]) -> None:
        """All channels but these are somebody's."""
        self.room = room
        timeslots = self.line.bchannels.keys() - room
        for timeslot in self.held.keys() - timeslots:
            self.channels.end(self.held.pop(timeslot))
        for timeslot in timeslots - self.held.keys():
            channel = self.line.bchannels[timeslot]
            self.held[timeslot] = self.channels.reserve(channel, self.owner, exclusive=True)

    @property
    def free(self) -> int:
        """Its free timeslots, as a bit mask."""
        return self.line.channels.usable

    @property
    def talking(self) -> dict[int, tuple[bool, str]]:
        """The calls that are up by timeslot: whether it placed them, and the number called."""
        active = [call for call in self.calls.by_id.values() if call.phase is CallPhase.ACTIVE]
        found = {call.timeslot: (call.outgoing, call.called.number) for call in active}
        assert len(found) == len(active), "two calls on one channel"
        return found


def config_of(node: str, switch_type: str, symmetric: bool) -> str:
    kind = "T1" if switch_type == "national" else "E1"
    return (
        f'[[cards]]\nname = "sim"\nkind = "sim"\nports = ["{kind}"]\n[[hosts]]\nname = "{node}"\n[[spans]]\n'
        f'name = "{node}"\ncard = "sim"\nport = "1"\nhost = "{node}"\ntype = "{kind}"\nnode = "{node}"\n'
        f'switch_type = "{switch_type}"\n' + ("symmetric = true\n" if symmetric else "")
    )


class Line:
    """The line between two ends, and the cores behind them.

    Args:
        seed: Of every choice; one seed, one history.
    """

    def __init__(self, directory: Path, switch_type: str, symmetric: bool, seed: str) -> None:
        self.random = random.Random(seed)
        self.ends = [End(node, config_of(node, switch_type, symmetric), directory) for node in ("cpe", "network")]
        self._far: list[socket.socket] = []
        self._due: list[tuple[int, int, Callable[[], object]]] = []
        self._count = 0
        self._now = 0
        self._arrival = [0, 0]
        self.slowest_ms = 0
        for end in self.ends:
            near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            near.setblocking(False)
            far.setblocking(False)
            end.attach(near.detach())
            self._far.append(far)
        self._carry()
        self.later(3000, lambda: None)
        self.run()
        assert all(end.line.link_up for end in self.ends)

    def later(self, ms: float, action: Callable[[], object]) -> None:
        """It happens so much later."""
        self._at(self._now + int(ms * MS), action)

    def _at(self, ns: int, action: Callable[[], object]) -> None:
        self._count += 1
        heapq.heappush(self._due, (ns, self._count, action))

    def run(self) -> None:
        """All that was to happen has, and nothing is on its way any more."""
        while self._due:
            at, _, action = heapq.heappop(self._due)
            if at > self._now:
                for end in self.ends:
                    end.wait(at - self._now)
                self._now = at
                self._carry()
            action()
            for end in self.ends:
                end.flush()
            self._carry()

    def _carry(self) -> None:
        """What the ends have sent is on its way: later than what was sent before it."""
        for n, far in enumerate(self._far):
            with contextlib.suppress(BlockingIOError):
                while True:
                    frame = far.recv(512)
                    delay = self.random.randrange(self.slowest_ms + 1) * MS
                    self._arrival[n] = max(self._arrival[n], self._now + delay)
                    self._at(self._arrival[n], partial(self._arrive, 1 - n, frame))

    def _arrive(self, n: int, frame: bytes) -> None:
        self._far[n].send(frame)
        self.ends[n].receive()

    async def close(self) -> None:
        for far in self._far:
            far.close()
        for end in self.ends:
            await end.close()


class Trial:
    """Calls of both ends at about the same time, answered in any order, and what became of each."""

    def __init__(self, line: Line, number: int) -> None:
        self._line = line
        self._random = line.random
        self._number = number
        self.calls: dict[str, End] = {}
        self.bound: dict[str, int] = {}
        self.lost: dict[str, str] = {}
        self.ended: list[str] = []
        self.moved = 0

    def run(self) -> None:
        """Every call has been answered or is lost."""
        line, choose = self._line, self._random
        timeslots = list(line.ends[0].line.bchannels)
        room = choose.sample(timeslots, choose.choice((1, 1, 2, 2, 3, 4, 6, len(timeslots))))
        for end in line.ends:
            # Most is taken at both ends, as by calls; a core may have more of one for itself.
            own = choose.randrange(len(room) // 2 + 1) if choose.randrange(2) else 0
            end.leave(set(choose.sample(room, len(room) - own)))
            end.told = self._follow
        line.slowest_ms = choose.choice((0, 1, 20, 150))
        spread = choose.choice((0, 0, 5, 100))
        orders = [choose.choice(ORDERS) for _ in line.ends]
        for n, (end, order) in enumerate(zip(line.ends, orders, strict=True), 1):
            for m in range(choose.randrange(1, 4)):
                call = f"{self._number}{n}{m}"  # its number too
                line.later(choose.randrange(spread + 1), partial(self._place, end, call, order))
        line.run()

    def _place(self, end: End, call: str, order: str) -> None:
        choose = self._random
        self.calls[call] = end
        span, number = end.line.name, Party(number=call)
        request = PlaceRequest(call=call, owner=end.owner, called=number, spans=[span], order=order)
        kind = choose.randrange(6)
        try:
            if kind == 0:  # on a channel that the core has leased before
                channel = end.channels.hunt([span], order, calls=True)
                lease = end.channels.reserve(channel, end.owner)
                self.bound[call] = channel.timeslot
                request = msgspec.structs.replace(request, token=lease.token)
                self._line.later(choose.choice((0, 10)), lambda: self._place_on(end, request))
                return
            end.outgoing.place(msgspec.structs.replace(request, exclusive=kind == 1))
        except NoChannel as error:
            self.lost[call] = str(error)

    def _place_on(self, end: End, request: PlaceRequest) -> None:
        try:
            self.bound[request.call] = end.channels.leases.find(request.token).channel.timeslot
            end.outgoing.place(request)
        except StaleToken as error:
            self.lost[request.call] = str(error)

    def _follow(self, end: End, event: dict[str, Any]) -> None:
        kind, call = event["kind"], event.get("call", "")
        if kind == "call.offered":
            self._line.later(self._random.choice((0, 0, 30, 300)), lambda: self._take(end, call))
        elif kind == "call.ended":
            self.ended.append(call)
            if call in self.calls:
                self.lost[call] = f"{event['data']['cause']} {event['data']['reason']}"
        elif kind == "call.moved":
            self.moved += 1

    def _take(self, end: End, call_id: str) -> None:
        call = end.calls.by_id.get(call_id)
        if not isinstance(call, IncomingCall) or call.hung_up:
            return
        end.incoming.claim(call, end.owner)
        if self._random.randrange(2):
            end.incoming.alert(call, False)
        self._line.later(self._random.choice((0, 50)), lambda: self._answer(end, call))

    @staticmethod
    def _answer(end: End, call: IncomingCall) -> None:
        with contextlib.suppress(DahdiPyError):
            end.incoming.answer(call)

    def judge(self) -> None:
        """No call is lost while a channel is free; both ends agree on what each channel carries; nothing is in between.

        Channels are only ever taken during a trial: one that is free at its end was free for every call of it.
        """
        cpe, network = self._line.ends
        story = (
            f"trial {self._number}: room {cpe.room} {network.room}, lost {self.lost}, {cpe.talking} {network.talking}"
        )
        assert cpe.talking == {slot: (not out, number) for slot, (out, number) in network.talking.items()}, story
        connected = {number for _, number in cpe.talking.values()}
        for call in self.calls:
            assert (call in connected) != (call in self.lost), f"{call} is neither lost nor up; {story}"
        free = cpe.free & network.free
        # A core that asked for one channel and did not get it is told so, and what it had meanwhile is free again.
        let_go = self.lost.keys() & self.bound.keys()
        assert free.bit_count() <= len(let_go) or not self.lost.keys() - let_go, (
            f"lost while {free:#x} was free; {story}"
        )

    def clear(self) -> None:
        """Every call is over, cleared from either end, and nothing of the trial is left at either."""
        line = self._line
        for timeslot in list(line.ends[0].talking):
            end = self._random.choice(line.ends)
            call = next(call for call in end.calls.by_id.values() if call.timeslot == timeslot)
            line.later(0, partial(end.calls.hangup, call, 16, "core"))
        line.run()
        assert len(self.ended) == len(set(self.ended)), "a call ended twice"
        for end in line.ends:
            assert not end.calls.by_id
            assert {lease.token for lease in end.channels.leases.all()} == {each.token for each in end.held.values()}
            assert end.free == sum(1 << slot for slot in end.room), f"trial {self._number}: channels are left busy"
            assert "Total active-calls:0 " in end.pump.info(end.line.dchannel)


async def trials(directory: Path, switch_type: str, symmetric: bool, count: int) -> tuple[int, int]:
    """So many trials on one line; how many calls were moved and how many lost, all told."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dahdi_py.linehost.host.Pump", lambda: Pump(virtual=True))
        line = Line(directory, switch_type, symmetric, f"{switch_type} {symmetric}")
    moved = lost = 0
    try:
        for number in range(count):
            trial = Trial(line, number)
            trial.run()
            trial.judge()
            moved += trial.moved
            lost += len(trial.lost)
            trial.clear()
    finally:
        await line.close()
    return moved, lost
