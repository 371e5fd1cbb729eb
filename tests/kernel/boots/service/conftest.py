# SPDX-License-Identifier: GPL-2.0-or-later
import pytest

pytest.register_assert_rewrite(
    "tests.service.call_scenarios", "tests.service.lease_scenarios", "tests.service.performance_scenarios",
    "tests.service.conversation", "tests.service.service", "tests.service.talk",
)  # fmt: skip
