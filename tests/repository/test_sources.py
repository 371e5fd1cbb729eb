# SPDX-License-Identifier: GPL-2.0-or-later
"""What every file of the tree has in common."""

import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import rings

ROOT = Path(__file__).parent.parent.parent
LICENCE = "SPDX-License-Identifier: GPL-2.0-or-later"
FOLDERS = (".ci", "bench", "dahdi_py", "docs", "native", "scripts", "systemd", "tests", "udev")
SUFFIXES = {".py", ".pyi", ".c", ".h", ".sh"}
LONGEST = 400


def sources() -> Iterator[Path]:
    """The source files and scripts of the tree; not what cffi generates into it."""
    yield from (ROOT / "Makefile", ROOT / "setup.py", ROOT / "pyproject.toml")
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            generated = path.parent.name == "ffi" and path.suffix == ".c"
            if path.is_file() and "__pycache__" not in path.parts and not generated and is_source(path):
                yield path


def is_source(path: Path) -> bool:
    return path.suffix in SUFFIXES or (not path.suffix and path.read_bytes()[:2] == b"#!")


def is_shell(path: Path) -> bool:
    # The guest's first process must reach its power-off whatever failed before.
    return path.read_bytes().startswith(b"#!/bin/bash\n") and path.name != "guest-init"


def test_every_source_states_its_licence() -> None:
    missing = [str(path.relative_to(ROOT)) for path in sources() if LICENCE not in path.read_text()[:300]]
    assert not missing


def test_no_source_is_long() -> None:
    product = [path for path in sources() if path.relative_to(ROOT).parts[0] in {"dahdi_py", "native", "scripts"}]
    long = {
        str(path.relative_to(ROOT)): lines
        for path in product
        if path.suffix != ".pyi" and (lines := len(path.read_text().splitlines())) > LONGEST
    }
    assert not long


def test_every_test_belongs_to_a_ring() -> None:
    homes = {*(path for paths in rings.TESTS.values() for path in paths), rings.KERNEL_TESTS}
    tests = {path.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py")}
    homeless = [str(path) for path in tests if not homes & {str(path), *map(str, path.parents)}]
    assert not homeless


def test_every_ring_is_run() -> None:
    assert {*rings.ORDER} == {*rings.ACTIONS}


@pytest.mark.parametrize("script", [path for path in sources() if is_shell(path)], ids=lambda path: path.name)
def test_shell_scripts_parse_and_stop_at_the_first_error(script: Path) -> None:
    run = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert "set -euo pipefail" in script.read_text()
    assert os.access(script, os.X_OK)


def test_every_kind_of_data_file_is_packaged() -> None:
    """A file that is not Python reaches the wheel only if its kind is named."""
    kinds = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["*"]
    others = [path for path in (ROOT / "dahdi_py").rglob("*") if path.is_file() and path.suffix not in {".py", ".pyc"}]
    data = [path for path in others if path.suffix not in {".so", ".o", ".c"}]
    assert [str(path) for path in data if not any(path.match(kind) for kind in kinds)] == []


def test_installing_asks_for_nothing_when_all_is_there(tmp_path: Path) -> None:
    """The run set is installed wherever the tests run, so apt-get and sudo must not be called."""
    for name in ("apt-get", "sudo"):
        (tmp_path / name).write_text("#!/bin/sh\necho called >&2\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    run = install_packages("run", f"{tmp_path}:{os.environ['PATH']}")
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_installing_without_rights_says_what_to_do(tmp_path: Path) -> None:
    """Nothing installed, not root, no sudo: the message names the packages and the command."""
    for name in ("bash", "dirname"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    for name, text in {"dpkg-query": "exit 1", "id": "echo 1000"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "sh").symlink_to("/bin/sh")
    run = install_packages("run", str(tmp_path))
    assert run.returncode == 1
    assert "run as root, or install sudo, or: apt-get install python3-venv" in run.stderr
    assert "libpri-dev" in run.stderr


def install_packages(which: str, path: str) -> subprocess.CompletedProcess[str]:
    command = ["/bin/bash", str(ROOT / "scripts" / "install-packages"), which]
    return subprocess.run(
        command, env={"PATH": path}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
