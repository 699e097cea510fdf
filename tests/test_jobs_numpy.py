"""Tests of the jobs of the reference adapter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from factories import array
from job_loops import MODELS, OPTIMIZERS, in_float64, scenario

from conformance.adapters.jobs import numpy as reference
from conformance.asking import question_of
from conformance.floats import FORMATS
from conformance.job_bounds import job_bounds
from conformance.jobs import Job

SGD = OPTIMIZERS["sgd"]


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("model", MODELS)
def test_the_reference_adapter_trains_accurately(model: str, dtype: str) -> None:
    case = scenario(replace(MODELS[model], optimizer=OPTIMIZERS["sgd"]))
    answer = reference.train(question_of(case, "cpu", dtype)).outputs
    bounds, right = job_bounds(case, FORMATS[dtype], None), in_float64(case)
    for output in case.outputs:
        assert FORMATS[dtype].dtype == answer[output].dtype
        errors = np.abs(answer[output].astype(np.float64) - right[output]).reshape(-1)
        assert np.all(errors <= bounds[output].accurate), output


def test_the_reference_adapter_does_not_drift_with_validation() -> None:
    job = Job(batches=(4, 4, 3), epochs=2, validation=3, optimizer=SGD)
    case = replace(scenario(job), outputs=("validated", "drift"))
    answer = reference.train(question_of(case, "cpu", "float32")).outputs
    assert (6, np.int64) == (answer["validated"], answer["validated"].dtype)
    assert (0.0, np.float32) == (answer["drift"], answer["drift"].dtype)


def test_the_reference_adapter_evaluates_and_predicts() -> None:
    evaluated = reference.evaluate(
        question_of(scenario(MODELS["mlp"], operation="evaluate"), "cpu", "float16")
    )
    assert ((), np.float16) == (
        evaluated.outputs["epoch_loss"].shape,
        evaluated.outputs["epoch_loss"].dtype,
    )
    predicted = reference.predict(
        question_of(scenario(MODELS["mlp"], operation="predict"), "cpu", "float32")
    )
    assert (11, 1) == predicted.outputs["predicted"].shape
    assert np.bool_ == predicted.outputs["decisions"].dtype


def test_a_batch_of_one_squeezed_away_has_no_loss_and_no_place() -> None:
    job = Job(batches=(10, 1), squeeze="all")
    case = scenario(job, operation="evaluate")
    with pytest.raises(ValueError, match="targets have shape"):
        reference.evaluate(question_of(case, "cpu", "float32"))
    with pytest.raises(ValueError, match="same number of dimensions"):
        reference.predict(question_of(scenario(job, operation="predict"), "cpu", "float32"))


def test_the_reference_adapter_refuses_what_is_no_loss() -> None:
    job = Job(model="linear_sigmoid", batches=(11,), optimizer=SGD)
    with pytest.raises(ValueError, match="a mean or a sum, not 'none'"):
        reference.train(question_of(scenario(job, reduction="none"), "cpu", "float32"))
    case = scenario(job)
    labels = array(np.full((11, 1), 7.0))
    with pytest.raises(ValueError, match=r"targets must be in \[0, 1\]"):
        reference.train(
            question_of(replace(case, inputs={**case.inputs, "targets": labels}), "cpu", "float32")
        )
