# SPDX-License-Identifier: GPL-2.0-or-later
"""The words of the field, as types: enumerations and the numbers that look alike."""

from __future__ import annotations

from enum import IntFlag, StrEnum
from typing import NewType

SpanNo = NewType("SpanNo", int)
"""A span's number, from 1, for showing; a span's identity is its configured name."""
Timeslot = NewType("Timeslot", int)
"""A position in the frame: T1 1-24, E1 0-31 (0 is framing)."""
ChanNo = NewType("ChanNo", int)
"""DAHDI's channel number, from 1 across all spans of a machine."""
BChannelNo = NewType("BChannelNo", int)
"""Q.931's channel number (4.5.13); equals the timeslot on E1 and T1."""


class LineType(StrEnum):
    """What kind of line a span is."""

    E1 = "E1"
    T1 = "T1"

    @property
    def timeslots(self) -> range:
        """The timeslots that can carry traffic. Source: G.704 2.3 (E1, TS0 framing), 2.1 (T1)."""
        return range(1, 32) if self is LineType.E1 else range(1, 25)

    @property
    def default_dchannel(self) -> Timeslot:
        """The D-channel's usual timeslot. Source: Q.931 4.5.13, I.431."""
        return Timeslot(16) if self is LineType.E1 else Timeslot(24)

    @property
    def default_law(self) -> Law:
        """The companding law usual on this line. Source: G.711."""
        return Law.ALAW if self is LineType.E1 else Law.MULAW


class Framing(StrEnum):
    """Framing words of system.conf."""

    D4 = "d4"
    ESF = "esf"
    CAS = "cas"
    CCS = "ccs"


class Coding(StrEnum):
    """Line coding words of system.conf."""

    AMI = "ami"
    B8ZS = "b8zs"
    HDB3 = "hdb3"


class SwitchType(StrEnum):
    """ISDN protocol variants, by libpri's names."""

    NATIONAL = "national"
    NI1 = "ni1"
    DMS100 = "dms100"
    ATT4ESS = "att4ess"
    LUCENT5E = "lucent5e"
    EUROISDN = "euroisdn"
    QSIG = "qsig"


class Node(StrEnum):
    """Which side of the interface we are."""

    NETWORK = "network"
    CPE = "cpe"


class Law(StrEnum):
    """Companding law. Source: G.711."""

    ALAW = "alaw"
    MULAW = "mulaw"

    @property
    def idle_octet(self) -> int:
        """The octet sent while nothing is written. Source: G.711 (positive zero), Q.522 idle pattern."""
        return 0xD5 if self is Law.ALAW else 0xFF


class Mode(StrEnum):
    """How a B-channel's descriptor treats octets: data turns canceller, gain and conversion off."""

    VOICE = "voice"
    DATA = "data"
    HDLC = "hdlc"


class HuntOrder(StrEnum):
    """In which order a trunk group's channels are tried."""

    ASCENDING = "ascending"
    DESCENDING = "descending"
    ROUND_ROBIN_UP = "round_robin_up"
    ROUND_ROBIN_DOWN = "round_robin_down"
    LEAST_RECENTLY_USED = "least_recently_used"
    MOST_IDLE = "most_idle"


class Sharing(StrEnum):
    """How equal cores share incoming calls: in turn, or each call to all of them, the first claim wins."""

    SHARE = "share"
    FORK = "fork"


class Administrative(StrEnum):
    """X.731 administrative state."""

    UNLOCKED = "unlocked"
    SHUTTING_DOWN = "shutting_down"
    LOCKED = "locked"


class Disabled(StrEnum):
    """Why a channel's operational state is disabled."""

    SPAN_ALARM = "span_alarm"
    DCHANNEL_DOWN = "dchannel_down"
    REMOTE_OOS = "remote_oos"
    QUARANTINE = "quarantine"
    HOST_DOWN = "host_down"


class Phase(StrEnum):
    """What a busy channel is doing."""

    RESERVED = "reserved"
    SETUP = "setup"
    ALERTING = "alerting"
    ACTIVE = "active"
    RELEASING = "releasing"
    RESTARTING = "restarting"


class Alarms(IntFlag):
    """A span's alarm bits as a driver reports them. Source: DAHDI user.h DAHDI_ALARM_*."""

    NONE = 0
    RECOVER = 1
    LOOPBACK = 2
    YELLOW = 4
    RED = 8
    BLUE = 16
    NOTOPEN = 32
    LOS = 256
    LFA = 512
    LMFA = 1024
    ABSENT = 1 << 16
    """Ours: the span is not there (card gone, module not loaded)."""

    def words(self) -> list[str]:
        """The set bits as operators know them, worst first; empty when none."""
        return [word for bit, word in _ALARM_WORDS if bit in self]

    @property
    def out_of_service(self) -> bool:
        """Whether no new call may use the span."""
        return out_of_service(self)


_HARMLESS = int(Alarms.RECOVER | Alarms.NOTOPEN | Alarms.LMFA)
"""Without its multiframe a line still carries octets: a far end without CRC-4 is worked with. Source: G.706 B.2."""


def out_of_service(alarms: int) -> bool:
    """Whether no new call may use a span with these bits; asked several times a call, so no flags are made of them."""
    return int(alarms) | _HARMLESS != _HARMLESS


_ALARM_WORDS = (
    (Alarms.ABSENT, "ABSENT"),
    (Alarms.RED, "RED"),
    (Alarms.BLUE, "BLU"),
    (Alarms.YELLOW, "YEL"),
    (Alarms.LOOPBACK, "LB"),
    (Alarms.RECOVER, "REC"),
    (Alarms.NOTOPEN, "NOP"),
    (Alarms.LOS, "LOS"),
    (Alarms.LFA, "LFA"),
    (Alarms.LMFA, "LMFA"),
)
