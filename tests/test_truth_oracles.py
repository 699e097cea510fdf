"""Tests of conformance.truth.arb, conformance.truth.closed_form and their agreement."""

from __future__ import annotations

import math
import re
import struct
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from typing import TYPE_CHECKING

import mpmath
import pytest
from flint import arb
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conformance.operations import OPERATIONS
from conformance.truth import Disagreement, Unproven, closed_form
from conformance.truth.agreement import agreed_text, compare
from conformance.truth.arb import Enclosure, enclose
from conformance.truth.policies import POLICIES, Quantity
from conformance.truth.sums import WeightedSum

if TYPE_CHECKING:
    from conformance.truth.elements import Point

FLOAT32_MAX = 3.4028234663852886e38
FLOAT64_MAX = 1.7976931348623157e308
SMALLEST = 5e-324


def text_at(operation: str, output: str, *point: float, policy: str = "limit") -> str:
    asked = WeightedSum(Quantity(operation, output, policy), {point: Fraction(1)})
    return agreed_text(asked, "here")


def to_40_digits(value: Decimal) -> Decimal:
    return Context(prec=40).plus(value)


def decimal_softplus(z: float) -> Decimal:
    return (1 + Decimal(z).exp()).ln()


@pytest.mark.parametrize("x", [-100.0, -40.0, -1.5, -(2.0**-30), 0.0, 0.1, 3.0, 88.75])
@pytest.mark.parametrize(("t", "p"), [(0.0, 1.0), (1.0, 1.0), (0.25, 3.0), (-2.0, 0.5)])
def test_logits_form_equals_its_definition_in_decimal_arithmetic(
    x: float, t: float, p: float
) -> None:
    with localcontext(prec=200):
        t_, p_ = Decimal(t), Decimal(p)
        loss = p_ * t_ * decimal_softplus(-x) + (1 - t_) * decimal_softplus(x)
        sigmoid = 1 / (1 + Decimal(-x).exp())
        logits_grad = (1 - t_) * sigmoid - p_ * t_ * (1 - sigmoid)
        targets_grad = p_ * decimal_softplus(-x) - decimal_softplus(x)
        if p == 1:
            # Of softplus(-x) - softplus(x), only -x is left.
            targets_grad = -Decimal(x)
    assert to_40_digits(loss) == Decimal(text_at("bce_with_logits", "loss", x, t, p))
    assert to_40_digits(logits_grad) == Decimal(text_at("bce_with_logits", "logits_grad", x, t, p))
    assert to_40_digits(targets_grad) == Decimal(
        text_at("bce_with_logits", "targets_grad", x, t, p)
    )


@pytest.mark.parametrize("q", [1e-30, 0.1, 0.25, 0.5, 0.75, 1 - 2.0**-53])
@pytest.mark.parametrize("t", [0.0, 0.25, 1.0])
def test_probability_form_equals_its_definition_in_decimal_arithmetic(q: float, t: float) -> None:
    with localcontext(prec=200):
        q_, t_ = Decimal(q), Decimal(t)
        loss = -(t_ * q_.ln() + (1 - t_) * (1 - q_).ln())
        probabilities_grad = (1 - t_) / (1 - q_) - t_ / q_
        targets_grad = (1 - q_).ln() - q_.ln()
    assert to_40_digits(loss) == Decimal(text_at("bce", "loss", q, t))
    assert to_40_digits(targets_grad) == Decimal(text_at("bce", "targets_grad", q, t))
    assert to_40_digits(probabilities_grad) == Decimal(text_at("bce", "probabilities_grad", q, t))


@pytest.mark.parametrize(
    ("operation", "output", "point"),
    [
        ("bce_with_logits", "logits_grad", (-3.25, 0.75, 2.5)),
        ("bce_with_logits", "targets_grad", (-3.25, 0.75, 2.5)),
        ("bce", "probabilities_grad", (0.125, 0.75)),
        ("bce", "targets_grad", (0.125, 0.75)),
    ],
)
def test_a_gradient_is_the_difference_quotient_of_the_loss(
    operation: str, output: str, point: Point
) -> None:
    with mpmath.workdps(200):
        moving = OPERATIONS[operation].arguments.index(OPERATIONS[operation].gradients[output])
        h = mpmath.mpf(10) ** -60

        def loss(*z: mpmath.mpf) -> mpmath.mpf:
            if operation == "bce":
                q, t = z
                return -(t * mpmath.log(q) + (1 - t) * mpmath.log(1 - q))
            x, t, p = z
            return p * t * mpmath.log(1 + mpmath.exp(-x)) + (1 - t) * mpmath.log(1 + mpmath.exp(x))

        ahead, behind = (
            loss(*(mpmath.mpf(z) + (step if i == moving else 0) for i, z in enumerate(point)))
            for step in (h, -h)
        )
        quotient = (ahead - behind) / (2 * h)
        # The quotient's own error is of order h**2.
        assert (
            abs(quotient - mpmath.mpf(text_at(operation, output, *point))) < mpmath.mpf(10) ** -38
        )


