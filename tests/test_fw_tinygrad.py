"""tinygrad: what is asked of it, and how; it is tested where it and clang are installed."""

from __future__ import annotations

import numpy as np
import pytest
from fw_questions import computed, installed, question

TINYGRAD = installed("tinygrad")


def test_it_tells_its_version() -> None:
    assert ["tinygrad"] == list(TINYGRAD.versions())


def test_loss_and_gradients_are_those_of_the_question() -> None:
    outputs = ("loss", "logits_grad", "targets_grad")
    found = computed(TINYGRAD, question(outputs=outputs, logits=[0.0, 1.0], targets=[1.0, 0.0]))
    assert dict.fromkeys(outputs, np.float32) == {each: found[each].dtype for each in found}
    assert [-0.5, 0.73] == pytest.approx(found["logits_grad"], abs=0.01)


def test_a_gradient_is_that_of_the_loss_times_what_flows_in() -> None:
    outputs = ("loss", "logits_grad")
    asked = question(outputs=outputs, logits=[0.0], targets=[1.0], grad_output=[8.0])
    assert [-4.0] == computed(TINYGRAD, asked)["logits_grad"].tolist()


def test_memory_may_run_backwards() -> None:
    asked = question(logits=np.array([8.0, 0.0])[::-1], targets=[0.0, 0.0])
    forwards = question(logits=[0.0, 8.0], targets=[0.0, 0.0])
    found = computed(TINYGRAD, asked)["loss"].tolist()
    assert computed(TINYGRAD, forwards)["loss"].tolist() == found


@pytest.mark.parametrize("dtype", ["float16", "float64", "bfloat16"])
def test_what_is_not_declared_is_declined(dtype: str) -> None:
    assert TINYGRAD.decline(question(logits=[0.0], targets=[1.0])) is None
    assert TINYGRAD.decline(question(dtype, logits=[0.0], targets=[1.0])) is not None
