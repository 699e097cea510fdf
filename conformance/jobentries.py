"""Makes a Job of the entry ``job`` of a case file."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from conformance.jobs import (
    KERNEL,
    Job,
    ModelName,
    Optimizer,
    OptimizerName,
    Precision,
    Squeeze,
    Stage,
    View,
    parameter_count,
)
from conformance.nodes import Number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from conformance.model import Array

Place = tuple[str | int, ...]
Count = Annotated[int, Meta(ge=1, le=100_000)]
Seed = Annotated[int, Meta(ge=0, le=2**31)]
Partition = Annotated[list[Count], Meta(min_length=1, max_length=1000)]
Positive = Annotated[float, Meta(gt=0, le=1e300)]
Share = Annotated[float, Meta(ge=0, lt=1)]


_PARTITIONS = {"batches", "shards", "sampler_batch"}
"""The ways to share the data out, of which a job has one."""


class OptimizerEntry(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """An optimizer; each number is the float64 number nearest to what is written."""

    name: OptimizerName = "sgd"
    lr: Positive
    momentum: Share = 0.0
    nesterov: bool = False
    weight_decay: Annotated[float, Meta(ge=0, le=1e300)] = 0.0
    betas: tuple[Share, Share] = (0.9, 0.999)
    eps: Positive = 1e-8


class JobEntry(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What is done with features, targets and parameters; conformance/jobs.py defines each key."""

    model: ModelName | UnsetType = UNSET
    hidden: Count | UnsetType = UNSET
    classes: Count | UnsetType = UNSET
    batches: Partition | UnsetType = UNSET
    shards: Annotated[list[Partition], Meta(min_length=2, max_length=2)] | UnsetType = UNSET
    sampler_batch: Count | UnsetType = UNSET
    epochs: Count | UnsetType = UNSET
    accumulate: Count | UnsetType = UNSET
    optimizer: OptimizerEntry | UnsetType = UNSET
    clip_norm: Positive | UnsetType = UNSET
    clip_value: Positive | UnsetType = UNSET
    squeeze: Squeeze | UnsetType = UNSET
    classes_first: bool | UnsetType = UNSET
    precision: Precision | UnsetType = UNSET
    sync: bool | UnsetType = UNSET
    stage: Stage | UnsetType = UNSET
    views: Annotated[list[View], Meta(min_length=1, max_length=8)] | UnsetType = UNSET
    validation: Count | UnsetType = UNSET
    shuffle: Seed | UnsetType = UNSET
    left_in_eval: bool | UnsetType = UNSET
    refit: bool | UnsetType = UNSET
    trainer_arguments: dict[str, bool | int | str | None] | UnsetType = UNSET


def with_floats(raw: Any) -> Any:
    """The same settings, their decimals as the nearest float64 numbers."""
    if isinstance(raw, Number):
        return float(raw.text)
    if isinstance(raw, dict):
        return {key: with_floats(value) for key, value in raw.items()}
    return [with_floats(value) for value in raw] if isinstance(raw, list) else raw


class JobError(ValueError):
    """Something wrong with a job, with the path to it inside the case."""

    def __init__(self, path: Place, problem: str) -> None:
        super().__init__(problem)
        self.path = path


def read_job(entry: JobEntry | UnsetType, defaults: JobEntry | UnsetType) -> Job:
    """The job of a case, whose keys stand in the case or in the defaults of its file."""
    given, own = _given(defaults), _given(entry)
    if own.keys() & _PARTITIONS:
        given = {key: value for key, value in given.items() if key not in _PARTITIONS}
    given |= own
    if isinstance(optimizer := given.get("optimizer"), OptimizerEntry):
        given["optimizer"] = Optimizer(**structs.asdict(optimizer))
    for key in ("batches", "views"):
        if key in given:
            given[key] = tuple(given[key])
    if "shards" in given:
        given["shards"] = tuple(map(tuple, given["shards"]))
    return Job(**given)


def _given(entry: JobEntry | UnsetType) -> dict[str, Any]:
    if not isinstance(entry, JobEntry):
        return {}
    return {key: value for key, value in structs.asdict(entry).items() if value is not UNSET}


