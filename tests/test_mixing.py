"""Questions whose inputs differ in dtype, from the case to the grade."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from factories import make_case

from conformance.adapters.numpy import NumpyAdapter
from conformance.asking import question_of
from conformance.grading import Grader
from conformance.mixing import dtypes_of_output, input_array, precision_of
from conformance.model import Case, Computed, Grade, Raised

POLICIES = ("dtype_of_input", "dtype_of_targets", "dtype_promoted")


def mixed(targets: str, **given: Any) -> Case:
    return make_case(
        logits=[0.5, -2.0],
        targets=[1.0, 0.0],
        policies=given.pop("policies", POLICIES),
        input_dtypes={"targets": targets},
        **given,
    )


@pytest.mark.parametrize(
    ("dtype", "targets", "expected"),
    [
        ("float32", "float64", ["float32", "float64", "float64"]),
        ("float64", "float16", ["float64", "float16", "float64"]),
        ("float16", "bfloat16", ["float16", "bfloat16", "float32"]),
        ("bfloat16", "bfloat16", ["bfloat16"] * 3),
    ],
)
def test_each_policy_names_the_dtype_of_the_loss(
    dtype: str, targets: str, expected: list[str]
) -> None:
    case = mixed(targets)
    found = [dtypes_of_output(case, "loss", policy, dtype) for policy in POLICIES]
    assert [(name,) for name in expected] == found
    for policy in POLICIES:
        assert (dtype,) == dtypes_of_output(case, "logits_grad", policy, dtype)
        assert (targets,) == dtypes_of_output(case, "targets_grad", policy, dtype)


def test_an_integer_target_leaves_the_loss_its_dtype() -> None:
    case = mixed("int64", policies=("limit", "refuse"), outputs=("loss", "logits_grad"))
    assert ("float32",) == dtypes_of_output(case, "loss", "limit", "float32")
    assert "float32" == precision_of(case, "float32", None).name
    assert np.int64 == input_array(case, "targets", "float32").dtype


def test_the_least_precise_dtype_grades() -> None:
    case = mixed("float16")
    assert "float16" == precision_of(case, "float64", None).name
    answer = NumpyAdapter().evaluate(question_of(case, "cpu", "float64"))
    assert np.float64 == answer.outputs["loss"].dtype
    off = Computed(**{**answer.outputs, "loss": answer.outputs["loss"] * (1 + 1e-5)})
    (right, near) = Grader("float64").grade([(case, answer), (case, off)])
    assert (Grade.exact, Grade.exact) == (right.grade, near.grade)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_dtype_of_the_answer_tells_the_policy(dtype: str) -> None:
    case = mixed("float64")
    answer = NumpyAdapter().evaluate(question_of(case, "cpu", "float32"))
    given = Computed(**{**answer.outputs, "loss": answer.outputs["loss"].astype(dtype)})
    (found,) = Grader("float32").grade([(case, given)])
    loss = found.outputs["loss"]
    if dtype == "float16":
        assert "its dtype is float16, not float32 or float64" == loss.message
    else:
        followed = {"float32": "dtype_of_input", "float64": "dtype_of_targets"}[dtype]
        assert ("exact", followed) == (loss.grade, loss.policy)


def test_to_refuse_is_right_only_where_it_is_a_policy() -> None:
    raised = Raised("RuntimeError", "no")
    grader = Grader("float32")
    may = mixed("int64", policies=("limit", "refuse"), outputs=("loss",), id="group/may")
    may_not = mixed("float64", id="group/may_not")
    refused, wrong = grader.grade([(may, raised), (may_not, raised)])
    assert (Grade.exact, Grade.wrong) == (refused.grade, wrong.grade)
