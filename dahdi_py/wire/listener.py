# SPDX-License-Identifier: GPL-2.0-or-later
"""A listening socket that is ours alone, and who connects to it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import stat
import struct
import time
from array import array
from collections.abc import Callable
from pathlib import Path

from dahdi_py.errors import ConfigError
from dahdi_py.wire.loop import Loop, Timer
from dahdi_py.wire.refusals import SocketBusy

PATH_LIMIT = 107
"""Octets of a unix socket's path. Source: unix(7), sun_path less its NUL."""

_PEERCRED = struct.Struct("3i")
_SO_PEERGROUPS = 59
_ACCEPT_ATONCE = 32
_ACCEPT_PAUSE_S = 0.1


def check_path(path: Path) -> None:
    """The path fits into a socket's address.

    Raises:
        ConfigError: It is too long.
    """
    octets = len(os.fsencode(path))
    if octets > PATH_LIMIT:
        raise ConfigError(
            f"socket path {path} has {octets} octets, a unix socket takes at most {PATH_LIMIT}: "
            "use a shorter runtime directory",
            where="socket",
        )


class SocketLock:
    """The right to serve a socket path: a lock on the file beside it, gone with the process.

    Raises:
        SocketBusy: Another process has it.
        ConfigError: The lock file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        name = f"{path}.lock"
        try:
            self._fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise ConfigError(f"cannot make {name}: {error.strerror}", where="socket") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip()
            os.close(self._fd)
            raise SocketBusy(
                f"{path} is served by process {holder or 'unknown'} already: stop that one first",
                path=str(path),
                pid=int(holder) if holder.isdecimal() else 0,
            ) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Others may serve the path; the lock file stays, so that no two can hold different ones."""
        os.close(self._fd)


def credentials(sock: socket.socket) -> tuple[int, int, int, frozenset[int]]:
    """The pid, uid, gid and all groups of the process at the other end, as of its `connect`."""
    pid, uid, gid = _PEERCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEERCRED.size))
    groups = array("i")
    # A process in more groups than fit counts as in none but its own.
    with contextlib.suppress(OSError):
        groups.frombytes(sock.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 1024))
    return pid, uid, gid, frozenset((*groups, gid))


class Listener:
    """Accepts connections on a unix socket path that it alone serves.

    When the process has no descriptor free, the next in line is closed at once (a reserved descriptor makes room for
    that) and accepting pauses: clients see a closed connection instead of silence.

    Args:
        mode: Of the socket; connecting takes write permission.
        group: Gid the socket gets; None leaves it.
        on_connection: Takes each new socket, non-blocking.
        on_exhausted: Told once each time descriptors run out.

    Attributes:
        exhausted_ns: Since when no descriptor was free for a client (UTC); 0 once one was accepted again.

    Raises:
        ConfigError: The path is too long, is something else than our socket, or may not be made.
        SocketBusy: Another process serves it.

    Synchronization: external; only from the loop's thread.
    """

    def __init__(
        self,
        loop: Loop,
        path: Path,
        *,
        backlog: int,
        mode: int,
        group: int | None,
        on_connection: Callable[[socket.socket], None],
        on_exhausted: Callable[[], None],
    ) -> None:
        check_path(path)
        self._loop = loop
        self._path = path
        self._on_connection = on_connection
        self._on_exhausted = on_exhausted
        self.exhausted_ns = 0
        self._pause: Timer | None = None
        self._open = True
        self._lock = SocketLock(path)
        try:
            self._sock = _bind(path, backlog, mode, group)
        except BaseException:
            self._lock.release()
            raise
        status = path.lstat()
        self._identity = (status.st_dev, status.st_ino)
        self._reserve = _reserve()
        loop.add_reader(self._sock.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(_ACCEPT_ATONCE):
            try:
                sock, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                self._turn_away()
                return
            self.exhausted_ns = 0
            sock.setblocking(False)
            self._on_connection(sock)
            if not self._open:
                return

    def _turn_away(self) -> None:
        self.exhausted_ns = self.exhausted_ns or time.time_ns()
        if self._reserve >= 0:
            os.close(self._reserve)
            with contextlib.suppress(OSError):
                self._sock.accept()[0].close()
        self._reserve = _reserve()
        self._loop.remove_reader(self._sock.fileno())
        self._pause = self._loop.call_later(_ACCEPT_PAUSE_S, self._resume)
        self._on_exhausted()

    def _resume(self) -> None:
        self._pause = None
        if self._reserve < 0:
            self._reserve = _reserve()
        self._loop.add_reader(self._sock.fileno(), self._accept)

    def close(self) -> None:
        """Nobody can connect any more; the path is free for the next server."""
        if not self._open:
            return
        self._open = False
        if self._pause is not None:
            self._pause.cancel()
        else:
            self._loop.remove_reader(self._sock.fileno())
        self._sock.close()
        if self._reserve >= 0:
            os.close(self._reserve)
        with contextlib.suppress(OSError):
            status = self._path.lstat()
            if (status.st_dev, status.st_ino) == self._identity:
                self._path.unlink()
        self._lock.release()


def _reserve() -> int:
    """A descriptor to be given up when there are no more; -1 when there is none even for that."""
    try:
        return os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1


def _bind(path: Path, backlog: int, mode: int, group: int | None) -> socket.socket:
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        # The mode of the unbound socket becomes the path's, so that it is never wider for a moment.
        os.fchmod(sock.fileno(), mode)
        sock.bind(os.fspath(path))
        if group is not None:
            os.chown(path, -1, group)
        path.chmod(mode)
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        raise ConfigError(f"cannot listen on {path}: {error.strerror}", where="socket") from error
    return sock


def _remove_stale(path: Path) -> None:
    # Under the lock nobody serves the path, so a socket of ours there is a dead process's.
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"cannot look at {path}: {error.strerror}", where="socket") from error
    if not stat.S_ISSOCK(status.st_mode):
        raise ConfigError(f"{path} exists and is not a socket: remove it or choose another path", where="socket")
    if status.st_uid != os.geteuid():
        raise ConfigError(f"{path} belongs to uid {status.st_uid}: remove it or choose another path", where="socket")
    path.unlink()
