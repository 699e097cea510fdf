"""Trainers that train as they should, and report or validate something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .trainers import OtherJob, WrongTrainer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.jobs import Job
    from conformance.loops import Indices


class LossOfBatchBefore(WrongTrainer):
    """The loss that is reported is that of the batch before."""

    def losses_of(self, shares: Sequence[Sequence[Indices]], batch: int) -> Any:
        return super().losses_of(shares, max(batch - 1, 0))


class LossDividedInReport(WrongTrainer):
    """The loss of a batch is reported as it was divided for the gradient."""

    def losses_of(self, shares: Sequence[Sequence[Indices]], batch: int) -> Any:
        return super().losses_of(shares, batch) / self.job.accumulate


class LossAfterTheStep(WrongTrainer):
    """The loss of a batch is reported as it is after the step."""

    def train_batch(self, batch: int, *, last: bool) -> None:
        super().train_batch(batch, last=last)
        self.losses[-1] = self.losses_of(self.shares, batch)


class LossAfterTheStepInLog(WrongTrainer):
    """The log is of losses as they are after the step."""

    def train_batch(self, batch: int, *, last: bool) -> None:
        super().train_batch(batch, last=last)
        self.seen[-1] = self.losses_of(self.groups, batch)


class LossInEvaluationMode(WrongTrainer):
    """Losses of batches are computed anew in evaluation mode to be reported."""

    def losses_of(self, shares: Sequence[Sequence[Indices]], batch: int) -> Any:
        return np.stack([self.loss(share[batch], training=False) for share in shares])


class LossSummedOverProcesses(WrongTrainer):
    """Each process reports the sum of the losses of all."""

    def losses_of(self, shares: Sequence[Sequence[Indices]], batch: int) -> Any:
        return np.full(len(shares), super().losses_of(shares, batch).sum())


class LogOfLastBatch(WrongTrainer):
    """The log has the loss of the last batch."""

    def logged_value(self, values: Any, batches: Sequence[Indices]) -> Any:
        return values[-1]


class LogWithoutLastBatch(WrongTrainer):
    """The log leaves out the last batch, as an average that is read before it is updated."""

    def logged_value(self, values: Any, batches: Sequence[Indices]) -> Any:
        before = slice(max(1, len(batches) - 1))
        return super().logged_value(values[before], batches[before])


class LogOfSum(WrongTrainer):
    """The log has the sum of the losses of an epoch."""

    def logged_value(self, values: Any, batches: Sequence[Indices]) -> Any:
        return sum(values)


class LogDividedByLength(WrongTrainer):
    """The log has losses as they were divided for the gradient."""

    def logged_value(self, values: Any, batches: Sequence[Indices]) -> Any:
        return super().logged_value(values, batches) / self.job.accumulate


class LogOfAllEpochs(WrongTrainer):
    """The log is never reset, and has the mean over all epochs so far."""

    def begin(self) -> None:
        super().begin()
        self.all: list[Any] = []

    def logged_value(self, values: Any, batches: Sequence[Indices]) -> Any:
        self.all.append(super().logged_value(values, batches))
        return sum(self.all) / len(self.all)


class LogFromZero(WrongTrainer):
    """The running average in the log starts at zero."""

    def logged_value(self, values: Any, batches: Sequence[Indices]) -> Any:
        running = 0
        for value in values:
            running = 0.98 * running + 0.02 * value
        return running


class LogAfterEpoch(WrongTrainer):
    """The log has the loss of the data under the parameters at the end of the epoch."""

    def logged_value(self, values: Any, batches: Sequence[Indices]) -> Any:
        after = [self.loss(batch, training=True) for batch in batches]
        return super().logged_value(after, batches)


class EvaluationByRunningAverage(WrongTrainer):
    """The loss of an evaluation is a running average."""

    def epoch_value(self, values: Any, batches: Sequence[Indices]) -> Any:
        if self.job.optimizer is not None:
            return super().epoch_value(values, batches)
        running = values[0]
        for value in values[1:]:
            running = 0.98 * running + 0.02 * value
        return running


class EvaluationWithoutLastBatch(OtherJob):
    """An evaluation leaves out its last batch if that is smaller than the first."""

    operation = "evaluate"

    def other(self, job: Job) -> dict[str, Any]:
        return {"batches": tuple(size for size in job.batches if size >= job.batches[0])}


class EvaluationOfLastBatch(WrongTrainer):
    """The loss of an evaluation is that of its last batch."""

    def epoch_value(self, values: Any, batches: Sequence[Indices]) -> Any:
        return values[-1] if self.job.optimizer is None else super().epoch_value(values, batches)


class EvaluationOfSum(WrongTrainer):
    """The loss of an evaluation is the sum over its batches, divided by the samples."""

    def epoch_value(self, values: Any, batches: Sequence[Indices]) -> Any:
        return sum(values) / sum(map(len, batches))


class ValidationTrains(WrongTrainer):
    """Batches that are validated are trained on."""

    def validate(self, batches: int) -> None:
        super().validate(batches)
        for sample in range(batches):
            gradient = self.batch_gradient(np.array([sample]))
            self.parameters = self.step(gradient)


class ValidationLeavesEvaluationMode(WrongTrainer):
    """The model stays in evaluation mode after a validation."""

    def loss(self, batch: Indices, *, training: bool) -> Any:
        return super().loss(batch, training=training and not self.was_validated)

    @property
    def was_validated(self) -> bool:
        return self.job.validation > 0 and bool(self.logged)


class ValidationTwice(WrongTrainer):
    """Every validation is done twice."""

    def validate(self, batches: int) -> None:
        super().validate(2 * batches)


class ValidationAtTheEnd(WrongTrainer):
    """Only the last epoch is validated."""

    def validate(self, batches: int) -> None:
        super().validate(batches if len(self.logged) == self.job.epochs else 0)


class ValidationOfAllBefore(WrongTrainer):
    """The whole validation is done before the training as well."""

    def begin(self) -> None:
        super().begin()
        self.validate(self.job.validation)


class RefitFromTheStart(WrongTrainer):
    """A trainer that is asked again begins with the initial parameters."""

    def fit(self) -> None:
        self.parameters = self.history[0]
        super().fit()


class RefitOfOneEpoch(WrongTrainer):
    """A trainer that is asked again trains one epoch more, whatever it is asked."""

    def fit(self) -> None:
        if self.logged:
            self.epoch(0)
        else:
            super().fit()


class RefitForgets(WrongTrainer):
    """A trainer that is asked again has forgotten its optimizer's state."""

    def fit(self) -> None:
        self.optimum = self.optimizer(self.optimum.settings)
        super().fit()
