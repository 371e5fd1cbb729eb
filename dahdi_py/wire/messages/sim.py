# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.dahdipy.Sim`: practising on a simulated line. Every `port` is a span's name or number, or CARD:PORT."""

from __future__ import annotations

from dahdi_py.wire.interface import Empty, Interface, Method, Record, Request
from dahdi_py.wire.messages import cable


class SimLine(Record):
    """A port of a simulated card.

    Attributes:
        span: The span configured there, empty for none.
        number: That span's number, 0 for none.
        cabled_to: What is at the other end of its cable: a span's name, else CARD:PORT, empty for none.
    """

    card: str
    span: str
    number: int
    cabled_to: str
    line: cable.Line


class SimLines(Record):
    """Ports of simulated cards, in order.

    Attributes:
        absent: Cards that do not answer, with why.
    """

    lines: list[SimLine]
    absent: dict[str, str] = {}


class LoopRequest(cable.LoopRequest):
    """What of the port goes back where it came from; what is left out stays.

    Attributes:
        force: Loop it although channels are busy: their calls are cut off, but no emergency call is.
    """

    force: bool = False


class ShowRequest(Request):
    """One port, or with an empty name every one."""

    port: str = ""


INTERFACE = Interface(
    "org.dahdipy.Sim",
    "Practising on a simulated line: cables, faults, clocks, levels, loops. Refused for real hardware.",
    (
        Method("Show", ShowRequest, SimLines, doc="How simulated lines are, and what is done to them."),
        Method("Cable", cable.CableRequest, Empty, role="tech", doc="Join two ports of a card."),
        Method("Uncable", cable.PortRequest, Empty, role="tech", doc="Pull a cable, at both ends."),
        Method("Inject", cable.FaultRequest, Empty, role="tech", doc="A fault begins on a cable."),
        Method("Mend", cable.MendRequest, Empty, role="tech", doc="A cable is without fault."),
        Method("Clock", cable.ClockRequest, Empty, role="tech", doc="Set a port's oscillator and clock source."),
        Method("Level", cable.LevelRequest, Empty, role="tech", doc="Set a cable's loss and a port's build-out."),
        Method("Loop", LoopRequest, Empty, role="tech", doc="Loop a port or timeslots of it."),
        Method("FarEnd", cable.FarEndRequest, Empty, role="tech", doc="Put a CSU or NIU at the other end."),
        Method("SendCode", cable.CodeRequest, Empty, role="tech", doc="Send a loop code."),
    ),
)
