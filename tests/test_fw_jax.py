"""JAX with Optax: what is asked of it, and that its 64 bits are 64."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from factories import make_case

from conformance import adapters
from conformance.asking import ask_alone, question_of
from conformance.model import Computed, Declined

NAMES = ["jax", "jax:jit"]

if problem := adapters.missing("jax"):
    pytest.skip(problem, allow_module_level=True)


def ask(name: str, dtype: str = "float32", **given: object) -> Any:
    question = question_of(make_case(filled=False, **given), "cpu", dtype)
    return ask_alone(adapters.load(name), question)


@pytest.mark.parametrize("name", NAMES)
def test_sixty_four_bits_are_computed_with(name: str) -> None:
    answer = ask(name, "float64", logits=[1], targets=[0])
    assert isinstance(answer, Computed)
    assert np.float64 == answer.outputs["loss"].dtype
    assert pytest.approx(1.3132616875182228, rel=1e-15) == answer.outputs["loss"][0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_every_output_has_the_dtype_and_shape_asked_for(name: str, dtype: str) -> None:
    answer = ask(name, dtype, logits=[[0, 1]], targets=[[0, 1]], direction=[[1, 1]])
    shown = {key: (value.dtype.name, value.shape) for key, value in answer.outputs.items()}
    of_logits = dict.fromkeys(
        ["loss", "logits_grad", "targets_grad", "logits_hvp"], (dtype, (1, 2))
    )
    assert of_logits == shown


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_those_of_the_mean_times_its_factor(name: str) -> None:
    answer = ask(name, logits=[0, 0], targets=[0, 1], reduction="mean", grad_output=[4])
    assert [1, -1] == answer.outputs["logits_grad"].tolist()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"weight": [2]}, "does not offer weight"),
        ({"pos_weight": [2]}, "does not offer pos_weight"),
        ({"reduction": "elementwise_mean"}, "no argument for a reduction"),
    ],
)
def test_what_optax_has_no_argument_for_is_declined(
    name: str, given: dict[str, object], reason: str
) -> None:
    answer = ask(name, logits=[1], targets=[0], **given)
    assert isinstance(answer, Declined)
    assert reason in answer.reason


def test_infinity_times_zero_is_not_the_limit() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = ask("jax", logits=["inf"], targets=[1])
    assert np.isnan(answer.outputs["loss"][0])
