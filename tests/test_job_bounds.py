"""The bounds of a job against loops of PyTorch: what is sound stays within them, and they bind."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from factories import array, make_case
from job_factories import case_of
from job_loops import MODELS, OPTIMIZERS, in_float64, scenario, torch_loop

from conformance.floats import FORMATS
from conformance.job_bounds import job_bounds
from conformance.jobs import CONVENTIONS, Job, Optimizer, convention_of

if TYPE_CHECKING:
    from conformance.model import Case

KEPT_IN = {"float32": None, "bfloat16": "stored_in_bfloat16", "float16": "stored_in_float16"}
# In float16 the eps of Adam is 0, and PyTorch divides 0 by 0.
SOUND = [
    (dtype, optimizer)
    for dtype in KEPT_IN
    for optimizer in OPTIMIZERS
    if not (dtype == "float16" and optimizer.startswith("adam"))
]


def used(case: Case, dtype: str, policy: str | None = None) -> float:
    """The largest part of the coarse bound that PyTorch uses."""
    answer = torch_loop(case, getattr(torch, dtype))
    bounds = job_bounds(case, FORMATS[dtype], policy)
    right = in_float64(case, convention_of(policy))
    ratios = [
        np.abs(answer[output] - right[output]).reshape(-1) / bounds[output].coarse
        for output in ("losses", "parameters")
    ]
    return float(np.max(np.concatenate(ratios)))


@pytest.mark.parametrize(("dtype", "optimizer"), SOUND)
@pytest.mark.parametrize("model", MODELS)
def test_pytorch_stays_within_the_coarse_bound(model: str, dtype: str, optimizer: str) -> None:
    case = scenario(replace(MODELS[model], optimizer=OPTIMIZERS[optimizer]))
    assert used(case, dtype, KEPT_IN[dtype]) <= 1


@pytest.mark.parametrize("model", MODELS)
def test_the_bound_is_of_the_size_of_the_roundings(model: str) -> None:
    """A bound that grew with the number of steps as errors without signs do would be far larger."""
    job = replace(MODELS[model], epochs=10, optimizer=OPTIMIZERS["sgd"])
    bounds = job_bounds(scenario(job), FORMATS["float32"], None)
    assert bounds["parameters"].coarse.max() < 5000 * FORMATS["float32"].unit_roundoff
    assert np.all(bounds["parameters"].accurate <= bounds["parameters"].coarse)


def table_case(seed: int, **given: Any) -> Case:
    """The job of the trainers' differences: 75 samples in batches of 8, the last of 3."""
    rng = np.random.default_rng(seed)
    job = Job(batches=(8,) * 9 + (3,), optimizer=Optimizer(lr=0.5), **given)
    return case_of(
        "train",
        job,
        features=rng.standard_normal((75, 10)),
        targets=rng.integers(0, 2, (75, 1)),
        parameters=np.zeros(11),
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("accumulate", "epochs", "twins"),
    [
        # At the end of a job a window that is carried is dropped.
        (4, 1, {("window_by_length_carried", "window_by_length_dropped")}),
        (4, 2, set()),
        # Three full windows of equal batches, and one of a single batch.
        (3, 2, {("window_by_samples", "window_by_batches")}),
    ],
)
def test_policies_lie_further_apart_than_a_hundred_bounds(
    accumulate: int, epochs: int, twins: set[tuple[str, str]], seed: int
) -> None:
    case = table_case(seed, accumulate=accumulate, epochs=epochs)
    windows = [name for name in CONVENTIONS if name.startswith("window_")]
    ends = {}
    for name in windows:
        found = in_float64(case, convention_of(name))["parameters"]
        bounds = job_bounds(case, FORMATS["float32"], name)["parameters"].coarse
        ends[name] = found, bounds.reshape(found.shape)
    alike = set()
    for (name, (one, few)), (other, (two, many)) in combinations(ends.items(), 2):
        if one.shape == two.shape:
            ratio = float((np.abs(one - two) / np.maximum(few, many)).max())
            if ratio < 1e-3:
                alike.add((name, other))
            else:
                assert ratio > 100, (name, other)
    assert twins == alike


def test_what_is_no_rounding_has_no_error() -> None:
    job = Job(batches=(4, 4, 3), validation=2, optimizer=OPTIMIZERS["sgd"])
    case = replace(scenario(job), outputs=("validated", "drift"))
    predicted = scenario(Job(batches=(11,)), operation="predict")
    bounds = {
        **job_bounds(case, FORMATS["float32"], "sanity_two_batches"),
        **job_bounds(predicted, FORMATS["float32"], "half_is_positive"),
    }
    sizes = {"validated": 1, "drift": 1, "decisions": 11}
    for output, size in sizes.items():
        np.testing.assert_array_equal(np.zeros(size), bounds[output].accurate)
        np.testing.assert_array_equal(np.zeros(size), bounds[output].coarse)
    assert np.all(bounds["predicted"].accurate > 0)


def test_parameters_are_compared_at_their_positions_after_each_step() -> None:
    job = Job(batches=(4, 4, 3), optimizer=OPTIMIZERS["sgd"])
    case = scenario(job)
    whole = job_bounds(case, FORMATS["float32"], None)["parameters"].coarse.reshape(3, 5)
    few = job_bounds(replace(case, positions=(4, 1)), FORMATS["float32"], None)
    np.testing.assert_array_equal(whole[:, [4, 1]].reshape(-1), few["parameters"].coarse)


def test_a_job_without_a_step_has_no_parameters_to_bound() -> None:
    case = scenario(Job(batches=(4, 4, 3), accumulate=4, optimizer=OPTIMIZERS["sgd"]))
    bounds = job_bounds(case, FORMATS["float32"], "window_by_length_carried")
    assert (0,) == bounds["parameters"].coarse.shape
    assert np.all(bounds["losses"].accurate > 0)


def test_what_is_computed_with_in_a_narrow_format_is_rounded_on_the_way() -> None:
    case = scenario(Job(batches=(11,)), operation="evaluate")
    third = replace(case.inputs["features"], values=(1 / 3,))
    inexact = replace(case, inputs={**case.inputs, "features": third})
    narrow, wide = (
        job_bounds(inexact, FORMATS["float32"], policy)["epoch_loss"].coarse[0]
        for policy in ("computed_in_bfloat16", None)
    )
    assert 2**15 < narrow / wide < 2**18


def test_a_job_too_large_for_tracked_errors_has_bounds_all_the_same() -> None:
    job = Job(classes=10, batches=(3, 3), optimizer=OPTIMIZERS["sgd"])
    case = scenario(job)
    rng = np.random.default_rng(0)
    inputs = {
        "features": array(rng.random((6, 784))),
        "targets": array(np.eye(10)[:6]),
        "parameters": array(rng.standard_normal(7850) / 32),
    }
    bounds = job_bounds(replace(case, inputs=inputs), FORMATS["float32"], None)
    assert (2 * 7850,) == bounds["parameters"].coarse.shape
    assert bounds["parameters"].coarse.max() < 1e-4


def test_a_single_loss_is_no_scenario() -> None:
    with pytest.raises(ValueError, match="is no scenario"):
        job_bounds(make_case(filled=False, logits=0, targets=0), FORMATS["float32"], None)
