# SPDX-License-Identifier: GPL-2.0-or-later
"""Who asks for much, or does not listen, has a bounded part of the service: others stand behind no more than that."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from dahdi_py.errors import NotFound
from dahdi_py.wire.server import Limits
from tests.wire.service import Service, serving
from tests.wire.waiting import PATIENCE_S, wait_for

LARGE = 100_000


@contextmanager
def connected(service: Service) -> Iterator[socket.socket]:
    """A client that the server has accepted."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(PATIENCE_S)
        sock.connect(str(service.path))
        sock.sendall(ask("Echo", "here"))
        assert answers(sock, 1)
        yield sock


def ask(method: str, text: str, times: int = 1, *, oneway: bool = False) -> bytes:
    call = {"method": f"org.dahdipy.Test.{method}", "parameters": {"text": text, "times": times}, "oneway": oneway}
    return json.dumps(call).encode() + b"\0"


def answers(sock: socket.socket, count: int) -> list[dict[str, Any]]:
    data = bytearray()
    while data.count(0) < count:
        more = sock.recv(1 << 20)
        assert more
        data += more
    return [json.loads(message) for message in bytes(data).split(b"\0")[:-1]]


def asked(service: Service) -> list[str]:
    return [parameters.text for _, parameters in service.later]


@pytest.mark.parametrize("oneway", [False, True])
def test_what_others_answer_is_bounded_with_and_without_an_answer(run_dir: Path, oneway: bool) -> None:
    with serving(run_dir / "s", limits=Limits(under_way=5)) as service, connected(service) as flood:
        flood.sendall(ask("Later", "x", oneway=oneway) * 12)
        done = 0
        while done < 12:
            due = min(5, 12 - done)
            wait_for(lambda due=due: len(service.later) == due)  # type: ignore[misc]
            # Whoever is heard by the loop now is heard after everything of the flood that may be.
            with connected(service):
                assert len(service.later) == due
            service.run(service.answer_later)
            done += due


def test_connections_of_one_user_share_what_may_be_under_way(run_dir: Path) -> None:
    with serving(run_dir / "s", limits=Limits(under_way=8)) as service, ExitStack() as held:
        floods = [held.enter_context(connected(service)) for _ in range(4)]
        for n, flood in enumerate(floods):
            flood.sendall(ask("Later", str(n)) * 50)
            wait_for(lambda n=n: str(n) in asked(service))  # type: ignore[misc]
        calm = held.enter_context(connected(service))
        calm.sendall(ask("Later", "calm"))
        wait_for(lambda: "calm" in asked(service))
        assert asked(service).index("calm") <= 8 + 8 // 2 + 8 // 3 + 8 // 4


def test_who_leaves_what_nobody_answers_cannot_come_again_for_ever(run_dir: Path) -> None:
    with serving(run_dir / "s", limits=Limits(under_way_of_user=6)) as service:
        for n in range(1, 4):
            with connected(service) as gone:
                gone.sendall(ask("Later", "gone") * 2)
                wait_for(lambda n=n: len(service.later) == 2 * n)  # type: ignore[misc]
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(PATIENCE_S)
            sock.connect(str(service.path))
            (refused,) = answers(sock, 1)
        assert refused["error"] == "org.dahdipy.AccessError"
        assert "left 6 requests" in refused["parameters"]["message"]
        # Nobody hears the answers: one is given, another may be dropped.
        service.run(lambda: service.later.pop()[0].fail(NotFound("late")))
        with connected(service):
            pass
        wait_for(lambda: len(service.gone) == 4)
        service.run(service.later.clear)
        with connected(service) as again:
            again.sendall(ask("Later", "again") * 5)
            wait_for(lambda: len(service.later) == 5)
            service.run(service.answer_later)
            assert len(answers(again, 5)) == 5


def test_a_turn_ends_by_time_whatever_its_calls_cost(run_dir: Path) -> None:
    with serving(run_dir / "s", limits=Limits(turn_s=0)) as service, ExitStack() as held:
        flood, calm = (held.enter_context(connected(service)) for _ in range(2))

        def both_at_once() -> None:
            flood.sendall(ask("Later", "flood") * 16)
            calm.sendall(ask("Later", "calm"))

        service.run(both_at_once)
        wait_for(lambda: len(service.later) == 17)
        assert asked(service).index("calm") <= 2


def test_who_does_not_read_is_owed_a_turns_octets_and_one_answer(run_dir: Path) -> None:
    handled: list[str] = []
    hook = {"authorize": lambda peer, interface, method: handled.append(method.name)}
    with serving(run_dir / "s", **hook) as service, connected(service) as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        del handled[:]
        silent.sendall(ask("Echo", "x" * 100, LARGE // 100) * 16)
        wait_for(lambda: bool(handled))
        with connected(service):
            # What the kernel took for it, and one more.
            assert handled[:-1].count("Echo") <= 5
        assert len(answers(silent, 16)) == 16


def test_answers_that_wait_for_an_earlier_one_are_few(run_dir: Path) -> None:
    handled: list[str] = []
    hook = {"authorize": lambda peer, interface, method: handled.append(method.name)}
    with serving(run_dir / "s", **hook) as service, connected(service) as client:
        del handled[:]
        client.sendall(ask("Later", "first") + ask("Echo", "x" * 100, LARGE // 100) * 100)
        wait_for(lambda: "Echo" in handled)
        with connected(service):
            assert handled == ["Later", "Echo", "Echo"]
        service.run(service.answer_later)
        assert [len(one["parameters"]["text"]) for one in answers(client, 101)] == [5] + [LARGE] * 100


def test_held_answers_count_as_what_a_client_does_not_read(run_dir: Path) -> None:
    with serving(run_dir / "s", limits=Limits(output_octets=LARGE)) as service, connected(service) as client:
        client.sendall(ask("Later", "y" * (LARGE // 2)) * 4)
        wait_for(lambda: len(service.later) == 4)
        service.run(service.answer_later)
        wait_for(lambda: len(service.gone) == 1)
        assert len(service.slow) == 1


@pytest.mark.parametrize("oneway", [False, True])
def test_a_call_behind_a_stream_ends_the_connection_and_says_why(run_dir: Path, oneway: bool) -> None:
    with serving(run_dir / "s") as service, connected(service) as client:
        # Few enough to go out in one piece: the server ends at the first, maybe while more are being sent.
        client.sendall(b'{"method":"org.dahdipy.Test.Forever","more":true}\0' + ask("Echo", "z", oneway=oneway) * 100)
        first, last = answers(client, 2)
        assert first["continues"]
        assert last["error"] == "org.dahdipy.ProtocolError"
        assert "org.dahdipy.Test.Echo behind the stream of org.dahdipy.Test.Forever" in last["parameters"]["message"]
        wait_for(lambda: len(service.gone) == 1)


def test_a_call_after_the_end_of_a_stream_is_answered(run_dir: Path) -> None:
    with serving(run_dir / "s") as service, connected(service) as client:
        client.sendall(b'{"method":"org.dahdipy.Test.Forever","more":true}\0')
        assert answers(client, 1)
        service.run(lambda: service.followers[0].fail(NotFound("it is over")))
        client.sendall(ask("Echo", "after"))
        assert answers(client, 2)[1]["parameters"]["text"] == "after"
