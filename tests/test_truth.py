"""Tests of conformance.truth, from a case to what it expects."""

from __future__ import annotations

import math
import time
from decimal import Context, Decimal, localcontext
from typing import Any

import numpy as np
import pytest
from factories import make_case

from conformance.errors import ConformanceError
from conformance.model import Array, Case, Truth
from conformance.truth import InvalidQuestion, UndefinedQuestion, expected_for
from conformance.truth.elements import elements_of

INF = math.inf
NAN = math.nan
LOG_2 = "0.6931471805599453094172321214581765680755"


def repeated(value: float, *shape: int) -> Array:
    return Array(shape=shape, values=(value,), described=True)


def case(**given: Any) -> Case:
    """A case that is not filled, in float64."""
    return make_case(filled=False, id="group/name", dtypes=("float64",), **given)


def outputs(**arguments: Any) -> dict[str, Truth]:
    (alternative,) = expected_for(case(**arguments)).alternatives
    return dict(alternative.outputs)


def values(**arguments: Any) -> dict[str, tuple[str, ...]]:
    return {name: truth.values for name, truth in outputs(**arguments).items()}


def test_without_policies_there_is_one_alternative_without_a_name() -> None:
    expected = expected_for(case(logits=[0], targets=[1]))
    assert not expected.raises
    assert [alternative.policy for alternative in expected.alternatives] == [None]


def test_the_loss_at_logit_0_is_log_2() -> None:
    assert values(logits=[0, 0], targets=[0, 1]) == {
        "loss": (LOG_2, LOG_2),
        "logits_grad": ("0.5", "-0.5"),
        "targets_grad": ("0", "0"),
    }


def test_the_confident_negative_of_the_design_has_its_40_digits() -> None:
    found = values(logits=[-40], targets=[0], outputs=("loss",))
    assert found == {"loss": ("4.248354255291588986304977843631582181878e-18",)}


def test_only_the_outputs_asked_for_are_given() -> None:
    assert list(outputs(logits=[0], targets=[1], outputs=("targets_grad",))) == ["targets_grad"]


def test_a_0d_case_has_0d_outputs() -> None:
    assert {name: truth.shape for name, truth in outputs(logits=0, targets=1).items()} == {
        "loss": (),
        "logits_grad": (),
        "targets_grad": (),
    }


def test_mean_divides_the_loss_and_every_gradient_by_the_number_of_elements() -> None:
    found = outputs(logits=[[0, 0, 0, 0]], targets=[[1, 0, 1, 0]], reduction="mean")
    assert found["loss"] == Truth(shape=(), values=(LOG_2,))
    assert (
        Truth(shape=(1, 4), values=("-0.125", "0.125", "-0.125", "0.125")) == found["logits_grad"]
    )


def test_sum_adds_the_losses() -> None:
    with localcontext(prec=60):
        expected = Context(prec=40).plus(
            (1 + Decimal(1).exp()).ln() + (1 + Decimal(-3).exp()).ln() * 2
        )
    found = values(logits=[1, -3, -3], targets=[0, 0, 0], reduction="sum", outputs=("loss",))
    assert expected == Decimal(found["loss"][0])


def test_the_mean_of_nothing_is_nan_and_the_sum_0() -> None:
    empty: list[float] = []
    assert values(logits=empty, targets=empty, reduction="mean") == {
        "loss": ("nan",),
        "logits_grad": (),
        "targets_grad": (),
    }
    assert values(logits=empty, targets=empty, reduction="sum")["loss"] == ("0",)


def test_weight_and_pos_weight_broadcast_by_trailing_dimensions() -> None:
    found = outputs(
        logits=[[0, 0], [0, 0]],
        targets=[[1, 1], [0, 0]],
        weight=[[1], [3]],
        pos_weight=[2, 4],
        outputs=("logits_grad",),
    )
    assert found["logits_grad"] == Truth(shape=(2, 2), values=("-1", "-2", "1.5", "1.5"))


def test_limits_are_counted_and_divided_like_other_values() -> None:
    (alternative,) = expected_for(
        case(
            operation="bce",
            reduction="mean",
            policies=("clamp_log_100",),
            probabilities=[0, 0, 1, 0, 1],
            targets=[1, 1, 0.5, 0, 1],
            weight=[2, 2, 1, 1, 1],
        )
    ).alternatives
    assert alternative.outputs == {"loss": Truth(shape=(), values=("90",))}


