"""Does whole jobs by the reference loops, in the widest dtype of the question.

For 16 bits that is float32, as in the reference for single losses. What is done is the definition:
a window is weighted by its samples, clipping divides by the norm itself, views are averaged as
probabilities, a half is negative. An evaluation gives the loss of all samples at once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance import loops
from conformance.adapters._refusals import check_unit_interval
from conformance.floats import FORMATS
from conformance.jobs import DEFINITION
from conformance.model import Computed
from conformance.networks import Criterion

if TYPE_CHECKING:
    from conformance.jobs import Convention, Job
    from conformance.model import Question

OPTIONS = frozenset(
    {
        "accumulate",
        "classes_first",
        "clip_norm",
        "clip_value",
        "left_in_eval",
        "processes",
        "refit",
        "squeeze",
        "stage",
        "sync",
        "validation",
        "views",
    }
)
"""Neither a precision of its own, nor PyTorch's shuffling, nor a trainer that takes arguments."""


def train(question: Question) -> Computed:
    """Train; the drift is found by training once more without validation."""
    with np.errstate(all="ignore"):
        found = loops.train(_work(question, DEFINITION))
        if "drift" in question.outputs:
            job = replace(_job_of(question), validation=0)
            other = loops.train(_work(replace(question, job=job), DEFINITION))
            change = found["parameters"][-1] - other["parameters"][-1]
            found["drift"] = np.abs(change).max()
    return _answer(question, found)


def evaluate(question: Question) -> Computed:
    """Evaluate."""
    with np.errstate(all="ignore"):
        work = _work(question, replace(DEFINITION, epoch="at_once"))
        return _answer(question, loops.evaluate(work))


def predict(question: Question) -> Computed:
    """Predict."""
    with np.errstate(all="ignore"):
        return _answer(question, loops.predict(_work(question, DEFINITION)))


def _job_of(question: Question) -> Job:
    if question.job is None:
        msg = f"{question.id} is no job"
        raise ValueError(msg)
    return question.job


def _work(question: Question, convention: Convention) -> loops.Work:
    """The job with its data in the dtype in which it is computed.

    Raises:
        ValueError: If the loss is not a mean or a sum, or if it is one of probabilities and a
            target is none.
    """
    job, inputs = _job_of(question), question.inputs
    if question.reduction not in ("mean", "sum"):
        msg = f"the loss of a job is a mean or a sum, not {question.reduction!r}"
        raise ValueError(msg)
    if job.loss == "bce" and "targets" in inputs:
        check_unit_interval(targets=inputs["targets"])
    wide = any(array.dtype == np.float64 for array in inputs.values())
    working = np.float64 if wide else np.float32
    arrays: dict[str, Any] = {name: array.astype(working) for name, array in inputs.items()}
    criterion = Criterion(
        job.loss, question.reduction, arrays.get("weight"), arrays.get("pos_weight")
    )
    targets = arrays.get("targets")
    return loops.Work(job, convention, arrays["features"], targets, arrays["parameters"], criterion)


def _answer(question: Question, found: dict[str, Any]) -> Computed:
    """What was asked for; numbers in the question's dtype, but for counts and decisions."""
    dtype = FORMATS[question.dtype].dtype
    kept = {"decisions": np.dtype(bool), "validated": np.dtype(np.int64)}
    return Computed(
        **{name: np.asarray(found[name]).astype(kept.get(name, dtype)) for name in question.outputs}
    )
