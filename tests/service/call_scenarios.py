# SPDX-License-Identifier: GPL-2.0-or-later
"""What the whole service must do with calls, on whatever card: tests that run on the simulated card and on the kernel.

A module that runs it gives the fixture `lines`: a running `Service` and pairs of spans cabled to each other.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys

import pytest

from dahdi_py.errors import NoChannel, StaleToken
from tests.service.conversation import Conversation, Lines, converse
from tests.service.service import Core, Follower, Service, closed_record, service_used, until
from tests.service.talk import CHUNK, Talk, wait_quiet


class CallScenarios:
    """What every service does with calls.

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
                placed = client.place("2001", span=user, answer_timeout_s=10)
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


def service_total(service: Service, span: str) -> int:
    """B-channels of a span."""
    with service.client() as client:
        return client.span(span).total
