# SPDX-License-Identifier: GPL-2.0-or-later
"""The arrows between the packages point one way, and each privilege has one home."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "dahdi_py"
MODULES = sorted(PACKAGE.rglob("*.py"))
COMPILED = {"dahdi_py.ffi._libpri", "dahdi_py.ffi._dahdi", "dahdi_py.ffi._line"}

# What each layer may import of the others, beside itself and errors.
LAYERS = {
    "errors": {"core"},
    "core": set[str](),
    "ffi": {"core"},
    "wire": {"core"},
    "backends": {"core", "ffi", "wire"},
    "linehost": {"core", "ffi", "wire", "backends"},
    "simcard": {"core", "ffi", "wire", "backends"},
    "daemon": {"core", "wire"},
    "client": {"core", "wire"},
    "diag": {"core", "wire", "client", "ffi.line"},
    "cli": {"core", "wire", "client", "diag"},
}
IMPURE = {
    *("asyncio", "cffi", "fcntl", "logging", "os", "pathlib", "random", "select", "selectors", "signal", "socket"),
    *("sqlite3", "subprocess", "threading", "time"),
}
ASYNC_PACKAGES = {"linehost", "daemon", "simcard", "client"}


def layer_of(module: Path) -> str:
    first = module.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports(module: Path) -> Iterator[str]:
    """Full names of what *module* imports; of ``from a import b`` both a and a.b."""
    package = module.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            origin = ".".join([*base, *([node.module] if node.module else [])])
            yield origin
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def offences(privilege: set[str], *homes: str) -> list[str]:
    """Modules outside of *homes* that import one of *privilege*."""
    return [
        f"{module.relative_to(ROOT)} imports {name}"
        for module in MODULES
        if layer_of(module) not in homes
        for name in imports(module)
        if name in privilege or name.split(".")[0] in privilege
    ]


def may_import(layer: str, name: str) -> bool:
    parts = name.split(".")[1:]
    if not parts or parts[0] in {layer, "errors", "__version__"}:
        return True
    allowed = LAYERS[layer]
    return parts[0] in allowed or ".".join(parts[:2]) in allowed or (parts == ["ffi"] and "ffi.line" in allowed)


def test_arrows_never_turn() -> None:
    wrong = [
        f"{module.relative_to(ROOT)} imports {name}"
        for module in MODULES
        if (layer := layer_of(module)) in LAYERS
        for name in imports(module)
        if name.split(".")[0] == "dahdi_py" and not may_import(layer, name)
    ]
    assert not wrong


def test_every_package_has_a_layer() -> None:
    assert {layer_of(module) for module in MODULES} - {"__init__", "__main__"} <= LAYERS.keys()


def test_the_core_is_pure() -> None:
    everywhere_but_core = {layer_of(module) for module in MODULES} - {"core"}
    assert not offences(IMPURE, *everywhere_but_core)


def test_only_ffi_sees_compiled_modules() -> None:
    assert not offences(COMPILED | {"cffi", "_cffi_backend"}, "ffi")


def test_only_the_daemon_opens_a_database() -> None:
    assert not offences({"sqlite3"}, "daemon")


def test_only_processes_and_the_client_run_a_loop() -> None:
    assert not offences({"asyncio"}, *ASYNC_PACKAGES)


def test_only_the_cli_prints() -> None:
    printing = [
        f"{module.relative_to(ROOT)}:{node.lineno}"
        for module in MODULES
        if layer_of(module) != "cli"
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not printing + offences({"rich", "click"}, "cli")


LOADED = """
import importlib, pkgutil, sys
def take(name):
    module = importlib.import_module(name)
    for found in pkgutil.iter_modules(getattr(module, "__path__", []), name + "."):
        if not found.name.endswith("__main__"):
            take(found.name)
take(sys.argv[1])
print(*(name for name in sys.modules if "_libpri" in name))
print(*{line.split()[-1] for line in open("/proc/self/maps") if "libpri" in line})
"""


@pytest.mark.parametrize("package", ["cli", "client", "diag", "daemon"])
def test_libpri_stays_in_line_hosts(package: str) -> None:
    """The licence line: libpri is in no other process, neither as a module nor as a library."""
    if not (PACKAGE / package).exists():
        assert package == "diag", "this package is the product's"
        return
    run = subprocess.run(
        [sys.executable, "-c", LOADED, f"dahdi_py.{package}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == []
