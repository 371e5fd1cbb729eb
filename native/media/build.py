# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds `dahdi_py.ffi._media`: copying between channels' descriptors. Loads no libpri.

Run from the project's root, by setuptools (``cffi_modules``) or as a script to build in place.
"""

from pathlib import Path

from cffi import FFI

HERE = Path("native") / "media"
LINE = Path("native") / "line"
"""Its descriptors have the manners that a relayed channel's have too."""

ffibuilder = FFI()
ffibuilder.cdef((HERE / "cdef.txt").read_text(encoding="ascii"))
ffibuilder.set_source(
    "dahdi_py.ffi._media",
    '#include "copier.h"\n#include "descriptor.h"',
    sources=[str(HERE / "copier.c"), str(LINE / "descriptor.c")],
    depends=[str(HERE / "copier.h"), str(HERE / "cdef.txt"), str(LINE / "descriptor.h")],
    include_dirs=[str(HERE), str(LINE)],
    extra_compile_args=["-Wall", "-Wextra", "-O2", "-std=gnu11", "-pthread"],
    extra_link_args=["-pthread"],
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
