"""The grades against real implementations: what is sound passes, what is not does not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from factories import make_case

from conformance import adapters
from conformance.asking import ask_alone, question_of
from conformance.bounds import bounds_of, logistic, softplus
from conformance.floats import FORMATS, round_to
from conformance.grading import Grader
from conformance.model import Array, Computed, Grade

if TYPE_CHECKING:
    from conformance.model import Case

POINTS = 120
DTYPES = list(FORMATS)


def points(operation: str, dtype: str, seed: int, *, moderate: bool) -> Case:
    """A case of random elements; ``moderate`` ones overflow nowhere on the way."""
    rng = np.random.default_rng(seed)
    fmt = FORMATS[dtype]
    sign = rng.choice([-1, 1], POINTS)
    spread = 10 ** rng.uniform(-12, np.log10(30 if moderate else min(3e4, fmt.max / 4)), POINTS)
    soft = np.select(
        [rng.random(POINTS) < 0.3, rng.random(POINTS) < 0.5],
        [rng.integers(0, 2, POINTS), 10 ** rng.uniform(-8, 0, POINTS)],
        1 - 10 ** rng.uniform(-8, 0, POINTS),
    )
    inputs = {"targets": soft, "weight": 10 ** rng.uniform(-2, 2, POINTS)}
    if operation == "bce":
        # Nearer to the edges PyTorch follows a policy of its own.
        edge = max(fmt.unit_roundoff * 4, 1e-9)
        inputs["probabilities"] = np.clip(logistic(sign * spread), edge, 1 - edge)
    else:
        inputs["logits"] = sign * spread
        inputs["pos_weight"] = 10 ** rng.uniform(-2 if moderate else -8, 2, POINTS)
    rounded = {
        name: np.array([round_to(float(value), fmt) for value in values])
        for name, values in inputs.items()
    }
    rounded["targets"] = np.clip(rounded["targets"], 0, 1)
    return make_case(dtypes=(dtype,), **rounded)


def grades(case: Case, answer: Any) -> dict[str, Grade]:
    (verdict,) = Grader(case.dtypes[0]).grade([(case, answer)])
    return {name: Grade[output.grade] for name, output in verdict.outputs.items()}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("operation", ["bce_with_logits", "bce"])
def test_the_reference_is_accurate(operation: str, dtype: str, seed: int) -> None:
    case = points(operation, dtype, seed, moderate=False)
    answer = ask_alone(adapters.load("numpy"), question_of(case, "cpu", dtype))
    assert max(grades(case, answer).values()) <= Grade.accurate


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("operation", ["bce_with_logits", "bce"])
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_pytorch_s_formula_is_coarse(operation: str, reduction: str, dtype: str, seed: int) -> None:
    case = points(operation, dtype, seed, moderate=True)
    case = make_case(
        dtypes=(dtype,), reduction=reduction, **{k: a.values for k, a in case.inputs.items()}
    )
    answer = ask_alone(adapters.load("torch"), question_of(case, "cpu", dtype))
    assert max(grades(case, answer).values()) <= Grade.coarse


def loss_only(case: Case, loss: Any) -> Computed:
    return Computed(loss=loss.astype(FORMATS[case.dtypes[0]].dtype))


X = np.array([-60.0, -17, -3, -0.5, 0, 0.25, 2, 20, 90])


@pytest.mark.parametrize(
    ("name", "formula", "wrong_at"),
    [
        ("logits clamped to 15", lambda x, t: loss(np.clip(x, -15, 15), t), {8}),
        ("log(S + 1e-7)", lambda x, t: -np.log(np.where(t, logistic(x), logistic(-x)) + 1e-7), {0}),
        ("half the loss", lambda x, t: loss(x, t) / 2, {4}),
        ("base 2", lambda x, t: loss(x, t) / np.log(2), {4}),
        ("targets swapped", lambda x, t: loss(x, 1 - t), {0, 2, 8}),
    ],
)
def test_a_wrong_formula_is_graded_wrong(name: str, formula: Any, wrong_at: set[int]) -> None:
    targets = (np.arange(len(X)) % 3 == 0).astype(float)
    for dtype in ("float32", "float64"):
        case = make_case(logits=X, targets=targets, outputs=("loss",), dtypes=(dtype,))
        found = set()
        for index in range(len(X)):
            one = make_case(
                logits=X[index : index + 1],
                targets=targets[index : index + 1],
                outputs=("loss",),
                dtypes=(dtype,),
            )
            answer = loss_only(case, formula(X, targets)[index : index + 1])
            if grades(one, answer)["loss"] is Grade.wrong:
                found.add(index)
        assert wrong_at <= found, name


def loss(x: Any, t: Any) -> Any:
    return t * softplus(-x) + (1 - t) * softplus(x)


def test_a_loss_that_keeps_no_digit_of_the_tail_is_coarse_and_not_accurate() -> None:
    case = make_case(logits=[-20.0], targets=[0.0], outputs=("loss",))
    assert Grade.coarse == grades(case, loss_only(case, np.array([0.0])))["loss"]


def test_flushing_subnormals_to_zero_is_coarse_and_not_accurate() -> None:
    case = make_case(logits=[-88.0], targets=[0.0], outputs=("loss",))
    assert Grade.coarse == grades(case, loss_only(case, np.array([0.0])))["loss"]
    weighted = make_case(logits=[-88.0], targets=[0.0], weight=[1024.0], outputs=("loss",))
    assert Grade.coarse == grades(weighted, loss_only(weighted, np.array([0.0])))["loss"]


def test_the_target_gradient_without_pos_weight_allows_no_cancellation() -> None:
    # The truth is -x; softplus(-x) - softplus(x) in float32 is 0 here.
    case = make_case(logits=[2.0**-30], targets=[0.5], outputs=("targets_grad",))
    answer = Computed(targets_grad=np.zeros(1, np.float32))
    assert Grade.coarse == grades(case, answer)["targets_grad"]


def test_a_bound_is_of_the_positions_compared() -> None:
    case = make_case(filled=False, logits=[0.0], targets=[0.0], weight=[1.0, 2.0])
    inputs = {
        "logits": Array((4,), (0.0, 1.0), described=True),
        "targets": Array((4,), (0.0,), described=True),
    }
    case = replace(case, inputs=inputs, positions=(3, 0))
    found = bounds_of(case, FORMATS["float32"], None)["loss"]
    assert (2,) == found.accurate.shape
    assert found.accurate[0] > found.accurate[1]


def test_a_reduction_allows_for_its_additions() -> None:
    few = make_case(reduction="sum", logits=[0.0], targets=[0.0])
    many = make_case(reduction="sum", logits=[0.0] * 16, targets=[0.0] * 16)
    one, sixteen = (
        float(bounds_of(case, FORMATS["float32"], None)["loss"].accurate[0]) for case in (few, many)
    )
    assert sixteen == pytest.approx(16 * one * (8 + 2 * 4) / 8)


def test_a_bound_that_overflows_allows_nothing() -> None:
    case = make_case(
        logits=[-1e300],
        targets=[1.0],
        weight=[1e-300],
        pos_weight=[1e300],
        dtypes=("float64",),
        outputs=("loss",),
    )
    assert Grade.wrong == grades(case, loss_only(case, np.array([5.0])))["loss"]
