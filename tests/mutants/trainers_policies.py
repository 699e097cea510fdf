"""Trainers that follow another right policy than the one that is known of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from conformance.jobs import DEFINITION, RUNNING

from .trainers import WrongTrainer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.jobs import Convention, Job
    from conformance.loops import Indices
    from conformance.model import Question


class _OtherPolicy(WrongTrainer):
    """Follows other conventions in the jobs that they concern."""

    kind = "policy"
    changes: ClassVar[Mapping[str, Any]]

    def convention(self, question: Question) -> Convention:
        concerned = question.job is not None and self.concerns(question.job)
        return replace(DEFINITION, **self.changes) if concerned else DEFINITION

    def concerns(self, job: Job) -> bool:
        """Whether a job is done by the other conventions."""
        return True


class WindowByBatches(_OtherPolicy):
    """The losses of a window are divided by the number of batches that it has."""

    changes: ClassVar = {"divisor": "batches"}


class WindowByLengthStepped(_OtherPolicy):
    """The losses of a window are divided by its full length, short as it may be."""

    changes: ClassVar = {"divisor": "length"}


class WindowByLengthCarried(_OtherPolicy):
    """The losses of a window are divided by its length, and a short one goes on after the epoch."""

    changes: ClassVar = {"divisor": "length", "tail": "carried"}


class WindowByLengthDropped(_OtherPolicy):
    """The losses of a window are divided by its length, and a short one is dropped."""

    changes: ClassVar = {"divisor": "length", "tail": "dropped"}

    def concerns(self, job: Job) -> bool:
        # Without a single step nothing would be trained, which no policy allows.
        return job.accumulate <= len(job.batches)


class EpochByBatches(_OtherPolicy):
    """The loss of an epoch is the mean of the means of its batches."""

    changes: ClassVar = {"epoch": "batches"}

    def concerns(self, job: Job) -> bool:
        return job.processes == 1


class EpochAtOnce(_OtherPolicy):
    """The loss of an evaluation is that of all samples at once, a sum the sum of all."""

    changes: ClassVar = {"epoch": "at_once"}

    def concerns(self, job: Job) -> bool:
        return job.optimizer is None


class LogByRunningAverage(WrongTrainer):
    """The log of a training has a running average, which goes on through all epochs."""

    kind = "policy"

    def begin(self) -> None:
        super().begin()
        self.running: Any = None

    def logged_value(self, values: Any, batches: Sequence[Indices]) -> Any:
        for value in values:
            before = value if self.running is None else self.running
            self.running = RUNNING * before + (1 - RUNNING) * value
        return self.running


class EpochByFirstDimension(WrongTrainer):
    """Batches count by the first dimension of their labels, for (classes, B) that of classes."""

    kind = "policy"

    def epoch_value(self, values: Any, batches: Sequence[Indices]) -> Any:
        sizes = [len(self.work.targets_of(batch)) for batch in batches]
        return sum(v * n for v, n in zip(values, sizes, strict=True)) / sum(sizes)


class RanksEqual(_OtherPolicy):
    """Gradients and losses of processes are averaged as if they had as many samples each."""

    changes: ClassVar = {"ranks": "equal"}

    def concerns(self, job: Job) -> bool:
        return job.sync and bool(job.shards)


class RanksOwn(_OtherPolicy):
    """Each process reports its own loss where nobody asks for one of all."""

    changes: ClassVar = {"ranks": "own"}

    def concerns(self, job: Job) -> bool:
        return not job.sync


class RanksPadded(_OtherPolicy):
    """The samples with which a sampler fills up are counted."""

    changes: ClassVar = {"ranks": "padded"}


class ClipEps(_OtherPolicy):
    """The gradient is divided by its norm plus 1e-6."""

    changes: ClassVar = {"clip_eps": 1e-6}


class ViewsByLogits(_OtherPolicy):
    """The logits of the views are averaged."""

    changes: ClassVar = {"views": "logits"}

    def concerns(self, job: Job) -> bool:
        return job.loss == "bce_with_logits"


class HalfIsPositive(_OtherPolicy):
    """A probability of 0.5 is decided as positive: >= for >."""

    changes: ClassVar = {"half_is_positive": True}


class ModeAsLeft(_OtherPolicy):
    """A model left in evaluation mode is trained in it."""

    changes: ClassVar = {"train_mode": False}


class RefitDoesNothing(_OtherPolicy):
    """A trainer that has finished does nothing when it is asked again."""

    changes: ClassVar = {"refits": False}


class SanityOfTwoBatches(_OtherPolicy):
    """Two batches are validated before the training begins."""

    changes: ClassVar = {"sanity": 2}
