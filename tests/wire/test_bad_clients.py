# SPDX-License-Identifier: GPL-2.0-or-later
"""What clients do wrong gets a named error or a clean close, one line of log, and no other connection notices."""

import json
import logging
import os
import resource
import select
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from dahdi_py.errors import AccessError
from dahdi_py.wire.blocking import Connection
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.refusals import TooLarge
from dahdi_py.wire.server import Limits
from tests.wire.service import Echo, Echoed, Service, open_descriptors, serving
from tests.wire.waiting import PATIENCE_S, wait_for


@pytest.fixture
def partial_s() -> float:
    """Nobody is late by standing still for a while on a busy machine; the test of who is late has less."""
    return PATIENCE_S


@pytest.fixture
def service(run_dir: Path, partial_s: float) -> Iterator[Service]:
    with serving(run_dir / "s", limits=Limits(connections=8, partial_s=partial_s, output_octets=200_000)) as service:
        yield service


@pytest.fixture
def bystander(service: Service) -> Iterator[Connection]:
    """Another client, which must notice nothing."""
    with Connection(service.path, PATIENCE_S) as connection:
        assert connection.call("org.dahdipy.Test.Echo", Echo(text="before"), Echoed).text == "before"
        yield connection
        assert connection.call("org.dahdipy.Test.Echo", Echo(text="after"), Echoed).text == "after"


@contextmanager
def raw(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(PATIENCE_S)
        sock.connect(str(path))
        yield sock


def until_closed(sock: socket.socket) -> list[dict[str, Any]]:
    """Every message until the other side closes."""
    data = b""
    while True:
        try:
            more = sock.recv(65536)
        except ConnectionResetError:
            more = b""
        if not more:
            assert data.endswith(b"\0") or not data
            return [json.loads(message) for message in data.split(b"\0")[:-1]]
        data += more


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("octets", "error", "says"),
    [
        (b"hello\0", "org.dahdipy.ProtocolError", "malformed"),
        (b"\0", "org.dahdipy.ProtocolError", "truncated"),
        (b"[1]\0", "org.dahdipy.ProtocolError", "Expected `object`"),
        (b'{"method":7}\0', "org.dahdipy.ProtocolError", "$.method"),
        (b'{"method":"\xff\xfe"}\0', "org.dahdipy.ProtocolError", "utf-8"),
        (b'{"method":"a.b.C","x":' + b"[" * 5000 + b"]" * 5000 + b"}\0", "org.dahdipy.ProtocolError", "deep"),
        (b'{"method":"a.b.C","fds":3}\0', "org.dahdipy.ProtocolError", "3 descriptors and 0 came"),
        (b"x" * 70_000, "org.dahdipy.TooLarge", "65536"),
    ],
    ids=["no json", "empty", "array", "type", "utf-8", "deep", "descriptors", "large"],
)
def test_what_is_no_message_is_answered_by_name_then_the_connection_ends(
    service: Service, bystander: Connection, caplog: pytest.LogCaptureFixture, octets: bytes, error: str, says: str
) -> None:
    answered_by_name_then_ended(service, caplog, octets, error, says)


