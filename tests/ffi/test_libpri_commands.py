# SPDX-License-Identifier: GPL-2.0-or-later
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dahdi_py.core.terms import Node, SwitchType
from dahdi_py.ffi.libpri import Pump
from dahdi_py.ffi.libpri_commands import SetupRequest
from dahdi_py.ffi.libpri_events import Event, Number, Ring, Subaddress, progress_descriptions, text


@given(st.binary(max_size=64))
def test_a_peers_octets_are_always_printable(octets: bytes) -> None:
    shown = text(octets)
    assert not any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in shown)
    assert len(shown) >= len(octets)


def test_control_characters_are_shown_as_escapes() -> None:
    assert text(b"a\x00\x1b[2J\x7f\x9f\xe9") == "a\\x00\\x1b[2J\\x7f\\x9f\xe9"


def test_progress_masks_become_the_standards_numbers() -> None:
    assert progress_descriptions(0b1101) == (1, 3, 8)
    assert progress_descriptions(0) == ()


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (SetupRequest(None, 1), "called"),
        (SetupRequest(Number("1" * 64), 1), "called"),
        (SetupRequest(Number("1\x002"), 1), "NUL"),
        (SetupRequest(Number("1"), 0), "channel"),
        (SetupRequest(Number("1"), 1 << 20), "channel"),
        (SetupRequest(Number("1"), 1, calling_name="\u20ac"), "Latin-1"),
        (SetupRequest(Number("1"), 1, calling_name="x" * 64), "calling_name"),
        (SetupRequest(Number("1"), 1, user_user="x" * 132), "user_user"),
        (SetupRequest(Number("1"), 1, called_subaddress=Subaddress(bytes(21), 0, odd=False)), "called_subaddress"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(wrong: SetupRequest, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Pump(virtual=True).setup(0, 1, wrong)


@pytest.mark.parametrize("cause", [0, 128, -1])
def test_a_cause_outside_of_q850_is_refused(cause: int) -> None:
    with pytest.raises(ValueError, match="cause"):
        Pump(virtual=True).hangup(1, cause)


def rings(request: SetupRequest) -> list[Event]:
    pump = Pump(virtual=True)
    network = pump.add_dchannel(Node.NETWORK, SwitchType.EUROISDN)
    cpe = pump.add_dchannel(Node.CPE, SwitchType.EUROISDN)
    pump.join(network, cpe)
    pump.turn()
    pump.setup(network, pump.new_handle(), request)
    events = pump.turn()
    assert pump.dchannel_state(cpe) == "up"
    return [event for event in events if isinstance(event, Ring)]


PRINTABLE = st.text(st.characters(codec="latin-1", exclude_characters="\0"), min_size=1, max_size=20)


@given(st.text("0123456789*#", min_size=1, max_size=20), PRINTABLE, st.integers(0, 7), st.integers(0, 9))
def test_numbers_and_names_survive_the_line(digits: str, name: str, kind: int, plan: int) -> None:
    number = Number(digits, plan=plan, type=kind, presentation=0, screening=3)
    (ring,) = rings(SetupRequest(Number(digits, plan=plan, type=kind), 1, calling=number, calling_name=name))
    assert isinstance(ring, Ring)
    assert (ring.called, ring.calling) == (Number(digits, plan=plan, type=kind), number)


def test_the_longest_of_everything_fits_in_one_setup_or_is_refused() -> None:
    full = Number("9" * 63, presentation=0, screening=0)
    asked = SetupRequest(full, 1, calling=full, redirecting=full, original_called=full, calling_name="n" * 63,
                         keypad="1" * 63, user_user="u" * 131)  # fmt: skip
    assert len(rings(asked)) <= 1
