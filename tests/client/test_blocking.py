# SPDX-License-Identifier: GPL-2.0-or-later
"""The client that waits: channels in hand, streams, a daemon that comes back."""

import os
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dahdi_py.client import Client, CursorRequest
from dahdi_py.errors import NoChannel, Unreachable
from dahdi_py.wire.messages.channels import AllocateReply, OpenReply, ReclaimRequest
from dahdi_py.wire.messages.common import Media
from dahdi_py.wire.server import Request
from tests.client.desk import Desk, a_pair
from tests.wire.service import open_descriptors
from tests.wire.waiting import PATIENCE_S, wait_for


@pytest.fixture
def desk(run_dir: Path) -> Iterator[Desk]:
    desk = Desk(run_dir / "control.sock")
    with closing(desk), desk.open():
        yield desk


def test_a_channel_carries_octets_and_is_released_at_the_end(desk: Desk) -> None:
    descriptor, line = a_pair()

    def allocate(request: Request, parameters: Any) -> None:
        reply = AllocateReply(token="a/1/7", span="east", timeslot=5, media=Media(law="alaw", chunk=4), fd=0)
        request.reply(reply, fds=(descriptor,))

    desk.answers["Channels.Allocate"] = allocate
    with line, Client(desk.path) as client:
        with client.allocate(span="1") as channel:
            assert (channel.token, channel.span, channel.timeslot) == ("a/1/7", "east", 5)
            assert channel.media == Media(law="alaw", chunk=4)
            assert not os.get_inheritable(channel.fileno())
            with pytest.raises(BlockingIOError):
                channel.read()
            line.send(b"abcd")
            assert channel.read() == b"abcd"
            assert channel.write(b"efgh") == 4
            assert line.recv(10) == b"efgh"
        assert channel.closed
        assert line.recv(10) == b""
        with pytest.raises(ValueError, match="no open descriptor"):
            channel.fileno()
    assert desk.methods() == ["Channels.Allocate", "Channels.Release"]


def test_a_descriptor_may_be_closed_or_taken_out_without_releasing(desk: Desk) -> None:
    lines = []

    def open_channel(request: Request, parameters: Any) -> None:
        descriptor, line = a_pair()
        lines.append(line)
        request.reply(OpenReply(span="east", timeslot=5, media=Media(), fd=0), fds=(descriptor,))

    desk.answers["Channels.Open"] = open_channel
    with Client(desk.path) as client:
        first, second, third = (client.open("a/1/7") for _ in range(3))
        first.close()
        first.close()
        assert lines[0].recv(1) == b""
        descriptor = second.detach()
        assert second.closed
        os.close(descriptor)
        del third
        assert lines[2].recv(1) == b""
    for line in lines:
        line.close()
    assert "Channels.Release" not in desk.methods()


def test_a_lease_without_descriptor_has_none(desk: Desk) -> None:
    with Client(desk.path) as client, client.allocate(group="all", open=False) as channel:
        assert channel.closed


def test_a_refusal_is_its_own_error(desk: Desk) -> None:
    def refuse(request: Request, parameters: Any) -> None:
        raise NoChannel("group all has no free channel", cause=34)

    desk.answers["Channels.Allocate"] = refuse
    with Client(desk.path) as client, pytest.raises(NoChannel) as caught:
        client.allocate(group="all")
    assert caught.value.cause == 34


def test_events_resume_from_the_cursor(desk: Desk) -> None:
    with Client(desk.path) as client:
        with client.events() as stream:
            for n in range(3):
                desk.publish("call.ended", call=str(n))
            assert [next(stream).call for _ in range(2)] == ["0", "1"]
            cursor = stream.cursor
        with client.events(after=cursor) as stream:
            assert next(stream).call == "2"
            desk.publish("span.alarm", span="east")
            assert next(stream).span == "east"


def test_serving_has_begun_when_serve_returns(desk: Desk) -> None:
    with Client(desk.path, label="core") as client:
        served = client.serve(numbers=["2001"])
        assert desk.methods() == ["Calls.Serve"]
        served.close()


def test_after_a_lost_daemon_the_next_call_connects_anew(run_dir: Path) -> None:
    desk = Desk(run_dir / "control.sock")
    with closing(desk):
        with desk.open():
            client = Client(desk.path)
            client.status()
        with pytest.raises(Unreachable, match="ended"):
            client.status()
        with pytest.raises(Unreachable, match="no socket"):
            client.status()
        with desk.open():
            assert client.reclaim("a/1/7").timeslot == 1
            client.close()


def test_what_is_owned_is_reclaimed_before_the_next_call(run_dir: Path) -> None:
    desk = Desk(run_dir / "control.sock")
    with closing(desk):
        with desk.open():
            tokens = iter(("a/1/1", "a/1/2"))
            desk.answers["Channels.Allocate"] = lambda request, parameters: request.reply(
                AllocateReply(token=next(tokens), span="east", timeslot=5)
            )
            client = Client(desk.path, label="core")
            channel = client.allocate(group="all", open=False)
            given_back = client.allocate(group="all", open=False)
            given_back.release()
        desk.asked.clear()
        with desk.open():
            with pytest.raises(Unreachable, match="ended"):
                client.status()
            client.status()
            client.close()
        assert desk.methods() == ["Channels.Reclaim", "Daemon.Status"]
        assert desk.asked[0][2] == ReclaimRequest(token=channel.token, label="core")


def test_streams_go_on_over_a_restart_and_reclaim_what_is_owned(run_dir: Path) -> None:
    desk = Desk(run_dir / "control.sock")
    with closing(desk):
        with desk.open():
            client = Client(desk.path)
            client.allocate(group="all", open=False)
            events, offers = client.events(), client.serve()
            desk.publish("call.ended", call="1")
            assert next(events).call == "1"
        desk.asked.clear()
        with desk.open():
            threading.Timer(0.3, lambda: desk.publish("call.ended", call="2")).start()
            assert next(events).call == "2"
            taken = threading.Thread(target=lambda: next(offers, None), daemon=True)
            taken.start()
            wait_for(lambda: "Calls.Serve" in desk.methods())
            assert "Channels.Reclaim" in desk.methods()
            monitors = [request for _, name, request in desk.asked if name == "Events.Monitor"]
            assert monitors[0].after == CursorRequest(epoch=1, n=1)
            events.close()
            offers.close()
            client.close()
        taken.join(PATIENCE_S)
        assert not taken.is_alive()


def test_streams_of_a_client_that_does_not_resume_end_with_the_daemon(run_dir: Path) -> None:
    desk = Desk(run_dir / "control.sock")
    with closing(desk):
        with desk.open():
            client = Client(desk.path, resume=False)
            events, offers = client.events(), client.serve()
        for stream in (events, offers):
            with pytest.raises(Unreachable):
                next(stream)
        client.close()


def test_nothing_stays_open(desk: Desk) -> None:
    with Client(desk.path) as client:
        client.status()
    wait_for(lambda: not desk.peers())
    before = open_descriptors()
    for _ in range(3):
        with Client(desk.path) as client:
            client.allocate(group="all")
            client.events().close()
            client.serve().close()
    wait_for(lambda: open_descriptors() == before)
