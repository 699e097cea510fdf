"""Tests of conformance.truth.limits."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from conformance.truth.agreement import agreed_text
from conformance.truth.digits import decimal_text
from conformance.truth.limits import LIMITS, limit_at, product, weighted
from conformance.truth.policies import POLICIES, Quantity
from conformance.truth.sums import WeightedSum

if TYPE_CHECKING:
    from conformance.truth.elements import Point

INF = math.inf
NAN = math.nan


def limits(operation: str, point: Point, weight: float) -> list[str]:
    """The texts of the loss, both gradients and the second derivative at an end of the domain."""
    texts = []
    for quantity in LIMITS:
        if quantity.operation == operation and quantity.policy == "limit":
            value = limit_at(quantity, point)
            assert value is not None
            value = weighted(value, product([weight]))
            texts.append(decimal_text(value) if isinstance(value, Fraction) else str(value))
    return texts


@pytest.mark.parametrize(
    ("expected", "point", "weight"),
    [
        (["0", "0", "-inf", "0"], (INF, 1.0, 2.0), 1.0),
        (["inf", "1", "-inf", "0"], (INF, 0.0, 2.0), 1.0),
        (["inf", "0.75", "-inf", "0"], (INF, 0.25, 2.0), 1.0),
        (["-inf", "-1", "-inf", "0"], (INF, 2.0, 2.0), 1.0),
        (["0", "0", "inf", "0"], (-INF, 0.0, 2.0), 1.0),
        (["inf", "-2", "inf", "0"], (-INF, 1.0, 2.0), 1.0),
        (["-inf", "2", "inf", "0"], (-INF, -1.0, 2.0), 1.0),
        (["0", "0", "0", "0"], (-INF, 1.0, 0.0), 1.0),
        (["-inf", "-3", "inf", "0"], (INF, 0.0, 1.0), -3.0),
        (["0", "0", "0", "0"], (INF, 0.0, 1.0), 0.0),
        (["nan", "nan", "nan", "nan"], (NAN, 0.0, 1.0), 0.0),
        (["nan", "nan", "nan", "nan"], (INF, 1.0, 1.0), NAN),
        (["nan", "nan", "nan", "nan"], (0.0, INF, 1.0), 1.0),
        (["nan", "nan", "nan", "nan"], (INF, -INF, 1.0), 1.0),
    ],
)
def test_logits_form_has_these_limits(expected: list[str], point: Point, weight: float) -> None:
    assert expected == limits("bce_with_logits", point, weight)


def test_a_coefficient_that_underflows_in_floating_point_is_not_zero() -> None:
    assert limit_at(Quantity("bce_with_logits", "loss"), (-INF, 0.5, 5e-324)) == INF


@pytest.mark.parametrize(
    ("expected", "point", "weight"),
    [
        (["0", "1", "inf", "1"], (0.0, 0.0), 1.0),
        (["inf", "-inf", "inf", "inf"], (0.0, 0.25), 1.0),
        (["inf", "-inf", "inf", "inf"], (0.0, 1.0), 1.0),
        (["0", "-1", "-inf", "1"], (1.0, 1.0), 1.0),
        (["inf", "inf", "-inf", "inf"], (1.0, 0.75), 1.0),
        (["inf", "inf", "-inf", "inf"], (1.0, 0.0), 1.0),
        (["-inf", "-inf", "inf", "-inf"], (1.0, 0.0), -2.0),
        (["0", "-2", "-inf", "-2"], (0.0, 0.0), -2.0),
        (["0", "0", "0", "0"], (1.0, 0.0), 0.0),
        (["nan", "nan", "nan", "nan"], (1.0, 1.0), NAN),
    ],
)
def test_probability_form_has_these_limits(
    expected: list[str], point: Point, weight: float
) -> None:
    assert expected == limits("bce", point, weight)


@pytest.mark.parametrize("output", ["loss", "logits_grad", "targets_grad", "logits_hvp"])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("t", "p"), [(0.0, 2.0), (1.0, 2.0), (0.25, 0.5), (2.0, 1.0)])
def test_a_logit_going_to_infinity_comes_near_the_limit(
    output: str, sign: int, t: float, p: float
) -> None:
    quantity = Quantity("bce_with_logits", output)
    limit = limit_at(quantity, (sign * INF, t, p))
    far = float(agreed_text(WeightedSum(quantity, {(sign * 1e300, t, p): Fraction(1)}), "here"))
    # An infinite limit is approached in proportion to the logit.
    assert limit is not None
    assert far == float(limit) or (far > 1e299 and limit == INF) or (far < -1e299 and limit == -INF)


def test_every_policy_covers_only_what_has_a_limit() -> None:
    covered = {
        Quantity(operation, output)
        for policy in POLICIES.values()
        for operation, outputs in policy.items()
        for output in outputs
    }
    assert covered == {quantity for quantity in LIMITS if quantity.policy == "limit"}


@pytest.mark.parametrize(
    ("value", "policy", "expected"),
    [
        (INF, "limit", Fraction(0)),
        (-INF, "limit", Fraction(0)),
        (INF, "zero_times_infinity", NAN),
        (Fraction(3), "zero_times_infinity", Fraction(0)),
    ],
)
def test_the_weight_0_masks_an_infinity_but_under_one_policy(
    value: float, policy: str, expected: float
) -> None:
    assert str(expected) == str(weighted(value, Fraction(0), policy))
