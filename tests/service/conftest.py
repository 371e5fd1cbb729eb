# SPDX-License-Identifier: GPL-2.0-or-later
"""The scenarios' assertions say what they compared."""

import pytest

pytest.register_assert_rewrite("tests.service.scenarios", "tests.service.service", "tests.service.talk")
