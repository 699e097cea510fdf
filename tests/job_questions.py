"""Makes the questions of jobs without files."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.jobs import Job, Optimizer, parameter_count
from conformance.model import Question
from conformance.operations import OPERATIONS

SIZES = (8,) * 9 + (3,)
"""75 samples in batches of 8, of which the last has 3."""


def ask(
    operation: str = "train",
    *,
    shape: tuple[int, ...] = (75, 4),
    dtype: str = "float32",
    device: str = "cpu",
    reduction: str = "mean",
    outputs: tuple[str, ...] = (),
    inputs: dict[str, Any] | None = None,
    **job: Any,
) -> Question:
    """A question of random numbers, always the same; ``inputs`` take their place."""
    usual = {"batches": SIZES} | ({"optimizer": Optimizer(lr=0.5)} if operation == "train" else {})
    made = Job(**usual | job)
    random = np.random.default_rng(0)
    labels = shape[:1] if made.squeeze else (shape[0], made.classes)
    arrays = {
        "features": random.standard_normal(shape),
        "targets": random.integers(0, 2, labels),
        "parameters": random.standard_normal(parameter_count(made, shape)),
    }
    if operation == "predict":
        del arrays["targets"]
    arrays = {name: array.astype(dtype) for name, array in arrays.items()} | (inputs or {})
    return Question(
        id="group/case",
        operation=operation,
        reduction=reduction,
        dtype=dtype,
        device=device,
        inputs={name: np.asarray(array) for name, array in arrays.items()},
        outputs=outputs or OPERATIONS[operation].usual,
        job=made,
    )


def by_formula(question: Question, *, carried: bool) -> tuple[list[float], list[Any]]:
    """Losses and parameters of a "linear" job of one class, trained by SGD from its gradient.

    Each gradient is divided by the length of a window; a window that an epoch leaves short is
    stepped, or carried into the next epoch.
    """
    job = question.job
    features = np.insert(question.inputs["features"], question.inputs["features"].shape[1], 1, 1)
    targets, parameters = question.inputs["targets"][:, 0], question.inputs["parameters"]
    losses, steps = [], []
    gradient, count = np.zeros_like(parameters), 0
    for _ in range(job.epochs):
        for x, t in zip(_split(features, job), _split(targets, job), strict=True):
            logits = x @ parameters
            divisor = len(t) if question.reduction == "mean" else 1
            losses.append((np.logaddexp(0, logits) - t * logits).sum() / divisor)
            gradient = gradient + x.T @ (1 / (1 + np.exp(-logits)) - t) / divisor / job.accumulate
            count += 1
            last = not carried and len(losses) % len(job.batches) == 0
            if count == job.accumulate or last:
                parameters = parameters - job.optimizer.lr * gradient
                steps.append(parameters)
                gradient, count = np.zeros_like(parameters), 0
    return losses, steps


def _split(array: Any, job: Job) -> list[Any]:
    return np.split(array, np.cumsum(job.batches)[:-1])
