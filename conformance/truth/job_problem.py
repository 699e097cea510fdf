"""Reads a job's case into the plain numbers that both oracles compute with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.errors import ConformanceError
from conformance.floats import FORMATS, round_to, to_array
from conformance.truth.errors import InvalidQuestion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.jobs import Convention, Job, Optimizer
    from conformance.model import Array, Case

Floats = np.ndarray[Any, np.dtype[np.float64]]
Rows = list[list[float]]


@dataclass(frozen=True, slots=True)
class Problem:
    """A job's numbers, all exact.

    Attributes:
        where: The case's place, for messages.
        job: What is done.
        reduction: "mean" or "sum".
        clip_eps: Added to a norm before the gradient is divided by it.
        features: Shape (N, D) or (N, C, H, W).
        targets: Shape (N, classes); none for a prediction.
        parameters: Shape (P,).
        weights: "weight" and "pos_weight", where given, of shape (classes,).
    """

    where: str
    job: Job
    reduction: str
    clip_eps: float
    features: Floats
    targets: Floats
    parameters: Floats
    weights: Mapping[str, Floats]

    @property
    def optimizer(self) -> Optimizer:
        """That of a job that trains.

        Raises:
            ConformanceError: If it has none.
        """
        if self.job.optimizer is None:
            msg = f"{self.where}: a training needs an optimizer. Give one."
            raise ConformanceError(msg)
        return self.job.optimizer

    def factors(self, name: str, samples: int) -> Rows:
        """An optional weight of each element of the loss of a batch, (samples, classes).

        The weight broadcasts as PyTorch's argument does, hence along the samples if outputs and
        targets are transposed.

        Raises:
            InvalidQuestion: If it does not broadcast into the shape of the loss.
        """
        weight = self.weights.get(name, np.ones(1))
        shape = (samples, self.job.classes)
        wanted = shape[::-1] if self.job.classes_first else shape
        try:
            full = np.broadcast_to(weight, wanted)
        except ValueError:
            msg = (
                f"{self.where}: {name} of shape {weight.shape} does not broadcast into the shape "
                f"{wanted} of the loss of a batch. Say that the case raises."
            )
            raise InvalidQuestion(msg) from None
        rows: Rows = (full.T if self.job.classes_first else full).tolist()
        return rows

    def seen_as(self, view: str) -> Floats:
        """The features in one of VIEWS."""
        if view == "identity":
            return self.features
        return np.flip(self.features, -1 if view == "flip_last" else -2)


def problem_of(case: Case, job: Job, convention: Convention) -> Problem:
    """The numbers of a case that ``check_job`` accepts, as a convention has them.

    They are rounded where it stores them so. Where it leaves "dropout_linear" in training mode,
    the features to train on are 0.
    """
    arrays = {name: _full(array, convention.stored_in) for name, array in case.inputs.items()}
    features = arrays["features"]
    training = case.operation == "train" and (convention.train_mode or not job.left_in_eval)
    return Problem(
        where=f"{case.path}: {case.id}",
        job=job,
        reduction=case.reduction,
        clip_eps=convention.clip_eps,
        features=features * 0 if training and job.model == "dropout_linear" else features,
        targets=arrays.get("targets", np.zeros(0)).reshape(-1, job.classes),
        parameters=arrays["parameters"],
        weights={name: arrays[name] for name in ("weight", "pos_weight") if name in arrays},
    )


def _full(array: Array, stored_in: str | None) -> Floats:
    values = array.values
    if stored_in is not None:
        values = tuple(round_to(value, FORMATS[stored_in]) for value in values)
    return to_array(values, array.shape, FORMATS["float64"])
