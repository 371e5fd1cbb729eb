# SPDX-License-Identifier: GPL-2.0-or-later
"""Build ``dahdi_py.ffi._libpri``: libpri with the pump in front of it.

Debian's static ``libpri.a`` is linked in with its ``gettimeofday`` wrapped, so that libpri's timers run on our clock.
Where only the shared library exists the extension uses that, and the pump watches the wall clock for steps instead.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from cffi import FFI

HERE = Path(__file__).parent
SOURCES = (
    "access.c",
    "calls.c",
    "clock.c",
    "commands.c",
    "dchannel.c",
    "events.c",
    "frame.c",
    "guard.c",
    "hooks.c",
    "link.c",
    "pump.c",
    "setup.c",
    "translate.c",
)


def _ask_compiler(*arguments: str, program: str = "") -> str | None:
    """Return what the C compiler prints, or None if it fails."""
    compiler = (os.environ.get("CC") or shutil.which("cc") or "gcc").split()
    run = subprocess.run([*compiler, *arguments], input=program, capture_output=True, text=True, check=False)
    return run.stdout.strip() if run.returncode == 0 else None


def _static_library() -> str | None:
    """Return the path of ``libpri.a`` where the linker would find it."""
    if os.environ.get("DAHDI_PY_LIBPRI") == "shared":
        return None
    found = _ask_compiler("-print-file-name=libpri.a")
    return found if found and os.path.isabs(found) else None


def make_ffibuilder() -> FFI:
    """Return the builder of the extension.

    Raises:
        SystemExit: ``libpri.h`` is missing; the text names the package that has it.
    """
    if _ask_compiler("-E", "-xc", "-", program="#include <libpri.h>\n") is None:
        raise SystemExit("libpri.h not found: install the package libpri-dev (Debian: apt install libpri-dev)")
    static = _static_library()
    builder = FFI()
    builder.cdef((HERE / "libpri.cdef.txt").read_text())
    builder.cdef((HERE / "pump.cdef.txt").read_text())
    builder.set_source(
        "dahdi_py.ffi._libpri",
        '#include <libpri.h>\n#include "commands.h"\n#include "pump.h"\n',
        sources=[os.path.relpath(HERE / name) for name in SOURCES],
        include_dirs=[os.path.relpath(HERE)],
        depends=[os.path.relpath(path) for path in sorted(HERE.glob("*.h"))],
        define_macros=[("PUMP_WRAPPED_CLOCK", "1")] if static else [],
        extra_objects=[static] if static else [],
        libraries=[] if static else ["pri"],
        extra_compile_args=["-std=gnu11", "-Wall", "-Wextra"],
        extra_link_args=["-Wl,--wrap=gettimeofday"] if static else [],
    )
    return builder


ffibuilder = make_ffibuilder()