@pytest.mark.parametrize("partial_s", [0.2])
def test_half_a_message_that_stays_half_is_answered_by_name_then_the_connection_ends(
    service: Service, bystander: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    half = b'{"method":"org.dahdi'
    answered_by_name_then_ended(service, caplog, half, "org.dahdipy.ProtocolError", "half a message")


def answered_by_name_then_ended(
    service: Service, caplog: pytest.LogCaptureFixture, octets: bytes, error: str, says: str
) -> None:
    with raw(service.path) as sock:
        sock.sendall(b'{"method":"org.dahdipy.Test.Echo","parameters":{"text":"good"}}\0' + octets)
        good, bad = until_closed(sock)
    assert good["parameters"]["text"] == "good"
    assert bad["error"] == error
    assert says.lower() in bad["parameters"]["message"].lower()
    (line,) = warnings(caplog)
    assert f"pid {os.getpid()}" in line
    assert says.lower() in line.lower()


def test_ten_megabytes_in_one_message_are_cut_off_early(service: Service, bystander: Connection) -> None:
    with Connection(service.path, PATIENCE_S) as connection, pytest.raises(TooLarge, match="65536"):
        connection.call("org.dahdipy.Test.Echo", Echo(text="x" * 10_000_000), Echoed)


def test_half_a_message_then_the_end_is_logged_once(
    service: Service, bystander: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    with raw(service.path) as sock:
        sock.sendall(b'{"method":')
    wait_for(lambda: len(service.gone) == 1)
    assert ["in the middle of a message" in line for line in warnings(caplog)] == [True]


def test_a_message_may_come_in_pieces_with_pauses(run_dir: Path) -> None:
    with serving(run_dir / "s") as service, raw(service.path) as sock:
        for octet in b'{"method":"org.dahdipy.Test.Echo","parameters":{"text":"slow"}}\0':
            sock.sendall(bytes((octet,)))
        assert b"slow" in sock.recv(1000)


def test_who_repeats_a_wrong_call_is_logged_once(
    service: Service, bystander: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    with raw(service.path) as sock:
        for _ in range(50):
            sock.sendall(b'{"method":"org.dahdipy.Test.Nothing"}\0')
            assert b"MethodNotFound" in sock.recv(10_000)
    assert len(warnings(caplog)) == 1


def test_what_a_client_wrote_makes_no_lines_in_the_log(
    service: Service, bystander: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    with raw(service.path) as sock:
        parameters = {"text": "a", "x\n2026-11-22 ERROR forged " + "y" * 1000: 1}
        sock.sendall(json.dumps({"method": "org.dahdipy.Test.Echo", "parameters": parameters}).encode() + b"\0")
        assert b"InvalidParameter" in sock.recv(10_000)
    (line,) = warnings(caplog)
    assert "x?2026" in line
    assert len(line) < 400


def test_who_does_not_read_a_stream_is_cut_off_and_told_of(
    service: Service, bystander: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    with raw(service.path) as sock:
        sock.sendall(b'{"method":"org.dahdipy.Test.Forever","more":true}\0')
        wait_for(lambda: len(service.followers) == 1)
        while not service.slow:
            service.tell_followers("x" * 1000, 100)
        wait_for(lambda: len(service.gone) == 1)
        assert [peer.id for peer in service.slow] == [peer.id for peer in service.gone] == [2]
        assert service.gone[0].closed
        service.tell_followers("into the void", 3)
        until = until_cut(sock)
    assert until > 0
    assert ["does not read" in line for line in warnings(caplog)] == [True]


def until_cut(sock: socket.socket) -> int:
    """Whole messages until the other side closes, perhaps in the middle of one."""
    count = 0
    while data := sock.recv(65536):
        count += data.count(b"\0")
    return count


def test_who_asks_much_and_reads_late_gets_all_answers_in_order(service: Service, bystander: Connection) -> None:
    with raw(service.path) as sock:
        count, text = 3000, "y" * 2000
        reading = 0
        calls = ({"method": "org.dahdipy.Test.Echo", "parameters": {"text": f"{n} {text}"}} for n in range(count))
        pending = b"".join(json.dumps(call).encode() + b"\0" for call in calls)
        sock.setblocking(False)
        data = bytearray()
        while reading < count:
            readable, writable, _ = select.select([sock], [sock] if pending else [], [], PATIENCE_S)
            assert readable or writable
            if writable and pending:
                pending = pending[sock.send(pending[:500_000]) :]
            elif readable:
                more = sock.recv(65536)
                assert more
                data += more
                reading = data.count(b"\0")
        numbers = [int(json.loads(m)["parameters"]["text"].split()[0]) for m in bytes(data).split(b"\0")[:-1]]
        assert numbers == list(range(count))


def test_more_unanswered_calls_than_may_be_are_read_later(run_dir: Path) -> None:
    with serving(run_dir / "s", limits=Limits(unanswered=5)) as service, raw(service.path) as sock:
        sock.sendall(b'{"method":"org.dahdipy.Test.Later","parameters":{"text":"x"}}\0' * 12)
        answered = 0
        while answered < 12:
            due = min(5, 12 - answered)
            wait_for(lambda due=due: len(service.later) == due)  # type: ignore[misc]
            service.run(service.answer_later)
            answered += sock.recv(65536).count(b"\0")
            assert len(service.later) <= 5


def test_who_floods_waits_for_everybody_elses_turn(run_dir: Path) -> None:
    # Turns end by count alone: one that a busy machine ends by time lets more of the flood pass.
    limits = Limits(at_a_turn=4, turn_s=PATIENCE_S, under_way=1000, under_way_of_user=1000)
    with serving(run_dir / "s", limits=limits) as service, raw(service.path) as flood, raw(service.path) as calm:

        def both_at_once() -> None:
            # While this runs nothing is read: all of it is there when the loop looks next.
            flood.sendall(b'{"method":"org.dahdipy.Test.Later","parameters":{"text":"flood"}}\0' * 500)
            calm.sendall(b'{"method":"org.dahdipy.Test.Later","parameters":{"text":"calm"}}\0')

        for sock in (flood, calm):
            sock.sendall(b'{"method":"org.dahdipy.Test.Echo","parameters":{"text":"here"}}\0')
            assert sock.recv(1000)
        service.run(both_at_once)
        wait_for(lambda: len(service.later) == 501)
        order = [parameters.text for _, parameters in service.later]
        assert order.index("calm") <= 8


def test_many_who_flood_delay_others_hardly_more_than_one(run_dir: Path) -> None:
    # Turns end by count alone: one that a busy machine ends by time lets more of the floods pass.
    limits = Limits(at_a_turn=8, turn_s=PATIENCE_S, under_way=1000, under_way_of_user=1000)
    with serving(run_dir / "s", limits=limits) as service, ExitStack() as held:
        floods = [held.enter_context(raw(service.path)) for _ in range(8)]
        calm = held.enter_context(raw(service.path))

        def all_at_once() -> None:
            for flood in floods:
                flood.sendall(b'{"method":"org.dahdipy.Test.Later","parameters":{"text":"flood"}}\0' * 100)
            calm.sendall(b'{"method":"org.dahdipy.Test.Later","parameters":{"text":"calm"}}\0')

        for sock in (*floods, calm):
            sock.sendall(b'{"method":"org.dahdipy.Test.Echo","parameters":{"text":"here"}}\0')
            assert sock.recv(1000)
        service.run(all_at_once)
        wait_for(lambda: len(service.later) == 801)
        order = [parameters.text for _, parameters in service.later]
        assert order.index("calm") <= 8 + 4 + 2 + 2 + 1 + 1 + 1 + 1


def test_one_user_cannot_take_every_connection(run_dir: Path) -> None:
    with serving(run_dir / "s", limits=Limits(of_one_user=2)) as service, ExitStack() as held:
        for _ in range(2):
            connection = held.enter_context(Connection(service.path, PATIENCE_S))
            connection.call("org.dahdipy.Test.Echo", Echo(text="in"), Echoed)
        late = held.enter_context(Connection(service.path, PATIENCE_S))
        with pytest.raises(AccessError, match=rf"uid {os.getuid()} has 2 connections .* the limit of one user"):
            late.call("org.dahdipy.Test.Echo", Echo(text="out"), Echoed)


def test_descriptors_that_nobody_asked_for_are_not_kept(service: Service, bystander: Connection) -> None:
    with raw(service.path) as sock:
        sock.sendall(b'{"method":"org.dahdipy.Test.Echo","parameters":{"text":"a"}}\0')
        assert sock.recv(1000)
        before = open_descriptors()
        ends = os.pipe()
        for _ in range(50):
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("2i", *ends))]
            sock.sendmsg([b'{"method":"org.dahdipy.Test.Echo","parameters":{"text":"a"}}\0'], rights)
            assert sock.recv(1000)
        for end in ends:
            os.close(end)
        assert open_descriptors() == before


def test_one_connection_too_many_is_told_so(
    service: Service, bystander: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    with ExitStack() as held:
        first = held.enter_context(Connection(service.path, PATIENCE_S))
        rest = [held.enter_context(Connection(service.path, PATIENCE_S)) for _ in range(6)]
        for connection in (first, *rest):
            connection.call("org.dahdipy.Test.Echo", Echo(text="in"), Echoed)
        for _ in range(3):
            with Connection(service.path, PATIENCE_S) as late, pytest.raises(AccessError, match="8 connections"):
                late.call("org.dahdipy.Test.Echo", Echo(text="out"), Echoed)
        assert len(warnings(caplog)) == 1
        first.close()
        wait_for(lambda: len(service.gone) == 1)
        with Connection(service.path, PATIENCE_S) as connection:
            assert connection.call("org.dahdipy.Test.Echo", Echo(text="in"), Echoed).text == "in"


def test_running_out_of_descriptors_turns_clients_away_and_recovers(
    service: Service, bystander: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(PATIENCE_S)
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    filling: list[int] = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 8, hard))
        with suppress(OSError):
            while True:
                filling.append(os.open("/dev/null", os.O_RDONLY))
        client.connect(str(service.path))
        assert client.recv(100) == b""
        assert bystander.call("org.dahdipy.Test.Echo", Echo(text="still"), Echoed).text == "still"
    finally:
        for fd in filling:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        client.close()
    assert any("no descriptor is free" in line for line in warnings(caplog))
    with Connection(service.path, PATIENCE_S) as connection:
        assert connection.call("org.dahdipy.Test.Echo", Echo(text="again"), Echoed).text == "again"


def test_a_client_that_ends_is_noticed_though_it_is_owed_answers(service: Service, bystander: Connection) -> None:
    with raw(service.path) as sock:
        sock.sendall(b'{"method":"org.dahdipy.Test.Later","parameters":{"text":"x"}}\0' * 3)
        wait_for(lambda: len(service.later) == 3)
    wait_for(lambda: len(service.gone) == 1)
    before = open_descriptors()
    for request, _ in service.later:
        service.run(lambda request=request: request.reply(Empty(), fds=os.pipe()))  # type: ignore[misc]
    assert open_descriptors() == before
