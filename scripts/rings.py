# SPDX-License-Identifier: GPL-2.0-or-later
"""Run the rings of tests and close with one table: ``scripts/rings.py [RING ...]``, all of them by default.

The kernel ring is a virtual machine that keeps one processor busy; it runs beside the others. Every ring's result
counts. With CI set in the environment, a ring or a test that was skipped for a missing part fails the run.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "out"
BIN = ROOT / ".venv" / "bin"
PYTHON = str(BIN / "python")
KERNEL_RUN = ROOT / "tests" / "kernel" / "run"
KERNEL_LIMIT_S = 3600
RING_LIMIT_S = 3600
CORE_BRANCHES_PERCENT = 95
NEEDS_HARDWARE = "needs --dahdi-span"

# Which tests belong to which ring. Every folder of tests/ is in one of them, held by tests/repository.
TESTS: dict[str, tuple[str, ...]] = {
    "core": ("tests/test_layers.py", "tests/test_errors.py", "tests/core", "tests/wire", "tests/repository"),
    "pair": ("tests/ffi", "tests/pair"),
    "sim": ("tests/native", "tests/line", "tests/backends", "tests/simcard"),
    "system": (
        "tests/model",
        "tests/linehost",
        "tests/daemon",
        "tests/client",
        "tests/cli",
        "tests/diag",
        "tests/docs",
        "tests/bench",
        "tests/system",
        "tests/service",
    ),
    "fuzz": ("tests/fuzz",),
    "packaging": ("tests/repository",),
}
KERNEL_TESTS = "tests/kernel"


@dataclass
class Result:
    """What came out of one ring. Synchronization: external."""

    ring: str
    ok: bool = True
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    remarks: list[str] = field(default_factory=list)

    def fail(self, remark: str) -> None:
        self.ok = False
        self.remarks.append(remark)


def call(command: Iterable[str], *, env: dict[str, str] | None = None, limit_s: float = RING_LIMIT_S) -> int:
    """Run *command* at the project's root and return its exit code, 124 when it outlived *limit_s*."""
    process = subprocess.Popen(list(command), cwd=ROOT, env=env, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        return process.wait(limit_s)
    except subprocess.TimeoutExpired:
        print(f"ended after {limit_s:.0f} s", flush=True)
        return 124
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Whatever is left of *process*' group is gone."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
    # Also when the leader has ended: what it left behind would disturb the next ring.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def c_sources(*patterns: str) -> list[str]:
    """The C files of the project that match one of *patterns*, relative to its root."""
    folders = ("native", "docs", "bench", "tests")
    found = (path for folder in folders for pattern in patterns for path in (ROOT / folder).rglob(pattern))
    return sorted(str(path.relative_to(ROOT)) for path in found)


def steps(result: Result, commands: dict[str, list[str]]) -> None:
    """Each command counts as one test of *result*."""
    for name, command in commands.items():
        code = call(command)
        result.passed += code == 0
        result.failed += code != 0
        if code:
            result.fail(f"{name}: exit {code}")


def lint(result: Result) -> None:
    ruff = str(BIN / "ruff")
    c_files = c_sources("*.c", "*.h")
    commands = {
        "ruff check": [ruff, "check", "--quiet", "."],
        "ruff format": [ruff, "format", "--check", "--quiet", "."],
    }
    if c_files:
        commands["clang-format"] = ["clang-format", "--dry-run", "-Werror", *c_files]
    steps(result, commands)


def types(result: Result) -> None:
    commands = {"mypy": [PYTHON, "-m", "mypy"]}
    if examples := [str(path) for path in sorted((ROOT / "docs").rglob("*.py"))]:
        commands["mypy docs"] = [PYTHON, "-m", "mypy", *examples]
    steps(result, commands)


def includes(source: str) -> list[str]:
    """A C file sees its own folder; a test program also the parts it tests, a bench what it compares with."""
    folders = [Path(source).parent]
    if source.startswith("tests/"):
        folders += sorted(path for path in (ROOT / "native").iterdir() if path.is_dir())
    found = [f"-I{folder}" for folder in folders]
    if source.startswith("bench/"):
        found += [f"-isystem{folder}" for folder in sorted(Path("/usr/src").glob("dahdi-*/include/dahdi"))]
    return found


def native(result: Result) -> None:
    """C warnings are errors for two compilers; the tests of the C parts pass under the sanitizers."""
    strict = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-c", "-o", os.devnull]
    commands = {
        f"{compiler} {source}": [compiler, *strict, *includes(source), source]
        for compiler in ("gcc", "clang")
        for source in c_sources("*.c")
    }
    steps(result, commands)
    junit = OUT / "junit-native.xml"
    # A clock put in front of libc's cannot stand in front of the sanitizers' as well; the pair ring runs it.
    ignored = "--ignore=tests/ffi/test_libpri_clock.py"
    code = call(["scripts/sanitize", f"--junitxml={junit}", ignored, *TESTS["pair"], *TESTS["sim"]])
    count(result, junit)
    if code:
        result.fail(f"sanitizers: exit {code}")


def tests(result: Result) -> None:
    """One pytest process over the ring's folders, its branches counted."""
    ring = result.ring
    paths = [path for path in TESTS[ring] if (ROOT / path).exists()]
    if not paths:
        result.skipped += 1
        result.remarks.append("no tests in the tree")
        return
    junit = OUT / f"junit-{ring}.xml"
    marked = "packaging" if ring == "packaging" else "not packaging"
    pytest = ["-m", "pytest", "-q", "-m", marked, f"--junitxml={junit}", "-p", "no:cacheprovider", *paths]
    env = os.environ | {"COVERAGE_FILE": str(OUT / "coverage" / ".coverage")}
    # What the packaging ring runs is an installed copy, which coverage does not count.
    runner = [PYTHON] if ring == "packaging" else [PYTHON, "-m", "coverage", "run"]
    code = call([*runner, *pytest], env=env)
    count(result, junit)
    if code:
        result.fail(f"pytest: exit {code}")


def count(result: Result, junit: Path) -> None:
    """The numbers of *result* are those of the report pytest wrote."""
    if not junit.exists():
        result.fail(f"{junit.name} was not written")
        return
    for case in ET.parse(junit).iter("testcase"):
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            result.failed += 1
        elif skip is None:
            result.passed += 1
        elif not skip.get("message", "").startswith(NEEDS_HARDWARE):
            result.skipped += 1
            result.remarks.append(f"skipped {case.get('name')}: {skip.get('message')}")
    if result.passed + result.failed + result.skipped == 0:
        result.fail("no test ran")


ACTIONS: dict[str, Callable[[Result], None]] = {
    "lint": lint,
    "types": types,
    "native": native,
    **dict.fromkeys(TESTS, tests),
}
ORDER = ("lint", "types", "core", "pair", "sim", "native", "system", "fuzz", "packaging")


class KernelRing:
    """The virtual machine, running beside the other rings. Synchronization: external."""

    def __init__(self) -> None:
        self.result = Result("kernel")
        self.started = time.monotonic()
        self.log = OUT / "kernel.log"
        self.process: subprocess.Popen[bytes] | None = None
        if KERNEL_RUN.exists():
            with self.log.open("wb") as log:
                self.process = subprocess.Popen(
                    [str(KERNEL_RUN)],
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )

    def finish(self) -> Result:
        """The machine has ended, its output has been printed and its tests counted."""
        if self.process is None:
            self.result.skipped += 1
            self.result.remarks.append(f"{KERNEL_TESTS}/run is not in the tree")
            return self.result
        heading("kernel")
        try:
            code = self.process.wait(max(1.0, self.started + KERNEL_LIMIT_S - time.monotonic()))
        except subprocess.TimeoutExpired:
            code = 124
        self.stop()
        sys.stdout.write(self.log.read_text(errors="replace"))
        self.result.seconds = time.monotonic() - self.started
        reports = sorted((OUT / "kernel").rglob("junit*.xml"))
        for junit in reports:
            count(self.result, junit)
        if not reports:
            self.result.fail("the guest left no report")
        if code:
            self.result.fail(f"{KERNEL_TESTS}/run: exit {code}")
        return self.result

    def stop(self) -> None:
        if self.process is not None:
            end(self.process)


def heading(text: str) -> None:
    print(f"\n=== {text} ===", flush=True)


def run(ring: str) -> Result:
    heading(ring)
    result = Result(ring)
    started = time.monotonic()
    ACTIONS[ring](result)
    result.seconds = time.monotonic() - started
    return result


def report_coverage(rings: list[str]) -> bool:
    """The combined coverage has been printed; whether the pure core has the branches that are asked of it."""
    data = OUT / "coverage"
    files = [str(path) for folder in (data, OUT / "kernel") for path in folder.rglob(".coverage.*")]
    if not files:
        return True
    heading("coverage, all rings that ran")
    coverage = [PYTHON, "-m", "coverage"]
    env = os.environ | {"COVERAGE_FILE": str(data / ".coverage")}
    call([*coverage, "combine", "--quiet", *files], env=env)
    call([*coverage, "report"], env=env)
    if "core" not in rings:
        return True
    gate = ["report", "--include=dahdi_py/core/*", f"--fail-under={CORE_BRANCHES_PERCENT}", "--format=total"]
    print("dahdi_py/core in percent, branches counted: ", end="", flush=True)
    return call([*coverage, *gate], env=env) == 0


def close(results: list[Result]) -> bool:
    """The closing table has been printed; whether everything passed."""
    strict = bool(os.environ.get("CI"))
    heading("rings")
    for result in results:
        if strict and result.skipped:
            result.ok = False
        verdict = "ok" if result.ok else "FAILED"
        numbers = f"{result.passed} passed, {result.failed} failed, {result.skipped} skipped"
        print(f"{result.ring:10} {verdict:6} {numbers} in {result.seconds:.0f} s")
        for remark in result.remarks:
            print(f"{'':10} {remark}")
    print(f"total: {sum(r.passed for r in results)} passed, {sum(r.failed for r in results)} failed")
    return all(result.ok for result in results)


def main(arguments: list[str]) -> int:
    known = [*ORDER, "kernel"]
    rings = [ring for ring in known if not arguments or ring in arguments]
    if unknown := [ring for ring in arguments if ring not in known]:
        print(f"no such ring: {' '.join(unknown)}; there are {' '.join(known)}", file=sys.stderr)
        return 2
    shutil.rmtree(OUT, ignore_errors=True)
    (OUT / "coverage").mkdir(parents=True, exist_ok=True)
    kernel = KernelRing() if "kernel" in rings else None
    try:
        results = [run(ring) for ring in rings if ring != "kernel"]
        if kernel is not None:
            results.append(kernel.finish())
    finally:
        if kernel is not None:
            kernel.stop()
    covered = report_coverage(rings)
    passed = close(results)
    if not covered:
        print(f"dahdi_py/core is below {CORE_BRANCHES_PERCENT} % of its branches")
    return 0 if passed and covered else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
