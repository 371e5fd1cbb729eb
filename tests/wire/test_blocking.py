# SPDX-License-Identifier: GPL-2.0-or-later
"""The caller that waits: what it says when nobody answers, or answers wrongly."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from dahdi_py.errors import ChannelBusy, NotFound, Timeout, UnknownRemoteError, Unreachable
from dahdi_py.wire.blocking import Connection
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.refusals import ProtocolError
from tests.wire.service import Count, Counted, Echo, Echoed, Service, open_descriptors, serving
from tests.wire.waiting import PATIENCE_S, wait_for


@pytest.fixture
def service(run_dir: Path) -> Iterator[Service]:
    with serving(run_dir / "s") as service:
        yield service


@contextmanager
def answering(path: Path, octets: bytes) -> Iterator[None]:
    """A server that answers the first call with these octets and closes."""

    def serve() -> None:
        sock, _ = listening.accept()
        with sock:
            sock.recv(65536)
            sock.sendall(octets)

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(path))
        listening.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            thread.join(PATIENCE_S)


def test_no_socket_says_that_the_service_does_not_run(run_dir: Path) -> None:
    with pytest.raises(Unreachable, match=r"there is no socket .*/none: the service is not running"):
        Connection(run_dir / "none")


def test_a_dead_socket_says_that_nobody_listens(run_dir: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(run_dir / "s"))
    with pytest.raises(Unreachable, match=r"nobody listens on .*: the service has ended"):
        Connection(run_dir / "s")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not connect")
def test_a_socket_of_others_says_that_a_group_is_missing(service: Service, run_dir: Path) -> None:
    run_dir.chmod(0o755)
    attempt = (
        "import os, sys; from dahdi_py.wire.blocking import Connection; from dahdi_py.errors import Unreachable\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: Connection(sys.argv[1])\nexcept Unreachable as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", attempt, str(service.path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert "uid 65534 may not connect" in done.stdout
    assert "group" in done.stdout


def later(
    service: Service, text: str, connection: Connection, unwanted: Callable[[Echoed], None] | None = None
) -> None:
    """The call has timed out, and the service has it."""
    count = len(service.later)
    with pytest.raises(Timeout, match=r"did not answer org\.dahdipy\.Test\.Later in time"):
        connection.call_fds("org.dahdipy.Test.Later", Echo(text=text), Echoed, unwanted=unwanted)
    wait_for(lambda: len(service.later) > count)


def test_an_answer_that_comes_late_is_swallowed_and_the_connection_goes_on(service: Service) -> None:
    unwanted: list[Echoed] = []
    with Connection(service.path, timeout=0.05) as connection:
        later(service, "a", connection, unwanted.append)
        later(service, "b", connection)
        assert not connection.closed
        assert connection.owing
        service.run(service.answer_later)
        wait_for(lambda: not connection.settle())
        assert not connection.owing
        assert [reply.text for reply in unwanted] == ["a"]
        assert not service.gone


def test_a_late_answer_comes_before_that_of_the_next_call(service: Service) -> None:
    unwanted: list[Echoed] = []
    with Connection(service.path, timeout=0.05) as connection:
        later(service, "a", connection, unwanted.append)
        service.run(service.answer_later)
        wait_for(lambda: service.run(lambda: not service.later))
        connection.timeout = PATIENCE_S
        assert connection.call("org.dahdipy.Test.Echo", Echo(text="b"), Echoed).text == "b"
        assert [reply.text for reply in unwanted] == ["a"]


def test_descriptors_of_a_late_answer_are_closed(service: Service) -> None:
    with Connection(service.path, timeout=0.05) as connection:
        later(service, "a", connection)
        before = open_descriptors()
        with pytest.raises(Timeout):
            connection.call("org.dahdipy.Test.Pipe", None, Echoed)
        service.run(service.answer_later)
        wait_for(lambda: not connection.settle())
        wait_for(lambda: open_descriptors() == before)


def test_a_late_error_is_swallowed(service: Service) -> None:
    with Connection(service.path, timeout=0.05) as connection:
        later(service, "a", connection)
        with pytest.raises(Timeout):
            connection.call("org.dahdipy.Test.Fail", None, Empty)
        service.run(service.answer_later)
        wait_for(lambda: not connection.settle())
        connection.timeout = PATIENCE_S
        assert connection.call("org.dahdipy.Test.Echo", Echo(text="b"), Echoed).text == "b"


def test_a_request_that_did_not_go_out_whole_goes_on_before_the_next(run_dir: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(run_dir / "s"))
        listening.listen()
        with Connection(run_dir / "s", timeout=0.05) as connection:
            server, _ = listening.accept()
            with server:
                for _ in range(8):  # more than a socket holds: one of them stops in its middle
                    with suppress(Timeout):
                        connection.call("a.b.C", {"pad": "x" * 50_000}, dict)
                answered = threading.Thread(target=_answer_all, args=(server,))
                answered.start()
                connection.timeout = PATIENCE_S
                assert connection.call("a.b.D", None, dict) == {"method": "a.b.D"}
                answered.join(PATIENCE_S)


def _answer_all(server: socket.socket) -> None:
    """Every whole request up to one for `a.b.D` is answered with its own method."""
    octets, method = b"", ""
    while method != "a.b.D":
        octets += server.recv(65536)
        *whole, octets = octets.split(b"\0")
        for request in whole:
            method = msgspec.json.decode(request)["method"]
            server.sendall(msgspec.json.encode({"parameters": {"method": method}}) + b"\0")


def test_the_first_answer_of_a_stream_has_the_timeout_and_the_rest_take_their_time(service: Service) -> None:
    # As short as the test can bear to wait, as long as a busy machine may take for the first.
    with Connection(service.path, timeout=2) as connection:
        stream = connection.stream("org.dahdipy.Test.Forever", None, Counted)
        assert next(stream).n == 0
        late = threading.Timer(2.5, lambda: service.tell_followers("late", 1))
        late.start()
        assert next(stream).n == 0
        late.join()
    with Connection(service.path, timeout=0.05) as connection, pytest.raises(Timeout):
        next(connection.stream("org.dahdipy.Test.Later", Echo(text="a"), Echoed))


def test_an_error_ends_a_stream_and_the_connection_goes_on(service: Service) -> None:
    with Connection(service.path) as connection:
        stream = connection.stream("org.dahdipy.Test.Follow", Count(upto=1), Counted)
        assert [reply.n for reply in stream] == [0]
        with pytest.raises(ChannelBusy, match="taken"):
            list(connection.stream("org.dahdipy.Test.Fail", None, Empty))
        assert connection.call("org.dahdipy.Test.Echo", Echo(text="on"), Echoed).text == "on"


@pytest.mark.parametrize(
    ("octets", "error", "says"),
    [
        (b"", Unreachable, "closed by the other side"),
        (b'{"parameters":', Unreachable, "closed by the other side"),
        (b"nonsense\0", ProtocolError, "not a varlink reply"),
        (b'{"parameters":{"text":1,"count":2}}\0', ProtocolError, "Expected `str`"),
        (b'{"parameters":{}}\0', ProtocolError, "missing required field"),
        (b'{"parameters":{"text":"a","count":1},"fds":2}\0', ProtocolError, "2 descriptors and 0 came"),
        (b'{"error":"org.dahdipy.NotFound","parameters":{"message":"no span 9","kind":"span"}}\0', NotFound, "no span"),
        (b'{"error":"com.example.Odd","parameters":{"x":1}}\0', UnknownRemoteError, "com.example.Odd x=1"),
        (b'{"error":"com.example.Odd"}\0', UnknownRemoteError, "com.example.Odd"),
        (b'{"error":"com.example.Odd","parameters":[1]}\0', UnknownRemoteError, "com.example.Odd"),
    ],
)
def test_odd_answers_are_named_errors(run_dir: Path, octets: bytes, error: type[Exception], says: str) -> None:
    before = open_descriptors()
    with (
        answering(run_dir / "s", octets),
        Connection(run_dir / "s", PATIENCE_S) as connection,
        pytest.raises(error, match=says),
    ):
        connection.call("a.b.C", None, Echoed)
    assert open_descriptors() == before


def test_members_of_later_versions_are_ignored(run_dir: Path) -> None:
    octets = b'{"parameters":{"text":"a","count":1,"new":[{}]},"newer":true}\0'
    with answering(run_dir / "s", octets), Connection(run_dir / "s", PATIENCE_S) as connection:
        assert connection.call("a.b.C", None, Echoed) == Echoed(text="a", count=1)
    (run_dir / "s").unlink()
    with answering(run_dir / "s", octets), Connection(run_dir / "s", PATIENCE_S) as connection:
        assert connection.call("a.b.C", None, Empty) == Empty()


def test_parameters_may_be_given_by_name_and_read_as_they_stand(service: Service) -> None:
    with Connection(service.path) as connection:
        assert connection.call("org.dahdipy.Test.Echo", {"text": "a", "times": 2}, dict) == {"text": "aa", "count": 1}
        raw = msgspec.Raw(b'{"text":"b"}')
        assert connection.call("org.dahdipy.Test.Echo", raw, Echoed).text == "b"


def test_closing_wakes_who_waits_in_a_stream(service: Service) -> None:
    connection = Connection(service.path)
    stream = connection.stream("org.dahdipy.Test.Forever", None, Counted)
    next(stream)
    ended: list[BaseException] = []

    def wait() -> None:
        try:
            next(stream)
        except Unreachable as error:
            ended.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    connection.close()
    thread.join(PATIENCE_S)
    assert len(ended) == 1


@pytest.fixture
def one_processor() -> Iterator[None]:
    """A thread that is woken runs when the one that woke it waits."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.usefixtures("one_processor")
