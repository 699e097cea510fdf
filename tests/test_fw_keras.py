"""Keras on whichever of its backends is here: what is asked of it, and in which precision."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from factories import make_case

from conformance import adapters
from conformance.asking import ask_alone, question_of
from conformance.model import Computed, Declined

# Keras has one backend for a process: here that which is named, or the first that is installed.
BACKENDS = ("jax", "torch", "tensorflow")
HERE = [each for each in BACKENDS if adapters.missing(f"keras:{each}") is None]
BACKEND = os.environ.get("KERAS_BACKEND") or (HERE[0] if HERE else "jax")
NAME = f"keras:{BACKEND}"

if problem := adapters.missing(NAME):
    pytest.skip(problem, allow_module_level=True)


def ask(dtype: str = "float32", **given: object) -> Any:
    question = question_of(make_case(filled=False, **given), "cpu", dtype)
    return ask_alone(adapters.load(NAME), question)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("operation", ["logits", "probabilities"])
def test_every_output_has_the_dtype_and_shape_asked_for(operation: str, dtype: str) -> None:
    given: dict[str, object] = {operation: [[0.5, 0.25]]}
    answer = ask(dtype, targets=[[0, 1]], **given)
    shown = {key: (value.dtype.name, value.shape) for key, value in answer.outputs.items()}
    names = ["loss", f"{operation}_grad", "targets_grad"]
    assert dict.fromkeys(names, (dtype, (1, 2))) == shown


def test_elements_in_float64_are_computed_in_it() -> None:
    answer = ask("float64", logits=[1], targets=[0])
    assert pytest.approx(1.3132616875182228, rel=1e-15) == answer.outputs["loss"][0]


@pytest.mark.skipif(BACKEND == "tensorflow", reason="on TensorFlow Keras keeps float64")
def test_a_mean_in_float64_is_computed_in_float32() -> None:
    answer = ask("float64", logits=[1], targets=[0], reduction="mean")
    assert np.float32(1.3132616875182228) == answer.outputs["loss"]


def test_gradients_are_multiplied_by_what_flows_in() -> None:
    answer = ask(logits=[0, 0], targets=[0, 1], grad_output=[4, 2])
    assert [2, -1] == answer.outputs["logits_grad"].tolist()


def test_a_gradient_is_given_without_the_loss() -> None:
    answer = ask(logits=[0], targets=[0], outputs=("logits_grad",))
    assert isinstance(answer, Computed)
    assert {"logits_grad"} == set(answer.outputs)


@pytest.mark.parametrize("reduction", ["sum", "sum_over_batch_size"])
def test_a_reduction_with_a_meaning_of_its_own_is_declined(reduction: str) -> None:
    answer = ask(logits=[1], targets=[0], reduction=reduction)
    assert Declined(f"{reduction} has another meaning in Keras") == answer


def test_clipped_probabilities_get_no_gradient() -> None:
    answer = ask(probabilities=[0], targets=[1])
    assert [0] == answer.outputs["probabilities_grad"].tolist()
    assert pytest.approx(16.118, abs=1e-3) == answer.outputs["loss"][0]


def test_another_backend_than_that_which_runs_is_refused() -> None:
    other = next(each for each in BACKENDS if each != BACKEND)
    program = (
        "from conformance.adapters.frameworks._keras import keras_on\n"
        "from conformance.errors import ConformanceError\n"
        f"keras_on({BACKEND!r})\n"
        "try:\n"
        f"    keras_on({other!r})\n"
        "except ConformanceError as error:\n"
        "    print(error)\n"
    )
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    expected = (
        f"keras:{other}: Keras already runs on {BACKEND} in this process. "
        f"Run keras:{other} by itself.\n"
    )
    assert expected == shown.stdout
