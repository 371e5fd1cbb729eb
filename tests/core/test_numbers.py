# SPDX-License-Identifier: GPL-2.0-or-later
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dahdi_py.core.numbers import NumberPattern
from dahdi_py.errors import ConfigError

DIGITS = st.text("0123456789", min_size=1, max_size=15)


@given(DIGITS, st.text(max_size=16))
def test_digits_fit_themselves_alone(digits: str, other: str) -> None:
    assert NumberPattern.parse(digits).fits(digits)
    assert NumberPattern.parse(digits).fits(other) is (other == digits)


@given(DIGITS, DIGITS, st.text("0123456789", max_size=16))
def test_a_range_holds_the_numbers_of_its_length_between_its_ends(one: str, two: str, number: str) -> None:
    width = max(len(one), len(two))
    low, high = sorted((one.zfill(width), two.zfill(width)))
    fits = NumberPattern.parse(f"{low}-{high}").fits(number)
    assert fits is (len(number) == width and low <= number <= high)


@given(DIGITS, st.text("0123456789*#", max_size=8))
def test_a_trailing_dot_takes_any_rest(prefix: str, rest: str) -> None:
    assert NumberPattern.parse(prefix + ".").fits(prefix + rest)
    assert not NumberPattern.parse(prefix + ".").fits("A" + prefix + rest)


@given(st.text("0123456789X", min_size=1, max_size=12), st.data())
def test_x_is_any_one_digit(pattern: str, data: st.DataObject) -> None:
    number = "".join(data.draw(st.sampled_from("0123456789")) if sign == "X" else sign for sign in pattern)
    compiled = NumberPattern.parse(pattern)
    assert compiled.fits(number)
    assert not compiled.fits(number + "0")
    assert not compiled.fits(number[:-1])
    assert not compiled.fits("*" + number[1:])


@pytest.mark.parametrize("number", ["", "200", "20010", "٢٠٠١", "2001\n", "²001"])
def test_numbers_that_only_look_alike_do_not_fit(number: str) -> None:
    assert not NumberPattern.parse("2001-2009").fits(number)
    assert not NumberPattern.parse("2001").fits(number)
    assert not NumberPattern.parse("XXXX").fits(number)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "trailing ."),
        ("20a1", "no number pattern"),
        ("2.1", "no number pattern"),
        ("2009-2001", "2001-2009"),
        ("1-20", "differ in length"),
        ("2001-200X", "no number pattern"),
        ("2001\n", "no number pattern"),
    ],
)
def test_what_is_no_pattern_is_refused_with_the_right_forms(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        NumberPattern.parse(text)
