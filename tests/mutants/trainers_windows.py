"""Trainers that get windows, batches or epochs wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.jobs import DEFINITION

from .trainers import OtherJob, WrongTrainer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.jobs import Convention, Job
    from conformance.loops import Indices
    from conformance.model import Question


class LossNotDivided(WrongTrainer):
    """The losses of a window are added up undivided."""

    def coefficients(self, batches: Sequence[Indices]) -> Sequence[float]:
        return [1.0 for _ in batches]


class LossDividedTwice(WrongTrainer):
    """The losses of a window are divided by its length twice, by the user and by the trainer."""

    def coefficients(self, batches: Sequence[Indices]) -> Sequence[float]:
        return [share / self.job.accumulate for share in super().coefficients(batches)]


class LossDividedByFirstBatch(WrongTrainer):
    """Each loss of a window is weighed as if all its batches had the size of the first."""

    def coefficients(self, batches: Sequence[Indices]) -> Sequence[float]:
        samples = len(batches[0]) * len(batches)
        return [len(batch) / samples for batch in batches]


class LossDividedByWholeEpoch(WrongTrainer):
    """The losses of a window are divided by the number of batches of the epoch."""

    def coefficients(self, batches: Sequence[Indices]) -> Sequence[float]:
        return [1 / len(self.shares[0]) for _ in batches]


class ShortWindowScaledUp(WrongTrainer):
    """A short window, divided by its samples already, is scaled up to the full length."""

    def coefficients(self, batches: Sequence[Indices]) -> Sequence[float]:
        missing = self.job.accumulate / len(batches)
        return [share * missing for share in super().coefficients(batches)]


class ShortWindowDropped(WrongTrainer):
    """The batches that an epoch leaves over are dropped, though weighed by samples otherwise."""

    def convention(self, question: Question) -> Convention:
        return replace(DEFINITION, tail="dropped")


class ShortWindowCarried(WrongTrainer):
    """The batches that an epoch leaves over join the next, though weighed by samples otherwise."""

    def convention(self, question: Question) -> Convention:
        return replace(DEFINITION, tail="carried")


class GradientKept(WrongTrainer):
    """No gradient is ever set to zero."""

    def begin(self) -> None:
        super().begin()
        self.total = 0

    def gradient(self, window: Sequence[int]) -> Any:
        self.total = self.total + super().gradient(window)
        return self.total


class GradientKeptForAnEpoch(GradientKept):
    """Gradients are set to zero at the start of an epoch, and not after a step."""

    def epoch(self, epoch: int) -> None:
        self.total = 0
        super().epoch(epoch)


class GradientZeroedInTheWindow(WrongTrainer):
    """Gradients are set to zero before every batch, so that the last of a window counts alone."""

    def coefficients(self, batches: Sequence[Indices]) -> Sequence[float]:
        *others, last = super().coefficients(batches)
        return [*(0 for _ in others), last]


class GradientOfFirstBatch(WrongTrainer):
    """Only the first batch of a window is differentiated."""

    def coefficients(self, batches: Sequence[Indices]) -> Sequence[float]:
        first, *others = super().coefficients(batches)
        return [first, *(0 for _ in others)]


class AccumulationIgnored(OtherJob):
    """Every batch is a step of its own."""

    def other(self, job: Job) -> dict[str, Any]:
        return {"accumulate": 1}


class StepOnEveryBatch(WrongTrainer):
    """Every batch of a window is followed by a step with what has been added up so far."""

    def train_batch(self, batch: int, *, last: bool) -> None:
        before = [*self.window, batch]
        super().train_batch(batch, last=last)
        if self.window:
            self.update()
            self.window = before


class WindowOneTooLong(WrongTrainer):
    """A window ends one batch late."""

    def is_due(self, *, last: bool) -> bool:
        return len(self.window) == self.job.accumulate + 1 or last


class WindowStepsAtItsStart(WrongTrainer):
    """Batches are counted from 0, so that the very first is stepped by itself."""

    def is_due(self, *, last: bool) -> bool:
        return (len(self.seen) - 1) % self.job.accumulate == 0 or last


class StepSkippedOnce(WrongTrainer):
    """The second step leaves the parameters as they were, as after an overflow."""

    def step(self, gradient: Any) -> Any:
        after = super().step(gradient)
        return self.parameters if len(self.history) == 2 else after


class LastStepSkipped(WrongTrainer):
    """The last step of a training is computed and never applied."""

    def train(self) -> dict[str, Any]:
        found = super().train()
        parameters = found["parameters"]
        kept = [*parameters[:-1], self.history[-2]]
        return found | {"parameters": np.stack(kept)}


class ParametersBeforeTheStep(WrongTrainer):
    """The parameters of a step are reported as they were before it."""

    def train(self) -> dict[str, Any]:
        return super().train() | {"parameters": np.stack(self.history[:-1])}


class UnevenBatchSkipped(OtherJob):
    """A batch smaller than the first is left out of training, as by drop_last."""

    operation = "train"

    def other(self, job: Job) -> dict[str, Any]:
        return {"batches": tuple(size for size in job.batches if size >= job.batches[0])}


class BatchesInAnotherOrder(WrongTrainer):
    """Every second epoch goes through the batches backwards."""

    def order(self, epoch: int) -> list[int]:
        return super().order(epoch)[:: -1 if epoch % 2 else 1]


class FirstBatchForEver(WrongTrainer):
    """Later epochs get the first batch again and again, from an iterator that starts anew."""

    def order(self, epoch: int) -> list[int]:
        order = super().order(epoch)
        return order if epoch == 0 else [0 for _ in order]