@given(x=st.floats(-1e3, 1e3))
def test_a_positive_logit_costs_what_a_negative_one_costs_for_the_other_target(x: float) -> None:
    assert text_at("bce_with_logits", "loss", x, 1.0, 1.0) == text_at(
        "bce_with_logits", "loss", -x, 0.0, 1.0
    )


def test_softplus_at_minus_the_largest_float32_has_an_exponent_of_39_digits() -> None:
    text = text_at("bce_with_logits", "loss", -FLOAT32_MAX, 0.0, 1.0)
    # log10(exp(-x)) = -x/log(10), split into its floor and the rest.
    with localcontext(prec=120):
        power = -Decimal(FLOAT32_MAX) / Decimal(10).ln()
        exponent = math.floor(power)
        significand = to_40_digits(Decimal(10) ** (power - exponent))
    assert f"{significand}e{exponent}" == text


def test_softplus_at_minus_the_largest_float64_has_an_exponent_of_308_digits() -> None:
    text = text_at("bce_with_logits", "loss", -FLOAT64_MAX, 0.0, 1.0)
    with localcontext(prec=500):
        power = -Decimal(FLOAT64_MAX) / Decimal(10).ln()
        exponent = math.floor(power)
        significand = to_40_digits(Decimal(10) ** (power - exponent))
    assert f"{significand}e{exponent}" == text


@pytest.mark.parametrize(
    ("expected", "output", "point"),
    [
        ("0", "logits_grad", (0.0, 0.5, 1.0)),
        ("0", "logits_grad", (0.0, 0.25, 3.0)),
        ("0", "targets_grad", (0.0, 0.25, 1.0)),
        ("0", "loss", (700.0, 1.0, 0.0)),
        ("-0.5", "logits_grad", (0.0, 1.0, 1.0)),
        ("-7", "targets_grad", (7.0, 0.5, 1.0)),
    ],
)
def test_a_rational_logits_value_is_exact(expected: str, output: str, point: Point) -> None:
    assert expected == text_at("bce_with_logits", output, *point)


@pytest.mark.parametrize(
    ("expected", "output", "point"),
    [
        ("0", "targets_grad", (0.5, 0.25)),
        ("0", "probabilities_grad", (0.25, 0.25)),
        ("-2", "probabilities_grad", (0.5, 1.0)),
        ("4", "probabilities_grad", (0.75, 0.0)),
    ],
)
def test_a_rational_probability_value_is_exact(expected: str, output: str, point: Point) -> None:
    assert expected == text_at("bce", output, *point)


LOGITS = Quantity("bce_with_logits", "loss")


def test_a_weighted_sum_that_cancels_is_exactly_zero() -> None:
    terms = {(2.0, 1.0, 1.0): Fraction(1, 3), (-2.0, 0.0, 1.0): Fraction(-1, 3)}
    assert agreed_text(WeightedSum(LOGITS, terms), "here") == "0"


def test_a_weighted_sum_of_which_a_rational_is_left_is_exact() -> None:
    # s(x) - s(-x) = x
    terms = {(3.0, 0.0, 1.0): Fraction(1, 4), (-3.0, 0.0, 1.0): Fraction(-1, 4)}
    assert agreed_text(WeightedSum(LOGITS, terms), "here") == "0.75"


def test_a_sum_that_cancels_down_to_its_last_digits_is_still_proven() -> None:
    # s(1000) - 1000 = s(-1000) = exp(-1000) (1 - exp(-1000)/2 + ...)
    asked = WeightedSum(LOGITS, {(1000.0, 0.0, 1.0): Fraction(1)}, constant=Fraction(-1000))
    with localcontext(prec=60):
        expected = to_40_digits(Decimal(-1000).exp())
    assert expected == Decimal(agreed_text(asked, "here"))


def test_a_sum_that_cancels_beyond_the_largest_precision_is_an_error() -> None:
    # 2 log(3/4) - log(9/16) is 0, but only powers of 2 are taken apart.
    terms = {(0.75, 1.0): Fraction(2), (0.5625, 1.0): Fraction(-1)}
    with pytest.raises(Unproven, match="here: its terms cancel so far"):
        agreed_text(WeightedSum(Quantity("bce", "loss"), terms), "here")


def test_a_sum_too_cancelled_for_any_ball_is_an_error() -> None:
    # s(1e6) - 1e6 = exp(-1e6): the closed form subtracts exactly, a ball needs 1.4 million bits.
    asked = WeightedSum(LOGITS, {(1e6, 0.0, 1.0): Fraction(1)}, constant=Fraction(-(10**6)))
    with pytest.raises(Unproven, match="here: 32768 bits do not prove 40 digits"):
        agreed_text(asked, "here")


