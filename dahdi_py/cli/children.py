# SPDX-License-Identifier: GPL-2.0-or-later
"""Child processes of a foreground service: started apart from the terminal, awaited, ended, none left behind."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

# <sys/prctl.h>
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

_LIBC = ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> frozenset[int]:
    """From now on, processes whose starter dies become this process's children; those it has already are returned."""
    _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    return frozenset(_children())


def start(command: Sequence[str], environment: Mapping[str, str], log: IO[bytes] | None) -> subprocess.Popen[bytes]:
    """The command runs in a session of its own, so that the terminal's Ctrl-C does not reach it, and is told to end
    when this process is killed.

    Args:
        log: Where its stdout and stderr go; None for this process's own.
    """
    return subprocess.Popen(
        command,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        preexec_fn=_end_with_parent,
    )


def _end_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def end(child: subprocess.Popen[bytes], grace_s: float) -> None:
    """The child has ended: asked by SIGTERM, killed after the grace."""
    if child.poll() is not None:
        return
    child.terminate()
    with suppress(subprocess.TimeoutExpired):
        child.wait(grace_s)
        return
    child.kill()
    child.wait()


def end_orphans(spared: frozenset[int], grace_s: float) -> list[int]:
    """No child of this process is left but the spared; the others, asked by SIGTERM, then killed, are returned."""
    ended: list[int] = []
    limit = time.monotonic() + grace_s
    while remaining := [pid for pid in _children() if pid not in spared]:
        for pid in remaining:
            if pid not in ended:
                ended.append(pid)
                _signal(pid, signal.SIGTERM)
            elif time.monotonic() > limit:
                _signal(pid, signal.SIGKILL)
        _reap(remaining, 0.05)
    return ended


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _reap(pids: Sequence[int], timeout_s: float) -> None:
    """Those of them that have ended are gone from the process table; waits until one does, or for the timeout."""
    waiting = select.poll()
    descriptors = []
    for pid in pids:
        with suppress(ProcessLookupError):
            descriptors.append(os.pidfd_open(pid))
            waiting.register(descriptors[-1], select.POLLIN)
    waiting.poll(timeout_s * 1000)
    for descriptor in descriptors:
        os.close(descriptor)
    for pid in pids:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _children() -> list[int]:
    """Every process whose parent this one is."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            # The command's name, in parentheses, may itself hold spaces and parentheses.
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == os.getpid():
                found.append(int(entry.name))
    return found
