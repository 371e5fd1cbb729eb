# SPDX-License-Identifier: GPL-2.0-or-later
"""A leap of the wall clock moves no timer of libpri."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dahdi_py.ffi._libpri import lib
from dahdi_py.ffi.libpri import Pump

ROOT = Path(__file__).parents[2]

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>
static long leap;
void leap_by(long seconds) { leap = seconds; }
int clock_gettime(clockid_t which, struct timespec *now) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(which, now);
    if (which == CLOCK_REALTIME)
        now->tv_sec += leap;
    return result;
}
int gettimeofday(struct timeval *now, void *zone) {
    struct timespec precise;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}
"""

SCRIPT = """
import ctypes, json, os, select, sys, time
from dahdi_py.core.terms import Node, SwitchType
from dahdi_py.ffi.libpri import Pump
from dahdi_py.ffi.libpri_commands import SetupRequest
from dahdi_py.ffi.libpri_events import ClockStep, Ended, Number

leap_by = ctypes.CDLL(sys.argv[2]).leap_by
pump = Pump()
network = pump.add_dchannel(Node.NETWORK, SwitchType.EUROISDN)
mute = pump.add_dchannel(Node.CPE, SwitchType.EUROISDN, timers={"T303": 400})
pump.join(network, mute)
pump.turn()
# T303 runs from the setup on.
start, steps, ended = time.monotonic(), [], None
pump.setup(mute, pump.new_handle(), SetupRequest(Number("1"), 1))
pump.flush()
pump.part(network)
before = time.time()
leap_by(int(sys.argv[1]))
leapt = time.time() - before
while ended is None and time.monotonic() - start < 20:
    wait = max(0.0, min(pump.next_deadline() - pump.now(), 1.0))
    select.select([pump], [], [], wait)
    for event in pump.turn():
        if isinstance(event, Ended):
            ended = time.monotonic() - start
        if isinstance(event, ClockStep):
            steps.append(event.seconds)
    if steps:
        break
print(json.dumps({"clock": pump.clock, "leapt": leapt, "ended": ended, "steps": steps}))
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("shim") / "leap.so"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), "-xc", "-", "-ldl"], input=SHIM, text=True, check=True
    )
    return library


def run_script(shim: Path, leap: int, tree: Path) -> dict[str, Any]:
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(leap), str(shim)],
        cwd=tree,
        env={**os.environ, "LD_PRELOAD": str(shim), "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    seen: dict[str, Any] = json.loads(run.stdout)
    assert abs(seen["leapt"] - leap) < 10
    return seen


@pytest.mark.skipif(not lib.clock_is_wrapped(), reason="built with the shared libpri")
@pytest.mark.parametrize("leap", [3600, -3600])
def test_t303_takes_its_time_whatever_the_wall_clock_does(shim: Path, leap: int) -> None:
    """Two T303 of 400 ms, monotonic; with the wall clock they would end at once or in an hour."""
    seen = run_script(shim, leap, ROOT)
    assert (seen["clock"], seen["steps"]) == ("monotonic", [])
    assert 0.8 <= seen["ended"] < 10


@pytest.mark.packaging
@pytest.mark.parametrize("leap", [3600, -3600])
def test_the_shared_library_reports_the_step(shim: Path, shared_tree: Path, leap: int) -> None:
    seen = run_script(shim, leap, shared_tree)
    assert seen["clock"] == "wall"
    assert [round(step / 3600) for step in seen["steps"]] == [leap // 3600]


@pytest.fixture(scope="module")
def shared_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package whose extension uses the shared libpri."""
    tree = tmp_path_factory.mktemp("shared")
    leave = shutil.ignore_patterns("*.so", "*.o", "_*.c", "__pycache__")
    for part in ("native", "dahdi_py"):
        shutil.copytree(ROOT / part, tree / part, ignore=leave)
    build = (
        "from setuptools import setup; setup(script_args=['-q', 'build_ext', '--inplace'],"
        " cffi_modules=['native/libpri/build.py:ffibuilder'])"
    )
    subprocess.run([sys.executable, "-c", build], cwd=tree, env={**os.environ, "DAHDI_PY_LIBPRI": "shared"}, check=True)
    return tree


@pytest.mark.skipif(not lib.clock_is_wrapped(), reason="built with the shared libpri")
def test_the_pump_says_what_its_timers_run_on() -> None:
    assert Pump(virtual=True).clock == "virtual"
    assert Pump().clock == "monotonic"


def test_only_virtual_time_can_be_advanced() -> None:
    with pytest.raises(RuntimeError, match="virtual"):
        Pump().advance(1)
