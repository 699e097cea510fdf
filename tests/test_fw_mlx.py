"""MLX: what is asked of it, and in which dtype; it is tested where it is installed."""

from __future__ import annotations

import numpy as np
import pytest
from fw_questions import computed, installed, numpy_dtype, question

from conformance.model import Declined

MLX = installed("mlx")


def test_it_tells_its_version() -> None:
    assert ["mlx"] == list(MLX.versions())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_loss_and_gradients_have_the_dtype_of_the_question(dtype: str) -> None:
    outputs = ("loss", "logits_grad", "targets_grad")
    found = computed(MLX, question(dtype, outputs=outputs, logits=[0.0, 1.0], targets=[1.0, 0.0]))
    assert dict.fromkeys(outputs, numpy_dtype(dtype)) == {each: found[each].dtype for each in found}
    assert [-0.5, 0.73] == pytest.approx(found["logits_grad"].astype(float), abs=0.01)


def test_float64_is_not_rounded_to_float32_on_the_way() -> None:
    asked = question("float64", logits=[1 + 2.0**-40], targets=[1.0], outputs=("targets_grad",))
    assert [-1 - 2.0**-40] == computed(MLX, asked)["targets_grad"].tolist()


def test_a_gradient_is_that_of_the_loss_times_what_flows_in() -> None:
    outputs = ("loss", "logits_grad")
    asked = question(outputs=outputs, logits=[0.0], targets=[1.0], grad_output=[8.0])
    assert [-4.0] == computed(MLX, asked)["logits_grad"].tolist()


def test_memory_may_run_backwards() -> None:
    asked = question(logits=np.array([8.0, 0.0])[::-1], targets=[0.0, 0.0])
    forwards = question(logits=[0.0, 8.0], targets=[0.0, 0.0])
    assert computed(MLX, forwards)["loss"].tolist() == computed(MLX, asked)["loss"].tolist()


@pytest.mark.parametrize(("weight", "declined"), [([2.0], True), ([1.0, 2.0, 3.0], False)])
def test_a_weight_is_not_broadcast_and_one_that_does_not_fit_is_asked(
    weight: list[float], declined: bool
) -> None:
    asked = question(logits=[0.0, 1.0], targets=[1.0, 0.0], weight=weight)
    assert declined == isinstance(MLX.decline(asked), Declined)
