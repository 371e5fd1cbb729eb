# SPDX-License-Identifier: GPL-2.0-or-later
"""The scenarios' assertions say what they compared."""

import os

import pytest

pytest.register_assert_rewrite(
    "tests.service.call_scenarios", "tests.service.lease_scenarios", "tests.service.performance_scenarios",
    "tests.service.conversation", "tests.service.service", "tests.service.talk", "tests.service.deaths",
    "tests.service.line_faults",
)  # fmt: skip

from tests.service.fault_verdicts import report  # noqa: E402  # what it imports is rewritten first


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """After a run of line faults, what came out of each."""
    report("sim", terminalreporter)


@pytest.fixture
def uncounted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that the test starts, because they are many or fast, count no branches: others do."""
    for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
        monkeypatch.delenv(name)
