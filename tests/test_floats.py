"""Tests of conformance.floats."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.floats import (
    FORMATS,
    MAX_TEXT,
    decimal_text,
    hex_text,
    is_exact,
    parse,
    round_to,
    to_array,
)

BIT64 = FORMATS["float64"]
every_format = pytest.mark.parametrize("fmt", FORMATS.values(), ids=FORMATS)
small_format = pytest.mark.parametrize(
    "fmt", [FORMATS["float16"], FORMATS["bfloat16"]], ids=["float16", "bfloat16"]
)


def same(a, b):
    """Equal as floats that tell their zeros apart, and hold one NaN."""
    return repr(a) == repr(b)


def positive_numbers(fmt):
    """Every number of a 16-bit format from 0 to infinity, in order, as float64."""
    bits = np.arange(2**15, dtype=np.uint16)
    infinity = (2 * fmt.emax + 1) << (fmt.precision - 1)
    return bits[: infinity + 1].view(fmt.dtype).astype(np.float64).tolist()


def neighbours(fmt):
    """Pairs of an index and the exact values beside it, infinity as the next power of 2."""
    numbers = positive_numbers(fmt)
    exact = [Fraction(number) for number in numbers[:-1]] + [Fraction(2) ** (fmt.emax + 1)]
    return numbers, list(pairwise(exact))


@every_format
def test_a_format_describes_its_dtype(fmt):
    one, inf = np.array([1, np.inf], dtype=fmt.dtype)
    top = np.nextafter(inf, one)
    smallest_subnormal = np.nextafter(fmt.dtype.type(0), one)

    assert fmt.dtype.name == fmt.name
    assert fmt.dtype.itemsize == fmt.uint.itemsize == fmt.bits // 8
    assert float(np.nextafter(one, inf) - one) == 2 * fmt.unit_roundoff
    assert float(top) == fmt.max
    assert float(smallest_subnormal) == 2 * fmt.smallest_normal * fmt.unit_roundoff


@small_format
def test_every_number_of_a_small_format_rounds_to_itself(fmt):
    for number in positive_numbers(fmt)[:-1]:
        for value in (number, -number):
            assert same(value, round_to(Fraction(value) or value, fmt))
            assert is_exact(Fraction(value), fmt)


@small_format
def test_every_midpoint_of_a_small_format_rounds_to_the_even_neighbour(fmt):
    numbers, pairs = neighbours(fmt)
    for index, (below, above) in enumerate(pairs):
        even = numbers[index + index % 2]
        middle = (below + above) / 2
        assert same(even, round_to(middle, fmt))
        assert same(-even, round_to(-middle, fmt))
        assert not is_exact(middle, fmt)


@small_format
def test_a_hair_beside_every_midpoint_of_a_small_format_decides(fmt):
    hair = Fraction(1, 10**60)
    numbers, pairs = neighbours(fmt)
    for index, (below, above) in enumerate(pairs):
        middle = (below + above) / 2
        assert same(numbers[index], round_to(middle - hair, fmt))
        assert same(numbers[index + 1], round_to(middle + hair, fmt))
        assert same(-numbers[index], round_to(hair - middle, fmt))


@every_format
def test_overflow_begins_half_an_ulp_above_the_largest_number(fmt):
    threshold = Fraction(fmt.max) + Fraction(2) ** (fmt.emax - fmt.precision)
    hair = Fraction(1, 10**500)

    assert fmt.max == round_to(threshold - hair, fmt)
    assert math.inf == round_to(threshold, fmt)
    assert -math.inf == round_to(-threshold, fmt)
    assert math.inf == round_to(parse("1e1000"), fmt)


@every_format
def test_underflow_keeps_the_sign(fmt):
    smallest = Fraction(2) ** (fmt.emin - fmt.precision + 1)

    assert same(0.0, round_to(smallest / 2, fmt))
    assert same(-0.0, round_to(-smallest / 2, fmt))
    assert float(smallest) == round_to(smallest * Fraction(501, 1000), fmt)
    assert same(-0.0, round_to(parse("-1e-1000"), fmt))


@every_format
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.0])
def test_a_value_that_is_no_ratio_stands_for_itself(fmt, value):
    assert same(value, round_to(value, fmt))
    assert is_exact(value, fmt)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_float32_and_float16_round_as_numpy_casts(value):
    for name in ("float32", "float16"):
        with np.errstate(over="ignore"):
            cast = float(np.float64(value).astype(name))
        assert same(cast, round_to(Fraction(value) or value, FORMATS[name]))


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_bfloat16_rounds_as_ml_dtypes_casts(value):
    fmt = FORMATS["bfloat16"]
    with np.errstate(over="ignore"):
        cast = float(np.float32(value).astype(fmt.dtype))

    assert same(cast, round_to(Fraction(value) or value, fmt))


@given(st.from_regex(r"[+-]?[0-9]{1,30}(\.[0-9]{0,30})?(e[+-]?[0-9]{1,3})?", fullmatch=True))
@settings(max_examples=500)
def test_decimals_round_to_float64_as_python_reads_them(text):
    assert same(float(text), round_to(parse(text), BIT64))


@given(st.floats())
def test_texts_of_a_float_read_back_as_it(value):
    assert same(value, round_to(parse(decimal_text(value)), BIT64))
    assert same(value, round_to(parse(hex_text(value)), BIT64))
    assert same(value, float.fromhex(hex_text(value)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.1", Fraction(1, 10)),
        ("-40", Fraction(-40)),
        ("+5", Fraction(5)),
        ("1e-7", Fraction(1, 10**7)),
        ("1E+3", Fraction(1000)),
        (".5", Fraction(1, 2)),
        ("5.", Fraction(5)),
        ("007", Fraction(7)),
        ("0.000e99", Fraction(0)),
        ("0x1.8p-3", Fraction(3, 16)),
        ("-0X.8P1", Fraction(-1)),
        ("0xff", Fraction(255)),
        ("0x0.0000000000001p-1022", Fraction(1, 2**1074)),
    ],
)
def test_a_text_is_read_exactly(text, expected):
    assert expected == parse(text)


@pytest.mark.parametrize("text", ["-0", "-0.0", "-0e5", "-0x0p0"])
def test_negative_zero_keeps_its_sign(text):
    assert same(-0.0, parse(text))


@pytest.mark.parametrize("text", ["nan", "inf", "-inf"])
def test_words_are_read(text):
    assert text == repr(parse(text))


@pytest.mark.parametrize(
    "text",
    ["", ".", "-", "e5", "1e", "1e5.0", "1_000", " 1", "1\n", "1,5", "0x", "0x.p1", "0x1p", "1p3",
     "NaN", "Infinity", "-nan", "--1", "1/3", "\u0661", "1j", "True", "0b1", "1e\u0665"],
)  # fmt: skip
def test_what_is_no_number_is_refused_in_one_sentence(text):
    with pytest.raises(ValueError, match=r"is not a number; write a decimal .*\.$"):
        parse(text)


def test_a_text_beyond_the_limit_is_refused():
    assert parse("1" * MAX_TEXT) > 0
    with pytest.raises(ValueError, match="2001 characters"):
        parse("1" * (MAX_TEXT + 1))


@pytest.mark.parametrize("power", ["1001", "9" * 39, "9" * 1900])
@pytest.mark.parametrize("literal", ["1.2e{}", "0x1.2p{}"])
def test_a_huge_exponent_becomes_a_magnitude_that_no_format_holds(power, literal):
    if literal.startswith("0x") and power == "1001":
        power = "3323"
    huge, tiny = parse(literal.format(power)), parse("-" + literal.format("-" + power))

    assert Fraction(10**1000) == huge
    assert Fraction(-1, 10**1000) == tiny
    assert not is_exact(huge, BIT64)
    assert not is_exact(tiny, BIT64)


def test_every_value_that_is_read_can_be_printed():
    for text in ("0x0." + "f" * 1980 + "p-3300", "1." + "9" * 1980 + "e-999", "9" * MAX_TEXT):
        assert "Fraction" in repr(parse(text))


def test_long_digits_do_not_hide_a_moderate_magnitude():
    assert Fraction(1) == parse("0." + "0" * 1499 + "1e1500")
    assert Fraction(1) == parse("1" + "0" * 1500 + "e-1500")
    assert parse("9.99e999") < parse("1e1000") == parse("1.2e1000")


@pytest.mark.parametrize(
    ("value", "decimal", "hexadecimal"),
    [
        (-40.0, "-40", "-0x1.4p+5"),
        (0.5, "0.5", "0x1p-1"),
        (0.0, "0", "0x0p+0"),
        (-0.0, "-0.0", "-0x0p+0"),
        (1e-7, "1e-07", "0x1.ad7f29abcaf48p-24"),
        (5e-324, "5e-324", "0x0.0000000000001p-1022"),
        (math.nan, "nan", "nan"),
        (-math.inf, "-inf", "-inf"),
    ],
)
def test_texts_of_a_float_are_short(value, decimal, hexadecimal):
    assert decimal == decimal_text(value)
    assert hexadecimal == hex_text(value)


@small_format
def test_every_number_survives_in_an_array(fmt):
    numbers = positive_numbers(fmt)
    array = to_array(numbers, (len(numbers),), fmt)

    assert fmt.dtype == array.dtype
    np.testing.assert_array_equal(np.arange(len(numbers)), array.view(fmt.uint))


@every_format
def test_values_fill_an_array_cyclically_in_c_order(fmt):
    array = to_array([1.0, -0.0, 3.0], (2, 2), fmt)

    assert fmt.dtype == array.dtype
    assert array.tolist() == [[1.0, 0.0], [3.0, 1.0]]
    assert np.signbit(array[0, 1])


def test_an_array_may_be_0_d_or_empty():
    assert to_array([2.0], (), BIT64).shape == ()
    assert to_array([], (0, 3), BIT64).shape == (0, 3)
    assert to_array([1.0], (0,), BIT64).shape == (0,)


def test_an_array_with_elements_needs_a_value():
    with pytest.raises(ValueError, match="No values to fill"):
        to_array([], (2,), BIT64)