@pytest.mark.parametrize("x", [-1000.0, -1e6, -FLOAT64_MAX])
@pytest.mark.parametrize(("expected", "sign"), [(f"1.{'0' * 38}1", 1), (f"1.{'0' * 39}", -1)])
def test_a_value_beside_a_tie_rounds_to_its_side(x: float, expected: str, sign: int) -> None:
    tie = 1 + Fraction(1, 2 * 10**39)
    asked = WeightedSum(LOGITS, {(x, 0.0, 1.0): Fraction(sign)}, constant=tie)
    assert expected == agreed_text(asked, "here")


def test_oracles_that_differ_in_the_44th_digit_are_reported() -> None:
    asked = WeightedSum(LOGITS, {(1.0, 0.0, 1.0): Fraction(1)})
    enclosure = enclose(asked, 256)
    closed = closed_form.evaluate(asked, "here")
    assert compare(enclosure, closed, 256, "here") is not None
    with mpmath.workprec(256):
        wrong = closed * (1 + mpmath.mpf(10) ** -44)
    with pytest.raises(Disagreement, match="here: the oracles differ: "):
        compare(enclosure, wrong, 256, "here")


def test_an_exact_zero_outside_the_ball_is_reported() -> None:
    enclosure = Enclosure(ball=arb(2) ** -1000, scale=arb(1))
    with pytest.raises(Disagreement):
        compare(enclosure, Fraction(0), 256, "here")


def test_a_ball_too_wide_for_an_exact_zero_proves_nothing() -> None:
    enclosure = Enclosure(ball=arb(0, 1e-10), scale=arb(1))
    assert compare(enclosure, Fraction(0), 256, "here") is None


@pytest.mark.parametrize(
    ("expected", "q", "t"),
    [
        # log(1e-44) < -100 < log(1e-43)
        ("100", 1e-44, 1.0),
        ("25", 2.0**-1000, 0.25),
        (text_at("bce", "loss", 1e-43, 1.0), 1e-43, 1.0),
        (text_at("bce", "loss", 0.3, 0.6), 0.3, 0.6),
    ],
)
def test_clamp_log_100_cuts_logarithms_off(expected: str, q: float, t: float) -> None:
    text = text_at("bce", "loss", q, t, policy="clamp_log_100")
    # The other logarithm of a tiny probability is no more than 1e-300.
    assert Decimal(expected) == to_40_digits(Decimal(text))


FLOAT32_1E_12 = Fraction(*struct.unpack("f", struct.pack("f", 1e-12)))


@pytest.mark.parametrize(
    ("q", "t", "divisor"),
    [
        (0.0, 1.0, FLOAT32_1E_12),
        (1e-30, 0.0, FLOAT32_1E_12),
        (0.25, 0.0, Fraction(3, 16)),
    ],
)
def test_denominator_eps_is_the_float32_nearest_1e_12(
    q: float, t: float, divisor: Fraction
) -> None:
    text = text_at("bce", "probabilities_grad", q, t, policy="denominator_eps_1e_12")
    quotient = (Fraction(q) - Fraction(t)) / divisor
    expected = Context(prec=40).divide(Decimal(quotient.numerator), Decimal(quotient.denominator))
    assert expected == Decimal(text)


NUMBER = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?")
WIDE = st.one_of(st.floats(-50, 50), st.floats(allow_nan=False, allow_infinity=False))
POSITIVE = st.floats(1e-8, 1e4)
INSIDE = st.one_of(
    st.floats(0, 1, exclude_min=True, exclude_max=True),
    st.floats(SMALLEST, 1e-300),
    st.integers(1, 1000).map(lambda k: 1 - k * 2.0**-53),
)


@settings(max_examples=150, deadline=None)
@given(output=st.sampled_from(OPERATIONS["bce_with_logits"].outputs), x=WIDE, t=WIDE, p=POSITIVE)
@example(output="loss", x=-FLOAT64_MAX, t=0.0, p=1.0)
@example(output="logits_grad", x=SMALLEST, t=0.5, p=1.0)
@example(output="logits_grad", x=1e-75, t=0.5, p=1.0)
@example(output="targets_grad", x=SMALLEST, t=0.5, p=1 + 2.0**-52)
@example(output="logits_grad", x=1e-300, t=1.0, p=1e4)
def test_both_oracles_agree_on_the_logits_form(output: str, x: float, t: float, p: float) -> None:
    # agreed_text raises where they do not; a text comes from both or not at all.
    assert NUMBER.fullmatch(text_at("bce_with_logits", output, x, t, p))


@settings(max_examples=150, deadline=None)
@given(
    quantity=st.sampled_from(
        [
            Quantity("bce", output, name)
            for name, policy in POLICIES.items()
            for output in sorted(policy.get("bce", ()))
        ]
    ),
    q=INSIDE,
    t=st.floats(0, 1),
)
@example(quantity=Quantity("bce", "loss"), q=SMALLEST, t=0.0)
@example(quantity=Quantity("bce", "loss"), q=1 - 2.0**-53, t=1.0)
def test_both_oracles_agree_on_the_probability_form(quantity: Quantity, q: float, t: float) -> None:
    assert NUMBER.fullmatch(agreed_text(WeightedSum(quantity, {(q, t): Fraction(1)}), "here"))
