"""Tests of conformance.truth.digits."""

from __future__ import annotations

from decimal import Context, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.truth.digits import decimal_text, interval_texts


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", Fraction(0)),
        ("0.5", Fraction(1, 2)),
        ("-2", Fraction(-2)),
        ("1", Fraction(1)),
        ("10", Fraction(10)),
        ("12.5", Fraction(25, 2)),
        ("0.00001", Fraction(1, 10**5)),
        ("1e-6", Fraction(1, 10**6)),
        ("-2.5e-8", Fraction(-25, 10**9)),
        ("100000000000000000000", Fraction(10**20)),
        ("1e21", Fraction(10**21)),
        ("1.5e300", Fraction(15 * 10**299)),
        ("0.3333333333333333333333333333333333333333", Fraction(1, 3)),
        ("6.666666666666666666666666666666666666667e-8", Fraction(2, 3 * 10**7)),
    ],
)
def test_a_value_has_one_canonical_text(text: str, value: Fraction) -> None:
    assert text == decimal_text(value)


@pytest.mark.parametrize(
    ("last", "value"),
    [
        ("0", 10**40 + 5),
        ("2", 10**40 + 15),
        ("1", 10**40 + 6),
        ("2", 10**40 + 25),
    ],
)
def test_a_tie_at_the_41st_digit_goes_to_the_even_neighbour(last: str, value: int) -> None:
    expected = "1e40" if last == "0" else f"1.{'0' * 38}{last}e40"
    assert expected == decimal_text(Fraction(value))


def test_rounding_up_may_carry_into_a_new_digit() -> None:
    assert decimal_text(Fraction(10**50 - 1)) == "1e50"


@given(st.fractions())
def test_the_text_is_the_value_rounded_to_40_digits(value: Fraction) -> None:
    # decimal divides two integers with a single rounding, half to even by default.
    expected = Context(prec=40).divide(Decimal(value.numerator), Decimal(value.denominator))
    assert expected == Decimal(decimal_text(value))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_survives_its_text(value: float) -> None:
    assert value == float(decimal_text(Fraction(value)))


def test_a_narrow_interval_has_one_text() -> None:
    third = "0.3333333333333333333333333333333333333333"
    assert (third, third) == interval_texts(int("3" * 60), 1, -60)


def test_an_interval_around_a_tie_has_the_texts_of_both_neighbours() -> None:
    middle = (10**40 + 5) * 10**10
    assert ("1e50", f"1.{'0' * 38}1e50") == interval_texts(middle, 1, 0)


def test_an_interval_around_zero_has_texts_of_both_signs() -> None:
    assert interval_texts(0, 1, -100) == ("-1e-100", "1e-100")


def test_an_exponent_may_have_hundreds_of_digits() -> None:
    text = f"2.5e-{10**300 - 1}"
    assert (text, text) == interval_texts(25, 0, -(10**300))
