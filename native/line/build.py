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
    "crossconnect.c",
    "bits.c",
    "mux.c",
    "crc.c",
    "report.c",
    "fdl.c",
    "line_code.c",
    "defects.c",
    "e1_send.c",
    "e1_search.c",
    "e1_receive.c",
    "t1_send.c",
    "t1_search.c",
    "t1_receive.c",
    "framer.c",
    "way.c",
    "cable.c",
    "elastic.c",
    "inband.c",
    "port.c",
    "farend.c",
    "card.c",
    "card_cable.c",
    "clock.c",
    "timer.c",
)
HEADERS = (
    "hdlc_tables.h",
    "hdlc.h",
    "descriptor.h",
    "timeslot.h",
    "crossconnect.h",
    "bits.h",
    "mux.h",
    "crc.h",
    "framing.h",
    "report.h",
    "fdl.h",
    "line_code.h",
    "defects.h",
    "e1.h",
    "t1.h",
    "framer.h",
    "way.h",
    "cable.h",
    "elastic.h",
    "inband.h",
    "port.h",
    "farend.h",
    "card.h",
    "timer.h",
    "cdef.txt",
)

ffibuilder = FFI()
ffibuilder.cdef((HERE / "cdef.txt").read_text(encoding="ascii"))
ffibuilder.set_source(
    "dahdi_py.ffi._line",
    '#include "card.h"\n#include "line_code.h"\n#include "timer.h"',
    sources=[str(HERE / name) for name in SOURCES],
    depends=[str(HERE / name) for name in HEADERS],
    include_dirs=[str(HERE)],
    extra_compile_args=["-Wall", "-Wextra", "-O2", "-std=gnu11", "-pthread"],
    extra_link_args=["-pthread"],
    libraries=["m"],
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
