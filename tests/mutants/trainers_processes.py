"""Trainers that get the work of several processes wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from conformance.jobs import DEFINITION

from .trainers import OtherJob, WrongTrainer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.jobs import Convention, Job
    from conformance.loops import Indices
    from conformance.model import Question


class _EachByItself(WrongTrainer):
    """Base of those that compute process by process in one operation.

    Attributes:
        operation: In which; in the other it is right.
    """

    operation: ClassVar[str] = "train"

    def convention(self, question: Question) -> Convention:
        concerned = question.operation == self.operation
        return replace(DEFINITION, ranks="equal") if concerned else DEFINITION


class GradientsOfProcessesSummed(_EachByItself):
    """Gradients of processes are summed up, and not averaged."""

    def together(self, gradients: Sequence[Any]) -> Any:
        return sum(gradients)


class GradientOfFirstProcess(_EachByItself):
    """The gradient of the first process counts alone: nothing is exchanged."""

    def together(self, gradients: Sequence[Any]) -> Any:
        return gradients[0]


class ProcessesSwapped(WrongTrainer):
    """The answers of the processes are in the wrong order."""

    def losses_of(self, shares: Sequence[Sequence[Indices]], batch: int) -> Any:
        return super().losses_of(shares, batch)[::-1]


class ShardsSwapped(OtherJob):
    """The first process gets the batches of the last."""

    def other(self, job: Job) -> dict[str, Any]:
        return {"shards": job.shards[::-1]}


class SamplerInBlocks(WrongTrainer):
    """A sampler gives each process samples that follow each other, and not every second one."""

    def read(self, question: Question) -> Question:
        question = super().read(question)
        job = question.job
        if job is None or job.sampler_batch is None:
            return question
        samples, size = len(question.inputs["features"]), job.sampler_batch
        halves = (samples + 1) // 2, samples // 2
        shards = tuple(
            tuple(min(size, half - start) for start in range(0, half, size)) for half in halves
        )
        return replace(question, job=replace(job, sampler_batch=None, shards=shards))


class SamplerDropsTheRest(WrongTrainer):
    """A sampler leaves out the sample that does not fill up a round of the processes."""

    def read(self, question: Question) -> Question:
        question = super().read(question)
        if question.job is None or question.job.sampler_batch is None:
            return question
        even = len(question.inputs["features"]) // 2 * 2
        cut = {name: question.inputs[name][:even] for name in ("features", "targets")}
        return replace(question, inputs={**question.inputs, **cut})


class EvaluationOfFirstProcess(_EachByItself):
    """The loss of the first process is reported by all."""

    operation = "evaluate"

    def reported(self, values: Sequence[Any]) -> Any:
        return super().reported([values[0]] * len(values))


class EvaluationsNotBroughtTogether(WrongTrainer):
    """Each process reports its own loss where one of all is asked for."""

    def convention(self, question: Question) -> Convention:
        return replace(DEFINITION, ranks="own")


class EvaluationsSummed(_EachByItself):
    """The losses of processes are summed up."""

    operation = "evaluate"

    def reported(self, values: Sequence[Any]) -> Any:
        return len(values) * super().reported(values)


class EvaluationsByFlooredMean(_EachByItself):
    """The sum over samples is divided by a mean number of samples that was rounded down.

    Lightning did so: https://github.com/Lightning-AI/pytorch-lightning/issues/21859.
    """

    operation = "evaluate"

    def reported(self, values: Sequence[Any]) -> Any:
        if self.job.processes == 1 or self.job.optimizer is not None:
            return super().reported(values)
        sizes = [sum(map(len, share)) for share in self.groups]
        total = sum(value * size for value, size in zip(values, sizes, strict=True))
        mean = total / len(sizes) / (sum(sizes) // len(sizes))
        return np.stack([mean] * len(sizes))


class ProcessesIgnored(OtherJob):
    """Only the first process works."""

    def other(self, job: Job) -> dict[str, Any]:
        return {"batches": job.shards[0], "shards": ()} if job.shards else {}
