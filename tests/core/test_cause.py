# SPDX-License-Identifier: GPL-2.0-or-later
from hypothesis import given
from hypothesis import strategies as st

from dahdi_py.core.cause import RETRY_ELSEWHERE, cause_name, location_name
from dahdi_py.core.q931 import in_band, message_name


def test_causes_have_the_words_of_q850() -> None:
    assert cause_name(16) == "normal call clearing"
    assert cause_name(17) == "user busy"
    assert cause_name(1) == "unallocated number"
    assert cause_name(41) == "temporary failure"
    assert cause_name(0) == ""
    assert sorted(RETRY_ELSEWHERE) == [34, 44]


def test_locations_have_one_word() -> None:
    assert [location_name(n) for n in (None, 0, 2, 10)] == ["", "user", "public_local", "beyond_interworking"]


@given(st.integers(0, 255))
def test_what_a_peer_invents_is_printable(value: int) -> None:
    for text in (cause_name(value), location_name(value), message_name(value)):
        assert text.isprintable()
    assert cause_name(128 + value) == f"unknown({128 + value})"
    assert location_name(16 + value) == f"unknown({16 + value})"


def test_messages_are_called_as_q931_calls_them() -> None:
    assert [message_name(n) for n in (0x05, 0x0D, 0x45, 0xFF)] == [
        "SETUP", "SETUP ACKNOWLEDGE", "DISCONNECT", "unknown(0xFF)",
    ]  # fmt: skip


def test_in_band_is_said_by_description_1_or_8() -> None:
    assert in_band((8,))
    assert in_band((3, 1))
    assert not in_band((2, 3))
    assert not in_band(())
