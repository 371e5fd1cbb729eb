# SPDX-License-Identifier: GPL-2.0-or-later
"""The simulated line in C, built with the sanitizers and fed with rubbish."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NATIVE = ROOT / "native/line"


@pytest.mark.parametrize(
    ("sanitizers", "parts"), [("address,undefined", ("engines", "framers", "card", "clock")), ("thread", ("clock",))]
)
def test_the_line_under_the_sanitizers(tmp_path: Path, sanitizers: str, parts: tuple[str, ...]) -> None:
    program = tmp_path / "test_line"
    subprocess.run(
        [
            "cc",
            *("-std=gnu11", "-Wall", "-Wextra", "-Werror", "-g", "-O1", "-fno-omit-frame-pointer", "-pthread"),
            *(f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all"),
            *("-o", str(program)),
            *(str(source) for source in sorted((ROOT / "tests/native").glob("test_line*.c"))),
            *(str(source) for source in sorted(NATIVE.glob("*.c"))),
            "-lm",
        ],
        check=True,
    )
    for part in parts:
        run = subprocess.run(
            [str(program), part],
            env={"UBSAN_OPTIONS": "print_stacktrace=1", "TSAN_OPTIONS": "halt_on_error=1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]
        assert run.stdout == f"{part} done\n"
