# SPDX-License-Identifier: GPL-2.0-or-later
"""The words of the field."""

from __future__ import annotations

from dahdi_py.core.terms import Alarms, Law, LineType


def test_timeslots_leave_framing_out() -> None:
    assert list(LineType.E1.timeslots) == list(range(1, 32))
    assert list(LineType.T1.timeslots) == list(range(1, 25))


def test_idle_octets_are_silence_in_their_law() -> None:
    assert Law.ALAW.idle_octet == 0xD5
    assert Law.MULAW.idle_octet == 0xFF


def test_alarm_words_are_the_operators_worst_first() -> None:
    assert (Alarms.LOS | Alarms.RED | Alarms.YELLOW).words() == ["RED", "YEL", "LOS"]
    assert Alarms.NONE.words() == []


def test_recovering_is_in_service_and_every_defect_is_not() -> None:
    assert not Alarms.RECOVER.out_of_service
    assert not Alarms.NOTOPEN.out_of_service
    assert not Alarms.LMFA.out_of_service
    assert (Alarms.RED | Alarms.LMFA).out_of_service
    assert all(bit.out_of_service for bit in (Alarms.RED, Alarms.BLUE, Alarms.YELLOW, Alarms.LOOPBACK, Alarms.ABSENT))
