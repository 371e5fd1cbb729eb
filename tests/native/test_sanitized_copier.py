# SPDX-License-Identifier: GPL-2.0-or-later
"""The copier's C under the sanitizers, its thread at work."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("sanitizers", ["address,undefined", "thread"])
def test_the_copier_under_the_sanitizers(tmp_path: Path, sanitizers: str) -> None:
    program = tmp_path / "test_copier"
    subprocess.run(
        [
            "cc",
            *("-std=gnu11", "-Wall", "-Wextra", "-Werror", "-g", "-O1", "-fno-omit-frame-pointer", "-pthread"),
            *(f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all", "-I", str(ROOT / "native/media")),
            *("-o", str(program), str(ROOT / "tests/native/test_copier.c"), str(ROOT / "native/media/copier.c")),
        ],
        check=True,
    )
    run = subprocess.run(
        [str(program)],
        env={"UBSAN_OPTIONS": "print_stacktrace=1", "TSAN_OPTIONS": "halt_on_error=1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]
    assert run.stdout == "done\n"
