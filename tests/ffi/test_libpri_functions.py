# SPDX-License-Identifier: GPL-2.0-or-later
"""The declaration, held against the header and the library that are installed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dahdi_py.ffi import _libpri

ROOT = Path(__file__).parents[2]
DECLARED_ONLY = {"pri_schedule_run_tv", "pri_status_req", "pri_status_req_rsp"}
FUNCTION = re.compile(r"\b(pri_\w+)\s*\(")


def preprocessed_header() -> str:
    run = subprocess.run(
        ["cc", "-E", "-P", "-xc", "-"], input="#include <libpri.h>\n", capture_output=True, text=True, check=True
    )
    return run.stdout


def shared_library() -> str | None:
    run = subprocess.run(["cc", "-print-file-name=libpri.so"], capture_output=True, text=True, check=True)
    path = run.stdout.strip()
    return path if Path(path).is_absolute() else None


def declared() -> set[str]:
    return set(FUNCTION.findall((ROOT / "native/libpri/libpri.cdef.txt").read_text()))


def test_every_function_of_the_header_is_declared() -> None:
    in_header = set(FUNCTION.findall(preprocessed_header()))
    assert in_header - DECLARED_ONLY == declared()


def test_every_exported_function_is_declared_and_bound() -> None:
    library = shared_library()
    if library is None:
        pytest.skip("no shared libpri on this machine to compare with")
    symbols = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
    exported = {line.split()[-1] for line in symbols.splitlines()}
    in_header = set(FUNCTION.findall(preprocessed_header()))
    assert exported & (in_header | DECLARED_ONLY) == declared()
    assert len(declared()) == 126
    for name in declared():
        assert callable(getattr(_libpri.lib, name))


def test_a_missing_header_names_the_package(tmp_path: Path) -> None:
    compiler = tmp_path / "cc"
    compiler.write_text("#!/bin/sh\nexit 1\n")
    compiler.chmod(0o755)
    run = subprocess.run(
        [sys.executable, "native/libpri/build.py"],
        cwd=ROOT,
        env={"CC": str(compiler), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode != 0
    assert "libpri-dev" in run.stderr
