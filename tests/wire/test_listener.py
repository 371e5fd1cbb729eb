# SPDX-License-Identifier: GPL-2.0-or-later
"""A socket path has one server; what else can be wrong with a path says what to do."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dahdi_py.errors import ConfigError, Unreachable
from dahdi_py.wire.blocking import Connection
from dahdi_py.wire.refusals import SocketBusy
from tests.wire.service import Echo, Echoed, open_descriptors, serving

_SERVE = """
import asyncio, sys
from dahdi_py.wire.server import Server
loop = asyncio.new_event_loop()
server = Server(loop, sys.argv[1])
print("serving", flush=True)
loop.run_forever()
"""


def test_a_second_server_on_a_path_is_told_who_has_it(run_dir: Path) -> None:
    path = run_dir / "s"
    child = subprocess.Popen([sys.executable, "-c", _SERVE, str(path)], stdout=subprocess.PIPE)
    with child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == b"serving\n"
            with pytest.raises(SocketBusy, match=f"served by process {child.pid} already") as caught, serving(path):
                pass
            assert caught.value.pid == child.pid
            with Connection(path) as connection:
                assert connection.call("org.varlink.service.GetInfo", None, dict)["product"] == "dahdi-py"
        finally:
            child.kill()
    assert path.is_socket()
    with pytest.raises(Unreachable, match="nobody listens"):
        Connection(path)
    with serving(path), Connection(path) as connection:
        assert connection.call("org.dahdipy.Test.Echo", Echo(text="taken over"), Echoed).text == "taken over"


def test_two_servers_in_one_process_do_not_share_a_path(run_dir: Path) -> None:
    with serving(run_dir / "s"), pytest.raises(SocketBusy), serving(run_dir / "s"):
        pass


def test_a_server_leaves_nothing_but_its_lock_file(run_dir: Path) -> None:
    before = open_descriptors()
    with serving(run_dir / "s"):
        assert sorted(path.name for path in run_dir.iterdir()) == ["s", "s.lock"]
    assert [path.name for path in run_dir.iterdir()] == ["s.lock"]
    assert open_descriptors() == before


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_the_socket_has_its_mode_and_group(run_dir: Path, mode: int) -> None:
    old = os.umask(0o077)
    try:
        with serving(run_dir / "s", mode=mode, group=os.getgid()):
            status = (run_dir / "s").stat()
            assert stat.S_IMODE(status.st_mode) == mode
            assert status.st_gid == os.getgid()
    finally:
        os.umask(old)


def test_something_else_at_the_path_is_left_alone(run_dir: Path) -> None:
    path = run_dir / "s"
    path.write_text("precious")
    with pytest.raises(ConfigError, match="is not a socket: remove it"), serving(path):
        pass
    assert path.read_text() == "precious"
    path.unlink()
    path.symlink_to(run_dir / "elsewhere")
    with pytest.raises(ConfigError, match="is not a socket"), serving(path):
        pass
    assert path.is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a socket another user's")
def test_another_users_socket_is_left_alone(run_dir: Path) -> None:
    path = run_dir / "s"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
    os.chown(path, 12345, -1)
    with pytest.raises(ConfigError, match="belongs to uid 12345"), serving(path):
        pass
    assert path.is_socket()


def test_a_socket_that_was_replaced_is_not_removed(run_dir: Path) -> None:
    path = run_dir / "s"
    with serving(path):
        path.unlink()
        path.write_text("somebody's")
    assert path.read_text() == "somebody's"


def test_a_path_too_long_says_how_long_it_may_be(run_dir: Path) -> None:
    path = run_dir / ("x" * (108 - len(str(run_dir)) - 1))
    assert len(str(path)) == 108
    for use in (lambda: serving(path).__enter__(), lambda: Connection(path)):
        with pytest.raises(ConfigError, match="has 108 octets, a unix socket takes at most 107"):
            use()
    with serving(path.with_name(path.name[:-1])) as service, Connection(service.path):
        pass


def test_a_directory_that_is_not_there_is_named(run_dir: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere.*No such file"), serving(run_dir / "nowhere" / "s"):
        pass
