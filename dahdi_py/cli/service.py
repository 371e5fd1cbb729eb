# SPDX-License-Identifier: GPL-2.0-or-later
"""A whole service of one's own: daemon, line hosts and card in a private directory, gone when it is done."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

from dahdi_py.cli import children
from dahdi_py.cli.session import Session
from dahdi_py.errors import DahdiPyError, Unreachable
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.daemon import Status, StopRequest
from dahdi_py.wire.messages.spans import Span, SpanList
from dahdi_py.wire.places import make_private, user_directory

_START_S = 30.0
_LINES_S = 20.0
_STOP_S = 30.0
_GRACE_S = 3.0
_POLL_S = 0.05
# A host's socket lies at RUN/hosts/NAME.sock with a name of up to 32 letters, and a path has room for 107 octets.
_LONGEST_RUN = 107 - len("/hosts/.sock") - 32
_PREFIX = "run-"
_LOG_TAIL = 20
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class DaemonEnded(DahdiPyError):
    """The control daemon ended without being asked to; the message holds its last words."""


class PrivateService:
    """A service that this process started, and that ends with it.

    Args:
        config: The configuration file it runs.

    Synchronization: one thread.
    """

    def __init__(self, config: Path) -> None:
        self.config = config
        self.directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_base()))
        self.socket = self.directory / "control.sock"
        self._core: subprocess.Popen[bytes] | None = None
        self._daemon: subprocess.Popen[bytes] | None = None
        self._spared = children.adopt_orphans()
        self._log = self.directory / "daemon.log"

    def __enter__(self) -> PrivateService:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def session(self) -> Session:
        """A session with this service's daemon."""
        return Session(socket=str(self.socket))

    def environment(self) -> dict[str, str]:
        """The environment in which a program meets this service and no other."""
        return {**os.environ, "DAHDI_PY_SOCKET": str(self.socket)}

    def start(self) -> Status:
        """The service serves.

        Raises:
            DaemonEnded: The daemon refused to run; the message says why.
        """
        config = self.directory / "config.toml"
        shutil.copyfile(self.config, config)
        command = [sys.executable, "-m", "dahdi_py.cli", "daemon", "run", "--private"]
        command += ["--config", str(config), "--run-directory", str(self.directory)]
        with self._log.open("wb") as log:
            self._daemon = children.start(command, self.environment(), log)
        limit = time.monotonic() + _START_S
        while time.monotonic() < limit:
            self.check()
            with suppress(Unreachable):
                status = self.session.ask("org.dahdipy.Daemon.Status", Empty(), Status)
                if status.ready:
                    return status
            time.sleep(_POLL_S)
        raise DahdiPyError(f"the daemon did not become ready within {_START_S:.0f} s\n{self.last_words()}")

    def wait_for_lines(self) -> list[Span]:
        """Every span as it is once all are up, or after a while when some stay down."""
        limit = time.monotonic() + _LINES_S
        while True:
            self.check()
            spans = self.session.ask("org.dahdipy.Spans.List", Empty(), SpanList).spans
            if all(span.state == "ok" for span in spans) or time.monotonic() > limit:
                return spans
            time.sleep(_POLL_S)

    def start_core(self, command: Sequence[str]) -> None:
        """The switching core runs, in the terminal's own output."""
        self._core = children.start(command, self.environment(), None)

    def check(self) -> None:
        """Nothing happens while the daemon runs.

        Raises:
            DaemonEnded: It does not run any more.
        """
        if self._daemon is not None and self._daemon.poll() is not None:
            raise DaemonEnded(f"the control daemon ended ({_how(self._daemon.returncode)})\n{self.last_words()}")

    def wait(self) -> None:
        """The daemon or the core has ended, or a signal has come."""
        with ExitStack() as opened:
            waiting = select.poll()
            for child in (self._daemon, self._core):
                if child is not None:
                    if child.poll() is not None:
                        return
                    descriptor = os.pidfd_open(child.pid)
                    opened.callback(os.close, descriptor)
                    waiting.register(descriptor, select.POLLIN)
            waiting.poll()

    def core_ended(self) -> str:
        """How the core ended, in words, told once; empty while it runs or when there is none."""
        if self._core is None or self._core.poll() is None:
            return ""
        code, self._core = self._core.returncode, None
        return _how(code)

    def stop(self) -> None:
        """Nothing of the service is left: no call, no process, no file."""
        if self._core is not None:
            children.end(self._core, _GRACE_S)
        if self._daemon is not None:
            self._stop_daemon(self._daemon)
        children.end_orphans(self._spared, _GRACE_S)
        shutil.rmtree(self.directory, ignore_errors=True)
        # The user's runtime directory may hold another service's; an empty one is nobody's.
        with suppress(OSError):
            self.directory.parent.rmdir()

    def _stop_daemon(self, daemon: subprocess.Popen[bytes]) -> None:
        if daemon.poll() is None:
            with suppress(DahdiPyError):
                self.session.ask("org.dahdipy.Daemon.Stop", StopRequest(service=True), Empty)
                with suppress(subprocess.TimeoutExpired):
                    daemon.wait(_STOP_S)
        children.end(daemon, _GRACE_S)

    def last_words(self) -> str:
        """The end of each process's log, under its name."""
        logs = [self._log, *sorted(self.directory.glob("hosts/*.log")), *sorted(self.directory.glob("cards/*.log"))]
        tails = ((log, log.read_text(errors="replace").splitlines()[-_LOG_TAIL:]) for log in logs if log.exists())
        return "\n".join(f"{log.relative_to(self.directory)}:\n  " + "\n  ".join(lines) for log, lines in tails)


def _how(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _base() -> Path:
    """The user's runtime directory, or /tmp where there is none or its name leaves no room for socket paths."""
    directory = user_directory()
    fits = len(os.fsencode(directory / f"{_PREFIX}12345678")) <= _LONGEST_RUN
    return make_private(directory) if fits else Path("/tmp")


def interrupted_by_signals() -> None:
    """From now on SIGTERM and SIGHUP do what Ctrl-C does: they raise KeyboardInterrupt, once."""
    for number in _STOPPING:
        signal.signal(number, _interrupt)


def _interrupt(number: int, _frame: object) -> None:
    # Once: the clean-up that this begins is bounded, and must not be cut short.
    for each in _STOPPING:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt(signal.Signals(number).name)