def test_weights_that_cancel_give_exactly_0() -> None:
    found = values(logits=[3, 3], targets=[0.25, 0.25], weight=[1, -1], reduction="sum")
    assert found["loss"] == ("0",)


@pytest.mark.parametrize(
    ("logit", "target", "weight", "pos_weight"),
    [
        (NAN, 0, 1, 1),
        (0, NAN, 1, 1),
        (0, 0, NAN, 1),
        (0, 0, 1, NAN),
        (NAN, 0, 0, 1),
        (INF, 1, NAN, 1),
    ],
)
def test_a_nan_makes_every_output_of_its_element_nan(
    logit: float, target: float, weight: float, pos_weight: float
) -> None:
    assert values(
        logits=[logit, 0], targets=[target, 1], weight=[weight, 1], pos_weight=[pos_weight, 1]
    ) == {
        "loss": ("nan", LOG_2),
        "logits_grad": ("nan", "-0.5"),
        "targets_grad": ("nan", "0"),
    }


def test_an_infinite_logit_has_the_values_of_the_limit() -> None:
    assert values(logits=[INF, -INF], targets=[1, 0.5], pos_weight=2.0) == {
        "loss": ("0", "inf"),
        "logits_grad": ("0", "-1"),
        "targets_grad": ("-inf", "inf"),
    }


@pytest.mark.parametrize(
    ("expected", "logits", "targets", "weight"),
    [
        ("inf", [INF, 0], [0, 0], [1, 1]),
        ("-inf", [INF, 0], [0, 0], [-1, 1]),
        ("nan", [INF, -INF], [0, 1], [1, -1]),
        ("nan", [INF, INF], [0, 0], [1, -1]),
        ("nan", [INF, NAN], [0, 0], [1, 1]),
        ("nan", [0, NAN], [0, 0], [1, 0]),
        (LOG_2, [INF, 0], [1, 0], [1, 1]),
        (LOG_2, [INF, 0], [0, 0], [0, 1]),
    ],
)
def test_a_sum_of_limits_is_what_extended_arithmetic_makes_it(
    expected: str, logits: list[float], targets: list[float], weight: list[float]
) -> None:
    found = values(logits=logits, targets=targets, weight=weight, reduction="sum")
    assert (expected,) == found["loss"]


def test_each_policy_gives_the_outputs_that_it_covers() -> None:
    expected = expected_for(
        case(
            operation="bce",
            probabilities=[0, 1],
            targets=[0.25, 0.25],
            policies=("limit", "clamp_log_100", "denominator_eps_1e_12"),
        )
    )
    eps = Decimal(float(np.float32(1e-12)))
    quotients = tuple(Context(prec=40).divide(Decimal(n), eps) for n in ("-0.25", "0.75"))
    limit, clamp, divisor = expected.alternatives
    assert set(limit.outputs) == {"loss", "probabilities_grad", "targets_grad"}
    assert limit.outputs["loss"].values == ("inf", "inf")
    assert clamp.policy == "clamp_log_100"
    assert clamp.outputs == {"loss": Truth(shape=(2,), values=("25", "75"))}
    assert set(divisor.outputs) == {"probabilities_grad"}
    assert quotients == tuple(map(Decimal, divisor.outputs["probabilities_grad"].values))


