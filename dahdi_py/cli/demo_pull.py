# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo's fault: a cable is pulled while a call is up on it, the alarm shows, and the cable is put back."""

from __future__ import annotations

import time
from collections.abc import Callable

from dahdi_py.cli.alarm_text import alarm_page
from dahdi_py.cli.session import Session
from dahdi_py.client import Span
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.alarms import Alarm, AlarmList
from dahdi_py.wire.messages.cable import CableRequest, PortRequest

PULLED_S = 5.0
_LOOK_S = 0.05


def pull(session: Session, near: Span, far: Span, say: Callable[[str], None]) -> list[Alarm]:
    """The cable between the two spans was out for 5 s and is back, and no alarm is left; what was raised meanwhile."""
    raised: list[Alarm] = []

    def both() -> bool:
        raised[:] = _alarms(session)
        return {near.name, far.name} <= {alarm.subject for alarm in raised}

    # Lines that a busy machine brought up late have alarms of their own for a while.
    _until(lambda: not _alarms(session))
    say(f"\n$ dahdi-py sim uncable {near.number}")
    session.ask("org.dahdipy.Sim.Uncable", PortRequest(port=near.name), Empty)
    back_at = time.monotonic() + PULLED_S
    _until(both)
    say(f"\n$ dahdi-py alarms\n{alarm_page(raised, time.time_ns())}")
    time.sleep(max(0.0, back_at - time.monotonic()))
    say(f"\nThe cable was out for {PULLED_S:g} s.\n$ dahdi-py sim cable {near.number} {far.number}")
    session.ask("org.dahdipy.Sim.Cable", CableRequest(a=near.name, b=far.name), Empty)
    _until(lambda: not _alarms(session))
    say(f"\n$ dahdi-py alarms\n{alarm_page((), time.time_ns())}")
    return raised


def _alarms(session: Session) -> list[Alarm]:
    return session.ask("org.dahdipy.Alarms.List", Empty(), AlarmList).alarms


def _until(done: Callable[[], bool]) -> None:
    """The demo as a whole is limited in time, so this is too."""
    while not done():
        time.sleep(_LOOK_S)
