# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the service's sockets are: the runtime directory, and who looks where.

RUN is the directory of `DAHDI_PY_SOCKET`, else /run/dahdi-py, else $XDG_RUNTIME_DIR/dahdi-py, else /tmp/dahdi-py-UID.
A daemon takes the first it may create, a client the first that answers. A service with a private RUN (the embedded
one) leaves a pointer in the user's runtime directory: the file `service`, whose only line is the control socket's path.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dahdi_py.errors import ConfigError, Unreachable
from dahdi_py.wire.replies import connect

SOCKET_VARIABLE = "DAHDI_PY_SOCKET"
SYSTEM_RUN = Path("/run/dahdi-py")
SYSTEM_STATE = Path("/var/lib/dahdi-py")

_CONTROL = "control.sock"
_VIEW = "view.sock"
_POINTER = "service"
_TEMPORARY = Path("/tmp")


@dataclass(frozen=True, slots=True)
class Place:
    """A control socket that a client tries.

    Attributes:
        system: It is the machine's service, or the one asked for by name; not a private one found by its pointer.
    """

    path: Path
    system: bool


def user_directory() -> Path:
    """The user's own runtime directory, whether or not it exists: under XDG_RUNTIME_DIR, else under /tmp."""
    if base := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(base) / "dahdi-py"
    return _temporary_directory()


def _temporary_directory() -> Path:
    return _TEMPORARY / f"dahdi-py-{os.geteuid()}"


def _is_private(directory: Path) -> bool:
    """Whether nobody else can have put anything into it."""
    try:
        status = directory.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022


def make_private(directory: Path) -> Path:
    """The directory exists, is ours and closed to others.

    Raises:
        ConfigError: It cannot be made, or is somebody else's.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot make {directory}: {error.strerror}", where=str(directory)) from error
    if not _is_private(directory):
        raise ConfigError(f"{directory} is not ours alone: remove it, or set {SOCKET_VARIABLE}", where=str(directory))
    return directory


def run_directory() -> Path:
    """RUN for a daemon that starts: the first place it may create, made.

    Raises:
        ConfigError: None of them can be had.
    """
    if named := os.environ.get(SOCKET_VARIABLE):
        directory = Path(named).absolute().parent
        with contextlib.suppress(OSError):
            directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        if not os.access(directory, os.W_OK | os.X_OK):
            raise ConfigError(f"{SOCKET_VARIABLE}={named}: cannot write to {directory}", where=SOCKET_VARIABLE)
        return directory
    with contextlib.suppress(OSError):
        SYSTEM_RUN.mkdir(mode=0o755, exist_ok=True)
        if os.access(SYSTEM_RUN, os.W_OK | os.X_OK):
            return SYSTEM_RUN
    return make_private(user_directory())


def control_socket(run: Path) -> Path:
    """The control socket that a daemon of this RUN serves."""
    named = os.environ.get(SOCKET_VARIABLE)
    if named and Path(named).absolute().parent == run:
        return Path(named).absolute()
    return run / _CONTROL


def view_socket(run: Path) -> Path:
    """The read-only socket beside the control socket."""
    return run / _VIEW


def host_socket(run: Path, name: str) -> Path:
    """Where the line host of that name listens."""
    return run / "hosts" / f"{name}.sock"


def card_socket(run: Path, card: str = "") -> Path:
    """Where a simulated card listens: `card.sock`, or `card-NAME.sock` where there is more than one."""
    return run / (f"card-{card}.sock" if card else "card.sock")


def state_directory(run: Path) -> Path:
    """What outlives a reboot: /var/lib/dahdi-py for the machine's own RUN, the state inside RUN for a private one."""
    return SYSTEM_STATE if run == SYSTEM_RUN else run / "state"


def service_pointer() -> Path:
    """The file by which a private service tells this user's other commands where its control socket is."""
    return user_directory() / _POINTER


@contextlib.contextmanager
def advertised(control: Path) -> Iterator[None]:
    """This user's other commands find the service at `control`, until the end of the block.

    Raises:
        ConfigError: The user's runtime directory cannot be had.
    """
    pointer = make_private(user_directory()) / _POINTER
    fresh = pointer.with_name(f"{_POINTER}.{os.getpid()}")
    fresh.write_text(f"{control}\n")
    fresh.replace(pointer)
    try:
        yield
    finally:
        if _read_pointer(pointer) == Path(control):
            pointer.unlink(missing_ok=True)


def _read_pointer(pointer: Path) -> Path | None:
    try:
        lines = pointer.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    return Path(lines[0]) if lines and lines[0].startswith("/") else None


def candidates() -> Iterator[Place]:
    """The control sockets that a client tries, in order; nothing under /tmp that others could have planted."""
    if named := os.environ.get(SOCKET_VARIABLE):
        yield Place(Path(named).absolute(), True)
        return
    yield Place(SYSTEM_RUN / _CONTROL, True)
    for directory in dict.fromkeys((user_directory(), _temporary_directory())):
        if _is_private(directory):
            yield Place(directory / _CONTROL, True)
            if target := _read_pointer(directory / _POINTER):
                yield Place(target, False)


def client_socket() -> Place:
    """The first control socket that answers.

    Raises:
        Unreachable: None does; the message says how to start the service.
    """
    tried: list[str] = []
    refused: Unreachable | None = None
    for place in candidates():
        tried.append(str(place.path))
        try:
            connect(place.path).close()
        except Unreachable as error:
            # A socket that is there and refuses us says more than one that is missing.
            if refused is None and place.path.exists():
                refused = error
            continue
        return place
    if refused is not None:
        raise refused
    raise Unreachable(
        "no dahdi-py service answers: start one with `dahdi-py daemon`, or `dahdi-py run --embedded` without hardware"
        f" (tried {', '.join(tried)})",
        path=tried[-1],
    )
