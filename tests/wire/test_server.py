# SPDX-License-Identifier: GPL-2.0-or-later
"""A server and its clients on real sockets."""

import logging
import os
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest

from dahdi_py.errors import ChannelBusy, DahdiPyError, RoleMissing, Unreachable
from dahdi_py.wire.blocking import Connection
from dahdi_py.wire.framing import Reader, ReplyMessage, close_all, parse_reply, receive
from dahdi_py.wire.interface import Empty, Interface, Method, Record
from dahdi_py.wire.loop import turn
from dahdi_py.wire.refusals import ExpectedMore, InterfaceNotFound, InvalidParameter, MethodNotFound
from dahdi_py.wire.server import Peer, Request
from tests.wire.service import Count, Counted, Echo, Echoed, Service, open_descriptors, serving
from tests.wire.waiting import PATIENCE_S, wait_for


@pytest.fixture
def service(run_dir: Path) -> Iterator[Service]:
    with serving(run_dir / "control.sock") as service:
        yield service


@pytest.fixture
def connection(service: Service) -> Iterator[Connection]:
    with Connection(service.path) as connection:
        yield connection


def test_a_call_is_answered(connection: Connection) -> None:
    assert connection.call("org.dahdipy.Test.Echo", Echo(text="wörd"), Echoed) == Echoed(text="wörd", count=1)


def test_an_error_arrives_as_its_class_with_its_fields(connection: Connection) -> None:
    with pytest.raises(ChannelBusy, match="taken") as caught:
        connection.call("org.dahdipy.Test.Fail", None, Empty)
    assert caught.value.holder == 42


