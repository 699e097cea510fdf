"""Tests of conformance.ulps."""

from __future__ import annotations

import math
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from conformance.floats import FORMATS, parse, round_to
from conformance.ulps import NO_DISTANCE, Reals, ulp, ulp_distance, ulp_error

BIT32, BIT64 = FORMATS["float32"], FORMATS["float64"]
LARGEST = sys.float_info.max
every_format = pytest.mark.parametrize("fmt", FORMATS.values(), ids=FORMATS)
formats = st.sampled_from(list(FORMATS.values()))


def ratios(digits, power):
    return st.builds(lambda n, e: parse(f"{n}e{e}"), st.integers(-(10**digits), 10**digits), power)


truths = st.one_of(
    ratios(40, st.integers(-400, 330)),
    ratios(40, st.sampled_from([-990, -50, 900, 990])),
    st.floats(allow_nan=False, allow_infinity=False).map(Fraction),
    st.sampled_from([math.nan, math.inf, -math.inf, -0.0, Fraction(0)]),
)


@st.composite
def answered(draw):
    """A format, a truth, and an answer that is often near it."""
    fmt, truth = draw(formats), draw(truths)
    near = round_to(truth, fmt)
    answer = draw(st.sampled_from([near, -near, 0.0, math.inf, -math.inf, math.nan, fmt.max, None]))
    if answer is None:
        answer = draw(st.floats(allow_nan=False))
    if not math.isfinite(answer):
        return fmt, truth, answer
    steps = draw(st.integers(-5, 5))
    return fmt, truth, round_to(Fraction(answer) + steps * ulp(Fraction(answer), fmt), fmt)


def exact_difference(fmt, truth, answer):
    """abs(answer - truth) as a Fraction; None where it is no number."""
    if math.isinf(answer) and answer == round_to(truth, fmt):
        return Fraction(0)
    if isinstance(truth, float) and not math.isfinite(truth):
        return None
    if math.isnan(answer):
        return None
    if math.isinf(answer):
        answer = Fraction(2) ** (fmt.emax + 1) * (1 if answer > 0 else -1)
    return abs(Fraction(answer) - Fraction(truth))


def within(truth, answer, bound, fmt):
    verdict = Reals.prepare([truth], fmt).within(np.array([answer]), np.array([bound]))
    return bool(verdict[0])


@every_format
def test_ulp_is_the_gap_between_neighbours(fmt):
    smallest = Fraction(2) ** (fmt.emin - fmt.precision + 1)

    assert Fraction(2 * fmt.unit_roundoff) == ulp(Fraction(1), fmt)
    assert Fraction(fmt.unit_roundoff) == ulp(Fraction(-999, 1000), fmt)
    assert smallest == ulp(Fraction(0), fmt)
    assert smallest == ulp(-0.0, fmt)
    assert smallest == ulp(parse("1e-1000"), fmt)
    assert smallest == ulp(Fraction(fmt.smallest_normal), fmt)
    assert 2 * smallest == ulp(Fraction(2 * fmt.smallest_normal), fmt)


@every_format
def test_ulp_beyond_the_range_is_that_of_the_top_binade(fmt):
    top = ulp(Fraction(fmt.max), fmt)

    assert Fraction(2) ** (fmt.emax - fmt.precision + 1) == top
    assert top == ulp(parse("-1e1000"), fmt)


@given(st.floats(min_value=0, allow_infinity=False))
def test_ulp_of_float64_is_that_of_python(value):
    assert Fraction(math.ulp(value)) == ulp(Fraction(value), BIT64)


def test_ulp_error_counts_parts_of_an_ulp():
    truth = parse("4.248354255291588986304977843631582181878e-18")

    assert ulp_error(round_to(truth, BIT32), truth, BIT32) < 0.5
    assert ulp_error(1.0, 1 + 3 * Fraction(BIT32.unit_roundoff), BIT32) == 1.5
    assert ulp_error(5e-324, Fraction(0), BIT64) == 1.0
    assert ulp_error(0.0, Fraction(1, 4) * Fraction(5e-324), BIT64) == 0.25


@every_format
def test_an_infinite_answer_counts_as_the_next_power_of_two(fmt):
    assert ulp_error(math.inf, Fraction(fmt.max), fmt) == 1.0
    assert 2.0**fmt.precision == ulp_error(-math.inf, Fraction(-(2.0**fmt.emax)), fmt) * 2
    assert 2.0 ** (fmt.precision + 1) - 1 == ulp_error(-math.inf, Fraction(fmt.max), fmt)


