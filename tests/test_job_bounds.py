"""The bounds of a job against loops of PyTorch: what is sound stays within them, and they bind."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from factories import array, make_case

from conformance import loops
from conformance.adapters.jobs import numpy as reference
from conformance.floats import FORMATS, to_array
from conformance.job_bounds import job_bounds
from conformance.jobs import (
    CONVENTIONS,
    DEFINITION,
    Convention,
    Job,
    Optimizer,
    convention_of,
    parameter_count,
    parameter_shapes,
)
from conformance.model import Question
from conformance.networks import Criterion

if TYPE_CHECKING:
    from conformance.model import Case

OPTIMIZERS = {
    "sgd": Optimizer(lr=0.5),
    "momentum": Optimizer(lr=0.25, momentum=0.875),
    "nesterov": Optimizer(lr=0.25, momentum=0.875, nesterov=True),
    "decay": Optimizer(lr=0.5, weight_decay=0.125),
    "adam": Optimizer(name="adam", lr=0.0625),
    "adam_decay": Optimizer(name="adam", lr=0.0625, weight_decay=0.125),
    "adamw": Optimizer(name="adamw", lr=0.0625, weight_decay=0.125),
}
MODELS = {
    "linear": Job(batches=(4, 4, 3), epochs=3),
    "linear_sigmoid": Job(model="linear_sigmoid", classes=2, batches=(4, 4, 3), epochs=3),
    "mlp": Job(model="mlp", hidden=3, batches=(4, 4, 3), epochs=3),
    "mlp_sigmoid": Job(model="mlp_sigmoid", hidden=3, batches=(4, 4, 3), epochs=3),
    "conv": Job(model="conv", hidden=2, batches=(4, 4, 3), epochs=3),
}


KEPT_IN = {"float32": None, "bfloat16": "stored_in_bfloat16", "float16": "stored_in_float16"}
# In float16 the eps of Adam is 0, and PyTorch divides 0 by 0.
SOUND = [
    (dtype, optimizer)
    for dtype in KEPT_IN
    for optimizer in OPTIMIZERS
    if not (dtype == "float16" and optimizer.startswith("adam"))
]


def scenario(
    job: Job, seed: int = 0, operation: str = "train", reduction: str = "mean", **given: Any
) -> Case:
    """A case of random data, each number exact in bfloat16."""
    rng = np.random.default_rng(seed)
    count = sum(job.batches) or 11
    shape = (count, 2, 5, 5) if job.model == "conv" else (count, 4)

    def exact(values: Any) -> Any:
        return array(np.asarray(values).astype(FORMATS["bfloat16"].dtype).astype(np.float64))

    inputs = {
        "features": exact(rng.standard_normal(shape)),
        "targets": exact(rng.integers(0, 2, (count, job.classes))),
        "parameters": exact(rng.standard_normal(parameter_count(job, shape)) / 2),
        **{name: exact(values) for name, values in given.items()},
    }
    usual = {"train": ("losses", "parameters"), "evaluate": ("epoch_loss",)}
    outputs = usual.get(operation, ("predicted", "decisions"))
    case = make_case(filled=False, logits=0, targets=0, operation=operation, outputs=outputs)
    return replace(case, job=job, inputs=inputs, reduction=reduction)


def truth(case: Case, convention: Convention = DEFINITION) -> dict[str, Any]:
    """What float64 makes of it."""
    arrays = {
        name: to_array(given.values, given.shape, FORMATS["float64"])
        for name, given in case.inputs.items()
    }
    assert case.job is not None
    criterion = Criterion(
        case.job.loss, case.reduction, arrays.get("weight"), arrays.get("pos_weight")
    )
    work = loops.Work(
        case.job,
        convention,
        arrays["features"],
        arrays["targets"],
        arrays["parameters"],
        criterion,
    )
    found: dict[str, Any] = getattr(loops, case.operation)(work)
    return found


def torch_loop(case: Case, dtype: torch.dtype) -> dict[str, Any]:
    """The usual loop, in one dtype from beginning to end."""
    job = case.job
    assert job is not None
    inputs = {
        name: torch.tensor(given.values, dtype=dtype).reshape(given.shape)
        for name, given in case.inputs.items()
    }
    shapes = parameter_shapes(job, case.inputs["features"].shape)
    sizes = [int(np.prod(shape)) for _, shape in shapes]
    parts = inputs["parameters"].split(sizes)
    parameters = [
        torch.nn.Parameter(part.reshape(shape).clone())
        for part, (_, shape) in zip(parts, shapes, strict=True)
    ]

    def model(x: torch.Tensor) -> torch.Tensor:
        if job.model == "conv":
            x = torch.tanh(torch.nn.functional.conv2d(x, *parameters[:2])).mean((2, 3))
        elif job.model.startswith("mlp"):
            x = torch.tanh(torch.nn.functional.linear(x, *parameters[:2]))
        x = torch.nn.functional.linear(x, *parameters[-2:])
        return torch.sigmoid(x) if job.loss == "bce" else x

    assert job.optimizer is not None
    given = job.optimizer
    both = {"lr": given.lr, "weight_decay": given.weight_decay}
    optimizer: torch.optim.Optimizer
    if given.name == "sgd":
        optimizer = torch.optim.SGD(
            parameters, momentum=given.momentum, nesterov=given.nesterov, **both
        )
    else:
        kind = torch.optim.Adam if given.name == "adam" else torch.optim.AdamW
        optimizer = kind(parameters, betas=given.betas, eps=given.eps, **both)
    weights = {name: inputs[name] for name in ("weight", "pos_weight") if name in inputs}
    kind_of_loss = torch.nn.BCELoss if job.loss == "bce" else torch.nn.BCEWithLogitsLoss
    criterion = kind_of_loss(reduction=case.reduction, **weights)
    losses, history = [], []
    for _ in range(job.epochs):
        batches = zip(
            inputs["features"].split(job.batches), inputs["targets"].split(job.batches), strict=True
        )
        for x, t in batches:
            optimizer.zero_grad()
            loss = criterion(model(x.clone()), t.clone())
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            flat = torch.cat([parameter.detach().reshape(-1) for parameter in parameters])
            history.append(flat.to(torch.float64).numpy())
    return {"losses": np.array(losses), "parameters": np.stack(history)}


def question(case: Case, dtype: str) -> Question:
    inputs = {
        name: to_array(given.values, given.shape, FORMATS[dtype])
        for name, given in case.inputs.items()
    }
    return Question(
        case.id, case.operation, case.reduction, dtype, "cpu", inputs, case.outputs, job=case.job
    )


def used(case: Case, dtype: str, policy: str | None = None) -> float:
    """The largest part of the coarse bound that PyTorch uses."""
    answer = torch_loop(case, getattr(torch, dtype))
    bounds = job_bounds(case, FORMATS[dtype], policy)
    right = truth(case, convention_of(policy))
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


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("model", MODELS)
def test_the_reference_adapter_trains_accurately(model: str, dtype: str) -> None:
    case = scenario(replace(MODELS[model], optimizer=OPTIMIZERS["sgd"]))
    answer = reference.train(question(case, dtype)).outputs
    bounds, right = job_bounds(case, FORMATS[dtype], None), truth(case)
    for output in case.outputs:
        assert FORMATS[dtype].dtype == answer[output].dtype
        errors = np.abs(answer[output].astype(np.float64) - right[output]).reshape(-1)
        assert np.all(errors <= bounds[output].accurate), output


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
    case = scenario(replace(job, accumulate=1))
    inputs = make_case(
        filled=False, logits=rng.standard_normal((75, 10)), targets=rng.integers(0, 2, (75, 1))
    ).inputs
    start = make_case(filled=False, logits=np.zeros(11), targets=0).inputs["logits"]
    named = {"features": inputs["logits"], "targets": inputs["targets"], "parameters": start}
    return replace(case, inputs=named, job=job)


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
        found = truth(case, convention_of(name))["parameters"]
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


def test_what_is_computed_with_in_a_narrow_format_is_rounded_on_the_way() -> None:
    case = scenario(Job(batches=(11,)), operation="evaluate")
    third = replace(case.inputs["features"], values=(1 / 3,))
    inexact = replace(case, inputs={**case.inputs, "features": third})
    narrow, wide = (
        job_bounds(inexact, FORMATS["float32"], policy)["epoch_loss"].coarse[0]
        for policy in ("computed_in_bfloat16", None)
    )
    assert 2**15 < narrow / wide < 2**18


def test_a_large_job_has_bounds_in_time() -> None:
    job = Job(classes=10, batches=(3, 3), optimizer=OPTIMIZERS["sgd"])
    case = scenario(job)
    rng = np.random.default_rng(0)
    inputs = {
        "features": array(rng.random((6, 784))),
        "targets": array(np.eye(10)[:6]),
        "parameters": array(rng.standard_normal(7850) / 32),
    }
    start = time.process_time()
    bounds = job_bounds(replace(case, inputs=inputs), FORMATS["float32"], None)
    assert time.process_time() - start < 1
    assert (2 * 7850,) == bounds["parameters"].coarse.shape
    assert bounds["parameters"].coarse.max() < 1e-4


def test_a_single_loss_is_no_scenario() -> None:
    with pytest.raises(ValueError, match="is no scenario"):
        job_bounds(make_case(filled=False, logits=0, targets=0), FORMATS["float32"], None)
