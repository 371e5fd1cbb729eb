# SPDX-License-Identifier: GPL-2.0-or-later
"""The C parts around libpri, built with the address and undefined-behaviour sanitizers and fed with rubbish."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
NATIVE = ROOT / "native/libpri"


def test_the_pump_under_the_sanitizers(tmp_path: Path) -> None:
    program = tmp_path / "test_pump"
    library = subprocess.run(
        ["cc", "-print-file-name=libpri.a"], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert Path(library).is_absolute(), "libpri.a is needed for virtual time"
    subprocess.run(
        [
            "cc",
            *("-std=gnu11", "-Wall", "-Wextra", "-Werror", "-g", "-O1", "-fno-omit-frame-pointer"),
            *("-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
            *("-DPUMP_WRAPPED_CLOCK=1", f"-I{NATIVE}", "-Wl,--wrap=gettimeofday,--wrap=read"),
            *("-o", str(program), str(ROOT / "tests/native/test_pump.c")),
            *(str(source) for source in sorted(NATIVE.glob("*.c"))),
            library,
        ],
        check=True,
    )
    # libpri cannot free its controllers; they are no findings.
    run = subprocess.run(
        [str(program)],
        env={"ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0", "UBSAN_OPTIONS": "print_stacktrace=1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]
    assert run.stdout.count("frames,") == 4
