# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole service in the foreground, as a newcomer starts it, in a place of its own."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dahdi_py.client import Client
from tests.daemon.process import eventually

ROOT = Path(__file__).parent.parent.parent
COMMAND = (sys.executable, "-m", "dahdi_py.cli")
ECHO_CORE = (sys.executable, str(ROOT / "docs/examples/echo_core.py"))
_UP = "Ctrl-C here stops everything."


class Foreground:
    """`dahdi-py run`, up, with what it said so far.

    Synchronization: one thread.
    """

    def __init__(self, process: subprocess.Popen[str], directory: Path) -> None:
        self.process = process
        self.directory = directory
        self.said = ""

    @property
    def environment(self) -> dict[str, str]:
        """What a second terminal of the same user has."""
        return environment(self.directory)

    @property
    def socket(self) -> Path:
        """The service's control socket, by the pointer that a second terminal follows."""
        return Path((self.directory / "dahdi-py" / "service").read_text().strip())

    def settle(self, core: bool) -> None:
        """Nothing is left of the start: lines that came up late have alarms at first, and a core takes its time."""
        with Client(self.socket) as client:
            for so in (
                lambda: all(span.state == "ok" for span in client.spans()),
                lambda: not client.alarms(),
                lambda: any(span.source for span in client.clock().spans) and not client.clock().findings,
                lambda: not core or any(group.serving for group in client.groups()),
            ):
                eventually(so, "it does not settle")

    def command(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """A command in a second terminal."""
        return subprocess.run(
            [*COMMAND, *arguments], env=self.environment, capture_output=True, text=True, check=False, timeout=timeout
        )

    def wait_until(self, words: str, limit_s: float = 60) -> None:
        """It has said these words."""
        assert self.process.stdout is not None
        limit = time.monotonic() + limit_s
        while words not in self.said:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, limit - time.monotonic()))
            text = os.read(self.process.stdout.fileno(), 65536).decode() if ready else ""
            assert text, f"it ended, or did not say {words!r} within {limit_s:.0f} s; it said: {self.said}"
            self.said += text

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """It was asked to stop, and has; returns its exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)


def environment(directory: Path) -> dict[str, str]:
    """An environment whose user's runtime directory is `directory`, and in which no other service is named."""
    kept = {key: value for key, value in os.environ.items() if key != "DAHDI_PY_SOCKET"}
    return {**kept, "XDG_RUNTIME_DIR": str(directory), "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}"}


@contextmanager
def foreground(directory: Path, *arguments: str) -> Iterator[Foreground]:
    """`dahdi-py run ARGUMENTS`, up and at rest; ended by the end of the block."""
    process = subprocess.Popen(
        [*COMMAND, "run", *arguments],
        cwd=ROOT, env=environment(directory), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    service = Foreground(process, directory)
    try:
        service.wait_until(_UP)
        service.settle(ECHO_CORE[-1] in arguments)
        yield service
    finally:
        if process.poll() is None:
            service.stop()
        assert process.stdout is not None
        process.stdout.close()