def test_an_unexpected_exception_is_answered_and_logged_once(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(DahdiPyError, match="log has the trace") as caught:
        connection.call("org.dahdipy.Test.Crash", None, Empty)
    assert caught.value.code == "org.dahdipy.Failed"
    assert connection.call("org.dahdipy.Test.Echo", Echo(text="on"), Echoed).text == "on"
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1


def test_descriptors_come_with_the_reply_and_ours_are_closed(connection: Connection) -> None:
    reply, fds = connection.call_fds("org.dahdipy.Test.Pipe", None, Echoed)
    assert len(fds) == 2
    os.write(fds[1], b"through")
    assert os.read(fds[0], 10) == b"through"
    os.close(fds[1])
    assert os.read(fds[0], 10) == b""  # the server kept no writing end
    os.close(fds[0])
    assert reply.count == 2


def test_a_stream_goes_on_until_its_iterator_is_closed(service: Service) -> None:
    with Connection(service.path) as connection:
        stream = connection.stream("org.dahdipy.Test.Follow", Count(upto=3), Counted)
        assert [reply.n for reply in stream] == [0, 1, 2]
        assert connection.call("org.dahdipy.Test.Echo", Echo(text="after"), Echoed).text == "after"
        stream = connection.stream("org.dahdipy.Test.Follow", Count(upto=10), Counted)
        assert next(stream).n == 0
        with pytest.raises(ValueError, match="carries a stream"):
            connection.call("org.dahdipy.Test.Echo", Echo(text="between"), Echoed)
        stream.close()
        assert connection.closed


@pytest.mark.parametrize(
    ("method", "parameters", "expected", "field"),
    [
        ("org.dahdipy.Test.Echo", b'{"text":5}', InvalidParameter, "text"),
        ("org.dahdipy.Test.Echo", b"{}", InvalidParameter, "text"),
        ("org.dahdipy.Test.Echo", b"null", InvalidParameter, "text"),
        ("org.dahdipy.Test.Echo", b'{"text":"a","txt":1}', InvalidParameter, "txt"),
        ("org.dahdipy.Test.Echo", b'{"text":"\xff"}', InvalidParameter, "parameters"),
        ("org.dahdipy.Test.Echo", b"[]", InvalidParameter, "parameters"),
        ("org.dahdipy.Test.Nothing", b"{}", MethodNotFound, "org.dahdipy.Test.Nothing"),
        ("org.dahdipy.Nowhere.Echo", b"{}", InterfaceNotFound, "org.dahdipy.Nowhere"),
        ("Echo", b"{}", InterfaceNotFound, ""),
        ("", b"{}", InterfaceNotFound, ""),
        ("org.dahdipy.Test.Follow", b'{"upto":1}', ExpectedMore, None),
    ],
)
def test_a_wrong_call_is_refused_by_name_and_the_connection_goes_on(
    connection: Connection, method: str, parameters: bytes, expected: type[DahdiPyError], field: str | None
) -> None:
    with pytest.raises(expected) as caught:
        connection.call(method, msgspec.Raw(parameters), Empty)
    assert type(caught.value) is expected
    if field is not None:
        assert field in caught.value.fields.values()
    assert connection.call("org.dahdipy.Test.Echo", Echo(text="on"), Echoed).text == "on"


def test_a_null_member_is_one_left_out(connection: Connection) -> None:
    raw = msgspec.Raw(b'{"text":"a","times":null}')
    assert connection.call("org.dahdipy.Test.Echo", raw, Echoed).text == "a"


def test_answers_go_out_in_the_order_of_the_calls(service: Service) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(PATIENCE_S)
        sock.connect(str(service.path))
        for method, text in (("Later", "1"), ("Echo", "2"), ("Later", "3"), ("Pipe", ""), ("Fail", ""), ("Echo", "6")):
            parameters = {"text": text} if text else {}
            call = {"method": f"org.dahdipy.Test.{method}", "parameters": parameters}
            sock.sendall(msgspec.json.encode(call) + b"\0")
        call_later_twice(service)
        reader = Reader()
        got: list[ReplyMessage] = []
        while len(got) < 6:
            got += [parse_reply(message) for message in reader.feed(*receive(sock))]
        descriptors = reader.take(2)
        close_all(descriptors)
        said = [reply.error or msgspec.json.decode(reply.parameters)["text"] for reply in got]
        assert said == ["1", "2", "3", "pipe", "org.dahdipy.ChannelBusy", "6"]
        assert [reply.fds for reply in got] == [0, 0, 0, 2, 0, 0]


def call_later_twice(service: Service) -> None:
    """Both waiting calls are answered, the later one first and in a turn of its own."""
    wait_for(lambda: len(service.later) == 2)
    (first, second), service.later = service.later, []
    for request, parameters in (second, first):
        service.run(partial(request.reply, Echoed(text=parameters.text, count=0)))


def test_a_call_one_way_has_no_answer(connection: Connection, service: Service) -> None:
    sock = socket.socket(fileno=os.dup(connection.fileno()))
    with sock:
        for method in ("Echo", "Fail", "Crash", "Pipe", "Nothing"):
            sock.sendall(b'{"method":"org.dahdipy.Test.%b","oneway":true}\0' % method.encode())
    assert connection.call("org.dahdipy.Test.Echo", Echo(text="next"), Echoed).text == "next"


def test_a_stream_one_way_is_refused_and_logged(
    connection: Connection, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    sock = socket.socket(fileno=os.dup(connection.fileno()))
    with sock:
        sock.sendall(b'{"method":"org.dahdipy.Test.Forever","oneway":true,"more":true}\0')
    assert connection.call("org.dahdipy.Test.Echo", Echo(text="next"), Echoed).text == "next"
    assert service.followers == []
    assert "org.dahdipy.Test.Forever answers more than once: call it with more and not oneway" in caplog.text


def test_the_peer_is_who_the_kernel_says(run_dir: Path) -> None:
    seen: list[Peer] = []
    with serving(run_dir / "s", on_connect=seen.append) as service, Connection(service.path) as connection:
        connection.call("org.dahdipy.Test.Echo", Echo(text="a"), Echoed)
        (peer,) = seen
        assert (peer.id, peer.pid, peer.uid, peer.gid) == (1, os.getpid(), os.getuid(), os.getgid())
        assert peer.groups == {*os.getgroups(), os.getgid()}
        assert service.run(lambda: service.server.peers) == [peer]
        assert not peer.closed
        service.run(peer.close)
        assert peer.closed
        assert service.gone == [peer]


def test_a_hook_may_refuse_a_method(run_dir: Path) -> None:
    def authorize(peer: Peer, interface: Interface, method: Method) -> None:
        if method.name == "Echo":
            raise RoleMissing("uid lacks the role core", role="core", setting="roles.core")

    with serving(run_dir / "s", authorize=authorize) as service, Connection(service.path) as connection:
        with pytest.raises(RoleMissing) as caught:
            connection.call("org.dahdipy.Test.Echo", Echo(text="a"), Echoed)
        assert caught.value.setting == "roles.core"
        with pytest.raises(ChannelBusy):
            connection.call("org.dahdipy.Test.Fail", None, Empty)


def test_a_client_that_a_hook_cannot_take_is_cut_off(run_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(peer: Peer) -> None:
        raise LookupError("by accident")

    with (
        serving(run_dir / "s", on_connect=refuse) as service,
        Connection(service.path) as connection,
        pytest.raises(Unreachable),
    ):
        connection.call("org.dahdipy.Test.Echo", Echo(text="a"), Echoed)
    assert "could not be taken" in caplog.text


def test_closing_sends_what_there_is_and_ends_every_connection(run_dir: Path) -> None:
    path = run_dir / "s"
    with serving(path) as service, Connection(path) as connection, Connection(path) as other:
        other.call("org.dahdipy.Test.Echo", Echo(text="a"), Echoed)
        stream = connection.stream("org.dahdipy.Test.Forever", None, Counted)
        assert next(stream).n == 0

        def last_words() -> None:
            with turn:
                service.followers[0].reply(Counted(n=1), continues=True)
                service.server.close()

        service.run(last_words)
        assert next(stream).n == 1
        with pytest.raises(Unreachable):
            next(stream)
        with pytest.raises(Unreachable):
            other.call("org.dahdipy.Test.Echo", Echo(text="a"), Echoed)
        assert not path.exists()
        assert len(service.gone) == 2


def test_after_stop_listening_connections_go_on_and_another_may_serve(run_dir: Path) -> None:
    path = run_dir / "s"
    with serving(path) as old, Connection(path) as connection:
        connection.call("org.dahdipy.Test.Echo", Echo(text="a"), Echoed)
        old.run(old.server.stop_listening)
        with serving(path), Connection(path) as fresh:
            assert fresh.call("org.dahdipy.Test.Echo", Echo(text="new"), Echoed).text == "new"
            assert connection.call("org.dahdipy.Test.Echo", Echo(text="old"), Echoed).text == "old"
        assert not path.exists()


def test_what_is_said_in_one_turn_is_sent_at_once(service: Service) -> None:
    with Connection(service.path) as connection:
        stream = connection.stream("org.dahdipy.Test.Forever", None, Counted)
        next(stream)

        def tell() -> bytes:
            with turn:
                for n in range(1, 4):
                    service.followers[0].reply(Counted(n=n), continues=True)
                with pytest.raises(BlockingIOError):
                    os.read(sock.fileno(), 1)
            return os.read(sock.fileno(), 65536)

        with socket.socket(fileno=os.dup(connection.fileno())) as sock:
            sock.setblocking(False)
            assert service.run(tell).count(b"\0") == 3


def test_every_method_has_a_handler_and_every_handler_a_method(service: Service) -> None:
    lonely = Interface("org.dahdipy.Lonely", "Lonely.", (Method("Here", Empty, Empty), Method("There", Empty, Empty)))

    def handler(request: Request, parameters: Empty) -> None:
        request.reply(parameters)

    register = service.server.register
    with pytest.raises(ValueError, match="no handler for There"):
        register(lonely, {"Here": handler})
    with pytest.raises(ValueError, match="no method Nowhere"):
        register(lonely, {"Here": handler, "There": handler, "Nowhere": handler})
    register(lonely, {"Here": handler, "There": handler})
    with pytest.raises(ValueError, match="registered already"):
        register(lonely, {"Here": handler, "There": handler})


def test_an_answer_that_cannot_be_written_leaks_no_descriptor(service: Service, connection: Connection) -> None:
    connection.call("org.dahdipy.Test.Echo", Echo(text="a"), Echoed)
    before = open_descriptors()
    with socket.socket(fileno=os.dup(connection.fileno())) as sock:
        sock.sendall(b'{"method":"org.dahdipy.Test.Later","parameters":{"text":"a"}}\0')
        wait_for(lambda: len(service.later) == 1)
    (request, _), service.later = service.later[0], []
    with pytest.raises(TypeError):
        service.run(lambda: request.reply(Odd(what=object()), fds=os.pipe()))
    service.run(lambda: request.reply(Echoed(text="b", count=0)))
    service.run(lambda: request.reply(Echoed(text="twice", count=0), fds=os.pipe()))
    assert open_descriptors() == before


class Odd(Record):
    """What JSON has no form for."""

    what: object
