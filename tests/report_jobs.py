"""Builds scenarios, and results of trainers that follow policies, for the tests of the report."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
from report_data import GRADERS, case, run

from conformance.floats import FORMATS
from conformance.jobs import Job, Optimizer
from conformance.model import Computed, Expected
from conformance.operations import OPERATIONS
from conformance.report.evidence import gather
from conformance.report.trainers import compare_trainers
from conformance.results import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model import Case
    from conformance.report.evidence import Evidence
    from conformance.report.trainers import Trainers

FEATURES = [[0.5, -1.25], [1.75, 0.25], [-0.5, 1], [2, -0.75], [-1.5, -0.5], [0.25, 1.5], [1, 2]]
TARGETS = [[1], [0], [1], [1], [0], [0], [1]]


def scenario(identity: str, job: Job, **given: Any) -> Case:
    """A job on seven samples of two features, of which a linear model has three parameters."""
    operation = OPERATIONS[given.setdefault("operation", "train")]
    inputs = {"features": FEATURES, "targets": TARGETS, "parameters": [0.25, -0.5, 0.125]}
    wanted = {name: inputs[name] for name in operation.inputs if name in inputs}
    given.setdefault("outputs", operation.usual)
    given.setdefault("reduction", "mean")
    return case(identity, put={"job": job}, **{**wanted, **given})


def follows(
    case: Case, adapter: str, policy: str | None, dtype: str = "float32", **changes: Any
) -> Result:
    """The result of an adapter that gives the truth under ``policy``, plus ``off``."""
    assert case.expected is not None
    off = changes.pop("off", 0.0)
    [truths] = [item.outputs for item in case.expected.alternatives if item.policy == policy]
    outputs = {
        name: np.array([float(text) for text in truth.values]).reshape(truth.shape) + off
        for name, truth in truths.items()
    }
    whole = {"decisions": np.bool_, "validated": np.int64}
    answer = Computed(
        **{
            name: values.astype(whole.get(name, FORMATS[dtype].dtype))
            for name, values in outputs.items()
        }
    )
    verdict = GRADERS[dtype].grade([(case, answer)])[0]
    facts: dict[str, Any] = {
        "status": "failed" if verdict.grade.name == "wrong" else "passed",
        "grade": verdict.grade.name,
        "outputs": verdict.outputs,
        "reason": verdict.reason,
    }
    base = {"case": case.id, "sha256": case.sha256, "adapter": adapter, "device": "cpu"}
    return Result(**{**base, **facts, "dtype": dtype, **changes})


SGD = Optimizer(lr=0.5)
WINDOWS = ("window_by_samples", "window_by_length_stepped", "window_by_length_carried")
SAMPLES, STEPPED, CARRIED = WINDOWS
SHORT = scenario(
    "training/window/short",
    Job(batches=(2, 2, 2, 1), accumulate=3, epochs=2, optimizer=SGD),
    policies=WINDOWS,
)
FULL = scenario(
    "training/window/full",
    Job(batches=(3, 3, 1), accumulate=3, optimizer=SGD),
    policies=(SAMPLES, STEPPED),
)
EPOCH = scenario(
    "evaluation/epoch/uneven",
    Job(batches=(3, 3, 1)),
    operation="evaluate",
    policies=("epoch_by_samples", "epoch_by_batches"),
)
PLAIN = scenario("training/plain/sgd", Job(batches=(4, 3), optimizer=SGD))
REFIT = scenario(
    "training/modes/refit",
    Job(batches=(4, 3), optimizer=SGD, refit=True),
    policies=("refit_trains", "refit_does_nothing"),
)
MIXED = scenario(
    "training/precision/mixed",
    Job(batches=(4, 3), optimizer=SGD, precision="bf16-mixed"),
    policies=("computed_in_float32", "computed_in_bfloat16"),
)


def joined(results: Sequence[Result], cases: Sequence[Case]) -> tuple[Trainers, Evidence]:
    evidence = gather([run(results)], cases)
    return compare_trainers(evidence), evidence


def invented(index: int, random: np.random.Generator) -> Case:
    """A scenario of many digits: no two are alike, so that nothing compresses too well."""
    identity = f"training/window/case_{index}"
    long = scenario_of_many_steps()
    assert long.expected is not None
    alternatives = tuple(
        dataclasses.replace(
            known,
            outputs={
                name: dataclasses.replace(
                    truth, values=tuple(f"{random.normal():.16f}" for _ in truth.values)
                )
                for name, truth in known.outputs.items()
            },
        )
        for known in long.expected.alternatives
    )
    return dataclasses.replace(
        long,
        id=identity,
        sha256=hashlib.sha256(identity.encode()).hexdigest(),
        expected=Expected(alternatives=alternatives),
    )


@functools.cache
def scenario_of_many_steps() -> Case:
    job = Job(batches=(2, 2, 2, 1), accumulate=3, epochs=4, optimizer=SGD)
    return scenario("training/window/long", job, policies=WINDOWS)
