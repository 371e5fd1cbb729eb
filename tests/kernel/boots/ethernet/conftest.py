# SPDX-License-Identifier: GPL-2.0-or-later
import pytest

pytest.register_assert_rewrite("tests.service.line_faults", "tests.service.conversation", "tests.service.service")