@every_format
def test_an_infinite_answer_is_right_where_the_truth_overflows(fmt):
    beyond = Fraction(2) ** (fmt.emax + 1)

    assert ulp_error(math.inf, beyond, fmt) == 0.0
    assert ulp_error(fmt.max, beyond, fmt) == 1.0
    assert 2.0 ** (fmt.precision + 1) == ulp_error(-math.inf, beyond, fmt)


def test_ulp_error_of_nan_and_infinite_truths():
    assert ulp_error(math.nan, math.nan, BIT32) == 0.0
    assert math.isnan(ulp_error(1.0, math.nan, BIT32))
    assert math.isnan(ulp_error(math.nan, Fraction(1), BIT32))
    assert math.isnan(ulp_error(math.nan, math.inf, BIT32))
    assert ulp_error(-math.inf, -math.inf, BIT32) == 0.0
    assert math.inf == ulp_error(math.inf, -math.inf, BIT32)
    assert math.inf == ulp_error(1.0, math.inf, BIT32)


def test_a_finite_ulp_error_stays_finite():
    assert ulp_error(LARGEST, Fraction(0), BIT64) == LARGEST
    assert ulp_error(math.inf, Fraction(0), BIT64) == LARGEST
    assert ulp_error(0.0, parse("1e1000"), BIT32) == LARGEST


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_every_two_neighbours_are_one_step_apart(name):
    fmt = FORMATS[name]
    infinity = (2 * fmt.emax + 1) << (fmt.precision - 1)
    numbers = np.arange(infinity + 1, dtype=np.uint16).view(fmt.dtype)
    line = np.concatenate([-numbers[:0:-1], numbers])
    steps = ulp_distance(line[1:], line[:-1])

    assert np.float64(-np.inf) == line[0]
    assert {1} == set(steps.tolist())
    np.testing.assert_array_equal(
        np.arange(len(line)), ulp_distance(line, line[:1].repeat(len(line)))
    )


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_ulp_distance_of_float64_counts_in_integers(a, b):
    def place(value):
        magnitude = int(np.float64(abs(value)).view(np.uint64))
        return -magnitude if value < 0 else magnitude

    assert abs(place(a) - place(b)) == int(ulp_distance(np.array(a), np.array(b)))


def test_ulp_distance_of_opposite_extremes_does_not_wrap():
    distance = ulp_distance(np.array([math.inf, 0.0]), np.array([-math.inf, -0.0]))

    assert distance.tolist() == [2 * 0x7FF0_0000_0000_0000, 0]


@every_format
def test_nan_is_no_distance_from_a_number(fmt):
    a = np.array([np.nan, -np.nan, np.nan, 1, np.nan], dtype=fmt.dtype)
    b = np.array([np.nan, np.nan, 1, np.nan, np.inf], dtype=fmt.dtype)

    assert ulp_distance(a, b).tolist() == [0, 0, NO_DISTANCE, NO_DISTANCE, NO_DISTANCE]


def test_ulp_distance_takes_any_shape_and_stride():
    a = np.arange(12, dtype=np.float32).reshape(3, 4).T

    assert ulp_distance(a, np.nextafter(a, np.float32(-1))).shape == (4, 3)
    assert np.all(ulp_distance(a, np.nextafter(a, np.float32(-1))) == 1)
    assert ulp_distance(np.float32([1])[0, ...], np.float32([2])[0, ...]).shape == ()


@pytest.mark.parametrize("other", [np.zeros(2), np.zeros(3, dtype=np.float32)])
def test_ulp_distance_refuses_arrays_that_differ_in_shape_or_dtype(other):
    with pytest.raises(ValueError, match="give two of one dtype and shape"):
        ulp_distance(np.zeros(3), other)


@given(answered())
@example((BIT64, parse("1e-1000"), 0.0))
@example((BIT64, Fraction(2**900), 5e-324))
@settings(max_examples=1500)
def test_vector_errors_agree_with_the_exact_ones(given_case):
    fmt, truth, answer = given_case
    expected = ulp_error(answer, truth, fmt)
    error = float(Reals.prepare([truth], fmt).errors(np.array([answer]))[0])

    assert math.isnan(expected) == math.isnan(error)
    if not math.isnan(expected):
        assert error == pytest.approx(expected, rel=2**-50, abs=5e-324)


