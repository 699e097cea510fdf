"""Tests of what the oracles give for second derivatives, and for what multiplies a derivative."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import mpmath
import pytest
from factories import make_case

from conformance.operations import effective_reduction
from conformance.truth import InvalidQuestion, UndefinedQuestion, expected_for
from conformance.truth.agreement import agreed_text
from conformance.truth.policies import Quantity
from conformance.truth.sums import WeightedSum

if TYPE_CHECKING:
    from conformance.model import Case
    from conformance.truth.elements import Point


def values(**given: Any) -> dict[str, tuple[str, ...]]:
    expected = make_case(**given).expected
    assert expected is not None
    (alternative,) = expected.alternatives
    return {name: truth.values for name, truth in alternative.outputs.items()}


@pytest.mark.parametrize(
    ("operation", "output", "point"),
    [
        ("bce_with_logits", "logits_hvp", (-3.25, 0.75, 2.5)),
        ("bce_with_logits", "logits_hvp", (4.5, 0.25, 0.5)),
        ("bce", "probabilities_hvp", (0.125, 0.75)),
    ],
)
def test_a_second_derivative_is_the_second_difference_of_the_loss(
    operation: str, output: str, point: Point
) -> None:
    def loss(z: mpmath.mpf) -> mpmath.mpf:
        if operation == "bce":
            return -(point[1] * mpmath.log(z) + (1 - point[1]) * mpmath.log(1 - z))
        _, t, p = point
        return p * t * mpmath.log(1 + mpmath.exp(-z)) + (1 - t) * mpmath.log(1 + mpmath.exp(z))

    with mpmath.workdps(200):
        x, h = mpmath.mpf(point[0]), mpmath.mpf(10) ** -60
        quotient = (loss(x + h) - 2 * loss(x) + loss(x - h)) / h**2
        asked = WeightedSum(Quantity(operation, output), {point: Fraction(1)})
        given = mpmath.mpf(agreed_text(asked, "here"))
        # The quotient's own error is of order h**2.
        assert abs(quotient - given) < abs(given) * mpmath.mpf(10) ** -38


def test_the_hessian_of_the_logits_form_at_0_is_a_quarter() -> None:
    found = values(logits=[0, 0], targets=[0, 1], direction=[1, -3])
    assert ("0.25", "-0.75") == found["logits_hvp"]


def test_the_hessian_of_the_probability_form_is_rational() -> None:
    found = values(probabilities=[0.5, 0.25], targets=[1, 1], direction=[1, 1])
    assert ("4", "16") == found["probabilities_hvp"]


def test_a_mean_divides_the_product_with_the_direction() -> None:
    given: dict[str, Any] = {"logits": [0, 0], "targets": [0, 1], "direction": [1, 1]}
    assert ("0.125", "0.125") == values(**given, reduction="mean")["logits_hvp"]


def test_grad_output_multiplies_the_derivatives_and_not_the_loss() -> None:
    given: dict[str, Any] = {"logits": [0, 0], "targets": [0, 1], "direction": [1, 1]}
    plain, scaled = values(**given), values(**given, grad_output=[4, 0])
    assert plain["loss"] == scaled["loss"]
    assert ("2", "0") == scaled["logits_grad"]
    assert ("1", "0") == scaled["logits_hvp"]


def test_a_scalar_grad_output_belongs_to_a_reduced_loss() -> None:
    found = values(logits=[0, 0], targets=[0, 1], reduction="sum", grad_output=1024)
    assert ("512", "-512") == found["logits_grad"]


@pytest.mark.parametrize(
    "given",
    [
        {"grad_output": [1.0, 1.0], "reduction": "mean"},
        {"grad_output": 1.0},
        {"direction": 1.0},
        {"direction": [[1.0, 1.0]]},
        {"reduction": "batchmean"},
        {"input_dtypes": {"targets": "complex64"}},
        {"input_dtypes": {"logits": "int64"}},
    ],
)
def test_a_question_without_an_answer_is_invalid(given: dict[str, Any]) -> None:
    asked = make_case(filled=False, logits=[0.0, 0.0], targets=[0.0, 1.0], **given)
    with pytest.raises(InvalidQuestion):
        expected_for(asked)


def test_an_infinite_direction_is_undefined() -> None:
    asked = make_case(filled=False, logits=[0.0], targets=[0.0], direction=[float("inf")])
    with pytest.raises(UndefinedQuestion, match="direction holds an infinity"):
        expected_for(asked)


@pytest.mark.parametrize(
    ("expected", "legacy"),
    [
        ("none", {}),
        ("mean", {"size_average": True}),
        ("sum", {"size_average": False}),
        ("mean", {"reduce": True}),
        ("none", {"reduce": False}),
        ("none", {"size_average": True, "reduce": False}),
        ("sum", {"size_average": False, "reduce": True}),
    ],
)
def test_the_old_arguments_override_the_new_one(expected: str, legacy: dict[str, bool]) -> None:
    assert expected == effective_reduction("none", legacy)


def legacy_case(**legacy: bool) -> Case:
    asked = make_case(filled=False, logits=[0.0, 0.0], targets=[0.0, 1.0], outputs=("loss",))
    return replace(asked, legacy=legacy)


def test_the_truth_is_that_of_the_reduction_that_holds() -> None:
    (found,) = expected_for(legacy_case(size_average=False)).alternatives
    assert () == found.outputs["loss"].shape


def test_to_refuse_gives_no_outputs() -> None:
    asked = make_case(filled=False, logits=[0.5], targets=[2.0], policies=("limit", "refuse"))
    limit, refuse = expected_for(asked).alternatives
    assert (False, True) == (limit.raises, refuse.raises)
    assert {} == refuse.outputs
