# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds `dahdi_py.ffi._dahdi`: the ioctls of /dev/dahdi as C functions.

Run from the project's root, by setuptools (``cffi_modules``) or as a script to build in place.
"""

from pathlib import Path

from cffi import FFI

HERE = Path("native") / "dahdi"

ffibuilder = FFI()
ffibuilder.cdef((HERE / "cdef.txt").read_text(encoding="ascii"))
ffibuilder.set_source(
    "dahdi_py.ffi._dahdi",
    '#include "dahdi.h"',
    sources=[str(HERE / "dahdi.c")],
    depends=[str(HERE / name) for name in ("abi.h", "dahdi.h", "cdef.txt")],
    include_dirs=[str(HERE)],
    extra_compile_args=["-Wall", "-Wextra", "-std=gnu11"],
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
