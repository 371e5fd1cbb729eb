# SPDX-License-Identifier: GPL-2.0-or-later
"""Keeping one other process alive: started when its socket does not answer, adopted when it does, watched by pidfd."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

LOG = logging.getLogger(__name__)

BACK_OFF_S = (0.2, 30.0)
"""Pause before a process that died is started again: at first, and at most."""
_STEADY_S = 10.0
_ASK_S = (0.02, 0.5)
LOG_OCTETS = 1 << 20
"""A process's log is cut to its newest quarter when it is larger than this."""


class Process:
    """One process that should run: `line-host a`, `sim-card b`.

    `connect` is tried until it succeeds: it says the pid of who answers, or None. When nobody does and we are the
    supervisor, the command is started; when the process is gone `on_exit` is told and all begins anew, ever slower.

    Args:
        command: None when another supervisor starts it.

    Attributes:
        pid: Of the process, 0 when there is none.
        restarts: How often it had to be started again.
        problem: Why it does not run, in words.
        gone: Done when the process that runs now has ended.

    Synchronization: the loop's thread.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        name: str,
        command: Sequence[str] | None,
        log: Path,
        connect: Callable[[], int | None],
        on_exit: Callable[[], None],
    ) -> None:
        self.name = name
        self.pid = 0
        self.restarts = 0
        self.problem = ""
        self.gone: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._command = command
        self._log = log
        self._connect = connect
        self._on_exit = on_exit
        self._pidfd = -1
        self._child: subprocess.Popen[bytes] | None = None
        self._connected = False
        self._stopped = False
        self._back_off = BACK_OFF_S[0]
        self._ask = _ASK_S[0]
        self._up_since = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def tend(self) -> bool:
        """Connected now, or on the way there. True when somebody answered at once."""
        self._timer = None
        if self._stopped or self._connected:
            return self._connected
        pid = self._connect()
        if pid is not None:
            self._answered(pid)
            return True
        if not self.pid and self._command is not None:
            self._start()
        elif not self.pid:
            self.problem = "does not answer; systemd starts it"
        self._again(self._ask)
        self._ask = min(2 * self._ask, _ASK_S[1])
        return False

    def lost(self, problem: str) -> None:
        """The connection is gone; the process may be."""
        self._connected = False
        self.problem = problem
        if not self._stopped and self._timer is None:
            self._again(self._slower())

    def stop(self) -> None:
        """It is left alone from now on: neither started nor connected to."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def kill(self, number: signal.Signals) -> None:
        """The process, if it still runs, gets the signal."""
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(self._pidfd, number)

    def close(self) -> None:
        """It is not watched any more."""
        self.stop()
        self._unwatch()

    def bound_log(self) -> None:
        """The log holds at most LOG_OCTETS and a little."""
        with contextlib.suppress(OSError):
            size = self._log.stat().st_size
            if size <= LOG_OCTETS:
                return
            with self._log.open("r+b") as file:
                file.seek(size - LOG_OCTETS // 4)
                tail = file.read().partition(b"\n")[2]
                # Writers append, so they go on behind what stays.
                file.truncate(0)
                file.seek(0)
                file.write(tail)

    def _again(self, delay: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(delay, self.tend)

    def _slower(self) -> float:
        if time.monotonic() - self._up_since > _STEADY_S:
            self._back_off = BACK_OFF_S[0]
        delay = self._back_off
        self._back_off = min(2 * self._back_off, BACK_OFF_S[1])
        return delay

    def _answered(self, pid: int) -> None:
        self._connected = True
        self.problem = ""
        self._ask = _ASK_S[0]
        self._up_since = time.monotonic()
        if pid != self.pid:
            self._watch(pid)

    def _start(self) -> None:
        assert self._command is not None
        environment = {key: value for key, value in os.environ.items() if not key.startswith("LISTEN_")}
        try:
            self._log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._log.open("ab") as log:
                self._child = subprocess.Popen(
                    self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                    env=environment,
                )  # fmt: skip
        except OSError as error:
            self.problem = f"cannot be started: {error}"
            LOG.error("%s %s", self.name, self.problem)
            self._again(self._slower())
            return
        LOG.info("%s started, pid %d", self.name, self._child.pid)
        self.problem = "starting"
        self._watch(self._child.pid)

    def _watch(self, pid: int) -> None:
        self._unwatch()
        try:
            self._pidfd = os.pidfd_open(pid)
        except OSError:
            return
        self.pid = pid
        self.gone = self._loop.create_future()
        self._loop.add_reader(self._pidfd, self._exited)

    def _unwatch(self) -> None:
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
        self.pid = 0

    def _exited(self) -> None:
        pid = self.pid
        self._unwatch()
        self.gone.set_result(None)
        self._connected = False
        self.problem = self._how_it_ended(pid)
        LOG.log(logging.INFO if self._stopped else logging.ERROR, "%s (pid %d) %s", self.name, pid, self.problem)
        self._on_exit()
        if not self._stopped:
            self.restarts += 1
            if self._timer is None:
                self._again(self._slower())

    def _how_it_ended(self, pid: int) -> str:
        child, self._child = self._child, None
        if child is None or child.pid != pid:
            return "has ended"
        status = child.wait()
        if status < 0:
            return f"was killed by {signal.Signals(-status).name}"
        return f"ended with status {status}; the last line of {self._log}: {self._last_line()!r}"

    def _last_line(self) -> str:
        try:
            with self._log.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 2000))
                lines = file.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return ""
        return lines[-1][:300] if lines else ""
