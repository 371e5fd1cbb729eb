# SPDX-License-Identifier: GPL-2.0-or-later
"""A switching core in a process of its own, that does what the test says, line by line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import TracebackType

_PROGRAM = """
import sys
from pathlib import Path
from dahdi_py.errors import DahdiPyError
from tests.daemon.process import Client

path, priority = sys.argv[1:]
with Client(Path(path)) as serving, Client(Path(path)) as core:
    offers = serving.serve(priority=int(priority))
    print("serves", flush=True)
    for line in sys.stdin:
        match line.split():
            case ["next"]:
                reply = next(offers)
                print(f"offer {reply.offer.call}" if reply.offer else f"withdrawn {reply.withdrawn}", flush=True)
            case [what, call, *more]:
                try:
                    core.hangup(call, cause=int(more[0])) if what == "hangup" else getattr(core, what)(call)
                    print("done", flush=True)
                except DahdiPyError as error:
                    print(error.code, error.message, flush=True)
"""


class OtherCore:
    """The process; killed when it is left.

    Synchronization: one thread.
    """

    def __init__(self, path: Path, priority: int) -> None:
        command = [sys.executable, "-c", _PROGRAM, str(path), str(priority)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._line() == "serves"

    def __enter__(self) -> OtherCore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def kill(self) -> None:
        """It is gone without a word."""
        self.process.kill()
        self.process.communicate()

    def do(self, line: str) -> str:
        """What came of `next`, `claim CALL`, `decline CALL`, `hangup CALL CAUSE`."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return self._line()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()
