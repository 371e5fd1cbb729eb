# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes wrong with one call of an example ends that call, and no other: at a desk that decides what goes wrong."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from dahdi_py.client import Bearer, Media, Offer, Party, ServeReply
from dahdi_py.errors import DahdiPyError, StaleToken, WrongCallState
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.calls import ClaimReply, ClaimRequest
from dahdi_py.wire.messages.channels import OpenReply, OpenRequest
from dahdi_py.wire.server import Request
from tests.client.desk import Desk, a_pair
from tests.system.foreground import ROOT
from tests.wire.waiting import PATIENCE_S, wait_for

EACH = pytest.mark.parametrize("arguments", [["echo_core.py"], ["ivr.py", "2001", "/nowhere", "60"]])
EXAMPLES = ROOT / "docs/examples"
GONE = WrongCallState("the caller has hung up", call="c", state="released", operation="Answer")


class Exchange:
    """A desk that offers calls to whoever serves, each with a channel whose other end is the test's.

    Attributes:
        lines: The far end of each channel that was opened, by call.
        fails: By call and method, the error it is answered with.
    """

    def __init__(self, path: Path) -> None:
        self.desk = Desk(path)
        self.lines: dict[str, socket.socket] = {}
        self.fails: dict[tuple[str, str], DahdiPyError] = {}
        self._serving: Request | None = None
        self.desk.answers |= {
            "Calls.Serve": self._serve,
            "Calls.Claim": self._claim,
            "Channels.Open": self._open,
            "Calls.Answer": self._step("Answer"),
            "Calls.Alert": self._step("Alert"),
        }

    def _serve(self, request: Request, _: object) -> None:
        self._serving = request
        request.reply(ServeReply(), continues=True)

    def _claim(self, request: Request, wants: ClaimRequest) -> None:
        self._check(wants.call, "Claim")
        request.reply(ClaimReply(token=f"a/1/{wants.call}", span="east", timeslot=1))

    def _open(self, request: Request, wants: OpenRequest) -> None:
        call = wants.token.rpartition("/")[2]
        self._check(call, "Open")
        descriptor, self.lines[call] = a_pair()
        request.reply(OpenReply(span="east", timeslot=1, media=Media(), fd=0), fds=(descriptor,))

    def _step(self, method: str) -> Callable[[Request, object], None]:
        def step(request: Request, wants: object) -> None:
            self._check(wants.call, method)  # type: ignore[attr-defined]
            request.reply(Empty())

        return step

    def _check(self, call: str, method: str) -> None:
        if (call, method) in self.fails:
            raise self.fails[call, method]

    def offer(self, call: str) -> None:
        """The call is offered to who serves."""
        wait_for(lambda: self._serving is not None)
        offer = Offer(
            call=call, group="", span="east", span_number=1, timeslot=1, called=Party(number="2001"),
            calling=Party(number="1000"), bearer=Bearer(), law="alaw",
        )  # fmt: skip
        serving = self._serving
        assert serving is not None
        self.desk.run(lambda: serving.reply(ServeReply(offer=offer), continues=True))

    def asked(self, method: str, call: str) -> bool:
        """Whether that was asked for the call."""
        return any(name == method and what.call == call for _, name, what in self.desk.asked)

    def close(self) -> None:
        for line in self.lines.values():
            line.close()
        self.desk.close()


@pytest.fixture
def exchange(run_dir: Path) -> Iterator[Exchange]:
    exchange = Exchange(run_dir / "control.sock")
    with closing(exchange), exchange.desk.open():
        yield exchange


@contextmanager
def running(exchange: Exchange, *command: str) -> Iterator[subprocess.Popen[str]]:
    """An example under way at the exchange; what it says is at its `stdout`."""
    environment = os.environ | {"DAHDI_PY_SOCKET": str(exchange.desk.path), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as program:
        try:
            yield program
        finally:
            program.kill()


def talks(line: socket.socket) -> bool:
    """Whether what is said on the line is answered with audio."""
    line.send(b"\x55" * 160)
    return len(line.recv(200)) == 160


def _fails(exchange: Exchange) -> None:
    """Callers that hang up at every moment on the way to the answer."""
    exchange.fails = {
        ("claim", "Claim"): GONE,
        ("open", "Open"): StaleToken("it has ended", token="a/1/open"),
        ("answer", "Answer"): GONE,
    }


@EACH
def test_a_caller_that_hangs_up_at_once_ends_its_call_alone(exchange: Exchange, arguments: list[str]) -> None:
    _fails(exchange)
    with running(exchange, sys.executable, str(EXAMPLES / arguments[0]), *arguments[1:]) as program:
        exchange.offer("before")
        wait_for(lambda: "before" in exchange.lines)
        for call in ("claim", "open", "answer"):
            exchange.offer(call)
            wait_for(lambda call=call: exchange.asked("Calls.Hangup", call))  # type: ignore[misc]
        exchange.offer("after")
        wait_for(lambda: "after" in exchange.lines)
        assert talks(exchange.lines["before"])
        assert talks(exchange.lines["after"])
        assert program.poll() is None
        assert not exchange.asked("Calls.Hangup", "before")


@EACH
def test_a_channel_that_dies_ends_its_call_alone(exchange: Exchange, arguments: list[str]) -> None:
    with running(exchange, sys.executable, str(EXAMPLES / arguments[0]), *arguments[1:]) as program:
        for call in ("stays", "dies"):
            exchange.offer(call)
            wait_for(lambda call=call: call in exchange.lines)  # type: ignore[misc]
        assert talks(exchange.lines["dies"])
        exchange.lines["dies"].close()
        wait_for(lambda: exchange.asked("Calls.Hangup", "dies"))
        assert talks(exchange.lines["stays"])
        assert program.poll() is None
        program.terminate()
        said = program.communicate(timeout=PATIENCE_S)[0]
    assert "Traceback" not in said
    assert not exchange.asked("Calls.Hangup", "stays")


@pytest.fixture
def core_in_c(run_dir: Path) -> Path:
    built = run_dir / "core"
    subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", built, EXAMPLES / "core.c"], check=True)
    return built


def test_the_core_in_c_goes_on_after_callers_that_hang_up_and_channels_that_die(
    exchange: Exchange, core_in_c: Path
) -> None:
    _fails(exchange)
    with running(exchange, str(core_in_c), str(exchange.desk.path), "echo", "2001", "2") as program:
        exchange.offer("stays")
        wait_for(lambda: exchange.asked("Calls.Answer", "stays"))
        exchange.offer("claim")
        for call in ("open", "answer"):
            exchange.offer(call)
            wait_for(lambda call=call: exchange.asked("Calls.Hangup", call))  # type: ignore[misc]
        exchange.offer("dies")
        wait_for(lambda: exchange.asked("Calls.Answer", "dies"))
        assert talks(exchange.lines["dies"])
        exchange.lines["dies"].close()
        assert talks(exchange.lines["stays"])
        for call in ("open", "answer", "dies", "stays"):
            exchange.desk.publish("call.ended", call=call, data={"cause": 16})
        said = program.communicate(timeout=PATIENCE_S)[0]
    assert program.returncode == 0, said
    assert [line for line in said.splitlines() if "ended" in line and "cause" in line] == [
        "dies ended, cause 16",
        "stays ended, cause 16",
    ]
