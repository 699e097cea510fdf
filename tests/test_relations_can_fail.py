"""Every relation reports an adapter that is wrong in its way."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import bce_relations as bce
import numpy as np
import pytest
from bce_relations import RELATIONS
from relations import Sample, problems

from conformance.adapters.numpy import NumpyAdapter

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.adapters.base import LossAdapter
    from conformance.model import Computed, Question

Arrays = dict[str, Any]
SAMPLES = {
    operation: Sample(
        operation=operation,
        dtype="float32",
        inputs={
            **{name: np.array(values).reshape(2, 3) for name, values in inputs.items()},
            "targets": np.array([[0.0, 1.0, 0.25], [0.75, 0.0, 1.0]]),
            "weight": np.array([[1.0, 0.5, 3.0], [0.375, 2.0, 0.0]]),
        },
        order=[5, 0, 4, 1, 3, 2],
        cut=2,
        power=-3,
    )
    for operation, inputs in {
        "bce_with_logits": {
            "logits": [-20.0, 3.0, -0.5, 0.25, 2.0, -3.0],
            "pos_weight": [1.0, 2.0, 0.5, 4.0, 0.0, 1.5],
        },
        "bce": {"probabilities": [0.0625, 0.875, 0.5, 0.375, 0.9375, 0.25]},
    }.items()
}
CAUGHT: list[tuple[Callable[..., Any], type[LossAdapter]]] = []


def caught_by(relation: Callable[..., Any]) -> Callable[[type[LossAdapter]], type[LossAdapter]]:
    def note(mutant: type[LossAdapter]) -> type[LossAdapter]:
        CAUGHT.append((relation, mutant))
        return mutant

    return note


@caught_by(bce.none_sums_to_sum)
class SumLeavesOutTheFirst(NumpyAdapter):
    def reduce(self, outputs: Arrays, reduction: str) -> Arrays:
        found = super().reduce(outputs, reduction)
        return {**found, "loss": outputs["loss"][1:].sum()} if reduction == "sum" else found


@caught_by(bce.mean_is_sum_over_count)
class MeanDividesByTheRows(NumpyAdapter):
    def reduce(self, outputs: Arrays, reduction: str) -> Arrays:
        found = super().reduce(outputs, reduction)
        rows = np.mean(outputs["loss"], axis=-1).sum()
        return {**found, "loss": rows} if reduction == "mean" else found


@caught_by(bce.the_gradient_of_a_mean_is_divided_by_the_count)
class GradientOfAMeanIsThatOfTheSum(NumpyAdapter):
    def reduce(self, outputs: Arrays, reduction: str) -> Arrays:
        return {**outputs, "loss": super().reduce(outputs, reduction)["loss"]}


@caught_by(bce.a_weight_is_a_factor)
class SquaresTheWeight(NumpyAdapter):
    def prepare(self, question: Question) -> Arrays:
        arrays = super().prepare(question)
        return {**arrays, "weight": arrays["weight"] ** 2}


@caught_by(bce.a_weight_that_is_a_power_of_two_scales_every_bit)
class WeighsThroughLogarithms(NumpyAdapter):
    def weigh(self, outputs: Arrays, arrays: Arrays) -> Arrays:
        found = super().weigh(outputs, arrays)
        return {**found, "loss": np.exp(np.log(outputs["loss"]) + np.log(arrays["weight"]))}


@caught_by(bce.an_upstream_gradient_weighs_the_gradients)
class IgnoresTheUpstreamGradient(NumpyAdapter):
    def weigh(self, outputs: Arrays, arrays: Arrays) -> Arrays:
        return super().weigh(outputs, {**arrays, "grad_output": np.float32(1)})


@caught_by(bce.a_weight_broadcasts)
class BroadcastsFromTheRight(NumpyAdapter):
    def weigh(self, outputs: Arrays, arrays: Arrays) -> Arrays:
        weight = arrays["weight"]
        narrow = weight.size < outputs["loss"].size
        return super().weigh(outputs, {**arrays, "weight": weight[..., ::-1] if narrow else weight})


@caught_by(bce.the_order_of_elements_does_not_matter)
class LeavesOutTheTailOfAVector(NumpyAdapter):
    def elementwise(self, operation: str, arrays: Arrays) -> Arrays:
        outputs = super().elementwise(operation, arrays)
        np.ravel(outputs["loss"])[outputs["loss"].size // 4 * 4 :] = 0
        return outputs


@caught_by(bce.a_batch_is_its_two_parts)
class DependsOnTheBatch(NumpyAdapter):
    def elementwise(self, operation: str, arrays: Arrays) -> Arrays:
        outputs = super().elementwise(operation, arrays)
        return {**outputs, "loss": outputs["loss"] / np.max(outputs["loss"], initial=1)}


@caught_by(bce.a_nan_logit_stays_where_it_is)
@caught_by(bce.a_nan_weight_stays_where_it_is)
class HidesNaN(NumpyAdapter):
    def weigh(self, outputs: Arrays, arrays: Arrays) -> Arrays:
        return {k: np.nan_to_num(v) for k, v in super().weigh(outputs, arrays).items()}


@caught_by(bce.a_nan_logit_stays_where_it_is)
@caught_by(bce.a_nan_weight_stays_where_it_is)
class SpreadsNaN(NumpyAdapter):
    def weigh(self, outputs: Arrays, arrays: Arrays) -> Arrays:
        return {k: v + 0 * np.sum(v) for k, v in super().weigh(outputs, arrays).items()}


@caught_by(bce.the_other_class_mirrors_the_loss)
class ClipsOneEnd(NumpyAdapter):
    def prepare(self, question: Question) -> Arrays:
        first, *rest = super().prepare(question).items()
        return {first[0]: np.minimum(first[1], np.float32(0.75)), **dict(rest)}


@caught_by(bce.a_soft_target_mixes_the_hard_ones)
class RoundsTargets(NumpyAdapter):
    def prepare(self, question: Question) -> Arrays:
        arrays = super().prepare(question)
        return {**arrays, "targets": np.round(arrays["targets"])}


@caught_by(bce.the_loss_is_monotone)
class Wobbles(NumpyAdapter):
    def elementwise(self, operation: str, arrays: Arrays) -> Arrays:
        outputs = super().elementwise(operation, arrays)
        first, *_ = arrays.values()
        return {**outputs, "loss": outputs["loss"] + np.sin(16 * first)}


@caught_by(bce.the_gradient_of_a_logit_is_bounded)
@caught_by(bce.the_loss_is_convex)
class DoublesTheGradient(NumpyAdapter):
    def elementwise(self, operation: str, arrays: Arrays) -> Arrays:
        outputs = super().elementwise(operation, arrays)
        return {k: 2 * v if k.endswith("s_grad") else v for k, v in outputs.items()}


@caught_by(bce.a_pos_weight_of_one_is_none)
class AddsToAPosWeightThatIsGiven(NumpyAdapter):
    def prepare(self, question: Question) -> Arrays:
        arrays = super().prepare(question)
        given = "pos_weight" in question.inputs
        return {**arrays, "pos_weight": arrays["pos_weight"] + 2.0**-16} if given else arrays


@caught_by(bce.a_pos_weight_is_a_factor_of_the_positive_class)
class PosWeightIsAWeight(NumpyAdapter):
    def prepare(self, question: Question) -> Arrays:
        arrays = super().prepare(question)
        weight = arrays["weight"] * arrays["pos_weight"]
        return {**arrays, "weight": weight, "pos_weight": np.ones_like(weight)}


@caught_by(bce.the_slope_in_the_target_is_minus_the_logit)
class SlopeOfTheOtherSign(NumpyAdapter):
    def elementwise(self, operation: str, arrays: Arrays) -> Arrays:
        outputs = super().elementwise(operation, arrays)
        return {**outputs, "targets_grad": -outputs["targets_grad"]}


@pytest.mark.parametrize(
    ("relation", "mutant", "operation"),
    [
        pytest.param(
            relation, mutant, operation, id=f"{mutant.__name__}-{relation.__name__}-{operation}"
        )
        for relation, mutant in CAUGHT
        for operation, registered in RELATIONS.items()
        if relation in registered
    ],
)
def test_a_wrong_adapter_is_reported(
    relation: Callable[..., Any], mutant: type[LossAdapter], operation: str
) -> None:
    (problem,) = problems(mutant(), SAMPLES[operation], [relation])
    assert problem.startswith(f"{relation.__name__}: ")


@pytest.mark.parametrize("operation", list(RELATIONS))
def test_every_relation_reports_some_wrong_adapter_and_not_the_right_one(operation: str) -> None:
    assert set(RELATIONS[operation]) <= {relation for relation, _ in CAUGHT}
    assert [] == problems(NumpyAdapter(), SAMPLES[operation], RELATIONS[operation])


class AnswersInFloat64(NumpyAdapter):
    def evaluate(self, question: Question) -> Computed:
        answer = super().evaluate(question)
        return type(answer)(**{k: np.float64(v) for k, v in answer.outputs.items()})


class KeepsTheAxes(NumpyAdapter):
    def reduce(self, outputs: Arrays, reduction: str) -> Arrays:
        found = super().reduce(outputs, reduction)
        return {**found, "loss": np.atleast_1d(found["loss"])}


class Refuses(NumpyAdapter):
    def evaluate(self, question: Question) -> Computed:
        msg = "not today"
        raise ValueError(msg)


@pytest.mark.parametrize(
    ("mutant", "problem"),
    [
        (AnswersInFloat64, "loss is not of dtype float32"),
        (KeepsTheAxes, r"loss is not of dtype float32 and shape \(\)"),
        (Refuses, "it was answered by ValueError: not today"),
    ],
)
def test_an_answer_that_cannot_be_compared_is_reported(
    mutant: type[LossAdapter], problem: str
) -> None:
    (found,) = problems(mutant(), SAMPLES["bce"], [bce.none_sums_to_sum])
    assert re.search(problem, found)
