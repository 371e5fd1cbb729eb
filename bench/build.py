# SPDX-License-Identifier: GPL-2.0-or-later
"""The C programs of the bench, compiled when their sources changed."""

from __future__ import annotations

import subprocess
from pathlib import Path

NATIVE = Path(__file__).parent / "native"
OUT = Path(__file__).parent.parent / "build" / "bench"
_OWN = ["../../native/line/hdlc.c", "../../native/line/hdlc_tables.c"]
_DAHDI = next((str(path) for path in Path("/usr/src").glob("dahdi-*/include/dahdi")), "/usr/include/dahdi")
"""Where dahdi-dkms puts its headers."""
PROGRAMS = {
    "alloc_client": (["alloc_client.c", "wire.c"], []),
    "alloc_floor": (["alloc_floor.c", "wire.c"], []),
    "calls_floor": (["calls_floor.c", "dchannels.c", "wire.c"], ["-lpri"]),
    "calls_peer": (["calls_peer.c", "dchannels.c", "wire.c"], ["-lpri"]),
    "calls_core": (["calls_core.c", "wire.c"], []),
    "calls_controller": (["calls_controller.c", "wire.c"], []),
    "line_floor": (["line_floor.c"], []),
    "hdlc_own": (["hdlc_run.c", "hdlc_own.c", *_OWN], []),
    "hdlc_spandsp": (["hdlc_run.c", "hdlc_spandsp.c"], ["-lspandsp", "-lm"]),
    "hdlc_fasthdlc": (["hdlc_run.c", "hdlc_fasthdlc.c"], [f"-isystem{_DAHDI}"]),
}


def program(name: str) -> str:
    """The path of a compiled bench program, newer than everything it is made of."""
    sources, libraries = PROGRAMS[name]
    target = OUT / name
    newest = max(path.stat().st_mtime for path in NATIVE.iterdir())
    if not target.exists() or target.stat().st_mtime < newest:
        OUT.mkdir(parents=True, exist_ok=True)
        command = ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(target)]
        subprocess.run([*command, *(str(NATIVE / source) for source in sources), *libraries], check=True)
    return str(target)
