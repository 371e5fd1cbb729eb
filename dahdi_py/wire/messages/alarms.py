# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Alarms`: what is wrong now, raw as received so far."""

from __future__ import annotations

from dahdi_py.wire.interface import Empty, Interface, Method, Record


class Alarm(Record):
    """Something that is wrong now.

    Attributes:
        kind: span, dchannel, host, ledger.
        words: What is raised, such as RED LOS.
        severity: X.733: critical, major, minor, warning.
        text: One sentence for a person: what it means and what to check.
        since_ns: UTC, ns.
    """

    kind: str
    subject: str
    words: list[str]
    severity: str
    text: str
    since_ns: int


class AlarmList(Record):
    """Alarms now, worst first."""

    alarms: list[Alarm]


INTERFACE = Interface(
    "org.dahdipy.Alarms",
    "What is wrong now.",
    (Method("List", Empty, AlarmList, doc="Alarms now, worst first."),),
)
