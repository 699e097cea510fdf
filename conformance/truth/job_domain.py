"""Refuses a job whose question has no answer."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from conformance.errors import ConformanceError
from conformance.jobs import parameter_count
from conformance.truth.domains import DOMAINS
from conformance.truth.errors import InvalidQuestion, UndefinedQuestion
from conformance.truth.job_schedule import batches_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.jobs import Convention, Job
    from conformance.model import Case


def check_job(case: Case, job: Job) -> None:
    """Return if the question of a job has an answer.

    Raises:
        ConformanceError: If the batches or the parameters do not fit the data, or a position
            does not exist.
        InvalidQuestion: If a trainer is given arguments that none takes, the loss is not reduced
            to a number, a batch of one sample is squeezed away, or a target of probabilities lies
            outside [0, 1].
        UndefinedQuestion: If a number is not finite, two ways to clip are asked for, or what is
            asked for depends on a random order or on the samples beside one.
    """
    for kind, problem in (
        *((ConformanceError, problem) for problem in _mistakes(case, job)),
        *((InvalidQuestion, problem) for problem in _invalid(case, job)),
        *((UndefinedQuestion, problem) for problem in _undefined(case, job)),
    ):
        msg = f"{case.path}: {case.id}: {problem}"
        raise kind(msg)


def check_convention(case: Case, job: Job, convention: Convention) -> None:
    """Return if a convention says what becomes of a job.

    Raises:
        UndefinedQuestion: If it reports an epoch of training at once, or each process's own
            value of one, or processes that train together have different numbers of batches.
    """
    problem = None
    samples = case.inputs["features"].shape[0]
    if case.operation != "train":
        return
    if len(set(map(len, batches_of(job, convention.ranks, samples)))) > 1:
        problem = "processes that train together need as many batches each. Share them out evenly"
    elif "logged" in case.outputs and convention.epoch == "at_once":
        problem = "no parameters have the loss of an epoch of training at once. Leave logged out"
    elif "logged" in case.outputs and convention.ranks == "own" and job.processes > 1:
        problem = "logged has one value an epoch, and each process has its own. Leave it out"
    if problem is not None:
        msg = f"{case.path}: {case.id}: {problem}."
        raise UndefinedQuestion(msg)


def _mistakes(case: Case, job: Job) -> Iterator[str]:
    features = case.inputs["features"].shape
    held = sum(job.batches) + sum(map(sum, job.shards))
    if sum([bool(job.batches), bool(job.shards), job.sampler_batch is not None]) != 1:
        yield "give one of batches, shards and sampler_batch."
    elif job.sampler_batch is None and held != features[0]:
        yield f"the batches hold {held} samples, and there are {features[0]}. Mend the batches."
    count = parameter_count(job, features)
    given = case.inputs["parameters"].shape
    if given != (count,):
        yield f"parameters has shape {given}, and {job.model} {(count,)}. Mend the parameters."
    for position in case.positions:
        if not 0 <= position < count:
            yield (
                f"position {position} lies outside {count} parameters. "
                f"Give positions from 0 to {count - 1}."
            )


def _invalid(case: Case, job: Job) -> Iterator[str]:
    if job.trainer_arguments:
        names = ", ".join(job.trainer_arguments)
        yield f"no trainer takes {names}. Say that the case raises."
    if case.operation != "predict" and case.reduction not in ("mean", "sum"):
        yield f"{case.reduction!r} reduces no loss to a number. Say that the case raises."
    samples = case.inputs["features"].shape[0]
    sizes = {len(batch) for own in batches_of(job, "padded", samples) for batch in own}
    if job.squeeze == "all" and 1 in sizes:
        yield "squeezing takes every dimension off a batch of one. Say that the case raises."
    domain = DOMAINS.get((job.loss, "targets"))
    if domain is not None and "targets" in case.inputs:
        for index, value in enumerate(case.inputs["targets"].values):
            if not domain.lowest <= value <= domain.highest:
                yield (
                    f"targets[{index}] is {value!r}, outside [0, 1]. "
                    "Give a value inside, or say that the case raises."
                )


def _undefined(case: Case, job: Job) -> Iterator[str]:
    for name, array in case.inputs.items():
        if not all(map(isfinite, array.values)):
            yield f"{name} holds a number that is not finite. Give finite ones."
    if job.clip_norm is not None and job.clip_value is not None:
        yield "it is clipped both by its norm and by value. Ask for one."
    if job.shuffle is not None and not set(case.outputs) <= {"validated", "drift"}:
        yield "a random order has no truth but that of validated and drift. Ask for these."
    if case.operation == "predict" and job.processes > 1:
        yield "a prediction is made by one process. Give batches."
    if "flip_rows" in job.views and len(case.inputs["features"].shape) < 3:
        yield "the rows of such features are the samples. Give images, or leave flip_rows out."
