# SPDX-License-Identifier: GPL-2.0-or-later
"""The distribution builds, installs and imports outside of the tree."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
EXTENSIONS = ("_libpri", "_dahdi", "_line", "_media")
TREE = ("dahdi_py", "native", "setup.py", "pyproject.toml", "MANIFEST.in", "LICENSE", "README.md")
BUILT = shutil.ignore_patterns("__pycache__", "*.so", "*.o", "_*.c")

pytestmark = [pytest.mark.packaging, pytest.mark.timeout(600)]


def run(*command: str, cwd: Path, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
    """Run *command* and hand back both of its streams in stdout."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert not check or done.returncode == 0, done.stdout
    return done


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what the distribution is made from, with nothing built in it."""
    copy = tmp_path / "tree"
    copy.mkdir()
    for name in TREE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=BUILT)
        else:
            shutil.copy(source, copy / name)
    return copy


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """The python of a fresh environment that finds this one's packages, but not the project."""
    run("/usr/bin/python3", "-m", "venv", "--without-pip", str(tmp_path / "venv"), cwd=tmp_path)
    packages = next(Path(sys.prefix).glob("lib/python3*/site-packages"))
    site = next((tmp_path / "venv").glob("lib/python3*/site-packages"))
    # A plain path, not `site.addsitedir`: the editable installation's own .pth is not read.
    (site / "borrowed.pth").write_text(f"{packages}\n")
    return tmp_path / "venv" / "bin" / "python"


def pip(python: Path, *arguments: str, cwd: Path, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
    offline = ("--no-build-isolation", "--no-deps", "--no-index", "--disable-pip-version-check")
    return run(str(python), "-m", "pip", *arguments, *offline, cwd=cwd, check=check, **env)


def imports_all(python: Path, cwd: Path) -> list[str]:
    """Where each extension came from, imported by *python*."""
    names = ", ".join(f"dahdi_py.ffi.{name} as {name}" for name in EXTENSIONS)
    program = f"import {names}\nfor one in ({', '.join(EXTENSIONS)}): print(one.lib and one.__file__)"
    return run(str(python), "-c", program, cwd=cwd).stdout.split()


def test_a_wheel_is_complete(tree: Path, scratch: Path, tmp_path: Path) -> None:
    """Every module, every data file and every extension are in it, and nothing else."""
    pip(scratch, "wheel", "--wheel-dir", str(tmp_path / "dist"), str(tree), cwd=tmp_path)
    (wheel,) = (tmp_path / "dist").glob("dahdi_py-*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    extensions = {name for name in names if name.endswith(".so")}
    assert {Path(name).name.partition(".")[0] for name in extensions} == {*EXTENSIONS}
    product = {str(path.relative_to(tree)) for path in (tree / "dahdi_py").rglob("*") if path.is_file()}
    assert names - extensions == product


def test_an_installation_imports_its_extensions(tree: Path, scratch: Path, tmp_path: Path) -> None:
    pip(scratch, "install", str(tree), cwd=tmp_path)
    places = imports_all(scratch, tmp_path)
    assert [Path(place).name.partition(".")[0] for place in places] == [*EXTENSIONS]
    assert all(place.startswith(str(tmp_path / "venv")) for place in places)
    assert "dahdi-py" in run(str(scratch.parent / "dahdi-py"), "--version", cwd=tmp_path).stdout


def test_an_editable_installation_imports_its_extensions(tree: Path, scratch: Path, tmp_path: Path) -> None:
    pip(scratch, "install", "--editable", str(tree), cwd=tmp_path)
    assert all(place.startswith(str(tree)) for place in imports_all(scratch, tmp_path))


def test_missing_headers_name_their_package(tree: Path, scratch: Path, tmp_path: Path) -> None:
    """A compiler that finds no libpri.h stands for a machine without libpri-dev."""
    compiler = tmp_path / "cc"
    compiler.write_text('#!/bin/sh\nexec gcc -nostdinc "$@"\n')
    compiler.chmod(0o755)
    done = pip(scratch, "install", str(tree), cwd=tmp_path, check=False, CC=str(compiler))
    assert done.returncode != 0
    assert "libpri-dev" in done.stdout
