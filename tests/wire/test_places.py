# SPDX-License-Identifier: GPL-2.0-or-later
"""Who finds whom: where a daemon puts its sockets, and which one a client takes."""

import os
from pathlib import Path

import pytest

from dahdi_py.errors import ConfigError, Unreachable
from dahdi_py.wire import places
from tests.wire.service import serving


@pytest.fixture
def system(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of our own: its /run/dahdi-py (not there yet), /tmp and user directory."""
    monkeypatch.setattr(places, "SYSTEM_RUN", run_dir / "run" / "dahdi-py")
    monkeypatch.setattr(places, "_TEMPORARY", run_dir / "tmp")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(run_dir / "user"))
    monkeypatch.delenv(places.SOCKET_VARIABLE, raising=False)
    for name in ("tmp", "user"):
        (run_dir / name).mkdir(mode=0o700)
    return run_dir


def test_a_named_socket_decides_for_daemon_and_client(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(places.SOCKET_VARIABLE, str(system / "mine" / "c.sock"))
    run = places.run_directory()
    assert run == system / "mine"
    assert run.is_dir()
    assert places.control_socket(run) == system / "mine" / "c.sock"
    assert [place.path for place in places.candidates()] == [system / "mine" / "c.sock"]
    with serving(system / "mine" / "c.sock"):
        assert places.client_socket() == places.Place(system / "mine" / "c.sock", True)


def test_a_named_socket_that_cannot_be_is_refused(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (system / "file").write_text("")
    monkeypatch.setenv(places.SOCKET_VARIABLE, str(system / "file" / "c.sock"))
    with pytest.raises(ConfigError, match=r"DAHDI_PY_SOCKET=.*cannot write"):
        places.run_directory()


def test_a_daemon_takes_the_first_place_it_may_create(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert places.run_directory() == system / "user" / "dahdi-py"  # there is no /run to make ours in
    assert (system / "user" / "dahdi-py").stat().st_mode & 0o777 == 0o700
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert places.run_directory() == system / "tmp" / f"dahdi-py-{os.geteuid()}"
    (system / "run").mkdir()
    assert places.run_directory() == system / "run" / "dahdi-py"


def test_every_socket_has_its_place() -> None:
    run = Path("/run/dahdi-py")
    assert places.control_socket(run) == run / "control.sock"
    assert places.view_socket(run) == run / "view.sock"
    assert places.host_socket(run, "a") == run / "hosts" / "a.sock"
    assert places.card_socket(run) == run / "card.sock"
    assert places.card_socket(run, "b") == run / "card-b.sock"


def test_a_client_takes_the_first_that_answers(system: Path) -> None:
    user = places.run_directory()
    (system / "run" / "dahdi-py").mkdir(parents=True)
    with serving(user / "control.sock"):
        assert places.client_socket().path == user / "control.sock"
        with serving(system / "run" / "dahdi-py" / "control.sock"):
            assert places.client_socket().path == system / "run" / "dahdi-py" / "control.sock"


def test_a_private_service_is_found_by_its_pointer_while_it_lives(system: Path) -> None:
    control = system / "private.sock"
    with serving(control), places.advertised(control):
        assert places.service_pointer().read_text() == f"{control}\n"
        assert places.client_socket() == places.Place(control, False)
    assert not places.service_pointer().exists()
    with pytest.raises(Unreachable, match=r"start one with `dahdi-py daemon`"):
        places.client_socket()


def test_a_pointer_that_names_another_service_by_now_stays(system: Path) -> None:
    with places.advertised(system / "old.sock"):
        places.service_pointer().write_text("/somewhere/new.sock\n")
    assert places.service_pointer().read_text() == "/somewhere/new.sock\n"


def test_a_socket_that_refuses_says_more_than_those_missing(system: Path) -> None:
    (system / "run" / "dahdi-py").mkdir(parents=True)
    path = system / "run" / "dahdi-py" / "control.sock"
    with serving(path) as service:
        os.link(path, path.with_name("kept"))
        service.run(service.server.stop_listening)
    path.with_name("kept").rename(path)
    with pytest.raises(Unreachable, match="nobody listens"):
        places.client_socket()


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_nothing_is_taken_from_a_directory_that_others_can_write(system: Path, mode: int) -> None:
    user = places.run_directory()
    with serving(user / "control.sock"):
        user.chmod(mode)
        with pytest.raises(Unreachable):
            places.client_socket()
        with pytest.raises(ConfigError, match="not ours alone"):
            places.run_directory()


def test_nothing_is_taken_from_a_directory_behind_a_link(system: Path) -> None:
    places.run_directory().rename(system / "moved")
    (system / "user" / "dahdi-py").symlink_to(system / "moved")
    with serving(system / "moved" / "control.sock"), pytest.raises(Unreachable):
        places.client_socket()


@pytest.mark.parametrize("content", [b"", b"relative/path\n", b"\xff\xfe\n", b"\n/second/line\n"])
def test_a_pointer_that_is_none_is_ignored(system: Path, content: bytes) -> None:
    (places.run_directory() / "service").write_bytes(content)
    assert all(place.system for place in places.candidates())