def check_job(
    job: Job, operation: str, inputs: Mapping[str, Array], outputs: tuple[str, ...]
) -> None:
    """Refuse a job that does not fit its operation or its arrays.

    Raises:
        JobError: With the path inside the case, and the remedy.
    """
    for path, problem in _problems(job, operation, inputs, outputs):
        raise JobError(path, problem)


def settings(job: Job) -> dict[str, Any]:
    """What a job sets otherwise than the defaults, as plain values."""
    return _unlike(asdict(job), asdict(Job()))


def _unlike(given: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if value != usual[key]}


def _problems(
    job: Job, operation: str, inputs: Mapping[str, Array], outputs: tuple[str, ...]
) -> Iterator[tuple[Place, str]]:
    yield from _partition(job, inputs["features"].shape)
    yield from _model(job, inputs)
    if (job.optimizer is None) == (operation == "train"):
        takes = "needs an optimizer" if operation == "train" else "takes no optimizer"
        yield ("job",), f"the operation {operation} {takes}"
    if job.clip_norm is not None and job.clip_value is not None:
        yield ("job", "clip_value"), "gradients are clipped by norm or by value; give one"
    for output in ("validated", "drift"):
        if output in outputs and not job.validation:
            yield ("job",), f"{output} needs a validation; give the batches that it has"
    if job.validation > inputs["features"].shape[0]:
        yield ("job", "validation"), "more batches of one sample than there are samples"
    yield from _unheeded(job)


def _unheeded(job: Job) -> Iterator[tuple[Place, str]]:
    """Settings that an optimizer does not have, and batches that no shuffling loader makes."""
    given = job.optimizer
    if given is not None:
        foreign = ("betas", "eps") if given.name == "sgd" else ("momentum", "nesterov")
        usual = Optimizer(lr=given.lr)
        for key in foreign:
            if getattr(given, key) != getattr(usual, key):
                yield ("job", "optimizer", key), f"{given.name} has none"
        if given.nesterov and not given.momentum:
            yield ("job", "optimizer", "nesterov"), "it needs a momentum"
    if job.shuffle is not None:
        first, *others = job.batches or (0,)
        if not first or any(size != first for size in others[:-1]) or max(job.batches) > first:
            yield ("job", "shuffle"), "it takes batches of one size, the last perhaps shorter"


def _partition(job: Job, features: tuple[int, ...]) -> Iterator[tuple[Place, str]]:
    wanted = 4 if job.model == "conv" else 2
    if len(features) != wanted:
        yield ("features",), f"{job.model} takes features of {wanted} dimensions"
        return
    if sum(getattr(job, key) != getattr(Job(), key) for key in _PARTITIONS) != 1:
        yield ("job",), "give one of batches, shards and sampler_batch"
        return
    total = sum(job.batches) + sum(map(sum, job.shards))
    if job.sampler_batch is None and total != features[0]:
        key = "batches" if job.batches else "shards"
        yield ("job", key), f"they hold {total} samples, and there are {features[0]}"


def _model(job: Job, inputs: Mapping[str, Array]) -> Iterator[tuple[Place, str]]:
    features = inputs["features"].shape
    hidden = job.model == "conv" or job.model.startswith("mlp")
    if hidden != bool(job.hidden):
        yield ("job", "hidden"), f"{job.model} {'needs' if hidden else 'has no'} hidden units"
        return
    if job.model == "conv" and min(features[2:]) < KERNEL:
        yield ("features",), f"an image has at least {KERNEL} rows and columns"
        return
    if job.squeeze and job.classes != 1:
        yield ("job", "squeeze"), "only a model of one class has a dimension to squeeze"
    rows = (features[0],)
    wanted = {
        "parameters": (parameter_count(job, features),),
        "targets": rows if job.squeeze else (*rows, job.classes),
        "weight": (job.classes,),
        "pos_weight": (job.classes,),
    }
    for name, shape in wanted.items():
        if name in inputs and inputs[name].shape != shape:
            yield (name,), f"its shape is {inputs[name].shape}; this job takes {shape}"
    if any(not math.isfinite(value) for array in inputs.values() for value in array.values):
        yield (), "a job takes finite numbers only"
    if job.loss == "bce" and "pos_weight" in inputs:
        yield ("pos_weight",), "the loss of probabilities has no pos_weight"
