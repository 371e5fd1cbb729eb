# SPDX-License-Identifier: GPL-2.0-or-later
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# No deadline: a slow machine is not a failed property. Where a change is judged the same examples are tried each time:
# what others would find is not the change's doing, and elsewhere they are.
settings.register_profile(
    "rings", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=bool(os.environ.get("CI"))
)
settings.load_profile("rings")

# Started in the background one inherits SIGINT ignored, and hands that on; what we start is to be interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No test meets a service that lives on this machine.
os.environ.pop("DAHDI_PY_SOCKET", None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--dahdi-span", type=int, metavar="N", help="run the hardware tests on this real span")
    parser.addoption("--soak", action="store_true", help="run the long tests and nothing else")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    soaking = config.getoption("--soak")
    others = [item for item in items if (item.get_closest_marker("soak") is None) is soaking]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in set(others)]
    if config.getoption("--dahdi-span") is not None:
        return
    for item in items:
        if item.get_closest_marker("hardware"):
            item.add_marker(pytest.mark.skip(reason="needs --dahdi-span N"))


@pytest.fixture
def run_dir() -> Iterator[Path]:
    """A private directory whose name leaves room for a unix socket's path (107 octets)."""
    with tempfile.TemporaryDirectory(prefix="dpy-", dir="/tmp") as name:
        yield Path(name)
