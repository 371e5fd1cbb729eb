# SPDX-License-Identifier: GPL-2.0-or-later
"""What the whole service must do, on whatever card: one class of tests, run on the simulated card and on the kernel.

A module that runs it gives the fixture `lines`: a running `Service` and pairs of spans cabled to each other.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from dahdi_py.client import Channel, ChannelStatus, Media, MediaRequest
from dahdi_py.errors import NoChannel, OutOfService, StaleToken
from dahdi_py.wire.messages.performance import Figures, SpanPerformance
from tests.service.service import PATIENCE_S, Core, Follower, Service, closed_record, until
from tests.service.talk import CHUNK, DEPTH, EVENT_PENDING, Talk, wait_quiet

DEEP = MediaRequest(chunk=CHUNK, depth=DEPTH)
"""Room for the pauses of a loaded machine."""


MARK = 0x5A
MARKED = MediaRequest(mode="data", gain_db=6.0, echo_canceller=True, chunk=CHUNK, depth=4)
"""As unlike the default as a descriptor can be."""


@dataclass
class Lines:
    """A running service and its cabled pairs of spans, as configured names (user side, network side)."""

    service: Service
    pairs: tuple[tuple[str, str], ...]


@dataclass
class Conversation:
    """An answered call: its two ids (as placed, as offered) and both channels."""

    placed: str
    offered: str
    near: Channel
    far: Channel

    @property
    def fds(self) -> tuple[int, int]:
        return self.near.fileno(), self.far.fileno()

    def close(self) -> None:
        self.near.close()
        self.far.close()


def converse(caller: Core, callee: Core, events: Follower, span: str, media: MediaRequest = DEEP) -> Conversation:
    """A call placed on `span` and answered at its other end."""
    placed = caller.client.place("2001", span=span, calling="5551000")
    offer = callee.offer()
    assert (offer.called.number, offer.calling.number) == ("2001", "5551000")
    claimed = callee.client.claim(offer.call)
    callee.client.alert(offer.call)
    events.wait("call.alerting", placed.call)
    callee.client.answer(offer.call)
    events.wait("call.answered", placed.call)
    events.wait("call.answered", offer.call)
    return Conversation(
        placed.call,
        offer.call,
        caller.client.open(placed.token, media=media),
        callee.client.open(claimed.token, media=media),
    )


class Scenarios:
    """What every service does.

    Attributes:
        joined_by: What joins two channels of one card.

    Synchronization: one thread; each test leaves the service idle.
    """

    joined_by = "card"

    def test_every_channel_of_a_pair_carries_a_call_and_its_audio(self, lines: Lines) -> None:
        for user, network in lines.pairs:
            self._fill(lines.service, user, network)

    def _fill(self, service: Service, user: str, network: str) -> None:
        with (
            Core(service, (user,)) as at_user,
            Core(service, (network,)) as at_network,
            Follower(service) as events,
            contextlib.ExitStack() as descriptors,
        ):
            total = service_total(service, user)
            calls: list[Conversation] = []
            for n in range(total):
                here, there, span = (at_user, at_network, user) if n % 2 else (at_network, at_user, network)
                calls.append(converse(here, there, events, span))
                descriptors.callback(calls[-1].close)
            with pytest.raises(NoChannel):
                at_user.client.place("2001", span=user)
            with Talk([call.fds for call in calls]) as talk:
                talk.goes_on(8000)
            for n, call in enumerate(calls):
                hanging = at_user if n % 3 else at_network
                own = call.placed if (n % 2 == 1) == (hanging is at_user) else call.offered
                hanging.client.hangup(own)
            for call in calls:
                for end in (call.placed, call.offered):
                    assert events.wait("call.ended", end).data["cause"] == 16
                call.close()
            until("all channels are idle", lambda: service_used(service) == 0)

    def test_a_record_says_everything_about_a_call(self, lines: Lines) -> None:
        user, network = lines.pairs[0]
        service = lines.service
        with Core(service, (user,)) as caller, Core(service, (network,)) as callee, Follower(service) as events:
            call = converse(caller, callee, events, user)
            with Talk([call.fds]) as talk:
                talk.goes_on()
            callee.client.hangup(call.offered, cause=31)
            record = closed_record(caller.client, call.placed)
            names = [(message.name, message.sent) for message in record.messages]
            assert names[0] == ("SETUP", True)
            assert [name for name, _ in names][-3:] == ["DISCONNECT", "RELEASE", "RELEASE COMPLETE"]
            assert ("ALERTING", False) in names
            assert ("CONNECT", False) in names
            instants = [message.monotonic_ns for message in record.messages]
            assert instants == sorted(instants)
            assert record.cause is not None
            assert record.cause.value == 31
            assert record.cause.location
            assert record.cleared_by == "peer"
            assert record.started_ns < record.alerting_ns <= record.answered_ns < record.ended_ns
            far = closed_record(callee.client, call.offered)
            assert (far.direction, far.cleared_by, far.called.number) == ("incoming", "core", "2001")
            call.close()

    def test_refusals_have_their_causes(self, lines: Lines) -> None:
        user, network = lines.pairs[0]
        service = lines.service
        with service.client() as client, Follower(service) as events:
            assert self._cause(client, events, user) == 41  # nobody serves at all
            with Core(service, (network,), ("3001",)):
                assert self._cause(client, events, user) == 1  # nobody serves this number
            with Core(service, (network,)) as callee:
                placed = client.place("2001", span=user)
                callee.client.hangup(callee.offer().call, cause=17)
                assert events.wait("call.ended", placed.call).data["cause"] == 17
                placed = client.place("2001", span=user, answer_timeout_s=1)
                offer = callee.offer()
                callee.client.claim(offer.call)
                callee.client.alert(offer.call)
                ended = events.wait("call.ended", placed.call)
                assert (ended.data["cause"], ended.data["cleared_by"]) == (19, "host")
                events.wait("call.ended", offer.call)

    @staticmethod
    def _cause(client: object, events: Follower, span: str) -> int:
        placed = client.place("2001", span=span)  # type: ignore[attr-defined]
        return int(events.wait("call.ended", placed.call).data["cause"])

    def test_a_descriptor_serves_in_another_process(self, lines: Lines) -> None:
        user, network = lines.pairs[0]
        service = lines.service
        with Core(service, (user,)) as caller, Core(service, (network,)) as callee, Follower(service) as events:
            call = converse(caller, callee, events, user)
            ours, theirs = socket.socketpair()
            code = (
                "import os, select, socket, sys\n"
                "s = socket.socket(fileno=int(sys.argv[1]))\n"
                "_, (fd,), _, _ = socket.recv_fds(s, 1, 1)\n"
                "s.send(b'k')\n"
                "while True:\n"
                "    try:\n"
                "        select.select([fd], [], [])\n"
                f"        os.write(fd, os.read(fd, {CHUNK}))\n"
                "    except BlockingIOError: pass\n"
                "    except OSError as error:\n"
                "        if error.errno != 500: break\n"
            )
            echo = subprocess.Popen([sys.executable, "-c", code, str(theirs.fileno())], pass_fds=[theirs.fileno()])
            try:
                socket.send_fds(ours, [b"f"], [call.far.fileno()])
                assert ours.recv(1) == b"k"
                call.far.close()  # only the other process has it now, and the host
                with Talk([(call.near.fileno(), None)]) as talk:
                    talk.goes_on()
            finally:
                echo.kill()
                echo.wait(30)
                ours.close()
                theirs.close()
            caller.client.hangup(call.placed)
            events.wait("call.ended", call.offered)
            call.close()

    def test_a_call_and_its_audio_survive_the_death_of_the_daemon(self, lines: Lines) -> None:
        user, network = lines.pairs[0]
        service = lines.service
        with Core(service, (user,)) as caller, Core(service, (network,)) as callee:
            with Follower(service) as events:
                call = converse(caller, callee, events, user)
            hosts = service.host_pids()
            with Talk([call.fds]) as talk:
                talk.goes_on()
                service.kill_daemon()
                talk.goes_on(16_000)
                service.start()
                talk.goes_on()
                assert service.host_pids() == hosts
                with service.client() as client, Follower(service) as events:
                    mine = client.reclaim(call.near.token)
                    assert mine.call == call.placed
                    assert client.reclaim(call.far.token).call == call.offered
                    talk.goes_on()
                    client.hangup(call.placed)
                    events.wait("call.ended", call.offered)
                    record = closed_record(client, call.placed)
                    assert (record.cause and record.cause.value, record.cleared_by) == (16, "core")
                    with pytest.raises(StaleToken):
                        client.open(call.near.token)
            call.close()
            until("all channels are idle", lambda: service_used(service) == 0)

    def test_two_calls_are_bridged_by_the_card_and_parted(self, lines: Lines) -> None:
        user, network = lines.pairs[0]
        service = lines.service
        with Core(service, (user,)) as caller, Core(service, (network,)) as callee, Follower(service) as events:
            calls = [converse(caller, callee, events, user) for _ in range(2)]
            a, b = (call.near.token for call in calls)
            far = [call.far.fileno() for call in calls]
            where = caller.client.bridge(a, b)
            assert where == self.joined_by
            assert events.wait("channel.bridged").data == {"a": a, "b": b, "where": where}
            with Talk([(far[0], far[1])]) as talk:
                talk.goes_on(8000)
            caller.client.unbridge(a, b)
            wait_quiet(*(fd for call in calls for fd in call.fds))
            with Talk([call.fds for call in calls]) as talk:
                talk.goes_on(8000)
            caller.client.bridge(a, b)
            callee.client.hangup(calls[1].offered)
            events.wait("call.ended", calls[1].placed)
            until("the bridge is told to have ended", lambda: events.count("channel.unbridged") == 2)
            wait_quiet(*calls[0].fds)
            with Talk([calls[0].fds]) as talk:
                talk.goes_on(8000)
            caller.client.hangup(calls[0].placed)
            events.wait("call.ended", calls[0].offered)
            for call in calls:
                call.close()
            until("all channels are idle", lambda: service_used(service) == 0)

    def test_a_killed_client_leaves_nothing_behind(self, lines: Lines) -> None:
        user, network = lines.pairs[0]
        service = lines.service
        code = (
            "import sys, time\n"
            "from dahdi_py.client import Client\n"
            "client = Client(sys.argv[1])\n"
            "print(client.place('2001', span=sys.argv[2]).call, flush=True)\n"
            "time.sleep(600)\n"
        )
        with Core(service, (network,)) as callee, Follower(service) as events:
            victim = subprocess.Popen(
                [sys.executable, "-c", code, service.socket, user], stdout=subprocess.PIPE, text=True
            )
            assert victim.stdout is not None
            placed = victim.stdout.readline().strip()
            offer, channel = callee.answer()
            events.wait("call.answered", placed)
            os.kill(victim.pid, signal.SIGKILL)
            victim.wait(30)
            victim.stdout.close()
            assert events.wait("call.ended", placed).data["cleared_by"] == "client_death"
            assert events.wait("call.ended", offer.call).data["cause"] == 31
            channel.close()
            until("all channels are idle", lambda: service_used(service) == 0)

    def test_a_channel_that_is_not_let_go_is_quarantined_and_its_last_lessee_named(self, lines: Lines) -> None:
        user, network = lines.pairs[0]
        service = lines.service
        with Core(service, (user,)) as callee, Core(service, (network,)) as caller, Follower(service) as events:
            with lessee(service, user, 1) as (victim, fd):
                os.kill(victim, signal.SIGKILL)  # dead, but its descriptor lives on in our hands
                until("it is quarantined", lambda: channel_of(service, user, 1).disabled == "quarantine", service.log)
                assert channel_of(service, user, 1).lessee == f"pid {victim} uid {os.geteuid()} 'careless'"
                with pytest.raises(OutOfService, match="quarantine"):
                    callee.client.allocate(span=user, timeslot=1)
                asked = caller.client.allocate(span=network, timeslot=1, open=False)
                alone = caller.client.place("2001", token=asked.token)
                assert events.wait("call.ended", alone.call).data["cause"] == 44
                preferred = caller.client.place("2001", span=network)  # the network side hunts from below: timeslot 1
                assert preferred.timeslot == 1
                offer, channel = callee.answer()
                assert offer.timeslot != 1
                assert events.wait("call.moved", preferred.call).data["timeslot"] == offer.timeslot
                caller.client.hangup(preferred.call)
                events.wait("call.ended", offer.call)
                channel.close()
                assert channel_of(service, user, 1).disabled == "quarantine"
                os.close(fd)
            until("it is idle again", lambda: channel_of(service, user, 1).usage == "idle", service.log)
            assert not channel_of(service, user, 1).disabled
            again = caller.client.place("2001", span=network)
            offer, channel = callee.answer()
            assert (again.timeslot, offer.timeslot) == (1, 1)
            caller.client.hangup(again.call)
            events.wait("call.ended", offer.call)
            channel.close()

    def test_the_next_lessee_gets_nothing_of_the_last(self, lines: Lines) -> None:
        user, network = lines.pairs[0]
        service = lines.service
        usual = {end: service_media(service, end) for end in (user, network)}
        with Core(service, (user,)) as caller, Core(service, (network,)) as callee, Follower(service) as events:
            for _ in range(3):
                first = converse(caller, callee, events, user, MARKED)
                timeslot = first.near.timeslot
                for fd in first.fds:  # it crosses both ways, and fills what waits to be sent and to be read
                    fill(*first.fds)
                    while MARK not in next_octets(fd):
                        fill(*first.fds)
                fill(*first.fds)
                caller.client.hangup(first.placed)
                events.wait("call.ended", first.placed)
                events.wait("call.ended", first.offered)
                first.close()
                until("both are idle", lambda: service_used(service) == 0, service.log)

                asked = caller.client.allocate(span=user, timeslot=timeslot, open=False)
                placed = caller.client.place("2001", token=asked.token)
                offer, far = callee.answer()
                events.wait("call.answered", placed.call)
                near = caller.client.open(asked.token)
                assert (near.timeslot, far.timeslot) == (timeslot, timeslot)
                assert (near.media, far.media) == (usual[user], usual[network])
                for fd in (near.fileno(), far.fileno()) * 20:
                    assert MARK not in next_octets(fd)
                caller.client.hangup(placed.call)
                events.wait("call.ended", offer.call)
                near.close()
                far.close()

    def test_every_second_of_every_span_is_counted(self, lines: Lines) -> None:
        with lines.service.client() as client:
            seen = {one.span: near_end(one).seconds for one in client.performance()}
            until(
                "three more seconds of each span are known",
                lambda: all(near_end(one).seconds >= seen[one.span] + 3 for one in client.performance()),
                client.performance,
            )
            counters = {span.name: span.counters for span in client.spans()}
            for one in client.performance():
                near = near_end(one)
                assert near.counts["SEFS"] is not None
                # What the driver does not count is not told, and what hangs on it is an estimate.
                assert (near.counts["PCV"] is None) is (counters[one.span]["crc"] is None)
                assert near.counts["PCV"] is not None or "SES" in near.estimated


@contextlib.contextmanager
def lessee(service: Service, span: str, timeslot: int) -> Iterator[tuple[int, int]]:
    """A client in a process of its own with that channel's descriptor, of which we have a copy: its pid, our copy."""
    ours, theirs = socket.socketpair()
    code = (
        "import socket, sys, time\n"
        "from dahdi_py.client import Client\n"
        "client = Client(sys.argv[1], label='careless')\n"
        "channel = client.allocate(span=sys.argv[2], timeslot=int(sys.argv[3]))\n"
        "socket.send_fds(socket.socket(fileno=int(sys.argv[4])), [b'f'], [channel.fileno()])\n"
        "time.sleep(600)\n"
    )
    arguments = [service.socket, span, str(timeslot), str(theirs.fileno())]
    child = subprocess.Popen([sys.executable, "-c", code, *arguments], pass_fds=[theirs.fileno()])
    try:
        theirs.close()
        _, (fd,), _, _ = socket.recv_fds(ours, 1, 1)
        yield child.pid, fd
    finally:
        child.kill()
        child.wait(30)
        ours.close()


def fill(*fds: int) -> None:
    """Each descriptor has as many marked blocks to send as it takes."""
    for fd in fds:
        try:
            while True:
                os.write(fd, bytes([MARK]) * CHUNK)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, EVENT_PENDING):
                raise


def next_octets(fd: int) -> bytes:
    """The next block that comes."""
    while True:
        assert select.select([fd], [], [], PATIENCE_S)[0], "nothing comes"
        with contextlib.suppress(BlockingIOError):
            try:
                return os.read(fd, 8192)
            except OSError as error:
                if error.errno != EVENT_PENDING:
                    raise


def channel_of(service: Service, span: str, timeslot: int) -> ChannelStatus:
    """The channel as the service shows it."""
    with service.client() as client:
        return next(channel for channel in client.channels(span) if channel.timeslot == timeslot)


def service_media(service: Service, span: str) -> Media | None:
    """What a channel of the span is when nobody asks for anything."""
    with service.client() as client, client.allocate(span=span) as channel:
        return channel.media


def near_end(found: SpanPerformance) -> Figures:
    """The near end's total by RFC 4805, of a span of which anything is known."""
    if found.total is None:
        return Figures(end="near", norm="RFC 4805", completeness="partial", seconds=0, counts={})
    return next(one for one in found.total.figures if (one.end, one.norm) == ("near", "RFC 4805"))


def service_total(service: Service, span: str) -> int:
    """B-channels of a span."""
    with service.client() as client:
        return client.span(span).total


def service_used(service: Service) -> int:
    """Channels in use now."""
    with service.client() as client:
        return client.status().channels_used
