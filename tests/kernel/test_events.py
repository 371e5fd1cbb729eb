# SPDX-License-Identifier: GPL-2.0-or-later
"""Alarms: the status tells them each second, open channels have the event at once."""

from dahdi_py.backends.base import BackendEvent
from dahdi_py.backends.kernel import KernelBackend
from tests.kernel.lines import readable


def test_status_is_due_each_second(backend: KernelBackend) -> None:
    readable(backend.event_fd())
    assert backend.events() == [BackendEvent(None, "status")]
    assert backend.events() == ()
