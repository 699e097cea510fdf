"""Makes cases of jobs without files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from factories import array

from conformance.jobs import Job, parameter_count
from conformance.model import Case
from conformance.operations import OPERATIONS
from conformance.truth.jobs import expected_for_job

if TYPE_CHECKING:
    from conformance.model import Truth

RANDOM = np.random.default_rng(1)
FEATURES = RANDOM.integers(-32, 32, (7, 3)) / 16
TARGETS = RANDOM.integers(0, 5, (7, 2)) / 4
IMAGES = RANDOM.integers(-32, 32, (7, 2, 4, 5)) / 16
NUMBERS = RANDOM.integers(-32, 32, 100) / 32


def case_of(operation: str, job: Job, **given: Any) -> Case:
    """A case of a job; arrays by name, other keywords are fields of Case."""
    features = IMAGES if job.model == "conv" else FEATURES
    usual: dict[str, Any] = {"features": features, "targets": TARGETS[:, : job.classes]}
    names = OPERATIONS[operation].inputs
    inputs = {name: given.pop(name, usual.get(name)) for name in names}
    if inputs["parameters"] is None:
        count = parameter_count(job, np.shape(inputs["features"]))
        inputs["parameters"] = NUMBERS[:count]
    inputs = {name: array(values) for name, values in inputs.items() if values is not None}
    return Case(
        **{
            "id": "group/job",
            "group": "group",
            "about": "A job.",
            "operation": operation,
            "reduction": "mean",
            "dtypes": ("float64",),
            "inputs": inputs,
            "outputs": OPERATIONS[operation].usual,
            "positions": (),
            "policies": (),
            "expected": None,
            "flags": (),
            "source": (),
            "published": None,
            "inputs_rounded_to": None,
            "sha256": "0" * 64,
            "path": Path("group.yaml"),
            "job": job,
            **given,
        }
    )


def truths(operation: str, job: Job, **given: Any) -> dict[str, Truth]:
    """The truth of each output under the definition, or under the one policy given."""
    (alternative,) = expected_for_job(case_of(operation, job, **given)).alternatives
    return dict(alternative.outputs)


def floats(truth: Truth) -> np.ndarray[Any, Any]:
    return np.array([float(text) for text in truth.values]).reshape(truth.shape)