@given(answered(), st.floats(min_value=0, allow_infinity=False))
@example((BIT64, parse("1e-320"), 1.0), 1e-300)
@example((BIT64, parse("1e-320"), LARGEST), LARGEST)
@example((BIT64, parse("1e-320"), LARGEST), 1e-320)
@example((BIT64, parse("-1e308"), LARGEST), LARGEST)
@example((BIT64, parse("1e-1000"), 0.0), 0.0)
@example((BIT64, parse("1e-1000"), 0.0), 5e-324)
@example((BIT64, parse("1e308"), 1e308), 5e-324)
@example((BIT64, parse("1e308"), math.inf), LARGEST)
@example((BIT32, parse("1e1000"), 0.0), LARGEST)
@example((BIT64, Fraction(2) ** 900 + Fraction(2) ** -100, 2.0**900), 2.0**-101)
@settings(max_examples=1500)
def test_a_verdict_is_that_of_exact_arithmetic(given_case, bound):
    fmt, truth, answer = given_case
    exact = exact_difference(fmt, truth, answer)
    if exact is None:
        both_nan = math.isnan(answer) and isinstance(truth, float) and math.isnan(truth)
        assert both_nan == within(truth, answer, bound, fmt)
    else:
        assume(exact == bound or abs(exact - Fraction(bound)) > exact * Fraction(1, 2**50))
        assert (exact <= bound) == within(truth, answer, bound, fmt)


@given(answered(), st.integers(-3, 3).filter(bool))
@settings(max_examples=500)
def test_a_verdict_is_right_just_beside_its_bound(given_case, hairs):
    fmt, truth, answer = given_case
    exact = exact_difference(fmt, truth, answer)
    assume(exact is not None and Fraction(1e-290) < exact < Fraction(1e300))
    bound = float(exact) * (1 + hairs * 2.0**-48)

    assert (hairs > 0) == within(truth, answer, bound, fmt)


@pytest.mark.parametrize("bound", [math.inf, math.nan])
def test_a_bound_that_is_not_finite_allows_only_the_truth_itself(bound):
    assert within(Fraction(1), 1.0, bound, BIT64)
    assert within(math.nan, math.nan, bound, BIT64)
    assert within(math.inf, math.inf, bound, BIT64)
    assert not within(Fraction(1), math.nextafter(1.0, 2.0), bound, BIT64)
    assert not within(math.inf, -math.inf, bound, BIT64)
    assert not within(parse("1e-320"), LARGEST, bound, BIT64)


@pytest.mark.parametrize("part", [Fraction(1, 10**50), Fraction(3, 5), Fraction(7, 5)])
def test_a_truth_near_zero_is_not_taken_for_it(part):
    truth = part * Fraction(5e-324) * ulp(Fraction(0), BIT64)

    assert not within(truth, 0.0, 0.0, BIT64)
    assert not within(-truth, 0.0, 0.0, BIT64)


def test_a_truth_near_a_float_is_not_taken_for_it():
    truth = 1 + Fraction(1, 10**1900)
    reals = Reals.prepare([truth], BIT64)

    assert reals.errors(np.array([1.0]))[0] > 0.0
    assert not within(truth, 1.0, 0.0, BIT64)


@every_format
def test_prepared_truths_are_rounded_and_finite(fmt):
    values = [parse(text) for text in ("0.1", "-1e-1000", "1e1000", "-1e1000", "-0.0")]
    reals = Reals.prepare(values, fmt)

    assert [round_to(value, fmt) for value in values] == reals.rounded.tolist()
    assert np.signbit(reals.rounded).tolist() == [False, True, False, True, True]
    assert np.all(np.isfinite(reals.hi) & np.isfinite(reals.lo))
    assert np.sign(reals.hi + reals.lo).tolist() == [1, -1, 1, -1, 0]


@every_format
@pytest.mark.parametrize("power", [-13000, 13000])
def test_a_truth_of_any_magnitude_is_prepared(fmt, power):
    truth = -(Fraction(10) ** power)
    answers = np.array([0.0, -fmt.max, -math.inf])
    errors = Reals.prepare([truth] * 3, fmt).errors(answers)

    assert [ulp_error(answer, truth, fmt) for answer in answers.tolist()] == pytest.approx(
        errors.tolist(), abs=5e-324
    )


def test_truths_are_joined():
    first = Reals.prepare([Fraction(1), Fraction(1, 3)], BIT32)
    joined = Reals.concatenate([first, Reals.prepare([], BIT32), Reals.prepare([math.nan], BIT32)])
    answers = np.array([2.0, 1.0, math.nan])

    assert (len(first), len(joined)) == (2, 3)
    assert joined.within(answers, np.array([0.5, 1.0, 0.0])).tolist() == [False, True, True]
    assert joined.errors(answers)[0] == 8388608.0


@pytest.mark.parametrize("names", [[], ["float32", "float64"]])
def test_only_truths_of_one_format_are_joined(names):
    with pytest.raises(ValueError, match="Reals of one format"):
        Reals.concatenate([Reals.prepare([], FORMATS[name]) for name in names])