def test_closing_wakes_who_waits_for_an_answer_though_the_number_is_anothers_at_once(run_dir: Path) -> None:
    with serving(run_dir / "s") as service:
        for n in range(20):
            connection = Connection(service.path, PATIENCE_S)
            ended: list[type[Unreachable]] = []

            def wait(connection: Connection = connection, ended: list[type[Unreachable]] = ended) -> None:
                try:
                    connection.call("org.dahdipy.Test.Later", Echo(text="never"), Echoed)
                except Unreachable as error:
                    ended.append(type(error))

            thread = threading.Thread(target=wait)
            thread.start()
            wait_for(lambda n=n: len(service.later) > n)  # type: ignore[misc]
            connection.close()
            silent = socket.socketpair()
            thread.join()
            for sock in silent:
                sock.close()
            assert ended == [Unreachable]


def test_a_call_that_a_stream_refuses_leaves_who_waits_in_the_stream_to_be_woken(run_dir: Path) -> None:
    with serving(run_dir / "s") as service:
        connection = Connection(service.path, PATIENCE_S)
        stream = connection.stream("org.dahdipy.Test.Forever", None, Counted)
        assert next(stream).n == 0
        begins, ended = threading.Event(), []

        def wait() -> None:
            begins.set()
            try:
                next(stream)
            except Unreachable as error:
                ended.append(error.message)

        thread = threading.Thread(target=wait)
        thread.start()
        begins.wait(PATIENCE_S)
        for _ in range(100):  # the thread waits during one of them at the latest
            with pytest.raises(ValueError, match="calls need another"):
                connection.call("org.dahdipy.Test.Echo", Echo(text="a"), Echoed)
        connection.close()
        silent = socket.socketpair()
        thread.join(PATIENCE_S)
        for sock in silent:
            sock.close()
        assert not thread.is_alive()
        assert len(ended) == 1
        assert "Bad file" not in ended[0]
