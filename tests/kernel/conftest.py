# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests on a real DAHDI kernel. They run inside the machine that `tests/kernel/run` boots, and nowhere else."""

import os
from collections.abc import Iterator

import pytest

from dahdi_py.backends.kernel import KernelBackend
from dahdi_py.core.terms import LineType
from tests.kernel.lines import MakePair, Pair
from tests.service.fault_verdicts import report

# Elsewhere they are not collected at all: neither passed nor skipped.
collect_ignore_glob = [] if os.environ.get("DAHDI_PY_KERNEL") == "1" else ["*"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """After a run of line faults, what came out of each."""
    report("kernel", terminalreporter)


@pytest.fixture
def backend() -> Iterator[KernelBackend]:
    made = KernelBackend("kernel")
    yield made
    made.close()


@pytest.fixture
def make_pair(backend: KernelBackend) -> Iterator[MakePair]:
    """Makes pairs of spans back to back that are gone after the test."""
    made: list[Pair] = []

    def make(kind: LineType) -> Pair:
        made.append(Pair(backend, kind))
        return made[-1]

    yield make
    for pair in made:
        pair.remove()


@pytest.fixture(params=list(LineType))
def pair(request: pytest.FixtureRequest, make_pair: MakePair) -> Pair:
    """Two spans back to back, once as E1 and once as T1, configured and started."""
    return make_pair(request.param)
