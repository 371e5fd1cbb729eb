# SPDX-License-Identifier: GPL-2.0-or-later
"""A switching core in a process of its own, that does what the test says and may be killed or stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from dahdi_py.client import Channel, Client
from dahdi_py.errors import DahdiPyError


class CoreProcess:
    """The process as the test has it.

    Synchronization: one thread; each question waits for its answer.
    """

    def __init__(self, socket: Path, label: str) -> None:
        command = [sys.executable, __file__, str(socket), label]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._answer()

    @property
    def pid(self) -> int:
        return self._process.pid

    def do(self, method: str, *given: Any, **named: Any) -> Any:
        """What the client's method of that name gave, as plain data; its error is raised as a string."""
        self.begin(method, *given, **named)
        return self._answer()

    def begin(self, method: str, *given: Any, **named: Any) -> None:
        """The same, not waited for."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([method, given, named]) + "\n")
        self._process.stdin.flush()

    def offer(self) -> dict[str, Any]:
        """The next offer to it."""
        while not (reply := self.do("next")).get("offer"):
            pass
        found: dict[str, Any] = reply["offer"]
        return found

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        """It is gone, without a word."""
        self._process.kill()
        self.end()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the core has died"
        answer, error = json.loads(line)
        if error:
            raise AssertionError(error)
        return answer


def _plain(value: Any) -> Any:
    if isinstance(value, Channel):
        return {"token": value.token, "span": value.span, "timeslot": value.timeslot}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return msgspec.to_builtins(value)


def _act() -> None:
    held: list[Any] = []
    with Client(sys.argv[1], label=sys.argv[2]) as client:
        print('[null, ""]', flush=True)
        offers: Any = iter(())
        for line in sys.stdin:
            method, given, named = json.loads(line)
            try:
                if method == "serve":
                    offers, answer = client.serve(*given, **named), None
                elif method == "next":
                    answer = next(offers)
                else:
                    answer = getattr(client, method)(*given, **named)
                    held.append(answer)
            except DahdiPyError as error:
                print(json.dumps([None, f"{type(error).__name__}: {error}"]), flush=True)
            else:
                print(json.dumps([_plain(answer), ""]), flush=True)


if __name__ == "__main__":
    _act()