@pytest.mark.parametrize(
    ("expected", "reduction"), [(("nan", LOG_2), "none"), (("nan",), "sum"), (("nan",), "mean")]
)
def test_nan_at_infinity_covers_the_loss(expected: tuple[str, ...], reduction: str) -> None:
    (alternative,) = expected_for(
        case(logits=[INF, 0], targets=[1, 0], reduction=reduction, policies=("nan_at_infinity",))
    ).alternatives
    assert {"loss": expected} == {name: truth.values for name, truth in alternative.outputs.items()}


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        (
            r"targets has shape \(3,\), logits \(2,\)",
            {"logits": [0, 0], "targets": [0, 0, 0]},
        ),
        (r"targets has shape \(1,\)", {"logits": [0, 0], "targets": [0]}),
        (
            r"weight of shape \(3,\) does not broadcast",
            {"logits": [0, 0], "targets": [0, 0], "weight": [1, 1, 1]},
        ),
        (
            r"pos_weight of shape \(2, 1\) does not broadcast",
            {"logits": [0, 0], "targets": [0, 0], "pos_weight": [[1], [1]]},
        ),
        (
            r"weight of shape \(1,\) does not broadcast into the shape \(\)",
            {"logits": 0, "targets": 0, "weight": [1]},
        ),
        (
            r"probabilities\[1\] is 1.5, outside \[0, 1\]",
            {"operation": "bce", "probabilities": [0, 1.5], "targets": [0, 0]},
        ),
        (
            r"probabilities\[0\] is nan",
            {"operation": "bce", "probabilities": [NAN], "targets": [0]},
        ),
        (
            r"targets\[0\] is -0.5",
            {"operation": "bce", "probabilities": [0.5], "targets": [-0.5]},
        ),
        (r"targets\[0\] is nan", {"operation": "bce", "probabilities": [0.5], "targets": [NAN]}),
    ],
)
def test_a_question_outside_the_definition_is_invalid(
    message: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(InvalidQuestion, match=f"group.yaml: group/name: {message}"):
        expected_for(case(**arguments))


def test_an_infinite_weight_is_undefined() -> None:
    with pytest.raises(UndefinedQuestion, match="group/name: pos_weight holds an infinity"):
        expected_for(case(logits=[0], targets=[1], pos_weight=[INF]))


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("there is no policy 'nan'", {"policies": ("nan",)}),
        ("policy 'clamp_log_100' covers none", {"policies": ("clamp_log_100",)}),
        ("position 2 lies outside", {"positions": (0, 2)}),
    ],
)
def test_a_policy_or_position_that_does_not_exist_is_an_error(
    message: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ConformanceError, match=f"group.yaml: group/name: {message}"):
        expected_for(case(logits=[0, 0], targets=[1, 0], **arguments))


def test_gradients_of_a_described_case_are_given_at_its_positions() -> None:
    found = outputs(
        logits=repeated(0.0, 3, 2),
        targets=[[0, 1], [0.5, 0.25], [1, 0]],
        reduction="sum",
        positions=(1, 3, 5),
    )
    assert found["loss"].positions is None
    assert found["logits_grad"] == Truth(
        shape=(3, 2), values=("-0.5", "0.25", "0.5"), positions=(1, 3, 5)
    )


def test_an_unreduced_loss_with_positions_is_given_there() -> None:
    found = outputs(logits=[0, 1, 0], targets=[0, 0, 1], positions=(2, 0))
    assert found["loss"] == Truth(shape=(3,), values=(LOG_2, LOG_2), positions=(2, 0))


def test_a_described_case_without_positions_has_no_gradient_values() -> None:
    found = outputs(logits=repeated(0.0, 4), targets=repeated(1.0, 4), reduction="mean")
    assert found["logits_grad"] == Truth(shape=(4,), values=(), positions=())


def test_values_are_repeated_until_the_shape_is_full() -> None:
    found = values(
        logits=Array(shape=(2, 2), values=(0.0, 5.0)), targets=[[0.5, 0], [0, 0]], reduction="sum"
    )
    assert found["targets_grad"] == ("0", "-5", "0", "-5")


def test_equal_elements_are_taken_together() -> None:
    elements = elements_of(
        case(
            logits=[0.0, -0.0, 2.0, NAN, math.copysign(NAN, -1), 0.0],
            targets=[1, 1, 1, 1, 1, 0],
            weight=2.0,
        )
    )
    assert 4 == len(elements.points) == len(elements.factors)
    assert elements.which[0] == elements.which[1]
    assert elements.which[3] == elements.which[4]
    assert [elements.counts[index] for index in elements.which] == [2, 2, 1, 2, 2, 1]
    assert elements.points[elements.which[2]] == (2.0, 1.0, 1.0)
    assert set(elements.factors) == {(2.0, 1.0, 1.0)}


def test_a_million_equal_elements_cost_one_evaluation() -> None:
    start = time.perf_counter()
    found = values(
        logits=repeated(0.0, 1000, 1000),
        targets=repeated(0.25, 1000, 1000),
        reduction="mean",
        positions=(999_999,),
    )
    assert found == {"loss": (LOG_2,), "logits_grad": ("2.5e-7",), "targets_grad": ("0",)}
    # It takes about 0.3 s; a million evaluations take minutes.
    assert time.perf_counter() - start < 5


def test_ten_thousand_distinct_elements_are_summed() -> None:
    ramp = np.linspace(-8, 8, 10_000)
    found = values(
        logits=Array(shape=ramp.shape, values=tuple(ramp.tolist()), described=True),
        targets=repeated(0.0, 10_000),
        reduction="sum",
        outputs=("loss",),
    )
    assert math.fsum(np.logaddexp(0, ramp)) == pytest.approx(float(found["loss"][0]), rel=1e-14)
