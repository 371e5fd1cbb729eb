# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds `dahdi_py.ffi._line`: the simulated card and its HDLC engines. Loads no libpri.

Run from the project's root, by setuptools (``cffi_modules``) or as a script to build in place.
"""

from pathlib import Path

from cffi import FFI

HERE = Path("native") / "line"
SOURCES = (
    "hdlc_tables.c",
    "hdlc.c",
    "descriptor.c",
    "timeslot.c",
    "framer.c",
    "port.c",
    "card.c",
    "clock.c",
    "timer.c",
)
HEADERS = (
    "hdlc_tables.h",
    "hdlc.h",
    "descriptor.h",
    "timeslot.h",
    "framer.h",
    "port.h",
    "card.h",
    "timer.h",
    "cdef.txt",
)

ffibuilder = FFI()
ffibuilder.cdef((HERE / "cdef.txt").read_text(encoding="ascii"))
ffibuilder.set_source(
    "dahdi_py.ffi._line",
    '#include "card.h"\n#include "timer.h"',
    sources=[str(HERE / name) for name in SOURCES],
    depends=[str(HERE / name) for name in HEADERS],
    include_dirs=[str(HERE)],
    extra_compile_args=["-Wall", "-Wextra", "-O2", "-std=gnu11", "-pthread"],
    extra_link_args=["-pthread"],
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
